"""Failed jobs, and failures in groups."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from jobs_maint.models.base import OwnJobs, Report
from jobs_maint.models.reasons import Reasons
from jobs_maint.models.settled import Settled, Standing
from jobs_maint.models.slots import find_slots

__all__ = [
    "ErrorGroup",
    "ErrorsReport",
    "FailedGroup",
    "FailedJob",
    "FailedJobsReport",
    "GroupReport",
    "Remembered",
    "count_reasons",
    "has_stopped",
    "say_messages",
    "says_messages",
]


_SAID = re.compile(r"[\d,]+ different messages, e\.g\. ")


def say_messages(number: int, newest: str, known: str = "") -> str:
    """`newest` may be said so already: that of unlike errors that are told as one is."""
    if number <= 1 or says_messages(newest):
        return newest
    return f"{number:,}{known} different messages, e.g. {newest}"


def says_messages(text: str) -> bool:
    return _SAID.match(text) is not None


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job that failed for good, with the error of its last attempt.

    `recorded` is False when no error was stored for that attempt (no recorder, unknown task).
    `kind` is `error`, `worker_lost` or `aborted`.
    """

    job_id: int
    queue: str
    task: str
    attempts: int
    failed_at: datetime | None
    recorded: bool
    kind: str | None = None
    exception_type: str | None = None
    message: str | None = None
    fingerprint: str | None = None
    awaited: bool = False
    """It has no record yet, and a live recorder may still store it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What is remembered of a group of errors; all None where it is not known yet.

    `state`: `new` (for the first time ever), `regressed` (back after `quiet_seconds`), `rising`,
    `ongoing` or `quiet`.
    """

    name: str | None = None
    """Short and stable, such as `E-4f2a`: what one types."""
    state: str | None = None
    quiet_seconds: float | None = None
    first_ever_at: datetime | None = None
    taken_by: str | None = None
    """Who is on it, as records name people: `slack:U0ANA (ana)`."""
    taken_at: datetime | None = None
    muted_until: datetime | None = None
    muted_above: int | None = None
    """Failures an hour above which the mute ends."""


@dataclass(frozen=True, slots=True)
class FailedGroup(Remembered):
    """Failed jobs alike: of one task, with one error, that of the newest of them.

    `retriable` of the `count` can be put back now: not those whose queueing lock is taken, and none
    of our own tasks. `job_ids`: the newest, all of them where they are few.
    """

    task: str
    count: int
    retriable: int
    job_ids: tuple[int, ...]
    recorded: bool
    queue: str | None = None
    """None where they are of several queues."""
    kind: str | None = None
    exception_type: str | None = None
    message: str = ""
    fingerprint: str | None = None
    first_at: datetime | None = None
    last_at: datetime | None = None
    own: bool = False
    """Whether it is a task of ours."""
    awaited: bool = False
    """As of a FailedJob, of all its jobs."""
    messages: int = 1
    """How many different ones the newest of them have, those of `job_ids`; of unlike errors that
    are told as one, all of them."""

    @property
    def lost(self) -> bool:
        return self.kind == "worker_lost"

    def describe_message(self) -> str:
        known = "" if self.count <= len(self.job_ids) else " or more"
        return say_messages(self.messages, self.message, known)


@dataclass(frozen=True, slots=True)
class FailedJobsReport(Report, Settled):
    """With a time span, `Settled` tells of the jobs that failed in it too."""

    kind: ClassVar[str] = "failed"

    as_of: datetime
    jobs: tuple[FailedJob, ...]
    total: int
    """All jobs that match, of which `jobs` are the newest."""
    limit: int
    queue: str | None = None
    task: str | None = None
    error: str | None = None
    since_seconds: float | None = None
    """How long the span is that was asked for, which ends at `until`, else now."""
    until: datetime | None = None
    until_in_future: bool = False
    """Whether a later one was asked for; it is `as_of` then."""
    limited_to_queues: tuple[str, ...] | None = None
    hidden_jobs: int = 0
    """Failed jobs in queues that the actor's grants do not reach; not counted for a filter."""
    at_least: bool = False
    """There are more than `total`; counting stopped there."""
    fates_unknown: bool = False
    """Too many jobs failed in the span to look at what became of each."""
    groups: tuple[FailedGroup, ...] | None = None
    """The largest, where groups were asked for; `jobs` is then empty."""
    groups_not_shown: int = 0
    only_task: str | None = None
    """Where groups were asked for and all are of one task."""
    last_failed_at: datetime | None = None
    """Where groups were asked for: of the newest job, whichever group it is in."""
    queues: tuple[str, ...] | None = None
    tasks: tuple[str, ...] | None = None
    """Globs that were asked for, as a digest has them."""
    group: str | None = None

    @property
    def not_shown(self) -> int:
        return self.total - len(self.jobs)

    def computed(self) -> dict[str, Any]:
        return {"not_shown": self.not_shown}


