"""Build our optional indexes, without stopping anybody's work and without leaving anything behind.

A concurrent build stands in no transaction, so that neither a lock nor a setting can be given to it
for a transaction. Behind a proxy such as PgBouncer the session belongs to others as well: nothing
is set there, a claim is a row, and a build that waits too long is cancelled from outside.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import errors as pg

from jobs_maint.database import Conn, Pool, fetch_all, fetch_one, is_connection_lost, transaction
from jobs_maint.durations import format_age
from jobs_maint.operations.schema.indexes import Index, find_index, list_all_indexes, say_taken
from jobs_maint.operations.schema.watching import Watch, describe_transaction
from jobs_maint.sql import load_queries

__all__ = ["BUILD_TIMEOUT", "build_indexes"]

BUILD_TIMEOUT = timedelta(seconds=30)
"""How long a build waits for somebody before it gives up; its work may take any time."""
POLL_SECONDS = 0.1
SHORT_WAIT = timedelta(milliseconds=200)
_TAIL = "then run schema apply again"


@dataclass
class _Builder:
    """`conn` is in autocommit; `home`: the schema's name; `here` goes there in a transaction."""

    pool: Pool
    conn: Conn
    home: str
    here: Callable[[Conn], Awaitable[None]]
    patience: timedelta
    token: str = field(default_factory=lambda: f"indexes are built by {secrets.token_hex(8)}")
    claimed: bool = False
    limit: float = 0.0
    """Seconds; a statement_timeout that could not be lifted."""
    lock_limit: float = 0.0
    queries: Any = field(default_factory=lambda: load_queries("indexes"))


async def build_indexes(
    pool: Pool,
    conn: Conn,
    *,
    home: str,
    here: Callable[[Conn], Awaitable[None]],
    patience: timedelta = BUILD_TIMEOUT,
) -> tuple[list[str], list[str]]:
    """Build what is missing or otherwise; returns the names built, and a sentence for each other.

    Several at once are safe: one builds, the others wait for it.
    """
    builder = _Builder(pool, conn, home, here, patience)
    built: list[str] = []
    problems: list[str] = []
    async with _without_limits(builder):
        try:
            for index in list_all_indexes():
                problem = await _make_good(builder, index, built)
                if problem is not None:
                    problems.append(f"{index.name} was not built: {problem}")
            await _drop_set_aside(builder)
        finally:
            await _release(builder)
    return built, problems


async def _release(builder: _Builder) -> None:
    """A claim that cannot be taken back ends by itself."""
    if not builder.claimed:
        return
    with suppress(psycopg.Error):
        async with _step(builder):
            await fetch_all(builder.conn, builder.queries["release_build"], _token(builder))


async def _make_good(builder: _Builder, index: Index, built: list[str]) -> str | None:
    """Until it is there and as it should be; returns why it is not."""
    deadline = time.monotonic() + builder.patience.total_seconds()
    begun = False
    while True:
        async with _step(builder):
            row = await find_index(builder.conn, index, builder.home)
            if row is None or row["good"]:
                break
            if row["taken_by"]:
                return say_taken(row["taken_by"])
            free = row["held_by"] is None and bool(
                await fetch_all(builder.conn, builder.queries["claim_build"], _token(builder))
            )
        builder.claimed |= free
        if not free:
            if time.monotonic() >= deadline:
                who = await describe_transaction(
                    builder.conn, [row["held_by"]] if row["held_by"] else []
                )
                return f"it waited for {who}; {_TAIL}"
            await asyncio.sleep(POLL_SECONDS)
        elif row["index_id"] is not None and not await _set_aside(builder, index):
            if time.monotonic() >= deadline:
                return f"the one that is there is not as it should be and is in use; {_TAIL}"
        else:
            begun = True
            problem = await _build(builder, index, row["home"])
            if problem is not None or time.monotonic() >= deadline:
                await _set_aside(builder, index)
                return problem or f"another session builds it as well; {_TAIL}"
    if begun:
        built.append(index.name)
    return None


