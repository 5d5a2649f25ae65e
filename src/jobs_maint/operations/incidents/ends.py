"""Why something that was bad is over. What was not seen good goes on.

Nothing here reads a clock or a database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from jobs_maint.actions import Limits
from jobs_maint.models import Condition, IncidentKind, Why
from jobs_maint.operations.incidents.judging import find_failure_limit, find_limit
from jobs_maint.operations.incidents.measured import Fate, Measured, Ready

__all__ = ["Ends", "list_jobs"]


@dataclass(frozen=True, slots=True)
class Ends:
    """What a pass saw. `sound`: the kinds that it could look at. `jobs`: those of `list_jobs`."""

    measured: Measured
    limits: Limits
    sound: frozenset[IncidentKind]
    jobs: Mapping[int, Fate] = field(default_factory=dict)

    def find(self, one: Condition) -> Why | None:
        """Of a condition that was not found any more; None: it was not seen good."""
        if one.kind not in self.limits.kinds:
            return "off"
        if one.kind not in self.sound:
            return None
        return _FINDERS[one.kind](self, one)

    def update(self, one: Condition) -> Condition:
        """As it is at its end: of an error, how often it fails still and when it did last."""
        left: dict[str, Any] = {}
        if one.kind is IncidentKind.FAILURES_HIGH:
            there = [some for some in self.measured.failures if some.queue in one.queues]
            left = {"left": sum(some.failed for some in there)}
            if there and there[0].standing:
                left["standing"] = there[0].standing
        for group in self.measured.groups:
            if one.kind is IncidentKind.GROUP and one.subject == group.name:
                left = {"left": group.failures}
                if group.last_at:
                    left["last_at"] = group.last_at.isoformat()
                if group.standing:
                    left["standing"] = group.standing
        return replace(one, facts={**one.facts, **left})

    def find_ready(self, queue: str) -> Ready | None:
        return next((ready for ready in self.measured.ready if ready.queue == queue), None)

    def find_fate(self, one: Condition) -> Literal["cancelled", "gone", "ran"]:
        """What became of the job that had waited longest in its queue."""
        fate = self.jobs.get(int(one.facts.get("job_id") or 0))
        if fate is None or fate.queue not in one.queues or fate.status == "todo":
            return "gone"
        return "cancelled" if fate.status == "cancelled" else "ran"


def list_jobs(there: list[Condition]) -> list[int]:
    """Those whose fate tells why a queue is no longer behind."""
    kinds = {IncidentKind.NO_WORKER, IncidentKind.QUEUE_BEHIND}
    return [
        int(one.facts["job_id"]) for one in there if one.kind in kinds and "job_id" in one.facts
    ]


def _end_of_no_worker(ends: Ends, one: Condition) -> Why | None:
    fleet = ends.measured.fleet
    if not one.subject:
        return "good" if fleet.live else None
    [queue] = one.queues
    if fleet.live and (fleet.queues is None or queue in fleet.queues):
        return "good"
    fate = ends.find_fate(one)
    if fleet.live and fleet.unknown and fate == "ran":
        return fate
    return None if ends.find_ready(queue) else fate


def _end_of_queue_behind(ends: Ends, one: Condition) -> Why | None:
    [queue] = one.queues
    limit, ready = find_limit(queue, ends.limits), ends.find_ready(queue)
    if limit is None or limit == float("inf"):
        return "off"
    if ready and (ends.measured.now - ready.since).total_seconds() >= one.limit:
        return "limit"
    fate = ends.find_fate(one)
    return "good" if fate == "ran" or (ready and fate == "gone") else fate


def _end_of_failures(ends: Ends, one: Condition) -> Why | None:
    """None where nobody knows what is usual, or how many failed in a storm of other queues."""
    if ends.measured.projected:
        return None
    failed = sum(some.failed for some in ends.measured.failures if some.queue in one.queues)
    known = any(
        some.queue in one.queues and find_failure_limit(some, ends.limits) is not None
        for some in ends.measured.failures
    )
    return "good" if failed < ends.limits.few or known else None


def _end_of_group(ends: Ends, one: Condition) -> Why | None:
    group = next((some for some in ends.measured.groups if some.name == one.subject), None)
    if group is None:
        return "gone"
    if group.failures >= one.limit:
        return "limit"
    return "less" if group.failures else "good"


def _end_of_stuck(ends: Ends, one: Condition) -> Why | None:
    return "limit" if ends.limits.jobs_stuck > one.limit else "good"


def _end_of_tick(ends: Ends, one: Condition) -> Why | None:
    """A worker that was started since then makes up for nothing."""
    there = [tick for tick in ends.measured.ticks if tick.name == one.subject]
    missed = datetime.fromisoformat(str(one.facts["tick"]))
    if not there:
        return "unknown" if ends.measured.crons_known else None
    if any(tick.last is not None and tick.last >= missed for tick in there):
        return "good"
    return None if any(tick.waits for tick in there) else "late"


def _end_of_maintenance(ends: Ends, one: Condition) -> Why | None:
    run = next((some for some in ends.measured.maintenance if some.duty == one.subject), None)
    if run is None:
        return "off"
    if run.succeeded_at is None:
        return None
    before = datetime.fromisoformat(str(one.facts["succeeded_at"]))
    return "good" if run.succeeded_at > before else "limit"


def _end_of_digest(ends: Ends, one: Condition) -> Why | None:
    if one.subject not in {plan.name for plan in ends.measured.plans}:
        if not one.facts.get("by_workers"):
            return "off"
        return "unknown" if ends.measured.crons_known else None
    until = next((some.until for some in ends.measured.digests if some.name == one.subject), None)
    if until is None:
        return None
    before = one.facts.get("until")
    return "good" if before is None or until > datetime.fromisoformat(str(before)) else "limit"


def _end_of_recorder(ends: Ends, one: Condition) -> Why | None:
    if one.subject in {some.name for some in ends.measured.recorders}:
        return "limit" if ends.limits.recorder_silent > one.limit else None
    return "good" if one.subject in ends.measured.reporting else "ended"


_FINDERS: Mapping[IncidentKind, Callable[[Ends, Condition], Why | None]] = {
    IncidentKind.NO_WORKER: _end_of_no_worker,
    IncidentKind.QUEUE_BEHIND: _end_of_queue_behind,
    IncidentKind.FAILURES_HIGH: _end_of_failures,
    IncidentKind.GROUP: _end_of_group,
    IncidentKind.JOBS_STUCK: _end_of_stuck,
    IncidentKind.TICK_MISSED: _end_of_tick,
    IncidentKind.MAINTENANCE_OVERDUE: _end_of_maintenance,
    IncidentKind.DIGEST_OVERDUE: _end_of_digest,
    IncidentKind.RECORDER_SILENT: _end_of_recorder,
}
