"""Groups of errors are remembered: the failures since the last pass are counted into them."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg

from jobs_maint.call import describe_error
from jobs_maint.database import Conn, Pool, fetch_all, fetch_one, transaction
from jobs_maint.events import emit
from jobs_maint.operations.failures.placing import count_stretches
from jobs_maint.operations.failures.states import QUIET
from jobs_maint.sql import load_queries
from jobs_maint.upstream import OUR_TASKS

__all__ = ["Collected", "collect_groups", "remember_for_read", "remember_groups"]

MOST_FAILURES = 5_000
MOST_GROUPS = 500
SECONDS = 5.0
"""After that a worker with concurrency 1 runs the team's jobs; the next pass continues."""
READ_WAITS = 3.0
"""Seconds that a read waits for the count; what is left is told as not counted yet."""
WRITERS = 0.2
"""Seconds that a pass waits for transactions that may have stored a failure; they take a few ms."""
MARGIN = timedelta(seconds=1)
"""Between the id of a failure and its time."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What one pass did. `finished`: it saw all failures that it could see."""

    failures: int = 0
    new: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()
    finished: bool = True
    busy: bool = False
    """Another pass was counting, so this one did nothing."""


async def remember_for_read(pool: Pool) -> None:
    """One pass, so that the read that follows knows what failed a moment ago."""
    with suppress(TimeoutError):
        async with asyncio.timeout(READ_WAITS):
            await remember_groups(pool, passes=1)


async def remember_groups(pool: Pool, *, passes: int | None = None) -> None:
    """Passes until all is counted, or so many; never fails the rescue or the read that asks."""
    begun = time.monotonic()
    try:
        async with pool.connection() as conn:
            while not (await collect_groups(conn)).finished:
                passes = passes and passes - 1
                if passes == 0 or time.monotonic() > begun + SECONDS:
                    break
    except (psycopg.Error, UnicodeError) as exc:  # of bytes that are no text, in SQL_ASCII
        emit("jobs_maint.groups_not_collected", logging.WARNING, reason=describe_error(exc)[1])


async def collect_groups(conn: Conn) -> Collected:
    """Count the next failures into their groups, in a transaction of its own.

    At most MOST_FAILURES of MOST_GROUPS groups. No failure is counted twice, and none is passed
    over because its transaction ended late. Nothing is done where the tables are missing.
    """
    queries = load_queries("groups")
    async with transaction(conn, statement_timeout=timedelta(seconds=SECONDS)):
        if not (await fetch_one(conn, queries["find_access"]))["writable"]:
            return Collected()
        turn = await fetch_all(conn, queries["take_turn"])
        if not turn:
            await fetch_all(conn, queries["insert_turn"])
            turn = await fetch_all(conn, queries["take_turn"])
        if not turn:
            return Collected(busy=True)
        after = turn[0]["last_failure_id"]
        last = (await fetch_one(conn, queries["find_last_failure"]))["id"]
        if last <= after:
            return Collected()
        before = await _find_bound(conn)
        asked = {
            "after": after, "last": last, "before": before, "most": MOST_FAILURES,
            "most_groups": MOST_GROUPS, "quiet_seconds": QUIET.total_seconds(), "ours": OUR_TASKS,
        }  # fmt: skip
        rows = await fetch_all(conn, queries["count_failures"], asked)
        reached = rows[0]["last_id"]
        if reached is None:
            return Collected()
        groups = await count_stretches(conn, [row for row in rows if row["task_name"] is not None])
        await fetch_all(conn, queries["note_collected"], {"last_failure_id": reached})
        return Collected(
            failures=rows[0]["looked_at"],
            new=tuple(group.name for group in groups if group.new),
            returned=tuple(group.name for group in groups if group.returned),
            finished=reached >= last or before is not None,
        )


async def _find_bound(conn: Conn) -> datetime | None:
    """Failures from this time on may follow with ids that were given before; None: none can.

    Asked after the last id was read: a transaction that is not among those that store failures
    now has ended, and the next statement sees what it stored.
    """
    query = load_queries("groups")["list_writers"]
    until = time.monotonic() + WRITERS
    writers = {row["writer"]: row["begun"] for row in await fetch_all(conn, query)}
    while writers and time.monotonic() < until:
        await asyncio.sleep(0.02)
        still = {row["writer"] for row in await fetch_all(conn, query)}
        writers = {writer: begun for writer, begun in writers.items() if writer in still}
    if not writers:
        return None
    if None in writers.values():  # another role's, which is not shown: nothing is certain
        return datetime.min.replace(tzinfo=UTC)
    oldest: datetime = min(writers.values())
    return oldest - MARGIN
