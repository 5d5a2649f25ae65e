"""Senders of digests that may die, be suspended, or lose their connections at any point.

Between two statements and around each call of Slack a sender passes a point, at which its fate may
befall it.
"""

from __future__ import annotations

import asyncio
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psycopg
from slack_sdk.web.async_client import AsyncWebClient

from chatbot.digests.retrying import UntilItIsSent
from jobs_maint.errors import JobsMaintError
from jobs_maint.tasks import DIGEST

if TYPE_CHECKING:
    from tests.simulation.world import World

HOUR = 3_600


class Killed(BaseException):
    """As a SIGKILL ends a process: whatever it would do next is not done."""


@dataclass
class Fate:
    """After how many points (0: at the first) it befalls a sender; None: never."""

    die: int | None = None
    restart: int | None = None
    """All connections of the senders to the database end."""
    suspend: int | None = None
    """At calls of Slack only: inside a transaction others would wait for it in real time."""
    die_before_post: bool = False
    die_after_post: bool = False
    restart_after_post: bool = False
    suspend_before_post: bool = False
    at_post: int = 0
    """Which one is meant: that of the digest, or one of its thread."""
    posts: int = 0
    dead: bool = False
    asleep: asyncio.Event = field(default_factory=asyncio.Event)
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def meet(self, world: World, slack: str = "") -> None:
        """`slack`: which side of a call: `call`, `post`, `posted`, `called`."""
        self.posts += slack == "post"
        is_meant = self.posts == self.at_post + 1
        before, after = slack == "post" and is_meant, slack == "posted" and is_meant
        if self.dead or self._strikes("die", before=before, after=after):
            self.dead = True
            raise Killed
        if self._strikes("restart", after=after):
            await world.restart_database()
        if slack and self._strikes("suspend", before=before):
            self.asleep.set()
            await self.woken.wait()

    def _strikes(self, what: str, *, before: bool = False, after: bool = False) -> bool:
        for name, is_now in (("before", before), ("after", after)):
            if is_now and getattr(self, f"{what}_{name}_post", False):
                setattr(self, f"{what}_{name}_post", False)
                return True
        left = getattr(self, what)
        if left is not None:
            setattr(self, what, left - 1 if left else None)
        return left == 0


FATE: ContextVar[tuple[World, Fate] | None] = ContextVar("fate", default=None)


async def pass_point(slack: str = "") -> None:
    there = FATE.get()
    if there is not None:
        world, fate = there
        await fate.meet(world, slack)


class WatchedCursor(psycopg.AsyncCursor[Any]):
    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        await pass_point()
        found = await super().execute(*args, **kwargs)
        await pass_point()
        return found


def watch_slack(monkeypatch: Any) -> None:
    """Points around each call of Slack, at the border to the SDK."""
    call = AsyncWebClient.api_call

    async def watched(self: Any, method: str, **payload: Any) -> Any:
        is_post = method == "chat.postMessage"
        await pass_point("post" if is_post else "call")
        try:
            return await call(self, method, **payload)
        finally:
            await pass_point("posted" if is_post else "called")

    monkeypatch.setattr(AsyncWebClient, "api_call", watched)


async def send(world: World, name: str, fate: Fate | None = None, *, tick=None, tries=4) -> str:
    """What came of a tick's job: `tries` with the pauses between them, as a worker would."""
    FATE.set((world, fate or Fate()))
    task = world.app.tasks[DIGEST]
    tick = tick or int(world.clock()) // HOUR * HOUR
    try:
        for attempts in range(tries):
            try:
                return await task.func(SimpleNamespace(app=world.app), timestamp=tick, name=name)
            except JobsMaintError as exc:
                job = SimpleNamespace(attempts=attempts)
                decision = UntilItIsSent().get_retry_decision(exception=exc, job=job)
                await world.advance(decision.retry_at.timestamp() - time.time())
                failed = f"failed: {exc}"
    except Killed:
        return "killed"
    finally:
        FATE.set(None)
    return failed
