"""Where Procrastinate's tables and ours stand, and what of it cannot be worked with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jobs_maint.database import Conn, fetch_all, fetch_one, find_elsewhere, require_usage
from jobs_maint.errors import SchemaMismatch
from jobs_maint.operations.schema.declared import (
    list_first_columns,
    list_own_indexes,
    list_tables,
)
from jobs_maint.operations.schema.indexes import list_indexes
from jobs_maint.quoting import few
from jobs_maint.sql import load_queries

__all__ = [
    "TABLES",
    "Trouble",
    "find_foreign",
    "find_places",
    "find_strays",
    "judge_theirs",
    "require_places",
]

TABLES = ["jobs_maint_migrations", *list_tables()]


@dataclass(frozen=True, slots=True)
class Trouble:
    found: str
    fix: str


async def find_places(conn: Conn) -> dict[str, Any]:
    """The row of `find_tables`."""
    return await fetch_one(conn, load_queries("schema")["find_tables"])


async def require_places(conn: Conn) -> dict[str, Any]:
    """The same where a schema can be applied.

    Raises DatabaseUnavailable where the role may not look, SchemaMismatch where it is no use.
    """
    found = await find_places(conn)
    if found["jobs_schema"] is None:
        await require_usage(conn, can_create=found["current_schema"] is not None)
        # Beside ours, or what is left of Procrastinate's, others would be one set too many.
        made = found["left_over"] or found["our_schema"]
        if made and (elsewhere := await find_elsewhere(conn)) is not None:
            raise elsewhere.error()
    trouble = judge_theirs(found) or await find_foreign(conn) or await find_strays(conn)
    if trouble:
        raise SchemaMismatch(f"{trouble.found} Nothing was changed. {trouble.fix}")
    if found["jobs_schema"] is not None and not found["supported"]:
        raise SchemaMismatch(
            "Procrastinate's tables are older than version 3.4; "
            "apply its migrations first (see its documentation), then `jobs-maint schema apply`."
        )
    return found


def judge_theirs(found: dict[str, Any]) -> Trouble | None:
    """Whether some of Procrastinate's tables are there and others are not."""
    home, left = found["jobs_schema"], found["left_over"]
    if home is None and left:
        home, what = found["new_home"], f"there is no procrastinate_jobs beside {few(left, 3)}"
    elif home is not None and found["lost"]:
        what = f"there is no {few(found['lost'], 3)}"
    else:
        return None
    return Trouble(
        f"Procrastinate's tables in the schema {home} are incomplete: {what}.",
        "Restore them from a backup; or, where none of their jobs is needed any more, drop what is "
        "left of them, then run `jobs-maint schema apply`.",
    )


async def find_foreign(conn: Conn) -> Trouble | None:
    """Whether something of the team has the name of a table or an index of ours.

    A table that has few of the columns is none of ours.
    """
    tables, columns = zip(("jobs_maint_migrations", "number"), *list_first_columns(), strict=True)
    indexes = [name for name, *_ in list_indexes()] + [name for name, *_ in list_own_indexes()]
    params = {
        "tables": list(tables), "columns": list(columns), "names": TABLES, "indexes": indexes
    }  # fmt: skip
    rows = await fetch_all(conn, load_queries("schema")["find_foreign"], params)
    if not rows:
        return None
    first = rows[0]
    place, kind, of_kind = first["place"], first["kind"], first["of_kind"]
    an, but = "an" if of_kind == "index" else "a", ""
    if missing := first["missing"]:
        but = f", but is not one: it lacks the columns {few(missing, 3)}"
    return Trouble(
        f"The {kind} {place} has the name of {an} {of_kind} of procrastinate-ops{but}.",
        f"Rename it (ALTER {kind.upper()} {place} RENAME TO …), then run `jobs-maint schema "
        "apply`.",
    )


async def find_strays(conn: Conn) -> Trouble | None:
    """Whether a table of ours that is found on the search path stands in a schema of its own.

    Beside other tables of Procrastinate it belongs to them.
    """
    rows = await fetch_all(conn, load_queries("schema")["find_strays"], {"names": TABLES})
    if not rows:
        return None
    first = rows[0]
    if first["twice"]:
        return Trouble(
            f"Tables of procrastinate-ops are in the schema {first['home']}, beside "
            f"Procrastinate's, and hidden by those in the schema {first['schema']}, which is first "
            "on the search path.",
            f"Take {first['quoted']} off the search path, or drop its tables jobs_maint_*.",
        )
    statement = (
        "DO $$ BEGIN EXECUTE (SELECT string_agg(format('ALTER TABLE %s SET SCHEMA "
        f"{_in_quotes(first['quoted_home'])}', oid::regclass), '; ') FROM pg_class WHERE relkind = "
        f"'r' AND relname LIKE 'jobs\\_maint\\_%' AND relnamespace = "
        f"'{_in_quotes(first['quoted'])}'::regnamespace); END $$;"
    )
    return Trouble(
        f"Tables of procrastinate-ops are in the schema {first['schema']}, and Procrastinate's in "
        f"the schema {first['home']}.",
        f"Move ours, in psql, then run `jobs-maint schema apply`: {statement}",
    )


def _in_quotes(text: str) -> str:
    return text.replace("'", "''")
