"""The findings of the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from jobs_maint.models.base import Report

__all__ = ["DoctorReport", "Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check of the doctor found: a sentence, and its fix unless all is well.

    `title`: what was looked at, for a person; `check` is its name for programs.
    """

    check: str
    level: Literal["ok", "note", "warning", "error"]
    sentence: str
    fix: str | None = None
    title: str = ""

    @property
    def heading(self) -> str:
        return self.title or self.check


@dataclass(frozen=True, slots=True)
class DoctorReport(Report):
    """One finding a check, errors first."""

    kind: ClassVar[str] = "doctor"

    as_of: datetime
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """1 when a finding is an error; warnings and notes are none."""
        return int(any(finding.level == "error" for finding in self.findings))
