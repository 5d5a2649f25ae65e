"""Reading, and the acts on single jobs."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

from jobs_maint import audit
from jobs_maint.actions import (
    CancelJobs,
    DiscardJobs,
    GetJob,
    ListErrors,
    ListFailed,
    RetryJobs,
    ShowAudit,
    ShowStats,
)
from jobs_maint.database import transaction
from jobs_maint.errors import NotPermitted
from jobs_maint.events import emit
from jobs_maint.models import RetryReport, StatsReport
from jobs_maint.operations import cancel, errors, failures, history, jobs, retry, stats, workers
from jobs_maint.perform.call import Call, read, record_items


async def show_stats(request: Call) -> StatsReport:
    action: ShowStats = request.action
    async with request.pool.connection() as conn, transaction(conn, snapshot=True):
        report = await stats.get_stats(
            conn,
            queue=action.queue,
            maintenance_queue=request.settings.queue,
            scope=request.scope,
        )
        if not action.errors:
            return report
        day = timedelta(days=1)
        found = await errors.list_errors(
            conn, queue=action.queue, since=day, limit=10, scope=request.scope
        )
    return replace(report, errors=found)


async def list_failed(request: Call) -> Any:
    action: ListFailed = request.action
    return await read(
        request,
        lambda conn: failures.list_failed_jobs(
            conn,
            queue=action.queue,
            task=action.task,
            error=action.error,
            since=action.since,
            limit=action.limit,
            scope=request.scope,
        ),
    )


async def get_job(request: Call) -> Any:
    action: GetJob = request.action
    async with request.pool.connection() as conn, transaction(conn):
        if action.reveal:
            if request.actor.kind != "shell":
                raise NotPermitted("You may not see unredacted arguments here: only in the shell.")
            await audit.record(conn, request.actor, action, "done")
        return await jobs.get_job(
            conn,
            action.job_id,
            reveal=action.reveal,
            redact=request.settings.redact,
            scope=request.scope,
        )


async def retry_jobs(request: Call) -> RetryReport:
    action: RetryJobs = request.action
    async with request.pool.connection() as conn, transaction(conn):
        report = await retry.retry_jobs(
            conn, action.job_ids, reset_attempts=action.reset_attempts, scope=request.scope
        )
        await record_items(conn, request, report.items, report.elapsed_seconds)
    emit(
        "jobs_maint.jobs_retried", actor=f"{request.actor.kind}:{request.actor.id}",
        done=len(report.done), skipped=len(report.skipped),
    )  # fmt: skip
    return report


async def cancel_jobs(request: Call) -> RetryReport:
    action: CancelJobs = request.action
    return await _change(request, cancel.cancel_jobs, action.job_ids)


async def discard_jobs(request: Call) -> RetryReport:
    action: DiscardJobs = request.action
    return await _change(request, cancel.discard_jobs, action.job_ids)


async def _change(request: Call, operation: Any, job_ids: tuple[int, ...]) -> RetryReport:
    begun = time.monotonic()
    async with request.pool.connection() as conn, transaction(conn):
        items = await operation(conn, job_ids, scope=request.scope)
        report = RetryReport(items, time.monotonic() - begun, request.action.word)
        await record_items(conn, request, items, report.elapsed_seconds)
    emit(
        "jobs_maint.jobs_changed",
        verb=request.action.word,
        actor=f"{request.actor.kind}:{request.actor.id}",
        done=len(report.done),
        skipped=len(report.skipped),
    )
    return report


async def list_errors(request: Call) -> Any:
    action: ListErrors = request.action
    return await read(
        request,
        lambda conn: errors.list_errors(
            conn,
            queue=action.queue,
            since=action.since,
            limit=action.limit,
            scope=request.scope,
        ),
    )


async def list_stuck(request: Call) -> Any:
    return await read(
        request,
        lambda conn: workers.list_stuck_jobs(
            conn,
            stalled_after=request.settings.stalled_after,
            stalled_after_unknown=request.settings.stalled_after_unknown,
            scope=request.scope,
        ),
    )


async def list_workers(request: Call) -> Any:
    return await read(request, lambda conn: workers.list_workers(conn, scope=request.scope))


async def show_audit(request: Call) -> Any:
    action: ShowAudit = request.action
    return await read(
        request,
        lambda conn: history.list_audit(
            conn, actor=action.actor, since=action.since, limit=action.limit
        ),
    )
