"""Failures of a span that ends now, grouped by the same code as in a digest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from jobs_maint.actions import ALL_QUEUES, QueueScope, escape_glob
from jobs_maint.database import Conn
from jobs_maint.models import ErrorGroup, ErrorsReport
from jobs_maint.operations.failures.grouping import Window, get_trend, list_groups
from jobs_maint.operations.jobs.queue_names import require_queue
from jobs_maint.operations.session import get_time

__all__ = ["fold_groups", "list_errors"]

MOST_OF_A_KIND = 50
"""Groups of one task and exception type; with more, their texts do not help and are folded."""


async def list_errors(
    conn: Conn,
    *,
    queue: str | None,
    since: timedelta,
    limit: int,
    scope: QueueScope = ALL_QUEUES,
) -> ErrorsReport:
    """Groups of final failures, largest first, compared with the span of equal length before.

    "Error not recorded" is a group like any other (`recorded` is False). Totals include what is
    not shown.
    """
    if queue is not None:
        await require_queue(conn, queue, scope)
    as_of: datetime = await get_time(conn)
    queues = [escape_glob(queue)] if queue is not None else scope.globs
    window = Window(as_of - since, as_of, queues)
    found = fold_groups(await list_groups(conn, window))
    shown, rest = found[:limit], found[limit:]
    return ErrorsReport(
        as_of=as_of,
        since_seconds=since.total_seconds(),
        queue=queue,
        groups=tuple(shown),
        failed=sum(group.count for group in found),
        failed_before=sum(group.count_before for group in found),
        groups_not_shown=len(rest),
        failures_not_shown=sum(group.count for group in rest),
        limited_to_queues=scope.globs,
    )


def fold_groups(groups: Sequence[ErrorGroup]) -> list[ErrorGroup]:
    """More than 50 groups of one task and type become one, which says how many there were."""
    kinds = Counter((group.task, group.exception_type) for group in groups)
    folded: dict[tuple[str, str | None], ErrorGroup] = {}
    kept: list[ErrorGroup] = []
    for group in groups:
        kind = (group.task, group.exception_type)
        if kinds[kind] <= MOST_OF_A_KIND:
            kept.append(group)
            continue
        before = folded.get(kind)
        folded[kind] = group if before is None else _merge(before, group)
    kept += [
        replace(group, message=f"{kinds[kind]} different messages, e.g. {group.message}")
        for kind, group in folded.items()
    ]
    return sorted(kept, key=lambda group: (-group.count, -group.count_before, group.task))


def _merge(first: ErrorGroup, second: ErrorGroup) -> ErrorGroup:
    count = first.count + second.count
    before = first.count_before + second.count_before
    times = [at for at in (first.first_at, second.first_at) if at is not None]
    lasts = [at for at in (first.last_at, second.last_at) if at is not None]
    return replace(
        first,
        count=count,
        count_before=before,
        trend=get_trend(count, before),
        first_at=min(times, default=None),
        last_at=max(lasts, default=None),
        recorded=first.recorded or second.recorded,
        slots=tuple(map(sum, zip(first.slots, second.slots, strict=True))),
    )
