"""Requests for the incidents, and what the watch of the bots does with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar, TypeVar

from jobs_maint.actions.actor import QueueScope, Role
from jobs_maint.actions.base import Action, spell
from jobs_maint.durations import format_duration
from jobs_maint.models import (
    Incident,
    IncidentKind,
    IncidentReport,
    IncidentsReport,
    Told,
    WatchReport,
)

__all__ = [
    "DigestPlan",
    "GetIncident",
    "HoldIncident",
    "Limits",
    "ListIncidents",
    "ListTold",
    "MuteIncident",
    "NoteIncidentTold",
    "Pause",
    "TakeIncident",
    "WatchIncidents",
    "find_place",
    "read_incident_name",
]

T = TypeVar("T")

_NAME = re.compile(r"#?[iI][-\u2010-\u2015]?(?P<number>[1-9][0-9]{0,17})")


def read_incident_name(text: str) -> int | None:
    """The number of `I-7`, however it was typed; None where the text is no name of an incident."""
    found = _NAME.fullmatch(text)
    return int(found["number"]) if found else None


@dataclass(frozen=True, slots=True)
class Pause:
    """A planned one: from each tick of the cron, for so long, nothing becomes an incident."""

    cron: str
    seconds: float
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class DigestPlan:
    """When a digest is due. `by_workers`: as they told it; else as the bot's settings say."""

    name: str
    cron: str
    timezone: str = "UTC"
    by_workers: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something is an incident; kinds that are not in `kinds` never are.

    `queue_behind`: glob → seconds, the first that matches counts; a queue that none matches is
    never behind. `failures`: how many times the usual number is too many, and at least `few` of
    them. `group`: failures of a new or returned group. `quiet`: what comes back so soon is the
    same incident. `places`: glob → where incidents of these queues are told; what is told in
    different places is never one incident. The rest are seconds.
    """

    kinds: frozenset[IncidentKind] = frozenset(IncidentKind)
    no_worker: float = 60.0
    queue_behind: tuple[tuple[str, float], ...] = (("*", 900.0),)
    failures: float = 5.0
    few: int = 20
    group: int = 20
    jobs_stuck: float = 600.0
    recorder_silent: float = 300.0
    quiet: float = 900.0
    digests: tuple[DigestPlan, ...] = ()
    pauses: tuple[Pause, ...] = ()
    places: tuple[tuple[str, str], ...] = ()

    def find_place(self, queues: Sequence[str]) -> str:
        return find_place(self.places, queues) or ""


def find_place(places: Iterable[tuple[str, T]], queues: Sequence[str]) -> T | None:
    """Of the first glob that fits all of these queues; of "*" where none are named."""
    for glob, place in places:
        if glob == "*" or (queues and all(map(QueueScope((glob,)).covers, queues))):
            return place
    return None


@dataclass(frozen=True, slots=True)
class ListIncidents(Action[IncidentsReport]):
    """The open ones, and those that were resolved within `since`."""

    since: timedelta = timedelta(hours=24)

    word: ClassVar[str] = "incidents"
    verb: ClassVar[str] = "see incidents"

    def words(self) -> str:
        return spell("incidents", since=self.since)


@dataclass(frozen=True, slots=True)
class GetIncident(Action[IncidentReport]):
    """One of them, open or over, with all that happened."""

    incident_id: int

    word: ClassVar[str] = "incidents"
    verb: ClassVar[str] = "see incidents"

    def words(self) -> str:
        return spell("incidents", f"I-{self.incident_id}")


@dataclass(frozen=True, slots=True)
class TakeIncident(Action[IncidentReport]):
    """Say that the actor is on it, or (`drop`) that nobody is any more."""

    incident_id: int
    drop: bool = False

    word: ClassVar[str] = "take"
    verb: ClassVar[str] = "take incidents"
    role: ClassVar[Role | None] = Role.OPERATOR
    act: ClassVar[bool] = True

    def words(self) -> str:
        return spell("take", f"I-{self.incident_id}", flags=("--drop",) if self.drop else ())


@dataclass(frozen=True, slots=True)
class MuteIncident(Action[IncidentReport]):
    """Post nothing about it, nor about its like, for so long; `span` None: do so again."""

    incident_id: int
    span: timedelta | None = timedelta(hours=24)

    word: ClassVar[str] = "mute"
    verb: ClassVar[str] = "mute incidents"
    role: ClassVar[Role | None] = Role.OPERATOR
    act: ClassVar[bool] = True

    def words(self) -> str:
        span = "--off" if self.span is None else f"--for {format_duration(self.span)}"
        return spell("mute", f"I-{self.incident_id}", flags=(span,))


@dataclass(frozen=True, slots=True)
class WatchIncidents(Action[WatchReport | None]):
    """One pass of a bot's watch; None while another bot (`holder`) has the watch."""

    holder: str
    limits: Limits = field(default_factory=Limits)

    word: ClassVar[str] = "incidents"
    verb: ClassVar[str] = "watch for incidents"
    role: ClassVar[Role | None] = Role.ADMIN


@dataclass(frozen=True, slots=True)
class HoldIncident(Action[bool]):
    """Right before its message is posted: store the random key that the message carries.

    `instead_of` and `gone`: the key and the ts that were stored before, of a message that is not
    there. False where another bot has the watch by now, or has stored or found another message:
    then nothing may be posted.
    """

    incident_id: int
    holder: str
    key: str
    channel: str
    instead_of: str | None = None
    gone: str | None = None

    word: ClassVar[str] = "incidents"
    verb: ClassVar[str] = "watch for incidents"
    role: ClassVar[Role | None] = Role.ADMIN


@dataclass(frozen=True, slots=True)
class ListTold(Action[tuple[tuple[Incident, Told], ...]]):
    """Incidents, open or of the last week, whose message has `mark` in its key."""

    mark: str

    word: ClassVar[str] = "incidents"
    verb: ClassVar[str] = "watch for incidents"
    role: ClassVar[Role | None] = Role.ADMIN


@dataclass(frozen=True, slots=True)
class NoteIncidentTold(Action[bool]):
    """What Slack took: the message up to `revision`, its thread up to `entries`.

    `key`: of the message; False where another one stands for the incident by now. `error`: why
    Slack did not, or what a person must do, such as a channel that is gone; for `doctor`.
    """

    incident_id: int
    revision: int
    entries: int
    channel: str | None = None
    ts: str | None = None
    error: str | None = None
    key: str | None = None

    word: ClassVar[str] = "incidents"
    verb: ClassVar[str] = "watch for incidents"
    role: ClassVar[Role | None] = Role.ADMIN
