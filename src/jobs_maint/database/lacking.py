"""What a role lacks, asked of the catalogue where a statement failed: its own words say less."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from urllib.parse import quote

import psycopg
import psycopg_pool
from psycopg import errors as pg

from jobs_maint.database.connecting import Pool, spell_database
from jobs_maint.database.raised import find_function
from jobs_maint.database.read_only import find_read_only
from jobs_maint.database.transactions import Conn, fetch_all, fetch_one, transaction
from jobs_maint.errors import DatabaseUnavailable, JobsMaintError, SchemaMismatch
from jobs_maint.quoting import few
from jobs_maint.sql import load_queries

__all__ = [
    "ALL_RIGHTS",
    "RIGHTS",
    "Elsewhere",
    "explain_lack",
    "find_elsewhere",
    "find_missing_rights",
    "find_place",
    "name_place",
    "require_usage",
    "say_place",
]

ALL_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
RIGHTS: dict[str, tuple[str, ...]] = {
    "procrastinate_jobs": ("SELECT", "UPDATE", "DELETE"),
    "procrastinate_events": ("SELECT", "INSERT"),  # its triggers write as the user
    "procrastinate_events_id_seq": ("USAGE",),
    "procrastinate_periodic_defers": ("SELECT", "UPDATE"),  # a trigger, when a job is deleted
    "procrastinate_workers": ("SELECT",),
    "jobs_maint_migrations": ("SELECT",),
}
"""What is needed on tables that are not read and written like the rest of ours."""
_LACKING = (
    SchemaMismatch,
    pg.InvalidSchemaName,
    pg.UndefinedColumn,
    pg.UndefinedFunction,
    pg.UndefinedTable,
)
_EXPLAINED = (
    pg.InsufficientPrivilege,
    pg.ReadOnlySqlTransaction,
    pg.UndefinedFunction,
    pg.UndefinedTable,
)
_NAME = re.compile(r"\b(?:jobs_maint|procrastinate)_\w+")


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Tables are in a schema that this connection does not look into."""

    usable: bool
    found: str
    fix: str

    def error(self) -> JobsMaintError:
        return (SchemaMismatch if self.usable else DatabaseUnavailable)(f"{self.found} {self.fix}")


async def find_elsewhere(
    conn: Conn,
    names: Sequence[str] = ("procrastinate_jobs",),
    which: str = "Procrastinate's tables",
) -> Elsewhere | None:
    params = {"names": list(names)}
    rows = await fetch_all(conn, load_queries("lacking")["find_elsewhere"], params)
    if not rows:
        return None
    if len(rows) > 1:
        return _choose_among(rows, which)
    quoted, login = rows[0]["quoted"], rows[0]["login"]
    place = f"{which} are in the schema {rows[0]['schema']}"
    if not rows[0]["usable"]:
        return Elsewhere(
            usable=False,
            found=f"{place}, which this user may not use.",
            fix=_grant(rows[0]),
        )
    path = quoted if quoted == "public" else f"{quoted}, public"
    return Elsewhere(
        usable=True,
        found=f"{place}, which is not on the search path.",
        fix=(
            f"ALTER ROLE {login} SET search_path = {path}; or add "
            f"{_option(quoted)} to JOB_QUEUE_DATABASE_URL."
        ),
    )


def _choose_among(rows: Sequence[Mapping[str, Any]], which: str) -> Elsewhere:
    """Nobody but the team knows which of them are this app's; one login may serve several."""
    ways = [
        f"{_option(row['quoted'])} for {row['schema']}"
        + ("" if row["usable"] else f" (this user may not use it: {_grant(row)})")
        for row in rows
    ]
    return Elsewhere(
        usable=any(row["usable"] for row in rows),
        found=(
            f"{which} are in the schemas {few([row['schema'] for row in rows])}; the search path "
            "reaches none of them."
        ),
        fix=f"Add the schema of your app to JOB_QUEUE_DATABASE_URL: {few(ways)}.",
    )


def _grant(row: Mapping[str, Any]) -> str:
    return f"GRANT USAGE ON SCHEMA {row['quoted']} TO {row['login']};"


def _option(quoted: str) -> str:
    return f"?options=-csearch_path%3D{_escape(quoted)}"


def _escape(name: str) -> str:
    """As the server splits options, in a URL."""
    return quote(name.replace("\\", "\\\\").replace(" ", "\\ "), safe="")


