"""What the memory knows of a group of errors, and what that makes of it: new, back, rising."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from jobs_maint.actions import QueueScope
from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.durations import FarTime
from jobs_maint.sql import load_queries
from jobs_maint.upstream import OUR_TASKS

__all__ = [
    "MOST_OF_A_KIND",
    "MOST_QUEUES",
    "QUIET",
    "Known",
    "KnownGroups",
    "News",
    "count_news",
    "get_group_state",
    "get_trend",
    "list_aliases",
    "load_kinds",
    "load_known",
]

QUIET = timedelta(hours=26)
"""Without a failure for so long, the next one is a return. More than a day and the hour of a change
of clocks: a nightly task that fails each night does not come back each night."""
MOST_OF_A_KIND = 50
"""Groups of one task and exception type; beyond that their texts say nothing and are folded."""
MOST_QUEUES = 50
"""Of those in which a group occurs, so many are kept."""
_LISTS = ("fingerprints", "queues")
_MARKS = ("taken_by", "taken_at", "muted_until", "muted_above")


@dataclass(frozen=True, slots=True)
class Known:
    """A group as it is remembered, or all groups of a kind as one.

    That one has no name before the memory has more of them than MOST_OF_A_KIND.
    """

    name: str | None
    fingerprints: tuple[str, ...]
    first_at: datetime
    last_at: datetime
    returned_at: datetime | None = None
    quiet_seconds: float | None = None
    taken_by: str | None = None
    taken_at: datetime | None = None
    muted_until: datetime | None = None
    muted_above: int | None = None
    queues: tuple[str, ...] = ()
    """At most MOST_QUEUES; empty where they are not known."""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Known:
        return cls(
            **{name: row[name] for name in cls.__dataclass_fields__ if name not in _LISTS},
            fingerprints=tuple(row["fingerprints"]),
            queues=tuple(row["queues"]),
        )

    def told(self, as_of: datetime) -> dict[str, Any]:
        """The fields of a group that do not depend on the span that is looked at."""
        muted = self.muted_until is not None and self.muted_until > as_of
        forever = isinstance(self.muted_until, FarTime)
        return {
            "name": self.name,
            "first_ever_at": self.first_at,
            "taken_by": self.taken_by,
            "taken_at": self.taken_at,
            "muted_until": self.muted_until if muted and not forever else None,
            "muted_above": self.muted_above if muted else None,
        }

    def is_within(self, scope: QueueScope) -> bool:
        """Whether all queues in which it occurs are in reach."""
        if scope.globs is None:
            return True
        return 0 < len(self.queues) < MOST_QUEUES and all(map(scope.covers, self.queues))


KnownGroups = Mapping[tuple[str, str], Known]
"""By task and fingerprint."""


async def load_known(conn: Conn, fingerprints: Collection[str]) -> KnownGroups:
    """Empty where the table is missing, or this role may not read it."""
    queries = load_queries("groups")
    if not fingerprints or not (await fetch_one(conn, queries["find_access"]))["readable"]:
        return {}
    asked = {"fingerprints": sorted(fingerprints)}
    rows = await fetch_all(conn, queries["find_groups"], asked)
    return {
        (row["task_name"], fingerprint): Known.of(row)
        for row in rows
        for fingerprint in row["fingerprints"]
    }


KnownKinds = Mapping[tuple[str, str | None], Known]
"""By task and exception type."""


async def load_kinds(conn: Conn, tasks: Collection[str], since: datetime) -> KnownKinds:
    """What is remembered of all groups of a task and exception type, where these are told as one.

    It is back at its first failure since `since` where none of its groups had failed for a while.
    """
    queries = load_queries("groups")
    if not tasks or not (await fetch_one(conn, queries["find_access"]))["readable"]:
        return {}
    asked = {"tasks": sorted(tasks), "since": since}
    found = {}
    for row in await fetch_all(conn, queries["find_kinds"], asked):
        marks = {name: row[name] for name in _MARKS}
        known = Known(row["name"], (), row["first_at"], row["last_at"], **marks)
        if row["quiet_seconds"] is not None and row["quiet_seconds"] >= QUIET.total_seconds():
            quiet = {"returned_at": row["begun_at"], "quiet_seconds": row["quiet_seconds"]}
            known = replace(known, **quiet)
        found[row["task_name"], row["exception_type"]] = known
    return found


@dataclass(frozen=True, slots=True)
class News:
    groups: int
    complete: bool


async def count_news(conn: Conn, since: datetime, queue: str | None, scope: QueueScope) -> News:
    """Groups that are new or back since then, as far as they are collected.

    Folded as `errors` of the same span folds them.
    """
    queries = load_queries("groups")
    if not (await fetch_one(conn, queries["find_access"]))["readable"]:
        return News(0, complete=True)
    asked = {
        "since": since, "queue": queue, "queues": scope.like_patterns, "ours": OUR_TASKS,
        "alike": MOST_OF_A_KIND, "quiet_seconds": QUIET.total_seconds(),
    }  # fmt: skip
    row = await fetch_one(conn, queries["count_news"], asked)
    return News(row["groups"], complete=not row["incomplete"])


def get_trend(count: int, before: int) -> str:
    """`new`, `rising`, `steady`, `falling` or `gone`; a rise or fall is a factor of 1.5."""
    if not count:
        return "gone"
    if not before:
        return "new"
    if count > before * 1.5 and count - before > 2:
        return "rising"
    if before > count * 1.5 and before - count > 2:
        return "falling"
    return "steady"


def get_group_state(
    known: Known | None,
    *,
    since: datetime,
    count: int,
    count_before: int,
    first_at: datetime | None,
    error_at: datetime | None,
) -> tuple[str, float | None]:
    """`new`, `regressed`, `rising`, `ongoing` or `quiet`; and how long it was quiet before.

    `first_at`: its first failure since `since`, and `error_at`: when that error was raised, which
    is just before the end of its job. What is not remembered is new where the span before has none
    of it.
    """
    trend = get_trend(count, count_before)
    if trend == "gone":
        return "quiet", None
    if known is None:
        return {"new": "new", "rising": "rising"}.get(trend, "ongoing"), None
    if _is_first(known.first_at, since, error_at):
        return "new", None
    if known.returned_at is not None and _is_first(known.returned_at, since, error_at):
        return "regressed", known.quiet_seconds
    if first_at is not None and first_at - known.last_at >= QUIET:
        return "regressed", (first_at - known.last_at).total_seconds()  # not collected yet
    return "rising" if trend == "rising" else "ongoing", None


def _is_first(at: datetime, since: datetime, error_at: datetime | None) -> bool:
    """Whether the error of this time is in the span: its job's end may be, and it just before."""
    return at >= since or (error_at is not None and error_at <= at)


async def list_aliases(conn: Conn) -> Mapping[str, str]:
    """Fingerprints that a group had under an older rule → the one that stands for all of it."""
    queries = load_queries("groups")
    if not (await fetch_one(conn, queries["find_access"]))["readable"]:
        return {}
    rows = await fetch_all(conn, queries["list_aliases"])
    return {one: row["fingerprints"][0] for row in rows for one in row["fingerprints"][1:]}
