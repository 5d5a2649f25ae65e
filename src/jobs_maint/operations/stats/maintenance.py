"""The last runs of our tasks of maintenance, or what is known of them where jobs are deleted."""

from __future__ import annotations

from jobs_maint.database import Conn, fetch_all
from jobs_maint.models import MaintenanceDefer, MaintenanceRun
from jobs_maint.sql import load_queries

__all__ = ["list_maintenance"]


async def list_maintenance(
    conn: Conn, queue: str
) -> tuple[tuple[MaintenanceRun, ...], tuple[MaintenanceDefer, ...]]:
    """A worker with `delete_jobs` leaves only the defer, and the audit of what was done."""
    queries = load_queries("stats")
    rows = await fetch_all(conn, queries["list_maintenance"], {"queue": queue})
    runs = {row["task"]: MaintenanceRun(**row) for row in rows}
    deferred = []
    for row in await fetch_all(conn, queries["list_maintenance_defers"]):
        task, run = row["task"], runs.get(row["task"])
        if run is not None and (not row["job_deleted"] or run.finished_at >= row["due_at"]):
            continue
        if row["finished_at"] is not None:
            runs[task] = MaintenanceRun(task, row["finished_at"], succeeded=True)
            continue
        runs.pop(task, None)
        at = row["deferred_at"] or row["due_at"]
        deferred.append(MaintenanceDefer(task, at, row["job_deleted"]))
    return tuple(runs[task] for task in sorted(runs)), tuple(deferred)
