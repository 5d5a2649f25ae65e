"""How many jobs each queue has: exact where that is cheap, else the large groups as an estimate.

What waits or runs is always counted. Ended jobs are counted from an index alone while the table is
not too large for it and was vacuumed; else those of each queue and status are counted up to ten
thousand, and larger groups are estimated from spans of ids all over the table.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from psycopg import errors as pg

from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.sql import load_queries

__all__ = ["count_jobs"]

Rows = list[dict[str, Any]]

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
SAMPLES = (10_000, 1_000)
"""Spans of ids; fewer when the first sample takes too long. A group of 1 % is within 5 %."""
SPAN_ROWS = 30
DIGITS = 3
"""Of an estimate: more would look like a count."""


async def count_jobs(conn: Conn, queue: str | None) -> Rows:
    """Rows of queue_name, status, ahead, jobs, first_ready and estimated."""
    queries = load_queries("stats")
    cost = await fetch_one(conn, queries["judge_counts"])
    changed = cost["changed"] > CHANGED * cost["rows"]
    rows: Rows | None = None
    if not cost["indexed"]:
        rows = await fetch_all(conn, queries["count_jobs"], {"queue": queue})
    elif cost["rows"] <= SMALL_TABLE or (cost["rows"] <= LARGE_TABLE and not changed):
        rows = await _fetch_within(conn, queries["count_jobs"], {"queue": queue})
    if rows is None:
        most = CHANGED_GROUP if changed else EXACT_GROUP
        return await _estimate(conn, queue, cost["rows"], most)
    return [{**row, "estimated": False} for row in rows]


async def _estimate(conn: Conn, queue: str | None, in_all: int, most: int) -> Rows:
    """The groups of more than `most` by a sample; the others, and what waits or runs, exactly."""
    query = load_queries("stats")["count_small"]
    rows = await _fetch_within(conn, query, {"queue": queue, "most": most})
    if rows is None:
        most = 0
        rows = await fetch_all(conn, query, {"queue": queue, "most": most})
    large = {
        (row["queue_name"], row["status"])
        for row in rows
        if row["status"] not in {"todo", "doing"} and row["jobs"] > most
    }
    sampled = await _sample(conn, queue, in_all) if large else {}
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


async def _sample(conn: Conn, queue: str | None, in_all: int) -> dict[tuple[str, str], float]:
    """Jobs by queue and status, as if every part of the table were like its spans.

    Pages chosen by chance would be less good: the failed jobs of two months, kept when all others
    around them are gone, lie on few pages.
    """
    queries = load_queries("stats")
    found = await fetch_one(conn, queries["find_strata"])
    if found["first_id"] is None:
        return {}
    edges = sorted(
        {found["first_id"], found["last_id"] + 1}
        | {i for i in found["bounds"] or () if found["first_id"] < i <= found["last_id"]}
    )
    rows = None
    for wanted in SAMPLES:
        spans = _choose_spans(edges, wanted, in_all)
        params = {
            "queue": queue,
            "starts": spans.starts,
            "ends": spans.ends,
            "weights": spans.weights,
        }
        if wanted == SAMPLES[-1]:
            rows = await fetch_all(conn, queries["sample_ended"], params)
        else:
            rows = await _fetch_within(conn, queries["sample_ended"], params, SAMPLE_LIMIT)
        if rows is not None:
            break
    return {(row["queue_name"], row["status"]): row["jobs"] for row in rows or ()}


@dataclass(frozen=True, slots=True)
class _Spans:
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)


def _choose_spans(edges: Sequence[int], wanted: int, in_all: int) -> _Spans:
    """Spans of about `SPAN_ROWS` jobs, equally many in each part, at equal distances within it."""
    spans = _Spans()
    parts = len(edges) - 1
    for first, end in pairwise(edges):
        width = end - first
        span = max(round(SPAN_ROWS * width * parts / max(in_all, 1)), 1)
        step = max(width * parts / wanted, span)
        number = max(math.floor(width / step), 1)
        step, span = width / number, min(span, width)
        begin = first + random.random() * (step - span)  # noqa: S311  a sample, no secret
        for i in range(number):
            start = math.floor(begin + i * step)
            spans.starts.append(start)
            spans.ends.append(start + span)
            spans.weights.append(step / span)
    return spans


async def _fetch_within(
    conn: Conn, query: Any, params: dict[str, Any], span: str = ""
) -> Rows | None:
    """The rows, or None when the statement took longer than `span`, else `EXACT_LIMIT`."""
    limit = load_queries("stats")["limit_statement"]
    try:
        async with conn.transaction():
            before = await fetch_one(conn, limit, {"limit": span or EXACT_LIMIT})
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
