"""The state of the windows.

A window begins where the last one that Slack accepted ended, or where the first attempt began if
there is none. It is opened (`sending`), posted by
the caller, and closed; only `sent` and `quiet` advance it, so a Slack outage loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.errors import AlreadyRunning
from jobs_maint.sql import load_queries

__all__ = [
    "OpenWindow",
    "close_window",
    "drop_window",
    "hold_window",
    "list_unsure_windows",
    "open_window",
]

BEHIND = timedelta(seconds=30)
"""A window ends this far behind the database's clock."""
HELD = timedelta(minutes=10)
"""And so much further, where a worker waits to store how a job ended."""
LONGEST = timedelta(days=7)
Post = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OpenWindow:
    """As `DigestReport` has it."""

    id: int
    since: datetime
    until: datetime
    truncated_from: datetime | None
    held_since: datetime | None
    maybe_told_until: datetime | None


async def open_window(
    conn: Conn,
    *,
    name: str,
    key: str,
    period: timedelta,
) -> OpenWindow | None:
    """Take the window that is due; None when none is due.

    Raises AlreadyRunning while another has it.

    `period` is one cron period: the first window covers it. Runs in the caller's transaction.
    """
    queries = load_queries("digest")
    await fetch_all(conn, queries["give_up_sending"], {"name": name})
    asked = {
        "name": name,
        "period_seconds": period.total_seconds(),
        "behind_seconds": min(BEHIND, period / 4).total_seconds(),
        "held_seconds": HELD.total_seconds(),
        "most_seconds": LONGEST.total_seconds(),
    }
    window = await fetch_one(conn, queries["find_window"], asked)
    if not window["due"]:
        return None
    since = window["earliest"] if window["too_long"] else window["since"]
    until = window["until"]
    params = {"name": name, "since": since, "until": until, "key": key}
    opened = await fetch_all(conn, queries["insert_window"], params)
    if not opened:
        raise AlreadyRunning(f"another worker is sending the digest {name}")
    if await fetch_one(conn, queries["find_window"], asked) != window:
        # Another sender closed it between the two statements: it was told.
        await drop_window(conn, opened[0]["id"])
        return None
    unsure = await fetch_all(conn, queries["list_unsure_windows"], {"name": name})
    return OpenWindow(
        id=opened[0]["id"],
        since=since,
        until=until,
        truncated_from=window["since"] if window["too_long"] else None,
        held_since=window["held_since"],
        maybe_told_until=max(
            (row["until"] for row in unsure if row["until"] > since), default=None
        ),
    )


async def drop_window(conn: Conn, window_id: int) -> None:
    """Nobody was told of it: the next one covers it."""
    await fetch_all(conn, load_queries("digest")["drop_window"], {"window_id": window_id})


async def hold_window(conn: Conn, window_id: int, channel: str, thread: Sequence[Post]) -> bool:
    """Right before a post: whether the window is still the caller's."""
    kept = Jsonb([dict(post) for post in thread]) if thread else None
    asked = {"window_id": window_id, "channel": channel, "thread": kept}
    queries = load_queries("digest")
    await fetch_all(conn, queries["lock_windows"], {"window_id": window_id})
    return bool(await fetch_all(conn, queries["hold_window"], asked))


async def list_unsure_windows(conn: Conn, name: str) -> dict[str, tuple[int, str]]:
    """Key → window and channel, for those whose message may have arrived; the newest first."""
    rows = await fetch_all(conn, load_queries("digest")["list_unsure_windows"], {"name": name})
    return {row["key"]: (row["id"], row["channel"]) for row in rows}


async def close_window(
    conn: Conn,
    window_id: int,
    state: str,
    *,
    channel: str | None = None,
    ts: str | None = None,
    error: str | None = None,
    posted_nothing: bool = False,
    noted: bool = False,
) -> bool:
    """Record the outcome of an opened window, unless another process already closed it.

    True, and nothing is recorded, where its message has to say first that it may be a repeat.
    """
    queries = load_queries("digest")
    if state == "sent" and not noted:
        await fetch_all(conn, queries["lock_windows"], {"window_id": window_id})
        found = await fetch_one(conn, queries["find_told_again"], {"window_id": window_id})
        if found["again"]:
            return True
    await fetch_all(
        conn,
        queries["close_window"],
        {
            "window_id": window_id,
            "state": state,
            "channel": channel,
            "ts": ts,
            "error": error[:1000] if error else None,
            "posted_nothing": posted_nothing,
        },
    )
    return False
