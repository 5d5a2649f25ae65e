"""Take out of the database all that is ours; Procrastinate's own tables stay as they are."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import psycopg
from psycopg import errors as pg

from jobs_maint.database import Conn, Pool, fetch_all, fetch_one, find_elsewhere, transaction
from jobs_maint.durations import format_age
from jobs_maint.errors import AlreadyRunning, ChangeRefused, SchemaMismatch
from jobs_maint.models import A_WORKER, OurTable, SchemaDropReport
from jobs_maint.operations.bad_rows import is_refusal
from jobs_maint.operations.following import follow_workers
from jobs_maint.operations.jobs.lateness import wait_by_hand
from jobs_maint.operations.refusals import describe_refusal
from jobs_maint.operations.schema.indexes import list_indexes
from jobs_maint.operations.schema.places import TABLES, find_foreign, find_places, judge_theirs
from jobs_maint.operations.schema.rights import require_owner
from jobs_maint.operations.schema.watching import Watch
from jobs_maint.quoting import few
from jobs_maint.settings import MaintSettings
from jobs_maint.sql import load_queries
from jobs_maint.upstream import OUR_TASKS

__all__ = ["drop_schema", "preview_drop"]

PROGRAMS = ["jobs-chatbot", "jobs-chatbot ready"]
"""How the two pools of a bot are called in the database."""
BATCH = 1000
PATIENCE = timedelta(seconds=30)
"""How long the drop of an index waits for somebody's transaction."""


async def preview_drop(pool: Pool, settings: MaintSettings) -> SchemaDropReport:
    """What of ours is there, and who uses it; removes nothing.

    Raises as `drop_schema` does. Jobs of dead workers are noticed as by `rescue`: where no
    worker beats, it waits from then on.
    """
    async with pool.connection() as conn, transaction(conn):
        return await _look(conn, await _find_home(conn), settings)


async def drop_schema(
    pool: Pool, settings: MaintSettings, *, patience: timedelta = PATIENCE
) -> SchemaDropReport:
    """Drop our jobs, periodic rows, indexes and tables, in this order; returns what was there.

    An order in which a run that breaks off can be repeated. An index that waits longer than
    `patience` for a transaction is reported, and the rest is done. Raises AlreadyRunning while a
    worker or a bot uses the tables, ChangeRefused when something of the team depends on them and
    DatabaseUnavailable without the rights; nothing has been changed by then.
    """
    async with pool.connection() as conn:
        async with transaction(conn):
            home = await _find_home(conn)
            found = await _look(conn, home, settings)
        if found.in_use_by:
            raise AlreadyRunning(f"Nothing was removed: {found.say_users()}")
        if found.dependents:
            raise ChangeRefused(_refuse(found.dependents))
        if found.empty:
            return found
        if home is not None:
            await _delete_jobs(conn)
        problems = [
            await _drop_index(pool, conn, str(home), name, patience) for name in found.indexes
        ]
        await _drop_tables(conn, found.tables)
    return replace(found, dropped=True, problems=tuple(filter(None, problems)))


async def _find_home(conn: Conn) -> str | None:
    """The schema of the jobs, which may not be there any more.

    Raises SchemaMismatch where only a part of Procrastinate's tables stands beside them, or one of
    the team has the name of one of ours.
    """
    found = await find_places(conn)
    trouble = judge_theirs(found) if found["jobs_schema"] else None
    if trouble := trouble or await find_foreign(conn):
        fix = trouble.fix.replace("schema apply", "schema drop")
        raise SchemaMismatch(f"{trouble.found} Nothing was removed. {fix}")
    return found["jobs_schema"]  # type: ignore[no-any-return]


