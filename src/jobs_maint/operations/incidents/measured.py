"""What a pass measures, before anything is judged: numbers and times as the database has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from jobs_maint.actions import DigestPlan
from jobs_maint.models import IncidentKind

__all__ = [
    "Digest",
    "Failures",
    "Fate",
    "Fleet",
    "Group",
    "Maintenance",
    "Measured",
    "Memory",
    "Ready",
    "SilentRecorder",
    "Stuck",
    "Tick",
]


@dataclass(frozen=True, slots=True)
class Fleet:
    """`seen_at`: the last sign of life of any worker. `queues`: those the live ones listen to.

    Each with the last sign of life of one that does; None where one of them listens to all, and
    `all_at` is its last one. `unknown`: of one that lives it is not known.
    """

    live: int = 0
    seen_at: datetime | None = None
    queues: Mapping[str, datetime] | None = None
    unknown: bool = False
    all_at: datetime | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Fleet:
        """A row of `measure_workers`."""
        beats = {name: datetime.fromisoformat(at) for name, at in row["queues"].items()}
        queues = beats if row["all_at"] is None else None
        return cls(row["live"], row["seen_at"], queues, row["unknown"], row["all_at"])

    def has_worker(self, queue: str) -> bool:
        """Whether one that lives listens to it, as far as that is known."""
        return bool(self.live) and (self.unknown or self.hears(queue))

    def hears(self, queue: str) -> bool:
        """Whether one of which it is known does; its app has our tasks."""
        return self.queues is None or queue in self.queues


@dataclass(frozen=True, slots=True)
class Ready:
    """The oldest ready job of a queue, and the oldest that waits for the lock of a running job.

    `holder`: that job, of the queue `holder_queue` where that is known.
    """

    queue: str
    since: datetime
    job_id: int
    task: str
    lock: str | None = None
    holder: int | None = None
    holder_queue: str | None = None


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a job."""

    status: str
    queue: str


@dataclass(frozen=True, slots=True)
class Failures:
    """Jobs of one queue that failed in the last quarter of an hour; `ended`: all that did.

    `usual`: at the same time of other days, by how many days ago; empty if not looked up.
    `projected`: where no more were counted, how many that makes of the whole span; it is judged by.
    `standing`: what became of these jobs; of more than were counted, only where none is failed now.
    """

    queue: str
    failed: int
    usual: Mapping[int, int] = field(default_factory=dict)
    ended: int = 0
    projected: int | None = None
    standing: Mapping[str, int] | None = None

    @property
    def expected(self) -> int:
        return self.failed if self.projected is None else self.projected


@dataclass(frozen=True, slots=True)
class Group:
    """A new or regressed group of errors, or one that is an open incident.

    `failures`: in the last hour. `at_least`: so many that no more were counted.
    `standing`: what became of its jobs, where that is known. `of_task`: the jobs of its task that
    failed with any error, where these are many.
    """

    name: str
    task: str
    queues: tuple[str, ...]
    exception_type: str | None
    message: str
    failures: int
    since: datetime
    job_id: int | None
    quiet_seconds: float | None
    taken_by: str | None = None
    taken_at: datetime | None = None
    muted_until: datetime | None = None
    muted_above: int | None = None
    muted_as: str | None = None
    last_at: datetime | None = None
    at_least: bool = False
    by_queue: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    standing: Mapping[str, int] | None = None
    of_task: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Stuck:
    job_id: int
    queue: str
    task: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Tick:
    """A periodic task as live workers have it. `known_since`: when the first of them started.

    `waits`: the job of its last tick still waits, which may keep the next from being deferred.
    """

    task: str
    periodic_id: str
    cron: str
    known_since: datetime
    last: datetime | None
    waits: bool

    @property
    def name(self) -> str:
        return f"{self.task} {self.periodic_id}".strip()


@dataclass(frozen=True, slots=True)
class Maintenance:
    """`duty`: rescue or purge. `job_id`: the last run, where that failed, in `queue`."""

    duty: str
    cron: str
    succeeded_at: datetime | None
    job_id: int | None
    queue: str | None = None


@dataclass(frozen=True, slots=True)
class Digest:
    """Up to where the failures of this digest were told, and when.

    They need not be close: a window may end ten minutes before it is sent.
    """

    name: str
    until: datetime | None
    sent_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class SilentRecorder:
    worker_id: int
    host: str
    pid: int
    beat_at: datetime

    @property
    def name(self) -> str:
        return f"{self.host} pid {self.pid}"


@dataclass(frozen=True, slots=True)
class Memory:
    """What a pass must know of those before. `digests`: since when the watch has known each.

    `resumed_at`: when the watch went on after the bot or the database had been away.
    `noted`: the span whose quarters of an hour are counted; `known_from`: none before is, as there
    was no job when they were first counted. `paused`: a planned pause is on.
    `kinds`: what is watched; None: an older version has not said. `worker_at`: when a
    worker was last heard; `heard`: one that listens to this queue; `heard_all`: one that listens
    to all.
    """

    worker_at: datetime | None = None
    resumed_at: datetime | None = None
    digests: Mapping[str, datetime] = field(default_factory=dict)
    noted: tuple[datetime, datetime] | None = None
    known_from: datetime | None = None
    paused: bool = False
    kinds: frozenset[IncidentKind] | None = None
    heard: Mapping[str, datetime] = field(default_factory=dict)
    heard_all: datetime | None = None

    def heard_at(self, queue: str) -> datetime | None:
        found = (self.heard.get(queue), self.heard_all)
        return max((at for at in found if at is not None), default=None)


@dataclass(frozen=True, slots=True)
class Measured:
    """`waiting`: ready jobs of queues that are behind or no worker listens to, up to 1,000 each.

    `own_queue`: that of our own tasks. `projected`: only the newest failures of all
    queues were counted, so that those of some are not known. `uncollected`: there are failures that
    the groups do not count yet. `crons_known`: a live worker has told its periodic tasks. `plans`:
    the digests that there should be. `reporting`: recorders that beat.
    """

    now: datetime
    own_queue: str = ""
    fleet: Fleet = Fleet()
    waiting: Mapping[str, int] = field(default_factory=dict)
    ready: tuple[Ready, ...] = ()
    failures: tuple[Failures, ...] = ()
    projected: bool = False
    groups: tuple[Group, ...] = ()
    uncollected: bool = False
    stuck: tuple[Stuck, ...] = ()
    ticks: tuple[Tick, ...] = ()
    crons_known: bool = True
    maintenance: tuple[Maintenance, ...] = ()
    plans: tuple[DigestPlan, ...] = ()
    digests: tuple[Digest, ...] = ()
    recorders: tuple[SilentRecorder, ...] = ()
    reporting: frozenset[str] = frozenset()
