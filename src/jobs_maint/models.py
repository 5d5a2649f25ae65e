"""What the operations return: frozen, complete, also when nothing was done.

All times are aware UTC by the database's clock; spans are seconds in fields that say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

__all__ = [
    "AuditEntry",
    "AuditReport",
    "BulkReport",
    "DigestGroup",
    "DigestReport",
    "DoctorReport",
    "ErrorsReport",
    "FailedJob",
    "FailedJobsReport",
    "FailedRun",
    "Finding",
    "HelpReport",
    "HelpWord",
    "ItemOutcome",
    "ItemResult",
    "JobDetails",
    "JobEvent",
    "MaintenanceRun",
    "Preview",
    "PurgeReport",
    "QueueStats",
    "RescueReport",
    "RetryReport",
    "SchemaReport",
    "SetGroup",
    "SkipGroup",
    "StatsReport",
    "StuckJob",
    "StuckReport",
    "WorkerCounts",
    "WorkerView",
    "WorkersReport",
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


@dataclass(frozen=True, slots=True)
class QueueStats:
    """One queue now and in the last hour and day.

    `failed_*` counts jobs that failed for good, `retrying_*` attempts that were put back by the
    task's own retry, `lost_*` jobs put back because their worker died. `oldest_ready_seconds` is
    how long the oldest ready job has been ready.
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


@dataclass(frozen=True, slots=True)
class WorkerCounts:
    """Worker processes: fresh in either their beat or Procrastinate's heartbeat, or silent."""

    live: int
    silent: int


@dataclass(frozen=True, slots=True)
class MaintenanceRun:
    """The last finished run of one of our periodic tasks, and how it ended."""

    task: str
    finished_at: datetime
    succeeded: bool


@dataclass(frozen=True, slots=True)
class StatsReport:
    as_of: datetime
    queues: tuple[QueueStats, ...]
    workers: WorkerCounts
    maintenance: tuple[MaintenanceRun, ...]
    hidden_queues: int = 0
    """Queues left out because the actor's grants do not reach them."""
    queue: str | None = None
    """The queue asked for, when one was."""
    estimated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By queue, the fields that are estimates: large groups in a large table."""
    errors: ErrorsReport | None = None
    """The failures of the last 24 hours, where they were asked for too."""


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


@dataclass(frozen=True, slots=True)
class FailedJobsReport:
    as_of: datetime
    jobs: tuple[FailedJob, ...]
    total: int
    """All jobs that match, of which `jobs` are the newest."""
    limit: int
    queue: str | None = None
    task: str | None = None
    error: str | None = None
    since_seconds: float | None = None
    limited_to_queues: tuple[str, ...] | None = None
    hidden_jobs: int = 0
    """Matching jobs in queues that the actor's grants do not reach."""
    at_least: bool = False
    """There are more than `total`: so many were counted."""

    @property
    def not_shown(self) -> int:
        return self.total - len(self.jobs)


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One step of the timeline; `seconds` since the step before."""

    type: str
    at: datetime
    seconds: float | None = None


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


@dataclass(frozen=True, slots=True)
class JobDetails:
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
    args: Mapping[str, Any]
    redacted: bool
    events: tuple[JobEvent, ...]
    failures: tuple[FailedRun, ...]
    worker: str | None = None
    """Who runs it now, as `host pid 123`, when a fresh beat names it."""


@dataclass(frozen=True, slots=True)
class RetryReport:
    """What became of jobs named by their ids; `verb`: retry, cancel or discard."""

    items: tuple[ItemResult, ...]
    elapsed_seconds: float
    verb: str = "retry"

    @property
    def done(self) -> tuple[ItemResult, ...]:
        return tuple(item for item in self.items if item.outcome is ItemOutcome.DONE)

    @property
    def skipped(self) -> tuple[ItemResult, ...]:
        return tuple(item for item in self.items if item.outcome is not ItemOutcome.DONE)


@dataclass(frozen=True, slots=True)
class RescueReport:
    """One pass. `items`: jobs acted on (code `put_back`, `aborted`, `failed`) or left (`error`)."""

    items: tuple[ItemResult, ...]
    suspects: int
    """Jobs seen without a living worker that are not due yet."""
    elapsed_seconds: float

    @property
    def counts(self) -> dict[str, int]:
        return dict(Counter(item.code for item in self.items))


@dataclass(frozen=True, slots=True)
class PurgeReport:
    """What one run (or one slice) of the purge deleted; `finished` is False when time ran out."""

    deleted: Mapping[str, int]
    batches: int
    elapsed_seconds: float
    finished: bool
    dry_run: bool = False
    trimmed: Mapping[str, int] = field(default_factory=dict)
    """Rows deleted from our own tables, by table."""
    oldest_left: datetime | None = None
    """The last event of the oldest finished job that is left."""
    resume_after: Mapping[str, int] = field(default_factory=dict)
    """Where the next slice goes on: per group of statuses the last id looked at."""

    @property
    def total(self) -> int:
        return sum(self.deleted.values())


@dataclass(frozen=True, slots=True)
class DigestGroup:
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
    """`count` over twelve equal parts of the window."""


@dataclass(frozen=True, slots=True)
class DigestReport:
    """The failure summary of one window, `since` ≤ t < `until`; totals always add up.

    `window_id` is 0 when somebody asked for it now: no window was opened.
    """

    window_id: int
    name: str
    since: datetime
    until: datetime
    failed: int
    failed_before: int
    succeeded: int
    retrying: int
    put_back: int
    groups: tuple[DigestGroup, ...]
    groups_not_shown: int
    failures_not_shown: int
    queues: tuple[QueueStats, ...]
    purged: int | None
    """None where only some queues or tasks are told of: a purge does not count by them."""
    truncated_from: datetime | None = None
    """Where the gap since the last digest began, when it was longer than the digest covers."""
    queue: str | None = None
    """The queue asked for, when somebody asked for one."""
    limited_to_queues: tuple[str, ...] | None = None
    slots: tuple[int, ...] = ()
    """`failed` over twelve equal parts of the window, also of groups that are not shown."""
    estimated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By queue, the fields of `queues` that are estimates."""


