"""The schema: what is there, what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jobs_maint.models.base import Report
from jobs_maint.quoting import few

__all__ = ["A_WORKER", "OurTable", "SchemaDropReport", "SchemaReport"]


@dataclass(frozen=True, slots=True)
class SchemaReport(Report):
    """`applied` lists what was done now, `pending` what `schema apply` would do.

    `problems`: an optional index that could not be built now, a sentence each. `elsewhere`: a
    sentence where Procrastinate's tables stand in a schema off the search path alone. `database`:
    its name, host and search path.
    """

    kind: ClassVar[str] = "schema"

    version: str
    procrastinate: bool
    applied: tuple[str, ...]
    pending: tuple[str, ...]
    sql: str | None = None
    problems: tuple[str, ...] = ()
    elsewhere: str | None = None
    database: str | None = None
    trouble: str | None = None
    """What `schema apply` does not mend, and what to do about it."""


A_WORKER = "a worker"
"""Who uses our tables is a worker or a bot."""


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
    stuck_jobs: int = 0
    """Running jobs without a live worker; without our tables, nobody knows that."""
    rescue_in_seconds: float | None = None
    """Until `rescue IDS` acts on the last of them, as far as it needs no force."""
    unknown_workers: int = 0
    """Live workers that have run no job yet, so nothing shows whether they have our recorder."""

    @property
    def empty(self) -> bool:
        return not (self.tables or self.indexes or self.jobs or self.periodic)

    def say_users(self) -> str:
        """Who uses our tables, and what to do about it."""
        parts = [f"our tables are still used by {few(self.in_use_by, 10)}."]
        workers = [user for user in self.in_use_by if user.startswith(A_WORKER)]
        if workers:
            parts.append(
                "Take `jobs_maint.register(app)` out of the app and restart its workers. A killed "
                "worker counts until it has missed three beats."
            )
        if len(workers) < len(self.in_use_by):
            parts.append(
                "Stop the bot. If it has ended, a proxy such as PgBouncer keeps its session: end "
                "that with SELECT pg_terminate_backend(PROCESS)."
            )
        return " ".join([*parts, "Then try again."])
