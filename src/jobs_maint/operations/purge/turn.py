"""One purge at a time on a database: who comes second is told who works.

The turn is the run's own row and its lease, which its process renews while it works: one whose
process died holds it for a minute at most.
"""

from __future__ import annotations

from typing import Any

from jobs_maint.database import Conn, fetch_all
from jobs_maint.errors import AlreadyRunning
from jobs_maint.sql import load_queries

__all__ = ["require_turn", "take_turn"]

FINAL = ("succeeded", "failed", "cancelled", "aborted")


async def take_turn(conn: Conn) -> None:
    """Within the transaction that opens the run; raises AlreadyRunning as `require_turn` does.

    Who is taken for dead is marked so, and ends after its batch should it live after all.
    """
    await fetch_all(conn, load_queries("purge")["take_turn"])
    await fetch_all(conn, load_queries("audit")["interrupt_runs"])
    await require_turn(conn)


async def require_turn(conn: Conn) -> None:
    """Raise AlreadyRunning, naming who works, since when and how far, when a purge runs."""
    rows = await fetch_all(conn, load_queries("purge")["find_running_purge"])
    if rows:
        deleted = sum(rows[0]["counts"].get(status, 0) for status in FINAL)
        raise AlreadyRunning(
            f"A purge runs already: {_describe_actor(rows[0])} began it at "
            f"{rows[0]['started_at']:%Y-%m-%d %H:%M:%S} UTC (request {rows[0]['id']}) and it "
            f"deleted {deleted:,} job{'' if deleted == 1 else 's'} so far. Only one at a time "
            "works on a database; nothing was changed. Try again when it is done; if its process "
            "died, a minute after its last sign of life."
        )


def _describe_actor(row: dict[str, Any]) -> str:
    if row["actor_kind"] == "task":
        return "the nightly purge"
    if row["actor_kind"] == "slack":
        return f"{row['actor_name'] or row['actor_id']} in Slack"
    return f"{row['actor_id']} in the shell"
