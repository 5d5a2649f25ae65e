"""What of an incident a role is shown that reaches some queues only, and whether it reaches all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from jobs_maint.actions import QueueScope
from jobs_maint.errors import InvalidRequest
from jobs_maint.models import Condition, Incident, IncidentKind
from jobs_maint.operations.incidents.causes import rank
from jobs_maint.operations.incidents.narrowing import narrow
from jobs_maint.operations.incidents.story import lead_by, take_marks

__all__ = ["leave_out_digests", "limit_to", "limit_to_tasks", "reaches_all", "refuse_unknown"]

MOST_IDS = 5


def limit_to(scope: QueueScope, found: Sequence[Incident]) -> tuple[Incident, ...]:
    """Those that concern a queue in reach, or none in particular; without queues out of reach."""
    if scope.globs is None:
        return tuple(found)
    return tuple(_cut(one, scope) for one in _keep(partial(_reaches, scope), found))


def refuse_unknown(number: int, scope: QueueScope) -> InvalidRequest:
    reach = "" if scope.globs is None else " in the queues that your role reaches"
    return InvalidRequest(f"there is no incident I-{number}{reach}; `incidents` lists them")


def limit_to_tasks(tasks: QueueScope, found: Sequence[Incident]) -> list[Incident]:
    """Without errors, and ticks missed, of other tasks; whatever is of a queue may be of these."""

    def is_theirs(what: Incident | Condition) -> bool:
        of_one = what.kind in {IncidentKind.GROUP, IncidentKind.TICK_MISSED}
        return not of_one or tasks.covers(str(what.facts.get("task", what.subject)))

    return _keep(is_theirs, found)


def leave_out_digests(names: Collection[str], found: Sequence[Incident]) -> list[Incident]:
    """Without what says that one of these digests is late."""
    return _keep(
        lambda one: one.kind is not IncidentKind.DIGEST_OVERDUE or one.subject not in names, found
    )


def _keep(
    is_shown: Callable[[Incident | Condition], bool], found: Sequence[Incident]
) -> list[Incident]:
    led = ((_lead_by_first(one, is_shown), one) for one in found)
    return [narrow(one, whole, is_shown) for one, whole in led if one is not None]


def _lead_by_first(
    one: Incident, is_shown: Callable[[Incident | Condition], bool]
) -> Incident | None:
    """Where what leads it is not shown: as a part of it is, if there is one that is shown.

    Where all such parts are over, so is what is told of it.
    """
    if is_shown(one):
        return one
    open_parts, past = (list(filter(is_shown, parts)) for parts in (one.folded, one.past))
    parts = open_parts or past
    if not parts:
        return None
    lead, *others = sorted(parts, key=rank)
    if open_parts:
        return _say_of_part(lead_by(one, lead, others))
    one = replace(one, seen_at=lead.over_at or one.seen_at, past=tuple(others))
    ends = [part.over_at for part in parts if part.over_at is not None]
    one = _say_of_part(lead_by(one, lead, ()))
    return replace(one, state="resolved", resolved_at=max(ends), calm_since=None)


def _say_of_part(one: Incident) -> Incident:
    """Whoever is on a group of errors, or muted it, need not have taken the whole."""
    return take_marks(one) if one.kind is IncidentKind.GROUP else one


def reaches_all(scope: QueueScope, one: Incident) -> bool:
    """Whether all that it concerns is in reach; what is about no queue concerns all."""
    if scope.globs is None:
        return True
    parts = (one.lead, *one.folded)
    return all(part.queues and all(map(scope.covers, part.queues)) for part in parts)


def _reaches(scope: QueueScope, one: Incident | Condition) -> bool:
    if one.kind is IncidentKind.GROUP and "by_queue" in one.facts:
        return any(map(scope.covers, one.facts["by_queue"]))
    return not one.queues or any(map(scope.covers, one.queues))


def _cut(one: Incident, scope: QueueScope) -> Incident:
    facts, value = _cut_facts(one, scope), _cut_value(one, scope)
    is_part = value != one.value
    parts = [one.lead, *one.folded, *one.past]
    values = {part.key: _cut_value(part, scope) for part in parts}
    limited = {part.key for part in parts if values[part.key] != part.value}
    return replace(
        one,
        value=value,
        worst=value if is_part else one.worst,
        queues=tuple(filter(scope.covers, one.queues)),
        facts=facts,
        folded=tuple(_cut_part(part, scope) for part in one.folded),
        past=tuple(_cut_part(part, scope) for part in one.past),
        history=tuple(
            replace(entry, value=values[entry.key]) if entry.key in limited else entry
            for entry in one.history
        ),
    )


def _cut_part(one: Condition, scope: QueueScope) -> Condition:
    value = _cut_value(one, scope)
    return replace(
        one,
        value=value,
        worst=one.worst if value == one.value else value,
        queues=tuple(filter(scope.covers, one.queues)),
        facts=_cut_facts(one, scope),
    )


def _cut_facts(one: Incident | Condition, scope: QueueScope) -> Mapping[str, Any]:
    """Counts and jobs of the queues in reach, and no text of a job that may be in another."""
    all_facts = one.facts
    if not all(map(scope.covers, all_facts.get("of_task", {}).get("queues", ()))):
        all_facts = {name: fact for name, fact in all_facts.items() if name != "of_task"}
    all_facts = _cut_job(all_facts, scope, "holder", "holder_queue")
    if one.kind is IncidentKind.MAINTENANCE_OVERDUE:
        all_facts = _cut_job(all_facts, scope, "job_id", "job_queue")
    all_queues: Mapping[str, Mapping[str, Any]] | None = all_facts.get("by_queue")
    if all_queues is None:
        return all_facts
    own = {queue: facts for queue, facts in all_queues.items() if scope.covers(queue)}
    if len(own) == len(all_queues):
        return all_facts
    outside = {"message", "left", "last_at", "standing"}
    cut = {name: fact for name, fact in all_facts.items() if name not in outside}
    for name in cut:
        found = [facts[name] for facts in own.values() if name in facts]
        if name in {"waiting", "jobs"}:
            cut[name] = sum(found)
        elif name == "job_ids":
            cut[name] = sorted(job_id for ids in found for job_id in ids)[:MOST_IDS]
        elif name in {"job_id", "task"} and found:
            cut[name] = max(found)
    return {**cut, "by_queue": own}


def _cut_job(
    facts: Mapping[str, Any], scope: QueueScope, job: str, queue: str
) -> Mapping[str, Any]:
    """Without a job that is not known to be in reach."""
    if not facts.get(job) or (facts.get(queue) is not None and scope.covers(facts[queue])):
        return facts
    return {**facts, job: None, queue: None}


def _cut_value(one: Incident | Condition, scope: QueueScope) -> float:
    """Of a group, its failures; of other kinds it is how long it lasts, or of one queue."""
    if one.kind is not IncidentKind.GROUP or "by_queue" not in one.facts:
        return one.value
    own = (facts for queue, facts in one.facts["by_queue"].items() if scope.covers(queue))
    return float(sum(facts["failures"] for facts in own))
