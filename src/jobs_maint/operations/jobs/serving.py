"""What a person must know who puts jobs back or aborts them: who runs them, and who did."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import psycopg

from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.sql import load_queries

__all__ = [
    "DEPLOYMENT",
    "find_lost",
    "find_unheard",
    "find_unserved",
    "find_unserved_of",
    "list_unserved",
    "say_unserved",
]

DEPLOYMENT = 60.0
"""Seconds; jobs wait for so long while workers are replaced."""


async def list_unserved(
    conn: Conn, waits: Mapping[str, float], *, after: float = DEPLOYMENT
) -> list[str]:
    """The queues whose oldest ready job has waited long and to which no live worker listens.

    `waits`: its seconds, by queue; `after`: how many are long. None of them where no worker
    lives, or one may listen to all.
    """
    late = [queue for queue, seconds in waits.items() if seconds >= after]
    if not late:
        return []
    fleet = await fetch_one(conn, load_queries("workers")["get_listeners"])
    if not fleet["live"] or fleet["to_all"]:
        return []
    return sorted(set(late).difference(fleet["queues"]))


async def find_unserved(conn: Conn, queues: Collection[str], count: int) -> tuple[str, ...]:
    """A sentence where nobody would run the jobs that are put back into these queues.

    Where that cannot be looked at, none: what it is said beside is worth more.
    """
    if not count:
        return ()
    fleet = await _look(conn, load_queries("workers")["get_listeners"], {})
    if fleet is None:
        return ()
    listened = None if fleet["to_all"] else set(fleet["queues"])
    said = say_unserved(queues, count, live=fleet["live"], listened=listened)
    return (said,) if said else ()


async def find_unserved_of(conn: Conn, audit_id: int) -> tuple[str, ...]:
    """The same of the jobs that this act put back, those of them that wait."""
    query = load_queries("audit")["list_changed_by"]
    there = await fetch_all(conn, query, {"audit_id": audit_id})
    waiting = {one["queue_name"]: one["waiting"] for one in there if one["waiting"]}
    return await find_unserved(conn, waiting, sum(waiting.values()))


async def find_lost(conn: Conn, job_ids: Collection[int]) -> tuple[str, ...]:
    """A sentence where the last run of some of these jobs ended with the loss of its worker.

    The limit of rescues counts anew once a person has put a job back.
    """
    if not job_ids:
        return ()
    params = {"ids": list(job_ids), "until": None}
    found = await _look(conn, load_queries("jobs")["count_lost"], params)
    if found is None or not found["jobs"]:
        return ()
    jobs, first = found["jobs"], found["first_id"]
    who, cause = f"worker that last ran job {first} was", "the job"
    if jobs > 1:
        who = f"workers that last ran {jobs:,} of these jobs, such as job {first}, were"
        cause = "a job"
    return (f"The {who} lost. If {cause} was the cause, the next worker is lost too.",)


async def find_unheard(conn: Conn, job_ids: Collection[int]) -> tuple[str, ...]:
    """A sentence where some of these running jobs have no worker that could abort them."""
    if not job_ids:
        return ()
    found = await _look(conn, load_queries("stalled")["count_unreported"], {"ids": list(job_ids)})
    if found is None or not found["jobs"]:
        return ()
    jobs, first = found["jobs"], found["first_id"]
    which = f"job {first}" if jobs == 1 else f"{jobs:,} of them, such as job {first}"
    what = "it" if jobs == 1 else "them"
    said = (
        f"No live worker reports {which}, so nobody stops {what}: the rescue marks {what} as "
        "aborted when it is due; stuck says when."
    )
    return (said,)


async def _look(conn: Conn, query: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """The row, or None where that cannot be looked at; the transaction goes on in any case."""
    try:
        async with conn.transaction():
            return await fetch_one(conn, query, params)
    except psycopg.Error:
        if conn.closed:
            raise
        return None


def say_unserved(
    queues: Collection[str], count: int, *, live: bool, listened: Collection[str] | None
) -> str:
    """`listened`: the queues with a live worker; None: all, or nobody knows."""
    they = "it waits" if count == 1 else "they wait"
    if not live:
        return f"No worker is alive: {they} until one starts."
    if listened is None:
        return ""
    left = [queue for queue in queues if queue not in listened]
    if not left:
        return ""
    others = len(left) - 1
    more = f" and {others:,} other queue{'' if others == 1 else 's'}" if others else ""
    whose = they if len(left) == len(queues) else "their jobs wait" if others else "its jobs wait"
    return f"No live worker listens to {left[0] or chr(34) * 2}{more}: {whose} until one does."
