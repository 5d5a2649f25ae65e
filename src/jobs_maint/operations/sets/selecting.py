"""Which jobs a filter means now, and how many more it means once the set was acted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from jobs_maint.actions import ALL_QUEUES, BulkVerb, JobFilter, QueueScope
from jobs_maint.database import Conn, Pool, fetch_all, transaction
from jobs_maint.errors import JobsMaintError
from jobs_maint.operations.jobs.error_groups import NamedGroup, find_group, find_records
from jobs_maint.operations.jobs.errors import Records
from jobs_maint.operations.session import get_time
from jobs_maint.redaction import Rules
from jobs_maint.sql import load_queries
from jobs_maint.upstream import OUR_TASKS

__all__ = ["LARGEST_SET", "Selected", "count_newer", "keep_filter", "select"]

LARGEST_SET = 50_000


@dataclass(frozen=True, slots=True)
class Selected:
    rows: Sequence[dict[str, Any]]
    records: Records | None
    until: datetime | None


async def select(
    conn: Conn,
    verb: BulkVerb,
    wanted: JobFilter,
    group: NamedGroup | None,
    rules: Rules,
    scope: QueueScope = ALL_QUEUES,
) -> Selected:
    """The oldest, and in `matching` how many there are in all.

    Up to a time: of failed jobs also those that failed again since, as `failed --until` lists
    them. Before a span (`--until 1h`): only those that nothing has happened to since.
    """
    then = isinstance(wanted.until, datetime)
    statuses = list(wanted.statuses or verb.statuses[:1])
    records = await find_records(
        conn, wanted.error, group, rules, statuses=statuses, scope=scope,
        earlier=then, queue=wanted.queue_pattern, task=wanted.task_pattern,
    )  # fmt: skip
    since, until = wanted.since, wanted.until
    if until is not None:
        now = await get_time(conn)
        if isinstance(until, timedelta):
            until = now - until
        elif since is not None:
            since += now - until
    rows = await fetch_all(
        conn,
        load_queries("bulk")["select_jobs"],
        {
            "statuses": statuses,
            "queue": wanted.queue_pattern,
            "queues": scope.like_patterns,
            "task": wanted.task_pattern,
            "only_queues": QueueScope(wanted.queues).like_patterns,
            "only_tasks": QueueScope(wanted.tasks).like_patterns,
            "records": records.ids if records else None,
            "error_jobs": records.only_jobs if records else None,
            "since_seconds": since.total_seconds() if since is not None else None,
            "until": until,
            "again": then,
            "request": wanted.request,
            "job_ids": list(wanted.job_ids) if wanted.job_ids is not None else None,
            "ours": OUR_TASKS,
            "limit": LARGEST_SET,
        },
    )
    return Selected(rows, records, until)


def keep_filter(verb: BulkVerb, wanted: JobFilter, remain: int) -> dict[str, Any] | None:
    """For `count_newer`; None where more that match need not have failed since the preview."""
    open_end = wanted.until is None and wanted.request is None and wanted.job_ids is None
    statuses = wanted.statuses or verb.statuses[:1]
    if verb is not BulkVerb.RETRY or statuses != ("failed",) or not open_end or remain:
        return None
    since = wanted.since.total_seconds() if wanted.since is not None else None
    return {**asdict(wanted), "since": since}


async def count_newer(
    pool: Pool, kept: Mapping[str, Any] | None, job_ids: Sequence[int], rules: Rules,
    scope: QueueScope,
) -> int:  # fmt: skip
    """Jobs that match now and were not in the set: they failed since. Never fails the act."""
    if kept is None:
        return 0
    lists = {name: tuple(value) for name, value in kept.items() if isinstance(value, list)}
    since = timedelta(seconds=kept["since"]) if kept["since"] is not None else None
    wanted = JobFilter(**{**kept, **lists, "since": since})
    known = set(job_ids)
    try:
        async with pool.connection() as conn, transaction(conn):
            group = None
            if wanted.group is not None:
                group = await find_group(conn, wanted.group, scope, str)
            found = await select(conn, BulkVerb.RETRY, wanted, group, rules, scope)
    except (psycopg.Error, JobsMaintError):
        return 0
    return sum(row["id"] not in known for row in found.rows)
