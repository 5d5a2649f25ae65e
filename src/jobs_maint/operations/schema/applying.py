"""Create and update the tables; idempotent, and safe when several apply at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from jobs_maint import upstream
from jobs_maint.database import (
    Conn,
    Pool,
    fetch_all,
    fetch_one,
    find_elsewhere,
    find_place,
    transaction,
)
from jobs_maint.errors import SchemaMismatch
from jobs_maint.models import SchemaReport
from jobs_maint.operations.schema.building import BUILD_TIMEOUT, build_indexes
from jobs_maint.operations.schema.comparing import find_differences
from jobs_maint.operations.schema.indexes import (
    find_missing_indexes,
    list_all_indexes,
    list_indexes,
)
from jobs_maint.operations.schema.places import require_places
from jobs_maint.operations.schema.remaking import move_sequences, remake_tables
from jobs_maint.operations.schema.rights import require_rights
from jobs_maint.operations.schema.turns import only_one, use_schema
from jobs_maint.sql import Migration, list_migrations, load_queries

__all__ = ["apply_schema", "check_schema", "render_schema_sql"]

PROCRASTINATE = "procrastinate's own schema"
SQL_HEAD = """\
-- For a new database and for an upgrade from any version: what is there is skipped.
-- One transaction makes our tables beside procrastinate_jobs, or changes nothing."""
LOCK_WAIT = timedelta(seconds=60)


async def apply_schema(
    pool: Pool,
    *,
    indexes: bool = True,
    lock_wait: timedelta = LOCK_WAIT,
    build_wait: timedelta = BUILD_TIMEOUT,
) -> SchemaReport:
    """Apply what is missing, each step in its own transaction; then build our indexes.

    An index that waits longer than `build_wait` for a transaction is reported, not an error.
    Raises DatabaseUnavailable naming the session that applies at the same time and does not end
    within `lock_wait`, or the right that the user lacks before anything is changed; SchemaMismatch
    when Procrastinate's tables are too old, or ours are not what the migrations make of them (a
    table that is missing is made again).
    """
    applied: list[str] = []
    problems: list[str] = []
    async with _autocommit(pool) as conn:
        async with transaction(conn):
            found = await require_places(conn)
            if found["jobs_schema"] is None and found["our_schema"] is None:
                await _refuse_second(conn)
            if await _list_pending(conn, found, indexes=indexes):
                await require_rights(conn, found["jobs_schema"] or found["our_schema"])
        while (step := await _take_step(conn, lock_wait)) is not None:
            applied.append(step)
        applied += await remake_tables(conn, lock_wait)
        applied += await move_sequences(conn)
        async with transaction(conn):
            found = await require_places(conn)
            home = str(found["jobs_schema"])
            _require_same(await find_differences(conn, home), home)
            place = await find_place(conn)
        if indexes:

            async def here(conn: Conn) -> None:
                await use_schema(conn, found)

            built, problems = await build_indexes(
                pool, conn, home=home, here=here, patience=build_wait
            )
            applied += built
    return SchemaReport(
        _version(),
        procrastinate=True,
        applied=tuple(applied),
        pending=(),
        problems=tuple(problems),
        database=place,
    )


async def _refuse_second(conn: Conn) -> str | None:
    """Whoever set no search path means the tables that are there, and no others.

    Returns where they are to whoever set one.
    """
    elsewhere = await find_elsewhere(conn)
    if elsewhere is None or (await require_places(conn))["jobs_schema"]:  # made a moment ago
        return None
    path = await fetch_one(conn, load_queries("schema")["get_search_path"])
    if not path["chosen"]:
        raise SchemaMismatch(
            f"{elsewhere.found} {elsewhere.fix} To make other tables in the schema "
            f"{path['schema']}, add ?options=-csearch_path%3D{path['schema']}. Nothing was changed."
        )
    return f"{elsewhere.found} {elsewhere.fix}"


async def _take_step(conn: Conn, lock_wait: timedelta) -> str | None:
    """Does the next step, whatever others did meanwhile; returns its name, None at the end."""
    async with transaction(conn):
        found = await require_places(conn)
        if found["jobs_schema"] and not await _list_steps(conn, found):
            return None
    async with only_one(conn, lock_wait):
        found = await require_places(conn)
        steps = await _list_steps(conn, found)
        await use_schema(conn, found)
        if found["jobs_schema"] is None:
            encoding = conn.info.parameter_status("server_encoding") or "UTF8"
            await conn.execute(upstream.schema_sql(encoding))
            return PROCRASTINATE
        if not steps:
            return None
        await conn.execute(load_queries("schema")["create_migrations"])
        await _migrate(conn, steps[0])
        return steps[0].name


async def _migrate(conn: Conn, migration: Migration) -> None:
    await conn.execute(migration.text)
    params = {"number": migration.number, "name": migration.name}
    await fetch_all(conn, load_queries("schema")["record_migration"], params)


async def _list_steps(conn: Conn, found: dict[str, Any]) -> list[Migration]:
    """The migrations that are not applied, in order.

    Ours that stand beside other tables of Procrastinate, further down the search path, are theirs.
    """
    done: set[int] = set()
    if found["our_schema"] and found["jobs_schema"] in (None, found["our_schema"]):
        rows = await fetch_all(conn, load_queries("schema")["list_applied"])
        done = {row["number"] for row in rows}
    return [migration for migration in list_migrations() if migration.number not in done]


async def _list_pending(conn: Conn, found: dict[str, Any], *, indexes: bool = True) -> list[str]:
    steps = await _list_steps(conn, found)
    pending = [migration.name for migration in steps]
    if found["jobs_schema"] is None:
        built = [name for name, _ in list_indexes()] if indexes else []
        return [PROCRASTINATE, *pending, *built]
    home = str(found["jobs_schema"])
    if not steps:
        pending += await find_differences(conn, home)
    if indexes:
        made = {index.name for index in list_all_indexes()} - {name for name, _ in list_indexes()}
        missing = await find_missing_indexes(conn, home)
        pending += [name for name in missing if not (steps and name in made)]
    return pending


def _require_same(differences: list[str], home: str) -> None:
    if differences:
        raise SchemaMismatch(
            f"The tables of procrastinate-ops in the schema {home} are not as the migrations made "
            f"them: {'; '.join(differences)}. Nothing was changed there; restore what is named "
            "(`jobs-maint schema sql` prints how it is made), then run `jobs-maint schema apply`."
        )


async def check_schema(pool: Pool) -> SchemaReport:
    """What `apply_schema` would do; changes nothing. Refuses as it does."""
    async with pool.connection() as conn, transaction(conn):
        found = await require_places(conn)
        there = found["jobs_schema"] is not None
        elsewhere = None if there or found["our_schema"] else await _refuse_second(conn)
        pending = await _list_pending(conn, found)
        steps = {migration.name for migration in await _list_steps(conn, found)}
        place = await find_place(conn)
    applied = [m.name for m in list_migrations() if m.name not in steps]
    return SchemaReport(
        _version(), there, tuple(applied), tuple(pending), elsewhere=elsewhere, database=place
    )


def render_schema_sql() -> SchemaReport:
    """The SQL of our own tables and indexes, for those who apply it by their own tool.

    Whatever of it a database has already is skipped: it makes an upgrade from any version.
    """
    queries = load_queries("schema")
    parts: list[str] = [
        SQL_HEAD,
        "BEGIN;",
        queries["go_home"],
        queries["create_migrations"],
    ]
    for migration in list_migrations():
        parts.append(migration.text.strip())
        parts.append(
            "INSERT INTO jobs_maint_migrations (number, name) "
            f"VALUES ({migration.number}, '{migration.name}') ON CONFLICT DO NOTHING;"
        )
    parts.append("COMMIT;")
    parts.append(
        "-- The indexes on Procrastinate's tables. A concurrent build stops nobody's work, but\n"
        "-- stands outside of a transaction: run each by itself, as psql does without -1."
    )
    parts += [f"{statement.rstrip(';')};" for _, statement in list_indexes()]
    names = tuple(m.name for m in list_migrations())
    return SchemaReport(_version(), False, (), names, sql="\n\n".join(parts))


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
