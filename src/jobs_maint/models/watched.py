"""What the watch of the bots found, and what of it a channel still has to be told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from jobs_maint.models.base import Report
from jobs_maint.models.incidents import Incident, IncidentKind

__all__ = ["IncidentChange", "IncidentReport", "IncidentsReport", "Told", "WatchReport"]


@dataclass(frozen=True, slots=True)
class IncidentsReport(Report):
    """`watched_at`: the last pass of a bot; None where no bot has ever watched."""

    kind: ClassVar[str] = "incidents"

    as_of: datetime
    open: tuple[Incident, ...]
    recent: tuple[Incident, ...]
    """Resolved within `since_seconds`, the latest first."""
    since_seconds: float
    watched_at: datetime | None
    paused: bool = False
    """Whether a planned pause was on then, in which nothing becomes an incident."""
    unwatched: tuple[IncidentKind, ...] = ()
    """Kinds that are switched off, so that none of them is an incident."""
    limited_to_queues: tuple[str, ...] | None = None
    hidden_incidents: int = 0
    """Left out because they concern queues that the actor's grants do not reach."""
    narrowed: tuple[int, ...] = ()
    """The ids of those `open` that concern more than the actor's grants reach."""


@dataclass(frozen=True, slots=True)
class IncidentReport(Report):
    """One incident: `shown`, or after somebody took or muted it."""

    kind: ClassVar[str] = "incident"

    as_of: datetime
    incident: Incident
    done: Literal["shown", "taken", "dropped", "muted", "unmuted"]
    before: str | None = None
    """Who was on it before."""
    had_since: datetime | None = None
    """Since when it is taken by who takes it again; nothing was changed then."""
    whole: str | None = None
    """Of `dropped` and `unmuted`: all errors of its kind, where they are still taken or muted."""
    narrowed: bool = False
    """Whether it concerns more than the role reaches: of `shown`."""


@dataclass(frozen=True, slots=True)
class Told:
    """What stands in a channel of an incident.

    `key` without `ts`: a post was begun, and nobody knows whether it arrived. `posts`: how often
    one was begun. `revision` and `entries`: up to where the message and its thread tell it.
    """

    channel: str
    key: str
    ts: str | None
    posts: int
    revision: int
    entries: int
    error: str | None = None


@dataclass(frozen=True, slots=True)
class IncidentChange:
    """What a channel does not say yet. `revision` grows with what is worth an edit."""

    incident: Incident
    revision: int
    due: Literal["post", "edit", "resolve"]
    told: Told | None = None


@dataclass(frozen=True, slots=True)
class WatchReport:
    """`complete`: whether every condition could be looked at."""

    as_of: datetime
    changes: tuple[IncidentChange, ...]
    open: tuple[Incident, ...]
    complete: bool = True
    opened: tuple[Incident, ...] = ()
    """In this pass; so are `resolved`."""
    resolved: tuple[Incident, ...] = ()
