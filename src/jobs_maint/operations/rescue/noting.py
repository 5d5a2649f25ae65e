"""Each pass of the rescue notes the hours that are over; `stats` counts only the rest."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

import psycopg

from jobs_maint.call import describe_error
from jobs_maint.database import Pool, transaction
from jobs_maint.events import emit
from jobs_maint.operations.hours import list_unnoted_hours, note_hour
from jobs_maint.operations.session import get_time

__all__ = ["note_hours"]

SECONDS = 10.0
"""After that a worker with concurrency 1 runs the team's jobs, and a SIGTERM waits no longer."""


async def note_hours(pool: Pool) -> None:
    """Never fails the rescue: `stats` counts what is not noted."""
    begun = time.monotonic()
    try:
        async with pool.connection() as conn:
            async with transaction(conn):
                unnoted = await list_unnoted_hours(conn, await get_time(conn))
            for hour in unnoted:
                if time.monotonic() > begun + SECONDS:
                    break  # the next rescue continues
                async with transaction(conn, statement_timeout=timedelta(seconds=SECONDS)):
                    await note_hour(conn, hour)
    except psycopg.Error as exc:
        emit("jobs_maint.hours_not_noted", logging.WARNING, reason=describe_error(exc)[1])
