"""Which group a failure belongs to: by its fingerprint, or by what its text has under each rule."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from jobs_maint.database import Conn, fetch_all
from jobs_maint.fingerprint import FINGERPRINT_VERSION, build_fingerprint, is_built
from jobs_maint.operations.failures.states import MOST_OF_A_KIND, MOST_QUEUES, QUIET
from jobs_maint.redaction import measure, run_apart
from jobs_maint.sql import load_queries

__all__ = ["Group", "count_stretches", "name_kind"]

MOST_KEPT = 2_000
"""Characters of a message: what a fingerprint looks at."""
NAME = range(4, 17)
"""Hex digits of a name, more where it is taken."""
OF_A_KIND = 2
"""Which of these names is that of a kind: so long that no group has it."""


@dataclass(slots=True)
class Group:
    """A row of `jobs_maint_groups` as a pass changes it."""

    name: str
    task_name: str
    exception_type: str | None
    message: str
    fingerprints: list[str]
    queues: list[str]
    failures: int
    first_at: datetime
    last_at: datetime
    returned_at: datetime | None = None
    quiet_seconds: float | None = None
    new: bool = False
    returned: bool = False

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one stretch of failures; the stretches come in the order of their beginnings."""
        pause = row["first_at"] - self.last_at
        if pause >= QUIET:
            self.returned_at, self.quiet_seconds = row["first_at"], pause.total_seconds()
            self.returned = True
        self.failures += row["failures"]
        self.first_at = min(self.first_at, row["first_at"])
        self.last_at = max(self.last_at, row["last_at"])
        self.queues = list(dict.fromkeys([*self.queues, *row["queues"]]))[:MOST_QUEUES]

    def as_json(self) -> dict[str, Any]:
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in fields.items()
        }


Kind = tuple[str, str | None]
"""Task and exception type."""
Known = dict[tuple[str, str], Group]
"""By task and fingerprint."""


async def count_stretches(conn: Conn, rows: Sequence[Mapping[str, Any]]) -> list[Group]:
    """Count them into their groups, and store these."""
    if not rows:
        return []
    queries = load_queries("groups")
    known: Known = {}
    await _find_groups(conn, known, {row["fingerprint"] for row in rows})
    unknown = [row for row in rows if (row["task_name"], row["fingerprint"]) not in known]
    if unknown:
        await _place(conn, unknown, known)
    changed: dict[str, Group] = {}
    for row in rows:
        group = known[row["task_name"], row["fingerprint"]]
        group.add(row)
        changed[group.name] = group
    groups = list(changed.values())
    stored = Jsonb([group.as_json() for group in groups])
    await fetch_all(conn, queries["store_groups"], {"groups": stored})
    known_names = [group.name for group in groups if not group.new]
    if names := [*known_names, *await _count_kinds(conn, groups, rows)]:
        await fetch_all(conn, queries["unmute_groups"], {"names": names})
    return groups


