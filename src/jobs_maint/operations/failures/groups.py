"""Failures of a span, grouped: the same code that a digest is made of, ending now."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from jobs_maint.actions import ALL_QUEUES, ListErrors, QueueScope, escape_glob
from jobs_maint.actions.base import spell
from jobs_maint.database import Conn, fetch_all
from jobs_maint.models import ErrorGroup, ErrorsReport, FailedGroup, Settled
from jobs_maint.operations.failures.alike import (
    MOST_IDS,
    ask_for,
    count_left_behind,
    find_failed_since,
    find_newest,
    group_failed_jobs,
)
from jobs_maint.operations.failures.ends import count_ends
from jobs_maint.operations.failures.grouping import Groups, Key, Window, list_groups
from jobs_maint.operations.jobs.own import find_own_jobs, name_one_queue
from jobs_maint.operations.jobs.queue_names import limit_reach, require_globs, require_queue
from jobs_maint.operations.jobs.task_names import refuse_misspelt_task
from jobs_maint.operations.session import get_time, in_index_order
from jobs_maint.operations.spans import cut_span
from jobs_maint.redaction import DEFAULT, Rules, run_apart
from jobs_maint.sql import load_queries

__all__ = ["add_failed_now", "count_standing", "list_errors"]

MOST_SETTLED = 20_000
"""Failures of the largest groups that are looked at."""
MOST_FAILED_NOW = 2_000
"""Groups of jobs that are failed now, looked through for those that are shown."""


async def list_errors(
    conn: Conn,
    *,
    queue: str | None,
    since: timedelta,
    limit: int,
    until: datetime | None = None,
    queues: tuple[str, ...] | None = None,
    tasks: tuple[str, ...] | None = None,
    still_failed: bool = False,
    scope: QueueScope = ALL_QUEUES,
    rules: Rules = DEFAULT,
) -> ErrorsReport:
    """Groups of failures for good, largest first, compared with the span of the same length before.

    "Error not recorded" is a group like others, told by `recorded`. Totals add up with what is not
    shown. `still_failed`: also look which of their jobs are failed now, by a failure in the span.
    Raises InvalidRequest for a span that begins in the future.
    """
    if queue is not None:
        await require_queue(
            conn, queue, scope,
            by_span=lambda span: spell("errors", since=span), by_glob="errors",
        )  # fmt: skip
    named = [escape_glob(queue)] if queue is not None else None
    limited = limit_reach(scope, named, queues)
    await require_globs(conn, scope, queues)
    as_of: datetime = await get_time(conn)
    reach = named or scope.globs
    end, is_ahead = until or as_of, False
    if until is not None:
        asked = ListErrors(queue, since, limit, until, queues, tasks)
        cut, is_ahead = cut_span(since, until, as_of, asked, replace(asked, until=None))
        since, end = cut or since, as_of if is_ahead else until
    window = Window(end - since, end, queues, tasks, reach)
    found = await list_groups(conn, window, limit=limit, rules=rules)
    if not found.shown:
        await refuse_misspelt_task(conn, scope, None, tasks)
    report = ErrorsReport(
        as_of=as_of,
        since_seconds=since.total_seconds(),
        queue=queue,
        groups=found.shown,
        failed=found.failed,
        failed_before=found.failed_before,
        groups_not_shown=found.groups_not_shown,
        failures_not_shown=found.failures_not_shown,
        reasons=found.reasons,
        limited_to_queues=limited,
        until=None if until is None else end,
        until_in_future=is_ahead,
        queues=queues,
        tasks=tasks,
        own_jobs=await find_own_jobs(conn, name_one_queue(queue, queues)),
    )
    if found.failed:
        ends = await count_ends(conn, window)
        report = replace(report, succeeded=ends.get("succeeded", 0))
    if not (still_failed and found.failed):
        return report
    return replace(
        report,
        groups=await add_failed_now(conn, found, window, as_of, queue, rules),
        **await count_standing(conn, window, as_of),
    )


async def count_standing(conn: Conn, window: Window, as_of: datetime) -> dict[str, Any]:
    """What became of the jobs that failed in the window, as fields of `Standing`; see there."""
    filters = window.filters()
    asked = ask_for(
        queues=filters["reach"], only_queues=filters["queues"], only_tasks=filters["tasks"]
    )
    return await count_left_behind(conn, as_of - window.since, asked, until=window.until)


async def add_failed_now(
    conn: Conn,
    found: Groups,
    window: Window,
    as_of: datetime,
    queue: str | None,
    rules: Rules,
) -> tuple[ErrorGroup, ...]:
    """The groups that are shown, each with how many of its jobs are failed now.

    `queue`: the one that the window reaches, if it is one.
    """
    only, since = window.filters(), as_of - window.since
    asked = ask_for(
        queue=queue, queues=only["reach"] if queue is None else None,
        only_queues=only["queues"], only_tasks=only["tasks"],
    )  # fmt: skip
    few = await find_failed_since(conn, since, asked)
    ids, only_newest = await find_newest(conn, asked, ids=few, since=since, until=window.until)
    params = {
        **asked, "records": None, "ids": ids,
        "since_seconds": since.total_seconds(), "until": window.until,
    }  # fmt: skip
    now = await group_failed_jobs(
        conn, params, limit=MOST_FAILED_NOW, rules=rules, texts=False,
        folded={(task, kind) for task, kind, fingerprint in found.keys if fingerprint is None},
    )  # fmt: skip
    by_key: defaultdict[Key, list[FailedGroup]] = defaultdict(list)
    for one in now.groups:
        by_key[one.task, one.exception_type, one.fingerprint if one.recorded else "-"].append(one)

    def add(group: ErrorGroup, theirs: Sequence[FailedGroup]) -> ErrorGroup:
        failed_now = sum(one.count for one in theirs)
        if failed_now < group.count and (only_newest or (not theirs and now.groups_not_shown)):
            return group  # the others may be failed too: not all of them were looked at
        return replace(
            group,
            failed_now=failed_now,
            retriable=sum(one.retriable for one in theirs),
            job_ids=tuple(job_id for one in theirs for job_id in one.job_ids)[:MOST_IDS],
        )

    pairs = list(zip(found.shown, found.keys, strict=True))
    groups = await run_apart(
        lambda: [add(group, by_key.get(key, [])) for group, key in pairs], 10 * len(pairs)
    )
    return await _add_settled(conn, groups, window)


async def _add_settled(
    conn: Conn, groups: Sequence[ErrorGroup], window: Window
) -> tuple[ErrorGroup, ...]:
    """What became of the jobs of each that are not failed now, of so many failures at most."""
    names, looked_at, lines = [], 0, Counter(group.name for group in groups)
    for group in groups:
        looked_at += group.count
        is_asked = group.failed_now not in {None, group.count} and looked_at <= MOST_SETTLED
        if group.name and lines[group.name] == 1 and is_asked:
            names.append(group.name)
    if not names:
        return tuple(groups)
    params = {**window.filters(), "names": names, "most": MOST_SETTLED + 1}
    async with in_index_order(conn):
        rows = await fetch_all(conn, load_queries("groups")["count_settled"], params)
    found = {row.pop("name"): row for row in map(dict, rows)}

    def add(group: ErrorGroup) -> ErrorGroup:
        if (fate := found.get(group.name)) is None:
            return group
        # One that failed again with another error is not failed with this one.
        again = max(fate["failed_now"] - (group.failed_now or 0), 0)
        settled = {name: jobs for name, jobs in fate.items() if name != "failed_now"}
        settled["retried_since"] += again
        return replace(group, settled=Settled(**settled))

    return tuple(map(add, groups))
