"""`status`, and retry, cancel and discard of single jobs."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from jobs_maint import audit
from jobs_maint.actions import CancelJobs, DiscardJobs, FollowJobs, GetJob, RetryJobs
from jobs_maint.call import Call, Handlers, read, record_items
from jobs_maint.database import fetch_one, transaction
from jobs_maint.errors import NotPermitted
from jobs_maint.events import emit
from jobs_maint.models import ActReport, Aftermath, ItemResult, JobDetails
from jobs_maint.operations.jobs import cancel, retry, status
from jobs_maint.operations.jobs.serving import find_lost, find_unheard, find_unserved
from jobs_maint.sql import load_queries

__all__ = ["HANDLERS"]


async def get_job(call: Call[GetJob]) -> JobDetails:
    asked = call.action
    # State, timeline and attempts are of one moment, also where the job moves on meanwhile.
    async with call.pool.connection() as conn, transaction(conn, snapshot=True):
        if asked.reveal:
            if call.actor.kind != "shell":
                raise NotPermitted("You may not see unredacted arguments here; use the shell.")
            await audit.record(conn, call.actor, asked, "done")
        return await status.get_job(
            conn,
            asked.job_id,
            reveal=asked.reveal,
            rules=call.rules,
            scope=call.scope,
        )


async def retry_jobs(call: Call[RetryJobs]) -> ActReport:
    asked = call.action
    async with call.pool.connection() as conn, transaction(conn):
        report = await retry.retry_jobs(
            conn,
            asked.job_ids,
            reset_attempts=asked.reset_attempts,
            statuses=asked.statuses or retry.RETRIABLE,
            scope=call.scope,
        )
        audit_id = await record_items(conn, call, report.items, report.elapsed_seconds)
        queues = list(dict.fromkeys(item.queue or "" for item in report.done))
        unserved = await find_unserved(conn, queues, len(queues) and len(report.done))
        lost = await find_lost(conn, [item.job_id for item in report.done])
        report = replace(report, warnings=(*unserved, *lost), audit_id=audit_id)
    emit("jobs_maint.jobs_retried", **_describe(call, report))
    return report


async def cancel_jobs(call: Call[CancelJobs]) -> ActReport:
    return await _change(call, cancel.cancel_jobs)


async def discard_jobs(call: Call[DiscardJobs]) -> ActReport:
    return await _change(call, cancel.discard_jobs)


async def _change(
    call: Call[CancelJobs] | Call[DiscardJobs],
    operation: Callable[..., Awaitable[tuple[ItemResult, ...]]],
) -> ActReport:
    begun = time.monotonic()
    async with call.pool.connection() as conn, transaction(conn):
        items = await operation(conn, call.action.job_ids, scope=call.scope)
        report = ActReport(items, time.monotonic() - begun, call.action.word)
        audit_id = await record_items(conn, call, items, report.elapsed_seconds)
        asked = [item.job_id for item in items if item.code in cancel.ASKED_TO_ABORT]
        warnings = await find_unheard(conn, asked)
        report = replace(report, warnings=warnings, audit_id=audit_id)
    emit("jobs_maint.jobs_changed", verb=call.action.word, **_describe(call, report))
    return report


async def follow_jobs(call: Call[FollowJobs]) -> Aftermath:
    asked = call.action
    params = {"ids": list(asked.job_ids), "request": asked.request}
    query = load_queries("jobs")["follow_jobs"]
    row = await read(call, lambda conn: fetch_one(conn, query, params))
    return Aftermath(**{**row, "failed_ids": tuple(row["failed_ids"])})


def _describe(call: Call[Any], report: ActReport) -> dict[str, Any]:
    actor = f"{call.actor.kind}:{call.actor.id}"
    return {"actor": actor, "done": len(report.done), "skipped": len(report.skipped)}


HANDLERS: Handlers = {
    GetJob: get_job,
    RetryJobs: retry_jobs,
    CancelJobs: cancel_jobs,
    DiscardJobs: discard_jobs,
    FollowJobs: follow_jobs,
}
