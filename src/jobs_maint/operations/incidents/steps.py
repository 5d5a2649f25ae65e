"""The steps of one incident: each takes a case and returns what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from jobs_maint.models import Condition, HistoryEntry, Incident, IncidentKind, Why
from jobs_maint.operations.incidents.cases import LEADS, PATIENT, Case, Key, revise
from jobs_maint.operations.incidents.causes import is_aside, rank
from jobs_maint.operations.incidents.story import (
    end_all,
    follow_marks,
    go_on,
    lead_by,
    leave,
    note,
    note_left,
    take_marks,
)

__all__ = ["calm", "miss", "refresh", "start"]

_GROWS = {IncidentKind.QUEUE_BEHIND, IncidentKind.FAILURES_HIGH, IncidentKind.GROUP}
"""Twice the value is news; the value of the others is how long they last."""


def start(condition: Condition, now: datetime, muted_until: datetime | None) -> Case:
    """A new one; the id is given by the database. Of a group somebody may be on it already."""
    incident = Incident(
        id=0,
        kind=condition.kind,
        subject=condition.subject,
        state="open",
        since=condition.since or now,
        opened_at=now,
        seen_at=now,
        value=condition.value,
        worst=condition.value,
        limit=condition.limit,
        queues=condition.queues,
        facts=condition.facts,
    )
    until = muted_until if muted_until and muted_until > now else None
    incident = replace(take_marks(incident), muted_until=until)
    return Case(note(incident, "opened", now, since=condition.since), 1, now)


def refresh(
    case: Case,
    found: Mapping[Key, Condition],
    end: Callable[[Condition], Why | None],
    now: datetime,
    quiet: timedelta,
    update: Callable[[Condition], Condition],
) -> Case:
    """What a pass saw of it: new values; what was seen ended twice is over, and so may it be.

    One that flaps waits for the quiet time before it is over, but only where nothing of it is left:
    else a part that is over would go on to lead it.
    What is left leads it only where not all of that was just seen ended, too: else it is over with
    what led it, or the next pass finds it again.
    `end`: why what is not found any more is over; None: it is not. `update`: as it is then.
    """
    patient = case.incident.flapping and not any(one.key in found for one in case.conditions)
    absent: dict[Key, datetime] = {}
    there: list[Condition] = []
    ended: dict[Key, Condition] = {}
    gone: set[Key] = set()
    for before in case.conditions:
        key = before.key
        missed = case.absent.get(key)
        if key in found:
            there.append(go_on(found[key], before, was_over=missed is not None))
            continue
        why = end(before)
        condition = replace(before, facts={**before.facts, "why": why}) if why else before
        waits = why in PATIENT or (patient and why != "off")
        if why and missed and now - missed >= (quiet if waits else timedelta()):
            ended[key] = condition
            continue
        there.append(condition)
        if missed or why:
            absent[key] = missed or now
        if why and why not in PATIENT:
            gone.add(key)
    if there and case.incident.key in ended and gone.issuperset(one.key for one in there):
        absent |= {key: case.absent[key] for key in ended}
        there, ended = [*ended.values(), *there], {}
    over = [(replace(update(one), over_at=case.absent[key]), one.why) for key, one in ended.items()]
    if not there:
        return revise(case, end_all(case.incident, over), now, {})
    lead, *folded = there
    yields = any(is_aside(one) < is_aside(lead) for one in folded if one.key not in gone)
    if yields or lead.key != case.incident.key:
        lead, *folded = sorted(there, key=lambda one: (one.key in gone, rank(one)))
    incident = lead_by(leave(case.incident, over), lead, folded)
    if lead.key in found:  # not with an old value, which of most kinds is the age at that time
        incident = replace(incident, seen_at=now)
    incident = _note_news(incident, case.incident, now)
    return revise(case, _count_again(case.incident, calm(incident, absent, now)), now, absent)


def _note_news(incident: Incident, before: Incident, now: datetime) -> Incident:
    if incident.key != before.key:
        return note_left(follow_marks(_note_settled(incident, before, now), before), now)
    if incident.kind in _GROWS and incident.value >= 2 * _last_told(incident):
        incident = note(incident, "worse", now)
    if incident.standing.all_done and not before.standing.all_done:
        incident = note(incident, "settled", now)
    return incident


def _note_settled(incident: Incident, before: Incident, now: datetime) -> Incident:
    """What led it may have been dealt with in this pass."""
    for one in incident.folded:
        if one.key == before.key and one.standing.all_done and not before.standing.all_done:
            entry = HistoryEntry(now, "settled", *one.key, one.value)
            return replace(incident, history=(*incident.history, entry))
    return incident


def _count_again(before: Incident, incident: Incident) -> Incident:
    """What flaps and was away is back."""
    is_back = before.calm_since is not None and incident.calm_since is None
    return replace(incident, times=incident.times + is_back)


def calm(incident: Incident, absent: Mapping[Key, datetime], at: datetime) -> Incident:
    """With the time from which on none of it is there, where two passes until `at` saw that.

    Only of one that flaps: the others are over then.
    """
    if incident.state != "open" or not incident.flapping:
        return incident
    missed = [absent.get(one.key) for one in (incident.lead, *incident.folded)]
    ends = [one for one in missed if one is not None and one < at]
    return replace(incident, calm_since=max(ends) if len(ends) == len(missed) else None)


def miss(case: Case, span: timedelta, now: datetime) -> Case:
    """Nobody looked for so long."""
    entry = HistoryEntry(now, "unwatched", *case.incident.key, span.total_seconds())
    history = (*case.incident.history, entry)
    return revise(case, replace(case.incident, history=history), now, case.absent)


def _last_told(incident: Incident) -> float:
    """The value of the lead when the history named it last."""
    told = (
        one.value
        for one in reversed(incident.history)
        if one.what in LEADS | {"worse", "folded"} and (one.kind, one.subject) == incident.key
    )
    return next(told, incident.value)
