"""How many jobs each queue has: exact where that is cheap, else the large groups as an estimate.

What waits or runs is always counted. Ended jobs are counted from an index alone while the table is
not too large for it and was vacuumed; else those of each queue and status are counted up to ten
thousand, and larger groups are estimated from pages of the table chosen by chance.
"""

from __future__ import annotations

import math
from typing import Any

from psycopg import errors as pg

from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.sql import load_queries

__all__ = ["count_jobs"]

Rows = list[dict[str, Any]]

SMALL_TABLE = 500_000
"""Rows; up to here the count is exact whatever the state of the table."""
LARGE_TABLE = 3_000_000
"""Rows, one that was changed since the last vacuum as many as `CHANGED`; from here on estimated."""
CHANGED = 20
EXACT_LIMIT = "2s"
"""An exact count that takes longer is given up for an estimate."""
EXACT_GROUP = 10_000
"""Jobs of one queue and status; more are estimated, and all of them where that takes too long."""
SAMPLES = (8_000, 800)
"""Pages; fewer when the first sample takes too long. A group of 1 % is within 5 %."""
DIGITS = 3
"""Of an estimate: more would look like a count."""


async def count_jobs(conn: Conn, queue: str | None) -> list[dict[str, Any]]:
    """Rows of queue_name, status, ahead, jobs, first_ready and estimated."""
    queries = load_queries("stats")
    cost = await fetch_one(conn, queries["judge_counts"])
    if not cost["indexed"]:
        rows: Rows | None = await fetch_all(conn, queries["count_jobs"], {"queue": queue})
    elif cost["rows"] > SMALL_TABLE and cost["rows"] + CHANGED * cost["changed"] > LARGE_TABLE:
        rows = None
    else:
        rows = await _fetch_within(conn, queries["count_jobs"], {"queue": queue})
    if rows is None:
        return await _estimate(conn, queue, cost["pages"])
    return [{**row, "estimated": False} for row in rows]


async def _estimate(conn: Conn, queue: str | None, pages: int) -> Rows:
    """The large groups by a sample; the others, and what waits or runs, exactly."""
    query, most = load_queries("stats")["count_small"], EXACT_GROUP
    rows = await _fetch_within(conn, query, {"queue": queue, "most": most})
    if rows is None:
        most = 0
        rows = await fetch_all(conn, query, {"queue": queue, "most": most})
    large = {
        (row["queue_name"], row["status"])
        for row in rows
        if row["status"] not in {"todo", "doing"} and row["jobs"] > most
    }
    sampled = await _sample(conn, queue, pages) if large else {}
    counted = []
    for row in rows:
        group = row["queue_name"], row["status"]
        jobs, estimated = row["jobs"] - row["own"], group in large
        if estimated:
            # At least those counted are there, whatever the sample says.
            jobs = _round(max(sampled.get(group, 0.0), row["jobs"]) - row["own"])
        if jobs > 0:
            counted.append({**row, "jobs": jobs, "estimated": estimated})
    return counted


async def _sample(conn: Conn, queue: str | None, pages: int) -> dict[tuple[str, str], float]:
    """Jobs by queue and status, as if all pages were like those looked at."""
    queries = load_queries("stats")
    share, before, rows = 1.0, 0, None
    for wanted in SAMPLES:
        share = min(wanted / max(pages, 1), 1.0)
        before = (await fetch_one(conn, queries["count_pages_read"]))["pages"]
        params = {"queue": queue, "percent": 100 * share}
        if wanted == SAMPLES[-1]:
            rows = await fetch_all(conn, queries["sample_ended"], params)
        else:
            rows = await _fetch_within(conn, queries["sample_ended"], params)
        if rows is not None:
            break
    looked_at = (await fetch_one(conn, queries["count_pages_read"]))["pages"] - before
    # How many pages the sample has is a matter of chance too; 0: the server does not count them.
    factor = pages / looked_at if looked_at > 0 else 1 / share
    return {(row["queue_name"], row["status"]): row["jobs"] * factor for row in rows or ()}


async def _fetch_within(conn: Conn, query: Any, params: dict[str, Any]) -> Rows | None:
    """The rows, or None when the statement took longer than `EXACT_LIMIT`."""
    limit = load_queries("stats")["limit_statement"]
    try:
        async with conn.transaction():
            before = await fetch_one(conn, limit, {"limit": EXACT_LIMIT})
            rows = await fetch_all(conn, query, params)
            await fetch_all(conn, limit, {"limit": before["value"]})
    except pg.QueryCanceled as exc:
        if "statement timeout" not in str(exc):
            raise
        return None
    return rows


def _round(jobs: float) -> int:
    whole = max(round(jobs), 1)
    return round(whole, DIGITS - 1 - math.floor(math.log10(whole)))
