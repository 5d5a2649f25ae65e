"""Requests on the audit trail, and on acts of many transactions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from jobs_maint.actions.actor import Role
from jobs_maint.actions.base import Action, spell
from jobs_maint.models import AuditReport, LostRun, RunEnd

__all__ = ["CloseRun", "ShowAudit", "StopRun", "TakeLostRuns"]


@dataclass(frozen=True, slots=True)
class ShowAudit(Action[AuditReport]):
    """Who did what, newest first."""

    actor: str | None = None
    since: timedelta = timedelta(days=7)
    limit: int = 50

    word: ClassVar[str] = "audit"
    verb: ClassVar[str] = "see the audit"
    role: ClassVar[Role | None] = Role.ADMIN
    whole: ClassVar[bool] = True

    def words(self) -> str:
        return spell("audit", actor=self.actor, since=self.since, limit=self.limit)


@dataclass(frozen=True, slots=True)
class StopRun(Action[str]):
    """Ask a running act to stop after its batch. Any operator may, as stopping is safe."""

    audit_id: int

    word: ClassVar[str] = "stop"
    verb: ClassVar[str] = "stop a run"
    role: ClassVar[Role | None] = Role.OPERATOR
    act: ClassVar[bool] = True

    def words(self) -> str:
        return f"stop {self.audit_id}"


@dataclass(frozen=True, slots=True)
class TakeLostRuns(Action[tuple[LostRun, ...]]):
    """Mark runs whose process is gone, and take the acts that must still be told."""

    word: ClassVar[str] = "lost runs"
    verb: ClassVar[str] = "mark lost runs"
    role: ClassVar[Role | None] = Role.ADMIN


@dataclass(frozen=True, slots=True)
class CloseRun(Action[None]):
    """Record that an act was told where it has to be, or how it ended where that is not stored."""

    audit_id: int
    end: RunEnd | None = None
    told: bool = True

    word: ClassVar[str] = "lost runs"
    verb: ClassVar[str] = "mark lost runs"
    role: ClassVar[Role | None] = Role.ADMIN
