"""Failed jobs with their errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from jobs_maint.actions import ALL_QUEUES, QueueScope, escape_glob, like_pattern, part_pattern
from jobs_maint.actions.base import spell
from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.models import FailedJob, FailedJobsReport
from jobs_maint.operations.failures.alike import (
    Alike,
    ask_for,
    find_failed_since,
    find_newest,
    group_failed_jobs,
)
from jobs_maint.operations.jobs.awaited import mark_awaited
from jobs_maint.operations.jobs.error_groups import NamedGroup, find_group, find_records
from jobs_maint.operations.jobs.queue_names import limit_reach, require_globs, require_queue
from jobs_maint.operations.jobs.task_names import refuse_misspelt_task
from jobs_maint.operations.session import get_time, switch_jit_off
from jobs_maint.redaction import DEFAULT, Rules, redact_texts
from jobs_maint.sql import load_queries
from jobs_maint.upstream import OUR_TASKS

__all__ = ["list_failed_jobs"]

MARGIN = 10
"""Newest failures looked at beyond the limit: some of their jobs have been retried since."""
MOST_EVENTS = 5_000
NOT_FAILED = ("todo", "doing", "succeeded", "cancelled", "aborted")
MOST_COUNTED = 10_000
"""Failed jobs; beyond that the total is shown as a minimum."""


@dataclass(frozen=True, slots=True)
class _Found:
    rows: Sequence[dict[str, Any]]
    total: int
    hidden: int
    alike: Alike | None = None
    at_least: bool = False
    left: Mapping[str, Any] = field(default_factory=dict)


async def list_failed_jobs(
    conn: Conn,
    *,
    queue: str | None = None,
    task: str | None = None,
    error: str | None = None,
    group: str | None = None,
    respell: Callable[[str], str] = str,
    since: timedelta | None = None,
    until: datetime | None = None,
    limit: int = 20,
    queues: tuple[str, ...] | None = None,
    tasks: tuple[str, ...] | None = None,
    grouped: bool = False,
    scope: QueueScope = ALL_QUEUES,
    rules: Rules = DEFAULT,
) -> FailedJobsReport:
    """The newest failures first, with the error of the attempt that failed, redacted.

    `grouped`: instead of the jobs, the largest groups of those that failed alike.

    `task` matches a part of the name or, as a glob, all of it, `error` a part of the text as it is
    shown, case ignored; `queues` and `tasks` are globs for the whole name. Jobs out of reach are
    counted only where nothing was asked for: a filter must not tell of them. `group` and
    `respell` as in `find_group`.
    """
    if queue is not None:
        await require_queue(
            conn, queue, scope,
            by_span=lambda span: spell("failed", since=span), by_glob="failed",
        )  # fmt: skip
    limited = limit_reach(scope, [escape_glob(queue)] if queue is not None else None, queues)
    await require_globs(conn, scope, queues)
    await switch_jit_off(conn)
    plain = all(one is None for one in (task, error, group, since, until, queues, tasks))
    named = await find_group(conn, group, scope, respell) if group is not None else None
    found = await _list_newest(conn, queue, limit, scope) if plain and not grouped else None
    if found is None:
        only = {
            "only_queues": QueueScope(queues).like_patterns,
            "only_tasks": QueueScope(tasks).like_patterns,
        }
        back = since
        if since is not None and until is not None:
            back = await get_time(conn) - until + since
        found = await _list_matching(
            conn, queue, task, error, named, back, until, only, limit, scope, rules, grouped=grouped
        )
    if not found.total and not found.rows:
        await refuse_misspelt_task(conn, scope, task, tasks)
    texts = [row["message"] or "" for row in found.rows]
    shown = await redact_texts(texts, rules)
    listed = [
        FailedJob(
            job_id=row["id"],
            queue=row["queue_name"],
            task=row["task_name"],
            attempts=row["attempts"],
            failed_at=row["failed_at"],
            recorded=row["kind"] is not None,
            kind=row["kind"],
            exception_type=row["exception_type"],
            message=text if row["message"] is not None else None,
            fingerprint=row["fingerprint"],
        )
        for row, text in zip(found.rows, shown, strict=True)
    ]
    as_of = await get_time(conn)
    return FailedJobsReport(
        as_of=as_of,
        jobs=await mark_awaited(conn, listed),
        total=found.total,
        limit=limit,
        queue=queue,
        task=task,
        error=error,
        group=group,
        queues=queues,
        tasks=tasks,
        since_seconds=since.total_seconds() if since else None,
        until=until,
        limited_to_queues=limited,
        hidden_jobs=found.hidden if plain else 0,
        at_least=found.at_least,
        **found.left,
        **_tell_alike(found.alike),
    )


def _tell_alike(alike: Alike | None) -> dict[str, Any]:
    """As fields of the report, where groups were asked for."""
    if alike is None:
        return {}
    return {
        "groups": alike.groups,
        "groups_not_shown": alike.groups_not_shown,
        "only_task": alike.only_task,
        "last_failed_at": alike.last_at,
    }


async def _list_newest(
    conn: Conn, queue: str | None, limit: int, scope: QueueScope
) -> _Found | None:
    """By the events of the newest failures; None when nearly all of their jobs were retried."""
    queries = load_queries("failures")
    params = {"queue": queue, "queues": scope.like_patterns, "limit": limit}
    counted = await fetch_one(conn, queries["count_failed"], {**params, "most": MOST_COUNTED})
    total, hidden = min(counted["reached"], MOST_COUNTED), counted["hidden"]
    wanted = min(limit, total)
    for most in (limit + MARGIN, 4 * limit + MOST_EVENTS):
        rows = await fetch_all(conn, queries["list_newest_failed"], {**params, "most": most})
        if len(rows) >= wanted:
            total = max(total, len(rows))  # some failed between the two statements
            return _Found(rows, total, hidden, at_least=counted["reached"] > MOST_COUNTED)
    return None


async def _list_matching(
    conn: Conn,
    queue: str | None,
    task: str | None,
    error: str | None,
    group: NamedGroup | None,
    since: timedelta | None,
    until: datetime | None,
    only: Mapping[str, Any],
    limit: int,
    scope: QueueScope,
    rules: Rules,
    *,
    grouped: bool,
) -> _Found:
    """Look at all failed jobs, or at those within a time span or with a text."""
    queries = load_queries("failures")
    named = part_pattern(task) if task is not None else None
    asked = ask_for(queue=queue, queues=scope.like_patterns, task=named, **only)
    seconds = since.total_seconds() if since else None
    ids: Sequence[int] | None = None
    recent: set[int] = set()
    left: dict[str, Any] = {}

    look = partial(
        find_records, conn, error, group, rules, scope=scope, task=named,
        queue=like_pattern(escape_glob(queue)) if queue is not None else None,
    )  # fmt: skip
    # Of a job that went on after `until`, the last one is not of the span.
    records = await look(statuses=["failed"], earlier=until is not None)
    if records is not None:
        ids = records.only_jobs
    if since is not None:
        few = await find_failed_since(conn, since, asked)
        left["fates_unknown"] = few is None
        if few is not None:
            recent = few
            ids = list(recent if ids is None else recent.intersection(ids))
    at_least = False
    if grouped:
        ids, at_least = await find_newest(
            conn, asked, ids=ids, records=records.ids if records else None, since=since, until=until
        )
    params: dict[str, Any] = {
        **asked,
        "records": records.ids if records else None,
        "until": until,
        "since_seconds": seconds,
        "ids": ids,
    }
    rows: list[dict[str, Any]] = []
    alike = None
    if grouped:
        alike = await group_failed_jobs(conn, params, limit=limit, rules=rules)
    else:
        rows = await fetch_all(conn, queries["list_failed_jobs"], {**params, "limit": limit})
    if alike is not None:
        counted = await fetch_one(conn, queries["count_failed"], {**asked, "most": 0})
        total, hidden = alike.total, counted["hidden"]
    else:
        total, hidden = (rows[0]["total"], rows[0]["hidden"]) if rows else (0, 0)
    if recent and since is not None:
        since_at = await get_time(conn) - since
        if records is not None:
            every = await look(statuses=("failed", *NOT_FAILED), gone=True, earlier=True)
            span = {"since": since_at, "until": params["until"]}
            wanted = {"records": every.ids if every else [], **span}
            theirs = await fetch_all(conn, queries["list_jobs_that_failed"], wanted)
            recent.intersection_update(row["job_id"] for row in theirs)
        params |= {"ids": list(recent), "ours": OUR_TASKS, "since": since_at}
        left |= await fetch_one(conn, queries["count_left_behind"], params)
        failed_now = left.pop("failed_now")
        if records is not None and not at_least:  # the others failed again with another error
            left["retried_since"] += max(failed_now - total, 0)
    return _Found(
        [row for row in rows if row["reached"]],
        total,
        hidden,
        alike,
        at_least=at_least,
        left=left,
    )
