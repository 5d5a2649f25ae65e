"""Who is on the groups of errors of open incidents, and whether they are muted: as it is now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from jobs_maint.database import Conn, fetch_all
from jobs_maint.models import Condition, Incident, IncidentKind
from jobs_maint.operations.incidents.judging import MARKS, list_marks
from jobs_maint.sql import load_queries

__all__ = ["add_marks"]

_Marks = Mapping[str, Mapping[str, Any]]


async def add_marks(conn: Conn, found: Iterable[Incident]) -> list[Incident]:
    """The watch stores them with each pass; people act in between."""
    every = list(found)
    parts = (part for one in every if one.state == "open" for part in (one.lead, *one.folded))
    names = sorted({part.subject for part in parts if part.kind is IncidentKind.GROUP})
    if not names:
        return every
    rows = await fetch_all(conn, load_queries("groups")["list_marks"], {"names": names})
    marks = {row["name"]: list_marks(row.get) for row in rows}
    return [_mark(one, marks) if one.state == "open" else one for one in every]


def _mark(one: Incident, marks: _Marks) -> Incident:
    folded = (replace(part, facts=_mark_facts(part, marks)) for part in one.folded)
    return replace(one, facts=_mark_facts(one, marks), folded=tuple(folded))


def _mark_facts(part: Incident | Condition, marks: _Marks) -> Mapping[str, Any]:
    if part.kind is not IncidentKind.GROUP or part.subject not in marks:
        return part.facts
    others = {name: fact for name, fact in part.facts.items() if name not in MARKS}
    return {**others, **marks[part.subject]}
