"""Measuring, in one snapshot. What cannot be looked at hides nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import psycopg

from jobs_maint.actions import Limits
from jobs_maint.call import describe_error
from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.models import MOST_FAILURES, MOST_LISTED, Followed, IncidentKind
from jobs_maint.operations.failures.states import MOST_OF_A_KIND, QUIET
from jobs_maint.operations.following import follow_workers
from jobs_maint.operations.incidents import measured as m
from jobs_maint.operations.incidents.judging import find_limit
from jobs_maint.operations.incidents.marks import count_standing
from jobs_maint.operations.incidents.rates import measure_failures
from jobs_maint.operations.incidents.schedules import follow_digests
from jobs_maint.operations.session import get_time, in_index_order
from jobs_maint.settings import MaintSettings
from jobs_maint.sql import load_queries
from jobs_maint.upstream import OUR_TASKS, PURGE, RESCUE

__all__ = [
    "look",
    "look_at_groups",
    "look_at_queues",
    "look_for_fates",
    "look_for_stuck",
    "look_for_work",
]

MOST_WAITING = 1_000
MOST_BEHIND = 50
"""Jobs that are looked at where the first of a queue was put back."""

MOST_GROUPS = 20
BEATS_WITHIN = timedelta(minutes=1)
"""A worker that goes on with its work shows a sign of life within so long."""

Found = dict[str, Any]


async def look(
    conn: Conn, limits: Limits, settings: MaintSettings
) -> tuple[m.Measured, dict[IncidentKind, str]]:
    """What is, and why some kinds could not be looked at."""
    now = await get_time(conn)
    settings = await _follow_workers(conn, settings)
    measured = m.Measured(now, settings.queue)
    steps: dict[tuple[IncidentKind, ...], Callable[[], Awaitable[Found]]] = {
        (IncidentKind.NO_WORKER, IncidentKind.QUEUE_BEHIND): lambda: look_at_queues(
            conn, now, limits, settings.queue
        ),
        (IncidentKind.FAILURES_HIGH,): lambda: measure_failures(conn, now, limits),
        (IncidentKind.GROUP,): lambda: look_at_groups(conn, limits),
        (IncidentKind.JOBS_STUCK,): lambda: look_for_stuck(conn, limits),
        (IncidentKind.TICK_MISSED,): lambda: _look_at_ticks(conn),
        (IncidentKind.MAINTENANCE_OVERDUE,): lambda: _look_at_maintenance(conn, settings),
        (IncidentKind.DIGEST_OVERDUE,): lambda: _look_at_digests(conn, limits),
        (IncidentKind.RECORDER_SILENT,): lambda: _look_at_recorders(conn),
    }
    wanted = {kinds: step for kinds, step in steps.items() if limits.kinds.intersection(kinds)}
    try:
        async with conn.transaction():
            all_found: Found = {}
            for step in wanted.values():
                all_found |= await step()
        return replace(measured, **all_found), {}
    except psycopg.Error:
        if conn.closed:
            raise
    blind: dict[IncidentKind, str] = {}
    for kinds, step in wanted.items():
        try:
            async with conn.transaction():
                measured = replace(measured, **await step())
        except psycopg.Error as exc:
            if conn.closed:
                raise
            blind |= dict.fromkeys(kinds, describe_error(exc)[1])
    return measured, blind


async def _follow_workers(conn: Conn, settings: MaintSettings) -> MaintSettings:
    try:
        async with conn.transaction():
            return await follow_workers(conn, settings)
    except psycopg.Error:
        if conn.closed:
            raise
        return settings


async def look_at_queues(conn: Conn, now: datetime, limits: Limits, maintenance: str) -> Found:
    """Our own jobs count only where no worker listens to their queue, so that none ever runs."""
    queries = load_queries("watch")
    workers = await fetch_one(conn, queries["measure_workers"])
    fleet = m.Fleet.of(workers)
    ready: dict[str, m.Ready] = {}
    again = set()
    for row in await fetch_all(conn, queries["list_ready"], {"ours": OUR_TASKS}):
        if row.pop("put_back"):
            again.add(row["queue"])
        one = m.Ready(**row)
        if one.queue not in ready or one.since < ready[one.queue].since:
            ready[one.queue] = one
    again |= {
        one.queue for one in ready.values() if one.holder and _is_behind(one, now, limits)
    }  # fmt: skip
    untouched = {"queues": sorted(again), "ours": OUR_TASKS}
    behind = (
        await fetch_all(conn, load_queries("stats")["find_untouched"], untouched) if again else []
    )
    for queue in sorted(again):
        params = {"queue": queue, "ours": OUR_TASKS, "most": MOST_BEHIND}
        rows = await fetch_all(conn, queries["list_ready_behind"], params)
        found = [m.Ready(queue, **row) for row in rows]
        found += [m.Ready(**row) for row in behind if row["queue"] == queue]
        # A lock is the reason only where nothing else has waited too long.
        free = [one for one in found if not one.holder and _is_behind(one, now, limits)]
        ready[queue] = min(free or found or [ready[queue]], key=lambda one: one.since)
    if fleet.live and not fleet.has_worker(maintenance) and maintenance not in ready:
        params = {"queue": maintenance, "ours": [], "most": MOST_BEHIND}
        rows = await fetch_all(conn, queries["list_ready_behind"], params)
        found = [m.Ready(maintenance, **row) for row in rows]
        ready |= {one.queue: one for one in sorted(found, key=lambda one: one.since)[:1]}
    heard = ready if fleet.queues is None or fleet.unknown else fleet.queues
    late = [
        queue for queue, one in ready.items()
        if not fleet.live or queue not in heard or _is_behind(one, now, limits)
    ]  # fmt: skip
    waiting = {}
    if late:
        params = {"queues": late, "ready": MOST_WAITING, "ahead": 0}
        rows = await fetch_all(conn, load_queries("stats")["count_waiting"], params)
        waiting = {row["queue_name"]: min(row["ready"], MOST_WAITING) for row in rows}
    held = await look_for_fates(conn, {one.holder for one in ready.values() if one.holder})
    told = (
        replace(one, holder_queue=held[one.holder].queue) if one.holder in held else one
        for one in ready.values()
    )
    return {"fleet": fleet, "ready": tuple(told), "waiting": waiting}


async def look_for_fates(conn: Conn, ids: Collection[int]) -> dict[int, m.Fate]:
    if not ids:
        return {}
    rows = await fetch_all(conn, load_queries("watch")["list_fates"], {"ids": list(ids)})
    return {row["id"]: m.Fate(row["status"], row["queue"]) for row in rows}


async def look_for_work(conn: Conn, measured: m.Measured, memory: m.Memory) -> m.Memory:
    """With what the jobs tell of workers that are missed, which ended after their last beat."""
    fleet, now = measured.fleet, measured.now
    since, until, queues = memory.worker_at, now, None
    if not fleet.live and since is not None:
        until = since + BEATS_WITHIN
    elif fleet.live and fleet.queues is not None and not fleet.unknown:
        missed = [one.queue for one in measured.ready if one.queue not in fleet.queues]
        heard = {name: at for name in missed if (at := memory.heard_at(name)) is not None}
        queues = [name for name, at in heard.items() if now - at < BEATS_WITHIN]
        since = min((heard[name] for name in queues), default=None)
    else:
        return memory
    if since is None:
        return memory
    params = {"since": since, "until": until, "queues": queues}
    rows = await fetch_all(conn, load_queries("watch")["find_last_work"], params)
    taken = {
        row["queue"]: max(row["started_at"], memory.heard.get(row["queue"], since))
        for row in rows
        if row["started_at"] is not None
    }
    worked = max([memory.worker_at or since, *(row["at"] for row in rows)])
    return replace(memory, worker_at=worked, heard={**memory.heard, **taken})


def _is_behind(one: m.Ready, now: datetime, limits: Limits) -> bool:
    limit = find_limit(one.queue, limits)
    return limit is not None and (now - one.since).total_seconds() >= limit


async def look_at_groups(conn: Conn, limits: Limits) -> Found:
    most = max(MOST_FAILURES, limits.group)
    params = {
        "least": limits.group, "most": MOST_GROUPS, "most_failures": most,
        "most_of_a_task": MOST_LISTED, "alike": MOST_OF_A_KIND,
        "quiet_seconds": QUIET.total_seconds(),
    }  # fmt: skip
    async with in_index_order(conn):
        rows = await fetch_all(conn, load_queries("watch")["list_groups"], params)
    late = await fetch_one(conn, load_queries("watch")["find_uncollected"])
    standing = await count_standing(conn, {row["name"] for row in rows})
    is_cut = len(rows) >= MOST_GROUPS
    of_task = await _count_unlike(conn, {row["task"] for row in rows}, late["uncollected"], is_cut)
    groups = []
    for row in rows:
        told, fates, unlike = row.pop("told"), standing.get(row["name"]), of_task.get(row["task"])
        if told or not unlike or not Followed.of(fates or {}).is_dealt_with:
            more = {"queues": tuple(row["queues"]), "standing": fates, "of_task": unlike}
            groups.append(m.Group(**{**row, **more}))
    return {"groups": tuple(groups), "uncollected": late["uncollected"]}


async def _count_unlike(
    conn: Conn, tasks: Collection[str], uncollected: bool, is_cut: bool
) -> dict[str, dict[str, Any]]:
    """By task. `is_cut`: there may be errors of more tasks."""
    if not tasks:
        return {}
    params = {
        "tasks": sorted(tasks), "least": MOST_LISTED, "alike": MOST_OF_A_KIND,
        "most": MOST_FAILURES,
    }  # fmt: skip
    async with in_index_order(conn):
        rows = await fetch_all(conn, load_queries("unlike")["count_unlike"], params)
    found = {row.pop("task"): row for row in map(dict, rows)}
    return {
        task: {**one, "at_least": one["at_least"] or uncollected, "more_tasks": is_cut}
        for task, one in found.items()
    }


async def look_for_stuck(conn: Conn, limits: Limits) -> Found:
    params = {"seconds": limits.jobs_stuck}
    rows = await fetch_all(conn, load_queries("watch")["list_stuck"], params)
    return {"stuck": tuple(m.Stuck(**row) for row in rows)}


async def _look_at_ticks(conn: Conn) -> Found:
    queries = load_queries("watch")
    rows = await fetch_all(conn, queries["list_ticks"], {"ours": OUR_TASKS})
    known = await fetch_one(conn, queries["find_crons"])
    return {"ticks": tuple(m.Tick(**row) for row in rows), "crons_known": known["crons_known"]}


async def _look_at_maintenance(conn: Conn, settings: MaintSettings) -> Found:
    crons = {PURGE: ("purge", settings.purge_cron), RESCUE: ("rescue", settings.rescue_cron)}
    params = {"queue": settings.queue}
    rows = await fetch_all(conn, load_queries("watch")["list_last_runs"], params)
    return {
        "maintenance": tuple(
            m.Maintenance(*crons[row["task"]], row["succeeded_at"], row["job_id"], settings.queue)
            for row in rows
            if crons[row["task"]][1]
        )
    }


async def _look_at_digests(conn: Conn, limits: Limits) -> Found:
    queries = load_queries("watch")
    told = await fetch_all(conn, queries["list_digest_plans"])
    plans = follow_digests(
        limits.digests, [(row["name"], row["cron"], row["timezone"]) for row in told]
    )
    known = await fetch_one(conn, queries["find_crons"])
    names = [plan.name for plan in plans]
    rows = await fetch_all(conn, queries["list_digests"], {"names": names})
    return {
        "plans": tuple(plans),
        "digests": tuple(m.Digest(**row) for row in rows),
        "crons_known": known["crons_known"],
    }


async def _look_at_recorders(conn: Conn) -> Found:
    rows = await fetch_all(conn, load_queries("watch")["list_recorders"])
    found = [(row.pop("silent"), m.SilentRecorder(**row)) for row in map(dict, rows)]
    return {
        "recorders": tuple(one for silent, one in found if silent),
        "reporting": frozenset(one.name for silent, one in found if not silent),
    }
