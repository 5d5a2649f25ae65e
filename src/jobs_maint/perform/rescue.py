"""Rescue of jobs that a person named: one at once, several and a force after a preview."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from jobs_maint import audit
from jobs_maint.actions import PreviewRescue, QueueScope, RescueJobs, Role
from jobs_maint.database import Conn, fetch_one, transaction
from jobs_maint.errors import JobNotFound, WrongJobStatus
from jobs_maint.events import emit
from jobs_maint.models import ItemResult, Preview, RescueReport, SetGroup
from jobs_maint.operations import bulk, rescue, selections, stalled
from jobs_maint.perform.call import Call, record_items
from jobs_maint.perform.maintenance import build_rules
from jobs_maint.sql import load_queries

__all__ = ["build_act", "preview_rescue", "rescue_jobs"]

ABSENT = ("not_found", "wrong_status")
"""Jobs with such a code are no part of the set."""


async def rescue_jobs(request: Call) -> RescueReport:
    action: RescueJobs = request.action
    begun = time.monotonic()
    rules = build_rules(request.settings)
    async with request.pool.connection() as conn:
        async with transaction(conn):
            await stalled.notice_stalled_jobs(conn)
        async with transaction(conn):
            items = await rescue.rescue_jobs(conn, action.job_ids, rules, scope=request.scope)
            left = await fetch_one(conn, load_queries("stalled")["count_suspects"])
            report = RescueReport(items, int(left["suspects"]), time.monotonic() - begun)
            await record_items(conn, request, items, report.elapsed_seconds)
    emit("jobs_maint.jobs_rescued", suspects=report.suspects, **report.counts)
    return report


async def preview_rescue(request: Call) -> Preview:
    """The runs of these jobs as they are now, frozen for ten minutes.

    A force is of one job: raises JobNotFound or WrongJobStatus when it does not run.
    """
    action: PreviewRescue = request.action
    rules = build_rules(request.settings)
    async with request.pool.connection() as conn:
        async with transaction(conn):
            await stalled.notice_stalled_jobs(conn)
        async with transaction(conn):
            rows, refusals = await rescue.judge_jobs(conn, action.job_ids, rules, request.scope)
            if action.force:
                _require_running(action.job_ids[0], refusals)
            preview = await _freeze(conn, request, rows, refusals)
            counts = {"jobs": preview.count}
            await audit.record(conn, request.actor, action, "previewed", counts=counts)
    return preview


def _require_running(job_id: int, refusals: Mapping[int, ItemResult]) -> None:
    item = refusals.get(job_id)
    if item is not None and item.code in ABSENT:
        kind = JobNotFound if item.code == "not_found" else WrongJobStatus
        raise kind(f"Job {job_id} was not rescued: {item.reason}.")


async def _freeze(
    conn: Conn, request: Call, rows: Mapping[int, Any], refusals: Mapping[int, ItemResult]
) -> Preview:
    action: PreviewRescue = request.action
    left_out = rescue.group_skips([item for item in refusals.values() if item.code in ABSENT])
    stay = rescue.group_skips([item for item in refusals.values() if item.code not in ABSENT])
    chosen = [row for row in rows.values() if row["status"] == "doing"]
    groups = Counter((row["queue_name"], row["task_name"]) for row in chosen).most_common()
    key = expires_at = None
    if chosen:
        key, expires_at = await selections.freeze_words(
            conn,
            request.actor,
            "rescue",
            words=action.words(),
            job_ids=[row["id"] for row in chosen],
            params={
                "needs": (action.role or Role.ADMIN).value,
                "force": action.force,
                "claims": {str(row["id"]): rescue.claim_of(row) for row in chosen},
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
        warnings=rescue.describe_risk(chosen[0]) if action.force else (),
    )


async def build_act(request: Call, taken: Mapping[str, Any], scope: QueueScope) -> bulk.Act:
    """How a confirmed rescue does its jobs: those runs that were shown and no others.

    A worker may have died since the preview, so suspects are noticed once more before it.
    """
    rules = build_rules(request.settings)
    actor, params = request.actor, taken["params"]
    claims = {int(job_id): (run[0], run[1]) for job_id, run in params["claims"].items()}
    forced_by = f"{actor.kind}:{actor.name or actor.id}" if params["force"] else None
    async with request.pool.connection() as conn, transaction(conn):
        await stalled.notice_stalled_jobs(conn)

    async def act(conn: Conn, job_ids: Sequence[int]) -> tuple[ItemResult, ...]:
        return await rescue.rescue_jobs(
            conn, job_ids, rules, scope=scope, claims=claims, forced_by=forced_by
        )

    return act
