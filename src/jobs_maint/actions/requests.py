"""The requests on single jobs, reading, digests and the schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar, Literal

from jobs_maint.actions.actor import Role
from jobs_maint.actions.base import Action, spell

__all__ = [
    "ApplySchema",
    "CheckSchema",
    "CloseDigest",
    "GetJob",
    "ListFailed",
    "OpenDigest",
    "PreviewRescue",
    "PurgeFinished",
    "RescueJobs",
    "RescueStalled",
    "RetryJobs",
    "ShowDigest",
    "ShowHelp",
    "ShowSchemaSql",
    "ShowStats",
]


@dataclass(frozen=True, slots=True)
class ShowStats(Action):
    queue: str | None = None
    errors: bool = False
    """Also the failures of the last 24 hours in groups; the shell only."""

    word: ClassVar[str] = "stats"
    verb: ClassVar[str] = "see the queues"

    def words(self) -> str:
        return spell("stats", self.queue) + (" --errors" if self.errors else "")


@dataclass(frozen=True, slots=True)
class ListFailed(Action):
    queue: str | None = None
    task: str | None = None
    error: str | None = None
    since: timedelta | None = None
    limit: int = 20

    word: ClassVar[str] = "failed"
    verb: ClassVar[str] = "see failed jobs"

    def words(self) -> str:
        return spell(
            "failed",
            self.queue,
            task=self.task,
            error=self.error,
            since=self.since,
            limit=None if self.limit == 20 else self.limit,
        )


@dataclass(frozen=True, slots=True)
class GetJob(Action):
    job_id: int
    reveal: bool = False
    """Show arguments and errors without redaction; the shell only, audited."""

    word: ClassVar[str] = "status"
    verb: ClassVar[str] = "see a job"

    def words(self) -> str:
        return f"status {self.job_id}" + (" --reveal" if self.reveal else "")


@dataclass(frozen=True, slots=True)
class RetryJobs(Action):
    job_ids: tuple[int, ...]
    reset_attempts: bool = False

    word: ClassVar[str] = "retry"
    verb: ClassVar[str] = "retry jobs"
    role: ClassVar[Role | None] = Role.OPERATOR
    act: ClassVar[bool] = True

    def words(self) -> str:
        ids = " ".join(map(str, self.job_ids))
        return f"retry {ids}" + (" --reset-attempts" if self.reset_attempts else "")


@dataclass(frozen=True, slots=True)
class ShowHelp(Action):
    about: str | None = None

    word: ClassVar[str] = "help"
    verb: ClassVar[str] = "see the help"
    role: ClassVar[Role | None] = None

    def words(self) -> str:
        return spell("help", self.about)


@dataclass(frozen=True, slots=True)
class PurgeFinished(Action):
    """Delete finished jobs by the retention settings. `time_limit` bounds one call.

    `resume_after` is what an unfinished report said.
    """

    dry_run: bool = False
    time_limit: timedelta | None = None
    resume_after: Mapping[str, int] = field(default_factory=dict)

    word: ClassVar[str] = "purge"
    verb: ClassVar[str] = "delete finished jobs"
    role: ClassVar[Role | None] = Role.ADMIN
    act: ClassVar[bool] = True
    whole: ClassVar[bool] = True

    def words(self) -> str:
        return "purge --dry-run" if self.dry_run else "purge"


@dataclass(frozen=True, slots=True)
class RescueStalled(Action):
    """Put dead workers' jobs back, under the policy of the settings."""

    word: ClassVar[str] = "rescue"
    verb: ClassVar[str] = "rescue jobs"
    role: ClassVar[Role | None] = Role.OPERATOR
    act: ClassVar[bool] = True
    whole: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class RescueJobs(Action):
    """Put one job back now when its worker is dead, without waiting for the rescue."""

    job_ids: tuple[int, ...]

    word: ClassVar[str] = "rescue"
    verb: ClassVar[str] = "rescue jobs"
    role: ClassVar[Role | None] = Role.OPERATOR
    act: ClassVar[bool] = True

    def words(self) -> str:
        return f"rescue {' '.join(map(str, self.job_ids))}"


@dataclass(frozen=True, slots=True)
class PreviewRescue(Action):
    """Freeze the runs of these jobs and show what a rescue would do; changes no job.

    `force`: one job, also when its worker lives; who confirms knows that it runs there no more.
    """

    job_ids: tuple[int, ...]
    force: bool = False

    word: ClassVar[str] = "rescue"
    act: ClassVar[bool] = True

    @property
    def verb(self) -> str:  # type: ignore[override]
        return "force a rescue" if self.force else "rescue jobs"

    @property
    def role(self) -> Role | None:  # type: ignore[override]
        """A force takes an admin."""
        return Role.ADMIN if self.force else Role.OPERATOR

    def words(self) -> str:
        force = "--force " if self.force else ""
        return f"rescue {force}{' '.join(map(str, self.job_ids))}"


@dataclass(frozen=True, slots=True)
class ShowDigest(Action):
    """The failure summary of the last hours, made now; opens and advances no window."""

    queue: str | None = None
    since: timedelta = timedelta(hours=24)

    word: ClassVar[str] = "digest"
    verb: ClassVar[str] = "see failures"

    def words(self) -> str:
        return spell("digest", self.queue, since=self.since)


@dataclass(frozen=True, slots=True)
class OpenDigest(Action):
    """Take the window that is due for this digest and summarise it.

    `period` is one cron period: what the first window covers.
    """

    name: str
    period: timedelta
    queues: tuple[str, ...] | None = None
    tasks: tuple[str, ...] | None = None
    groups: int = 10

    word: ClassVar[str] = "digest"
    verb: ClassVar[str] = "send digests"
    role: ClassVar[Role | None] = Role.ADMIN


@dataclass(frozen=True, slots=True)
class CloseDigest(Action):
    """Say what came of an opened window: only `sent` and `quiet` advance it."""

    window_id: int
    state: Literal["sent", "quiet", "failed"]
    channel: str | None = None
    ts: str | None = None
    error: str | None = None

    word: ClassVar[str] = "digest"
    verb: ClassVar[str] = "send digests"
    role: ClassVar[Role | None] = Role.ADMIN


@dataclass(frozen=True, slots=True)
class ApplySchema(Action):
    """Apply what is missing; `indexes`: also build those on Procrastinate's tables."""

    indexes: bool = True

    word: ClassVar[str] = "schema apply"
    verb: ClassVar[str] = "change the schema"
    role: ClassVar[Role | None] = Role.ADMIN
    act: ClassVar[bool] = True
    whole: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class CheckSchema(Action):
    word: ClassVar[str] = "schema status"
    verb: ClassVar[str] = "see the schema"
    role: ClassVar[Role | None] = Role.ADMIN


@dataclass(frozen=True, slots=True)
class ShowSchemaSql(Action):
    word: ClassVar[str] = "schema sql"
    verb: ClassVar[str] = "see the schema"
    role: ClassVar[Role | None] = Role.ADMIN
