"""What several operations need in their own transaction."""

from __future__ import annotations

from datetime import datetime

from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.sql import load_queries

__all__ = ["get_time", "switch_jit_off"]


async def get_time(conn: Conn) -> datetime:
    """The database's clock: when this transaction began."""
    now: datetime = (await fetch_one(conn, load_queries("session")["get_time"]))["now"]
    return now


async def switch_jit_off(conn: Conn) -> None:
    """For this transaction: compiling takes longer than the statements that follow."""
    await fetch_all(conn, load_queries("session")["without_jit"])
