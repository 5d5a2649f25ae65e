"""The schema: what is there, what is missing."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SchemaReport"]


@dataclass(frozen=True, slots=True)
class SchemaReport:
    """`applied` lists what was done now, `pending` what `schema apply` would do.

    `problems`: an optional index that could not be built now, a sentence each.
    """

    version: str
    procrastinate: bool
    applied: tuple[str, ...]
    pending: tuple[str, ...]
    sql: str | None = None
    problems: tuple[str, ...] = ()
