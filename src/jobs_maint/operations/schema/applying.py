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
from jobs_maint.operations.schema.indexes import list_indexes
from jobs_maint.operations.schema.judging import (
    IndexVerdict,
    Verdict,
    judge,
    judge_indexes,
    list_steps,
)
from jobs_maint.operations.schema.places import require_places
from jobs_maint.operations.schema.remaking import (
    give_tables,
    move_sequences,
    remake_applied,
    remake_tables,
    write_giving,
)
from jobs_maint.operations.schema.rights import require_rights
from jobs_maint.operations.schema.turns import only_one, use_schema
from jobs_maint.quoting import few
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
    table that is missing is made again). Tables of a newer release are left as they are.
    """
    applied: list[str] = []
    problems: list[str] = []
    async with _autocommit(pool) as conn:
        async with transaction(conn):
            found = await require_places(conn)
            if found["jobs_schema"] is None and found["our_schema"] is None:
                await _refuse_second(conn)
            verdict = await judge(conn, found)
            lacking = await _judge_indexes(conn, found, verdict) if indexes else IndexVerdict()
            if found["jobs_schema"] is None or verdict.pending or lacking.missing:
                home = found["jobs_schema"] or found["our_schema"]
                await require_rights(conn, home, tables=bool(verdict.pending))
        while (step := await _take_step(conn, lock_wait)) is not None:
            applied.append(step)
        async with transaction(conn):
            found = await require_places(conn)
            home = str(found["jobs_schema"])
            verdict = await judge(conn, found)
            place = await find_place(conn)
        if verdict.wrong:
            done = "Nothing was changed there."
            if applied:
                done = f"Before that was applied: {few(applied, 12)}."
            raise SchemaMismatch(f"{verdict.sentence} {done} {verdict.fix}")
        works = verdict.newer is None and not verdict.astray
        if works:
            applied += await remake_tables(conn, lock_wait)
            applied += await move_sequences(conn)
            applied += await give_tables(conn, lock_wait) if verdict.given else []
        if indexes and works:

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
        trouble=verdict.trouble,
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
        if found["jobs_schema"] and not await list_steps(conn, found):
            return None
    async with only_one(conn, lock_wait):
        found = await require_places(conn)
        steps = await list_steps(conn, found)
        await use_schema(conn, found)
        if found["jobs_schema"] is None:
            encoding = conn.info.parameter_status("server_encoding") or "UTF8"
            await conn.execute(upstream.schema_sql(encoding))
            return PROCRASTINATE
        if not steps:
            return None
        if lost := await remake_applied(conn, found, steps):
            return lost
        await conn.execute(load_queries("schema")["create_migrations"])
        await _migrate(conn, steps[0])
        await conn.execute(write_giving().encode())
        return steps[0].name


async def _migrate(conn: Conn, migration: Migration) -> None:
    await conn.execute(migration.text)
    params = {"number": migration.number, "name": migration.name}
    await fetch_all(conn, load_queries("schema")["record_migration"], params)


async def _judge_indexes(conn: Conn, found: dict[str, Any], verdict: Verdict) -> IndexVerdict:
    if found["jobs_schema"] is None:
        return IndexVerdict([name for name, _ in list_indexes()])
    return await judge_indexes(conn, str(found["jobs_schema"]), verdict)


async def check_schema(pool: Pool) -> SchemaReport:
    """What `apply_schema` would do; changes nothing. Refuses as it does."""
    async with pool.connection() as conn, transaction(conn):
        found = await require_places(conn)
        there = found["jobs_schema"] is not None
        elsewhere = None if there or found["our_schema"] else await _refuse_second(conn)
        verdict = await judge(conn, found)
        lacking = await _judge_indexes(conn, found, verdict)
        place = await find_place(conn)
    first = [] if there else [PROCRASTINATE]
    return SchemaReport(
        _version(),
        there,
        applied=tuple(m.name for m in list_migrations() if m not in verdict.steps),
        pending=(*first, *verdict.pending, *lacking.missing),
        problems=tuple(lacking.taken),
        elsewhere=elsewhere,
        trouble=verdict.trouble,
        database=place,
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
    parts += [write_giving(), "COMMIT;"]
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
