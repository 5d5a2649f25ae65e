"""Jobs that ended in a span; each whole hour is counted once and noted.

The rescue notes them; `stats` and digests read the notes and count only what they do not cover: the
first and the last hours of the span, or all of it where no rescue runs. Of jobs that were deleted
since, the recorded failures are counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from jobs_maint.actions import QueueScope
from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.operations.purge.bound import find_bound
from jobs_maint.operations.session import switch_jit_off
from jobs_maint.sql import load_queries
from jobs_maint.upstream import OUR_TASKS

__all__ = ["Ended", "count_ended", "count_ended_lately", "list_unnoted_hours", "note_hour"]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SETTLED = HOUR
"""An hour is noted when it has been over this long: a transaction begun in it may end later."""
KEPT = 2 * DAY
"""How long notes are kept: longer than the day that `stats` shows."""
FEW = 50
"""Jobs that may be looked up one by one: the bounds affect only the time it takes."""


@dataclass(slots=True)
class Ended:
    """Jobs of one queue that ended in one way, or attempts that were followed by a retry."""

    last_hour: int = 0
    last_day: int = 0
    deleted_last_hour: int = 0
    """Of these failures, those whose jobs were deleted since."""


async def count_ended_lately(
    conn: Conn, queue: str | None, now: datetime
) -> dict[tuple[str, str], Ended]:
    """By queue and type of event, without our own tasks; `now` is in UTC."""
    found: defaultdict[tuple[str, str], Ended] = defaultdict(Ended)
    noted = await _list_noted(conn, now - DAY, now - SETTLED) or {}
    for by_queue in noted.values():
        for name, by_type in by_queue.items():
            if queue is None or name == queue:
                for kind, jobs in by_type.items():
                    found[name, kind].last_day += jobs
    for since, until in _find_gaps(now - DAY, now, sorted(noted)):
        for row in await _count(conn, since, until, queue=queue, hour_ago=now - HOUR):
            ended = found[row["queue_name"], row["type"]]
            ended.last_hour += row["last_hour"]
            ended.last_day += row["jobs"]
            ended.deleted_last_hour += row["last_hour"] if row["gone"] else 0
    return dict(found)


async def count_ended(
    conn: Conn, since: datetime, until: datetime, *scopes: QueueScope
) -> dict[str, int]:
    """By type of event, of the queues in all `scopes`, without our own tasks; both times in UTC."""
    found: defaultdict[str, int] = defaultdict(int)
    noted = await _list_noted(conn, since, until) or {}
    for by_queue in noted.values():
        for name, by_type in by_queue.items():
            if all(scope.covers(name) for scope in scopes):
                for kind, jobs in by_type.items():
                    found[kind] += jobs
    for begin, end in _find_gaps(since, until, sorted(noted)):
        for row in await _count(conn, begin, end):
            if all(scope.covers(row["queue_name"]) for scope in scopes):
                found[row["type"]] += row["jobs"]
    return dict(found)


async def list_unnoted_hours(conn: Conn, now: datetime) -> list[datetime]:
    """The starts of the whole hours of the last day that can be noted and are not; `now` is in UTC.

    Empty without the index that finds an hour's events: each hour would read all of them.
    """
    noted = await _list_noted(conn, now - DAY, now - SETTLED)
    if noted is None:
        return []
    first = _start_of_hour(now - DAY) + HOUR
    hours = (first + number * HOUR for number in range(24))
    return [hour for hour in hours if hour + HOUR + SETTLED <= now and hour not in noted]


async def note_hour(conn: Conn, hour: datetime) -> None:
    """Count what ended in this hour, once and for all: jobs deleted later still ended in it.

    Old hours are dropped.
    """
    await switch_jit_off(conn)
    ended: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in await _count(conn, hour, hour + HOUR):
        ended[row["queue_name"]][row["type"]] += row["jobs"]
    queries = load_queries("hours")
    await fetch_all(conn, queries["note_hour"], {"hour": hour, "ended": Jsonb(ended)})
    await fetch_all(conn, queries["drop_hours"], {"until": hour - KEPT})


async def _list_noted(
    conn: Conn, since: datetime, until: datetime
) -> dict[datetime, dict[str, dict[str, int]]] | None:
    """What ended in the noted hours that lie between the two; None where hours are not noted."""
    queries = load_queries("hours")
    if not (await fetch_one(conn, queries["find_hours"]))["noted"]:
        return None
    span = {"since": since, "until": until - HOUR}
    rows = await fetch_all(conn, queries["list_hours"], span)
    return {row["hour"]: row["ended"] for row in rows}


async def _count(
    conn: Conn,
    since: datetime,
    until: datetime,
    *,
    queue: str | None = None,
    hour_ago: datetime | None = None,
) -> list[dict[str, Any]]:
    """The failures of jobs that are `gone` as rows of their own."""
    queries = load_queries("hours")
    params = {
        "since": since, "until": until, "hour_ago": hour_ago or until, "queue": queue,
        "ours": OUR_TASKS,
    }  # fmt: skip
    bounds = {
        "after_id": await find_bound(conn, since, within=FEW),
        "last_id": await find_bound(conn, until, within=FEW),
    }
    there = await fetch_all(conn, queries["count_ended"], params | bounds)
    gone = await fetch_all(conn, queries["count_gone"], params)
    return [row | {"gone": False} for row in there] + [row | {"gone": True} for row in gone]


def _find_gaps(
    since: datetime, until: datetime, noted: Iterable[datetime]
) -> Iterator[tuple[datetime, datetime]]:
    """The time between the two that the noted hours do not cover."""
    for hour in noted:
        if since < hour:
            yield since, hour
        since = hour + HOUR
    yield since, until


def _start_of_hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
