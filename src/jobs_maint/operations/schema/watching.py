"""A concurrent build or drop waits for other sessions' transactions: not for ever, and for whom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import psycopg
import psycopg_pool

from jobs_maint.database import Conn, Pool, describe_session, fetch_all, transaction
from jobs_maint.sql import load_queries

__all__ = ["Watch", "describe_transaction"]


class Watch:
    """Cancels a concurrent statement that waits for others for longer than `patience`.

    Without a second connection nothing is cancelled. `blocker`: for whom the cancelled one waited.
    """

    def __init__(self, pool: Pool, statement: str, patience: timedelta) -> None:
        self._pool = pool
        self._patience = patience.total_seconds()
        self._beginning = statement[:60]
        self.blocker: str | None = None

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _watch(self) -> None:
        waited_since: float | None = None
        while True:
            await asyncio.sleep(min(1.0, self._patience / 4))
            # Without a second connection nobody is cancelled; the next look may get one.
            with suppress(psycopg.Error, psycopg_pool.PoolTimeout):
                async with self._pool.connection() as conn, transaction(conn):
                    waited_since = await self._look(conn, waited_since)

    async def _look(self, conn: Conn, since: float | None) -> float | None:
        queries = load_queries("indexes")
        found = await fetch_all(conn, queries["find_waiting_build"], {"beginning": self._beginning})
        if not found:
            return None
        since = since or time.monotonic() - min(1.0, self._patience / 4)
        if time.monotonic() - since >= self._patience:
            self.blocker = await describe_transaction(conn, found[0]["blockers"])
            await fetch_all(conn, queries["cancel"], {"pid": found[0]["pid"]})
        return since


async def describe_transaction(conn: Conn, pids: list[int]) -> str:
    rows = await fetch_all(conn, load_queries("indexes")["describe_sessions"], {"pids": pids})
    return f"the transaction of {describe_session(rows[0])}" if rows else "another transaction"
