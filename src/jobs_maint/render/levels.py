"""The colour of failures in a span."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

from jobs_maint.models import Condition, ErrorGroup, Incident, Standing

__all__ = [
    "Level",
    "find_red",
    "is_news",
    "judge_failures",
    "judge_incident",
    "judge_incidents",
    "sort_incidents",
]

Level = Literal["red", "yellow", "green"]
_LEVELS: tuple[Level, ...] = ("red", "yellow", "green")

MANY_FAILED = 10
"""This many that are left, if they are a quarter of what finished in that span, are red."""


def judge_failures(failed: int, succeeded: int, standing: Standing, *, news: bool) -> Level:
    """The one rule for failures in a span, wherever they are told: `docs/reference/commands.md`.

    `news`: whether an error is new or back in it.
    """
    if failed and standing.is_dealt_with:
        return "green" if standing.all_succeeded else "yellow"
    left = failed
    if standing.failed_now is not None:
        left = min(failed, standing.failed_now + standing.deleted_since)
    if failed and (news or (left >= MANY_FAILED and 3 * left >= succeeded)):
        return "red"
    return "yellow" if failed else "green"


def judge_incident(one: Incident) -> Level:
    """Of an open one: what became of jobs that failed is judged as anywhere else."""
    if one.calm_since is not None:
        return "yellow"
    levels = {_judge_part(part) for part in (one.lead, *one.folded)}
    if one.unlike and one.unlike.standing.failed_now is not None:
        levels.add(judge_failures(1, 0, one.unlike.standing, news=True))
    return _find_worst(levels)


def find_red(one: Incident) -> Incident | Condition | None:
    """What of an open one is red: what leads it, or else the first of the others that is."""
    if judge_incident(one) != "red":
        return None
    if _judge_part(one.lead) == "red":
        return one
    return next((part for part in one.folded if _judge_part(part) == "red"), one)


def judge_incidents(found: Iterable[Incident]) -> Level:
    return _find_worst({judge_incident(one) for one in found})


def sort_incidents(found: Iterable[Incident]) -> list[Incident]:
    """The worst first, those alike in the order given: a reader who gets a few gets these."""

    def place(one: Incident) -> tuple[int, bool]:
        level = judge_incident(one) if one.is_open else _judge_past(one)
        return _LEVELS.index(level), not one.is_open

    return sorted(found, key=place)


def _judge_past(one: Incident) -> Level:
    return "yellow" if any(part.is_live for part in (one.lead, *one.past)) else "green"


def _judge_part(part: Condition) -> Level:
    return judge_failures(1, 0, part.standing, news=True)


def _find_worst(levels: Collection[Level]) -> Level:
    return min(levels, key=_LEVELS.index, default="green")


def is_news(groups: Iterable[ErrorGroup]) -> bool:
    """Whether one is new or back; of failures without a recorded error nobody knows."""
    return any(one.count and one.state in {"new", "regressed"} for one in groups)
