"""The failure summary of one window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from jobs_maint.models.base import OwnJobs, Report
from jobs_maint.models.failures import ErrorGroup, has_stopped
from jobs_maint.models.incidents import Incident
from jobs_maint.models.rescue_words import RescueIdle
from jobs_maint.models.settled import Standing
from jobs_maint.models.slots import find_slots
from jobs_maint.models.stats import MaintenanceRun, QueueStats
from jobs_maint.models.worker_counts import WorkerCounts

__all__ = ["DigestReport", "Expiring"]


@dataclass(frozen=True, slots=True)
class Expiring:
    """Failed jobs that reach the age at which the purge deletes them within a span.

    `at_most`: there are too many to look at each, and some may have been retried since.
    """

    jobs: int
    keep_seconds: float
    within_seconds: float
    at_most: bool = False


@dataclass(frozen=True, slots=True)
class DigestReport(Report, Standing):
    """The failure summary of one window, `since` ≤ t < `until`; totals always add up.

    `window_id` is 0 when somebody asked for it now: no window was opened.
    """

    kind: ClassVar[str] = "digest"

    window_id: int
    name: str
    since: datetime
    until: datetime
    failed: int
    failed_before: int
    succeeded: int
    retrying: int
    put_back: int
    """How often a job of a dead worker was put back; `put_back_jobs`: how many jobs."""
    groups: tuple[ErrorGroup, ...]
    groups_not_shown: int
    failures_not_shown: int
    queues: tuple[QueueStats, ...]
    purged: int | None
    """None where only some queues or tasks are told of: a purge does not count by them."""
    truncated_from: datetime | None = None
    """Where the gap since the last digest began, when it was longer than the digest covers."""
    held_since: datetime | None = None
    """Since when a worker has waited to store how a job ended, when that is too long to wait for:
    if the job failed, it is not counted."""
    maybe_told_until: datetime | None = None
    """Up to where an earlier message of this digest may have told it: nobody knows whether that
    one reached its channel."""
    queue: str | None = None
    """The queue asked for, when somebody asked for one."""
    only_queues: tuple[str, ...] | None = None
    only_tasks: tuple[str, ...] | None = None
    """Globs of its setting: it tells of nothing else."""
    limited_to_queues: tuple[str, ...] | None = None
    slots: tuple[int, ...] = ()
    """`failed` over the slots of the window, by `find_slots`; also of groups that are not shown."""
    estimated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By queue, the fields of `queues` that are estimates."""
    maintenance: tuple[MaintenanceRun, ...] = ()
    expiring: Expiring | None = None
    """None where failed jobs are never deleted, or there are too many for some queues to tell."""
    incidents: tuple[Incident, ...] = ()
    """Of the window: open at its end, or over within it."""
    gone_not_shown: int = 0
    """Groups beside `groups` that failed in the window before this one only."""
    new_groups: int = 0
    """How many failed for the first time ever, also of those that are not shown."""
    last_failed_at: datetime | None = None
    """When the last job of the window failed; None where not all of them were looked at."""
    workers: WorkerCounts | None = None
    """At its end."""
    stuck_jobs: int = 0
    """Running jobs without a live worker that nobody puts back, for the reason `rescue_idle`."""
    rescue_idle: RescueIdle | None = None
    put_back_jobs: int = 0
    running: int = 0
    """Jobs that run at its end, without our own."""
    own_jobs: OwnJobs | None = None
    """Jobs of our own tasks in the one queue asked for, None where there are none."""

    @property
    def ran(self) -> bool:
        """Whether any job ended in the window, failed and will run again, or runs still.

        Where workers delete jobs nobody knows, so one may have.
        """
        ended = self.failed or self.succeeded or self.retrying or self.put_back
        return bool(ended or self.running or self.deletes)

    @property
    def deletes(self) -> bool:
        """Whether jobs that succeeded are missing in `succeeded`."""
        return self.workers is not None and self.workers.deleting > 0

    def has_stopped(self, last: datetime) -> bool:
        return has_stopped(last, self.until, self.until - self.since)

    def computed(self) -> dict[str, Any]:
        return {"slot_seconds": find_slots(self.until - self.since)[1].total_seconds()}
