"""Of rows that could not be locked: which another session holds."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import errors as pg

from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.sql import load_queries

__all__ = ["find_held"]


async def find_held(conn: Conn, ids: Sequence[int]) -> set[int]:
    """Those of the jobs that were left out as their rows were locked; a policy kept the others.

    What the row shows of its locks does not tell: of several sessions that share one it has a
    number that no view knows, and of a released savepoint one that nobody has any more. So each
    lock is asked for, halves first.
    """
    queries = load_queries("locks")
    if not ids or not (await fetch_one(conn, queries["is_guarded"]))["guarded"]:
        return set(ids)
    held: set[int] = set()
    parts = [list(ids)]
    while parts:
        part = parts.pop()
        try:
            async with conn.transaction():
                # Those that can be locked by now were held a moment ago.
                held |= {
                    row["id"] for row in await fetch_all(conn, queries["lock_now"], {"ids": part})
                }
        except pg.LockNotAvailable:
            if len(part) == 1:
                held |= {*part}
            else:
                half = len(part) // 2
                parts += [part[:half], part[half:]]
    return held
