"""Who is on the errors of open incidents, whether they are muted, what became of their jobs.

As it is now: the watch stores them with each pass, and people act in between.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from jobs_maint.database import Conn, fetch_all
from jobs_maint.models import Condition, Incident, IncidentKind
from jobs_maint.operations.failures.states import QUIET
from jobs_maint.operations.incidents.judging import MARKS, list_marks
from jobs_maint.operations.session import in_index_order
from jobs_maint.sql import load_queries

__all__ = ["add_marks", "add_standing", "count_standing", "mark_conditions"]

MOST_FAILURES = 5_000
"""Of a group since it began; of more, first only the newest are looked at."""
MOST_OF_ALL = 20_000
"""Of the groups together, the smaller ones first."""
MOST_OF_A_STORM = 100_001
"""Not so many, of the groups none of whose newest jobs is failed: each job is looked at."""
_Marks = Mapping[str, Mapping[str, Any]]
P = TypeVar("P", Incident, Condition)


async def add_marks(conn: Conn, found: Iterable[Incident]) -> list[Incident]:
    every = list(found)
    marks = await _find_marks(conn, _list_names(every))
    return _put(every, MARKS, marks.get) if marks else every


async def mark_conditions(conn: Conn, found: Iterable[Condition]) -> list[Condition]:
    every = list(found)
    names = {one.subject for one in every if one.kind is IncidentKind.GROUP}
    marks = await _find_marks(conn, names)
    return [_put_part(one, MARKS, marks.get) for one in every]


async def _find_marks(conn: Conn, names: Collection[str]) -> _Marks:
    if not names:
        return {}
    rows = await fetch_all(conn, load_queries("groups")["list_marks"], {"names": sorted(names)})
    return {row["name"]: list_marks(row.get) for row in rows}


async def add_standing(
    conn: Conn, found: Iterable[Incident], queues: Sequence[str] | None
) -> list[Incident]:
    """`queues`: patterns of those whose jobs count."""
    every = list(found)
    standing = await count_standing(conn, _list_names(every), queues)
    return _put(
        every, ("standing",),
        lambda name: {"standing": standing[name]} if name in standing else {},
    )  # fmt: skip


async def count_standing(
    conn: Conn, names: Collection[str], queues: Sequence[str] | None = None
) -> _Marks:
    """By the name of a group, as fields of `Standing`; not where there are too many to look at.

    Of a storm it is asked only once none of its newest jobs is failed: until then it is red anyway.
    """
    if not names:
        return {}
    queries = load_queries("groups")
    asked = {
        "names": sorted(names), "queues": queues, "most": MOST_FAILURES,
        "quiet_seconds": QUIET.total_seconds(),
    }  # fmt: skip
    async with in_index_order(conn):
        few = {**asked, "most_of_all": MOST_OF_ALL}
        rows = list(await fetch_all(conn, queries["count_standing"], few))
        if storms := set(names).difference(row["name"] for row in rows):
            asked["names"] = sorted(storms)
            failed = await fetch_all(conn, queries["find_standing"], asked)
            storms.difference_update(row["name"] for row in failed)
        if storms:
            most = {"most": MOST_OF_A_STORM, "most_of_all": MOST_OF_A_STORM}
            many = {**asked, **most, "names": sorted(storms)}
            rows += await fetch_all(conn, queries["count_standing"], many)
    return {row.pop("name"): row for row in map(dict, rows)}


def _list_names(found: Iterable[Incident]) -> set[str]:
    parts = (part for one in found if one.is_open for part in (one.lead, *one.folded))
    return {part.subject for part in parts if part.kind is IncidentKind.GROUP}


_Get = Callable[[str], Mapping[str, Any] | None]


def _put(found: Iterable[Incident], names: Collection[str], get: _Get) -> list[Incident]:
    """With these facts of each group of errors instead of those that were stored."""
    return [
        replace(
            _put_part(one, names, get),
            folded=tuple(_put_part(part, names, get) for part in one.folded),
        )
        if one.is_open
        else one
        for one in found
    ]


def _put_part(part: P, names: Collection[str], get: _Get) -> P:
    facts = get(part.subject) if part.kind is IncidentKind.GROUP else None
    if facts is None:
        return part
    kept = {name: one for name, one in part.facts.items() if name not in names}
    return replace(part, facts={**kept, **facts})
