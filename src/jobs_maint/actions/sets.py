"""Requests on sets of jobs: filtered, frozen, confirmed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from jobs_maint.actions.actor import Role, like_pattern, part_pattern
from jobs_maint.actions.base import Action, spell
from jobs_maint.models import BulkReport, Preview, PurgeReport
from jobs_maint.quoting import reads_as_option

__all__ = ["BulkVerb", "ConfirmSelection", "DropSelection", "JobFilter", "PreviewBulk"]


class BulkVerb(StrEnum):
    """What is done to each job of a set."""

    RETRY = "retry"
    CANCEL = "cancel"
    DISCARD = "discard"

    @property
    def statuses(self) -> tuple[str, ...]:
        """The statuses it applies to; the first is the default."""
        return {
            BulkVerb.RETRY: ("failed", "cancelled", "aborted"),
            BulkVerb.CANCEL: ("todo", "doing"),
            BulkVerb.DISCARD: ("failed", "aborted"),
        }[self]


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs; a job must meet every condition that is given.

    `queue` is a name or a glob with `*` and `?`, literal after a backslash; `task` a part of the
    name, or a glob for all of it; `error` a part of type and message; `since` and `until` look
    back from now to the job's last event; where `until` is a time, `since` looks back from that.
    `request` is the audit id of an earlier request: the jobs it changed.
    """

    queue: str | None = None
    statuses: tuple[str, ...] = ()
    task: str | None = None
    error: str | None = None
    since: timedelta | None = None
    until: timedelta | datetime | None = None
    request: int | None = None
    queues: tuple[str, ...] | None = None
    tasks: tuple[str, ...] | None = None
    """Globs for the whole name, as those of a digest; one of each must match."""
    group: str | None = None
    """The name of a group of errors: the job's last error is of it."""
    job_ids: tuple[int, ...] | None = None
    """Only these jobs, when ids were given one by one."""

    @property
    def queue_pattern(self) -> str | None:
        return like_pattern(self.queue) if self.queue is not None else None

    @property
    def task_pattern(self) -> str | None:
        return part_pattern(self.task) if self.task is not None else None


@dataclass(frozen=True, slots=True)
class PreviewBulk(Action[Preview]):
    """Freeze the set a bulk act would touch, and show it; changes no job."""

    bulk: BulkVerb
    filter: JobFilter
    reset_attempts: bool = False
    dry_run: bool = False
    """Only to look: nobody will be asked."""

    act: ClassVar[bool] = True

    @property
    def word(self) -> str:  # type: ignore[override]
        return self.bulk.value

    @property
    def verb(self) -> str:  # type: ignore[override]
        return f"{self.bulk} {'these jobs' if self.filter.job_ids else 'sets of jobs'}"

    @property
    def role(self) -> Role | None:  # type: ignore[override]
        """Cancelling or discarding a set needs an admin, unless ids were given."""
        if self.bulk is BulkVerb.RETRY or self.filter.job_ids is not None:
            return Role.OPERATOR
        return Role.ADMIN

    def words(self) -> str:
        wanted = self.filter
        if wanted.job_ids is not None:
            every = wanted.statuses in {(), self.bulk.statuses}
            only = "" if every else f" --status {','.join(wanted.statuses)}"
            return f"{self.bulk} {' '.join(map(str, wanted.job_ids))}{only}" + self._flags()
        cancel = self.bulk is BulkVerb.CANCEL
        undo = wanted.request is not None
        default = self.bulk.statuses if undo and not cancel else self.bulk.statuses[:1]
        odd = wanted.queue is not None and _reads_otherwise(wanted.queue)
        text = spell(
            f"{self.bulk}" if undo and wanted.queue is None else f"{self.bulk} --all",
            None if odd else wanted.queue,
            queue=wanted.queue if odd else None,
            status=None if cancel or wanted.statuses == default else ",".join(wanted.statuses),
            task=wanted.task,
            error=wanted.error,
            group=wanted.group,
            since=wanted.since,
            until=wanted.until,
            request=wanted.request,
            queues=wanted.queues,
            tasks=wanted.tasks,
        )
        running = " --running" if cancel and "doing" in wanted.statuses else ""
        return text + self._flags() + running

    def _flags(self) -> str:
        dry = " --dry-run" if self.dry_run else ""
        return f" --reset-attempts{dry}" if self.reset_attempts else dry


def _reads_otherwise(queue: str) -> bool:
    """Whether it reads as an id or an option, so that it needs `--queue`."""
    return reads_as_option(queue) or queue.lstrip("#").replace(",", "").isdigit()


@dataclass(frozen=True, slots=True)
class ConfirmSelection(Action[BulkReport | PurgeReport]):
    """Do what a preview showed, to exactly that set, once.

    The preview says which role that requires, an operator's or an admin's, and on which queues.
    """

    key: str

    word: ClassVar[str] = "confirm"
    verb: ClassVar[str] = "change jobs"
    role: ClassVar[Role | None] = None
    act: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class DropSelection(Action[str]):
    """Dismiss a preview: nobody can confirm it any more."""

    key: str

    word: ClassVar[str] = "not now"
    verb: ClassVar[str] = "drop a preview"
    role: ClassVar[Role | None] = None
