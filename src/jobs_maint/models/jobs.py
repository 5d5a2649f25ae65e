"""Jobs, and what became of each in an act."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from jobs_maint.durations import format_age
from jobs_maint.models.base import Report
from jobs_maint.models.locks import LockHolder

__all__ = [
    "ActReport",
    "Aftermath",
    "AlikeFailure",
    "FailedRun",
    "ItemOutcome",
    "ItemResult",
    "JobDetails",
    "JobEvent",
    "count_items",
]


class ItemOutcome(StrEnum):
    """What became of one job in an act on several."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ItemResult:
    """One job of an act; `reason` is a phrase that follows "job 12 was skipped: "."""

    job_id: int
    outcome: ItemOutcome
    code: str = ""
    reason: str = ""
    queue: str | None = None
    task: str | None = None
    again_in_seconds: float | None = None
    """Until the same command does it, as far as is known."""

    @property
    def counted_as(self) -> str:
        """In the audit: a running job that was asked to abort may end otherwise; it is not done."""
        is_asked = self.outcome is ItemOutcome.DONE and self.code == "abort_requested"
        return self.code if is_asked else self.outcome.value


def count_items(word: str, items: Iterable[ItemResult]) -> Counter[str]:
    """For the audit: by outcome, and of a rescue also how many of the done ones it put back.

    Of those the rest was ended: `aborted`, or failed for good.
    """
    counts: Counter[str] = Counter()
    for item in items:
        counts[item.counted_as] += 1
        if word == "rescue" and item.outcome is ItemOutcome.DONE:
            counts["put_back"] += item.code == "put_back"
            counts.update([item.code] if item.code == "aborted" else [])
    return counts


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One step of the timeline; `seconds` since the step before."""

    type: str
    at: datetime
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class AlikeFailure:
    """A failure for the same reason that has its traceback."""

    job_id: int
    attempt: int
    failed_at: datetime
    traceback: str


@dataclass(frozen=True, slots=True)
class FailedRun:
    """One recorded failed attempt. `traceback` is None when it was not kept (a storm)."""

    attempt: int
    failed_at: datetime
    kind: str
    exception_type: str | None
    message: str
    will_retry: bool
    traceback: str | None = None
    traceback_left_out: bool = False
    """It was kept, and only those of newer attempts are shown."""
    alike: AlikeFailure | None = None
    """Where it was not kept: the newest before it, in the queues that the asker reaches."""

    def name_alike(self, job_id: int) -> str:
        """Whose traceback stands for that of this attempt of the job."""
        if self.alike is None:
            return ""
        same, its = self.alike.job_id == job_id, self.alike
        whose = f"attempt {its.attempt}" if same else f"job {its.job_id}"
        earlier = format_age(self.failed_at - its.failed_at)
        return f"Traceback of {whose}, which failed alike {earlier} earlier:"


@dataclass(frozen=True, slots=True)
class JobDetails(Report):
    kind: ClassVar[str] = "status"

    as_of: datetime
    job_id: int
    status: str
    queue: str
    task: str
    attempts: int
    priority: int
    lock: str | None
    queueing_lock: str | None
    scheduled_at: datetime | None
    abort_requested: bool
    worker_id: int | None
    args: Any
    redacted: bool
    events: tuple[JobEvent, ...]
    failures: tuple[FailedRun, ...]
    worker: str | None = None
    """Who runs it now, as `host pid 123`, or `worker 9` where only its id is known."""
    unreported: bool = False
    """It is running by its status, but nobody can be said to run it."""
    last_worker: str | None = None
    """Who had it, where it is `unreported`; named as in `worker`."""
    silent_seconds: float | None = None
    """Since the last sign of life of the worker that runs it, or had it, where it missed a beat."""
    args_bytes: int = 0
    args_cut: bool = False
    """The arguments are long: values of more than 1,000 characters are cut, 60 names are shown."""
    events_not_shown: int = 0
    """Steps before the first of `events`."""
    failures_not_shown: int = 0
    """Attempts before the first of `failures`."""
    lock_holder: LockHolder | None = None
    """Why a job that is due waits: another one with its `lock`."""
    awaited: bool = False
    """It failed a moment ago, and a live recorder may still store the error."""

    @property
    def last_error(self) -> FailedRun | None:
        """Why it failed or was aborted; None where only attempts before its last are recorded."""
        if self.status not in {"failed", "aborted"} or not self.failures:
            return None
        last = max(self.failures, key=lambda run: run.failed_at)
        starts = (event.at for event in self.events if event.type == "started")
        return last if all(at <= last.failed_at for at in starts) else None


@dataclass(frozen=True, slots=True)
class ActReport(Report):
    """What became of jobs named by their ids; `verb`: retry, cancel or discard."""

    kind: ClassVar[str] = "retry"

    items: tuple[ItemResult, ...]
    elapsed_seconds: float
    verb: str = "retry"
    warnings: tuple[str, ...] = ()
    """What a person must know about what comes now, a sentence each."""
    audit_id: int | None = None
    """The number of the request in the audit, for its undo."""

    @property
    def done(self) -> tuple[ItemResult, ...]:
        return tuple(item for item in self.items if item.outcome is ItemOutcome.DONE)

    @property
    def skipped(self) -> tuple[ItemResult, ...]:
        return tuple(item for item in self.items if item.outcome is not ItemOutcome.DONE)

    def computed(self) -> dict[str, Any]:
        return {"kind": self.verb, "done": len(self.done), "skipped": len(self.skipped)}


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What has become of jobs that were put back; `gone`: deleted since.

    `error`: the exception type of most of the `failed`, `errors`: how many types there are.
    `locked`: how many of the `failed` cannot be put back, as their queueing lock is taken.
    """

    as_of: datetime
    succeeded: int = 0
    failed: int = 0
    pending: int = 0
    ended: int = 0
    """Cancelled or aborted."""
    gone: int = 0
    error: str | None = None
    errors: int = 0
    failed_ids: tuple[int, ...] = ()
    """A few of them."""
    locked: int = 0

    @property
    def retriable(self) -> int:
        return self.failed - self.locked

    @property
    def total(self) -> int:
        return self.succeeded + self.failed + self.pending + self.ended + self.gone
