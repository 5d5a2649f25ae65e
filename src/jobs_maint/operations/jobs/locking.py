"""The first step of every act on named jobs: lock their rows, refuse those outside the grant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jobs_maint.actions import QueueScope
from jobs_maint.database import Conn, fetch_all
from jobs_maint.errors import NotPermitted
from jobs_maint.sql import load_queries

__all__ = ["lock_jobs"]


async def lock_jobs(
    conn: Conn, job_ids: Sequence[int], scope: QueueScope, verb: str
) -> dict[int, dict[str, Any]]:
    """The existing rows by id, locked in id order until the caller's transaction ends.

    Two acts on overlapping sets wait for each other instead of deadlocking. The rows are current
    under the lock; what other tables say about them takes a second statement. Raises
    NotPermitted, changing nothing, when one of them is outside `scope`; `verb`: what was asked.
    """
    rows = await fetch_all(conn, load_queries("jobs")["lock_jobs"], {"ids": list(job_ids)})
    outside = [row["id"] for row in rows if not scope.covers(row["queue_name"])]
    if outside:
        raise NotPermitted(
            f"You may not {verb} {'job' if len(outside) == 1 else 'jobs'} "
            f"{', '.join(map(str, outside))}: the queue is outside your grant "
            f"({', '.join(scope.globs or ())}); nothing was changed."
        )
    return {row["id"]: row for row in rows}
