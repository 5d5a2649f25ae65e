"""Workers, what they run and for how long; running jobs that no live worker reports."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from jobs_maint.actions import ALL_QUEUES, QueueScope
from jobs_maint.database import Conn, fetch_all
from jobs_maint.models import StuckJob, StuckReport, WorkersReport, WorkerView
from jobs_maint.operations.rescue.passes import RescueRules
from jobs_maint.operations.session import get_time
from jobs_maint.sql import load_queries

__all__ = ["list_stuck_jobs", "list_workers"]

MOST_RUNNING = 5_000
LONG_RUNNING = timedelta(hours=1)


async def list_stuck_jobs(
    conn: Conn, rules: RescueRules, scope: QueueScope = ALL_QUEUES
) -> StuckReport:
    """Running jobs that nobody runs, by the rescue's own rule, and those running long."""
    rows = await _list_running(conn, rules)
    visible = [row for row in rows if scope.covers(row["queue"])]
    stuck, long_running = [], []
    for row in visible:
        if row["unreported"]:
            stuck.append(_job(row))
        elif (row["running_seconds"] or 0) > LONG_RUNNING.total_seconds():
            long_running.append(_job(row))
    as_of = await get_time(conn)
    return StuckReport(as_of, tuple(stuck), tuple(long_running), len(rows) - len(visible))


async def _list_running(conn: Conn, rules: RescueRules) -> list[dict[str, Any]]:
    params = {"limit": MOST_RUNNING, **rules.spans}
    return await fetch_all(conn, load_queries("workers")["list_running"], params)


async def list_workers(
    conn: Conn, rules: RescueRules, scope: QueueScope = ALL_QUEUES
) -> WorkersReport:
    """Each worker process with the jobs it runs now, as far as the actor may see them."""
    running = await _list_running(conn, rules)
    by_worker: dict[int | None, list[StuckJob]] = {}
    for row in running:
        if scope.covers(row["queue"]):
            by_worker.setdefault(row["worker_id"], []).append(_job(row))
    workers = [
        WorkerView(
            worker_id=row["worker_id"],
            live=row["live"],
            host=row["host"],
            pid=row["pid"],
            queues=tuple(row["queues"]) if row["queues"] is not None else None,
            recorder=row["recorder"],
            seen_seconds=row["seen_seconds"],
            ran=row["ran"],
            jobs=tuple(by_worker.get(row["worker_id"], ())),
        )
        for row in await fetch_all(conn, load_queries("workers")["list_workers"])
    ]
    as_of = await get_time(conn)
    return WorkersReport(as_of, tuple(workers))


def _job(row: dict[str, Any]) -> StuckJob:
    return StuckJob(
        job_id=row["job_id"],
        queue=row["queue"],
        task=row["task"],
        attempts=row["attempts"],
        started_at=row["started_at"],
        running_seconds=row["running_seconds"],
        named=row["named"],
        worker=row["worker"],
        noticed_seconds=row["noticed_seconds"],
        due_in_seconds=row["due_in_seconds"],
    )
