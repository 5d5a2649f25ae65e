"""The audit trail, and runs that ended with their process."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from jobs_maint.models.base import Report

__all__ = ["AuditEntry", "AuditReport", "LostRun", "RunEnd", "StoppedRun", "say_person"]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    audit_id: int
    started_at: datetime
    actor: str
    action: str
    outcome: str
    counts: Mapping[str, int]
    error: str | None = None
    elapsed_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class AuditReport(Report):
    kind: ClassVar[str] = "audit"

    as_of: datetime
    entries: tuple[AuditEntry, ...]
    total: int
    since_seconds: float
    actor: str | None = None
    environment: str | None = None
    """JOBS_ENVIRONMENT where this was asked."""

    def computed(self) -> dict[str, Any]:
        return {"not_shown": self.total - len(self.entries)}


@dataclass(frozen=True, slots=True)
class LostRun:
    """An act that its process did not tell, or did not end; `counts` is what was committed.

    `channel` and `ts`: its message, which has to say so. `total`: how many there were to look at.
    `outcome` as in the audit; `changed`: of named jobs, the id and what was done.
    """

    audit_id: int
    actor_id: str
    word: str
    words: str
    counts: Mapping[str, int]
    total: int | None
    channel: str
    ts: str | None
    started_at: datetime
    outcome: str = "interrupted"
    changed: tuple[tuple[int, str], ...] = ()
    error: str = ""
    warnings: tuple[str, ...] = ()
    """Sentences where nobody runs, or could abort, these jobs, as of now."""
    skips: Mapping[str, int] = field(default_factory=dict)
    """Of a set, those that were skipped, by the code of their reason."""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How an act of many transactions ended; `counts` None keeps those of the committed batches."""

    outcome: str
    counts: Mapping[str, int] | None
    elapsed_seconds: float
    error: tuple[str, str] | None = None
    """Code and message."""


@dataclass(frozen=True, slots=True)
class StoppedRun:
    """Whose act will stop after its batch, and its words."""

    actor_kind: str
    actor_id: str
    words: str


def say_person(label: str) -> str:
    """Whom a record names `slack:U0ANA (ana)` or `shell:ana@host`: `ana`."""
    found = re.fullmatch(r"\w+:(.*?)(?:@[^@()]*)?(?: \((.*)\))?", label, re.DOTALL)
    return (found[2] or found[1] or label) if found else label
