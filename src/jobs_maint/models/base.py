"""What all results have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from jobs_maint.durations import format_age

__all__ = ["LARGEST_LIMIT", "OwnJobs", "Report", "say_standby"]

LARGEST_LIMIT = 1000
"""Of the `--limit` of a list."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The frozen answer of one action; `kind` names it in JSON (`docs/reference/json.md`)."""

    __slots__ = ()
    kind: ClassVar[str]

    standby_lag_seconds: float | None = None
    """Age of the last change that the standby has seen; None on a primary. Set by `perform`."""

    def computed(self) -> dict[str, Any]:
        """What JSON shows besides the fields: numbers that follow from them."""
        return {}


@dataclass(frozen=True, slots=True)
class OwnJobs:
    """Jobs of our own tasks in the queues that an answer is about, which does not count them.

    `queue`: the one that was asked for; None where the answer is about all in reach.
    """

    queue: str | None
    jobs: int
    failed: int


def say_standby(lag_seconds: float) -> str:
    age = format_age(lag_seconds)
    return f"This is a standby: the last change that it has seen is {age} old."