async def _build(builder: _Builder, index: Index, home: str) -> str | None:
    """One attempt; returns why it must not be tried again, None when it may be there now."""
    statement = index.build_in(home)
    begun = time.monotonic()
    watch = Watch(builder.pool, statement, builder.patience)
    try:
        async with watch.watching():
            await builder.conn.execute(statement.encode())
    except (pg.DuplicateTable, pg.DeadlockDetected):
        return None  # somebody else builds it too: look again
    except pg.QueryCanceled:
        if watch.blocker is not None:
            waited = format_age(builder.patience)
            return f"it waited for {watch.blocker} for more than {waited}; end it or wait, {_TAIL}"
        if 0 < builder.limit <= time.monotonic() - begun:
            return _explain_limit("statement_timeout", builder.limit)
        return f"somebody cancelled it; {_TAIL}"
    except pg.LockNotAvailable:
        return _explain_limit("lock_timeout", builder.lock_limit)
    except psycopg.OperationalError as exc:  # a full disk: what was applied must still be told
        if is_connection_lost(exc):
            raise
        return f"the database reported: {str(exc).splitlines()[0]}; make room, {_TAIL}"
    return None


def _explain_limit(name: str, seconds: float) -> str:
    return (
        f"the {name} of {seconds:g} s that is set for this role or database stopped it, and a "
        "connection through a proxy such as PgBouncer cannot lift it for one statement; run schema "
        f"apply on a direct connection to PostgreSQL, or as a role without a {name}"
    )


async def _set_aside(builder: _Builder, index: Index) -> bool:
    """Takes its name from one that is not good, if nobody works on its table; whether it did.

    It is dropped by its new name, which no other can have: a name that was looked up may belong to
    a good one, built meanwhile by somebody else, when the drop gets its turn.
    """
    conn = builder.conn
    try:
        async with _step(builder, lock_timeout=SHORT_WAIT):
            row = await find_index(conn, index, builder.home)
            if row is None or row["good"] or row["index_id"] is None:
                return True
            await conn.execute(
                f"LOCK TABLE {row['home']}.{index.table} IN SHARE UPDATE EXCLUSIVE MODE".encode()
            )
            again = await find_index(conn, index, builder.home)
            if again is None or again["good"] or again["index_id"] != row["index_id"]:
                return True
            await conn.execute(
                f"ALTER INDEX {row['home']}.{index.name} "
                f"RENAME TO jobs_maint_old_{row['index_id']}".encode()
            )
    except (pg.LockNotAvailable, pg.DeadlockDetected):
        return False
    return True


async def _drop_set_aside(builder: _Builder) -> None:
    """What somebody holds for longer than the builder's patience is dropped by the next run."""
    deadline = time.monotonic() + builder.patience.total_seconds()
    while True:
        async with _step(builder):
            old = await fetch_all(
                builder.conn, builder.queries["list_set_aside"], {"home": builder.home}
            )
        for row in old:
            await _drop(builder, f"{row['home']}.{row['name']}")
        if not old or time.monotonic() >= deadline:
            return
        await asyncio.sleep(POLL_SECONDS)


async def _drop(builder: _Builder, name: str) -> None:
    """Concurrently; where a limit of the role forbids that, with a short wait that stops nobody."""
    statement = f"DROP INDEX CONCURRENTLY IF EXISTS {name}"
    try:
        async with Watch(builder.pool, statement, builder.patience).watching():
            await builder.conn.execute(statement.encode())
    except (pg.QueryCanceled, pg.LockNotAvailable, pg.DeadlockDetected, pg.UndefinedObject):
        with suppress(pg.LockNotAvailable):
            async with _step(builder, lock_timeout=SHORT_WAIT):
                await builder.conn.execute(f"DROP INDEX IF EXISTS {name}".encode())


@asynccontextmanager
async def _step(builder: _Builder, **limits: timedelta) -> AsyncIterator[None]:
    async with transaction(builder.conn, **limits):  # type: ignore[arg-type]
        await builder.here(builder.conn)
        yield


@asynccontextmanager
async def _without_limits(builder: _Builder) -> AsyncIterator[None]:
    """No time limit of the role or database for builds, where the session is ours alone.

    Behind a proxy it is not: what is set there would stay for the others.
    """
    conn = builder.conn
    session = await fetch_one(conn, builder.queries["get_session"])
    limits: list[tuple[str, str]] = []
    if session["pid"] == conn.info.backend_pid:
        limits = [(name, value) for name, value in session["limits"] or ()]
    else:
        builder.limit, builder.lock_limit = session["statement"], session["lock"]
    put = builder.queries["set_for_session"]
    try:
        for name, _ in limits:
            await fetch_all(conn, put, {"name": name, "value": "0"})
        yield
    finally:
        if not conn.closed:
            for name, value in limits:
                await fetch_all(conn, put, {"name": name, "value": value})


def _token(builder: _Builder) -> dict[str, str]:
    return {"token": builder.token}
