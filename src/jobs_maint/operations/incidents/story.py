"""What an incident is named after, and what else is part of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from jobs_maint.models import Condition, HistoryEntry, Incident, IncidentKind, Why
from jobs_maint.operations.incidents.causes import rank

__all__ = [
    "end_all",
    "follow_marks",
    "go_on",
    "keep_worst",
    "lead_by",
    "leave",
    "note",
    "note_left",
    "pass_on",
    "take_back",
    "take_marks",
]


def lead_by(incident: Incident, lead: Condition, folded: Iterable[Condition]) -> Incident:
    """Of what is told as how long it lasts, that and when it was seen are of one look."""
    begun = [one.since for one in (lead, *folded) if one.since is not None]
    same = lead.key == incident.key
    seen_at = incident.seen_at
    if not same and lead.kind.is_age and lead.since is not None:
        seen_at = lead.since + timedelta(seconds=lead.value)
    return replace(
        incident,
        kind=lead.kind,
        subject=lead.subject,
        value=lead.value,
        worst=max(lead.value, lead.worst or 0.0, incident.worst if same else 0.0),
        limit=lead.limit,
        seen_at=seen_at,
        queues=lead.queues,
        facts=lead.facts,
        folded=tuple(folded),
        since=min([incident.since, *begun]),
    )


def note(
    incident: Incident, what: Any, at: datetime, by: str | None = None, **more: Any
) -> Incident:
    entry = HistoryEntry(at, what, incident.kind, incident.subject, incident.value, by, **more)
    return replace(incident, history=(*incident.history, entry))


def note_left(incident: Incident, at: datetime) -> Incident:
    """Another part leads it, which is told while that stands: not of jobs that are dealt with."""
    return note(incident, "remains", at) if incident.lead.is_live else incident


def keep_worst(condition: Condition, before: Condition) -> Condition:
    """At its worst there may have been more than were counted; that stays true."""
    worst = before.worst or before.value
    if condition.value >= worst:
        return replace(condition, worst=condition.value)
    at_least = before.facts.get("worst_at_least") or (
        before.facts.get("at_least") and before.value == worst
    )
    facts = {**condition.facts, "worst_at_least": True} if at_least else condition.facts
    return replace(condition, worst=worst, facts=facts)


def go_on(condition: Condition, before: Condition, *, was_over: bool = False) -> Condition:
    """As it is now, since it began: other jobs than at first may be stuck or wait by now.

    Not since it began first, where it was over meanwhile: what is dated from the last sign of life
    is so from the last one before now.
    """
    since, begun = condition.since, before.since
    is_anew = was_over and condition.kind.is_age
    if since is not None and begun is not None and begun < since and not is_anew:
        heard_at = condition.facts.get("heard_at")
        if heard_at is not None:  # a worker may have been there between two passes
            begun = min(since, max(begun, datetime.fromisoformat(str(heard_at))))
        more = (since - begun).total_seconds() if condition.kind.is_age else 0.0
        condition = replace(condition, since=begun, value=condition.value + more)
    return keep_worst(condition, before)


def leave(incident: Incident, over: Sequence[tuple[Condition, Why]]) -> Incident:
    """Parts of it are over; it goes on. Of what it is named after, its thread tells that."""
    for one, why in over:
        incident = replace(incident, past=(*incident.past, one))
        if one.key in {incident.key, incident.head}:
            worst = one.worst or one.value
            entry = HistoryEntry(one.over_at or incident.seen_at, "over", *one.key, worst, why=why)
            incident = replace(incident, history=(*incident.history, entry))
    return incident


def take_marks(incident: Incident) -> Incident:
    """Who is on the error that leads it, and its mute; one up to a number mutes no message."""
    facts = incident.facts
    at, until = (
        datetime.fromisoformat(text) if (text := facts.get(name)) else None
        for name in ("taken_at", "muted_until")
    )
    until = None if facts.get("muted_above") else until
    return replace(incident, taken_by=facts.get("taken_by"), taken_at=at, muted_until=until)


def follow_marks(incident: Incident, before: Incident) -> Incident:
    """Another error leads it: who is on that one need not be who was on the first."""
    is_error = incident.kind is before.kind is IncidentKind.GROUP
    return take_marks(incident) if is_error else incident


def pass_on(incident: Incident, over: Sequence[tuple[Condition, Why]], at: datetime) -> Incident:
    """What leads it is over: of what is there, the first leads it from now on."""
    gone = {one.key for one, _ in over}
    parts = (incident.lead, *incident.folded)
    lead, *others = sorted((one for one in parts if one.key not in gone), key=rank)
    left = lead_by(replace(leave(incident, over), seen_at=at), lead, others)
    return note_left(left, at)


def end_all(incident: Incident, over: Sequence[tuple[Condition, Why]]) -> Incident:
    """All of it is over: it is told as what it was named after, with the others as its parts."""
    past = {one.key: one for one in (*incident.past, *(one for one, _ in over))}
    at = max(one.over_at for one in past.values() if one.over_at)
    whys = {(one.kind, one.subject): one.why for one in incident.history if one.what == "over"}
    whys |= {one.key: why for one, why in over}
    head = past.pop(incident.head, None) or past.pop(incident.key)
    if head.over_at and head.over_at < at and head.key not in {one.key for one in incident.past}:
        entry = HistoryEntry(
            head.over_at, "over", *head.key, head.worst or head.value, why=whys.get(head.key)
        )
        incident = replace(incident, history=(*incident.history, entry))
    seen_at = incident.seen_at if head.key == incident.key else head.over_at or at
    ended = replace(
        lead_by(replace(incident, seen_at=seen_at), head, ()),
        state="resolved", resolved_at=at, past=tuple(past.values()), calm_since=None,
    )  # fmt: skip
    return note(ended, "resolved", at, why=whys.get(head.key))


def take_back(incident: Incident, condition: Condition) -> tuple[Condition, Incident]:
    """It may have been over already: then it is as bad as it was at its worst."""
    before = next((one for one in incident.past if one.key == condition.key), condition)
    past = tuple(one for one in incident.past if one is not before)
    return keep_worst(condition, before), replace(incident, past=past)
