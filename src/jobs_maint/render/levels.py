"""The colour of failures in a span."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

from jobs_maint.models import Condition, ErrorGroup, Incident, IncidentKind, Standing

__all__ = ["Level", "is_news", "judge_failures", "judge_incident", "judge_incidents"]

Level = Literal["red", "yellow", "green"]

MANY_FAILED = 10
"""This many failures, if they are a quarter of what finished in that span, are red."""


def judge_failures(failed: int, succeeded: int, standing: Standing, *, news: bool) -> Level:
    """The one rule for failures in a span, wherever they are told: `docs/reference/commands.md`.

    `news`: whether an error is new or back in it. Nobody dealt with a job by deleting it: where a
    worker deletes each one, none is ever failed.
    """
    if failed and standing.none_failed and not standing.deleted_since:
        return "green" if standing.all_succeeded else "yellow"
    if failed and (news or (failed >= MANY_FAILED and 3 * failed >= succeeded)):
        return "red"
    return "yellow" if failed else "green"


def judge_incident(one: Incident) -> Level:
    """Of an open one: an error is judged as failures are, by what became of its jobs."""
    if one.calm_since is not None:
        return "yellow"
    return _find_worst({_judge_part(part) for part in (one.lead, *one.folded)})


def judge_incidents(found: Iterable[Incident]) -> Level:
    return _find_worst({judge_incident(one) for one in found})


def _judge_part(part: Condition) -> Level:
    is_error = part.kind is IncidentKind.GROUP
    return judge_failures(1, 0, part.standing, news=True) if is_error else "red"


def _find_worst(levels: Collection[Level]) -> Level:
    return "red" if "red" in levels else "yellow" if "yellow" in levels else "green"


def is_news(groups: Iterable[ErrorGroup]) -> bool:
    """Whether one is new or back; of failures without a recorded error nobody knows."""
    return any(one.count and one.recorded and one.state in {"new", "regressed"} for one in groups)
