"""Which indexes there should be, and which of them are not there or not as they should be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, LiteralString

from jobs_maint.database import Conn, fetch_all
from jobs_maint.operations.schema.declared import canonical, list_own_indexes
from jobs_maint.sql import load_queries

__all__ = [
    "Index",
    "find_index",
    "list_all_indexes",
    "list_indexes",
    "say_taken",
]


@dataclass(frozen=True, slots=True)
class Index:
    name: str
    table: str
    statement: str

    def build_in(self, home: str) -> str:
        """The statement that builds it concurrently; `home`: the quoted name of the schema."""
        head, _, rest = self.statement.partition(f" ON {self.table}")
        head = head.replace(" CONCURRENTLY", "").replace(" IF NOT EXISTS", "")
        head = head.replace(" INDEX ", " INDEX CONCURRENTLY ", 1)
        return f"{head.strip()} ON {home}.{self.table}{rest}"


def list_indexes() -> Iterator[tuple[str, LiteralString]]:
    """Name and statement of each index on Procrastinate's tables."""
    for name, statement in load_queries("indexes").items():
        if name.startswith("jobs_maint_"):
            yield name, statement


def list_all_indexes() -> list[Index]:
    """Those on Procrastinate's tables, and those that the migrations make on our own."""
    found = []
    for name, statement in list_indexes():
        table = statement.partition(" ON ")[2].split()[0]
        found.append(Index(name, table, statement.rstrip(";")))
    return found + [Index(name, table, text) for name, table, text in list_own_indexes()]


async def find_index(conn: Conn, index: Index, home: str) -> dict[str, Any] | None:
    """Its row of `get_index` with `good`: valid and as it should be. None without its table."""
    params = {"home": home, "table": index.table, "name": index.name}
    rows = await fetch_all(conn, load_queries("indexes")["get_index"], params)
    if not rows:
        return None
    row = rows[0]
    same = row["definition"] and canonical(row["definition"]) == canonical(index.statement)
    return {**row, "good": bool(row["valid"] and same)}


def say_taken(table: str) -> str:
    """Why an index cannot be built while `table` has one of its name."""
    return (
        f"an index of the table {table} has this name; drop that table if it is not needed, or "
        "rename its indexes, then run schema apply again"
    )
