"""What of the measured is bad enough for an incident. Nothing here reads a clock or a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from statistics import median
from typing import Any

from jobs_maint.actions import Limits, QueueScope
from jobs_maint.models import Condition, IncidentKind
from jobs_maint.operations.incidents.measured import Failures, Measured, Memory, Ready, Stuck
from jobs_maint.operations.incidents.schedules import (
    judge_digests,
    judge_maintenance,
    judge_ticks,
)

__all__ = [
    "LEAST_SHARE",
    "MARKS",
    "expect_failures",
    "find_failure_limit",
    "find_limit",
    "judge",
    "list_marks",
]

FEW_DAYS = 3
"""With the same time of fewer days nobody can say what is usual."""
MARKS = ("taken_by", "taken_at", "muted_until", "muted_above", "muted_as")
"""Facts of a group of errors that people state; `muted_as`: with all errors of this kind."""
LEAST_SHARE = 0.1
"""Fewer failures among what ended are a burst of jobs, not of failures."""


def judge(measured: Measured, limits: Limits, memory: Memory) -> list[Condition]:
    """The conditions of the kinds that are wanted."""
    found = [
        *_judge_workers(measured, limits, memory),
        *_judge_queues(measured, limits),
        *_judge_failures(measured, limits),
        *_judge_groups(measured, limits),
        *_judge_stuck(measured, limits),
        *judge_ticks(measured),
        *judge_maintenance(measured),
        *judge_digests(measured, memory),
        *_judge_recorders(measured, limits),
    ]
    return [condition for condition in found if condition.kind in limits.kinds]


def find_limit(queue: str, limits: Limits) -> float | None:
    """Seconds from which on the queue is behind; None where it never is."""
    for glob, span in limits.queue_behind:
        if QueueScope((glob,)).covers(queue):
            return span
    return None


def _name(queue: str) -> str:
    """As a subject: an empty one is the whole, not the queue with an empty name."""
    return queue or '""'


def _judge_workers(measured: Measured, limits: Limits, memory: Memory) -> Iterator[Condition]:
    """Whether any worker lives, and whether each queue with ready jobs has one."""
    now, fleet, kind = measured.now, measured.fleet, IncidentKind.NO_WORKER
    if not fleet.live:
        signs = [at for at in (fleet.seen_at, memory.worker_at) if at is not None]
        begun = [one.since for one in measured.ready]
        since = max(signs) if signs else min(begun) if begun else None
        if since is not None and (now - since).total_seconds() >= limits.no_worker:
            seconds = (now - since).total_seconds()
            waiting = measured.waiting
            facts = {
                "waiting": sum(waiting.values()),
                "by_queue": {queue: {"waiting": jobs} for queue, jobs in waiting.items()},
                **_tell_heard(max(signs, default=None)),
            }
            yield Condition(kind, "", seconds, limits.no_worker, since, (), facts)
        return
    if fleet.queues is None or fleet.unknown:
        return
    for one in measured.ready:
        heard_at = memory.heard_at(one.queue)
        since = max(one.since, heard_at or one.since)
        seconds = (now - since).total_seconds()
        if one.queue not in fleet.queues and seconds >= limits.no_worker:
            yield Condition(
                kind, _name(one.queue), seconds, limits.no_worker, since, (one.queue,),
                {"waiting": measured.waiting.get(one.queue, 1), "job_id": one.job_id,
                 "task": one.task, **_tell_heard(heard_at), **_tell_own(one, measured)},
            )  # fmt: skip


def _tell_heard(at: datetime | None) -> dict[str, Any]:
    return {"heard_at": at.isoformat()} if at else {}


def _judge_queues(measured: Measured, limits: Limits) -> Iterator[Condition]:
    fleet = measured.fleet
    for one in measured.ready:
        limit = find_limit(one.queue, limits)
        seconds = (measured.now - one.since).total_seconds()
        if limit is not None and seconds >= limit:
            yield Condition(
                IncidentKind.QUEUE_BEHIND, _name(one.queue), seconds, limit, one.since,
                (one.queue,),
                {"waiting": measured.waiting.get(one.queue, 1), "job_id": one.job_id,
                 "task": one.task, "has_worker": fleet.has_worker(one.queue),
                 **_tell_own(one, measured), **_tell_lock(one)},
            )  # fmt: skip


def _tell_own(one: Ready, measured: Measured) -> dict[str, Any]:
    return {"own": True} if one.queue == measured.own_queue else {}


def _tell_lock(one: Ready) -> dict[str, Any]:
    if not one.holder:
        return {}
    return {"lock": one.lock, "holder": one.holder, "holder_queue": one.holder_queue}


def _judge_failures(measured: Measured, limits: Limits) -> Iterator[Condition]:
    for one in measured.failures:
        limit = find_failure_limit(one, limits)
        if limit is None or one.expected < limit or one.failed < LEAST_SHARE * one.ended:
            continue
        usual = expect_failures(one.usual)
        yield Condition(
            IncidentKind.FAILURES_HIGH, _name(one.queue), one.failed, limit, None, (one.queue,),
            {"usual": usual, "ended": max(one.ended, one.failed),
             **({"standing": one.standing} if one.standing else {}),
             **({"at_least": True} if one.projected is not None else {})},
        )  # fmt: skip


def find_failure_limit(one: Failures, limits: Limits) -> float | None:
    """From how many failures on there are too many; None: it is not known what is usual."""
    usual = expect_failures(one.usual)
    return None if usual is None else max(float(limits.few), limits.failures * usual)


def expect_failures(by_days_ago: Mapping[int, int]) -> float | None:
    """What is usual at this time: on most days, and on this day of the week; None: not known."""
    days = [count for ago, count in by_days_ago.items() if ago <= 7]
    if len(days) < FEW_DAYS:
        return None
    weeks = [by_days_ago[ago] for ago in (7, 14) if ago in by_days_ago]
    return max(float(median(days)), float(min(weeks, default=0)))


def _judge_groups(measured: Measured, limits: Limits) -> Iterator[Condition]:
    for one in measured.groups:
        if one.failures >= limits.group:
            back = one.quiet_seconds is not None
            facts = {
                "task": one.task,
                "queue": one.queues[0] if len(one.queues) == 1 else None,
                "exception_type": one.exception_type,
                "message": one.message,
                "state": "regressed" if back else "new",
                "quiet_seconds": one.quiet_seconds,
                "job_id": one.job_id,
                "last_at": one.last_at.isoformat() if one.last_at else None,
                "by_queue": one.by_queue,
                **({"at_least": True} if one.at_least else {}),
                **({"standing": one.standing} if one.standing else {}),
                **({"of_task": one.of_task} if one.of_task else {}),
                **list_marks(partial(getattr, one)),
            }
            yield Condition(
                IncidentKind.GROUP, one.name, one.failures, limits.group, one.since,
                one.queues, facts,
            )  # fmt: skip


def list_marks(get: Callable[[str], Any]) -> dict[str, Any]:
    """Who is on a group of errors, and until when it is muted, as facts."""
    found = {name: mark for name in MARKS if (mark := get(name)) is not None}
    return {
        name: mark.isoformat() if isinstance(mark, datetime) else mark
        for name, mark in found.items()
    }


def _judge_stuck(measured: Measured, limits: Limits) -> Iterator[Condition]:
    known = [one for one in measured.stuck if one.since is not None]
    stuck = sorted(known, key=lambda one: (one.since, one.job_id))
    if not stuck or stuck[0].since is None:
        return
    seconds = (measured.now - stuck[0].since).total_seconds()
    if seconds >= limits.jobs_stuck:
        yield Condition(
            IncidentKind.JOBS_STUCK, "", seconds, limits.jobs_stuck, stuck[0].since,
            tuple(sorted({one.queue for one in stuck})),
            {"jobs": len(stuck), "job_ids": [one.job_id for one in stuck[:5]],
             "task": stuck[0].task, "by_queue": dict(_sort_stuck(stuck))},
        )  # fmt: skip


def _sort_stuck(stuck: Sequence[Stuck]) -> Iterator[tuple[str, dict[str, Any]]]:
    for queue in sorted({one.queue for one in stuck}):
        some = [one for one in stuck if one.queue == queue]
        ids = [one.job_id for one in some[:5]]
        yield queue, {"jobs": len(some), "job_ids": ids, "task": some[0].task}


def _judge_recorders(measured: Measured, limits: Limits) -> Iterator[Condition]:
    for one in measured.recorders:
        seconds = (measured.now - one.beat_at).total_seconds()
        if seconds >= limits.recorder_silent:
            yield Condition(
                IncidentKind.RECORDER_SILENT, one.name, seconds,
                limits.recorder_silent, one.beat_at, (), {"worker_id": one.worker_id},
            )  # fmt: skip
