"""What open incidents say of queues and stuck jobs, as it is: the last pass may be older."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

from jobs_maint.actions import Limits
from jobs_maint.database import Conn
from jobs_maint.models import Condition, Incident, IncidentKind
from jobs_maint.operations.incidents.cases import Key
from jobs_maint.operations.incidents.causes import rank
from jobs_maint.operations.incidents.ends import Ends, list_jobs
from jobs_maint.operations.incidents.judging import judge
from jobs_maint.operations.incidents.looking import (
    look_at_queues,
    look_for_fates,
    look_for_stuck,
)
from jobs_maint.operations.incidents.measured import Measured, Memory
from jobs_maint.operations.incidents.story import go_on, lead_by
from jobs_maint.operations.session import get_time
from jobs_maint.redaction import run_apart

__all__ = ["look_anew"]

_KINDS = frozenset({IncidentKind.NO_WORKER, IncidentKind.QUEUE_BEHIND, IncidentKind.JOBS_STUCK})


async def look_anew(conn: Conn, found: Iterable[Incident], maintenance: str) -> list[Incident]:
    """Nothing is stored. What is over, though no pass has seen that yet, is calm from now on.

    `maintenance`: the queue of our own tasks.
    """
    every = list(found)
    old = [part for one in every for part in _list_parts(one) if part.kind in _KINDS]
    if not old:
        return every
    # One limit for all queues: thousands may be behind, and each would be tried with each.
    least = min((one.limit for one in old if one.kind is IncidentKind.QUEUE_BEHIND), default=None)
    places = (("*", least),) if least is not None else ()
    stuck = [one for one in old if one.kind is IncidentKind.JOBS_STUCK]
    patience = min((one.limit for one in stuck), default=0.0)
    limits = Limits(_KINDS, no_worker=0.0, queue_behind=places, jobs_stuck=patience)
    now = await get_time(conn)
    found_now = await look_at_queues(conn, now, limits, maintenance)
    if stuck:
        found_now |= await look_for_stuck(conn, limits)
    seen = Measured(now, maintenance, **found_now)
    ends = Ends(seen, limits, _KINDS, await look_for_fates(conn, list_jobs(old)))

    def renew() -> list[Incident]:
        there = {condition.key: condition for condition in judge(seen, limits, Memory())}
        return [_renew(one, ends, there) if _list_parts(one) else one for one in every]

    return await run_apart(renew, 10 * len(old))


def _list_parts(one: Incident) -> tuple[Condition, ...]:
    """None where it is over or calm."""
    return (one.lead, *one.folded) if one.is_open and one.calm_since is None else ()


def _renew(one: Incident, ends: Ends, there: Mapping[Key, Condition]) -> Incident:
    seen = ends.measured

    def look(part: Condition) -> Condition | None:
        """As it is now; None where it is over."""
        if part.kind not in _KINDS:
            return part
        found = there.get(part.key)
        if found is not None and part.kind is IncidentKind.QUEUE_BEHIND:
            found = replace(found, limit=part.limit) if found.value >= part.limit else None
        if found is not None and part.kind is IncidentKind.NO_WORKER and part.since is not None:
            # The watch knows better when the last worker was heard.
            value = (seen.now - part.since).total_seconds()
            found = replace(found, since=part.since, value=value)
        if found is not None:
            return go_on(found, part)
        if part.kind is IncidentKind.NO_WORKER and not seen.fleet.live:
            begun = part.since or one.seen_at - timedelta(seconds=part.value)
            return replace(part, value=(seen.now - begun).total_seconds())
        return None

    lead, *others = (look(part) for part in (one.lead, *one.folded))
    left = [part for part in others if part is not None]
    if lead is None and not left:
        facts = {**one.facts, "why": ends.find(one.lead)}
        return replace(one, calm_since=seen.now, facts=facts)
    if lead is None:
        lead, *left = sorted(left, key=rank)
    if lead.kind in _KINDS:
        one = replace(one, seen_at=seen.now)
    return lead_by(one, lead, left)
