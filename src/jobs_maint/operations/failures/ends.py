"""How many jobs ended in a window beside those that failed."""

from __future__ import annotations

from datetime import UTC

from jobs_maint.actions import QueueScope
from jobs_maint.database import Conn, fetch_all
from jobs_maint.operations.failures.grouping import Window
from jobs_maint.operations.hours import count_ended
from jobs_maint.sql import load_queries

__all__ = ["count_ends"]


async def count_ends(conn: Conn, wanted: Window) -> dict[str, int]:
    """By type of event. Hours are noted by queue, so tasks are counted one by one."""
    if wanted.tasks is None:
        scopes = [QueueScope(tuple(globs)) for globs in (wanted.queues, wanted.reach) if globs]
        since, until = (at.astimezone(UTC) for at in (wanted.since, wanted.until))
        return await count_ended(conn, since, until, *scopes)
    rows = await fetch_all(conn, load_queries("digest")["count_other_ends"], wanted.filters())
    return {row["type"]: row["jobs"] for row in rows}
