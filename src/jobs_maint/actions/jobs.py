"""Requests on single jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jobs_maint.actions.actor import Role
from jobs_maint.actions.base import Action
from jobs_maint.models import ActReport, Aftermath, JobDetails

__all__ = ["CancelJobs", "DiscardJobs", "FollowJobs", "GetJob", "RetryJobs"]


@dataclass(frozen=True, slots=True)
class GetJob(Action[JobDetails]):
    job_id: int
    reveal: bool = False
    """Show arguments and errors without redaction; shell only, audited."""

    word: ClassVar[str] = "status"
    verb: ClassVar[str] = "see a job"

    def words(self) -> str:
        return f"status {self.job_id}" + (" --reveal" if self.reveal else "")


@dataclass(frozen=True, slots=True)
class RetryJobs(Action[ActReport]):
    job_ids: tuple[int, ...]
    reset_attempts: bool = False
    statuses: tuple[str, ...] = ()
    """Only in these; empty: in any that can be retried."""

    word: ClassVar[str] = "retry"
    verb: ClassVar[str] = "retry jobs"
    role: ClassVar[Role | None] = Role.OPERATOR
    act: ClassVar[bool] = True

    def words(self) -> str:
        ids = " ".join(map(str, self.job_ids))
        only = f" --status {','.join(self.statuses)}" if self.statuses else ""
        return f"retry {ids}{only}" + (" --reset-attempts" if self.reset_attempts else "")


@dataclass(frozen=True, slots=True)
class CancelJobs(Action[ActReport]):
    """Cancel one job: waiting → cancelled; a running one gets an abort request."""

    job_ids: tuple[int, ...]

    word: ClassVar[str] = "cancel"
    verb: ClassVar[str] = "cancel jobs"
    role: ClassVar[Role | None] = Role.OPERATOR
    act: ClassVar[bool] = True

    def words(self) -> str:
        return f"cancel {' '.join(map(str, self.job_ids))}"


@dataclass(frozen=True, slots=True)
class DiscardJobs(Action[ActReport]):
    """Give up on one failed or aborted job: → cancelled, kept until the purge."""

    job_ids: tuple[int, ...]

    word: ClassVar[str] = "discard"
    verb: ClassVar[str] = "discard jobs"
    role: ClassVar[Role | None] = Role.OPERATOR
    act: ClassVar[bool] = True

    def words(self) -> str:
        return f"discard {' '.join(map(str, self.job_ids))}"


@dataclass(frozen=True, slots=True)
class FollowJobs(Action[Aftermath]):
    """What has become of jobs that a request put back: those named, or those of its audit id."""

    job_ids: tuple[int, ...] = ()
    request: int | None = None

    word: ClassVar[str] = "follow"
    verb: ClassVar[str] = "follow jobs"
    role: ClassVar[Role | None] = Role.ADMIN
