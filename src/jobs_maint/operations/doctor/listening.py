"""The doctor's check on queues that no live worker listens to."""

from __future__ import annotations

from datetime import timedelta

from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.durations import format_age
from jobs_maint.models import Finding
from jobs_maint.operations.doctor.findings import Situation, error, few, ok
from jobs_maint.operations.session import get_time
from jobs_maint.sql import load_queries
from jobs_maint.upstream import OUR_TASKS

__all__: list[str] = []

DEPLOYMENT = timedelta(minutes=1)
"""While workers are replaced, jobs wait for so long."""


async def check_listening(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    """Where nobody knows to which queues a live worker listens, it may be all."""
    fleet = await fetch_one(conn, load_queries("workers")["get_listeners"])
    if not fleet["live"]:
        return ok("listening", "No worker is alive to listen to a queue.")
    if fleet["to_all"]:
        return ok("listening", "A live worker may listen to any queue.")
    now, listened = await get_time(conn), set(fleet["queues"])
    waits: dict[str, float] = {}
    for row in await fetch_all(conn, load_queries("watch")["list_ready"], {"ours": OUR_TASKS}):
        age = (now - row["since"]).total_seconds()
        if row["queue"] not in listened and age > DEPLOYMENT.total_seconds():
            waits[row["queue"]] = max(age, waits.get(row["queue"], 0.0))
    if not waits:
        return ok("listening", "Each queue with jobs that are ready has a live worker.")
    names = sorted(waits, key=lambda name: -waits[name])
    return error(
        "listening",
        f"No live worker listens to {few([repr(name) for name in names])}, where a job has waited "
        f"for {format_age(waits[names[0]])}.",
        "Start a worker that listens to it, or add the queue to one that runs; `jobs-maint "
        "workers` shows which queues each listens to.",
    )
