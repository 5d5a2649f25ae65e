"""Workers, what they run and for how long; running jobs that no live worker reports."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from jobs_maint.actions import ALL_QUEUES, QueueScope
from jobs_maint.database import Conn, fetch_all
from jobs_maint.models import StuckJob, StuckReport, WorkersReport, WorkerView
from jobs_maint.operations.session import get_time
from jobs_maint.sql import load_queries

__all__ = ["list_stuck_jobs", "list_workers"]

MOST_RUNNING = 5_000
LONG_RUNNING = timedelta(hours=1)


async def list_stuck_jobs(
    conn: Conn,
    *,
    stalled_after: timedelta,
    stalled_after_unknown: timedelta,
    scope: QueueScope = ALL_QUEUES,
) -> StuckReport:
    """Running jobs without a live worker, and those that have run for more than an hour."""
    rows = await fetch_all(conn, load_queries("workers")["list_running"], {"limit": MOST_RUNNING})
    visible = [row for row in rows if scope.covers(row["queue"])]
    stuck, long_running = [], []
    for row in visible:
        after = stalled_after if row["had_recorder"] else stalled_after_unknown
        job = _job(row, after)
        if row["noticed_seconds"] is not None or not (row["named"] or row["heartbeat_fresh"]):
            stuck.append(job)
        elif (row["running_seconds"] or 0) > LONG_RUNNING.total_seconds():
            long_running.append(job)
    as_of = await get_time(conn)
    return StuckReport(as_of, tuple(stuck), tuple(long_running), len(rows) - len(visible))


async def list_workers(conn: Conn, *, scope: QueueScope = ALL_QUEUES) -> WorkersReport:
    """Each worker process with the jobs it runs now, as far as the actor may see them."""
    queries = load_queries("workers")
    running = await fetch_all(conn, queries["list_running"], {"limit": MOST_RUNNING})
    by_worker: dict[int | None, list[StuckJob]] = {}
    for row in running:
        if scope.covers(row["queue"]):
            by_worker.setdefault(row["worker_id"], []).append(_job(row, None))
    workers = [
        WorkerView(
            worker_id=row["worker_id"],
            live=row["live"],
            host=row["host"],
            pid=row["pid"],
            queues=tuple(row["queues"]) if row["queues"] is not None else None,
            recorder=row["recorder"],
            seen_seconds=row["seen_seconds"],
            jobs=tuple(by_worker.get(row["worker_id"], ())),
        )
        for row in await fetch_all(conn, queries["list_workers"])
    ]
    as_of = await get_time(conn)
    return WorkersReport(as_of, tuple(workers))


def _job(row: dict[str, Any], after: timedelta | None) -> StuckJob:
    noticed = row["noticed_seconds"]
    return StuckJob(
        job_id=row["job_id"],
        queue=row["queue"],
        task=row["task"],
        attempts=row["attempts"],
        started_at=row["started_at"],
        running_seconds=row["running_seconds"],
        named=row["named"],
        worker=row["worker"],
        noticed_seconds=noticed,
        due_in_seconds=after.total_seconds() - noticed
        if after is not None and noticed is not None
        else None,
    )
