"""Requests on running jobs and their workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jobs_maint.actions.actor import Role
from jobs_maint.actions.base import Action
from jobs_maint.models import Preview, RescueReport, StuckReport, WorkersReport

__all__ = ["ListStuck", "ListWorkers", "PreviewRescue", "RescueJobs", "RescueStalled"]


@dataclass(frozen=True, slots=True)
class ListStuck(Action[StuckReport]):
    word: ClassVar[str] = "stuck"
    verb: ClassVar[str] = "see stuck jobs"


@dataclass(frozen=True, slots=True)
class ListWorkers(Action[WorkersReport]):
    word: ClassVar[str] = "workers"
    verb: ClassVar[str] = "see the workers"


@dataclass(frozen=True, slots=True)
class RescueStalled(Action[RescueReport]):
    """Put the jobs of dead workers back, following the rescue policy in the settings.

    `aliases`: of each task that has several, all its names; only the team's app knows them.
    `ticked`: its cron began it, so it acts on what was due at that tick, as `stuck` foretells.
    """

    aliases: tuple[tuple[str, ...], ...] = ()
    ticked: bool = False

    word: ClassVar[str] = "rescue"
    verb: ClassVar[str] = "rescue jobs"
    role: ClassVar[Role | None] = Role.OPERATOR
    act: ClassVar[bool] = True
    whole: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class RescueJobs(Action[RescueReport | Preview]):
    """Put jobs back now if their worker is dead, without waiting for the rescue.

    Returns a preview to confirm when their worker only fell silent: they may run twice.
    """

    job_ids: tuple[int, ...]

    word: ClassVar[str] = "rescue"
    verb: ClassVar[str] = "rescue jobs"
    role: ClassVar[Role | None] = Role.OPERATOR
    act: ClassVar[bool] = True

    def words(self) -> str:
        return f"rescue {' '.join(map(str, self.job_ids))}"


@dataclass(frozen=True, slots=True)
class PreviewRescue(Action[Preview]):
    """Freeze the runs of these jobs and show what a rescue would do; changes no job.

    `force`: one job, even if its worker is alive; whoever confirms knows it no longer runs there.
    """

    job_ids: tuple[int, ...]
    force: bool = False
    dry_run: bool = False

    word: ClassVar[str] = "rescue"
    act: ClassVar[bool] = True

    @property
    def verb(self) -> str:  # type: ignore[override]
        return "force a rescue" if self.force else "rescue jobs"

    @property
    def role(self) -> Role | None:  # type: ignore[override]
        """`--force` needs an admin."""
        return Role.ADMIN if self.force else Role.OPERATOR

    def words(self) -> str:
        force = "--force " if self.force else ""
        dry = " --dry-run" if self.dry_run else ""
        return f"rescue {force}{' '.join(map(str, self.job_ids))}{dry}"
