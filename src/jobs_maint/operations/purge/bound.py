"""An id that bounds the jobs deferred before a given time."""

from __future__ import annotations

import math
from datetime import datetime

from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.sql import load_queries

__all__ = ["find_bound"]

SMALL_RANGE = 16
"""Ids; smaller ranges are simply halved."""


async def find_bound(
    conn: Conn, cutoff: datetime, *, within: int = 0, now: datetime | None = None
) -> int:
    """The largest id of a job deferred before the cut-off; no job that ended before it has more.

    The result may be too large by up to `within`, which saves a few probes. With the same `now`
    the same table has the same bound, also where ids do not grow with time.

    Ids grow with the time of the defer. Two probes, a little right and a little left of where an
    even load would put the cut-off, leave a small part of the range; a probe that leaves more
    than half is followed by one in the middle. A dozen probes do, whatever the size of the table.
    This is only a bound: each row is still checked.
    """
    queries = load_queries("purge")
    ends = await fetch_one(conn, queries["find_ends"])
    if ends["last_id"] is None:
        return 0
    low, high = ends["first_id"] - 1, ends["last_id"]  # deferred before it; not looked at
    oldest = await fetch_all(conn, queries["probe_job"], {"id": ends["first_id"]})
    low_at, high_at = oldest[0]["at"] if oldest else None, now or ends["now"]
    side, halve = 1, False
    while high - low > within:
        width = high - low
        guessed = None
        if width > SMALL_RANGE and not halve:
            guessed = _interpolate(low_at, cutoff, high_at)
        if guessed is None:
            mid = low + (width + 1) // 2
        else:
            mid = low + min(max(round(width * guessed) + side * math.isqrt(width), 1), width)
            side = -side
        found = await fetch_all(conn, queries["probe_job"], {"id": mid})
        job = found[0] if found and found[0]["id"] <= high else {"id": None, "at": None}
        if job["id"] is not None and (job["at"] is None or job["at"] < cutoff):
            low, low_at = job["id"], job["at"] or low_at
        else:
            high, high_at = mid - 1, job["at"] or high_at
        halve = high - low > width // 2
    return int(high)


def _interpolate(low: datetime | None, at: datetime, high: datetime) -> float | None:
    """The share of the way from low to high; None when `at` does not lie between them."""
    if low is None or not low <= at <= high or low == high:
        return None
    return (at - low) / (high - low)
