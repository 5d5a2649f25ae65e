"""One action against the jobs database; a long one can be stopped between two batches."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from datetime import timedelta
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
    does nothing: a terminal that closes sends it more than once.
    """
    # The pool logs what is also raised; unhandled it would be a second, worse sentence.
    logging.getLogger().addHandler(logging.NullHandler())
    settings = MaintSettings.load()
    raise_on_interrupt()
    if isinstance(action, ShowSchemaSql):
        return asyncio.run(perform(None, actor, action, settings=settings))

    cancelled_by: list[int] = []

    async def run() -> Any:
        url = settings.require_database_url()
        wait = action.wait if isinstance(action, ApplySchema) else timedelta()
        async with open_pool(url, min_size=1, max_size=4, wait=wait) as pool:
            if watch is not None:  # not before: nothing that could be stopped has begun
                _stop_on_signals(watch, on_stop, cancelled_by)
            return await perform(pool, actor, action, settings=settings, watch=watch)

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        raise Interrupted("", find_signal_code(*cancelled_by or (signal.SIGINT,))) from None


def _stop_on_signals(
    watch: Watch, on_stop: Callable[[int], None] | None, cancelled_by: list[int]
) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def interrupt(number: int) -> None:
        if not watch.stop_requested:
            watch.stop()
            if on_stop is not None:
                on_stop(number)
        elif number != signal.SIGHUP:
            loop.remove_signal_handler(number)
            if task is not None and not cancelled_by:
                cancelled_by.append(number)
                task.cancel()

    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as by nohup
            loop.add_signal_handler(number, interrupt, number)
