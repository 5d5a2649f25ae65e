"""Failures of a window in groups: task, exception type, normalised message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs_maint.actions import QueueScope
from jobs_maint.database import Conn, fetch_all
from jobs_maint.models import ErrorGroup
from jobs_maint.redaction import redact_text
from jobs_maint.sql import load_queries
from jobs_maint.upstream import OUR_TASKS

__all__ = ["Window", "get_trend", "list_groups"]


@dataclass(frozen=True, slots=True)
class Window:
    """`since` ≤ t < `until`, optionally limited to queues and tasks by globs."""

    since: datetime
    until: datetime
    queues: Sequence[str] | None = None
    tasks: Sequence[str] | None = None

    def filters(self) -> dict[str, Any]:
        return {
            "since": self.since,
            "until": self.until,
            "queues": QueueScope(tuple(self.queues) if self.queues else None).like_patterns,
            "tasks": QueueScope(tuple(self.tasks) if self.tasks else None).like_patterns,
            "ours": OUR_TASKS,
        }


async def list_groups(conn: Conn, window: Window) -> list[ErrorGroup]:
    """All groups of the window and of the one of the same length before it, largest first."""
    rows = await fetch_all(conn, load_queries("digest")["group_failures"], window.filters())
    return [_group(row) for row in rows]


def _group(row: dict[str, Any]) -> ErrorGroup:
    first: datetime | None = row["first_at"]
    return ErrorGroup(
        task=row["task"],
        exception_type=row["exception_type"],
        message=redact_text(row["message"]),
        count=row["count"],
        count_before=row["count_before"],
        trend=get_trend(row["count"], row["count_before"]),
        recorded=row["recorded"],
        first_at=first,
        last_at=row["last_at"],
        sample_job_id=row["sample_job_id"],
        slots=tuple(row["slots"]),
    )


def get_trend(count: int, before: int) -> str:
    """`new`, `rising`, `steady`, `falling` or `gone`; a rise or fall is a factor of 1.5."""
    if not count:
        return "gone"
    if not before:
        return "new"
    if count > before * 1.5 and count - before > 2:
        return "rising"
    if before > count * 1.5 and before - count > 2:
        return "falling"
    return "steady"
