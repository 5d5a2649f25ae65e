"""Failures of a span, grouped: the same code that a digest is made of, ending now."""

from __future__ import annotations

from datetime import datetime, timedelta

from jobs_maint.actions import ALL_QUEUES, QueueScope, escape_glob
from jobs_maint.database import Conn
from jobs_maint.models import ErrorsReport
from jobs_maint.operations.failures.grouping import Window, list_groups
from jobs_maint.operations.jobs.queue_names import require_queue
from jobs_maint.operations.session import get_time
from jobs_maint.redaction import DEFAULT, Rules

__all__ = ["list_errors"]

MOST_OF_A_KIND = 50
"""Groups of one task and exception type; beyond that their texts say nothing and are folded."""


async def list_errors(
    conn: Conn,
    *,
    queue: str | None,
    since: timedelta,
    limit: int,
    scope: QueueScope = ALL_QUEUES,
    rules: Rules = DEFAULT,
) -> ErrorsReport:
    """Groups of failures for good, largest first, compared with the span of the same length before.

    "Error not recorded" is a group like others, told by `recorded`. Totals add up with what is not
    shown.
    """
    if queue is not None:
        await require_queue(conn, queue, scope)
    as_of: datetime = await get_time(conn)
    queues = [escape_glob(queue)] if queue is not None else scope.globs
    window = Window(as_of - since, as_of, queues)
    found = await list_groups(conn, window, limit=limit, alike=MOST_OF_A_KIND, rules=rules)
    return ErrorsReport(
        as_of=as_of,
        since_seconds=since.total_seconds(),
        queue=queue,
        groups=found.shown,
        failed=found.failed,
        failed_before=found.failed_before,
        groups_not_shown=found.groups_not_shown,
        failures_not_shown=found.failures_not_shown,
        limited_to_queues=scope.globs,
    )
