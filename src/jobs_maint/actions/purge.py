"""Requests to delete finished jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from jobs_maint.actions.actor import Role
from jobs_maint.actions.base import Action, spell
from jobs_maint.models import Preview, PurgeReport

__all__ = ["PURGEABLE", "PreviewPurge", "PurgeFinished"]

PURGEABLE = ("succeeded", "failed", "cancelled", "aborted")
"""The statuses that a purge may be asked for."""


@dataclass(frozen=True, slots=True)
class PreviewPurge(Action[Preview]):
    """Freeze statuses, queue and cut-off time of a purge, and count what it would delete."""

    older_than: timedelta | None = None
    include_failed: bool = False
    queue: str | None = None
    statuses: tuple[str, ...] = ()
    """Only these; none named: succeeded ones, or all by their retention."""
    dry_run: bool = False

    word: ClassVar[str] = "purge"
    verb: ClassVar[str] = "delete finished jobs"
    role: ClassVar[Role | None] = Role.ADMIN
    act: ClassVar[bool] = True

    @property
    def whole(self) -> bool:  # type: ignore[override]
        """Without a queue it needs a grant on every queue."""
        return self.queue is None

    def words(self) -> str:
        statuses = ",".join(self.statuses) or None
        options: dict[str, Any] = {
            "older-than": self.older_than, "status": statuses, "queue": self.queue,
        }  # fmt: skip
        flags = {"--include-failed": self.include_failed, "--dry-run": self.dry_run}
        return spell("purge", flags=[name for name, on in flags.items() if on], **options)


@dataclass(frozen=True, slots=True)
class PurgeFinished(Action[PurgeReport]):
    """Delete finished jobs by the retention settings. `time_limit` bounds one call.

    `resume_after` comes from an unfinished report.
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
