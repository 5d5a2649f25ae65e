"""One job with its timeline and every recorded attempt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jobs_maint.actions import ALL_QUEUES, QueueScope
from jobs_maint.database import Conn, fetch_all
from jobs_maint.errors import JobNotFound, NotPermitted
from jobs_maint.models import FailedRun, JobDetails, JobEvent
from jobs_maint.redaction import redact_args, redact_text
from jobs_maint.sql import load_queries

__all__ = ["get_job"]


async def get_job(
    conn: Conn,
    job_id: int,
    *,
    reveal: bool = False,
    redact: Sequence[str] = (),
    scope: QueueScope = ALL_QUEUES,
) -> JobDetails:
    """All we know about a job. Raises JobNotFound, or NotPermitted outside the actor's queues."""
    queries = load_queries("jobs")
    rows = await fetch_all(conn, queries["find_job"], {"job_id": job_id})
    if not rows:
        raise JobNotFound(
            f"There is no job {job_id}; it may have been purged, or deleted by its worker."
        )
    row = rows[0]
    if not scope.covers(row["queue_name"]):
        raise NotPermitted(
            f"You may not see job {job_id}: it is in a queue that your grant does not reach "
            f"({', '.join(scope.globs or ())})."
        )
    events: list[JobEvent] = []
    before = None
    for event in await fetch_all(conn, queries["list_events"], {"job_id": job_id}):
        seconds = None
        if event["type"] != "scheduled":
            if before is not None:
                seconds = (event["at"] - before).total_seconds()
            before = event["at"]
        events.append(JobEvent(event["type"], event["at"], seconds))
    failures = [
        FailedRun(
            attempt=failure["attempt"],
            failed_at=failure["failed_at"],
            kind=failure["kind"],
            exception_type=failure["exception_type"],
            message=failure["message"] if reveal else redact_text(failure["message"]),
            will_retry=failure["will_retry"],
            traceback=failure["traceback"]
            if reveal or failure["traceback"] is None
            else redact_text(failure["traceback"]),
        )
        for failure in await fetch_all(conn, queries["list_failures"], {"job_id": job_id})
    ]
    return JobDetails(
        as_of=row["now"],
        job_id=row["id"],
        status=row["status"],
        queue=row["queue_name"],
        task=row["task_name"],
        attempts=row["attempts"],
        priority=row["priority"],
        lock=row["lock"],
        queueing_lock=row["queueing_lock"],
        scheduled_at=row["scheduled_at"],
        abort_requested=row["abort_requested"],
        worker_id=row["worker_id"],
        args=row["args"] if reveal else redact_args(row["args"], redact),
        redacted=not reveal,
        events=tuple(events),
        failures=tuple(failures),
        worker=_worker(row) if row["status"] == "doing" else None,
        unreported=row["unreported"],
    )


def _worker(row: dict[str, Any]) -> str | None:
    if row["unreported"]:
        return None
    if row["host"]:
        return f"{row['host']} pid {row['pid']}"
    return f"worker {row['worker_id']}" if row["worker_id"] is not None else None
