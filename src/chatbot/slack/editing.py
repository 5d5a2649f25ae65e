"""Messages of long runs, edited as they go on.

Slack takes 50 edits a minute of the whole app. All runs of a process share 40 for their progress,
a message is edited every 3 s at most, and only its newest state is sent; the end of a run waits
for nothing but Slack.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from chatbot.messages.message import Message
from chatbot.slack.answering import TAKEN, Answering
from chatbot.slack.errors import SlackUnavailable
from chatbot.slack.pacing import EditBudget
from chatbot.slack.posting import Posting
from jobs_maint.errors import JobsMaintError

__all__ = ["Editing", "Target"]

log = logging.getLogger(__name__)

INTERVAL = 3.0
_MOST = 1_000
"""Runs that go on, and ended ones that are remembered."""


@dataclass(frozen=True, slots=True)
class Target:
    """A message of ours (`ts`), or the address of a command or click when that is all we have.

    On a `response_url` a run is told at its start, half and end. `replaces`: the message that was
    clicked is ours and shows the run; on the address of a typed command each is a new message.
    """

    channel: str
    ts: str | None = None
    response_url: str | None = field(default=None, repr=False)
    user: str = ""
    in_channel: bool = False
    replaces: bool = False
    thread: str | None = None


@dataclass(slots=True)
class _Run:
    """One message; `stage` counts what a response_url was told."""

    target: Target
    pending: Message | None = None
    next_at: float = 0.0
    stage: int = 0
    is_over: bool = False
    has_given_up: bool = False
    has_complained: bool = False
    task: asyncio.Task[None] | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def take_pending(self) -> Message | None:
        message, self.pending = self.pending, None
        return None if self.is_over else message


class Editing:
    """One for the process: all its runs share the budget."""

    def __init__(
        self,
        posting: Posting,
        answering: Answering,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._posting = posting
        self._answering = answering
        self._clock = clock
        self._sleep = sleep
        self._budget = EditBudget(clock, sleep)
        self._runs: dict[Target, _Run] = {}
        self._ended: OrderedDict[Target, None] = OrderedDict()

    async def show(self, target: Target, message: Message, *, share: float | None = None) -> None:
        """Show progress when its turn comes, unless newer progress comes before; returns at once.

        Nothing of Slack is raised. `share`: how much is done, 0 to 1, which tells the half.
        """
        run = self._runs.get(target)
        if run is None:
            if target in self._ended:
                return  # a late word must not replace the last one
            run = self._open(target)
        if run.has_given_up or (target.ts is None and not _is_due(run, share)):
            return
        run.pending = message
        if run.task is None or run.task.done():
            run.task = asyncio.create_task(self._work_off(run))

    async def finish(self, target: Target, message: Message) -> None:
        """The last word: returns when Slack took it; raises what `update` or `respond` raise."""
        run = self._runs.get(target) or self._open(target)
        run.is_over, run.pending = True, None
        try:
            async with run.lock:
                await _cancel(run.task)
                if target.ts is not None:
                    await self._budget.take(final=True, person=target.user)
                    await self._posting.update(target.channel, target.ts, message)
                    return
                await self._answering.respond(
                    target.response_url,
                    message,
                    channel=target.channel,
                    user=target.user,
                    in_channel=target.in_channel,
                    replace_original=target.replaces,
                    thread=target.thread,
                )
        finally:
            self._runs.pop(target, None)
            self._ended[target] = None
            if len(self._ended) > _MOST:
                self._ended.popitem(last=False)

    async def mark(self, target: Target, message: Message) -> bool:
        """Write something into a message, or nothing: it is of no use as a message of its own.

        An address of Slack is left one use for the outcome.
        """
        if target.ts is None:
            return await self._send_once(target, message)
        await self.finish(target, message)
        return True

    async def close(self) -> None:
        """Progress that waits is dropped."""
        for run in self._runs.values():
            await _cancel(run.task)
        self._runs.clear()

    def _open(self, target: Target) -> _Run:
        if len(self._runs) >= _MOST:
            idle = (t for t, run in self._runs.items() if run.task is None or run.task.done())
            self._runs.pop(next(idle, target), None)
        self._runs[target] = _Run(target)
        return self._runs[target]

    async def _work_off(self, run: _Run) -> None:
        while run.pending is not None:
            pause = run.next_at - self._clock()
            if pause > 0:
                await self._sleep(pause)
            if run.target.ts is not None:
                await self._budget.take(final=False)
            async with run.lock:
                if (message := run.take_pending()) is not None:
                    await self._send(run, message)
                    run.next_at = self._clock() + INTERVAL

    async def _send(self, run: _Run, message: Message) -> None:
        try:
            await self._send_once(run.target, message)
        except SlackUnavailable as exc:
            if exc.pause:
                self._budget.hold(exc.pause)
                run.pending = message if run.pending is None else run.pending
            _complain(run, exc)
        except JobsMaintError as exc:
            # What Slack refuses now it refuses in three seconds too.
            run.has_given_up, run.pending = True, None
            _complain(run, exc)
        except Exception:
            run.has_given_up, run.pending = True, None
            log.exception("chatbot.progress_failed channel=%s", run.target.channel)

    async def _send_once(self, target: Target, message: Message) -> bool:
        if target.ts is not None:
            await self._posting.update(target.channel, target.ts, message, tries=1)
            return True
        if target.response_url is None or self._answering.count_left(target.response_url) < 2:
            return False
        status = await self._answering.use_response_url(
            target.response_url,
            message,
            in_channel=target.in_channel,
            replace_original=target.replaces,
            thread=target.thread,
        )
        return status == TAKEN


def _is_due(run: _Run, share: float | None) -> bool:
    """Start and half; the end is `finish`."""
    stage = 2 if (share or 0.0) >= 0.5 else 1
    due, run.stage = stage > run.stage, max(stage, run.stage)
    return due


def _complain(run: _Run, exc: JobsMaintError) -> None:
    if not run.has_complained:
        run.has_complained = True
        log.warning("chatbot.progress_not_shown channel=%s reason=%s", run.target.channel, exc)


async def _cancel(task: asyncio.Task[None] | None) -> None:
    if task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task])
