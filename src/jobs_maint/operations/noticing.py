"""Suspects: running jobs that nobody can be said to run. Whoever looks begins the rescue's wait."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

import psycopg

from jobs_maint.database import Conn, fetch_all, fetch_one, transaction
from jobs_maint.sql import load_queries

__all__ = ["PATIENCE", "begin_wait", "find_next_look", "notice_stalled_jobs"]

FORGET_WORKERS_HOURS = 48
"""Silent workers are kept this long, to know whether the worker of a stuck job had a recorder."""
STEADY = timedelta(seconds=30)
"""Two passes of the watch without a longer gap: the database was there, too."""
NEXT_LOOK = 20.0
"""Seconds within which such a watch looks again: every 15, and what a pass takes."""
PATIENCE = timedelta(milliseconds=500)
"""So long who only looks waits for a lock, to notice."""


async def notice_stalled_jobs(conn: Conn) -> None:
    """Bring the suspects up to date. A transaction of its own."""
    queries = load_queries("stalled")
    await fetch_all(conn, queries["drop_suspects"])
    await fetch_all(conn, queries["notice_suspects"])
    await fetch_all(conn, queries["drop_silent_workers"], {"hours": FORGET_WORKERS_HOURS})


async def begin_wait(conn: Conn, watched_at: datetime | None, now: datetime) -> None:
    """What a bot's watch does that looked `now`: where no worker beats, notice what nobody runs.

    Not at its first pass after a gap (`watched_at`: the one before). The database may have been
    away, and workers that live need a moment for their next beats.
    """
    if watched_at is None or now - watched_at > STEADY:
        return
    with suppress(psycopg.Error):  # the next pass does it, or whoever asks
        async with transaction(conn, lock_timeout=PATIENCE):
            if not (await fetch_one(conn, load_queries("stalled")["find_beat"]))["beats"]:
                await notice_stalled_jobs(conn)


async def find_next_look(conn: Conn) -> float | None:
    """Within how many seconds a bot's watch looks; None where none does."""
    queries = load_queries("incidents")
    if not (await fetch_one(conn, queries["find_access"]))["readable"]:
        return None
    for watch in await fetch_all(conn, queries["get_watch"]):
        if watch["watched_at"] and watch["now"] - watch["watched_at"] <= STEADY:
            return NEXT_LOOK
    return None