async def _count_kinds(
    conn: Conn, groups: Sequence[Group], rows: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Store the wholes of the groups, where they are very many; returns what those are called."""
    queries = load_queries("groups")
    begun: dict[Kind, datetime] = {}
    for row in rows:  # the first ones first
        begun.setdefault((row["task_name"], row["exception_type"]), row["first_at"])
    kinds = list({(group.task_name, group.exception_type): None for group in groups})
    names = [name_kind(*kind) for kind in kinds]
    since = [begun.get(kind) for kind in kinds]
    quiet = {"names": names, "begun": since, "quiet_seconds": QUIET.total_seconds()}
    await fetch_all(conn, queries["free_kinds"], quiet)
    tasks, types = zip(*kinds, strict=True)
    asked = {"names": names, "tasks": list(tasks), "types": list(types), "most": MOST_OF_A_KIND}
    return [row["name"] for row in await fetch_all(conn, queries["store_kinds"], asked)]


async def _find_groups(conn: Conn, known: Known, fingerprints: set[str]) -> None:
    query = load_queries("groups")["find_groups"]
    by_name = {group.name: group for group in known.values()}
    for row in await fetch_all(conn, query, {"fingerprints": sorted(fingerprints)}):
        fields = {name: row[name] for name in Group.__slots__ if name in row}
        group = by_name.get(row["name"]) or Group(message="", **fields)
        known.update({(group.task_name, one): group for one in group.fingerprints})


async def _place(conn: Conn, rows: Sequence[Mapping[str, Any]], known: Known) -> None:
    """Give each fingerprint that nobody knows a group: one that knows its text, or a new one.

    What the rule before held for one group and this one tells apart is two groups from now on,
    and the second is as old as the first.
    """
    query = load_queries("groups")["list_messages"]
    found = await fetch_all(conn, query, {"ids": [row["sample_id"] for row in rows]})
    messages = {row["id"]: row["message"] for row in found}
    texts = [messages.get(row["sample_id"], "") for row in rows]
    built = await run_apart(
        lambda: [_build(row, text) for row, text in zip(rows, texts, strict=True)],
        measure(texts),
    )
    await _find_groups(conn, known, {one for pair in built for one in pair})
    keys = [(row["task_name"], pair[0]) for row, pair in zip(rows, built, strict=True)]
    taken = await _list_taken_names(conn, keys)
    for row, text, (current, former) in zip(rows, texts, built, strict=True):
        task, fingerprint = row["task_name"], row["fingerprint"]
        group, parent = known.get((task, current)), known.get((task, former))
        if group is None and parent is not None and not _is_current(parent.fingerprints[0]):
            group = parent
            group.fingerprints.insert(0, current)
        if group is None:
            group = Group(
                name=_choose_name(taken, task, current),
                task_name=task,
                exception_type=row["exception_type"],
                message=text[:MOST_KEPT],
                fingerprints=[current],
                queues=[],
                failures=0,
                first_at=parent.first_at if parent else row["first_at"],
                last_at=parent.last_at if parent else row["first_at"],
                new=parent is None,
            )
        if fingerprint != current:  # of an older rule
            group.fingerprints = list(dict.fromkeys([*group.fingerprints, fingerprint, former]))
        known.update({(task, one): group for one in group.fingerprints})


def _build(row: Mapping[str, Any], message: str) -> tuple[str, str]:
    """The fingerprints under this rule and under the one before.

    Of this rule's own the text is not asked: what is stored of it may have been cut.
    """
    fingerprint: str = row["fingerprint"]
    if not is_built(fingerprint):
        return fingerprint, fingerprint
    task, kind = row["task_name"], row["exception_type"] or ""
    former = build_fingerprint(task, kind, message, version=1)
    if _is_current(fingerprint):
        return fingerprint, former
    return build_fingerprint(task, kind, message), former


def _is_current(fingerprint: str) -> bool:
    return fingerprint.startswith(f"{FINGERPRINT_VERSION}:")


async def _list_taken_names(conn: Conn, keys: Sequence[tuple[str, str]]) -> set[str]:
    names = [name for task, one in keys for name in _list_names(task, one)]
    rows = await fetch_all(conn, load_queries("groups")["list_taken_names"], {"names": names})
    return {row["name"] for row in rows}


def name_kind(task: str, exception_type: str | None) -> str:
    """Of all groups of a task and exception type as one."""
    return _list_names(task, f"all\0{exception_type or ''}")[OF_A_KIND]


def _list_names(task: str, fingerprint: str) -> list[str]:
    digest = hashlib.sha256(f"{task}\0{fingerprint}".encode()).hexdigest()
    return [f"E-{digest[:length]}" for length in NAME]


def _choose_name(taken: set[str], task: str, fingerprint: str) -> str:
    names = _list_names(task, fingerprint)
    name = next((one for one in names if one not in taken), names[-1])
    taken.add(name)
    return name
