"""`stuck`, `workers` and `rescue`: one pass, jobs that a person named, and a forced rescue."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from jobs_maint import audit
from jobs_maint.actions import (
    ListStuck,
    ListWorkers,
    PreviewRescue,
    RescueJobs,
    RescueStalled,
    Role,
)
from jobs_maint.call import Call, Handlers, read, record_items
from jobs_maint.database import Conn, transaction
from jobs_maint.errors import JobNotFound, WrongJobStatus
from jobs_maint.events import emit
from jobs_maint.models import (
    ItemResult,
    Preview,
    RescueReport,
    SetGroup,
    StuckReport,
    WorkersReport,
)
from jobs_maint.operations.rescue import named, passes, workers
from jobs_maint.operations.sets.frozen import freeze_words
from jobs_maint.operations.stats.noting import note_hours

__all__ = ["HANDLERS"]

ABSENT = ("not_found", "wrong_status")
"""Jobs with one of these codes are not part of the set."""


async def list_stuck(call: Call[ListStuck]) -> StuckReport:
    return await read(
        call,
        lambda conn: workers.list_stuck_jobs(
            conn,
            stalled_after=call.settings.stalled_after,
            stalled_after_unknown=call.settings.stalled_after_unknown,
            scope=call.scope,
        ),
    )


async def list_workers(call: Call[ListWorkers]) -> WorkersReport:
    return await read(call, lambda conn: workers.list_workers(conn, scope=call.scope))


async def rescue_stalled(call: Call[RescueStalled]) -> RescueReport:
    rules = passes.RescueRules.of(call.settings)
    async with call.pool.connection() as conn:
        async with transaction(conn):
            await passes.notice_stalled_jobs(conn)
        async with transaction(conn):
            report = await passes.rescue_stalled_jobs(conn, rules)
            if report.items:
                await record_items(conn, call, report.items, report.elapsed_seconds)
    if report.items:
        emit("jobs_maint.jobs_rescued", suspects=report.suspects, **report.counts)
    await note_hours(call.pool)
    return report


async def rescue_jobs(call: Call[RescueJobs]) -> RescueReport:
    begun = time.monotonic()
    rules = passes.RescueRules.of(call.settings)
    async with call.pool.connection() as conn:
        async with transaction(conn):
            await passes.notice_stalled_jobs(conn)
        async with transaction(conn):
            items = await named.rescue_jobs(conn, call.action.job_ids, rules, scope=call.scope)
            left = await passes.count_suspects(conn)
            report = RescueReport(items, left, time.monotonic() - begun)
            await record_items(conn, call, items, report.elapsed_seconds)
    emit("jobs_maint.jobs_rescued", suspects=report.suspects, **report.counts)
    return report


async def preview_rescue(call: Call[PreviewRescue]) -> Preview:
    """The runs of these jobs as they are now, frozen for ten minutes.

    With `force`, raises JobNotFound or WrongJobStatus when the job is not running.
    """
    action = call.action
    rules = passes.RescueRules.of(call.settings)
    async with call.pool.connection() as conn:
        async with transaction(conn):
            await passes.notice_stalled_jobs(conn)
        async with transaction(conn):
            rows, refusals = await named.judge_jobs(conn, action.job_ids, rules, call.scope)
            if action.force:
                _require_running(action.job_ids[0], refusals)
            preview = await _freeze(conn, call, rows, refusals)
            counts = {"jobs": preview.count}
            await audit.record(conn, call.actor, action, "previewed", counts=counts)
    return preview


def _require_running(job_id: int, refusals: Mapping[int, ItemResult]) -> None:
    item = refusals.get(job_id)
    if item is not None and item.code in ABSENT:
        kind = JobNotFound if item.code == "not_found" else WrongJobStatus
        raise kind(f"Job {job_id} was not rescued: {item.reason}.")


async def _freeze(
    conn: Conn,
    call: Call[PreviewRescue],
    rows: Mapping[int, Any],
    refusals: Mapping[int, ItemResult],
) -> Preview:
    action = call.action
    left_out = named.group_skips([item for item in refusals.values() if item.code in ABSENT])
    stay = named.group_skips([item for item in refusals.values() if item.code not in ABSENT])
    chosen = [row for row in rows.values() if row["status"] == "doing"]
    groups = Counter((row["queue_name"], row["task_name"]) for row in chosen).most_common()
    key = expires_at = None
    if chosen:
        key, expires_at = await freeze_words(
            conn,
            call.actor,
            "rescue",
            words=action.words(),
            job_ids=[row["id"] for row in chosen],
            params={
                "needs": (action.role or Role.ADMIN).value,
                "force": action.force,
                "claims": {str(row["id"]): named.claim_of(row) for row in chosen},
                "queues": list(dict.fromkeys(queue for (queue, _), _ in groups)),
                "left_out": [asdict(skip) for skip in left_out],
            },
        )
    return Preview(
        verb="rescue",
        words=action.words(),
        key=key,
        count=len(chosen),
        remain=0,
        groups=tuple(SetGroup(*names, count) for names, count in groups),
        skips=left_out if action.force else (*stay, *left_out),
        expires_at=expires_at,
        warnings=named.describe_risk(chosen[0]) if action.force else (),
    )


HANDLERS: Handlers = {
    ListStuck: list_stuck,
    ListWorkers: list_workers,
    RescueStalled: rescue_stalled,
    RescueJobs: rescue_jobs,
    PreviewRescue: preview_rescue,
}
