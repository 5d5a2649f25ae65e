"""How many jobs fail now, and how many usually do at this time of the day and of the week.

Each quarter of an hour is counted once, when it is over, and kept; what was before the first pass
is counted little by little, back to the first event: of the time before nothing is known.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from jobs_maint.actions import Limits
from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.operations.incidents.judging import LEAST_SHARE, find_failure_limit
from jobs_maint.operations.incidents.measured import Failures, Memory
from jobs_maint.sql import load_queries
from jobs_maint.upstream import OUR_TASKS

__all__ = ["KEPT", "measure_failures", "note_rates"]

QUARTER = timedelta(minutes=15)
SETTLED = timedelta(minutes=2)
"""A transaction that began in a quarter may end a little later."""
KEPT = timedelta(days=15)
DAYS = (*range(1, 8), 14)
"""Days ago on which the same time is looked at."""
MOST = 5_000
"""Failures that are counted one by one; what is judged and kept of more is projected."""
MOST_SUCCEEDED = 5_000
EACH_PASS = 2
"""Quarters of an hour."""


async def measure_failures(conn: Conn, now: datetime, limits: Limits) -> dict[str, Any]:
    """By queue, in the last quarter of an hour; the rest only where there may be too many."""
    counted = await _count(conn, now - QUARTER, now)
    usual = {}
    if any(one.expected >= limits.few for one in counted):
        usual = await _list_usual(conn, now)
    found = []
    for in_queue in counted:
        by_days = {ago: failures.get(in_queue.queue, 0) for ago, failures in usual.items()}
        one = replace(in_queue, usual=by_days)
        limit = find_failure_limit(one, limits)
        if limit is not None and one.expected >= limit:
            enough = min(round(one.failed / LEAST_SHARE), MOST_SUCCEEDED)
            params = {"since": now - QUARTER, "queue": one.queue, "most": enough}
            succeeded = await fetch_one(conn, load_queries("watch")["count_succeeded"], params)
            found.append(replace(one, ended=one.failed + succeeded["jobs"]))
        else:
            found.append(one)
    projected = any(one.projected is not None for one in found)
    return {"failures": tuple(found), "projected": projected}


async def _count(conn: Conn, since: datetime, until: datetime) -> list[Failures]:
    """By queue. Where that is projected, other queues may have had failures, too."""
    params = {"since": since, "until": until, "ours": OUR_TASKS, "most": MOST}
    rows = await fetch_all(conn, load_queries("watch")["count_failed"], params)
    found = []
    for standing in map(dict, rows):
        queue, failed, from_at = (standing.pop(name) for name in ("queue", "failed", "from_at"))
        one = Failures(queue, failed, standing=standing)
        if from_at:
            part = max((until - from_at) / (until - since), 0.001)
            known = None if standing["failed_now"] else standing
            one = replace(one, projected=round(failed / part), standing=known)
        found.append(one)
    return found


async def _list_usual(conn: Conn, now: datetime) -> dict[int, dict[str, int]]:
    """By days ago, the failures by queue: the worst quarter about this time of that day."""
    here = _start(now)
    about = {
        ago: [here - timedelta(days=ago) + n * QUARTER for n in (-2, -1, 0, 1)] for ago in DAYS
    }
    quarters = [quarter for some in about.values() for quarter in some]
    rows = await fetch_all(conn, load_queries("watch")["list_rates"], {"quarters": quarters})
    noted = {row["quarter"]: row["failed"] for row in rows}
    found: dict[int, dict[str, int]] = {}
    for ago, some in about.items():
        known = [noted[quarter] for quarter in some if quarter in noted]
        if known:
            queues = {queue for failed in known for queue in failed}
            found[ago] = {queue: max(failed.get(queue, 0) for failed in known) for queue in queues}
    return found


async def note_rates(conn: Conn, now: datetime, memory: Memory) -> Memory:
    """Count a few quarters that are over: first those after the noted span, then those before it.

    Returns the memory with the span that is noted now.
    """
    noted, first = memory.noted, memory.known_from
    if first is None:
        # What is purged later was counted before.
        first = (await fetch_one(conn, load_queries("watch")["find_first_event"]))["at"]
        if noted:  # by an older version, also before that
            await fetch_all(conn, load_queries("watch")["drop_rates"], {"until": first})
    last = _start(now - SETTLED)
    begin, end = noted if noted and noted[1] > now - KEPT else (last, last)
    for _ in range(EACH_PASS):
        if end < last:
            await _note(conn, end)
            end += QUARTER
        elif begin - QUARTER >= max(first, now - KEPT):
            begin -= QUARTER
            await _note(conn, begin)
    begin = max(begin, _start(now - KEPT))
    if noted is None or end != noted[1]:
        await fetch_all(conn, load_queries("watch")["drop_rates"], {"until": now - KEPT})
    return replace(memory, noted=(begin, end), known_from=first)


async def _note(conn: Conn, quarter: datetime) -> None:
    counted = await _count(conn, quarter, quarter + QUARTER)
    failed = {one.queue: one.expected for one in counted}
    params = {"quarter": quarter, "failed": Jsonb(failed)}
    await fetch_all(conn, load_queries("watch")["note_rate"], params)


def _start(at: datetime) -> datetime:
    return at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
