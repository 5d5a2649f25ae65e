"""Failures whose record a live recorder may still store, told apart from those that have none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from jobs_maint.database import Conn, fetch_one
from jobs_maint.models import ErrorGroup, FailedGroup, FailedJob
from jobs_maint.sql import load_queries

__all__ = ["get_awaited_since", "mark_awaited"]

RECORDER_NEEDS = timedelta(seconds=10)
"""A job waits 2 s for its record, in a storm records are stored once a second, and a refused one is
tried again after 5 s. What takes longer is a trouble that the recorder logs. The doctor waits as
long."""

One = TypeVar("One", FailedJob, FailedGroup, ErrorGroup)


async def get_awaited_since(conn: Conn) -> datetime | None:
    """None where no recorder is live: then nobody stores anything."""
    query, needs = load_queries("workers")["get_awaited_since"], RECORDER_NEEDS.total_seconds()
    since: datetime | None = (await fetch_one(conn, query, {"seconds": needs}))["since"]
    return since


async def mark_awaited(conn: Conn, found: Iterable[One]) -> tuple[One, ...]:
    """The same, with `awaited` where all of its failures are so young; most lists need no query."""
    there = tuple(found)
    without = [_begin(one) for one in there if not one.recorded]
    since = await get_awaited_since(conn) if any(without) else None
    if since is None:
        return there
    return tuple(
        replace(one, awaited=not one.recorded and at is not None and at >= since)
        for one, at in zip(there, map(_begin, there), strict=True)
    )


def _begin(one: FailedJob | FailedGroup | ErrorGroup) -> datetime | None:
    return one.failed_at if isinstance(one, FailedJob) else one.first_at
