"""How long finished jobs are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from jobs_maint.settings import MaintSettings

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
        """Statuses with the same span share one cut-off."""
        groups: dict[timedelta, list[str]] = {}
        for status, span in self.by_status.items():
            if span is not None:
                groups.setdefault(span, []).append(status)
        return groups