async def _look(conn: Conn, home: str | None, settings: MaintSettings) -> SchemaDropReport:
    """Raises DatabaseUnavailable where they belong to somebody else.

    SchemaMismatch where they are nowhere on the search path, but elsewhere.
    """
    queries = load_queries("drop")
    places = await fetch_all(conn, queries["list_homes"], {"names": TABLES})
    homes = [row["schema"] for row in places if row["mine"]]
    elsewhere = tuple(row["schema"] for row in places if not row["mine"])
    if home is None and not homes and elsewhere:
        if len(elsewhere) == 1:  # else the user has to choose first
            await require_owner(conn, elsewhere[0], "schema drop")
        place = await find_elsewhere(conn, TABLES, "Tables of ours")
        if place is not None:
            raise replace(place, found=f"{place.found} Nothing was removed.").error()
    tables = await fetch_all(conn, queries["list_tables"], {"homes": homes, "names": TABLES})
    indexes, left = [], {"jobs": 0, "periodic": 0}
    if home is not None:
        names = [name for name, _ in list_indexes()]
        indexes = await fetch_all(conn, queries["list_indexes"], {"home": home, "names": names})
    if tables or indexes:  # else there is nothing that only the owner can drop
        for schema in sorted({table["schema"] for table in tables} | ({home} if home else set())):
            await require_owner(conn, schema, "schema drop")
    if home is not None:
        left = await fetch_one(conn, queries["count_jobs"], {"tasks": OUR_TASKS})
    stuck = await _list_stuck(conn, settings) if home is not None and tables else []
    users: list[str] = []
    unknown = 0
    if any(table["name"] == "jobs_maint_workers" for table in tables):
        mute = []
        if home is not None:
            mute = await fetch_all(conn, queries["list_mute"])
            unknown = (await fetch_one(conn, queries["count_unknown"]))["workers"]
        beating = await fetch_all(conn, queries["list_beating"])
        users += [
            f"{A_WORKER} (process {row['pid']} on {row['host']}, last beat "
            f"{format_age(row['seconds'])} ago)"
            for row in beating
        ]
        users += [
            f"{A_WORKER} (process {row['pid']} on {row['host']}, which is alive although its "
            f"recorder last beat {format_age(row['seconds'])} ago)"
            for row in mute
        ]
    bots = await fetch_all(conn, queries["list_sessions"], {"names": PROGRAMS})
    users += [f"{row['name']} (process {row['pid']} of the database)" for row in bots]
    params = {"homes": homes, "names": TABLES}
    dependents = await fetch_all(conn, queries["list_dependents"], params)
    return SchemaDropReport(
        False,
        tuple(OurTable(row["name"], row["size_bytes"], row["schema"]) for row in tables),
        tuple(index["name"] for index in indexes),
        left["jobs"],
        left["periodic"],
        tuple(users),
        tuple(row["name"] for row in dependents),
        elsewhere=elsewhere,
        stuck_jobs=len(stuck),
        rescue_in_seconds=max((wait for wait in stuck if wait is not None), default=None),
        unknown_workers=unknown,
    )


async def _list_stuck(conn: Conn, settings: MaintSettings) -> list[float | None]:
    """Of each the seconds until `rescue ID` acts on it, None where only a force does.

    Empty where only a part of our tables is left, and nothing can tell.
    """
    missing = pg.UndefinedTable, pg.UndefinedColumn, pg.InsufficientPrivilege
    with suppress(*missing, pg.ReadOnlySqlTransaction):
        async with conn.transaction():
            await fetch_all(conn, load_queries("stalled")["notice_suspects"])
    with suppress(*missing):
        async with conn.transaction():
            theirs = await follow_workers(conn, settings)
            params = {
                "tasks": OUR_TASKS,
                "heard_from": None,
                "stalled_after": theirs.stalled_after.total_seconds(),
                "stalled_after_unknown": theirs.stalled_after_unknown.total_seconds(),
            }
            rows = await fetch_all(conn, load_queries("drop")["list_stuck"], params)
            return [wait_by_hand(row, row["due_in"]) for row in rows]
    return []


async def _drop_index(
    pool: Pool, conn: Conn, home: str, name: str, patience: timedelta
) -> str | None:
    """Concurrently, which stops nobody; returns why it is still there."""
    statement = f"DROP INDEX CONCURRENTLY IF EXISTS {_quote(home)}.{name}"
    watch = Watch(pool, statement, patience)
    await conn.set_autocommit(True)
    try:
        async with watch.watching():
            await conn.execute(statement.encode())
    except (pg.QueryCanceled, pg.LockNotAvailable, pg.DeadlockDetected):
        who = watch.blocker or "another session"
        return f"{name} was not dropped: it waited for {who}; run schema drop again later"
    finally:
        if not conn.closed:
            await conn.set_autocommit(False)
    return None


async def _delete_jobs(conn: Conn) -> None:
    queries = load_queries("drop")
    try:
        async with transaction(conn):
            await conn.execute(queries["delete_periodic"], {"tasks": OUR_TASKS})
        while True:
            async with transaction(conn):
                params = {"tasks": OUR_TASKS, "limit": BATCH}
                if not await fetch_all(conn, queries["delete_jobs"], params):
                    return
    except psycopg.Error as exc:
        if not is_refusal(exc):
            raise
        raise ChangeRefused(
            f"A job of our own tasks could not be deleted: {describe_refusal(exc)}. Our "
            "tables and indexes are as they were. Then run `jobs-maint schema drop` again."
        ) from exc


async def _drop_tables(conn: Conn, tables: tuple[OurTable, ...]) -> None:
    """All or none; never what depends on them."""
    names = ", ".join(f"{_quote(table.schema)}.{table.name}" for table in tables)
    try:
        async with transaction(conn):
            if names:
                await conn.execute(f"DROP TABLE IF EXISTS {names}".encode())
    except pg.DependentObjectsStillExist as exc:
        raise ChangeRefused(
            f"Our tables were not dropped: {_explain(exc)}. Drop what depends on them first, then "
            "run `jobs-maint schema drop` again; our indexes and jobs are gone already."
        ) from exc


def _refuse(dependents: tuple[str, ...]) -> str:
    depend = "depends" if len(dependents) == 1 else "depend"
    return (
        f"Nothing was removed: {few(dependents, 20)} {depend} on our tables. Drop that first, "
        "then run `jobs-maint schema drop` again."
    )


def _explain(exc: psycopg.Error) -> str:
    return (exc.diag.message_detail or exc.diag.message_primary or str(exc)).replace("\n", "; ")


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
