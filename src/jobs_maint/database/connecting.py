"""Connections to the jobs database."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import psycopg
import psycopg_pool
from psycopg import errors as pg

from jobs_maint.database.encoding import CLIENT_ENCODING
from jobs_maint.database.failing import mapped_errors
from jobs_maint.database.limits import (
    CONNECT_TIMEOUT,
    POOL_TIMEOUT,
    RECONNECT_TIMEOUT,
    SILENCE,
)
from jobs_maint.database.login import find_reason, find_refusal
from jobs_maint.database.silence import ImpatientConnection, limit_silence
from jobs_maint.database.url import parse_url
from jobs_maint.durations import format_age
from jobs_maint.errors import DatabaseUnavailable

__all__ = [
    "Pool",
    "PoolTimeout",
    "describe_database",
    "note_why_not_connected",
    "open_pool",
    "spell_database",
]

Pool = psycopg_pool.AsyncConnectionPool[Any]
PoolTimeout = psycopg_pool.PoolTimeout

RETRY_SECONDS = 0.5
PROBE_TIMEOUT = 2
DEFAULT_PORT = 5432
_TLS = re.compile(r"\bSSL|sslmode|certificate", re.IGNORECASE)


def describe_database(url: str) -> str:
    """`the database 'jobs' at db:5432`: neither user nor password. Raises InvalidSettings."""
    params = parse_url(url)
    host = params.get("host") or params.get("hostaddr") or params.get("service")
    port = params.get("port")
    if host and "," in str(host):  # whichever of them answers
        hosts, ports = str(host).split(","), str(port or "").split(",")
        ports = ports * len(hosts) if len(ports) == 1 else ports
        pairs = zip(hosts, ports, strict=False)
        host, port = " or ".join(f"{one}:{at}" if at else one for one, at in pairs), None
    return spell_database(params.get("dbname") or params.get("user"), host, port)


def spell_database(name: str | None, host: str | None, port: object) -> str:
    what = f"the database {name!r}" if name else "the database"
    if not host or str(host).startswith(("/", "@")):
        return f"{what} on this machine" if host else what
    return f"{what} at {host}:{port}" if port else f"{what} at {host}"


@asynccontextmanager
async def open_pool(
    url: str,
    *,
    min_size: int = 1,
    max_size: int = 4,
    application: str = "jobs-maint",
    wait: timedelta = timedelta(),
) -> AsyncIterator[Pool]:
    """A pool on the jobs database, connected when it is yielded.

    `wait`: how long to try again while the database lets nobody in. Raises InvalidSettings for a
    URL that is none and DatabaseUnavailable when nobody answers or the login is refused; neither
    shows the connection string.
    """
    params = parse_url(url)
    params.setdefault("connect_timeout", CONNECT_TIMEOUT)
    params.setdefault("application_name", application)
    params["client_encoding"] = CLIENT_ENCODING
    conninfo = psycopg.conninfo.make_conninfo("", **params)
    await _try_to_connect(conninfo, params, wait)
    pool: Pool = psycopg_pool.AsyncConnectionPool(
        conninfo,
        min_size=min_size,
        max_size=max_size,
        timeout=POOL_TIMEOUT,
        reconnect_timeout=RECONNECT_TIMEOUT,
        open=False,
        # Prepared statements fail behind a proxy that gives each transaction another session.
        kwargs={"prepare_threshold": None},
        connection_class=ImpatientConnection,
        check=_check,
    )
    with mapped_errors():
        await pool.open()
    try:
        yield pool
    finally:
        await pool.close()


async def _check(conn: psycopg.AsyncConnection[Any]) -> None:
    with limit_silence(conn, SILENCE / 3):  # the pool may try several
        await psycopg_pool.AsyncConnectionPool.check_connection(conn)


async def _try_to_connect(conninfo: str, params: dict[str, Any], wait: timedelta) -> None:
    """A pool hides why it cannot connect; one plain connection tells."""
    deadline = time.monotonic() + wait.total_seconds()
    while True:
        try:
            await (await psycopg.AsyncConnection.connect(conninfo)).close()
        except psycopg.Error as exc:
            if time.monotonic() + RETRY_SECONDS < deadline:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            reason = await _why_not_connected(exc, conninfo, params)
            waited = f" (Waited {format_age(wait)}.)" if wait else ""
            raise DatabaseUnavailable(f"{reason}{waited}") from exc
        return


async def note_why_not_connected(exc: PoolTimeout, conninfo: str, kwargs: dict[str, Any]) -> None:
    """Add to a pool's error why it gets no connection, if that is not because all are in use."""
    try:
        params = psycopg.conninfo.conninfo_to_dict(conninfo, **kwargs)
    except psycopg.ProgrammingError:  # of a class of the team's that takes more than libpq does
        return
    params["connect_timeout"] = PROBE_TIMEOUT
    plain = psycopg.conninfo.make_conninfo("", **params)
    try:
        await (await psycopg.AsyncConnection.connect(plain)).close()
    except psycopg.Error as found:
        exc.add_note(await _why_not_connected(found, plain, params))


