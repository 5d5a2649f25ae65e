"""Compares our tables as they are with what the migrations make of them."""

from __future__ import annotations

from typing import Any

from jobs_maint.database import Conn, fetch_all
from jobs_maint.operations.schema.declared import Column, list_columns
from jobs_maint.sql import load_queries

__all__ = ["find_differences", "find_lost_tables"]


async def find_differences(conn: Conn, home: str) -> list[str]:
    """What is not as it should be in our tables of the schema `home`, a few words each."""
    found: dict[str, None] = {}
    for column, row in await _compare_columns(conn, home):
        place = f"{column.table}.{column.name}"
        if not row["table_there"]:
            found[f"the table {column.table} is missing"] = None
        elif not row["there"]:
            found[f"the column {place} ({column.definition}) is missing"] = None
        elif not row["same_type"]:
            found[f"the column {place} is {row['type']}, not {column.type}"] = None
        elif problem := _compare(column, not_null=row["not_null"], filled=row["filled"]):
            found[f"the column {place} {problem}"] = None
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
