"""The first step of every act on named jobs: lock their rows, refuse those outside the grant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jobs_maint.actions import QueueScope
from jobs_maint.database import Conn, fetch_all
from jobs_maint.errors import NotPermitted
from jobs_maint.sql import load_queries

__all__ = ["lock_jobs", "outside_grant"]


async def lock_jobs(
    conn: Conn, job_ids: Sequence[int], scope: QueueScope, verb: str
) -> dict[int, dict[str, Any]]:
    """The existing rows by id, locked in id order until the caller's transaction ends.

    Two acts on overlapping sets wait for each other instead of deadlocking. The rows are current
    under the lock; what other tables say about them takes a second statement. Those that
    row-level security lets nobody lock are among them: no change of ours will touch these. Raises
    NotPermitted, changing nothing, when one of them is outside `scope`; `verb`: what was asked.
    """
    queries = load_queries("jobs")
    rows = await fetch_all(conn, queries["lock_jobs"], {"ids": list(job_ids)})
    if rest := {*job_ids} - {row["id"] for row in rows}:
        rows += await fetch_all(conn, queries["list_kept"], {"ids": sorted(rest)})
    outside = [row["id"] for row in rows if not scope.covers(row["queue_name"])]
    if outside:
        raise outside_grant(outside, scope, verb)
    return {row["id"]: row for row in rows}


MOST_NAMED = 20


def outside_grant(job_ids: Sequence[int], scope: QueueScope, verb: str) -> NotPermitted:
    several = len(job_ids) > 1
    more = f" and {len(job_ids) - MOST_NAMED:,} more" if len(job_ids) > MOST_NAMED else ""
    return NotPermitted(
        f"You may not {verb} {'jobs' if several else 'job'} "
        f"{', '.join(map(str, job_ids[:MOST_NAMED]))}{more}: "
        f"{'their queues are' if several else 'the queue is'} outside your grant "
        f"({', '.join(scope.globs or ())}); nothing was changed."
    )
