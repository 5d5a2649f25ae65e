"""What is still to be posted in the threads of digests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from jobs_maint.database import Conn, fetch_all
from jobs_maint.sql import load_queries

__all__ = ["drop_posted", "hold_thread", "leave_thread", "list_threads"]


async def list_threads(conn: Conn, name: str) -> dict[int, tuple[str, str]]:
    rows = await fetch_all(conn, load_queries("digest")["list_threads"], {"name": name})
    return {row["id"]: (row["channel"], row["ts"]) for row in rows}


async def hold_thread(conn: Conn, window_id: int, sender: str) -> Mapping[str, Any] | None:
    asked = {"window_id": window_id, "sender": sender}
    rows = await fetch_all(conn, load_queries("digest")["hold_thread"], asked)
    if not rows or rows[0]["post"] is None:
        return None
    post: dict[str, Any] = rows[0]["post"]
    return {**post, "due": post["after"] <= rows[0]["now"]} if "after" in post else post


async def drop_posted(
    conn: Conn, window_id: int, key: str, if_twice: Mapping[str, Any] | None
) -> None:
    queries = load_queries("digest")
    first = await fetch_all(conn, queries["drop_posted"], {"window_id": window_id, "key": key})
    if not first and if_twice is not None:
        asked = {"window_id": window_id, "post": Jsonb([dict(if_twice)])}
        await fetch_all(conn, queries["add_to_thread"], asked)


async def leave_thread(conn: Conn, window_id: int, sender: str, *, refused: bool) -> None:
    asked = {"window_id": window_id, "sender": sender, "refused": refused}
    await fetch_all(conn, load_queries("digest")["leave_thread"], asked)
