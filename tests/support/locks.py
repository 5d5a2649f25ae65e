"""Sessions that wait for a lock of another one."""

from __future__ import annotations

import asyncio

import psycopg

_WAITING = (
    "SELECT pid FROM pg_stat_activity"
    " WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


async def list_waiting(conn: psycopg.AsyncConnection) -> list[int]:
    """Process ids of those in this database, by a connection in autocommit."""
    return [row[0] for row in await (await conn.execute(_WAITING)).fetchall()]


async def wait_for_waiting(conn: psycopg.AsyncConnection, seconds: float = 20.0) -> list[int]:
    """The same, once there is one; raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not (found := await list_waiting(conn)):
            await asyncio.sleep(0.01)
    return found