@dataclass(frozen=True, slots=True)
class HelpWord:
    word: str
    usage: str
    summary: str
    role: str | None
    allowed: bool


@dataclass(frozen=True, slots=True)
class HelpReport:
    """What this actor may do. With `word`, `text` is the help of that one word."""

    role: str | None
    words: tuple[HelpWord, ...]
    word: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class SchemaReport:
    """`applied` lists what was done now, `pending` what `schema apply` would do.

    `problems`: an optional index that could not be built now, a sentence each.
    """

    version: str
    procrastinate: bool
    applied: tuple[str, ...]
    pending: tuple[str, ...]
    sql: str | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditEntry:
    audit_id: int
    started_at: datetime
    actor: str
    action: str
    outcome: str
    counts: Mapping[str, int]
    error: str | None = None
    elapsed_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class SkipGroup:
    """Jobs of a set that stay as they are, for one reason; `sample` are a few of their ids."""

    code: str
    reason: str
    count: int
    sample: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SetGroup:
    """Jobs of a set by queue and task."""

    queue: str
    task: str
    count: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What a confirmation would do, frozen. `key` confirms it; None when there is nothing to do.

    `count` jobs will be acted on, of which those in `skips` are expected to stay as they are;
    `remain` more match but are beyond the largest set. `verb`: retry, cancel, discard, rescue or
    purge.
    """

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
    """For a purge: how many of each status."""
    running: int = 0
    """For a cancel: how many of `count` run now and would be asked to abort."""
    warnings: tuple[str, ...] = ()
    """What a person must know before the confirmation, a sentence each."""

    @property
    def skipped(self) -> int:
        return sum(skip.count for skip in self.skips)

    @property
    def left_out(self) -> tuple[SkipGroup, ...]:
        """Jobs that were named one by one and are not among `count`."""
        return tuple(skip for skip in self.skips if skip.code in {"wrong_status", "not_found"})

    @property
    def expected(self) -> int:
        """How many will be changed, as things are now."""
        return self.count - self.skipped + sum(skip.count for skip in self.left_out)


@dataclass(frozen=True, slots=True)
class BulkReport:
    """What became of a confirmed set. `stopped`: the rest was left because somebody asked.

    From the preview: `queues` of the set, jobs that `remain` beyond the largest set, and those
    `left_out` though they were named.
    """

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

    @property
    def left(self) -> int:
        """Jobs of the set that were not looked at."""
        looked = sum(group.count for group in (*self.skips, *self.failures))
        return self.requested - self.done - looked


@dataclass(frozen=True, slots=True)
class LostRun:
    """An act of many transactions whose process died; `counts` is what was committed.

    `channel` and `ts`: its message, which has to say so. `total`: how many there were to look at.
    """

    audit_id: int
    actor_id: str
    word: str
    words: str
    counts: Mapping[str, int]
    total: int | None
    channel: str
    ts: str | None
    started_at: datetime


@dataclass(frozen=True, slots=True)
class ErrorsReport:
    """Failure groups of a span, largest first; totals add up with what is not shown."""

    as_of: datetime
    since_seconds: float
    queue: str | None
    groups: tuple[DigestGroup, ...]
    failed: int
    failed_before: int
    groups_not_shown: int
    failures_not_shown: int
    limited_to_queues: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class StuckJob:
    """A running job. `named`: a living worker's fresh beat names it (it only runs long)."""

    job_id: int
    queue: str
    task: str
    attempts: int
    started_at: datetime | None
    running_seconds: float | None
    named: bool
    worker: str | None
    noticed_seconds: float | None
    """Since the rescue first noticed it; None: not noticed yet."""
    due_in_seconds: float | None
    """Until the rescue acts on it; 0 or less: at its next pass."""


@dataclass(frozen=True, slots=True)
class StuckReport:
    as_of: datetime
    stuck: tuple[StuckJob, ...]
    long_running: tuple[StuckJob, ...]
    hidden_jobs: int = 0


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One worker process. `live`: fresh in its beat or in Procrastinate's heartbeat."""

    worker_id: int
    live: bool
    host: str | None
    pid: int | None
    queues: tuple[str, ...] | None
    recorder: bool
    seen_seconds: float
    jobs: tuple[StuckJob, ...]


@dataclass(frozen=True, slots=True)
class WorkersReport:
    as_of: datetime
    workers: tuple[WorkerView, ...]


@dataclass(frozen=True, slots=True)
class AuditReport:
    as_of: datetime
    entries: tuple[AuditEntry, ...]
    total: int
    since_seconds: float
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check of the doctor found: a sentence, and its fix unless all is well."""

    check: str
    level: Literal["ok", "note", "warning", "error"]
    sentence: str
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """One finding a check, errors first."""

    as_of: datetime
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """1 when a finding is an error; warnings and notes are none."""
        return int(any(finding.level == "error" for finding in self.findings))
