"""Which database this is, for what may meet the traces of another one."""

from __future__ import annotations

import hashlib
from contextlib import suppress

from psycopg import errors as pg

from jobs_maint.database.connecting import Pool
from jobs_maint.database.failing import mapped_errors
from jobs_maint.database.transactions import fetch_one, transaction
from jobs_maint.sql import load_queries

__all__ = ["identify_database"]

_LENGTH = 12


async def identify_database(pool: Pool, environment: str = "") -> str:
    """A short mark that two databases do not share, and that tells nothing of either.

    A physical copy shares everything but its `environment`. Empty where the server does not say.
    """
    with mapped_errors(), suppress(pg.InsufficientPrivilege, pg.UndefinedFunction):
        async with pool.connection() as conn, transaction(conn):
            row = await fetch_one(conn, load_queries("session")["identify_database"])
        parts = (row["cluster"], row["database"], row["jobs"], environment)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_LENGTH]
    return ""
