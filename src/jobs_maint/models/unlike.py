"""Jobs of a task that failed with more unlike errors than a message lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobs_maint.models.settled import Followed

__all__ = ["MOST_LISTED", "Unlike"]

MOST_LISTED = 6
"""Errors that the message of an incident lists; of more, it says the sum."""


@dataclass(frozen=True, slots=True)
class Unlike:
    """`jobs`: by task, the most first, those that failed in the last hour. `groups`: of errors.

    `errors`: as `failed` counts them: very many of one exception type are one.
    """

    jobs: Mapping[str, int]
    groups: int
    errors: int
    at_least: bool
    standing: Followed
    more_tasks: bool = False
    """Whether other tasks may have failed too."""

    @classmethod
    def sum(cls, by_task: Mapping[str, Mapping[str, Any]]) -> Unlike | None:
        """None where they are few enough to be listed."""
        found = by_task.values()
        groups = sum(one["groups"] for one in found)
        if groups <= MOST_LISTED:
            return None
        jobs = {task: int(one["jobs"]) for task, one in by_task.items()}
        fates = [one["standing"] for one in found]
        standing = {name: sum(one[name] for one in fates) for name in fates[0]} if all(
            fates
        ) else {}  # fmt: skip
        return cls(
            dict(sorted(jobs.items(), key=lambda item: -item[1])),
            groups,
            sum(one["errors"] for one in found),
            any(one["at_least"] or (len(jobs) > 1 and one.get("more_tasks")) for one in found),
            Followed.of(standing),
            any(one.get("more_tasks") for one in found),
        )
