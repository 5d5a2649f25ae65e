"""Delete old rows from our own tables, in short batches."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime, timedelta
from typing import LiteralString

from jobs_maint.database import Pool, fetch_one, transaction
from jobs_maint.operations.purge.deleting import OnBatch, Progress
from jobs_maint.sql import load_queries

__all__ = ["trim_tables"]

BATCH = 5_000

GONE_FAILURES = timedelta(days=90)
DIGESTS = timedelta(days=90)
INCIDENTS = timedelta(days=400)
REQUESTS = timedelta(days=1)
GROUPS = timedelta(days=365)


async def trim_tables(
    pool: Pool,
    now: datetime,
    progress: Progress,
    *,
    keep_audit: timedelta | None,
    deadline: float | None,
    on_batch: OnBatch | None,
) -> bool:
    """False when `deadline` (by `time.monotonic()`) passed or `on_batch` ended it.

    If the database refuses to delete rows of one table, the others are still trimmed, and
    `progress.postponed` holds the error. `keep_audit`: None keeps it forever. How long the rest is
    kept: `docs/reference/schema.md`.
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
        ("jobs_maint_incidents", queries["trim_incidents"], INCIDENTS),
    ]
    async with pool.connection() as conn, transaction(conn):
        if (await fetch_one(conn, load_queries("groups")["find_access"]))["readable"]:
            steps.append(("jobs_maint_groups", queries["trim_groups"], GROUPS))
    for table, query, span in steps:
        if span is None:
            continue
        go_on, gone = True, BATCH
        while gone >= BATCH:
            if deadline is not None and time.monotonic() >= deadline:
                return False
            gone = 0
            with progress.postponed.step():
                async with pool.connection() as conn, transaction(conn):
                    params = {"cutoff": now - span, "limit": BATCH}
                    rows = (await conn.execute(query, params, prepare=False)).rowcount
                    counted = progress.trimmed + Counter({table: rows})
                    if rows and on_batch is not None:
                        go_on = await on_batch(conn, {**progress.deleted, **counted})
                gone, progress.trimmed = rows, counted
                progress.batches += rows > 0
            if not go_on:
                return False
    return True
