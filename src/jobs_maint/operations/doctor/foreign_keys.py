"""The doctor's check on what other tables forbid: a key onto the jobs can keep them for ever."""

from __future__ import annotations

from typing import Any

from jobs_maint.database import Conn, fetch_all
from jobs_maint.models import Finding
from jobs_maint.operations.doctor.findings import Situation, few, ok, warning
from jobs_maint.sql import load_queries

__all__: list[str] = []


async def check_foreign_keys(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    """In the catalogue, so that it is known before a purge meets the first such job."""
    keys = await fetch_all(conn, load_queries("doctor")["list_foreign_keys"])
    if blocking := [key for key in keys if key["blocks"]]:
        return warning(
            "foreign_keys",
            f"Jobs cannot be deleted while other tables refer to them: {_names(blocking)}. The "
            "purge keeps those jobs for ever and deletes the others.",
            f"{_allow(blocking[0])} Or delete those rows in time. (In Django 6.1: "
            "on_delete=models.DB_CASCADE; before, this statement in a migration. CASCADE changes "
            "nothing in the database.)",
        )
    if slow := [key for key in keys if key["slow"]]:
        first = slow[0]
        return warning(
            "foreign_keys",
            f"Each job that is deleted makes PostgreSQL read a whole table: {_names(slow)} has no "
            "index to find the rows by.",
            f"CREATE INDEX CONCURRENTLY ON {first['table_name']} ({first['columns']});",
        )
    return ok("foreign_keys", "No table keeps finished jobs from being deleted.")


def _names(keys: list[dict[str, Any]]) -> str:
    return few([f"{key['key']} of {key['table_name']}" for key in keys], 3)


def _allow(key: dict[str, Any]) -> str:
    then = "CASCADE" if key["required"] else "SET NULL"
    return (
        f"ALTER TABLE {key['table_name']} DROP CONSTRAINT {key['key']}, ADD CONSTRAINT "
        f"{key['key']} FOREIGN KEY ({key['columns']}) REFERENCES {key['target']} "
        f"({key['target_columns']}) ON DELETE {then}{key['deferred']};"
    )