async def _why_not_connected(exc: psycopg.Error, conninfo: str, params: dict[str, Any]) -> str:
    """By what can be found out; the words of libpq and of the server are shown, never judged."""
    host = params.get("host") or "the local socket"
    place = f"{host}:{params['port']}" if params.get("port") else str(host)
    probed: OSError | None = None
    if isinstance(exc, pg.ConnectionTimeout):
        probed = TimeoutError()
    elif not params.get("service"):
        probed = await asyncio.to_thread(_probe, params)
    if isinstance(probed, socket.gaierror):
        return (
            f"The host name {host!r} of the jobs database cannot be resolved; "
            "check JOB_QUEUE_DATABASE_URL."
        )
    if isinstance(probed, TimeoutError):
        return (
            f"The jobs database at {place} did not answer within "
            f"{params.get('connect_timeout', CONNECT_TIMEOUT)} s; "
            "check the network and JOB_QUEUE_DATABASE_URL."
        )
    if isinstance(probed, ConnectionRefusedError | FileNotFoundError):
        return (
            f"Nothing is listening at {place} for the jobs database; "
            "check that the server is running and that JOB_QUEUE_DATABASE_URL is right."
        )
    code = await asyncio.to_thread(find_refusal, conninfo)
    reason = _without_password(find_reason(exc), params)
    if code == pg.TooManyConnections.sqlstate:
        return (
            f"All connection slots of the jobs database at {place} are taken ({reason}). Close "
            "some sessions, raise the limit of the server, the database or the role, or try again "
            "in a moment."
        )
    if code == pg.CannotConnectNow.sqlstate:
        return (
            f"The jobs database at {place} is starting up or shutting down ({reason}). Try again "
            "in a moment."
        )
    whose = f"{params.get('user', 'this user')} to {_find_database(params)}"
    if code is None and _TLS.search(reason):
        return (
            f"No connection of {whose} at {place}: {reason}. Check sslmode and its "
            "certificates in JOB_QUEUE_DATABASE_URL."
        )
    if "unsupported startup parameter" in reason:  # the words of PgBouncer, in no other language
        return (
            f"PgBouncer at {place} refused the connection of {whose}: {reason}. Take it out of "
            "JOB_QUEUE_DATABASE_URL; a search path can be set with ALTER ROLE … SET search_path "
            "instead."
        )
    return (
        f"The jobs database at {place} refused the connection of {whose}: {reason}. User, "
        "password and database are those of JOB_QUEUE_DATABASE_URL."
    )


def _find_database(params: dict[str, Any]) -> str:
    name = params.get("dbname") or params.get("user")
    return f"the database {name!r}" if name else "its database"


def _probe(params: dict[str, Any]) -> OSError | None:
    """Why no connection to the server's port or socket comes about; None where one does.

    Of several hosts the last one's reason, as all of them were tried.
    """
    hosts = str(params.get("hostaddr") or params.get("host") or "").split(",")
    ports = str(params.get("port") or os.environ.get("PGPORT") or DEFAULT_PORT).split(",")
    found: OSError | None = None
    for place, host in enumerate(hosts):
        port = ports[place if len(ports) > 1 else 0] or str(DEFAULT_PORT)
        try:
            _touch(host, port)
        except OSError as exc:
            found = exc
        else:
            return None
    return found


def _touch(host: str, port: str) -> None:
    if not host:
        return  # libpq's own default, which is not to be known
    if host.startswith(("/", "@")):
        with socket.socket(socket.AF_UNIX) as unix:
            unix.settimeout(PROBE_TIMEOUT)
            path = f"{host}/.s.PGSQL.{port}"
            unix.connect(f"\0{path[1:]}" if host.startswith("@") else path)
        return
    with socket.create_connection((host, int(port)), timeout=PROBE_TIMEOUT):
        pass


def _without_password(text: str, params: dict[str, Any]) -> str:
    """No server tells a password, but libpq quotes a setting that it cannot read.

    Only such a text is hidden, and whole: `***` in place of a word or of half a name would tell
    the password to whoever knows that word.
    """
    password = str(params.get("password") or "")
    if not password:
        return text
    names = {str(params.get(key)) for key in ("user", "dbname", "host", "hostaddr", "port")}
    quoted = rf"""(["'„«»])((?:{re.escape(password)}|[^"'“”«»\n])*)(["'“”«»])"""

    def hide(found: re.Match[str]) -> str:
        is_setting = any(sign in found[2] for sign in "=@:%") and password in found[2]
        if found[2] in names or not (is_setting or found[2] == password):
            return found[0]
        return f"{found[1]}***{found[3]}"

    return re.sub(quoted, hide, text)
