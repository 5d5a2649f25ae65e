"""What several operations need in their own transaction."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from jobs_maint.actions import Action
from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.errors import InvalidRequest
from jobs_maint.sql import load_queries

__all__ = ["cut_span", "get_time", "switch_jit_off"]

SECOND = timedelta(seconds=1)
"""Clocks differ, and a span is spelled no earlier than its end."""


async def get_time(conn: Conn) -> datetime:
    """The database's clock: when this transaction began."""
    now: datetime = (await fetch_one(conn, load_queries("session")["get_time"]))["now"]
    return now


def cut_span(
    since: timedelta | None, until: datetime, now: datetime, asked: Action[Any], to_now: Action[Any]
) -> tuple[timedelta | None, bool]:
    """What has passed of a span, in whole seconds, and whether it ends in the future.

    Raises InvalidRequest for one that begins there; `to_now` asks for the one that ends now.
    """
    ahead = until - now
    if ahead < SECOND:
        return since, False
    if since is not None and since <= ahead:
        line = to_now.words()
        raise InvalidRequest(
            f"{asked.words()} is a span in the future, where nothing has happened yet; for the "
            f"span that ends now write '{line}'",
            suggestion=line,
        )
    if since is not None:
        since = timedelta(seconds=math.ceil((since - ahead).total_seconds()))
    return since, True


async def switch_jit_off(conn: Conn) -> None:
    """For this transaction: compiling takes longer than the statements that follow."""
    await fetch_all(conn, load_queries("session")["without_jit"])
