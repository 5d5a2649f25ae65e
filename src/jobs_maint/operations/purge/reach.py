"""How far a purge goes, found before it deletes anything: its deletes take the evidence away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from jobs_maint.database import Conn, Pool, fetch_all, fetch_one, transaction
from jobs_maint.operations.purge.bound import find_bound
from jobs_maint.operations.purge.late import BEFORE_ALL, CELL
from jobs_maint.operations.session import switch_jit_off
from jobs_maint.sql import load_queries

__all__ = ["First", "Reach", "find_reach"]

EVENTS = 4 * CELL
"""Events in one statement: about 40 ms."""


@dataclass(frozen=True, slots=True)
class First:
    """The first job of a status. `is_due`: it may be old: it was deferred before the cut-off."""

    id: int
    is_due: bool


@dataclass(frozen=True, slots=True)
class Reach:
    """For the statuses of one age."""

    cutoff: datetime
    bound: int
    """Up to this id the jobs are walked."""
    proven: int
    """Up to this id each job was deferred before the cut-off, also one without events."""
    settled: int
    """Up to this id the walk leaves no job without events that is to be told of."""
    firsts: Mapping[str, First]

    def begin_survey(self, first: First) -> int:
        return self.settled if first.is_due else min(self.settled, first.id - 1)


async def find_reach(
    pool: Pool,
    span: timedelta,
    statuses: Sequence[str],
    resume_after: dict[str, int],
    *,
    now: datetime,
    queue: str | None,
) -> Reach:
    """What is proven is noted in `resume_after`, for the next part of this purge.

    Where little is to be walked it is looked at first: rarely is a job without events, and the
    search for what is proven reads the events of all old jobs, also of those that are kept.
    """
    cutoff, key = now - span, f"proven {span.total_seconds():.0f}"
    after = {status: resume_after.get(status, BEFORE_ALL) for status in statuses}
    async with pool.connection() as conn, transaction(conn):
        bound = await find_bound(conn, cutoff, now=now)
        found = {name: await _find_first(conn, name, at, cutoff) for name, at in after.items()}
    firsts = {status: first for status, first in found.items() if first is not None}
    if key not in resume_after:
        walk = {"last": bound, "walked": bound, "cutoff": cutoff, "queue": queue, "limit": CELL}
        due = [status for status, first in firsts.items() if first.is_due]
        if await _all_dated(pool, [walk | {"status": name, "after": after[name]} for name in due]):
            return Reach(cutoff, bound, BEFORE_ALL, bound, firsts)
        resume_after[key] = await _find_proven(pool, bound, cutoff)
    return Reach(cutoff, bound, resume_after[key], resume_after[key], firsts)


async def _find_first(conn: Conn, status: str, after: int, cutoff: datetime) -> First | None:
    params = {"status": status, "after": after}
    rows = await fetch_all(conn, load_queries("purge")["find_oldest"], params)
    if not rows:
        return None
    return First(rows[0]["id"], rows[0]["at"] is None or rows[0]["at"] < cutoff)


async def _all_dated(pool: Pool, walks: Iterable[dict[str, Any]]) -> bool:
    """Whether these walks are short, and each of their jobs has events."""
    for walk in walks:
        async with pool.connection() as conn, transaction(conn):
            await switch_jit_off(conn)
            found = await fetch_one(conn, load_queries("purge")["survey"], walk)
        if found["undated"] or found["looked_at"] >= CELL:
            return False
    return True


async def _find_proven(pool: Pool, bound: int, cutoff: datetime) -> int:
    """The last job with events before the first one that was not deferred before the cut-off.

    No more than the bound, which lies behind all jobs before that first one.
    """
    queries, after = load_queries("purge"), BEFORE_ALL
    while True:
        params = {"after": after, "bound": bound, "cutoff": cutoff, "limit": EVENTS}
        async with pool.connection() as conn, transaction(conn):
            await switch_jit_off(conn)
            found = await fetch_one(conn, queries["find_young"], params)
            if found["young"] is not None or found["looked_at"] < EVENTS:
                before = bound + 1 if found["young"] is None else found["young"]
                last = await fetch_one(conn, queries["find_dated"], {"before": before})
                return BEFORE_ALL if last["id"] is None else int(last["id"])
        after = found["last"]
