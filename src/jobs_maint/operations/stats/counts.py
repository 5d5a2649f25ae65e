"""How many jobs each queue has: exact where that is cheap, else the large groups as an estimate.

Jobs are counted from indexes alone while the table is small enough and vacuumed. Otherwise each
group is counted up to a limit, and larger ones are estimated from pages all over the table.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from psycopg import errors as pg

from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.operations.jobs.own import Group, count_own
from jobs_maint.sql import load_queries
from jobs_maint.upstream import OUR_TASKS

__all__ = ["Counts", "count_jobs"]

Rows = list[dict[str, Any]]

SMALL_TABLE = 500_000
"""Rows; up to here the count is exact whatever the state of the table."""
LARGE_TABLE = 15_000_000
"""Rows; above this large groups are estimated, which takes equally long for any table size."""
CHANGED = 0.025
"""Share of rows changed since the last vacuum: each of them must be looked up."""
EXACT_LIMIT = "2s"
"""An exact count that takes longer is abandoned for an estimate."""
SAMPLE_LIMIT = "5s"
SAMPLES = (300_000, 30_000)
"""Rows; fewer when the first sample takes too long. A group of 1 % is within 5 %."""
PAGES_BY_NUMBER = 140_000
"""The first version of PostgreSQL that finds a page by its number; older ones read them all."""
WAITING = ("ready", "scheduled", "doing")
DIGITS = 3
"""Significant digits of an estimate: more would look like an exact count."""


FIRST = 1_000
"""So many ready jobs of a queue are looked at for the oldest, and one behind them."""
NONE = -1


@dataclass(frozen=True, slots=True)
class Limits:
    """Jobs of one queue and kind that are counted; more are estimated. None: all are counted.

    NONE: none is counted.
    """

    ended: int | None = None
    ready: int | None = None
    ahead: int | None = None

    def of(self, kind: str) -> float:
        limits = {"ready": self.ready, "scheduled": self.ahead, "doing": None}
        limit = limits.get(kind, self.ended)
        return math.inf if limit is None else limit


UNLIMITED = Limits()
FROM_INDEX = Limits(ended=10_000, ready=100_000, ahead=100_000)
LOOKED_UP = Limits(ended=1_000, ready=10_000, ahead=1_000)
"""When many rows changed since the last vacuum; the number of ready jobs matters most."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Jobs by group, without our own tasks, and which of these numbers are estimates.

    `own`: those of our own tasks. `first_ready`: ids of ready jobs, the oldest of each queue among
    them.
    """

    jobs: Mapping[Group, int]
    own: Mapping[Group, int]
    estimated: frozenset[Group]
    first_ready: Sequence[int]


@dataclass(frozen=True, slots=True)
class _Waiting:
    jobs: dict[Group, int]
    first_ready: list[int]


_Found = tuple[_Waiting, dict[Group, int], set[Group]]
"""What waits, what ended, our own tasks among them, and which of these numbers are estimates."""


class _TookTooLong(Exception):
    """A statement reached its time limit."""


async def count_jobs(conn: Conn, queue: str | None, *, only_ready: bool = False) -> Counts:
    """Jobs per queue now; `queue` limits it to one.

    `only_ready`: those that are ready or run, without the many that ended or are scheduled ahead.
    """
    queries = load_queries("stats")
    cost = await fetch_one(conn, queries["judge_counts"])
    waiting, ended, large = await _count(conn, queue, cost, only_ready=only_ready)
    own = await count_own(conn, queue)
    jobs = {group: counted - own.get(group, 0) for group, counted in (waiting.jobs | ended).items()}
    return Counts(
        jobs={
            group: _round(left) if group in large else left
            for group, left in jobs.items()
            if left > 0
        },
        own=own,
        estimated=frozenset(group for group in large if jobs[group] > 0),
        first_ready=waiting.first_ready,
    )


async def _count(
    conn: Conn, queue: str | None, cost: Mapping[str, Any], *, only_ready: bool
) -> _Found:
    limits = LOOKED_UP if _is_changed(cost) else FROM_INDEX
    is_old = conn.info.server_version < PAGES_BY_NUMBER
    if is_old or not (cost["indexed"] or only_ready):
        return await _count_all(conn, queue, cost, None, only_ready=only_ready)
    if cost["rows"] <= SMALL_TABLE or (cost["rows"] <= LARGE_TABLE and not _is_changed(cost)):
        try:
            return await _count_all(conn, queue, cost, EXACT_LIMIT, only_ready=only_ready)
        except _TookTooLong:
            limits = LOOKED_UP
    if only_ready:
        limits = replace(limits, ended=NONE, ahead=NONE)
    return await _estimate(conn, queue, cost, limits)


def _is_changed(cost: Mapping[str, Any]) -> bool:
    return bool(cost["changed"] > CHANGED * cost["rows"])


async def _count_all(
    conn: Conn, queue: str | None, cost: Mapping[str, Any], limit: str | None, *, only_ready: bool
) -> _Found:
    if only_ready:
        ready = replace(UNLIMITED, ended=NONE, ahead=NONE)
        return await _count_waiting(conn, queue, cost, ready, limit), {}, set()
    query = load_queries("stats")["count_ended"]
    ended = await _fetch_within(conn, query, {"queue": queue}, limit)
    waiting = await _count_waiting(conn, queue, cost, UNLIMITED, limit)
    return waiting, _by_group(ended), set()


async def _estimate(
    conn: Conn, queue: str | None, cost: Mapping[str, Any], limits: Limits
) -> _Found:
    if not cost["waiting_indexed"]:
        limits = Limits(limits.ended, ahead=NONE if limits.ahead == NONE else None)
    waiting = await _count_waiting(conn, queue, cost, limits, None)
    ended: dict[Group, int] = {}
    if limits.ended != NONE:
        query = load_queries("stats")["count_small"]
        try:
            params = {"queue": queue, "most": limits.ended}
            ended = _by_group(await _fetch_within(conn, query, params, EXACT_LIMIT))
        except _TookTooLong:
            limits = replace(limits, ended=0)
            ended = _by_group(await fetch_all(conn, query, {"queue": queue, "most": 0}))
    counted = waiting.jobs | ended
    large = {group for group, jobs in counted.items() if jobs > limits.of(group[1])}
    sampled = await _sample(conn, queue, cost) if large else {}
    # There are at least as many as were counted, whatever the sample says.
    estimates = {group: max(sampled.get(group, 0), counted[group]) for group in large}
    return waiting, ended | estimates, large


async def _count_waiting(
    conn: Conn, queue: str | None, cost: Mapping[str, Any], limits: Limits, limit: str | None
) -> _Waiting:
    """Jobs ready, scheduled or running; without our index all of them, however long it takes."""
    queries = load_queries("stats")
    if cost["waiting_indexed"]:
        names = [queue]
        if queue is None:
            names = [row["queue_name"] for row in await fetch_all(conn, queries["list_queues"])]
        params = {"queues": names, "ready": limits.ready, "ahead": limits.ahead}
        rows = await _fetch_within(conn, queries["count_waiting"], params, limit)
        long = [row["queue_name"] for row in rows if row["ready"] > FIRST]
        more = {"queues": long, "ours": OUR_TASKS}
        behind = await fetch_all(conn, queries["find_untouched"], more) if long else []
    else:
        rows, behind = await fetch_all(conn, queries["read_waiting"], {"queue": queue}), []
    kinds = [kind for kind in WAITING if limits.of(kind) != NONE]
    return _Waiting(
        {(row["queue_name"], kind): row[kind] for row in rows for kind in kinds},
        [
            *(job_id for row in rows for job_id in row["first_ready"]),
            *(row["job_id"] for row in behind),
        ],
    )


async def _sample(conn: Conn, queue: str | None, cost: Mapping[str, Any]) -> dict[Group, int]:
    """Jobs by queue and status, as if each part of the table were like the page read of it.

    Pages chosen at random from the whole table would be worse: the failed jobs of two months,
    kept when all others around them are gone, lie on few pages.
    """
    query = load_queries("stats")["sample_pages"]
    pages = max(cost["pages"], 1)
    for wanted in SAMPLES:
        sampled = min(math.ceil(wanted * pages / max(cost["rows"], 1)), pages)
        params = {"queue": queue, "pages": pages, "sampled": sampled}
        limit = SAMPLE_LIMIT if wanted != SAMPLES[-1] else None
        with suppress(_TookTooLong):
            rows = await _fetch_within(conn, query, params, limit)
            return {group: round(n * pages / sampled) for group, n in _by_group(rows).items()}
    return {}


def _by_group(rows: Rows) -> dict[Group, int]:
    return {(row["queue_name"], row["status"]): row["jobs"] for row in rows}


async def _fetch_within(conn: Conn, query: Any, params: dict[str, Any], limit: str | None) -> Rows:
    """Raises _TookTooLong when it took longer than `limit`; the transaction can go on."""
    if limit is None:
        return await fetch_all(conn, query, params)
    begun, seconds = time.monotonic(), 0.0
    set_limit = load_queries("stats")["limit_statement"]
    try:
        async with conn.transaction():
            before = await fetch_one(conn, set_limit, {"limit": limit})
            seconds = before["seconds"]
            rows = await fetch_all(conn, query, params)
            await fetch_all(conn, set_limit, {"limit": before["value"]})
    except pg.QueryCanceled as exc:
        if time.monotonic() - begun < seconds:
            raise  # somebody cancelled it
        raise _TookTooLong from exc
    return rows


def _round(jobs: float) -> int:
    whole = max(round(jobs), 1)
    return round(whole, DIGITS - 1 - math.floor(math.log10(whole)))
