"""Keep a purge at work until the test says so."""

from __future__ import annotations

from typing import Any

import psycopg

Conn = psycopg.AsyncConnection[Any]


async def hold_deletes(conn: Conn) -> None:
    """Whoever deletes a job waits until `release_deletes`."""
    await conn.execute("CREATE TABLE released ()")
    await conn.execute(
        "CREATE FUNCTION wait_for_release() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " WHILE NOT EXISTS (SELECT FROM released) LOOP PERFORM pg_sleep(0.02); END LOOP;"
        " RETURN NULL; END $$"
    )
    await conn.execute(
        "CREATE TRIGGER wait BEFORE DELETE ON procrastinate_jobs EXECUTE FUNCTION"
        " wait_for_release()"
    )


async def release_deletes(conn: Conn) -> None:
    await conn.execute("INSERT INTO released DEFAULT VALUES")
