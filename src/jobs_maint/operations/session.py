"""What several operations need in their own transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.sql import load_queries

__all__ = ["get_time", "in_index_order", "switch_jit_off"]


async def get_time(conn: Conn) -> datetime:
    """The database's clock: when this transaction began."""
    now: datetime = (await fetch_one(conn, load_queries("session")["get_time"]))["now"]
    return now


async def switch_jit_off(conn: Conn) -> None:
    """For this transaction: compiling takes longer than the statements that follow."""
    await fetch_all(conn, load_queries("session")["without_jit"])


@asynccontextmanager
async def in_index_order(conn: Conn) -> AsyncIterator[None]:
    """For these statements, which read a few rows of very many in the order of an index.

    An error rolls back to before it, and so does the setting.
    """
    queries = load_queries("session")
    await switch_jit_off(conn)
    before = await fetch_one(conn, queries["walk_indexes"])
    yield
    asked = {name: before[name] for name in ("seqscan", "bitmapscan")}
    await fetch_all(conn, queries["walk_as_before"], asked)
