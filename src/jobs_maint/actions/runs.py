"""The requests about an act of many transactions: stop it, and what to say of one that died."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jobs_maint.actions.actor import Role
from jobs_maint.actions.base import Action

__all__ = ["CloseRun", "DropSelection", "StopRun", "TakeLostRuns"]


@dataclass(frozen=True, slots=True)
class StopRun(Action):
    """Ask a running act to stop after its batch. Any operator may: stopping is safe."""

    audit_id: int

    word: ClassVar[str] = "stop"
    verb: ClassVar[str] = "stop a run"
    role: ClassVar[Role | None] = Role.OPERATOR
    act: ClassVar[bool] = True

    def words(self) -> str:
        return f"stop {self.audit_id}"


@dataclass(frozen=True, slots=True)
class DropSelection(Action):
    """Not to do what a preview showed: nobody can confirm it any more."""

    key: str

    word: ClassVar[str] = "not now"
    verb: ClassVar[str] = "drop a preview"
    role: ClassVar[Role | None] = None


@dataclass(frozen=True, slots=True)
class TakeLostRuns(Action):
    """Mark runs whose process is gone, and take those whose message has to say so."""

    word: ClassVar[str] = "lost runs"
    verb: ClassVar[str] = "mark lost runs"
    role: ClassVar[Role | None] = Role.ADMIN


@dataclass(frozen=True, slots=True)
class CloseRun(Action):
    """The message of a lost run says so now."""

    audit_id: int

    word: ClassVar[str] = "lost runs"
    verb: ClassVar[str] = "mark lost runs"
    role: ClassVar[Role | None] = Role.ADMIN
