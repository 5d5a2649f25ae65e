"""Whether the tables are there and current."""

from __future__ import annotations

import psycopg

from jobs_maint.database.connecting import Pool
from jobs_maint.database.failing import APPLY, mapped_errors
from jobs_maint.database.lacking import explain_lack, find_elsewhere, name_place
from jobs_maint.database.transactions import Conn, fetch_all, fetch_one, transaction
from jobs_maint.errors import SchemaMismatch
from jobs_maint.sql import list_migrations, load_queries

__all__ = ["check_schema"]


async def check_schema(pool: Pool) -> None:
    """Raise SchemaMismatch when Procrastinate's tables or ours are missing or old.

    DatabaseUnavailable, with the GRANT, when the role may not look.
    """
    with mapped_errors():
        try:
            async with pool.connection() as conn, transaction(conn):
                _require_current(await _list_applied(conn))
        except (psycopg.Error, SchemaMismatch) as exc:
            told = await explain_lack(pool, exc) or exc
            await name_place(pool, told)
            if told is exc:
                raise
            raise told from exc


def _require_current(applied: set[int]) -> None:
    missing = [m.name for m in list_migrations() if m.number not in applied]
    if missing:
        raise SchemaMismatch(
            f"The tables of procrastinate-ops are {'out of date' if applied else 'missing'} "
            f"({missing[0]}{' …' if len(missing) > 1 else ''} is not applied); {APPLY}."
        )


async def _list_applied(conn: Conn) -> set[int]:
    queries = load_queries("schema")
    found = await fetch_one(conn, queries["find_tables"])
    if found["jobs_schema"] is None:
        if (elsewhere := await find_elsewhere(conn)) is not None:
            raise elsewhere.error()
        raise SchemaMismatch(f"The database has no Procrastinate tables; {APPLY}.")
    if not found["supported"]:
        raise SchemaMismatch(
            "Procrastinate's tables are older than version 3.4; apply its migrations first."
        )
    if not found["ours"]:
        return set()
    return {row["number"] for row in await fetch_all(conn, queries["list_applied"])}
