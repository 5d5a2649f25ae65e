"""What a check of the doctor receives and returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from jobs_maint.models import Finding
from jobs_maint.operations.following import Told
from jobs_maint.quoting import few, few_jobs
from jobs_maint.settings import MaintSettings

__all__ = ["Situation", "count", "error", "few", "few_jobs", "note", "ok", "warning"]


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known outside the database: settings, this machine's clock and environment.

    `asker`: whose settings these are. `told`: those that workers go by, the ones that count first.
    """

    settings: MaintSettings
    clock: Callable[[], datetime]
    procrastinate_version: str
    environ: Mapping[str, str] = field(default_factory=dict)
    asker: str = "shell"
    told: Sequence[Told] = ()

    @property
    def workers_settings(self) -> MaintSettings:
        """By which rescue and purge run: those of the workers, or ours where they told none."""
        return self.told[0].settings if self.told else self.settings


def ok(check: str, sentence: str) -> Finding:
    return Finding(check, "ok", sentence)


def note(check: str, sentence: str, fix: str) -> Finding:
    return Finding(check, "note", sentence, fix)


def warning(check: str, sentence: str, fix: str) -> Finding:
    return Finding(check, "warning", sentence, fix)


def error(check: str, sentence: str, fix: str) -> Finding:
    return Finding(check, "error", sentence, fix)


def count(number: int, noun: str) -> str:
    """`1 job`, `1,204 jobs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
