"""`audit`; stopping a long act; finding those whose process died."""

from __future__ import annotations

import time
from dataclasses import replace

from jobs_maint import audit
from jobs_maint.actions import CloseRun, ShowAudit, StopRun, TakeLostRuns
from jobs_maint.call import Call, Handlers, read, write
from jobs_maint.database import transaction
from jobs_maint.errors import SelectionExpired
from jobs_maint.models import AuditReport, LostRun
from jobs_maint.operations.audit import runs
from jobs_maint.operations.audit.entries import list_audit

__all__ = ["HANDLERS"]


async def show_audit(call: Call[ShowAudit]) -> AuditReport:
    asked = call.action
    report = await read(
        call,
        lambda conn: list_audit(
            conn, actor=asked.actor, since=asked.since, limit=asked.limit, rules=call.rules
        ),
    )
    return replace(report, environment=call.settings.environment)


async def stop_run(call: Call[StopRun]) -> str:
    """The words of the act that will stop; raises SelectionExpired when it has ended.

    Whoever does not reach every queue is told the words of their own acts only: those of others
    may name what is out of their reach.
    """
    begun = time.monotonic()
    async with call.pool.connection() as conn, transaction(conn):
        run = await runs.ask_to_stop(conn, call.action.audit_id)
        if run is None:
            raise SelectionExpired(
                "This had ended before Stop was pressed. The message that has the button says how, "
                "or will within a minute.",
                why="ended",
            )
        elapsed = time.monotonic() - begun
        await audit.record(conn, call.actor, call.action, "done", elapsed_seconds=elapsed)
    own = (run.actor_kind, run.actor_id) == (call.actor.kind, call.actor.id)
    return run.words if own or call.scope.globs is None else f"request {call.action.audit_id}"


async def take_lost_runs(call: Call[TakeLostRuns]) -> tuple[LostRun, ...]:
    await audit.interrupt_lost_runs(call.pool, unheld=False)  # many bots ask, and often
    return await write(call, runs.take_lost_runs)


async def close_run(call: Call[CloseRun]) -> None:
    asked = call.action
    if asked.end is not None:
        await audit.close(call.pool, asked.audit_id, asked.end)
    if asked.told:
        await write(call, lambda conn: runs.forget_run(conn, asked.audit_id))


HANDLERS: Handlers = {
    ShowAudit: show_audit,
    StopRun: stop_run,
    TakeLostRuns: take_lost_runs,
    CloseRun: close_run,
}
