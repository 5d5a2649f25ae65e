"""Transactions with limits, and the rows of a query."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg import sql
from psycopg.rows import DictRow, dict_row, tuple_row

from jobs_maint.database.encoding import CLIENT_ENCODING, fit
from jobs_maint.database.far_times import load_far_times
from jobs_maint.database.limits import LOCK_TIMEOUT, SILENCE, STATEMENT_TIMEOUT
from jobs_maint.database.raised import find_row, is_stopped
from jobs_maint.database.silence import limit_silence
from jobs_maint.database.standby import LAG, note_lag
from jobs_maint.durations import format_age
from jobs_maint.quoting import escape_hidden, few
from jobs_maint.sql import load_queries

__all__ = [
    "Conn",
    "describe_session",
    "fetch_all",
    "fetch_one",
    "find_holder",
    "find_lockers",
    "limit_lock_waits",
    "note_holders",
    "note_timeout",
    "transaction",
    "undone_transaction",
]

Conn = psycopg.AsyncConnection[Any]

IS_ON_ROW = 2
"""Of `sure` in `find_holders`."""


@asynccontextmanager
async def transaction(
    conn: Conn,
    *,
    lock_timeout: timedelta = LOCK_TIMEOUT,
    statement_timeout: timedelta = STATEMENT_TIMEOUT,
    snapshot: bool = False,
) -> AsyncIterator[Conn]:
    """A READ COMMITTED transaction with limits, whatever the connection's defaults are.

    The isolation level matters: re-checks after a lock need a fresh snapshot. With `snapshot`
    all its statements see the same moment, and changing a row that changed since is an error.
    Times come as UTC, text as UTF-8 and definitions without needless quotes, and a commit waits
    for the disk, whatever the server, the role or the pool is set to.
    """
    try:
        with note_timeout(statement_timeout), limit_silence(conn, _patience(statement_timeout)):
            async with conn.transaction():
                await _limit(conn, lock_timeout, statement_timeout, snapshot=snapshot)
                yield conn
    except pg.LockNotAvailable as exc:
        # With less patience the caller has a fallback.
        if lock_timeout >= LOCK_TIMEOUT and not getattr(exc, "__notes__", ()):
            await note_holders(conn, exc, lock_timeout)
        raise


@asynccontextmanager
async def undone_transaction(conn: Conn) -> AsyncIterator[Conn]:
    """A transaction that is always rolled back, to see what would happen."""
    with note_timeout(STATEMENT_TIMEOUT), limit_silence(conn, _patience(STATEMENT_TIMEOUT)):
        async with conn.transaction(force_rollback=True):
            await _limit(conn, LOCK_TIMEOUT, STATEMENT_TIMEOUT)
            yield conn


@contextmanager
def note_timeout(limit: timedelta) -> Iterator[None]:
    """Adds `limit` to the error of a statement that was stopped because it ran into it.

    The server's own words say why, but they are translated, and both reasons have one code. Its
    clock starts after ours, so less time than the limit means that somebody cancelled it.
    """
    begun = time.monotonic()
    try:
        yield
    except pg.QueryCanceled as exc:
        if is_stopped(exc) and time.monotonic() - begun >= limit.total_seconds():
            exc.add_note(f"{limit.total_seconds():g} s")
        raise


def _patience(statement_timeout: timedelta) -> float:
    """Seconds after which the server should have ended a statement."""
    return statement_timeout.total_seconds() + SILENCE


async def _limit(
    conn: Conn, lock_timeout: timedelta, statement_timeout: timedelta, *, snapshot: bool = False
) -> None:
    level = "REPEATABLE READ" if snapshot else "READ COMMITTED"
    # A deferred constraint then speaks with its statement, where a savepoint takes it, and not at
    # the commit, where it takes all others along. Not prepared: these are two statements.
    await conn.execute(
        f"SET TRANSACTION ISOLATION LEVEL {level}; SET CONSTRAINTS ALL IMMEDIATE", prepare=False
    )
    # As tuples: the team's row factory may not take columns of one name.
    cursor = await conn.cursor(row_factory=tuple_row).execute(
        f"SELECT {LAG}, set_config('lock_timeout', %s, true),"
        " set_config('statement_timeout', %s, true),"
        " set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO', true),"
        " set_config('client_encoding', %s, true),"
        # What the catalogue's functions print, how many digits a number keeps, and what a
        # backslash in our queries means.
        " set_config('quote_all_identifiers', 'off', true),"
        " set_config('extra_float_digits', '1', true),"
        " set_config('standard_conforming_strings', 'on', true),"
        # Where it is off, a crash of the server takes back what was told as done.
        " set_config('synchronous_commit',"
        " replace(current_setting('synchronous_commit'), 'off', 'on'), true)",
        (_milliseconds(lock_timeout), _milliseconds(statement_timeout), CLIENT_ENCODING),
        prepare=False,
    )
    row = await cursor.fetchone()
    note_lag(row[0] if row else None)


async def limit_lock_waits(conn: Conn, span: timedelta) -> None:
    """How long each further statement of this transaction waits for a lock."""
    await conn.execute("SELECT set_config('lock_timeout', %s, true)", (_milliseconds(span),))


def _milliseconds(span: timedelta) -> str:
    return f"{max(1, round(span.total_seconds() * 1000))}ms"


async def note_holders(conn: Conn, exc: pg.LockNotAvailable, waited: timedelta) -> None:
    """Add to the error who held the lock, where that can be seen."""
    xids: list[str] = []
    if row := find_row(exc.diag.context or ""):
        table, place = row
        query = sql.SQL("SELECT xmax::text AS xid FROM {} WHERE ctid = %(place)s::tid")
        with suppress(psycopg.Error):  # a table that is not on the search path
            async with conn.transaction():
                named = query.format(sql.Identifier(table))
                found = await fetch_all(conn, named, {"place": place})
            xids = [one["xid"] for one in found]
    with suppress(psycopg.Error):  # the connection may be gone; the lock is the error to report
        if holder := await find_holder(conn, waited, xids):
            exc.add_note(holder)


async def find_lockers(conn: Conn, job_ids: Sequence[int]) -> list[str]:
    """The transactions that stand on the rows of these jobs, for `find_holder`."""
    rows = await fetch_all(conn, load_queries("locks")["find_lockers"], {"ids": list(job_ids)})
    return [row["xid"] for row in rows]


async def find_holder(conn: Conn, waited: timedelta, xids: Sequence[str] = ()) -> str:
    """Whose transaction holds what we wait for; empty where nobody's can.

    Sure where it is one of `xids`; else somebody who has it open for as long as we waited.
    """
    query = load_queries("locks")["find_holders"]
    params = {"seconds": waited.total_seconds(), "xids": list(xids)}
    async with conn.transaction():
        rows = await fetch_all(conn, query, params)
    best = [row for row in rows if row["sure"] == rows[0]["sure"]]
    if not best:
        return ""
    holder = describe_session(best[0])
    if best[0]["sure"] == IS_ON_ROW:
        return few([describe_session(row) for row in best], 3)
    more = f", the oldest of {len(best)} candidates" if len(best) > 1 else ""
    return holder if best[0]["sure"] and not more else f"probably {holder}{more}"


PART = 1_000
"""Rows made at once, in a few milliseconds."""


def describe_session(row: dict[str, Any]) -> str:
    """`process 41 (psql, user bo, open for 3 min)`, by its row in `find_holders` or the like."""
    age = f", open for {format_age(row['seconds'])}" if row["seconds"] is not None else ""
    if gid := row.get("gid"):
        literal = escape_hidden(gid).replace("'", "''")  # as SQL takes it
        return (
            f"the prepared transaction '{literal}' ({row['who']}{age}; COMMIT PREPARED "
            "or ROLLBACK PREPARED ends it)"
        )
    fetches = ", a worker that searches for its next job: see doctor, for admins" * row.get(
        "fetching", False
    )
    return f"process {row['pid']} ({row['who']}{age}{fetches})"


async def fetch_all(conn: Conn, query: Any, params: dict[str, Any] | None = None) -> list[DictRow]:
    """All rows as dicts, whatever row factory the connection has.

    Never prepared, even if the team's pool prepares: behind a proxy the next transaction gets
    another session, and a plan for any values is worse than one for these. Many rows are read in
    parts, between which the event loop does what else there is.
    """
    async with conn.cursor(row_factory=dict_row) as cursor:
        load_far_times(cursor)
        fitting = fit(conn, params or {})
        given = {name: _spell_ids(value) for name, value in fitting.items()}
        await cursor.execute(query, given, prepare=False)
        rows: list[DictRow] = []
        while cursor.description and (part := await cursor.fetchmany(PART)):
            rows += part
            if len(part) == PART:
                await asyncio.sleep(0)
        return rows


def _spell_ids(value: Any) -> Any:
    """A long list of ids as an array literal: psycopg takes 4 µs for each item of a list."""
    if isinstance(value, list) and len(value) > PART and isinstance(value[0], int):
        return f"{{{','.join(map(str, value))}}}"
    return value


async def fetch_one(conn: Conn, query: Any, params: dict[str, Any] | None = None) -> DictRow:
    """The only row as a dict; raises LookupError when there is none."""
    rows = await fetch_all(conn, query, params)
    if not rows:
        raise LookupError("the query returned no row")
    return rows[0]
