"""When the rescue really acts: at its ticks, on so many jobs each, where a worker runs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from jobs_maint.crons import find_last_tick, find_next_tick
from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.models import RescueIdle
from jobs_maint.operations.incidents.measured import Fleet, Maintenance, Measured
from jobs_maint.operations.incidents.schedules import judge_maintenance
from jobs_maint.operations.rescue.passes import MOST_JOBS
from jobs_maint.operations.rescue.rules import EARLY, RescueRules, wait_once_noticed
from jobs_maint.operations.session import get_time
from jobs_maint.sql import load_queries
from jobs_maint.upstream import RESCUE

__all__ = ["Outlook", "find_outlook", "plan_passes"]

MOST_PLANNED = 5_000
DEFERRED_WITHIN = timedelta(seconds=30)
"""A worker that has the rescue defers it at each tick, and makes up for the last when it starts."""


@dataclass(frozen=True, slots=True)
class Outlook:
    idle: RescueIdle | None
    """Why the rescue does not run by itself; None where it does."""
    acts_in: Mapping[int, float]
    """Of each job, in seconds; empty where it is idle."""
    due_in: Mapping[int, float]
    """Of each job, in seconds until a rescue may act on it."""
    waiting: frozenset[int] = frozenset()
    """Those that may be due sooner: no worker beats, and silence counts only while one does."""
    unsure: bool = False
    """The passes come only if a worker that has run no job yet has the rescue: each other one that
    may have it missed a beat."""

    @property
    def first(self) -> tuple[float | None, int]:
        """Until the first pass that acts on any of them, and on how many that one does."""
        first = min(self.acts_in.values(), default=None)
        return first, list(self.acts_in.values()).count(first) if first is not None else 0


async def find_outlook(
    conn: Conn,
    rules: RescueRules,
    refused: Sequence[int] = (),
    unnoticed: Iterable[tuple[Mapping[str, Any], float]] = (),
) -> Outlook:
    """The passes that act on the suspects, without those that the database just refused.

    `rules`: those of the workers, whose passes they are. `unnoticed`: rows of `list_running` that
    a pass will make suspects, each with the seconds until nobody is known to run it.
    """
    as_of = await get_time(conn)
    listeners = await fetch_one(
        conn, load_queries("stalled")["judge_listeners"], {"queue": rules.queue}
    )
    idle, ran_at, unsure = await _find_last_pass(conn, rules, as_of, listeners)
    # A pass is a job, and a worker beats from its first job on: where none beats now, the one that
    # runs the next pass will, unless its recorder has stopped. Where no pass is known to come, none
    # is known to beat either.
    will_beat = not idle and listeners["will_beat"]
    begins = as_of if idle else max(as_of, _find_next_pass(rules.cron, as_of, ran_at))
    heard_from = begins if will_beat else None
    params = {**rules.spans, "heard_from": heard_from, "refused": list(refused)}
    query = load_queries("stalled")["list_due"]
    rows = await fetch_all(conn, query, {**params, "limit": MOST_PLANNED})
    due_in = {row["job_id"]: row["due_in"] for row in rows}
    passes = [(begins - as_of).total_seconds()]
    for row, wait in unnoticed:
        while not idle and passes[-1] < wait:
            tick = find_next_tick(rules.cron, as_of + timedelta(seconds=passes[-1]))
            passes.append((tick - as_of).total_seconds())
        notice_in = next((seconds for seconds in passes if seconds >= wait), wait)
        due_in[row["job_id"]] = wait_once_noticed(row, notice_in, rules, will_beat=will_beat)
    if idle:
        waiting = frozenset(row["job_id"] for row in rows if row["waits_for_beat"])
        return Outlook(idle, {}, due_in, waiting)
    acts_in = plan_passes(due_in, rules.cron, as_of, MOST_JOBS, ran_at)
    return Outlook(None, acts_in, due_in, unsure=unsure)


async def _find_last_pass(
    conn: Conn, rules: RescueRules, now: datetime, listeners: Mapping[str, bool]
) -> tuple[RescueIdle | None, datetime | None, bool]:
    """Why no pass comes, if so; when the last one ended, where that is known; `unsure`."""
    if not rules.cron:
        return "off", None, False
    queries = load_queries("watch")
    found = await fetch_one(conn, queries["measure_workers"])
    fleet = Fleet.of(found)
    if not fleet.has_worker(rules.queue):
        return "no_worker", None, False
    is_known, unsure = fleet.hears(rules.queue), not listeners["prompt"]
    if is_known and unsure and not listeners["unheard"]:
        return "late", None, False
    runs = await fetch_all(conn, queries["list_last_runs"], {"queue": rules.queue})
    rescues = tuple(
        Maintenance("rescue", rules.cron, run["succeeded_at"], run["job_id"])
        for run in runs
        if run["task"] == RESCUE
    )
    ended = [run.succeeded_at for run in rescues if run.succeeded_at is not None]
    if unsure and not await _may_come(conn, rules, now, ended):
        return "late" if is_known else "no_run", None, False
    waits = {"task": RESCUE, "queue": rules.queue, "seconds": DEFERRED_WITHIN.total_seconds()}
    if (await fetch_one(conn, load_queries("stalled")["find_untaken"], waits))["untaken"]:
        return "busy", None, False
    is_overdue = any(judge_maintenance(Measured(now, maintenance=rescues)))
    last = [run.succeeded_at for run in rescues if run.job_id is None]
    return "overdue" if is_overdue else None, last[0] if last else None, unsure


async def _may_come(
    conn: Conn, rules: RescueRules, now: datetime, ended: Sequence[datetime]
) -> bool:
    """Whether a live worker may have the rescue, though none that beats does.

    One whose recorder has not begun, while no tick was left out; not one that ran other jobs.
    """
    found = await fetch_one(conn, load_queries("stalled")["find_unheard"], {"task": RESCUE})
    known = [*ended, *filter(None, [found["due_at"]])]
    tick = find_last_tick(rules.cron, "UTC", now - DEFERRED_WITHIN)
    return found["unheard"] and max(known, default=tick - EARLY) >= tick


def plan_passes(
    due_in: Mapping[int, float],
    cron: str,
    now: datetime,
    most: int,
    ran_at: datetime | None = None,
) -> dict[int, float]:
    """Seconds until the pass that acts on each job; a pass takes the first `most` that are due.

    `ran_at`: when the last one ended. If there was a tick since, its pass is still to come.
    """
    waiting = dict(sorted(due_in.items()))
    acts_in: dict[int, float] = {}
    tick = _find_next_pass(cron, now, ran_at) - timedelta(microseconds=1)
    while waiting:
        earliest = now + timedelta(seconds=min(waiting.values()))
        tick = find_next_tick(cron, max(tick, earliest - timedelta(microseconds=1)))
        seconds = (tick - now).total_seconds()
        taken = [job_id for job_id, due in waiting.items() if due <= seconds][:most]
        for job_id in taken:
            acts_in[job_id] = max(seconds, 0.0)
            del waiting[job_id]
    return acts_in


def _find_next_pass(cron: str, now: datetime, ran_at: datetime | None) -> datetime:
    """The tick of the first pass to come, which may be past."""
    last = find_last_tick(cron, "UTC", now)
    is_to_come = ran_at is not None and last - ran_at > EARLY
    return last if is_to_come else find_next_tick(cron, now)
