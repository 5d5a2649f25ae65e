"""The doctor's check on queues that no live worker listens to."""

from __future__ import annotations

from jobs_maint.database import Conn, fetch_all
from jobs_maint.durations import format_age
from jobs_maint.models import Finding
from jobs_maint.operations.doctor.findings import Situation, error, few, note, ok
from jobs_maint.operations.jobs.serving import DEPLOYMENT, list_unserved
from jobs_maint.operations.session import get_time
from jobs_maint.quoting import in_quotes
from jobs_maint.sql import load_queries
from jobs_maint.upstream import OUR_TASKS

__all__: list[str] = []


async def check_listening(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    """That no worker is alive at all is found by another check."""
    now = await get_time(conn)
    waits: dict[str, float] = {}
    for row in await fetch_all(conn, load_queries("watch")["list_ready"], {"ours": OUR_TASKS}):
        seconds = (now - row["since"]).total_seconds()
        waits[row["queue"]] = max(seconds, waits.get(row["queue"], 0.0))
    names = sorted(await list_unserved(conn, waits, after=0.0), key=lambda name: -waits[name])
    if not names:
        return ok("listening", "No queue is known to lack a live worker.")
    long = [name for name in names if waits[name] >= DEPLOYMENT]
    judge, names = (error, long) if long else (note, names)
    return judge(
        "listening",
        f"No live worker listens to {few([in_quotes(name, 200) for name in names])}, where a job "
        f"has waited for {format_age(waits[names[0]])}.",
        "Start a worker that listens to it, or add the queue to one that runs; `jobs-maint "
        "workers` shows which queues each listens to.",
    )