async def require_usage(conn: Conn, *, can_create: bool) -> None:
    """Raises DatabaseUnavailable where this role cannot see whether the tables are there.

    `can_create`: whether new tables would have a place; then a barred schema without any is
    nobody's concern.
    """
    for row in await fetch_all(conn, load_queries("lacking")["find_barred"]):
        if row["holds_jobs"]:
            place, rights = f"Procrastinate's tables are in the schema {row['schema']}", "USAGE"
        elif can_create:
            continue
        else:
            place, rights = f"The search path names the schema {row['schema']}", "USAGE, CREATE"
        raise DatabaseUnavailable(
            f"{place}, which this user may not use. "
            f"GRANT {rights} ON SCHEMA {row['quoted']} TO {row['login']};"
        )


async def explain_lack(pool: Pool, exc: BaseException) -> JobsMaintError | None:
    """The error for what the role does not see, may not use or may not change, with the fix.

    None for every other error, and where the catalogue does not tell more than `exc`.
    """
    if not isinstance(exc, _EXPLAINED) or find_function(exc) is not None:
        return None
    with suppress(psycopg.Error, psycopg_pool.PoolTimeout):
        async with pool.connection() as conn, transaction(conn):
            if isinstance(exc, pg.ReadOnlySqlTransaction):
                found = await find_read_only(conn)
                return DatabaseUnavailable(" ".join(found)) if found is not None else None
            if isinstance(exc, pg.InsufficientPrivilege):
                return await _explain_denied(conn, exc)
            seen = await fetch_all(conn, load_queries("lacking")["is_seen"])
            elsewhere = None if seen[0]["is_seen"] else await find_elsewhere(conn)
            return elsewhere.error() if elsewhere is not None else None
    return None


async def find_place(conn: Conn) -> str:
    """`the database 'jobs' at db:5432 (search path: "$user", public)`; no user, no password."""
    row = await fetch_one(conn, load_queries("lacking")["get_place"])
    info = conn.info
    what = spell_database(row["database"], info.host or info.hostaddr, info.port)
    return f"{what} (search path: {row['search_path'] or 'empty'})"


def say_place(place: str) -> str:
    return f"The answer came from {place}."


async def name_place(pool: Pool, exc: BaseException) -> None:
    """Add the database to an error that leads to `schema apply`: it may be the wrong one."""
    if not (isinstance(exc, _LACKING) or getattr(exc, "maybe_elsewhere", False)):
        return
    with suppress(psycopg.Error, psycopg_pool.PoolTimeout):
        async with pool.connection() as conn, transaction(conn):
            said = say_place(await find_place(conn))
        if isinstance(exc, psycopg.Error):
            exc.add_note(said)  # for `map_error`
        else:
            exc.args = (f"{exc} {said}",)


@dataclass(frozen=True, slots=True)
class MissingRights:
    """`groups`: privileges that are missing, with the tables and sequences that they are for."""

    login: str
    groups: tuple[tuple[str, tuple[str, ...]], ...]

    def say(self) -> str:
        return "; ".join(f"{rights} on {few(tables, 3)}" for rights, tables in self.groups)

    def say_grants(self) -> str:
        return " ".join(
            f"GRANT {rights} ON {'SEQUENCE ' if rights == 'USAGE' else ''}{', '.join(tables)} "
            f"TO {self.login};"
            for rights, tables in self.groups
        )


async def find_missing_rights(conn: Conn, ours: Sequence[str]) -> MissingRights | None:
    """All that the role lacks on `ours` and on what it needs of Procrastinate; None: nothing."""
    needed = RIGHTS | {name: RIGHTS.get(name, ALL_RIGHTS) for name in ours}
    pairs = [(table, right) for table, rights in needed.items() for right in rights]
    params = {"tables": [table for table, _ in pairs], "rights": [right for _, right in pairs]}
    rows = await fetch_all(conn, load_queries("lacking")["list_missing_rights"], params)
    by_rights: dict[str, list[str]] = {}
    for table, lacking in groupby(rows, key=lambda row: row["table_name"]):
        by_rights.setdefault(", ".join(row["privilege"] for row in lacking), []).append(table)
    groups = tuple((rights, tuple(tables)) for rights, tables in by_rights.items())
    return MissingRights(rows[0]["login"], groups) if rows else None


async def _explain_denied(conn: Conn, exc: pg.InsufficientPrivilege) -> JobsMaintError | None:
    """Where it was denied one of these tables, whose name is in the words of every language."""
    denied = _NAME.search(str(exc))
    if denied is None:
        return None
    ours = [row["name"] for row in await fetch_all(conn, load_queries("lacking")["list_ours"])]
    missing = await find_missing_rights(conn, ours)
    if missing is None or all(denied[0] not in tables for _, tables in missing.groups):
        return None
    return DatabaseUnavailable(
        f"The database user {missing.login} lacks {missing.say()}. As the owner of the tables: "
        f"{missing.say_grants()}"
    )
