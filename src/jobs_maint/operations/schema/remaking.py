"""Mending tables of ours that a person or a restore left incomplete."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from psycopg import sql

from jobs_maint.database import Conn, fetch_all, transaction
from jobs_maint.errors import SchemaMismatch
from jobs_maint.operations.schema.comparing import find_lost_tables, find_sequences_behind
from jobs_maint.operations.schema.declared import list_made_tables
from jobs_maint.operations.schema.judging import find_renamed, judge
from jobs_maint.operations.schema.places import TABLES, require_places
from jobs_maint.operations.schema.turns import only_one, use_schema
from jobs_maint.quoting import few
from jobs_maint.sql import Migration, list_migrations, load_queries

__all__ = ["give_tables", "move_sequences", "remake_applied", "remake_tables", "write_giving"]

_VOID = {"jobs_maint_audit": "; what was printed before to undo a request is void"}


async def remake_tables(conn: Conn, lock_wait: timedelta) -> list[str]:
    """Makes tables of ours that somebody dropped again, empty.

    Each migration skips what is there.
    """
    async with transaction(conn):
        if not (await judge(conn, await require_places(conn))).lost:
            return []
    async with only_one(conn, lock_wait):
        found = await require_places(conn)
        lost = (await judge(conn, found)).lost
        if not lost:
            return []
        await use_schema(conn, found)
        for migration in list_migrations():
            await conn.execute(migration.text)
        await conn.execute(write_giving().encode())
        return list(map(_tell, lost))


async def remake_applied(
    conn: Conn, found: dict[str, Any], steps: Sequence[Migration]
) -> str | None:
    """The same before the first of the `steps`, which may change such a table."""
    home = str(found["jobs_schema"])
    applied = [one for one in list_migrations() if one not in steps]
    made = list_made_tables(applied)
    lost = [table for table in await find_lost_tables(conn, home) if table in made]
    if renamed := await find_renamed(conn, home, lost):
        raise SchemaMismatch(
            f"In the schema {home} {few(list(renamed.values()), 10)}. Then run `jobs-maint schema "
            "apply`."
        )
    if not lost:
        return None
    for migration in applied:
        await conn.execute(migration.text)
    return ", ".join(map(_tell, lost))


def _tell(table: str) -> str:
    return f"{table} (was missing, is empty now{_VOID.get(table, '')})"


async def move_sequences(conn: Conn) -> list[str]:
    """Behind the rows that are there: a restore of the data alone leaves them at their begin.

    A table is locked meanwhile, so that nobody takes a number between the look and the move.
    """
    async with transaction(conn):
        home = str((await require_places(conn))["jobs_schema"])
        behind = await find_sequences_behind(conn, home)
        for column, _ in behind:
            place = sql.Identifier(home, column.table)
            await conn.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(place))
        moved = []
        for column, last in await find_sequences_behind(conn, home) if behind else ():
            params = {"home": home, "table": column.table, "column": column.name, "last": last}
            await fetch_all(conn, load_queries("schema")["move_sequence"], params)
            moved.append(f"{column.table}.{column.name} (goes on after {last})")
        return moved


async def give_tables(conn: Conn, lock_wait: timedelta) -> list[str]:
    """To the owner of Procrastinate's tables, where an older release left them to another role."""
    async with only_one(conn, lock_wait):
        found = await require_places(conn)
        given = (await judge(conn, found)).given
        await use_schema(conn, found)
        await conn.execute(write_giving().encode())
        return list(given)


def write_giving() -> str:
    """The SQL that gives our tables to the owner of Procrastinate's."""
    names = ", ".join(f"'{name}'" for name in TABLES)
    return load_queries("schema")["give_tables"].replace("OUR_TABLES", names)
