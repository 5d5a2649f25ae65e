"""Which queues a refused request is about, so that only who reaches them is told as whom to ask."""

from __future__ import annotations

from typing import Any

import psycopg

from jobs_maint.actions import (
    Action,
    ConfirmSelection,
    GetIncident,
    JobFilter,
    ListFailed,
    MuteGroup,
    MuteIncident,
    PreviewBulk,
    QueueScope,
    TakeGroup,
    TakeIncident,
    plain_name,
)
from jobs_maint.actions.base import EVERY_QUEUE
from jobs_maint.database import Conn, Pool, fetch_all, transaction
from jobs_maint.operations.incidents.stored import read_incident
from jobs_maint.sql import load_queries

__all__ = ["find_asked_queues"]


async def find_asked_queues(
    pool: Pool, action: Action[Any], seen: QueueScope
) -> tuple[str, ...] | None:
    """Names, or globs that a grant must cover; empty where it is about no queue. Raises nothing.

    `seen`: what the asker may look at. None for jobs and groups elsewhere, and those that are not
    there: nobody is told where they are, as those who can help would tell it.
    """
    if isinstance(action, PreviewBulk) and (glob := action.filter.queue) is not None:
        return (plain_name(glob) or glob,)
    queue = getattr(action, "queue", None)
    if queue is not None:
        return (queue,)
    try:
        async with pool.connection() as conn, transaction(conn):
            found = await _look(conn, action)
    except psycopg.Error:  # the refusal is what counts
        return ()
    return found if found is not None and all(map(seen.includes, found)) else None


async def _look(conn: Conn, action: Action[Any]) -> tuple[str, ...] | None:
    if isinstance(action, ConfirmSelection):  # of another person, or unknown
        return None
    match action.filter if isinstance(action, PreviewBulk) else action:
        case (
            TakeGroup(target=str(name))
            | MuteGroup(group=str(name))
            | ListFailed(group=str(name))
            | JobFilter(group=str(name))
        ):
            query = load_queries("groups")["find_queues_of_group"]
            rows = await fetch_all(conn, query, {"name": name})
        case TakeIncident() | MuteIncident() | GetIncident():
            query = load_queries("incidents")["get_incident"]
            asked = getattr(action, "incident_id", None)
            rows = await fetch_all(conn, query, {"incident_id": asked})
            if isinstance(action, MuteIncident) and rows:  # of all that is part of it
                one = read_incident(rows[0])
                parts = (one.lead, *one.folded)
                rows = [{"queues": part.queues or (EVERY_QUEUE,)} for part in parts]
        case _:
            ids = _list_ids(action)
            if not ids:
                return ()
            query = load_queries("jobs")["find_queues"]
            rows = await fetch_all(conn, query, {"ids": ids})
    return tuple(dict.fromkeys(queue for row in rows for queue in row["queues"])) or None


def _list_ids(action: Action[Any]) -> list[int]:
    wanted = action.filter if isinstance(action, PreviewBulk) else action
    one = (getattr(action, name, None) for name in ("job_id", "target", "group"))
    return [*(getattr(wanted, "job_ids", None) or ()), *(i for i in one if isinstance(i, int))]
