"""Build our optional indexes on Procrastinate's tables, without blocking other sessions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import LiteralString

from psycopg import errors as pg

from jobs_maint.database import Conn, describe_session, fetch_all
from jobs_maint.durations import format_age
from jobs_maint.sql import load_queries

__all__ = ["BUILD_TIMEOUT", "build_indexes", "find_missing_indexes", "list_indexes"]

BUILD_TIMEOUT = timedelta(seconds=30)
"""How long a build waits for older transactions before it gives up."""


def list_indexes() -> Iterator[tuple[str, LiteralString]]:
    """Name and statement of each index."""
    for name, statement in load_queries("indexes").items():
        if name.startswith("jobs_maint_"):
            yield name, statement


async def find_missing_indexes(conn: Conn) -> list[str]:
    """Names of the indexes that are not there, or whose build did not finish."""
    return [name for name, _ in list_indexes() if not await _is_valid(conn, name)]


async def build_indexes(
    conn: Conn, *, patience: timedelta = BUILD_TIMEOUT
) -> tuple[list[str], list[str]]:
    """Build what is missing; returns the names built and a sentence for each that was not.

    `conn` is in autocommit: a concurrent build runs outside transactions. What an interrupted
    build left behind is dropped first.
    """
    built: list[str] = []
    problems: list[str] = []
    milliseconds = f"{max(1, round(patience.total_seconds() * 1000))}ms"
    await conn.execute("SELECT set_config('lock_timeout', %s, false)", (milliseconds,))
    try:
        for name, statement in list_indexes():
            if await _is_valid(conn, name):
                continue
            try:
                await _drop(conn, name)
                await conn.execute(statement)
            except pg.LockNotAvailable:
                blocker = await _describe_blocker(conn)
                problems.append(
                    f"{name} was not built: {blocker} for more than "
                    f"{format_age(patience)}; end it or wait, then run schema apply again"
                )
                await _drop_quietly(conn, name)
            else:
                built.append(name)
    finally:
        if not conn.closed:
            await conn.execute("RESET lock_timeout")
    return built, problems


async def _is_valid(conn: Conn, name: str) -> bool:
    rows = await fetch_all(conn, load_queries("indexes")["find_index"], {"name": name})
    return bool(rows) and bool(rows[0]["valid"])


async def _drop(conn: Conn, name: str) -> None:
    await conn.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}".encode())


async def _drop_quietly(conn: Conn, name: str) -> None:
    """Drop what is left of the build; if that fails too, the next run drops it."""
    try:
        await _drop(conn, name)
    except pg.LockNotAvailable:
        return


async def _describe_blocker(conn: Conn) -> str:
    rows = await fetch_all(conn, load_queries("indexes")["find_blocker"])
    if not rows:
        return "it waited for another transaction"
    return f"it waited for the transaction of {describe_session(rows[0])}"
