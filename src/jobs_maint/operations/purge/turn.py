"""One purge at a time on a database; whoever comes second learns who is running the first.

The turn is the run's own row and its lease, which the process renews while it works. If the process
dies, the turn is free a minute later at most.
"""

from __future__ import annotations

from typing import Any

from jobs_maint.actions import describe_actor, describe_person
from jobs_maint.audit import LEASE_SECONDS
from jobs_maint.database import Conn, fetch_all
from jobs_maint.errors import AlreadyRunning
from jobs_maint.models import say_person
from jobs_maint.sql import load_queries

__all__ = ["require_turn", "take_turn"]

FINAL = ("succeeded", "failed", "cancelled", "aborted")


async def take_turn(conn: Conn) -> None:
    """Within the transaction that opens the run; raises AlreadyRunning as `require_turn` does.

    A run that seems dead is marked interrupted; if it is alive after all, it ends after its batch.
    """
    await fetch_all(conn, load_queries("purge")["take_turn"])
    await fetch_all(conn, load_queries("audit")["interrupt_runs"], {"lease_seconds": LEASE_SECONDS})
    await require_turn(conn)


async def require_turn(conn: Conn) -> None:
    """Raise AlreadyRunning when a purge runs, saying whose, since when and how far it got."""
    rows = await fetch_all(conn, load_queries("purge")["find_running_purge"])
    if rows:
        deleted = sum(rows[0]["counts"].get(status, 0) for status in FINAL)
        raise AlreadyRunning(
            f"A purge is already running: {_describe_actor(rows[0])} started it at "
            f"{rows[0]['started_at']:%Y-%m-%d %H:%M:%S} UTC (request {rows[0]['id']}), and it "
            f"has deleted {deleted:,} job{'' if deleted == 1 else 's'} so far. Only one purge can "
            "run at a time; nothing was changed. Try again when it is done. If its process died, "
            "try again in a minute."
        )


def _describe_actor(row: dict[str, Any]) -> str:
    if row["actor_kind"] == "task":
        return f"the task {row['actor_id']}"
    who = row["actor_id"], row["actor_name"] or ""
    if row["actor_kind"] == "slack":
        return f"{say_person(describe_actor('slack', *who))} in Slack"
    return f"{describe_person(*who)} in the shell"
