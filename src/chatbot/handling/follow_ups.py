"""What became of retried jobs: their message says it once it is known.

In memory and bounded: a few looks within half an hour, which end with the process. What is not
told by then, `stats` and `failed` tell.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from chatbot.messages.message import Message
from jobs_maint.actions import Actor, FollowJobs
from jobs_maint.database import Pool
from jobs_maint.errors import JobsMaintError
from jobs_maint.models import Aftermath
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings

__all__ = ["FollowUps", "Followed", "watch_follow_ups"]

log = logging.getLogger(__name__)

EVERY = 5.0
LOOKS = (5.0, 20.0, 60.0, 180.0, 600.0, 1_500.0)
"""Seconds after the act; an address of Slack takes answers for 1,800."""
MOST = 50
_BOT = Actor.task("chatbot")


@dataclass(frozen=True, slots=True)
class Followed:
    """Which jobs, and how to tell. `only_bad`: it cannot be edited, so only failures are told."""

    jobs: FollowJobs
    render: Callable[[Aftermath], Message]
    only_bad: bool = False


@dataclass(slots=True)
class _Entry:
    followed: Followed
    tell: Callable[[Message], Awaitable[None]]
    begun: float
    looks: int = 0
    failed: int = 0
    """How many were told."""


class FollowUps:
    def __init__(
        self, pool: Pool, maint: MaintSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pool = pool
        self._maint = maint
        self._clock = clock
        self._entries: list[_Entry] = []

    def add(self, followed: Followed, tell: Callable[[Message], Awaitable[None]]) -> None:
        self._entries.append(_Entry(followed, tell, self._clock()))
        del self._entries[:-MOST]

    async def look(self, now: float | None = None) -> None:
        """Look at those that are due."""
        now = self._clock() if now is None else now
        for entry in list(self._entries):
            if now - entry.begun < LOOKS[entry.looks]:
                continue
            try:
                is_over = await self._look_at(entry)
            except JobsMaintError as exc:
                is_over = False
                log.info("chatbot.follow_up_failed reason=%s", exc)
            entry.looks += 1
            if (is_over or entry.looks == len(LOOKS)) and entry in self._entries:
                self._entries.remove(entry)

    async def _look_at(self, entry: _Entry) -> bool:
        """Returns whether all has been told."""
        after = await perform(self._pool, _BOT, entry.followed.jobs, settings=self._maint)
        ended = not after.pending
        last = entry.looks + 1 == len(LOOKS) and after.pending < after.total
        news = after.failed > 0 and not entry.failed
        if news or ((ended or last) and not entry.followed.only_bad):
            await entry.tell(entry.followed.render(after))
            entry.failed = after.failed
        return ended


async def watch_follow_ups(follow_ups: FollowUps) -> None:
    """Look until cancelled."""
    while True:
        await asyncio.sleep(EVERY)
        try:
            await follow_ups.look()
        except Exception:
            log.exception("chatbot.follow_ups_failed")
