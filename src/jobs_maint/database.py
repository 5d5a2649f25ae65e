"""Connections to the jobs database, transactions with limits, and the one map of its errors."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import psycopg_pool
from psycopg import errors as pg
from psycopg.rows import DictRow, dict_row

from jobs_maint.errors import DatabaseUnavailable, InvalidSettings, JobsMaintError, SchemaMismatch
from jobs_maint.sql import list_migrations, load_queries

__all__ = [
    "Conn",
    "Pool",
    "check_schema",
    "fetch_all",
    "fetch_one",
    "mapped_errors",
    "normalise_url",
    "open_pool",
    "transaction",
    "undone_transaction",
]

Pool = psycopg_pool.AsyncConnectionPool[Any]
Conn = psycopg.AsyncConnection[Any]

CONNECT_TIMEOUT = 10
"""Seconds; a database that takes longer to answer is as good as gone at 3 a.m."""
POOL_TIMEOUT = 15.0
LOCK_TIMEOUT = timedelta(seconds=5)
STATEMENT_TIMEOUT = timedelta(seconds=60)

_DRIVER = re.compile(r"^(postgres|postgresql)(\+\w+)?://")
_APPLY = "run `jobs-maint schema apply`"
_UNDONE = "this step changed nothing"


def normalise_url(url: str) -> str:
    """`postgres://` and SQLAlchemy's `postgresql+driver://` as libpq wants them."""
    return _DRIVER.sub("postgresql://", url.strip())


def _parse(url: str) -> dict[str, Any]:
    try:
        return psycopg.conninfo.conninfo_to_dict(normalise_url(url))
    except psycopg.ProgrammingError:
        # The cause quotes the connection string, password included: it must not be chained.
        raise InvalidSettings(
            "JOB_QUEUE_DATABASE_URL is not an address of a PostgreSQL database; write it as "
            "postgresql://user:password@host:5432/jobs"
        ) from None


