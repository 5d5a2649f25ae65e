"""Requests on the schema."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from jobs_maint.actions.actor import Role
from jobs_maint.actions.base import Action
from jobs_maint.models import SchemaDropReport, SchemaReport

__all__ = ["ApplySchema", "CheckSchema", "DropSchema", "PreviewDropSchema", "ShowSchemaSql"]


@dataclass(frozen=True, slots=True)
class ApplySchema(Action[SchemaReport]):
    """Apply what is missing; `indexes`: also build those on Procrastinate's tables.

    `wait`: how long the front end waits for a database that lets nobody in yet.
    """

    indexes: bool = True
    wait: timedelta = timedelta()

    word: ClassVar[str] = "schema apply"
    verb: ClassVar[str] = "change the schema"
    role: ClassVar[Role | None] = Role.ADMIN
    act: ClassVar[bool] = True
    whole: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class CheckSchema(Action[SchemaReport]):
    word: ClassVar[str] = "schema status"
    verb: ClassVar[str] = "see the schema"
    role: ClassVar[Role | None] = Role.ADMIN


@dataclass(frozen=True, slots=True)
class ShowSchemaSql(Action[SchemaReport]):
    word: ClassVar[str] = "schema sql"
    verb: ClassVar[str] = "see the schema"
    role: ClassVar[Role | None] = Role.ADMIN


@dataclass(frozen=True, slots=True)
class PreviewDropSchema(Action[SchemaDropReport]):
    """What `DropSchema` would take away; changes nothing."""

    word: ClassVar[str] = "schema drop"
    verb: ClassVar[str] = "see what removing our tables would take away"
    role: ClassVar[Role | None] = Role.ADMIN
    whole: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class DropSchema(Action[SchemaDropReport]):
    """Remove what `schema apply` made, and our own jobs; Procrastinate's tables stay."""

    word: ClassVar[str] = "schema drop"
    verb: ClassVar[str] = "remove our tables"
    role: ClassVar[Role | None] = Role.ADMIN
    act: ClassVar[bool] = True
    whole: ClassVar[bool] = True
