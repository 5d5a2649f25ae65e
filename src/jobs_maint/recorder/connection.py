"""The recorder's connection: of its own, opened as the team's pool opens its."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import psycopg

from jobs_maint.database import CLIENT_ENCODING, give_up_after

__all__ = ["connect", "short_transaction"]

CONNECTION = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
CONNECT_LIMIT = 20.0
"""Seconds for the pool's class and function too; the beats wait for them."""
SILENCE = 15.0
"""Seconds without an answer; the server ends each of these statements after five."""
_FIXED = {
    "application_name": "jobs-maint-recorder",
    "autocommit": True,
    "client_encoding": CLIENT_ENCODING,
    # Prepared statements fail behind a proxy that gives each transaction another session.
    "prepare_threshold": None,
}


class _Connection(psycopg.Connection[Any]):
    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        return super().wait(give_up_after(SILENCE, self.pgconn, gen), *args, **kwargs)


class _Loop(asyncio.SelectorEventLoop):
    """Looks names up in its own thread: executors do not work while the interpreter ends."""

    async def getaddrinfo(self, host: Any, port: Any, **kwargs: Any) -> Any:
        return socket.getaddrinfo(host, port, **kwargs)


def connect(
    conninfo: str,
    kwargs: dict[str, Any],
    *,
    connection_class: type[psycopg.AsyncConnection[Any]] = psycopg.AsyncConnection,
    configure: Callable[[Any], Awaitable[None]] | None = None,
) -> psycopg.Connection[Any]:
    """A connection for the recorder's thread, opened and configured as the team's pool does it.

    The pool's class and function are for async connections, so one is opened; what is left of it
    is libpq's connection.
    """

    async def open_one() -> psycopg.AsyncConnection[Any]:
        given = {**CONNECTION, **kwargs, **_FIXED}
        opened = await connection_class.connect(conninfo, **given)
        try:
            if configure is not None:
                await configure(opened)
                if opened.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                    raise psycopg.InterfaceError(  # noqa: TRY301  closed below
                        f"{configure!r} left the connection in a transaction"
                    )
        except BaseException:
            await opened.close()
            raise
        return opened

    with asyncio.Runner(loop_factory=_Loop) as runner:
        opened = runner.run(asyncio.wait_for(open_one(), CONNECT_LIMIT))
    conn = _Connection(opened.pgconn)
    del opened.pgconn  # now the other's: this one would warn that it was never closed
    conn.autocommit = True
    conn.prepare_threshold = None
    conn.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    return conn


@contextlib.contextmanager
def short_transaction(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Its settings end with it: behind a proxy the session is shared with others.

    It does not wait for the disk: losing a record in a server crash costs less than waiting for
    a commit per failure.
    """
    with conn.transaction():
        conn.execute(
            "SELECT set_config('synchronous_commit', 'off', true),"
            " set_config('lock_timeout', '4s', true),"
            " set_config('statement_timeout', '5s', true),"
            f" set_config('client_encoding', '{CLIENT_ENCODING}', true)"
        )
        yield
