"""The queues now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from jobs_maint.models.base import OwnJobs, Report
from jobs_maint.models.failures import ErrorsReport
from jobs_maint.models.rescue import WorkerView
from jobs_maint.models.rescue_words import RescueIdle
from jobs_maint.models.settled import Standing
from jobs_maint.models.worker_counts import WorkerCounts

__all__ = [
    "MaintenanceDefer",
    "MaintenanceRun",
    "QueueStats",
    "StatsReport",
    "word_of_task",
]


@dataclass(frozen=True, slots=True)
class QueueStats:
    """One queue now and in the last hour and day.

    `failed_*` counts jobs that failed for good, those that were deleted since as far as their
    errors were recorded; `retrying_*` attempts that were put back by the task's own retry,
    `lost_last_day` how often a job was put back because its worker died, `lost_jobs_last_day` how
    many jobs. `oldest_ready_seconds` is how long the oldest ready job has been ready; None where no
    job is, or none has an event that tells.
    """

    queue: str
    ready: int = 0
    scheduled: int = 0
    doing: int = 0
    failed: int = 0
    succeeded: int = 0
    cancelled: int = 0
    aborted: int = 0
    oldest_ready_seconds: float | None = None
    done_last_hour: int = 0
    done_last_day: int = 0
    failed_last_hour: int = 0
    failed_last_day: int = 0
    retrying_last_hour: int = 0
    retrying_last_day: int = 0
    lost_last_day: int = 0
    lost_jobs_last_day: int = 0


@dataclass(frozen=True, slots=True)
class MaintenanceRun:
    """The last finished run of one of our periodic tasks, and how it ended."""

    task: str
    finished_at: datetime
    succeeded: bool

    @property
    def word(self) -> str:
        return word_of_task(self.task)


@dataclass(frozen=True, slots=True)
class MaintenanceDefer:
    """The last defer of a periodic task of ours where it is not known how that job ended.

    `job_deleted`: its worker deleted it, and `deferred_at` is the tick that it was for, as nothing
    tells when it was deferred; else it has not ended yet.
    """

    task: str
    deferred_at: datetime
    job_deleted: bool

    @property
    def word(self) -> str:
        return word_of_task(self.task)


def word_of_task(task: str) -> str:
    """`purge` or `rescue`."""
    return task.rpartition(":")[2].partition("_")[0]


@dataclass(frozen=True, slots=True)
class StatsReport(Report, Standing):
    """`Standing` tells of the jobs that failed in the last hour."""

    kind: ClassVar[str] = "stats"

    as_of: datetime
    queues: tuple[QueueStats, ...]
    workers: WorkerCounts
    maintenance: tuple[MaintenanceRun, ...]
    hidden_queues: int = 0
    """Queues left out because the actor's grants do not reach them."""
    limited_to_queues: tuple[str, ...] | None = None
    """The queues (globs) in reach, where they are less than what was asked for."""
    queue: str | None = None
    """The queue asked for, when one was."""
    estimated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By queue, the fields that are estimates: large groups in a large table."""
    errors: ErrorsReport | None = None
    """The failures of the last 24 hours, where they were asked for too."""
    new_errors: int = 0
    """Groups of errors that are new or back within the last hour, where jobs failed in it."""
    new_errors_at_least: bool = False
    """There may be more: some failures of that hour are not counted into their groups yet."""
    unserved_queues: tuple[str, ...] = ()
    """Where a job has been ready for more than a minute and no live worker listens."""
    unheard_queues: tuple[str, ...] = ()
    """The same for less than a minute, as while workers are replaced."""
    stuck_jobs: int = 0
    """Running jobs without a live worker."""
    rescue_idle: RescueIdle | None = None
    """Why nobody puts them back, where there are some."""
    own_jobs: OwnJobs | None = None
    """Jobs of our own tasks, in the queue asked for or in all in reach; None: there are none."""
    maintenance_deferred: tuple[MaintenanceDefer, ...] = ()
    """Tasks that are not in `maintenance`, or whose last run is not."""
    maintenance_off: tuple[str, ...] = ()
    """Our tasks whose cron is empty, and of which no run is known."""
    silent_workers: tuple[WorkerView, ...] = ()
    """Those that are silent and in reach, where none is live."""
    unstored: str | None = None
    """Failures that live recorders hold and cannot store, in sentences."""
