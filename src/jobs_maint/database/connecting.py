"""Connections to the jobs database, and whether its tables are there."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import psycopg_pool
from psycopg import errors as pg

from jobs_maint.database.failing import APPLY, mapped_errors
from jobs_maint.database.limits import CONNECT_TIMEOUT, POOL_TIMEOUT
from jobs_maint.database.transactions import fetch_all, fetch_one, transaction
from jobs_maint.errors import DatabaseUnavailable, InvalidSettings, SchemaMismatch
from jobs_maint.sql import list_migrations, load_queries

__all__ = ["Pool", "check_schema", "normalise_url", "open_pool"]

Pool = psycopg_pool.AsyncConnectionPool[Any]

_DRIVER = re.compile(r"^(postgres|postgresql)(\+\w+)?://")


def normalise_url(url: str) -> str:
    """`postgres://` and SQLAlchemy's `postgresql+driver://` as libpq wants them."""
    return _DRIVER.sub("postgresql://", url.strip())


def _parse(url: str) -> dict[str, Any]:
    try:
        return psycopg.conninfo.conninfo_to_dict(normalise_url(url))
    except psycopg.ProgrammingError:
        # The cause quotes the connection string, password included: it must not be chained.
        raise InvalidSettings(
            "JOB_QUEUE_DATABASE_URL is not the URL of a PostgreSQL database; write it as "
            "postgresql://user:password@host:5432/jobs"
        ) from None


@asynccontextmanager
async def open_pool(
    url: str, *, min_size: int = 1, max_size: int = 4, application: str = "jobs-maint"
) -> AsyncIterator[Pool]:
    """A pool on the jobs database, connected when it is yielded.

    Raises InvalidSettings for an invalid URL, and DatabaseUnavailable when the server does not
    answer or refuses the login; neither message shows the connection string.
    """
    params = _parse(url)
    params.setdefault("connect_timeout", CONNECT_TIMEOUT)
    params.setdefault("application_name", application)
    conninfo = psycopg.conninfo.make_conninfo("", **params)
    try:
        # A pool hides why it cannot connect; a single connection shows it.
        await (await psycopg.AsyncConnection.connect(conninfo)).close()
    except psycopg.Error as exc:
        raise DatabaseUnavailable(_why_not_connected(exc, params)) from exc
    pool: Pool = psycopg_pool.AsyncConnectionPool(
        conninfo,
        min_size=min_size,
        max_size=max_size,
        timeout=POOL_TIMEOUT,
        open=False,
        # Prepared statements fail behind a proxy that gives each transaction another session.
        kwargs={"prepare_threshold": None},
        check=psycopg_pool.AsyncConnectionPool.check_connection,
    )
    with mapped_errors():
        await pool.open()
    try:
        yield pool
    finally:
        await pool.close()


def _why_not_connected(exc: psycopg.Error, params: dict[str, Any]) -> str:
    host = params.get("host") or "the local socket"
    place = f"{host}:{params['port']}" if params.get("port") else str(host)
    name = params.get("dbname") or params.get("user") or ""
    text = str(exc)
    if "password authentication failed" in text or "no password supplied" in text:
        return (
            f"The jobs database at {place} refused the login of {params.get('user', 'this user')}; "
            "check the user and password in JOB_QUEUE_DATABASE_URL."
        )
    if re.search(r'(database|role) ".*" does not exist', text):
        what = "user" if "role" in text else "database"
        value = params.get("user") if what == "user" else name
        return (
            f"The server at {place} has no {what} named {value!r}; "
            "check JOB_QUEUE_DATABASE_URL, or create it."
        )
    if "resolve" in text or "translate host name" in text:
        return (
            f"The host name {host!r} of the jobs database cannot be resolved; "
            "check JOB_QUEUE_DATABASE_URL."
        )
    if "refused" in text or "No such file" in text:
        return (
            f"Nothing is listening at {place} for the jobs database; "
            "check that the server is running and that JOB_QUEUE_DATABASE_URL is right."
        )
    if isinstance(exc, pg.ConnectionTimeout) or "timeout" in text:
        return (
            f"The jobs database at {place} did not answer within {CONNECT_TIMEOUT} s; "
            "check the network and JOB_QUEUE_DATABASE_URL."
        )
    reason = text.strip().splitlines()[-1] if text.strip() else type(exc).__name__
    return f"The jobs database at {place} cannot be reached: {_without_secrets(reason, params)}"


def _without_secrets(text: str, params: dict[str, Any]) -> str:
    password = params.get("password")
    return text.replace(str(password), "***") if password else text


async def check_schema(pool: Pool) -> None:
    """Raise SchemaMismatch when Procrastinate's tables or ours are missing or old."""
    queries = load_queries("schema")
    with mapped_errors():
        async with pool.connection() as conn, transaction(conn):
            found = await fetch_one(conn, queries["find_tables"])
            if found["jobs_schema"] is None:
                raise SchemaMismatch(f"The database has no Procrastinate tables; {APPLY}.")
            if not found["supported"]:
                raise SchemaMismatch(
                    "Procrastinate's tables are older than version 3.4; apply its migrations first."
                )
            applied = (
                {row["number"] for row in await fetch_all(conn, queries["list_applied"])}
                if found["ours"]
                else set()
            )
    missing = [m.name for m in list_migrations() if m.number not in applied]
    if missing:
        raise SchemaMismatch(
            f"The tables of procrastinate-ops are {'out of date' if applied else 'missing'} "
            f"({missing[0]}{' …' if len(missing) > 1 else ''} is not applied); {APPLY}."
        )
