"""How long finished jobs are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from jobs_maint.settings import MaintSettings
from jobs_maint.verbs import FINAL_STATUSES

__all__ = ["Retention"]


@dataclass(frozen=True, slots=True)
class Retention:
    """How long each final status is kept; None keeps it forever."""

    by_status: Mapping[str, timedelta | None]
    audit: timedelta | None

    @classmethod
    def of(cls, settings: MaintSettings) -> Retention:
        return cls(
            {
                "succeeded": settings.keep_succeeded,
                "failed": settings.keep_failed,
                "cancelled": settings.keep_cancelled,
                "aborted": settings.keep_aborted,
            },
            settings.keep_audit,
        )

    def groups(self) -> dict[timedelta, list[str]]:
        """Statuses with the same span share one cut-off; the order is the same whoever asks."""
        groups: dict[timedelta, list[str]] = {}
        for status in FINAL_STATUSES:
            if (span := self.by_status.get(status)) is not None:
                groups.setdefault(span, []).append(status)
        return groups
