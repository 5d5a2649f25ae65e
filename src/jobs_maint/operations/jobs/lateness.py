"""When the missing beat of a worker is told, before it counts as gone, and when it is believed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["is_late", "wait_by_hand", "wait_to_be_heard"]

LEAST_GRACE = 1.5
"""Seconds that a beat of a healthy worker may come late; of a slow beat a quarter of it."""


def is_late(silent_seconds: float | None, beat_seconds: float | None) -> bool:
    """Whether a beat that should have come is missing; never of a worker that does not beat."""
    if silent_seconds is None or beat_seconds is None:
        return False
    return silent_seconds > beat_seconds + max(LEAST_GRACE, beat_seconds / 4)


def wait_by_hand(row: Mapping[str, Any], due_in: float | None) -> float | None:
    """Seconds until a job that a person names is put back, if its worker gives no sign of life.

    None: a live worker has it, or nothing shows whether one does, so that only a force takes it
    before the rescue. `row`: as `by_hand` tells it. `due_in`: until the rescue may act on it.
    """
    if due_in is not None and due_in <= 0:
        return 0.0
    if row["beats"] or not row["had_recorder"]:
        return None
    heartbeat_in: float = row["heartbeat_in"] or 0.0
    return max(heartbeat_in, wait_to_be_heard(row))


def wait_to_be_heard(row: Mapping[str, Any]) -> float:
    """Seconds until silence counts: other workers are heard, or its own had time to come back."""
    quiet: float = row["quiet_seconds"] - row["noticed_for"]
    heard_in: float | None = row["heard_in"]
    return max(quiet if heard_in is None else min(quiet, heard_in), 0.0)
