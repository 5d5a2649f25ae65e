"""What a purge deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from jobs_maint.models.base import Report
from jobs_maint.models.sets import SkipGroup

__all__ = ["PurgeReport"]


@dataclass(frozen=True, slots=True)
class PurgeReport(Report):
    """What one run (or one slice) of the purge deleted; `finished` is False when time ran out."""

    kind: ClassVar[str] = "purge"

    deleted: Mapping[str, int]
    batches: int
    elapsed_seconds: float
    finished: bool
    dry_run: bool = False
    trimmed: Mapping[str, int] = field(default_factory=dict)
    """Rows deleted from our own tables, by table."""
    oldest_left: datetime | None = None
    """The last event of the oldest finished job that is left."""
    refused: tuple[SkipGroup, ...] = ()
    """Jobs that the database did not let go, by reason: which key, constraint or function.

    Of a dry run those that a foreign key keeps.
    """
    undated: tuple[SkipGroup, ...] = ()
    """Finished jobs of which nothing tells the age: they have no events."""
    turns: int = 1
    """In how many days the jobs behind younger ones are looked at; 1: all of them each time."""
    surveyed_at: datetime | None = None
    """When an earlier purge looked at the jobs behind younger ones; None: this one did."""
    resume_after: Mapping[str, int] = field(default_factory=dict)
    """Where the next slice goes on: per status the last id looked at, and behind younger jobs."""
    warnings: tuple[str, ...] = ()
    """Of a dry run: which foreign keys may keep more of the jobs, a sentence."""
    stopped_by: str = ""
    """Who else asked it to stop, as in the audit."""

    @property
    def total(self) -> int:
        return sum(self.deleted.values())

    def computed(self) -> dict[str, Any]:
        return {"total": self.total}

    @property
    def kept(self) -> int:
        """How many of the old jobs the database did not let go."""
        return sum(group.count for group in self.refused)
