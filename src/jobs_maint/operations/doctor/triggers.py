"""The doctor's check on triggers of the team: one that needs another server fails with it."""

from __future__ import annotations

from jobs_maint.database import Conn, fetch_all
from jobs_maint.models import Finding
from jobs_maint.operations.doctor.findings import Situation, few, ok, warning
from jobs_maint.sql import load_queries

__all__: list[str] = []


async def check_triggers(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    """By the text of their functions; what those call is not looked at."""
    found = await fetch_all(conn, load_queries("doctor")["list_far_triggers"])
    if not found:
        return ok("triggers", "No trigger on the jobs is seen to need another server.")
    each = [f"{row['trigger']} of {row['table_name']} ({row['function']})" for row in found]
    return warning(
        "triggers",
        f"Triggers on the jobs need another server: {few(each, 3)}. While it is down, the jobs "
        "that they run for can be neither changed nor deleted, and workers may fail to end theirs.",
        "Let the function catch the error (EXCEPTION WHEN OTHERS), or store what is to be sent in "
        "a table of this database and send it from there.",
    )
