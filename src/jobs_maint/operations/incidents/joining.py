"""What joins an incident, or is it again: a condition of one cause with what is told already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from jobs_maint.models import Condition, HistoryEntry, Why
from jobs_maint.operations.incidents.cases import FLAPPING, PATIENT, Case, revise
from jobs_maint.operations.incidents.causes import rank
from jobs_maint.operations.incidents.story import (
    end_all,
    follow_marks,
    lead_by,
    note,
    pass_on,
    take_back,
)

__all__ = ["fold", "merge", "promote", "reopen"]


def fold(
    case: Case,
    condition: Condition,
    now: datetime,
    update: Callable[[Condition], Condition],
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
        incident = follow_marks(pass_on(incident, over, now), case.incident)
        absent = {key: at for key, at in absent.items() if key not in gone}
    return revise(case, incident, now, absent)


def _list_over(case: Case, update: Callable[[Condition], Condition]) -> list[tuple[Condition, Why]]:
    """Parts that this pass, or one before, saw over."""
    over = [one for one in case.conditions if one.key in case.absent and "why" in one.facts]
    return [
        (replace(update(one), over_at=case.absent[one.key]), one.why)
        for one in over
        if one.why not in PATIENT
    ]


def promote(
    case: Case,
    cause: Condition,
    also: Sequence[Condition],
    now: datetime,
    update: Callable[[Condition], Condition],
) -> Case:
    """The cause of an open incident shows: the incident goes on under its name.

    Where only a part of it follows from that, what leads it may be no less a cause.
    """
    if rank(case.incident.lead)[:5] <= rank(cause)[:5]:
        with_it = lead_by(case.incident, case.incident.lead, [*case.incident.folded, *also])
        return fold(replace(case, incident=with_it), cause, now, update)
    cause, incident = take_back(case.incident, cause)
    incident = lead_by(incident, cause, [*case.conditions, *also])
    incident = note(replace(incident, seen_at=now), "cause", now, since=cause.since)
    return revise(case, incident, now, case.absent)


def merge(case: Case, into: str, cause: Condition, now: datetime) -> Case:
    """It turned out to be part of another incident, which goes on as `cause`."""
    facts = {**case.incident.facts, "cause": list(cause.key)}
    ended = replace(case.incident, state="resolved", resolved_at=now, facts=facts)
    return revise(case, note(ended, "merged", now, into), now, {})


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
    return revise(case, incident, now, {})
