"""An incident in the hands of a pass, and when what becomes of it is worth an edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jobs_maint.models import Condition, Incident, IncidentKind, Why

__all__ = ["FLAPPING", "LEADS", "PATIENT", "Case", "Key", "revise"]

Key = tuple[IncidentKind, str]

FLAPPING = 3
"""An incident that came so often flaps."""
EDIT_EVERY = timedelta(minutes=1)
"""For the sake of a number alone; less often where it has lasted for hours."""
PATIENT = {"unknown"}
"""May come and go with a deployment, so it is waited for."""
LEADS = {"opened", "back", "cause", "remains"}
"""What the history says of a condition that leads it from then on."""


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
        return {(one.kind, one.subject) for one in self.incident.history if one.what in LEADS}

    @property
    def began(self) -> datetime:
        """When it opened, or came back last."""
        return max(one.at for one in self.incident.history if one.what in {"opened", "back"})


def _list_settled(incident: Incident) -> list[tuple[bool, bool]]:
    """What its colour and its buttons follow from."""
    parts = (incident.lead, *incident.folded)
    standing = [incident.standing, *(one.standing for one in parts)]
    return [(one.none_failed, one.all_done) for one in standing]


def _tell_calm(incident: Incident) -> Why | None:
    """What the verdict of one that is calm follows from; None: it is not."""
    return incident.why if incident.calm_since is not None else None


def revise(case: Case, incident: Incident, now: datetime, absent: Mapping[Key, datetime]) -> Case:
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
