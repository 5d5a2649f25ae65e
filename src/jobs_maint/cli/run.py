"""One action against the jobs database; a long one can be stopped between two batches."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from datetime import timedelta
from types import FrameType
from typing import Any

from jobs_maint.actions import Action, Actor, ApplySchema, ShowSchemaSql
from jobs_maint.database import open_pool
from jobs_maint.interrupts import Interrupted, raise_on_interrupt
from jobs_maint.perform import Watch, perform
from jobs_maint.settings import MaintSettings

__all__ = ["find_signal_code", "perform_action"]

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def find_signal_code(number: int) -> int:
    """The exit code of what this signal ended, as shells have it."""
    return 128 + number


def perform_action(
    actor: Actor,
    action: Action[Any],
    *,
    watch: Watch | None = None,
    on_stop: Callable[[int], None] | None = None,
) -> Any:
    """The result of the action; raises what `perform` raises, and KeyboardInterrupt.

    With a `watch`, Ctrl-C, SIGTERM or SIGHUP first asks the act to stop after its batch and calls
    `on_stop` with its number; a second one cancels what runs, a third ends at once. A second SIGHUP
    does nothing: a terminal that closes sends it more than once. Once all jobs of a set were looked
    at, a second one does not cancel any more, and once the act is over, the first one does nothing
    either: the answer is still to be written.
    """
    # The pool logs what is also raised; unhandled it would be a second, worse sentence.
    logging.getLogger().addHandler(logging.NullHandler())
    settings = MaintSettings.load()
    raise_on_interrupt()
    if isinstance(action, ShowSchemaSql):
        return asyncio.run(perform(None, actor, action, settings=settings))

    stops = _Stops(watch or Watch(), on_stop)

    async def run() -> Any:
        url = settings.require_database_url()
        wait = action.wait if isinstance(action, ApplySchema) else timedelta()
        async with open_pool(url, min_size=1, max_size=4, wait=wait) as pool:
            if watch is not None:  # not before: nothing that could be stopped has begun
                stops.begin()
            try:
                return await perform(pool, actor, action, settings=settings, watch=watch)
            finally:
                stops.over = True

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        raise Interrupted("", find_signal_code(stops.cancelled_by or signal.SIGINT)) from None


class _Stops:
    """What the signals do to an act.

    These are Python's handlers, not the loop's: the loop takes its own along when it closes, and
    the next signal would end the process before it has written its answer.
    """

    def __init__(self, watch: Watch, on_stop: Callable[[int], None] | None) -> None:
        self._watch = watch
        self._on_stop = on_stop
        self.over = False
        self.cancelled_by: int | None = None

    def begin(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        for number in STOPPING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as by nohup
                signal.signal(number, self._receive)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self._loop.is_closed():
            self._let_the_next_end(number)
        else:
            self._loop.call_soon_threadsafe(self._stop, number)

    def _stop(self, number: int) -> None:
        if not (self.over or self._watch.stop_requested):
            self._watch.stop()
            if self._on_stop is not None:
                self._on_stop(number)
            return
        self._let_the_next_end(number)
        is_over = self.over or self._watch.so_far.is_all
        if number == signal.SIGHUP or is_over or self._task is None or self.cancelled_by:
            return
        self.cancelled_by = number
        self._task.cancel()

    def _let_the_next_end(self, number: int) -> None:
        if number != signal.SIGHUP:
            is_ctrl_c = number == signal.SIGINT
            signal.signal(number, signal.default_int_handler if is_ctrl_c else signal.SIG_DFL)
