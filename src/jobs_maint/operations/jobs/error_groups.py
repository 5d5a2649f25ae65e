"""A group of errors by its name: what it is, and which records are of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from jobs_maint.actions import QueueScope
from jobs_maint.database import Conn, fetch_all
from jobs_maint.errors import InvalidRequest
from jobs_maint.models import say_messages
from jobs_maint.operations.jobs.errors import Records, find_records_showing
from jobs_maint.redaction import Rules, redact_text, run_apart
from jobs_maint.spelling import ask_meant, find_nearest
from jobs_maint.sql import load_queries

__all__ = [
    "NamedGroup",
    "describe_newest",
    "find_group",
    "find_records",
    "join_error",
    "refuse_unknown",
]


@dataclass(frozen=True, slots=True)
class NamedGroup:
    """Without fingerprints: all groups of the task and exception type."""

    task: str
    fingerprints: Sequence[str]
    exception_type: str | None = None


async def find_group(
    conn: Conn, name: str, scope: QueueScope, respell: Callable[[str], str]
) -> NamedGroup:
    """Raises InvalidRequest where no group has this name in the queues that the actor reaches.

    `respell`: the request with another name, for a suggestion.
    """
    asked = {"name": name, "queues": scope.like_patterns}
    rows = await fetch_all(conn, load_queries("groups")["find_group"], asked)
    if not rows:
        await refuse_unknown(conn, name, scope, respell)
    row = rows[0]
    return NamedGroup(row["task_name"], row["fingerprints"], row["exception_type"])


async def describe_newest(
    conn: Conn,
    group: NamedGroup,
    records: Records,
    chosen: Iterable[Mapping[str, Any]],
    rules: Rules,
    until: datetime | None,
) -> str | None:
    """Exception type and newest message of the `chosen` jobs, redacted; None without a record.

    With how many different messages they have, as `errors` says it.
    """
    query = load_queries("groups")["find_newest_error"]
    jobs = {row["id"] for row in chosen}
    pairs = zip(records.ids, records.jobs, strict=True)
    ids = [one for one, job in pairs if job in jobs]
    asked = {"ids": ids, "until": until, "whole": not group.fingerprints}
    rows = await fetch_all(conn, query, asked)
    if not rows:
        return None
    text = rows[0]["message"]
    message = await run_apart(lambda: redact_text(text, rules), len(text))
    return join_error(rows[0]["exception_type"], say_messages(rows[0]["messages"], message))


def join_error(exception_type: str | None, message: str) -> str:
    kind = (exception_type or "").rpartition(".")[2]
    return ": ".join(filter(None, ["" if message.startswith(kind) else kind, message]))


async def refuse_unknown(
    conn: Conn, name: str, scope: QueueScope, respell: Callable[[str], str]
) -> NoReturn:
    """The same whether it is nowhere or in queues out of reach."""
    there = [
        row["name"]
        for row in await fetch_all(conn, load_queries("groups")["list_names"])
        if any(map(scope.covers, row["queues"]))
    ]
    # With more than one wrong character it is another error, no typo.
    if near := find_nearest(name, there, most=1):
        raise InvalidRequest(
            f"There is no group {name}{ask_meant(near)}",
            suggestion=respell(near[0]) if len(near) == 1 else None,
        )
    if scope.globs is not None:
        raise InvalidRequest(
            f"There is no group {name} in the queues that your role reaches "
            f"({', '.join(scope.globs)}); `errors` shows those that are. If it is in another "
            "queue, ask somebody whose role reaches that"
        )
    raise InvalidRequest(
        f"There is no group {name}; it may have been forgotten. `errors` shows those of now"
    )


async def find_records(
    conn: Conn,
    error: str | None,
    group: NamedGroup | None,
    rules: Rules,
    *,
    statuses: Sequence[str],
    gone: bool = False,
    earlier: bool = False,
    scope: QueueScope,
    queue: str | None = None,
    task: str | None = None,
) -> Records | None:
    """The records that show the text and are of the group; None where neither was given.

    `gone`: also those of jobs that were deleted. `earlier`: of a group also those of jobs that
    failed again with another error. `queue` and `task` only narrow the search for the
    text, as in `find_records_showing`.
    """
    found = None
    if error is not None:
        found = await find_records_showing(
            conn, error, rules, statuses=statuses, gone=gone, scope=scope, queue=queue, task=task
        )
    if group is None:
        return found
    asked = {
        "task": group.task, "statuses": list(statuses), "gone": gone, "earlier": earlier,
        "queues": scope.like_patterns,
    }  # fmt: skip
    queries, prints = load_queries("groups"), list(group.fingerprints)
    rows = await (
        fetch_all(conn, queries["find_records_of_group"], {**asked, "fingerprints": prints})
        if prints
        else fetch_all(
            conn, queries["find_records_of_kind"], {**asked, "exception_type": group.exception_type}
        )
    )
    jobs = {row["id"]: row["job_id"] for row in rows}
    if found is not None:
        jobs = {record: jobs[record] for record in jobs.keys() & set(found.ids)}
    return Records(list(jobs), list(jobs.values()))
