"""What the message of a running act shows."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from chatbot.handling.context import Services
from chatbot.handling.targets import target_of_click
from chatbot.inbound.slack_request import SlackRequest
from chatbot.messages import Message
from chatbot.messages.progress import Progress, render_broken, render_progress
from chatbot.slack.editing import Target
from chatbot.slack.errors import SlackRefused, SlackUnavailable
from jobs_maint.perform import Watch

__all__ = ["RunningAct"]

QUICK = 1.0
"""Seconds before progress is shown: a quicker act shows only its outcome."""


class RunningAct:
    def __init__(self, services: Services, request: SlackRequest, target: Target) -> None:
        self.is_stopping = False
        self.watch = Watch(
            must_stop=services.work.stopping.is_set,
            on_open=self.on_open,
            place=(request.channel, target.ts),
        )
        self.target = target
        self._services = services
        self._request = request
        self._begun = time.monotonic()
        self._total: int | None = None

    @property
    def audit_id(self) -> int | None:
        return self.watch.audit_id

    def on_open(self, _audit_id: int, total: int | None) -> None:
        self._total = total

    @property
    def progress(self) -> Progress:
        words, so_far = self._request.words, self.watch.so_far
        return Progress(
            verb=words.partition(" ")[0],
            words=words,
            by=self._services.name_asker(self._request),
            done=so_far.done,
            total=self._total,
            elapsed_seconds=time.monotonic() - self._begun,
            audit_id=self.audit_id,
            stopping=self.is_stopping or self._services.work.stopping.is_set(),
            certain=self.watch.certain,
            counts=so_far.counts,
            skips=so_far.skips,
            failures=so_far.failures,
        )

    @contextlib.asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Keep the message up to date while the act runs."""
        showing = asyncio.create_task(self._show())
        try:
            yield
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)

    async def _show(self) -> None:
        last = -1
        await asyncio.sleep(QUICK)
        if await self._services.delivery.find_obstacle_of(self.target) is not None:
            return  # only the asker sees the outcome
        while True:
            if self.audit_id is not None and self.watch.so_far.done != last:
                last = self.watch.so_far.done
                message = render_progress(self.progress, self._services.command)
                share = last / self._total if self._total else None
                await self._services.slack.editing.show(self.target, message, share=share)
            await asyncio.sleep(QUICK)

    async def show_stopping(self) -> None:
        """Until the outcome: what comes after that is dropped by `editing`."""
        self.is_stopping = True
        if await self._services.delivery.find_obstacle_of(self.target) is None:
            message = render_progress(self.progress, self._services.command)
            await self._services.slack.editing.show(self.target, message)

    def render_broken(self, reason: str) -> Message:
        return render_broken(self.progress, self._services.command, reason=reason)

    async def finish(self, message: Message) -> None:
        """Show the outcome in the message itself, or else by the response URL of the click."""
        try:
            await self._services.delivery.finish(self.target, message)
        except (SlackRefused, SlackUnavailable):
            if self.target.ts is None:
                raise
            # It writes the same to the same place, so it is harmless if the edit did arrive.
            await self._services.delivery.finish(target_of_click(self._request), message)
