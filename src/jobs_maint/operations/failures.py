"""Failed jobs with their errors."""

from __future__ import annotations

from datetime import timedelta

from jobs_maint.actions import ALL_QUEUES, QueueScope
from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.models import FailedJob, FailedJobsReport
from jobs_maint.operations.stats import require_queue
from jobs_maint.redaction import redact_text
from jobs_maint.sql import load_queries

__all__ = ["list_failed_jobs"]


async def list_failed_jobs(
    conn: Conn,
    *,
    queue: str | None = None,
    task: str | None = None,
    error: str | None = None,
    since: timedelta | None = None,
    limit: int = 20,
    scope: QueueScope = ALL_QUEUES,
) -> FailedJobsReport:
    """The newest failures first, with the error of the attempt that failed, redacted.

    `task` and `error` match a part of the name or text, case ignored.
    """
    if queue is not None:
        await require_queue(conn, queue, scope)
    rows = await fetch_all(
        conn,
        load_queries("failures")["list_failed_jobs"],
        {
            "queue": queue,
            "queues": scope.like_patterns,
            "task": task,
            "error": error,
            "since_seconds": since.total_seconds() if since else None,
            "limit": limit,
        },
    )
    jobs = tuple(
        FailedJob(
            job_id=row["id"],
            queue=row["queue_name"],
            task=row["task_name"],
            attempts=row["attempts"],
            failed_at=row["failed_at"],
            recorded=row["kind"] is not None,
            kind=row["kind"],
            exception_type=row["exception_type"],
            message=redact_text(row["message"]) if row["message"] is not None else None,
            fingerprint=row["fingerprint"],
        )
        for row in rows
        if row["reached"]
    )
    as_of = (await fetch_one(conn, load_queries("stats")["get_time"]))["now"]
    return FailedJobsReport(
        as_of=as_of,
        jobs=jobs,
        total=rows[0]["total"] if rows else 0,
        limit=limit,
        queue=queue,
        task=task,
        error=error,
        since_seconds=since.total_seconds() if since else None,
        limited_to_queues=scope.globs,
        hidden_jobs=rows[0]["hidden"] if rows else 0,
    )
