"""Sets of jobs: the preview, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Self

from jobs_maint.durations import format_wait
from jobs_maint.models.base import Report
from jobs_maint.models.jobs import ItemResult
from jobs_maint.verbs import SKIPPED

__all__ = ["BulkReport", "Preview", "SetError", "SetErrors", "SetGroup", "SkipGroup", "SoFar"]


@dataclass(frozen=True, slots=True)
class SetGroup:
    """Jobs of a set by queue and task."""

    queue: str
    task: str
    count: int


@dataclass(frozen=True, slots=True)
class SetError:
    """Failed jobs of a set that failed alike; `error`: type and message, None: not recorded."""

    count: int
    error: str | None
    name: str | None = None
    awaited: bool = False
    """It is not recorded yet, and a live recorder may still do that."""
    task: str | None = None
    """None where they are of several."""


@dataclass(frozen=True, slots=True)
class SetErrors:
    """What the failed jobs of a set failed with: the largest groups, and the sums over all.

    `jobs`: how many were looked at; of a large set the newest, and `jobs_not_read` were not.
    """

    jobs: int
    groups: tuple[SetError, ...]
    groups_not_shown: int = 0
    jobs_not_read: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None

    @property
    def jobs_not_shown(self) -> int:
        return self.jobs - sum(one.count for one in self.groups)

    def say_which(self) -> str:
        """Of what `first_at` and `last_at` are: `Failed`, or `The newest 10,000 jobs failed`."""
        return f"The newest {self.jobs:,} jobs failed" if self.jobs_not_read else "Failed"


@dataclass(frozen=True, slots=True)
class SkipGroup:
    """Jobs of a set that stay as they are, for one reason; `sample` are a few of their ids."""

    code: str
    reason: str
    count: int
    sample: tuple[int, ...] = ()
    again_in_seconds: float | None = None
    """Until the same command acts on all of them, as far as is known."""

    @classmethod
    def of(cls, items: Sequence[ItemResult], most: int) -> Self:
        """Of items with the same code; `most`: ids in the sample."""
        first, ids = items[0], tuple(item.job_id for item in items[:most])
        waits = (item.again_in_seconds for item in items if item.again_in_seconds is not None)
        return cls(first.code, first.reason, len(items), ids, max(waits, default=None))

    def say_skipped(self) -> str:
        """Why they were skipped, in short where they are several."""
        short = SKIPPED.get(self.code) if self.count > 1 else None
        if short and self.again_in_seconds is not None:
            short += f"; ask again {format_wait(self.again_in_seconds)}"
        return short or self.reason or self.code


@dataclass(frozen=True, slots=True)
class SoFar:
    """How far a long act has come: `done` jobs were looked at."""

    done: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    """What was done to those, as the audit counts it."""
    skips: Mapping[str, int] = field(default_factory=dict)
    """Those of them that were skipped, by the code of their reason."""
    failures: tuple[SkipGroup, ...] = ()
    """Those of them that failed, by reason."""
    is_all: bool = False
    """No job of the set is left."""


_LEFT_OUT = {"wrong_status", "not_found", "not_permitted", "undated"}


@dataclass(frozen=True, slots=True)
class Preview(Report):
    """What a confirmation would do, frozen. `key` confirms it; None when there is nothing to do.

    `count` jobs will be acted on, of which those in `skips` are expected to stay as they are;
    `remain` more match but are beyond the largest set. `verb`: retry, cancel, discard, rescue or
    purge.
    """

    kind: ClassVar[str] = "preview"

    verb: str
    words: str
    key: str | None
    count: int
    remain: int
    groups: tuple[SetGroup, ...]
    skips: tuple[SkipGroup, ...]
    expires_at: datetime | None
    cutoffs: Mapping[str, datetime] = field(default_factory=dict)
    """For a purge: per status, jobs whose last event is older than this."""
    by_status: Mapping[str, int] = field(default_factory=dict)
    """How many of each status, for a purge, and where a retry or discard asks for several."""
    turns: int = 1
    """For a purge: in how many days the jobs behind younger ones are looked at; 1: all now."""
    surveyed_at: datetime | None = None
    """For a purge: when an earlier one looked at those jobs; None: they are looked at now."""
    running: int = 0
    """For a cancel: how many of `count` run now and would be asked to abort."""
    later: int = 0
    """For a retry: how many of `count` keep the later time that they were scheduled for."""
    error: str | None = None
    """Of the group of errors that was asked for: its exception type and message."""
    errors: SetErrors | None = None
    """Of a retry or discard, as far as its jobs are failed."""
    becomes: tuple[SkipGroup, ...] = ()
    """For a rescue: what will become of the jobs; codes and form as in `BulkReport.became`."""
    until_in_future: bool = False
    """Whether `--until` was: these are the jobs up to now."""
    warnings: tuple[str, ...] = ()
    """What a person must know before the confirmation, a sentence each."""
    risk: bool = False
    """For a rescue: whether the last of `warnings` tells a risk, as that a job runs twice."""
    limited_to_queues: tuple[str, ...] | None = None
    """The queues (globs) in reach, where they are less than what was asked for."""

    @property
    def skipped(self) -> int:
        return sum(skip.count for skip in self.skips)

    @property
    def left_out(self) -> tuple[SkipGroup, ...]:
        """Jobs that were named one by one, or have no age, and are not among `count`."""
        return tuple(skip for skip in self.skips if skip.code in _LEFT_OUT)

    @property
    def expected(self) -> int:
        """How many will be changed, as things are now."""
        return self.count - self.skipped + sum(skip.count for skip in self.left_out)

    def computed(self) -> dict[str, Any]:
        return {"expected": self.expected}


@dataclass(frozen=True, slots=True)
class BulkReport(Report):
    """What became of a confirmed set. `stopped`: the rest was left because somebody asked.

    `queues`: of the jobs that were changed, or of the set where none was. From the preview: jobs
    that `remain` beyond the largest set, and those `left_out` though they were named.
    """

    kind: ClassVar[str] = "bulk"

    verb: str
    words: str
    audit_id: int
    requested: int
    done: int
    skips: tuple[SkipGroup, ...]
    failures: tuple[SkipGroup, ...]
    elapsed_seconds: float
    stopped: bool = False
    queues: tuple[str, ...] = ()
    remain: int = 0
    left_out: tuple[SkipGroup, ...] = ()
    became: tuple[SkipGroup, ...] = ()
    """What was done to the `done` jobs, by code: an abort request is not a cancellation."""
    stopped_by: str = ""
    """Who pressed *Stop*, as in the audit; empty for whoever runs it, and for a bot that ends."""
    newer: int = 0
    """For a retry: how many more jobs that match have failed since the preview."""
    warnings: tuple[str, ...] = ()
    """What a person must know about what comes now, a sentence each."""

    @property
    def left(self) -> int:
        """Jobs of the set that were not looked at."""
        looked = sum(group.count for group in (*self.skips, *self.failures))
        return self.requested - self.done - looked

    def computed(self) -> dict[str, Any]:
        return {"left": self.left}
