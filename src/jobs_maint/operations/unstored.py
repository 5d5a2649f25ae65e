"""Failures that live recorders hold and cannot store."""

from __future__ import annotations

from typing import Any

from jobs_maint.actions import ALL_QUEUES, QueueScope
from jobs_maint.database import Conn, fetch_all
from jobs_maint.durations import format_time
from jobs_maint.sql import load_queries

__all__ = ["find_unstored"]

MOST = 3
"""Workers that are named."""


async def find_unstored(conn: Conn, scope: QueueScope = ALL_QUEUES) -> str | None:
    """A sentence for each worker with such failures that listens to a queue in reach."""
    rows = [
        row
        for row in await fetch_all(conn, load_queries("workers")["list_unstored"])
        if row["queues"] is None or scope.globs is None or any(map(scope.covers, row["queues"]))
    ]
    said = [_say(row) for row in rows[:MOST]]
    if len(rows) > MOST:
        more = len(rows) - MOST
        who, they = "1 more worker has", "it"
        if more > 1:
            who, they = f"{more:,} more workers have", "they"
        said.append(f"{who} errors that {they} could not store.")
    return " ".join(said) or None


def _say(row: dict[str, Any]) -> str:
    waiting, dropped = row["waiting"], row["dropped"]
    who = f"of worker {row['worker_id']} ({row['host']}, process {row['pid']})"
    why = str(row["reason"]).rstrip(".") or "its log says why"
    parts = []
    if waiting:
        what = "1 error" if waiting == 1 else f"{waiting:,} errors"
        wait = "waits" if waiting == 1 else "wait"
        parts.append(f"{what} {who} {wait} to be stored since {format_time(row['since'])}")
    if dropped:
        lost = "is lost" if dropped == 1 else "are lost"
        what = "more" if waiting else f"error{'s' * (dropped > 1)} {who}"
        parts.append(f"{dropped:,} {what} {lost}")
    return f"{'; '.join(parts)}: {why}."
