"""What is or was wrong with the queue: a condition, its story, and the incident they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from jobs_maint.models.settled import Followed
from jobs_maint.models.unlike import Unlike

__all__ = [
    "MOST_FAILURES",
    "MOST_MISSED",
    "Condition",
    "HistoryEntry",
    "Incident",
    "IncidentKind",
    "Why",
]

Why = Literal[
    "good", "ran", "less", "cancelled", "gone", "late", "unknown", "ended", "limit", "off"
]
"""Why something is over. `good`: it was seen good again. Of a queue: its jobs `ran` all the same,
were `cancelled`, or none of them is ready any more (`gone`). `less`: an error fails less often than
its limit; one that is `gone` is remembered no more. `late`: a periodic task can run again, and did
not make up for the run that it missed; `unknown`: no live worker has it. `ended`: the worker did.
Its `limit` or schedule was changed, or watching it is `off`.
"""


class IncidentKind(StrEnum):
    NO_WORKER = "no_worker"
    QUEUE_BEHIND = "queue_behind"
    FAILURES_HIGH = "failures_high"
    GROUP = "group"
    JOBS_STUCK = "jobs_stuck"
    TICK_MISSED = "tick_missed"
    MAINTENANCE_OVERDUE = "maintenance_overdue"
    DIGEST_OVERDUE = "digest_overdue"
    RECORDER_SILENT = "recorder_silent"

    @property
    def is_age(self) -> bool:
        """Whether the value is how long it lasts, and not that of the last time missed."""
        return self in {self.NO_WORKER, self.JOBS_STUCK, self.RECORDER_SILENT}

    @property
    def is_count(self) -> bool:
        """Whether the value is a number of failures; that of the others is seconds."""
        return self in {self.FAILURES_HIGH, self.GROUP}


MOST_MISSED = 50
"""Runs of a periodic task that were missed are not counted beyond."""
MOST_FAILURES = 20_000
"""Failures of one error in the last hour are not counted beyond."""
_BEGINS = {"opened", "back", "cause", "folded"}


@dataclass(frozen=True, slots=True)
class Condition:
    """A measured fact that is bad now.

    `subject`: what of the kind, such as a queue; empty for the whole. `value` and `limit` are of
    one unit: failures for `failures_high` and `group`, seconds for the others. `since`: when it
    really began, where that is known. `queues`: those it concerns; none where it is about no queue.
    `facts`: what a message names, by kind: `docs/reference/json.md`. Texts in it are the team's.
    `worst`, `over_at`: as part of an incident.
    """

    kind: IncidentKind
    subject: str
    value: float
    limit: float
    since: datetime | None = None
    queues: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    worst: float | None = None
    over_at: datetime | None = None

    @property
    def key(self) -> tuple[IncidentKind, str]:
        return self.kind, self.subject

    @property
    def why(self) -> Why:
        """Why it is over, once it is."""
        return self.facts.get("why") or "good"

    @property
    def standing(self) -> Followed:
        """Of failures, what became of the jobs, as far as that is known."""
        return Followed.of(self.facts.get("standing", {}))

    @property
    def is_live(self) -> bool:
        """Anything but failures whose jobs were all dealt with."""
        return not self.standing.is_dealt_with

    @property
    def is_muted(self) -> bool:
        """Whether somebody muted this error; of other kinds the whole incident is muted."""
        return bool(self.facts.get("muted_until") or self.facts.get("muted_above"))


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One step of an incident: what the thread of its message tells, once each.

    `what`: `opened`; `worse` (twice the value last told); `cause` (it turned out to be what `kind`
    and `subject` say now); `folded` (another condition with the same cause); `back` (within the
    quiet time after it was over); `over` (what it was is over, and `why`; `value` is its worst);
    `remains` (this is left); `merged` (it is part
    of the incident `by` now); `resolved`, and `why`; `unwatched` (for `value` seconds up to then no
    bot could look); `settled` (all jobs that failed with the error have succeeded); `taken`,
    `dropped`, `muted`, `unmuted` by somebody. `whom`: of `dropped`, who was taken off by somebody
    else. `since`: of what began, when it did, where that is known.
    """

    at: datetime
    what: Literal[
        "opened", "worse", "cause", "folded", "back", "over", "remains", "merged", "resolved",
        "unwatched", "settled", "taken", "dropped", "muted", "unmuted",
    ]  # fmt: skip
    kind: IncidentKind
    subject: str
    value: float
    by: str | None = None
    why: Why | None = None
    whom: str | None = None
    since: datetime | None = None

    @property
    def key(self) -> tuple[IncidentKind, str]:
        return self.kind, self.subject

    @property
    def began_at(self) -> datetime:
        """Entries of an older version do not say since when."""
        age = 0.0 if self.kind.is_count else self.value
        return self.since or self.at - timedelta(seconds=age)


