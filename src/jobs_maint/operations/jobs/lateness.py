"""When the missing beat of a worker is told, before it counts as gone."""

from __future__ import annotations

__all__ = ["is_late"]

LEAST_GRACE = 1.5
"""Seconds that a beat of a healthy worker may come late; of a slow beat a quarter of it."""


def is_late(silent_seconds: float | None, beat_seconds: float | None) -> bool:
    """Whether a beat that should have come is missing; never of a worker that does not beat."""
    if silent_seconds is None or beat_seconds is None:
        return False
    return silent_seconds > beat_seconds + max(LEAST_GRACE, beat_seconds / 4)
