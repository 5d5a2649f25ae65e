"""Create and update the tables; idempotent, and safe when several apply at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from jobs_maint import upstream
from jobs_maint.database import Conn, Pool, fetch_all, fetch_one, transaction
from jobs_maint.errors import DatabaseUnavailable, SchemaMismatch
from jobs_maint.models import SchemaReport
from jobs_maint.operations.schema.indexes import (
    BUILD_TIMEOUT,
    build_indexes,
    find_missing_indexes,
    list_indexes,
)
from jobs_maint.sql import list_migrations, load_queries

__all__ = ["apply_schema", "check_schema", "render_schema_sql"]

PROCRASTINATE = "procrastinate's own schema"
LOCK_WAIT = timedelta(seconds=60)
POLL_SECONDS = 0.1
MIGRATION_TIMEOUT = timedelta(minutes=5)


async def apply_schema(
    pool: Pool,
    *,
    indexes: bool = True,
    lock_wait: timedelta = LOCK_WAIT,
    build_wait: timedelta = BUILD_TIMEOUT,
) -> SchemaReport:
    """Apply what is missing, each step in its own transaction; then build our indexes.

    An index that waits longer than `build_wait` for another transaction is reported, not raised.
    Raises DatabaseUnavailable, naming the session, when another one is still applying the schema
    after `lock_wait`, and SchemaMismatch when Procrastinate's tables are too old.
    """
    applied: list[str] = []
    async with _autocommit(pool) as conn, _only_one(conn, lock_wait):
        found = await _find(conn)
        if found["jobs_schema"] is None:
            async with transaction(conn, statement_timeout=MIGRATION_TIMEOUT):
                await conn.execute(upstream.schema_sql())
            applied.append(PROCRASTINATE)
            found = await _find(conn)
        _require_supported(found)
        queries = load_queries("schema")
        search_path = {"search_path": _beside(found)}
        if not found["ours"]:
            async with transaction(conn):
                await fetch_all(conn, queries["use_schema"], search_path)
                await conn.execute(queries["create_migrations"])
        done = {row["number"] for row in await fetch_all(conn, queries["list_applied"])}
        for migration in list_migrations():
            if migration.number in done:
                continue
            async with transaction(conn, statement_timeout=MIGRATION_TIMEOUT):
                await fetch_all(conn, queries["use_schema"], search_path)
                await conn.execute(migration.text)
                await fetch_all(
                    conn,
                    queries["record_migration"],
                    {"number": migration.number, "name": migration.name},
                )
            applied.append(migration.name)
        problems: list[str] = []
        if indexes:
            await fetch_all(conn, queries["use_schema_for_session"], search_path)
            built, problems = await build_indexes(conn, patience=build_wait)
            await conn.execute("RESET search_path")
            applied += built
    return SchemaReport(
        _version(), procrastinate=True, applied=tuple(applied), pending=(), problems=tuple(problems)
    )


async def check_schema(pool: Pool) -> SchemaReport:
    """What `apply_schema` would do; changes nothing."""
    async with pool.connection() as conn, transaction(conn):
        found = await _find(conn)
        done: set[int] = set()
        if found["ours"]:
            rows = await fetch_all(conn, load_queries("schema")["list_applied"])
            done = {row["number"] for row in rows}
        missing = await find_missing_indexes(conn) if found["jobs_schema"] is not None else []
    there = found["jobs_schema"] is not None
    if there:
        _require_supported(found)
    pending = [] if there else [PROCRASTINATE]
    pending += [m.name for m in list_migrations() if m.number not in done]
    pending += missing if there else [name for name, _ in list_indexes()]
    applied = [m.name for m in list_migrations() if m.number in done]
    return SchemaReport(_version(), there, tuple(applied), tuple(pending))


def render_schema_sql() -> SchemaReport:
    """The SQL of our own tables, for teams that apply it with their own tool."""
    queries = load_queries("schema")
    parts: list[str] = [queries["create_migrations"]]
    for migration in list_migrations():
        parts.append(migration.text.strip())
        parts.append(
            "INSERT INTO jobs_maint_migrations (number, name) "
            f"VALUES ({migration.number}, '{migration.name}');"
        )
    parts.append("-- Optional; run each outside a transaction:")
    parts += [_comment(statement) for _, statement in list_indexes()]
    names = tuple(m.name for m in list_migrations())
    return SchemaReport(_version(), False, (), names, sql="\n\n".join(parts))


def _comment(statement: str) -> str:
    return "\n".join(f"-- {line}" for line in f"{statement.rstrip(';')};".splitlines())


async def _find(conn: Conn) -> dict[str, Any]:
    return await fetch_one(conn, load_queries("schema")["find_tables"])


def _require_supported(found: dict[str, Any]) -> None:
    if not found["supported"]:
        raise SchemaMismatch(
            "Procrastinate's tables are older than version 3.4; "
            "apply its migrations first (see its documentation), then `jobs-maint schema apply`."
        )


def _beside(found: dict[str, Any]) -> str:
    """A search path that creates tables where Procrastinate's are."""
    quoted = '"' + str(found["jobs_schema"]).replace('"', '""') + '"'
    return f"{quoted}, {found['search_path']}" if found["search_path"] else quoted


def _version() -> str:
    return f"{len(list_migrations()):04d}"


@asynccontextmanager
async def _autocommit(pool: Pool) -> AsyncIterator[Conn]:
    async with pool.connection() as conn:
        before = conn.autocommit
        await conn.set_autocommit(True)
        try:
            yield conn
        finally:
            if not conn.closed:
                await conn.set_autocommit(before)


@asynccontextmanager
async def _only_one(conn: Conn, lock_wait: timedelta) -> AsyncIterator[None]:
    queries = load_queries("schema")
    deadline = time.monotonic() + lock_wait.total_seconds()
    while not (await fetch_one(conn, queries["try_lock"]))["locked"]:
        if time.monotonic() >= deadline:
            holder = await fetch_all(conn, queries["find_lock_holder"])
            who = (
                f"process {holder[0]['pid']} ({holder[0]['application_name'] or 'unnamed'}"
                f"{', ' + holder[0]['client'] if holder[0]['client'] else ''})"
                if holder
                else "another session"
            )
            raise DatabaseUnavailable(
                f"{who[0].upper()}{who[1:]} has been applying the schema for more than "
                f"{lock_wait.total_seconds():.0f} s; wait for it or end it, then try again."
            )
        await asyncio.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        if not conn.closed:
            await fetch_all(conn, queries["unlock"])
