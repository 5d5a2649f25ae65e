"""When the rescue acts on a job, and what it does with it: the settings that it goes by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from jobs_maint.crons import find_last_tick
from jobs_maint.settings import MaintSettings

__all__ = ["EARLY", "RescueRules", "wait_once_noticed"]

EARLY = timedelta(seconds=10)
"""A pass acts so much early, but at most by a tenth of the span: what one tick notices is due at
the tick that comes that span later, however long either pass took to begin."""


@dataclass(frozen=True, slots=True)
class RescueRules:
    stalled_after: timedelta
    stalled_after_unknown: timedelta
    max_rescues: int
    policy: Mapping[str, str]
    """Task glob → `retry` or `fail`; the first that matches counts."""
    aliases: Sequence[Sequence[str]] = ()
    """Of each task that has several, all its names."""
    cron: str = ""
    queue: str = ""
    """When and where the rescue runs by itself; empty: never."""
    others: Sequence[Mapping[str, str]] = ()
    """The policies of other workers, as while a new one is deployed: what one fails is not run."""

    @classmethod
    def of(
        cls,
        settings: MaintSettings,
        aliases: Sequence[Sequence[str]] = (),
        others: Sequence[Mapping[str, str]] = (),
    ) -> RescueRules:
        """Of whoever acts; what is foretold goes by those of the workers (`follow_workers`)."""
        return cls(
            settings.stalled_after,
            settings.stalled_after_unknown,
            settings.max_rescues,
            settings.rescue_policy,
            aliases,
            settings.rescue_cron,
            settings.queue,
            others,
        )

    @property
    def spans(self) -> dict[str, Any]:
        """Parameters of the queries that ask when the rescue acts, as things are now."""
        return {
            "heard_from": None,
            "stalled_after": (self.stalled_after - _early(self.stalled_after)).total_seconds(),
            "stalled_after_unknown": (
                self.stalled_after_unknown - _early(self.stalled_after_unknown)
            ).total_seconds(),
        }

    def find_tick(self, now: datetime) -> datetime:
        """Up to when a pass that its cron began takes jobs as due: up to its tick, as foretold.

        The clock of the worker that started it may be a little ahead of the database's.
        """
        if not self.cron:
            return now
        return min(now, find_last_tick(self.cron, "UTC", now + _early(self.stalled_after)))

    def fails(self, task: str) -> bool:
        """Whether the policy says so for one of the task's names."""
        names = {task}.union(*(several for several in self.aliases if task in several))
        policies = (self.policy, *self.others)
        return any(_choose(policy, name) == "fail" for policy in policies for name in names)


def _choose(policy: Mapping[str, str], name: str) -> str:
    return next((choice for glob, choice in policy.items() if fnmatchcase(name, glob)), "retry")


def wait_once_noticed(
    row: Mapping[str, Any], notice_in: float, rules: RescueRules, *, will_beat: bool
) -> float:
    """Seconds until the rescue may act on a job that its next pass notices; as `due` in the SQL.

    `will_beat`: where no worker does now, the one that runs that pass will.
    """
    spans = rules.spans
    shorter: float = spans["stalled_after"]
    longer: float = spans["stalled_after_unknown"]
    heard_in: float | None = row["heard_in"]
    if heard_in is None and will_beat:
        heard_in = notice_in + row["quiet_seconds"]
    if not row["had_recorder"]:
        return notice_in + longer
    if heard_in is None:
        return notice_in + max(shorter, longer)
    return min(max(notice_in + shorter, heard_in), notice_in + max(shorter, longer))


def _early(span: timedelta) -> timedelta:
    return min(EARLY, span / 10)
