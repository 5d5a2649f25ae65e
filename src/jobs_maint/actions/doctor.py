"""The request to check the set-up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jobs_maint.actions.actor import Role
from jobs_maint.actions.base import Action
from jobs_maint.models import DoctorReport

__all__ = ["RunDoctor"]


@dataclass(frozen=True, slots=True)
class RunDoctor(Action[DoctorReport]):
    """Check schema, versions, workers, maintenance; changes nothing."""

    word: ClassVar[str] = "doctor"
    verb: ClassVar[str] = "check the set-up"
    role: ClassVar[Role | None] = Role.ADMIN
    whole: ClassVar[bool] = True
