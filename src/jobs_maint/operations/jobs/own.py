"""Jobs of our own tasks, which the counts leave out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jobs_maint.actions import plain_name
from jobs_maint.database import Conn, fetch_all
from jobs_maint.models import OwnJobs
from jobs_maint.sql import load_queries

__all__ = ["Group", "count_own", "find_own_jobs", "name_one_queue", "sum_own"]

Group = tuple[str, str]
"""Queue, and `ready`, `scheduled`, `doing` or a final status."""


async def count_own(conn: Conn, queue: str | None) -> dict[Group, int]:
    """`queue` limits it to one."""
    rows = await fetch_all(conn, load_queries("stats")["count_own"], {"queue": queue})
    return {(row["queue_name"], row["status"]): row["jobs"] for row in rows}


def name_one_queue(queue: str | None, globs: Sequence[str] | None) -> str | None:
    """The one queue that was asked for, also as the only glob."""
    return plain_name(globs[0]) if queue is None and globs and len(globs) == 1 else queue


async def find_own_jobs(conn: Conn, queue: str | None) -> OwnJobs | None:
    """Those in a queue that was asked for by its name."""
    return sum_own(await count_own(conn, queue), queue) if queue is not None else None


def sum_own(counts: Mapping[Group, int], queue: str | None) -> OwnJobs | None:
    jobs = sum(counts.values())
    failed = sum(number for (_, status), number in counts.items() if status == "failed")
    return OwnJobs(queue, jobs, failed) if jobs else None
