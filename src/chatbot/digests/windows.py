"""The windows of the digests, as their sender sees them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from chatbot.slack.posting import Posted
from jobs_maint.actions import Action, Actor, CloseDigest, HoldDigest
from jobs_maint.database import Pool, identify_database
from jobs_maint.errors import AlreadyRunning, DatabaseUnavailable
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings
from jobs_maint.tasks import DIGEST

__all__ = ["Windows"]

log = logging.getLogger(__name__)

T = TypeVar("T")
CLOSE_TRIES = 120
CLOSE_PAUSE = 5.0
"""Seconds."""


class Windows:
    def __init__(
        self, pool: Pool, maint: MaintSettings, *, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._pool = pool
        self._maint = maint
        self._sleep = sleep
        self.channel: str | None = None
        """Where a post was begun."""

    async def do(self, action: Action[T]) -> T:
        return await perform(self._pool, Actor.task(DIGEST), action, settings=self._maint)

    async def identify_database(self, environment: str) -> str:
        return await identify_database(self._pool, environment)

    async def hold(self, held: HoldDigest) -> None:
        """Right before a post; raises AlreadyRunning where another sender has the window by now."""
        if not await self.do(held):
            raise AlreadyRunning("another worker has taken over the window of this digest")
        self.channel = held.channel

    async def close_sent(
        self,
        window_id: int,
        posted: Posted,
        problem: str | None,
        note_repeat: Callable[[], Awaitable[None]],
    ) -> None:
        """`note_repeat` is awaited where another message may have told the same meanwhile."""
        sent = CloseDigest(window_id, "sent", posted.channel, posted.ts, problem)
        if await self.do_at_last(sent):
            await note_repeat()
            await self.do_at_last(replace(sent, noted=True))

    async def do_at_last(self, action: Action[T]) -> T:
        """Also where the database is away for a while: nobody else knows what Slack took."""
        for _ in range(CLOSE_TRIES):
            try:
                return await self.do(action)
            except DatabaseUnavailable as exc:
                log.info("chatbot.digest_close_waits reason=%s", exc)
                await self._sleep(CLOSE_PAUSE)
        return await self.do(action)
