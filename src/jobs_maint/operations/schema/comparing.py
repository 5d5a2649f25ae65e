"""Compares our tables as they are with what the migrations make of them."""

from __future__ import annotations

from typing import Any

from psycopg import sql

from jobs_maint.database import Conn, fetch_all
from jobs_maint.operations.schema.declared import Column, list_columns
from jobs_maint.operations.schema.places import TABLES
from jobs_maint.sql import load_queries

__all__ = ["find_differences", "find_lost_tables", "find_other_owners", "find_sequences_behind"]


async def find_other_owners(conn: Conn, home: str) -> list[dict[str, Any]]:
    """Our tables that do not belong to the owner of Procrastinate's jobs."""
    params = {"home": home, "names": TABLES}
    return await fetch_all(conn, load_queries("schema")["find_other_owners"], params)


async def find_sequences_behind(conn: Conn, home: str) -> list[tuple[Column, int]]:
    """Numbered columns whose sequence is behind a number that was given, with the largest one.

    As after a restore of the data alone, or where a table was dropped that others tell numbers of.
    Empty where the tables differ otherwise.
    """
    if await find_lost_tables(conn, home) or await find_differences(conn, home):
        return []
    found = [(column, await _find_behind(conn, home, column)) for column in list_columns()
             if column.is_numbered]  # fmt: skip
    return [(column, last) for column, last in found if last is not None]


_GIVEN = {
    "jobs_maint_audit": (("jobs_maint_audit_items", "audit_id"), ("jobs_maint_runs", "audit_id")),
    "jobs_maint_failures": (("jobs_maint_collected", "last_failure_id"),),
}
"""Columns that tell numbers of these tables."""
_BEHIND = """
SELECT given.last FROM (SELECT greatest({largest}) AS last) AS given
CROSS JOIN (SELECT pg_get_serial_sequence(format('%%I.%%I', %(home)s::text, %(table)s::text),
                                          %(column)s)::regclass AS id) AS seq
WHERE given.last > coalesce(CASE WHEN has_sequence_privilege(seq.id, 'USAGE, SELECT')
                                 THEN pg_sequence_last_value(seq.id) ELSE given.last END, 0)
"""


async def _find_behind(conn: Conn, home: str, column: Column) -> int | None:
    """The largest number, where its sequence has not come so far; None where it has."""
    told = [(column.table, column.name), *_GIVEN.get(column.table, ())]
    largest = [
        sql.SQL("(SELECT max({}) FROM {})").format(
            sql.Identifier(name), sql.Identifier(home, table)
        )
        for table, name in told
    ]
    query = sql.SQL(_BEHIND).format(largest=sql.SQL(", ").join(largest))
    params = {"home": home, "table": column.table, "column": column.name}
    rows = await fetch_all(conn, query, params)
    return int(rows[0]["last"]) if rows else None


async def find_differences(conn: Conn, home: str) -> list[str]:
    """What is not as it should be in those of our tables that are there, a few words each."""
    found: dict[str, None] = {}
    for column, row in await _compare_columns(conn, home):
        place = f"{column.table}.{column.name}"
        if not row["table_there"]:
            continue
        if not row["there"]:
            found[f"the column {place} ({column.definition}) is missing"] = None
        elif not row["same_type"]:
            found[f"the column {place} is {row['type']}, not {column.type}"] = None
        elif problem := _compare(column, not_null=row["not_null"], filled=row["filled"]):
            found[f"the column {place} {problem}"] = None
        elif column.is_key and not row["keyed"]:
            add = f"ALTER TABLE {column.table} ADD PRIMARY KEY ({column.name})"
            found[f"the table {column.table} has lost its primary key ({add})"] = None
    return list(found)


async def find_lost_tables(conn: Conn, home: str) -> list[str]:
    """Our tables that are not in the schema `home`."""
    pairs = await _compare_columns(conn, home)
    return list(dict.fromkeys(column.table for column, row in pairs if not row["table_there"]))


async def _compare_columns(conn: Conn, home: str) -> list[tuple[Column, dict[str, Any]]]:
    columns = list_columns()
    rows = await fetch_all(
        conn,
        load_queries("schema")["compare_columns"],
        {
            "home": home,
            "tables": [column.table for column in columns],
            "columns": [column.name for column in columns],
            "types": [column.type for column in columns],
        },
    )
    return list(zip(columns, rows, strict=True))


def _compare(column: Column, *, not_null: bool, filled: bool) -> str | None:
    if column.filled and not filled:
        return f"has lost its default ({column.definition})"
    if column.not_null != not_null:
        return "may be NULL" if column.not_null else "may not be NULL"
    return None
