"""The steps of one incident: each takes a case and returns what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from jobs_maint.models import Condition, HistoryEntry, Incident, IncidentKind, Why
from jobs_maint.operations.incidents.causes import rank
from jobs_maint.operations.incidents.story import (
    end_all,
    go_on,
    lead_by,
    leave,
    note,
    pass_on,
    take_back,
)

__all__ = [
    "FLAPPING",
    "Case",
    "Key",
    "calm",
    "fold",
    "merge",
    "miss",
    "promote",
    "refresh",
    "reopen",
    "start",
]

Key = tuple[IncidentKind, str]

FLAPPING = 3
"""An incident that came so often flaps."""
EDIT_EVERY = timedelta(minutes=1)
"""For the sake of a number alone; less often where it has lasted for hours."""
_GROWS = {IncidentKind.QUEUE_BEHIND, IncidentKind.FAILURES_HIGH, IncidentKind.GROUP}
"""Twice the value is news; the value of the others is how long they last."""
_PATIENT = {"unknown"}
"""May come and go with a deployment, so it is waited for."""
_LEADS = {"opened", "back", "cause", "remains"}


@dataclass(frozen=True, slots=True)
class Case:
    """An incident, and what is kept beside it.

    `absent`: what was not seen any more, by the first pass that could look and did not see it.
    """

    incident: Incident
    revision: int
    revised_at: datetime
    absent: Mapping[Key, datetime] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return self.incident.state == "open"

    def is_muted(self, now: datetime) -> bool:
        until = self.incident.muted_until
        return until is not None and until > now

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (self.incident.lead, *self.incident.folded)

    @property
    def is_live(self) -> bool:
        return any(condition.is_live for condition in self.conditions)

    @property
    def keys(self) -> set[Key]:
        return {condition.key for condition in self.conditions}

    @property
    def has_been(self) -> set[Key]:
        """All that has led it."""
        return {(one.kind, one.subject) for one in self.incident.history if one.what in _LEADS}

    @property
    def began(self) -> datetime:
        """When it opened, or came back last."""
        return max(one.at for one in self.incident.history if one.what in {"opened", "back"})


def start(condition: Condition, now: datetime, muted_until: datetime | None) -> Case:
    """A new one; the id is given by the database. Of a group somebody may be on it already."""
    taken_at = condition.facts.get("taken_at")
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
        taken_by=condition.facts.get("taken_by"),
        taken_at=datetime.fromisoformat(taken_at) if taken_at else None,
        muted_until=muted_until if muted_until and muted_until > now else None,
    )
    return Case(note(incident, "opened", now, since=condition.since), 1, now)


def refresh(
    case: Case,
    found: Mapping[Key, Condition],
    end: Callable[[Condition], Why | None],
    now: datetime,
    quiet: timedelta,
    update: Callable[[Condition], Condition] = lambda one: one,
) -> Case:
    """What a pass saw of it: new values; what was seen ended twice is over, and so may it be.

    One that flaps waits for the quiet time before it is over, but only where nothing of it is left:
    else a part that is over would go on to lead it.
    `end`: why what is not found any more is over; None: it is not. `update`: as it is then.
    """
    patient = case.incident.flapping and not any(one.key in found for one in case.conditions)
    absent: dict[Key, datetime] = {}
    there: list[Condition] = []
    over: list[tuple[Condition, Why]] = []
    for before in case.conditions:
        key = before.key
        missed = case.absent.get(key)
        if key in found:
            there.append(go_on(found[key], before, was_over=missed is not None))
            continue
        why = end(before)
        condition = replace(before, facts={**before.facts, "why": why}) if why else before
        waits = why in _PATIENT or (patient and why != "off")
        if why and missed and now - missed >= (quiet if waits else timedelta()):
            over.append((replace(update(condition), over_at=missed), why))
            continue
        there.append(condition)
        if missed or why:
            absent[key] = missed or now
    if not there:
        return _revise(case, end_all(case.incident, over), now, {})
    lead, *folded = there
    is_dealt_with = not lead.is_live and any(one.is_live for one in folded)
    if is_dealt_with or lead.key != case.incident.key:
        lead, *folded = sorted(there, key=rank)
    incident = lead_by(leave(case.incident, over), lead, folded)
    if lead.key in found:  # not with an old value, which of most kinds is the age at that time
        incident = replace(incident, seen_at=now)
    incident = _note_news(incident, case.incident, now)
    return _revise(case, _count_again(case.incident, calm(incident, absent, now)), now, absent)


def _note_news(incident: Incident, before: Incident, now: datetime) -> Incident:
    if incident.key != before.key:
        return note(_follow_marks(_note_left(incident, before, now), before), "remains", now)
    if incident.kind in _GROWS and incident.value >= 2 * _last_told(incident):
        incident = note(incident, "worse", now)
    if incident.standing.all_done and not before.standing.all_done:
        incident = note(incident, "settled", now)
    return incident


def _note_left(incident: Incident, before: Incident, now: datetime) -> Incident:
    """What led it may have been dealt with in this pass."""
    for one in incident.folded:
        if one.key == before.key and one.standing.all_done and not before.standing.all_done:
            entry = HistoryEntry(now, "settled", *one.key, one.value)
            return replace(incident, history=(*incident.history, entry))
    return incident


def _follow_marks(incident: Incident, before: Incident) -> Incident:
    """Another error leads it: who is on that one need not be who was on the first."""
    if incident.kind is not IncidentKind.GROUP or before.kind is not IncidentKind.GROUP:
        return incident
    facts = incident.facts
    at, until = (
        datetime.fromisoformat(text) if (text := facts.get(name)) else None
        for name in ("taken_at", "muted_until")
    )
    until = None if facts.get("muted_above") else until
    return replace(incident, taken_by=facts.get("taken_by"), taken_at=at, muted_until=until)


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
    return _revise(case, replace(case.incident, history=history), now, case.absent)


def fold(
    case: Case,
    condition: Condition,
    now: datetime,
    update: Callable[[Condition], Condition] = lambda one: one,
) -> Case:
    """It has the same cause, or is a part of it that is back: that is told once."""
    if case.incident.calm_since is not None:
        return _come_back(case, condition, now)
    condition, incident = take_back(case.incident, condition)
    incident = lead_by(incident, incident.lead, [*incident.folded, condition])
    told = [
        one.what for one in incident.history
        if (one.kind, one.subject) == condition.key and one.at >= case.began
    ]  # fmt: skip
    if not told or told[-1] == "over":
        entry = HistoryEntry(
            now, "folded", *condition.key, condition.value, since=condition.since
        )  # fmt: skip
        incident = replace(incident, history=(*incident.history, entry))
    over, absent = _list_over(case, update), case.absent
    gone = {one.key for one, _ in over}
    if incident.key in gone:  # it is not told again for the sake of what joins it
        incident = _follow_marks(pass_on(incident, over, now), case.incident)
        absent = {key: at for key, at in absent.items() if key not in gone}
    return _revise(case, incident, now, absent)


def _list_over(case: Case, update: Callable[[Condition], Condition]) -> list[tuple[Condition, Why]]:
    """Parts that this pass, or one before, saw over."""
    over = [one for one in case.conditions if one.key in case.absent and "why" in one.facts]
    return [
        (replace(update(one), over_at=case.absent[one.key]), one.why)
        for one in over
        if one.why not in _PATIENT
    ]


def promote(
    case: Case,
    cause: Condition,
    also: Sequence[Condition],
    now: datetime,
    update: Callable[[Condition], Condition] = lambda one: one,
) -> Case:
    """The cause of an open incident shows: the incident goes on under its name.

    Where only a part of it follows from that, what leads it may be no less a cause.
    """
    if rank(case.incident.lead)[:3] <= rank(cause)[:3]:
        with_it = lead_by(case.incident, case.incident.lead, [*case.incident.folded, *also])
        return fold(replace(case, incident=with_it), cause, now, update)
    cause, incident = take_back(case.incident, cause)
    incident = lead_by(incident, cause, [*case.conditions, *also])
    incident = note(replace(incident, seen_at=now), "cause", now, since=cause.since)
    return _revise(case, incident, now, case.absent)


def merge(case: Case, into: str, cause: Condition, now: datetime) -> Case:
    """It turned out to be part of another incident, which goes on as `cause`."""
    facts = {**case.incident.facts, "cause": list(cause.key)}
    ended = replace(case.incident, state="resolved", resolved_at=now, facts=facts)
    return _revise(case, note(ended, "merged", now, into), now, {})


def _come_back(case: Case, condition: Condition, now: datetime) -> Case:
    """All of it is gone for now, and something that was a part of it before is back."""
    over = [(replace(one, over_at=case.absent[one.key]), one.why) for one in case.conditions]
    return reopen(replace(case, incident=end_all(case.incident, over)), condition, now)


def reopen(case: Case, condition: Condition, now: datetime) -> Case:
    """It is back within the quiet time. What it was before stays a part of it."""
    before, times = case.incident, case.incident.times + 1
    parts = (replace(before.lead, over_at=before.ended_at or now), *before.past)
    condition, incident = take_back(replace(before, past=parts), condition)
    incident = replace(
        incident,
        state="open",
        resolved_at=None,
        seen_at=now,
        times=times,
        flapping=times >= FLAPPING,
    )
    incident = note(lead_by(incident, condition, []), "back", now, since=condition.since)
    return _revise(case, incident, now, {})


def _last_told(incident: Incident) -> float:
    """The value of the lead when the history named it last."""
    return next(
        one.value
        for one in reversed(incident.history)
        if one.what in _LEADS | {"worse"} and (one.kind, one.subject) == incident.key
    )


def _list_settled(incident: Incident) -> list[tuple[bool, bool]]:
    """What its colour and its buttons follow from."""
    parts = (incident.lead, *incident.folded)
    return [(one.standing.none_failed, one.standing.all_done) for one in parts]


def _tell_calm(incident: Incident) -> Why | None:
    """What the verdict of one that is calm follows from; None: it is not."""
    return incident.why if incident.calm_since is not None else None


def _revise(case: Case, incident: Incident, now: datetime, absent: Mapping[Key, datetime]) -> Case:
    """With a new revision where a message should say it."""
    before = case.incident
    pause = max(EDIT_EVERY, (now - incident.since) / 60)
    is_news = (
        len(incident.history) > len(before.history)
        or [one.key for one in incident.folded] != [one.key for one in before.folded]
        or len(incident.past) != len(before.past)
        or _tell_calm(incident) != _tell_calm(before)
        or _list_settled(incident) != _list_settled(before)
        # It says for how long, and of when that is.
        or (incident.seen_at > before.seen_at and now - case.revised_at >= pause)
    )
    at = now if is_news else case.revised_at
    return Case(incident, case.revision + is_news, at, absent)
