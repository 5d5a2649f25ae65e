"""Who is on the errors of open incidents, whether they are muted, what became of their jobs.

As it is now: the watch stores them with each pass, and people act in between.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from jobs_maint.database import Conn, fetch_all
from jobs_maint.models import Condition, Incident, IncidentKind
from jobs_maint.operations.incidents.judging import MARKS, list_marks
from jobs_maint.sql import load_queries

__all__ = ["add_marks", "add_standing", "count_standing"]

MOST_FAILURES = 5_000
"""Since the first of the groups began; where there are more, nobody looks at each job."""
_Marks = Mapping[str, Mapping[str, Any]]


async def add_marks(conn: Conn, found: Iterable[Incident]) -> list[Incident]:
    every = list(found)
    if not (names := _list_names(every)):
        return every
    rows = await fetch_all(conn, load_queries("groups")["list_marks"], {"names": sorted(names)})
    marks = {row["name"]: list_marks(row.get) for row in rows}
    return _put(every, MARKS, marks.get)


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
    """By the name of a group, as fields of `Standing`; not where there are too many to look at."""
    if not names:
        return {}
    params = {"names": sorted(names), "queues": queues, "most": MOST_FAILURES}
    rows = await fetch_all(conn, load_queries("groups")["count_standing"], params)
    return {row.pop("name"): row for row in map(dict, rows)}


def _list_names(found: Iterable[Incident]) -> set[str]:
    parts = (part for one in found if one.is_open for part in (one.lead, *one.folded))
    return {part.subject for part in parts if part.kind is IncidentKind.GROUP}


def _put(
    found: Iterable[Incident],
    names: Collection[str],
    get: Callable[[str], Mapping[str, Any] | None],
) -> list[Incident]:
    """With these facts of each group of errors instead of those that were stored."""

    def put(part: Incident | Condition) -> Mapping[str, Any]:
        facts = get(part.subject) if part.kind is IncidentKind.GROUP else None
        if facts is None:
            return part.facts
        return {**{name: one for name, one in part.facts.items() if name not in names}, **facts}

    return [
        replace(
            one,
            facts=put(one),
            folded=tuple(replace(part, facts=put(part)) for part in one.folded),
        )
        if one.is_open
        else one
        for one in found
    ]
