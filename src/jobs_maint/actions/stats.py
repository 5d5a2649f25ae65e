"""The request for the queues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jobs_maint.actions.base import Action, spell
from jobs_maint.models import StatsReport

__all__ = ["ShowStats"]


@dataclass(frozen=True, slots=True)
class ShowStats(Action[StatsReport]):
    queue: str | None = None
    errors: bool = False
    """Also the failures of the last 24 hours in groups; shell only."""

    word: ClassVar[str] = "stats"
    verb: ClassVar[str] = "see the queues"

    def words(self) -> str:
        return spell("stats", self.queue, flags=("--errors",) if self.errors else ())