@asynccontextmanager
async def open_pool(
    url: str, *, min_size: int = 1, max_size: int = 4, application: str = "jobs-maint"
) -> AsyncIterator[Pool]:
    """A pool on the jobs database, connected when it is yielded.

    Raises InvalidSettings for a URL that is none and DatabaseUnavailable when nobody answers or
    the login is refused; neither shows the connection string.
    """
    params = _parse(url)
    params.setdefault("connect_timeout", CONNECT_TIMEOUT)
    params.setdefault("application_name", application)
    conninfo = psycopg.conninfo.make_conninfo("", **params)
    try:
        # A pool hides why it cannot connect; one plain connection tells.
        await (await psycopg.AsyncConnection.connect(conninfo)).close()
    except psycopg.Error as exc:
        raise DatabaseUnavailable(_why_not_connected(exc, params)) from exc
    pool: Pool = psycopg_pool.AsyncConnectionPool(
        conninfo,
        min_size=min_size,
        max_size=max_size,
        timeout=POOL_TIMEOUT,
        open=False,
        # A proxy that gives each transaction another session knows no prepared statement.
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
            "check user and password in JOB_QUEUE_DATABASE_URL."
        )
    if re.search(r'(database|role) ".*" does not exist', text):
        what = "user" if "role" in text else "database"
        value = params.get("user") if what == "user" else name
        return (
            f"The server at {place} has no {what} named {value!r}; "
            "check JOB_QUEUE_DATABASE_URL, or create it."
        )
    if "resolve" in text or "translate host name" in text:
        return f"The host {host!r} of the jobs database is unknown; check JOB_QUEUE_DATABASE_URL."
    if "refused" in text or "No such file" in text:
        return (
            f"Nothing listens for the jobs database at {place}; "
            "is the server running, and is JOB_QUEUE_DATABASE_URL right?"
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


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Turn psycopg's errors into ours, once for all front ends."""
    try:
        yield
    except JobsMaintError:
        raise
    except (psycopg.Error, psycopg_pool.PoolTimeout, psycopg_pool.PoolClosed) as exc:
        raise map_error(exc) from exc


_PLAIN: tuple[tuple[type[Exception], type[JobsMaintError], str], ...] = (
    (
        pg.LockNotAvailable, DatabaseUnavailable,
        (f"Another session holds these rows or tables for more than "
        f"{LOCK_TIMEOUT.total_seconds():.0f} s; {_UNDONE}, try again in a moment."),
    ),
    (
        pg.DeadlockDetected, DatabaseUnavailable,
        ("Another session changed the same rows at the same time; "
        f"{_UNDONE}, try again in a moment."),
    ),
    (
        pg.SerializationFailure, DatabaseUnavailable,
        ("Another session changed the same rows at the same time; "
        f"{_UNDONE}, try again in a moment."),
    ),
    (
        pg.InvalidSchemaName, SchemaMismatch,
        ("No schema on the search path of this connection exists; create it, or correct "
        "search_path in the options of JOB_QUEUE_DATABASE_URL or of the role."),
    ),
    (
        pg.TooManyConnections, DatabaseUnavailable,
        "All connections of the database server are taken; end some, or try again in a moment.",
    ),
    (
        pg.ReadOnlySqlTransaction, DatabaseUnavailable,
        ("The database accepts no changes (read only: a standby?); "
        "JOB_QUEUE_DATABASE_URL must name the primary."),
    ),
    (
        pg.DiskFull, DatabaseUnavailable,
        f"The disk of the jobs database is full; {_UNDONE}.",
    ),
)  # fmt: skip


def map_error(exc: Exception) -> JobsMaintError:
    """Our error for one of psycopg's; never shows the connection string."""
    for kind, ours, sentence in _PLAIN:
        if isinstance(exc, kind):
            return ours(sentence)
    if isinstance(exc, pg.UndefinedTable | pg.UndefinedColumn | pg.UndefinedFunction):
        missing = re.search(r'"?((?:jobs_maint|procrastinate)_\w+)"?', str(exc))
        what = missing[1] if missing else "a table"
        return SchemaMismatch(f"The jobs database has no {what}; {_APPLY}.")
    if isinstance(exc, pg.InsufficientPrivilege):
        what = str(exc).strip().splitlines()[0]
        return DatabaseUnavailable(
            f"The database user lacks a right: {what}; grant it, or use a user that has it."
        )
    if isinstance(exc, pg.QueryCanceled):
        if "statement timeout" not in str(exc):
            return DatabaseUnavailable(
                f"The query was cancelled on the database's side; {_UNDONE}, try again."
            )
        return DatabaseUnavailable(
            f"The database needed more than {STATEMENT_TIMEOUT.total_seconds():.0f} s and was "
            f"stopped; {_UNDONE}. Ask for less (a queue, a shorter span)."
        )
    if isinstance(exc, psycopg_pool.PoolTimeout):
        waited = re.search(r"[\d.]+(?= sec)", str(exc))  # the team's pool has its own time limit
        return DatabaseUnavailable(
            f"No connection to the jobs database within "
            f"{float(waited[0]) if waited else POOL_TIMEOUT:.0f} s; "
            "it is down, or its connections are all taken."
        )
    if isinstance(exc, psycopg.OperationalError | psycopg_pool.PoolClosed):
        return DatabaseUnavailable(
            "The connection to the jobs database was lost; what was not committed did not happen. "
            "Try again in a moment."
        )
    reason = str(exc).strip().splitlines()[:1]
    return JobsMaintError(
        f"The jobs database answered: {reason[0] if reason else type(exc).__name__}"
    )


@asynccontextmanager
async def transaction(
    conn: Conn,
    *,
    lock_timeout: timedelta = LOCK_TIMEOUT,
    statement_timeout: timedelta = STATEMENT_TIMEOUT,
    snapshot: bool = False,
) -> AsyncIterator[Conn]:
    """A READ COMMITTED transaction with limits, whatever the connection's defaults are.

    The isolation level matters: re-checks after a lock need a fresh snapshot. With `snapshot`, for
    reading, all its statements see the same moment. Times come as UTC, whatever the time zone of
    the server or the role.
    """
    async with conn.transaction():
        await _limit(conn, lock_timeout, statement_timeout, snapshot=snapshot)
        yield conn


@asynccontextmanager
async def undone_transaction(conn: Conn) -> AsyncIterator[Conn]:
    """The same to see what would come of it: nothing of it stays."""
    async with conn.transaction(force_rollback=True):
        await _limit(conn, LOCK_TIMEOUT, STATEMENT_TIMEOUT)
        yield conn


async def _limit(
    conn: Conn, lock_timeout: timedelta, statement_timeout: timedelta, *, snapshot: bool = False
) -> None:
    level = "REPEATABLE READ" if snapshot else "READ COMMITTED"
    await conn.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
    await conn.execute(
        "SELECT set_config('lock_timeout', %s, true),"
        " set_config('statement_timeout', %s, true),"
        " set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO', true)",
        (_milliseconds(lock_timeout), _milliseconds(statement_timeout)),
    )


def _milliseconds(span: timedelta) -> str:
    return f"{max(1, round(span.total_seconds() * 1000))}ms"


async def fetch_all(conn: Conn, query: Any, params: dict[str, Any] | None = None) -> list[DictRow]:
    """All rows as dicts, whatever row factory the connection has."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, params or {})
        return await cursor.fetchall() if cursor.description else []


async def fetch_one(conn: Conn, query: Any, params: dict[str, Any] | None = None) -> DictRow:
    """The only row as a dict; raises LookupError when there is none."""
    rows = await fetch_all(conn, query, params)
    if not rows:
        raise LookupError("the query returned no row")
    return rows[0]


async def check_schema(pool: Pool) -> None:
    """Raise SchemaMismatch when Procrastinate's tables or ours are missing or old."""
    queries = load_queries("schema")
    with mapped_errors():
        async with pool.connection() as conn, transaction(conn):
            found = await fetch_one(conn, queries["find_tables"])
            if found["jobs_schema"] is None:
                raise SchemaMismatch(f"The database has no Procrastinate tables; {_APPLY}.")
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
            f"The tables of procrastinate-ops are {'old' if applied else 'missing'} "
            f"({missing[0]}{' …' if len(missing) > 1 else ''} is not applied); {_APPLY}."
        )