@dataclass(frozen=True, slots=True)
class ErrorGroup(Remembered):
    """Failures alike: one task, exception type and normalised message.

    `trend` compares with the window before: new, rising, steady, falling or gone.
    """

    task: str
    exception_type: str | None
    message: str
    count: int
    count_before: int
    trend: str
    recorded: bool
    first_at: datetime | None = None
    last_at: datetime | None = None
    sample_job_id: int | None = None
    slots: tuple[int, ...] = ()
    """`count` over the slots of the window, by `find_slots`."""
    failed_now: int | None = None
    """How many jobs of the `count` failures are failed now; None where that was not looked at."""
    deleted: int = 0
    """Of how many of the `count` failures the job is not there any more."""
    settled: Settled | None = None
    """What became of its jobs that are not failed now; None where nobody looked."""
    retriable: int | None = None
    """How many of the jobs that are failed now can be put back; None as `failed_now`."""
    job_ids: tuple[int, ...] | None = None
    """The newest of the jobs that are failed now, all where they are few; None as `failed_now`."""
    messages: int = 1
    """How many different ones the failures have; `message` is the newest."""
    awaited: bool = False
    """As of a FailedJob, of all the `count` failures."""
    elsewhere: bool = False
    """Whether it may occur in queues that the actor's grants do not reach, which whoever takes or
    mutes it must reach."""

    @property
    def lost(self) -> bool:
        """Whether a worker that is gone is what is recorded: each other record has a type."""
        return self.recorded and self.exception_type is None

    def describe_message(self) -> str:
        return say_messages(self.messages, self.message)


def count_reasons(groups: Iterable[ErrorGroup]) -> Reasons:
    """Of all groups of a span, the largest first."""
    there = [one for one in groups if one.count]
    known = [one for one in there if one.recorded]
    states = [one.state for one in known]
    first = next(iter(known or there), None)
    return Reasons(
        groups=len(known),
        new=states.count("new"),
        returned=states.count("regressed"),
        groups_not_recorded=len(there) - len(known),
        failures_not_recorded=sum(one.count for one in there if not one.recorded),
        largest=first.count if first else 0,
        largest_state=first.state if first else None,
        largest_first_at=first.first_at if first else None,
    )


def has_stopped(last: datetime, until: datetime, span: timedelta) -> bool:
    """Whether a failure at `last` is so long before the end of the span that it is worth saying."""
    return until - last >= max(timedelta(minutes=5), span / 12)


@dataclass(frozen=True, slots=True)
class ErrorsReport(Report, Standing):
    """Failure groups of a span, largest first; totals add up with what is not shown."""

    kind: ClassVar[str] = "errors"

    as_of: datetime
    since_seconds: float
    queue: str | None
    groups: tuple[ErrorGroup, ...]
    failed: int
    failed_before: int
    groups_not_shown: int
    failures_not_shown: int
    reasons: Reasons
    limited_to_queues: tuple[str, ...] | None = None
    until: datetime | None = None
    """When the span ends, where that is not now."""
    until_in_future: bool = False
    """A later end was asked for."""
    queues: tuple[str, ...] | None = None
    tasks: tuple[str, ...] | None = None
    """Globs that were asked for, as a digest has them."""
    succeeded: int | None = None
    """Jobs that succeeded in the span; None where nothing failed, so nobody counted."""
    own_jobs: OwnJobs | None = None
    """Jobs of our own tasks in the one queue asked for, None where there are none."""
    unstored: str | None = None
    """Failures that live recorders hold and cannot store, in sentences."""

    def has_stopped(self, last: datetime) -> bool:
        return has_stopped(last, self.until or self.as_of, timedelta(seconds=self.since_seconds))

    def computed(self) -> dict[str, Any]:
        _, step = find_slots(timedelta(seconds=self.since_seconds))
        return {"slot_seconds": step.total_seconds()}


@dataclass(frozen=True, slots=True)
class GroupReport(Report, Remembered):
    """One group of errors after somebody took or muted it; `done` says which."""

    kind: ClassVar[str] = "group"

    as_of: datetime
    done: Literal["taken", "dropped", "muted", "unmuted"]
    task: str
    exception_type: str | None
    message: str
    failures: int
    last_at: datetime
    before: str | None = None
    """Who was on it before."""
    had_since: datetime | None = None
    """Since when it is taken by who takes it again; nothing was changed then."""
    whole: str | None = None
    """Of `dropped` and `unmuted`: all errors of its kind, where they are still taken or muted."""
