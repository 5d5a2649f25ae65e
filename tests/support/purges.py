"""Keep a purge at work until the test says so."""

from __future__ import annotations

from typing import Any

import psycopg

Conn = psycopg.AsyncConnection[Any]


_HELD = 4711
"""The advisory lock that is held meanwhile: the wait sees its release whatever its snapshot."""


async def hold_deletes(conn: Conn, *, row: str | None = None) -> None:
    """Whoever deletes jobs waits until `release_deletes`: at the statement's beginning, or at the
    row with this task name, which is locked by then.

    Named like Procrastinate's own: with a trigger of the team's a purge locks its rows first."""
    await conn.execute("SELECT pg_advisory_lock(%s)", (_HELD,))
    await conn.execute(
        "CREATE FUNCTION wait_for_release() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" WHILE NOT pg_try_advisory_xact_lock_shared({_HELD}) LOOP PERFORM pg_sleep(0.02);"
        " END LOOP; RETURN OLD; END $$"
    )
    rows = f"FOR EACH ROW WHEN (old.task_name = '{row}')" if row is not None else ""
    await conn.execute(
        f"CREATE TRIGGER procrastinate_wait BEFORE DELETE ON procrastinate_jobs {rows}"
        " EXECUTE FUNCTION wait_for_release()".encode()
    )


async def release_deletes(conn: Conn) -> None:
    """By the connection that holds them."""
    await conn.execute("SELECT pg_advisory_unlock(%s)", (_HELD,))
