"""Which rows of a batch the database refuses to delete, found by one statement.

Where it refuses a third of the rows, halving takes two round trips a row: sixty times as long.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import psycopg

from jobs_maint.database import (
    Conn,
    fetch_all,
    fetch_one,
    is_connection_lost,
    is_stopped,
    name_function,
)
from jobs_maint.fingerprint import normalise
from jobs_maint.operations.bad_rows import Change, is_refusal
from jobs_maint.operations.refusals import MOST_REASONS, OtherReasons
from jobs_maint.sql import load_queries

__all__ = ["find_refused"]


async def find_refused(conn: Conn, ids: Sequence[int], change: Change) -> dict[int, psycopg.Error]:
    """Each refused row with the error of one of its like; what was tried is undone.

    Those of further kinds share one error, which names none of them.
    """
    if not ids:
        return {}
    alike: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for row in await _try_each(conn, ids):
        function = name_function(row["context"]) or ""
        key = (row["state"], row["table"], row["constraint"], function, normalise(row["said"]))
        alike[key if key in alike or len(alike) < MOST_REASONS else ()].append(row["id"])
    refused: dict[int, psycopg.Error] = dict.fromkeys(alike.pop((), ()), OtherReasons())
    for same in alike.values():
        try:
            async with conn.transaction(force_rollback=True):
                await change(same[:1])
        except psycopg.Error as exc:
            if not is_refusal(exc):
                raise
            refused |= dict.fromkeys(same, exc)
    return refused


async def _try_each(conn: Conn, ids: Sequence[int]) -> list[dict[str, Any]]:
    queries = load_queries("purge")
    try:
        async with conn.transaction(force_rollback=True):
            await fetch_all(conn, queries["give_ids"], {"ids": ",".join(map(str, ids))})
            await fetch_all(conn, queries["try_each"])
            found = await fetch_one(conn, queries["get_refused"])
    except psycopg.Error as exc:
        if is_connection_lost(exc) or is_stopped(exc):
            raise
        return []  # a race, or no right to the language: halves are tried
    return list(json.loads(found["refused"]))
