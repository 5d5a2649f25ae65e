"""The schema: what is there, what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jobs_maint.models.base import Report

__all__ = ["SchemaReport"]


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
