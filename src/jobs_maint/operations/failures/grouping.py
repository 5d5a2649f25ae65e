"""Failures of a window in groups: task, exception type, normalised message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from jobs_maint.actions import QueueScope
from jobs_maint.database import Conn, fetch_all
from jobs_maint.models import (
    ErrorGroup,
    Reasons,
    count_reasons,
    end_slots,
    find_slots,
    say_messages,
)
from jobs_maint.operations.failures.states import (
    MOST_OF_A_KIND,
    Known,
    get_group_state,
    get_trend,
    list_aliases,
    load_kinds,
    load_known,
)
from jobs_maint.operations.jobs.awaited import mark_awaited
from jobs_maint.redaction import DEFAULT, Rules, redact_texts
from jobs_maint.sql import load_queries
from jobs_maint.upstream import OUR_TASKS

__all__ = ["MOST_SORTED", "Groups", "Key", "Window", "list_groups"]

MOST_SORTED = 500
"""The largest groups, among which the news is looked for."""
Key = tuple[str, str | None, str | None]
"""Task, exception type, fingerprint: None where all of the kind are one group."""


@dataclass(frozen=True, slots=True)
class Window:
    """`since` ≤ t < `until`, optionally limited to queues and tasks by globs."""

    since: datetime
    until: datetime
    queues: Sequence[str] | None = None
    tasks: Sequence[str] | None = None
    reach: Sequence[str] | None = None
    """Globs of queues as well: those that whoever asked may see."""

    def filters(self) -> dict[str, Any]:
        return {
            "since": self.since,
            "until": self.until,
            "queues": QueueScope(tuple(self.queues) if self.queues else None).like_patterns,
            "tasks": QueueScope(tuple(self.tasks) if self.tasks else None).like_patterns,
            "reach": self.scope.like_patterns,
            "ours": OUR_TASKS,
        }

    @property
    def scope(self) -> QueueScope:
        return QueueScope(tuple(self.reach) if self.reach is not None else None)


@dataclass(frozen=True, slots=True)
class Groups:
    """The largest groups, and the sums over all of them."""

    shown: tuple[ErrorGroup, ...] = ()
    failed: int = 0
    failed_before: int = 0
    groups_not_shown: int = 0
    slots: tuple[int, ...] = ()
    keys: tuple[Key, ...] = ()
    """Of each that is shown."""
    reasons: Reasons = field(default_factory=Reasons)

    @property
    def failures_not_shown(self) -> int:
        return self.failed - sum(group.count for group in self.shown)


async def list_groups(conn: Conn, window: Window, *, limit: int, rules: Rules = DEFAULT) -> Groups:
    """The `limit` largest groups of the window and of the one of the same length before it.

    More than MOST_OF_A_KIND of one task and exception type are one group, which says how many of
    them are in the window; where all are in the one before it, how many these are.
    """
    aliases = await list_aliases(conn)
    slots, step = find_slots(window.until - window.since)
    params = {
        **window.filters(), "alike": MOST_OF_A_KIND, "limit": max(limit, MOST_SORTED),
        "slots": slots, "slot_seconds": step.total_seconds(), "slots_end": end_slots(window.until),
        "aliases": list(aliases), "mains": list(aliases.values()),
    }  # fmt: skip
    rows = await fetch_all(conn, load_queries("digest")["group_failures"], params)
    if not rows:
        return Groups()
    known = await load_known(conn, {row["fingerprint"] for row in rows if row["fingerprint"]})
    folded = {row["task"] for row in rows if row["unlike"] > 1}
    kinds = await load_kinds(conn, folded, window.since)

    def find(row: Mapping[str, Any]) -> Known | None:
        if row["unlike"] > 1:
            return kinds.get((row["task"], row["exception_type"]))
        return known.get((row["task"], row["fingerprint"]))

    groups = [_group(row, window, find(row), slots) for row in rows]
    first, rows = rows[0], rows[:limit]
    messages = await redact_texts([row["message"] for row in rows], rules)
    numbers = await _count_messages(conn, window, rows, aliases)
    shown = [
        replace(
            group,
            message=say_messages(row["unlike_now"] or row["unlike"], text),
            messages=(row["unlike_now"] or row["unlike"])
            if row["unlike"] > 1
            else numbers.get(_key(row), 1),
        )
        for group, row, text in zip(groups, rows, messages, strict=False)
    ]
    return Groups(
        shown=await mark_awaited(conn, shown),
        failed=first["all_failed"],
        failed_before=first["all_before"],
        groups_not_shown=first["all_groups"] - len(rows),
        slots=tuple(first["all_slots"][:slots]),
        keys=tuple(map(_key, rows)),
        reasons=replace(
            count_reasons(groups[:MOST_SORTED]),
            groups=first["all_recorded"],
            groups_not_recorded=first["all_not_recorded"],
            failures_not_recorded=first["failures_not_recorded"],
        ),
    )


def _key(row: Mapping[str, Any]) -> Key:
    return row["task"], row["exception_type"], row["fingerprint"]


async def _count_messages(
    conn: Conn, window: Window, rows: Sequence[Mapping[str, Any]], aliases: Mapping[str, str]
) -> dict[Key, int]:
    """Different messages of the groups: failures alike may differ in numbers and names."""
    alike = {row["fingerprint"] for row in rows if row["count"] > 1 and row["fingerprint"]}
    if not alike:
        return {}
    older = [old for old, main in aliases.items() if main in alike]
    params = {
        **window.filters(), "fingerprints": [*alike, *older],
        "aliases": older, "mains": [aliases[old] for old in older],
    }  # fmt: skip
    found = await fetch_all(conn, load_queries("digest")["count_messages"], params)
    return {_key(row): row["messages"] for row in found}


def _group(row: Mapping[str, Any], window: Window, known: Known | None, slots: int) -> ErrorGroup:
    """Without its message."""
    first: datetime | None = row["first_at"]
    state: str | None
    state, quiet_seconds = get_group_state(
        known,
        since=window.since,
        count=row["count"],
        count_before=row["count_before"],
        first_at=first,
        error_at=row["error_at"],
    )
    if not row["recorded"] and state == "new":
        state = None  # nobody knows
    return ErrorGroup(
        task=row["task"],
        exception_type=row["exception_type"],
        message="",
        count=row["count"],
        count_before=row["count_before"],
        deleted=row["deleted"],
        trend=get_trend(row["count"], row["count_before"]),
        recorded=row["recorded"],
        first_at=first,
        last_at=row["last_at"],
        sample_job_id=row["sample_job_id"],
        slots=tuple(row["slots"][:slots]),
        state=state,
        quiet_seconds=quiet_seconds,
        elsewhere=known is not None and not known.is_within(window.scope),
        **(known.told(window.until) if known is not None else {}),
    )
