"""A step of `schema apply`: by one session at a time, in the schema of Procrastinate's tables."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from jobs_maint.database import Conn, fetch_all, fetch_one, transaction
from jobs_maint.errors import DatabaseUnavailable
from jobs_maint.sql import load_queries

__all__ = ["only_one", "use_schema"]

POLL_SECONDS = 0.1
MIGRATION_TIMEOUT = timedelta(minutes=5)
TRANSACTION_TIMEOUT_SINCE = 170000
"""The first version of PostgreSQL that has one; a role's must not end a step."""


async def use_schema(conn: Conn, found: dict[str, Any]) -> None:
    """Until the end of the transaction, what is created goes where Procrastinate's tables are.

    Without them: where ours are, else where the search path says.
    """
    home = found["jobs_schema"] or found["our_schema"]
    if home is None:
        return
    quoted = '"' + str(home).replace('"', '""') + '"'
    path = f"{quoted}, {found['search_path']}" if found["search_path"] else quoted
    await fetch_all(conn, load_queries("schema")["use_schema"], {"search_path": path})


@asynccontextmanager
async def only_one(conn: Conn, lock_wait: timedelta) -> AsyncIterator[None]:
    """A transaction of the only session that changes the schema; behind a proxy too."""
    queries = load_queries("schema")
    deadline = time.monotonic() + lock_wait.total_seconds()
    while True:
        async with transaction(conn, statement_timeout=MIGRATION_TIMEOUT):
            if (await fetch_one(conn, queries["try_lock"]))["locked"]:
                if conn.info.server_version >= TRANSACTION_TIMEOUT_SINCE:
                    await conn.execute("SET LOCAL transaction_timeout = 0")
                yield
                return
            holder = await fetch_all(conn, queries["find_lock_holder"])
        if time.monotonic() >= deadline:
            who = (
                f"process {holder[0]['pid']} ({holder[0]['application_name'] or 'unnamed'}"
                f"{', ' + holder[0]['client'] if holder[0]['client'] else ''})"
                if holder
                else "another session"
            )
            raise DatabaseUnavailable(
                f"{who[0].upper()}{who[1:]} has been applying the schema for more than "
                f"{lock_wait.total_seconds():.0f} s; wait for it or end it, then try again."
            )
        await asyncio.sleep(POLL_SECONDS)
