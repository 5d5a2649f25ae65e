"""What the failed jobs of a set failed with, and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from jobs_maint.database import Conn
from jobs_maint.models import FailedGroup, SetErrors
from jobs_maint.models.sets import SetError
from jobs_maint.operations.failures.alike import MOST_GROUPED, group_failed_jobs
from jobs_maint.operations.jobs.error_groups import join_error
from jobs_maint.redaction import Rules

__all__ = ["find_set_errors"]

MOST_ERRORS = 3
MOST_READ = 20
"""Groups among which those without a recorded error are summed up."""
LONGEST = 300
"""Characters of an error."""


async def find_set_errors(
    conn: Conn,
    rows: Sequence[Mapping[str, Any]],
    rules: Rules,
    until: datetime | None,
) -> SetErrors | None:
    """`rows`: jobs of the set, oldest first; None where none of them is failed.

    `until`: what they failed with before that.
    """
    failed = [row["id"] for row in rows if row["status"] == "failed"]
    ids = failed[-MOST_GROUPED:]
    if not ids:
        return None
    params = {
        "queue": None, "queues": None, "task": None, "only_queues": None, "only_tasks": None,
        "records": None, "ids": ids, "since_seconds": None, "until": until,
    }  # fmt: skip
    found = await group_failed_jobs(conn, params, limit=MOST_READ, rules=rules)
    groups = _sum_up(map(_tell, found.groups))
    not_shown = found.groups_not_shown + len(groups[MOST_ERRORS:])
    return SetErrors(
        found.total, groups[:MOST_ERRORS], not_shown,
        len(failed) - len(ids), found.first_at, found.last_at,
    )  # fmt: skip


def _tell(group: FailedGroup) -> SetError:
    kind = "worker lost" if group.lost else group.exception_type
    error = join_error(kind, group.describe_message()) if group.recorded else None
    return SetError(group.count, error and error[:LONGEST], group.name, group.awaited, group.task)


def _sum_up(errors: Iterable[SetError]) -> tuple[SetError, ...]:
    """Those that are not recorded as one, whatever their tasks; the largest first."""
    found: dict[object, SetError] = {}
    for i, one in enumerate(errors):
        key = i if one.error is not None else f"awaited {one.awaited}"
        same = found.get(key)
        found[key] = replace(same, count=same.count + one.count, task=None) if same else one
    return tuple(sorted(found.values(), key=lambda one: -one.count))
