"""One job with its timeline and its recorded attempts, as much of them as anybody reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from jobs_maint.actions import ALL_QUEUES, QueueScope
from jobs_maint.database import Conn, fetch_all
from jobs_maint.errors import JobNotFound, NotPermitted
from jobs_maint.models import AlikeFailure, FailedRun, JobDetails, JobEvent, LockHolder
from jobs_maint.operations.jobs.arguments import load_args
from jobs_maint.operations.jobs.awaited import get_awaited_since
from jobs_maint.operations.jobs.lateness import is_late
from jobs_maint.redaction import DEFAULT, Rules, measure, redact_args, redact_text, run_apart
from jobs_maint.sql import load_queries

__all__ = ["get_job"]

MOST_EVENTS = 200
MOST_FAILURES = 50
WHOLE_FAILURES = 5
"""The newest failures, with traceback and all of the message."""
MOST_ARGS = 65_536
"""Bytes; of longer arguments the long values are cut."""


async def get_job(
    conn: Conn,
    job_id: int,
    *,
    reveal: bool = False,
    rules: Rules = DEFAULT,
    scope: QueueScope = ALL_QUEUES,
) -> JobDetails:
    """What is known of a job. Raises JobNotFound, or NotPermitted outside the actor's queues.

    `reveal`: all of it, and as it is. Otherwise the newest steps and attempts, long arguments cut,
    and redacted: the work does not grow with what the job has behind it.
    """
    queries = load_queries("jobs")
    most = None if reveal else MOST_ARGS
    rows = await fetch_all(conn, queries["find_job"], {"job_id": job_id, "most": most})
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
    events = await fetch_all(
        conn,
        queries["list_events"],
        {"job_id": job_id, "most": None if reveal else MOST_EVENTS},
    )
    failures = await fetch_all(
        conn,
        queries["list_failures"],
        {
            "job_id": job_id,
            "most": None if reveal else MOST_FAILURES,
            "whole": 2**31 if reveal else WHOLE_FAILURES,
            "queues": scope.like_patterns,
        },
    )

    def show() -> tuple[Any, tuple[FailedRun, ...], dict[str, str | None]]:
        args = load_args(row["args"])
        names = {name: row[name] for name in ("lock", "queueing_lock")}
        if reveal:
            return args, tuple(_run(failure) for failure in failures), names
        hide = _Hiding(rules)
        return (
            redact_args(args, rules),
            tuple(_run(failure, hide) for failure in failures),
            {name: hide(text) if text is not None else None for name, text in names.items()},
        )

    characters = len(row["args"] or "") + measure(
        text
        for failure in failures
        for text in (failure["message"], failure["traceback"] or failure["alike_traceback"])
    )
    args, runs, names = await run_apart(show, characters)
    job = JobDetails(
        as_of=row["now"],
        job_id=row["id"],
        status=row["status"],
        queue=row["queue_name"],
        task=row["task_name"],
        attempts=row["attempts"],
        priority=row["priority"],
        lock=names["lock"],
        queueing_lock=names["queueing_lock"],
        scheduled_at=row["scheduled_at"],
        abort_requested=row["abort_requested"],
        worker_id=row["worker_id"],
        args=args,
        redacted=not reveal,
        events=_steps(events),
        failures=runs,
        worker=_worker(row) if row["status"] == "doing" and not row["unreported"] else None,
        unreported=row["unreported"],
        last_worker=_worker(row) if row["unreported"] else None,
        silent_seconds=_find_silence(row),
        args_bytes=row["args_bytes"] or 0,
        args_cut=not reveal and (row["args_bytes"] or 0) > MOST_ARGS,
        events_not_shown=events[0]["all_events"] - len(events) if events else 0,
        failures_not_shown=failures[0]["all_failures"] - len(failures) if failures else 0,
    )
    missing = job.status == "failed" and job.last_error is None
    holder = None
    if job.status == "todo" and job.lock is not None:
        holder = await _find_holder(conn, job_id, scope)
    awaited = missing and await _is_awaited(conn, events)
    return replace(job, lock_holder=holder, awaited=awaited)


async def _find_holder(conn: Conn, job_id: int, scope: QueueScope) -> LockHolder | None:
    rows = await fetch_all(conn, load_queries("jobs")["find_lock_holder"], {"job_id": job_id})
    if not rows:
        return None
    row = rows[0]
    is_seen = scope.covers(row["queue_name"])
    is_running = row["status"] == "doing"
    return LockHolder(
        job_id=row["id"] if is_seen else None,
        queue=row["queue_name"] if is_seen else None,
        task=row["task_name"] if is_seen else None,
        status=row["status"],
        started_at=row["started_at"] if is_running else None,
        scheduled_at=row["scheduled_at"],
        worker=_worker(row) if is_seen and is_running else None,
        unreported=row["unreported"],
    )


async def _is_awaited(conn: Conn, events: list[dict[str, Any]]) -> bool:
    since = await get_awaited_since(conn)
    ends = [event["at"] for event in events if event["type"] == "failed"]
    return bool(since and ends and max(ends) >= since)


def _find_silence(row: dict[str, Any]) -> float | None:
    is_missed = row["status"] == "doing" and is_late(row["silent_seconds"], row["beat_seconds"])
    return row["silent_seconds"] if is_missed else None


class _Hiding:
    """Texts without their secrets; the tracebacks of many attempts are often one and the same."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._known: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        if text not in self._known:
            self._known[text] = redact_text(text, self._rules)
        return self._known[text]


def _run(failure: dict[str, Any], hide: _Hiding | None = None) -> FailedRun:
    message, traceback = failure["message"], failure["traceback"]
    theirs = failure["alike_traceback"]
    if hide is not None:
        message = hide(message)
        traceback = hide(traceback) if traceback is not None else None
        theirs = hide(theirs) if theirs is not None else None
    alike = None
    if theirs is not None:
        alike = AlikeFailure(
            failure["alike_job_id"], failure["alike_attempt"], failure["alike_failed_at"], theirs
        )
    return FailedRun(
        attempt=failure["attempt"],
        failed_at=failure["failed_at"],
        kind=failure["kind"],
        exception_type=failure["exception_type"],
        message=message,
        will_retry=failure["will_retry"],
        traceback=traceback,
        traceback_left_out=failure["traceback_left_out"],
        alike=alike,
    )


def _steps(events: list[dict[str, Any]]) -> tuple[JobEvent, ...]:
    steps: list[JobEvent] = []
    before = None
    for event in events:
        seconds = None
        if event["type"] != "scheduled":
            if before is not None:
                seconds = (event["at"] - before).total_seconds()
            before = event["at"]
        steps.append(JobEvent(event["type"], event["at"], seconds))
    return tuple(steps)


def _worker(row: dict[str, Any]) -> str | None:
    if row["host"]:
        return f"{row['host']} pid {row['pid']}"
    return f"worker {row['last_worker_id']}" if row["last_worker_id"] is not None else None
