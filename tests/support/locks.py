"""Sessions of this database that wait for a lock of another one, or sleep."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.support.waiting import until

Conn = psycopg.AsyncConnection[Any]
"""One in autocommit: within a transaction `pg_stat_activity` stays as it was first seen."""


async def list_waiting(conn: Conn) -> list[int]:
    """Process ids of those that wait for a lock."""
    return await _list(conn, "wait_event_type = 'Lock'")


async def wait_for_waiting(conn: Conn) -> list[int]:
    """The same, once there is one."""
    return await until(lambda: list_waiting(conn), "a wait for a lock")


async def wait_for_sleeping(conn: Conn) -> list[int]:
    """Process ids of those in `pg_sleep`, once there is one; `hold_deletes` sleeps in it, too."""
    return await until(lambda: _list(conn, "wait_event = 'PgSleep'"), "a call of pg_sleep")


async def _list(conn: Conn, which: str) -> list[int]:
    query = f"SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND {which}"
    return [row[0] for row in await (await conn.execute(query)).fetchall()]
