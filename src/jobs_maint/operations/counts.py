"""How many jobs each queue has: exact where that is cheap, else the large groups as an estimate.

What waits or runs is always counted. Ended jobs are counted from an index alone while the table is
not too large for it and was vacuumed; else those of each queue and status are counted up to ten
thousand, and larger groups are estimated from pages all over the table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from psycopg import errors as pg

from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.sql import load_queries
from jobs_maint.upstream import OUR_TASKS

__all__ = ["count_jobs"]

Rows = list[dict[str, Any]]
Group = tuple[str, str]
"""Queue and status."""

SMALL_TABLE = 500_000
"""Rows; up to here the count is exact whatever the state of the table."""
LARGE_TABLE = 5_000_000
"""Rows; from here on large groups are estimated."""
CHANGED = 0.025
"""Share of the rows changed since the last vacuum: each has to be looked up."""
EXACT_LIMIT = "2s"
"""An exact count that takes longer is given up for an estimate."""
SAMPLE_LIMIT = "5s"
EXACT_GROUP, CHANGED_GROUP = 10_000, 1_000
"""Jobs of one queue and status; more are estimated, and all of them where that takes too long."""
SAMPLES = (300_000, 30_000)
"""Rows; fewer when the first sample takes too long. A group of 1 % is within 5 %."""
PAGES_BY_NUMBER = 140_000
"""The first version of PostgreSQL that finds a page by its number; others would read them all."""
DIGITS = 3
"""Of an estimate: more would look like a count."""


async def count_jobs(conn: Conn, queue: str | None) -> Rows:
    """Rows of queue_name, status, ahead, jobs, first_ready and estimated."""
    queries = load_queries("stats")
    large: set[Group] = set()
    cost = await fetch_one(conn, queries["judge_counts"])
    ended = await _count_ended(conn, queue, cost)
    if ended is None:
        ended, large = await _estimate(conn, queue, cost)
    own = _by_group(await fetch_all(conn, queries["count_own"], {"queue": queue}))
    rows = await fetch_all(conn, queries["count_waiting"], {"queue": queue, "ours": OUR_TASKS})
    for row in rows:
        row["estimated"] = False
    for group, counted in ended.items():
        jobs = counted - own.get(group, 0)
        if jobs > 0:
            rows.append(
                {
                    "queue_name": group[0],
                    "status": group[1],
                    "ahead": False,
                    "jobs": _round(jobs) if group in large else jobs,
                    "first_ready": None,
                    "estimated": group in large,
                }
            )
    return rows


async def _count_ended(
    conn: Conn, queue: str | None, cost: Mapping[str, Any]
) -> dict[Group, int] | None:
    """Our own tasks among them; None where that takes too long."""
    query = load_queries("stats")["count_ended"]
    if not cost["indexed"] or conn.info.server_version < PAGES_BY_NUMBER:
        return _by_group(await fetch_all(conn, query, {"queue": queue}))
    if cost["rows"] <= SMALL_TABLE or (cost["rows"] <= LARGE_TABLE and not _is_changed(cost)):
        rows = await _fetch_within(conn, query, {"queue": queue}, EXACT_LIMIT)
        return None if rows is None else _by_group(rows)
    return None


def _is_changed(cost: Mapping[str, Any]) -> bool:
    return bool(cost["changed"] > CHANGED * cost["rows"])


async def _estimate(
    conn: Conn, queue: str | None, cost: Mapping[str, Any]
) -> tuple[dict[Group, int], set[Group]]:
    """Ended jobs, our own tasks among them, and the groups that are too large to count."""
    query = load_queries("stats")["count_small"]
    most = CHANGED_GROUP if _is_changed(cost) else EXACT_GROUP
    rows = await _fetch_within(conn, query, {"queue": queue, "most": most}, EXACT_LIMIT)
    if rows is None:
        most = 0
        rows = await fetch_all(conn, query, {"queue": queue, "most": most})
    counted = _by_group(rows)
    large = {group for group, jobs in counted.items() if jobs > most}
    sampled = await _sample(conn, queue, cost) if large else {}
    # At least those counted are there, whatever the sample says.
    estimates = {group: max(sampled.get(group, 0), counted[group]) for group in large}
    return counted | estimates, large


async def _sample(conn: Conn, queue: str | None, cost: Mapping[str, Any]) -> dict[Group, int]:
    """Jobs by queue and status, as if each part of the table were like the page read of it.

    Pages chosen by chance in the whole would be less good: the failed jobs of two months, kept
    when all others around them are gone, lie on few pages.
    """
    query = load_queries("stats")["sample_pages"]
    pages = max(cost["pages"], 1)
    for wanted in SAMPLES:
        sampled = min(math.ceil(wanted * pages / max(cost["rows"], 1)), pages)
        params = {"queue": queue, "pages": pages, "sampled": sampled}
        limit = SAMPLE_LIMIT if wanted != SAMPLES[-1] else None
        rows = await _fetch_within(conn, query, params, limit)
        if rows is not None:
            return {group: round(n * pages / sampled) for group, n in _by_group(rows).items()}
    return {}


def _by_group(rows: Rows) -> dict[Group, int]:
    return {(row["queue_name"], row["status"]): row["jobs"] for row in rows}


async def _fetch_within(
    conn: Conn, query: Any, params: dict[str, Any], limit: str | None
) -> Rows | None:
    """The rows, or None when the statement took longer than `limit`."""
    if limit is None:
        return await fetch_all(conn, query, params)
    set_limit = load_queries("stats")["limit_statement"]
    try:
        async with conn.transaction():
            before = await fetch_one(conn, set_limit, {"limit": limit})
            rows = await fetch_all(conn, query, params)
            await fetch_all(conn, set_limit, {"limit": before["value"]})
    except pg.QueryCanceled as exc:
        if "statement timeout" not in str(exc):
            raise
        return None
    return rows


def _round(jobs: float) -> int:
    whole = max(round(jobs), 1)
    return round(whole, DIGITS - 1 - math.floor(math.log10(whole)))
