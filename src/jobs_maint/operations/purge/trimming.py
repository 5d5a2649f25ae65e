"""Delete old rows from our own tables, in short batches."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import LiteralString

from jobs_maint.database import Conn, Pool, transaction
from jobs_maint.operations.bad_rows import Postponed
from jobs_maint.sql import load_queries

__all__ = ["trim_tables"]

BATCH = 5_000

GONE_FAILURES = timedelta(days=90)
DIGESTS = timedelta(days=90)
REQUESTS = timedelta(days=1)

OnTrim = Callable[[Conn, str, int], Awaitable[bool]]
"""Called in each batch's transaction with the table and the rows deleted; False ends it."""


async def trim_tables(
    pool: Pool,
    now: datetime,
    *,
    keep_audit: timedelta | None,
    deadline: float | None,
    on_batch: OnTrim,
    postponed: Postponed,
) -> bool:
    """False when `deadline` (by `time.monotonic()`) passed or `on_batch` ended it.

    If the database refuses to delete rows of one table, the others are still trimmed, and
    `postponed` holds the error. `keep_audit`: None keeps it forever. How long the rest is kept:
    `docs/reference/schema.md`.
    """
    queries = load_queries("purge")
    steps: list[tuple[str, LiteralString, timedelta | None]] = [
        ("jobs_maint_failures", queries["trim_failures"], GONE_FAILURES),
        ("jobs_maint_tracebacks", queries["trim_tracebacks"], GONE_FAILURES),
        ("jobs_maint_audit_items", queries["trim_audit_items"], keep_audit),
        ("jobs_maint_audit", queries["trim_audit"], keep_audit),
        ("jobs_maint_selections", queries["trim_selections"], REQUESTS),
        ("jobs_maint_requests", queries["trim_requests"], REQUESTS),
        ("jobs_maint_digests", queries["trim_digests"], DIGESTS),
    ]
    for table, query, span in steps:
        if span is None:
            continue
        go_on, gone = True, BATCH
        while gone >= BATCH:
            if deadline is not None and time.monotonic() >= deadline:
                return False
            gone = 0
            with postponed.step():
                async with pool.connection() as conn, transaction(conn):
                    params = {"cutoff": now - span, "limit": BATCH}
                    cursor = await conn.execute(query, params, prepare=False)
                    gone = cursor.rowcount
                    go_on = gone <= 0 or await on_batch(conn, table, gone)
            if not go_on:
                return False
    return True
