"""The schema: what is there, what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jobs_maint.models.base import Report

__all__ = ["OurTable", "SchemaDropReport", "SchemaReport"]


@dataclass(frozen=True, slots=True)
class SchemaReport(Report):
    """`applied` lists what was done now, `pending` what `schema apply` would do.

    `problems`: an optional index that could not be built now, a sentence each.
    """

    kind: ClassVar[str] = "schema"

    version: str
    procrastinate: bool
    applied: tuple[str, ...]
    pending: tuple[str, ...]
    sql: str | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OurTable:
    """`size_bytes` counts its indexes as well."""

    name: str
    size_bytes: int
    schema: str


@dataclass(frozen=True, slots=True)
class SchemaDropReport(Report):
    """What of ours is in the database, or was until now (`dropped`).

    `indexes`: on Procrastinate's tables. `jobs`: those of our own tasks, whatever their status;
    `periodic`: rows that remember when our tasks were last deferred. `in_use_by`: who still uses
    our tables, a few words each; `dependents`: what of the team depends on them. Nothing is dropped
    while there is one. `problems`: an index that could not be dropped now, a sentence each.
    `elsewhere`: schemas whose tables of ours stay: the search path does not reach them, or they
    stand beside other jobs of Procrastinate.
    """

    kind: ClassVar[str] = "schema_drop"

    dropped: bool
    tables: tuple[OurTable, ...]
    indexes: tuple[str, ...]
    jobs: int
    periodic: int
    in_use_by: tuple[str, ...] = ()
    dependents: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.tables or self.indexes or self.jobs or self.periodic)
