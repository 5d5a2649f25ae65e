"""Stop a run; tell which runs died with their process."""

from __future__ import annotations

import time

from jobs_maint import audit
from jobs_maint.actions import CloseRun, DropSelection, StopRun
from jobs_maint.database import transaction
from jobs_maint.errors import SelectionExpired
from jobs_maint.models import LostRun
from jobs_maint.operations import selections
from jobs_maint.perform.call import Call, write

__all__ = ["close_run", "drop_selection", "stop_run", "take_lost_runs"]


async def stop_run(request: Call) -> str:
    """The words of the act that will stop; raises SelectionExpired when it has ended."""
    action: StopRun = request.action
    begun = time.monotonic()
    async with request.pool.connection() as conn, transaction(conn):
        words = await audit.ask_to_stop(conn, action.audit_id)
        if words is None:
            raise SelectionExpired("This has ended already; there is nothing to stop.", why="ended")
        elapsed = time.monotonic() - begun
        await audit.record(conn, request.actor, action, "done", elapsed_seconds=elapsed)
    return words


async def drop_selection(request: Call) -> str:
    """The words of the preview; raises SelectionExpired as a confirmation would."""
    action: DropSelection = request.action
    async with request.pool.connection() as conn, transaction(conn):
        taken = await selections.use_selection(conn, request.actor, action.key)
    return str(taken["words"])


async def take_lost_runs(request: Call) -> tuple[LostRun, ...]:
    await audit.interrupt_lost_runs(request.pool)
    runs: tuple[LostRun, ...] = await write(request, audit.take_lost_runs)
    return runs


async def close_run(request: Call) -> None:
    action: CloseRun = request.action
    await write(request, lambda conn: audit.forget_run(conn, action.audit_id))
