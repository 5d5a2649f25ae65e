"""What should have run by now and did not: ticks of periodic tasks, maintenance, digests.

Crons are in UTC, those of digests and pauses in their own zones.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import starmap
from zoneinfo import ZoneInfo

from jobs_maint.actions import DigestPlan, Limits
from jobs_maint.crons import check_cron, count_ticks, find_last_tick
from jobs_maint.models import MOST_MISSED, Condition, IncidentKind
from jobs_maint.operations.incidents.measured import Measured, Memory

__all__ = [
    "find_unsettled",
    "follow_digests",
    "is_paused",
    "judge_digests",
    "judge_maintenance",
    "judge_ticks",
]

TICK_GRACE = timedelta(minutes=10)
"""Procrastinate makes up for a tick that is no later than that, as after a deploy."""
GRACE = {"rescue": timedelta(minutes=10), "purge": timedelta(minutes=90)}
"""The rescue waits for its turn in its queue; the purge may take long, too."""
DIGEST_GRACE = timedelta(minutes=15)


_SETTLED = {
    IncidentKind.NO_WORKER: timedelta(seconds=90),
    IncidentKind.JOBS_STUCK: timedelta(seconds=90),
    IncidentKind.TICK_MISSED: TICK_GRACE,
    IncidentKind.MAINTENANCE_OVERDUE: TICK_GRACE,
    IncidentKind.DIGEST_OVERDUE: TICK_GRACE,
}
"""So long after the database was away, workers may still be on their way back to it."""


def find_unsettled(now: datetime, memory: Memory) -> set[IncidentKind]:
    """The kinds of which nothing new can be said yet; what is over is over."""
    if memory.resumed_at is None:
        return set()
    return {kind for kind, span in _SETTLED.items() if now - memory.resumed_at < span}


def is_paused(now: datetime, limits: Limits) -> bool:
    for pause in limits.pauses:
        begun = find_last_tick(pause.cron, pause.timezone, now)
        if (now - begun).total_seconds() < pause.seconds:
            return True
    return False


def judge_ticks(measured: Measured) -> Iterator[Condition]:
    now = measured.now
    for one in measured.ticks:
        tick = find_last_tick(one.cron, "UTC", now - TICK_GRACE)
        missed = one.last is None or one.last < tick
        if missed and tick > one.known_since and not one.waits:
            begin = max(one.last or one.known_since, one.known_since)
            first, number = count_ticks(one.cron, begin, tick, MOST_MISSED)
            yield Condition(
                IncidentKind.TICK_MISSED, one.name, (now - tick).total_seconds(),
                TICK_GRACE.total_seconds(), first, (),
                {"task": one.task, "cron": one.cron, "tick": tick.isoformat(), "missed": number},
            )  # fmt: skip


def judge_maintenance(measured: Measured) -> Iterator[Condition]:
    """One that never ran is for `doctor`: perhaps nobody wants it."""
    now = measured.now
    for one in measured.maintenance:
        grace = GRACE[one.duty]
        tick = find_last_tick(one.cron, "UTC", now - grace)
        if one.succeeded_at is None or one.succeeded_at >= tick:
            continue
        yield Condition(
            IncidentKind.MAINTENANCE_OVERDUE, one.duty, (now - tick).total_seconds(),
            grace.total_seconds(), tick, (),
            {"cron": one.cron, "succeeded_at": one.succeeded_at.isoformat(),
             "job_id": one.job_id, "job_queue": one.queue},
        )  # fmt: skip


def follow_digests(mine: Iterable[DigestPlan], told: Iterable[Sequence[str]]) -> list[DigestPlan]:
    """The digests that there should be: those that workers told, and others of the bot's settings.

    `told`: name, cron and time zone of each. One that cannot be read counts as not told.
    """
    plans = {plan.name: plan for plan in mine}
    plans |= {plan.name: plan for plan in starmap(_read_plan, told) if plan is not None}
    return list(plans.values())


@functools.lru_cache(maxsize=1_000)
def _read_plan(name: str, cron: str, timezone: str) -> DigestPlan | None:
    try:
        ZoneInfo(timezone)
        return DigestPlan(name, check_cron(cron), timezone, by_workers=True)
    except (ValueError, KeyError, OSError):
        return None


def judge_digests(measured: Measured, memory: Memory) -> Iterator[Condition]:
    """A digest that was sent late counts for the next tick, if it is less than half a period."""
    now = measured.now
    found = {one.name: one for one in measured.digests}
    for plan in measured.plans:
        tick = find_last_tick(plan.cron, plan.timezone, now - DIGEST_GRACE)
        before = find_last_tick(plan.cron, plan.timezone, tick - timedelta(seconds=1))
        one = found.get(plan.name)
        until, sent_at = (one.until, one.sent_at) if one else (None, None)
        if sent_at is None:
            is_late = tick > memory.digests.get(plan.name, now)
        else:
            is_late = sent_at < tick - (tick - before) / 2
        if is_late:
            yield Condition(
                IncidentKind.DIGEST_OVERDUE, plan.name, (now - tick).total_seconds(),
                DIGEST_GRACE.total_seconds(), tick, (),
                {"cron": plan.cron, "until": until.isoformat() if until else None,
                 "error": one.error if one else None, "by_workers": plan.by_workers},
            )  # fmt: skip
