"""Jobs that are failed now, those with one task and one error as one group."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.models import FailedGroup, say_messages
from jobs_maint.operations.failures.states import (
    MOST_OF_A_KIND,
    Known,
    get_group_state,
    list_aliases,
    load_kinds,
    load_known,
)
from jobs_maint.operations.jobs.awaited import mark_awaited
from jobs_maint.operations.session import get_time
from jobs_maint.redaction import Rules, redact_texts, run_apart
from jobs_maint.sql import load_queries
from jobs_maint.upstream import OUR_TASKS

__all__ = [
    "MOST_GROUPED",
    "MOST_IDS",
    "Alike",
    "ask_for",
    "count_left_behind",
    "find_failed_since",
    "find_newest",
    "group_failed_jobs",
]

MOST_IDS = 250
"""Of one group: as many as fit into a button."""
MOST_FOUND = 20_000
LATELY = timedelta(hours=24)
"""Where no span is asked for: so long a group that came for the first time is called new."""
MOST_GROUPED = 10_000
"""Jobs that were asked for, the newest of them: each one is looked up."""


@dataclass(frozen=True, slots=True)
class Alike:
    """The largest groups, and the sums over all of them."""

    groups: tuple[FailedGroup, ...] = ()
    total: int = 0
    groups_not_shown: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    only_task: str | None = None
    """Where all of them are of one task."""


async def group_failed_jobs(
    conn: Conn,
    params: Mapping[str, Any],
    *,
    limit: int,
    rules: Rules,
    texts: bool = True,
    folded: Collection[tuple[str, str | None]] | None = None,
) -> Alike:
    """`params`: those of the query `list_failed_jobs`; without `texts` no message is read.

    `folded`: tasks with exception types all of whose errors are one group; None: those with more
    than MOST_OF_A_KIND.
    """
    query = load_queries("failures")["group_failed_jobs"]
    names = [" ".join(filter(None, kind)) for kind in folded or ()]
    aliases = await list_aliases(conn)
    more = {
        "limit": limit, "most_ids": MOST_IDS, "texts": texts, "folded": names,
        "alike": MOST_OF_A_KIND if folded is None else None,
        "aliases": list(aliases), "mains": list(aliases.values()),
    }  # fmt: skip
    rows = await fetch_all(conn, query, {**params, **more})
    messages = [row["message"] for row in rows]
    shown = await redact_texts(messages, rules)
    known = await load_known(conn, {row["fingerprint"] for row in rows if row["fingerprint"]})
    as_of = await get_time(conn)
    since = as_of - timedelta(seconds=params["since_seconds"] or LATELY.total_seconds())
    chatty = {row["task"] for row in rows if row["unlike"] > 1}
    kinds = await load_kinds(conn, chatty, since)
    known_of = [
        kinds.get((row["task"], row["exception_type"])) if row["unlike"] > 1
        else known.get((row["task"], row["fingerprint"]))
        for row in rows
    ]  # fmt: skip
    groups = await run_apart(
        lambda: [
            _remember(_group(row, text), one, as_of, since, row["error_at"])
            for row, text, one in zip(rows, shown, known_of, strict=True)
            if row["reached"]
        ],
        10 * len(rows),
    )
    if not rows:
        return Alike()
    if texts:
        found = await _count_messages(conn, groups)
        groups = [replace(one, messages=found.get(i, one.messages)) for i, one in enumerate(groups)]
    first = rows[0]
    not_shown = first["all_groups"] - len(groups)
    return Alike(
        await mark_awaited(conn, groups), first["total"], not_shown,
        first["all_first_at"], first["all_last_at"], first["only_task"],
    )  # fmt: skip


async def _count_messages(conn: Conn, groups: Sequence[FailedGroup]) -> dict[int, int]:
    """Different messages of each group; `job_ids` have all jobs or the newest."""
    wanted = [
        (place, job_id)
        for place, group in enumerate(groups)
        if group.fingerprint is not None and group.count > 1
        for job_id in group.job_ids
    ]
    if not wanted:
        return {}
    places, ids = zip(*wanted, strict=True)
    query = load_queries("failures")["count_messages_of_jobs"]
    rows = await fetch_all(conn, query, {"places": list(places), "ids": list(ids)})
    return {row["place"]: row["messages"] for row in rows}


def _group(row: Mapping[str, Any], message: str) -> FailedGroup:
    own = row["task"] in OUR_TASKS
    return FailedGroup(
        task=row["task"],
        count=row["count"],
        # The next tick of our own tasks does their work: no set has them.
        retriable=0 if own else row["retriable"],
        job_ids=tuple(row["job_ids"]),
        recorded=row["kind"] is not None,
        queue=row["queue"] if row["queues"] == 1 else None,
        kind=row["kind"],
        exception_type=row["exception_type"],
        message=say_messages(row["unlike"], message),
        messages=max(row["unlike"], 1),
        fingerprint=row["fingerprint"],
        first_at=row["first_at"],
        last_at=row["last_at"],
        own=own,
    )


def _remember(
    group: FailedGroup,
    known: Known | None,
    as_of: datetime,
    since: datetime,
    error_at: datetime | None,
) -> FailedGroup:
    if known is None:
        return group
    lately = group.last_at is not None and group.last_at >= since
    first_at = group.first_at if group.first_at is not None and group.first_at >= since else None
    count = group.count if lately else 0
    state, quiet_seconds = get_group_state(
        known, since=since, count=count, count_before=group.count, first_at=first_at,
        error_at=error_at if first_at is not None else None,
    )  # fmt: skip
    return replace(group, state=state, quiet_seconds=quiet_seconds, **known.told(as_of))


async def find_failed_since(
    conn: Conn, since: timedelta, asked: Mapping[str, Any], *, now: bool = False, most: int = 0
) -> set[int] | None:
    """Ids of jobs that may have failed within the span; None where there are `most` or more.

    `asked`: what `ask_for` returns. `now`: only of jobs that are failed.
    """
    most = most or MOST_FOUND
    query = load_queries("failures")["find_failed_since"]
    every = all(value is None for value in asked.values())
    more = {"since_seconds": since.total_seconds(), "every": every, "now": now, "most": most}
    rows = await fetch_all(conn, query, {**asked, **more})
    return {row["job_id"] for row in rows} if len(rows) < most else None


def ask_for(
    *,
    queue: str | None = None,
    queues: Sequence[str] | None = None,
    task: str | None = None,
    only_queues: Sequence[str] | None = None,
    only_tasks: Sequence[str] | None = None,
) -> dict[str, Any]:
    """What a query limits jobs to; all but `queue` are LIKE patterns."""
    return {
        "queue": queue, "queues": queues, "task": task, "only_queues": only_queues,
        "only_tasks": only_tasks,
    }  # fmt: skip


async def count_left_behind(
    conn: Conn, since: timedelta, asked: Mapping[str, Any], *, until: datetime | None = None
) -> dict[str, Any]:
    """What became of the jobs that failed since then, as fields of `Standing`.

    Empty where there are too many to look at. Our own tasks are left out.
    """
    ids = await find_failed_since(conn, since, asked)
    if ids is None:
        return {}
    span = {"since": await get_time(conn) - since, "until": until}
    params = {**asked, **span, "ids": list(ids), "ours": OUR_TASKS}
    return await fetch_one(conn, load_queries("failures")["count_left_behind"], params)


async def find_newest(
    conn: Conn,
    asked: Mapping[str, Any],
    *,
    ids: Collection[int] | None,
    records: Sequence[int] | None = None,
    since: timedelta | None = None,
    until: datetime | None = None,
) -> tuple[list[int], bool]:
    """Ids of the failed jobs that were asked for: MOST_GROUPED, the newest, where there are more.

    And whether there are. `ids`, where they are known: no others. A span is looked at only where
    they are not, or are too many.
    """
    if ids is not None and len(ids) <= MOST_GROUPED:
        return list(ids), False
    queries, more = load_queries("failures"), MOST_GROUPED + 1
    if ids is None and since is not None:
        few = await find_failed_since(conn, since, asked, now=True, most=more)
        if few is not None:
            return list(few), False
    wanted = {
        **asked, "ids": None if ids is None else list(ids), "records": records, "until": until,
    }  # fmt: skip
    rows = await fetch_all(conn, queries["find_failed"], {**wanted, "most": more})
    some = [row["job_id"] for row in rows]
    if len(some) <= MOST_GROUPED:
        return some, False
    seconds = since.total_seconds() if since else None
    params = {**wanted, "since_seconds": seconds, "most": MOST_GROUPED}
    rows = await fetch_all(conn, queries["find_newest_failed"], params)
    # Of imported jobs nobody knows when they failed.
    return list(dict.fromkeys([*(row["job_id"] for row in rows), *some]))[:MOST_GROUPED], True
