"""Why a database takes no changes."""

from __future__ import annotations

from jobs_maint.database.transactions import Conn, fetch_one
from jobs_maint.sql import load_queries

__all__ = ["find_read_only"]


async def find_read_only(conn: Conn) -> tuple[str, str] | None:
    """What is found and what to do; None where it takes changes."""
    server = await fetch_one(conn, load_queries("lacking")["get_read_only"])
    if server["standby"]:
        return (
            "The database is a read-only standby: nothing can be retried, purged or recorded here.",
            "Set JOB_QUEUE_DATABASE_URL to the primary.",
        )
    if server["read_only"]:
        found = (
            f"Transactions of {server['login']} are read-only by default "
            "(default_transaction_read_only is on)."
        )
        fix = (
            "Turn it off with ALTER ROLE … or ALTER DATABASE … RESET "
            "default_transaction_read_only, or remove the option from JOB_QUEUE_DATABASE_URL."
        )
        return found, fix
    return None