@dataclass(frozen=True, slots=True)
class Incident:
    """Conditions with one cause, from the first that was seen to the end of the last.

    `kind`, `subject`, `value`, `worst`, `limit`, `queues` and `facts` are those of the condition
    that leads now. It may change: a queue is behind, then it shows that no worker is alive; the
    workers are back, and the queue remains. Once it is over, they are of what it was named after.
    `folded`: the others; `past`: those that are over. `times`: how often it came back within the
    quiet time, and the first; 0 where that is not known of the parts that are shown. `flapping`: it
    came so often that it is over only after the quiet time; `calm_since`: from when on none of it
    has been there, while that time lasts.
    """

    id: int
    kind: IncidentKind
    subject: str
    state: Literal["open", "resolved"]
    since: datetime
    opened_at: datetime
    seen_at: datetime
    value: float
    worst: float
    limit: float
    resolved_at: datetime | None = None
    queues: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    folded: tuple[Condition, ...] = ()
    past: tuple[Condition, ...] = ()
    times: int = 1
    flapping: bool = False
    calm_since: datetime | None = None
    taken_by: str | None = None
    taken_at: datetime | None = None
    muted_until: datetime | None = None
    history: tuple[HistoryEntry, ...] = ()

    @property
    def name(self) -> str:
        return f"I-{self.id}"

    @property
    def key(self) -> tuple[IncidentKind, str]:
        return self.kind, self.subject

    @property
    def why(self) -> Why:
        """Why it is over, once it is, or calm. Older versions stored it in the history alone."""
        ends = [one.why for one in self.history if one.what == "resolved" and not self.is_open]
        return self.facts.get("why") or (ends[-1] if ends else None) or "good"

    @property
    def lead(self) -> Condition:
        return Condition(
            self.kind,
            self.subject,
            self.value,
            self.limit,
            self.seen_at - timedelta(seconds=self.value) if self.kind.is_age else self.began_at,
            self.queues,
            self.facts,
            self.worst,
        )

    @property
    def unlike(self) -> Unlike | None:
        """Where it is about more errors than are listed: the sums over all errors of its tasks."""
        if self.kind is not IncidentKind.GROUP or not self.is_open or self.calm_since is not None:
            return None
        parts = [one for one in (*self.folded, self.lead) if "of_task" in one.facts]
        return Unlike.sum({str(one.facts["task"]): one.facts["of_task"] for one in parts})

    @property
    def is_one_error(self) -> bool:
        """Whether the sum is of the error that leads it alone."""
        several = any(one.kind is IncidentKind.GROUP for one in self.folded)
        return self.unlike is not None and self.unlike.errors == 1 and not several

    @property
    def standing(self) -> Followed:
        known = self.unlike and self.unlike.standing
        return known if known and known.failed_now is not None else self.lead.standing

    def began_since(self, entries: int) -> bool:
        """Whether it began again, or something else with it, after so many steps of its history."""
        return any(one.what in _BEGINS for one in self.history[entries:])

    def find_muter(self, part: Condition) -> str | None:
        """Who muted it last; None where nobody muted it but all errors of its kind."""
        acts = (one for one in reversed(self.history) if one.key == part.key)
        return next((one.by for one in acts if one.what == "muted"), None)

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None

    @property
    def is_merged(self) -> bool:
        """Whether it turned out to be a part of another, so that it is not over."""
        return bool(self.history) and self.history[-1].what == "merged"

    @property
    def began_at(self) -> datetime:
        """When what leads it began, which never moves later.

        What is folded may have begun before, or it was over once.
        """
        begins = self._list_begins()
        others = [one for one in self.history if one.what in _BEGINS and one.key != self.key]
        if not self.kind.is_age and not others:
            begins.append(self.since)
        elif self.kind.is_age and len(begins) < 2 and self.times == 1:
            begins.append(self.seen_at - timedelta(seconds=self.value))
        return min(begins, default=self.since)

    @property
    def told_since(self) -> datetime:
        """When it began, as it is told: of a sum, the first error of it that is listed."""
        parts = [one for one in self.folded if "of_task" in one.facts] if self.unlike else []
        return min([self.began_at, *(one.since for one in parts if one.since is not None)])

    @property
    def spells(self) -> int:
        """How often what leads it came: it may have been over while other parts lasted.

        0 where that is not known.
        """
        if not self.times:
            return 0
        begins = len(self._list_begins())
        named = self._find_name()
        # What turned out to be the cause did not come as often as what it leads now.
        if self.head != self.key or (named is not None and named.what == "cause"):
            return begins or self.times
        # While it flaps, the history does not tell each time that it came; nor how it was opened to
        # whom what opened it is not shown.
        told = sum(one.what in {"opened", "back"} for one in self.history)
        return begins + max(self.times - max(told, 1), 0)

    def _list_begins(self) -> list[datetime]:
        begins, lasts = [], False
        for one in self.history:
            if one.what == "resolved":
                lasts = False
            if one.key != self.key:
                continue
            if one.what == "over":
                lasts = False
            elif one.what in _BEGINS and not lasts:
                lasts = True
                begins.append(one.began_at)
        return begins

    @property
    def head(self) -> tuple[IncidentKind, str]:
        """What it is named after: what it opened with, came back with or was caused by."""
        named = self._find_name()
        return named.key if named else self.key

    def _find_name(self) -> HistoryEntry | None:
        named = (one for one in reversed(self.history) if one.what in {"opened", "back", "cause"})
        return next(named, None)

    @property
    def ended_at(self) -> datetime | None:
        """When what leads it was over; others may have lasted longer."""
        own = [one for one in self.history if one.key == self.key]
        told = [one for one in own if one.what in {*_BEGINS, "over"}]
        return told[-1].at if told and told[-1].what == "over" else self.resolved_at
