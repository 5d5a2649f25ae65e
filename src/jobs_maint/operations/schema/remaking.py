"""Mending tables of ours that a person or a restore left incomplete."""

from __future__ import annotations

from datetime import timedelta

from psycopg import sql

from jobs_maint.database import Conn, fetch_all, transaction
from jobs_maint.operations.schema.comparing import find_sequences_behind
from jobs_maint.operations.schema.judging import judge
from jobs_maint.operations.schema.places import TABLES, require_places
from jobs_maint.operations.schema.turns import only_one, use_schema
from jobs_maint.sql import list_migrations, load_queries

__all__ = ["give_tables", "move_sequences", "remake_tables", "write_giving"]

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
        return [f"{table} (was missing, is empty now{_VOID.get(table, '')})" for table in lost]


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
