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
from jobs_maint.interrupts import raise_on_interrupt
from jobs_maint.perform import Watch, perform
from jobs_maint.settings import MaintSettings

__all__ = ["perform_action"]


def perform_action(
    actor: Actor,
    action: Action[Any],
    *,
    watch: Watch | None = None,
    on_stop: Callable[[], None] | None = None,
) -> Any:
    """The result of the action; raises what `perform` raises, and KeyboardInterrupt.

    With a `watch`, Ctrl-C first asks the act to stop after its batch and calls `on_stop`; a second
    one cancels what runs, a third ends at once.
    """
    # The pool logs what is also raised; unhandled it would be a second, worse sentence.
    logging.getLogger().addHandler(logging.NullHandler())
    settings = MaintSettings.load()
    raise_on_interrupt()
    if isinstance(action, ShowSchemaSql):
        return asyncio.run(perform(None, actor, action, settings=settings))

    async def run() -> Any:
        url = settings.require_database_url()
        wait = action.wait if isinstance(action, ApplySchema) else timedelta()
        async with open_pool(url, min_size=1, max_size=4, wait=wait) as pool:
            if watch is not None:  # not before: nothing that could be stopped has begun
                _stop_on_interrupt(watch, on_stop)
            return await perform(pool, actor, action, settings=settings, watch=watch)

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _stop_on_interrupt(watch: Watch, on_stop: Callable[[], None] | None) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def interrupt() -> None:
        if watch.stop_requested:
            loop.remove_signal_handler(signal.SIGINT)
            if task is not None:
                task.cancel()
            return
        watch.stop()
        if on_stop is not None:
            on_stop()

    loop.add_signal_handler(signal.SIGINT, interrupt)
