"""Requests for failed jobs and their groups."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from jobs_maint.actions.base import Action, spell
from jobs_maint.models import ErrorsReport, FailedJobsReport

__all__ = ["ListErrors", "ListFailed"]


@dataclass(frozen=True, slots=True)
class ListFailed(Action[FailedJobsReport]):
    """The span `since` ends at `until`, else now.

    `task` and `error` are as in `JobFilter`. `queues` and `tasks` are globs for the whole name, as
    those of a digest.
    """

    queue: str | None = None
    task: str | None = None
    error: str | None = None
    since: timedelta | None = None
    limit: int = 20
    queues: tuple[str, ...] | None = None
    tasks: tuple[str, ...] | None = None
    grouped: bool = False
    """Jobs that failed alike as one group, `limit` of these; not a part of the words."""
    group: str | None = None
    """The name of a group of errors: only jobs whose last error is of it."""
    until: datetime | None = None

    word: ClassVar[str] = "failed"
    verb: ClassVar[str] = "see failed jobs"

    def words(self) -> str:
        return spell(
            "failed",
            self.queue,
            task=self.task,
            error=self.error,
            group=self.group,
            since=self.since,
            until=self.until,
            limit=None if self.limit == 20 else self.limit,
            queues=self.queues,
            tasks=self.tasks,
        )


@dataclass(frozen=True, slots=True)
class ListErrors(Action[ErrorsReport]):
    """Failures of a span grouped by task, exception type and normalised message.

    `since`, `until`, `queues` and `tasks` as in `ListFailed`.
    """

    queue: str | None = None
    since: timedelta = timedelta(hours=24)
    limit: int = 10
    until: datetime | None = None
    queues: tuple[str, ...] | None = None
    tasks: tuple[str, ...] | None = None

    word: ClassVar[str] = "errors"
    verb: ClassVar[str] = "see errors"

    def words(self) -> str:
        return spell(
            "errors",
            self.queue,
            since=self.since,
            until=self.until,
            limit=self.limit,
            queues=self.queues,
            tasks=self.tasks,
        )
