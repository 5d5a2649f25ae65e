"""Cancel waiting jobs, ask running ones to abort, give up on failed ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg

from jobs_maint.actions import ALL_QUEUES, QueueScope
from jobs_maint.database import Conn, fetch_all
from jobs_maint.models import ItemOutcome, ItemResult
from jobs_maint.operations.bad_rows import change_rows
from jobs_maint.operations.jobs.locking import lock_jobs
from jobs_maint.operations.refusals import refuse_row
from jobs_maint.sql import load_queries

__all__ = ["ASKED_TO_ABORT", "cancel_jobs", "discard_jobs"]

ASKED_TO_ABORT = ("abort_requested", "abort_requested_before")


async def cancel_jobs(
    conn: Conn, job_ids: Sequence[int], *, scope: QueueScope = ALL_QUEUES
) -> tuple[ItemResult, ...]:
    """Waiting → cancelled, keeping `scheduled_at`; running: an abort is requested.

    One item per id in the order asked: code `cancelled`, `abort_requested`, or why not.
    """
    found = await lock_jobs(conn, job_ids, scope, "change")
    waiting = _having(found, "todo")
    cancelled, refused = await _change(conn, "cancel", waiting)
    running = {i for i in _having(found, "doing") if not found[i]["abort_requested"]}
    requested, too = await _change(conn, "request_abort", running)
    refused |= too
    items = []
    for job_id in job_ids:
        row = found.get(job_id)
        if job_id in cancelled:
            items.append(_item(job_id, row, ItemOutcome.DONE, "cancelled"))
        elif job_id in requested:
            reason = "it is running; its worker was asked to abort it"
            items.append(_item(job_id, row, ItemOutcome.DONE, "abort_requested", reason))
        elif job_id in waiting or job_id in running:
            items.append(_refuse_row(job_id, row, refused))
        elif row is not None and row["status"] == "doing":
            reason = "its worker was already asked to abort it"
            items.append(_item(job_id, row, ItemOutcome.SKIPPED, "abort_requested_before", reason))
        else:
            other = {"failed": "; discard gives it up", "aborted": "; discard gives it up"}
            items.append(
                _refuse(job_id, row, "only waiting or running jobs can be cancelled", other)
            )
    return tuple(items)


async def discard_jobs(
    conn: Conn, job_ids: Sequence[int], *, scope: QueueScope = ALL_QUEUES
) -> tuple[ItemResult, ...]:
    """Failed or aborted → cancelled, kept until the purge; undone by a retry."""
    found = await lock_jobs(conn, job_ids, scope, "change")
    chosen = _having(found, "failed", "aborted")
    done, refused = await _change(conn, "discard", chosen, then="insert_cancelled_events")
    items = []
    for job_id in job_ids:
        row = found.get(job_id)
        if job_id in done:
            items.append(_item(job_id, row, ItemOutcome.DONE, "discarded"))
        elif job_id in chosen:
            items.append(_refuse_row(job_id, row, refused))
        else:
            other = {"todo": "; cancel keeps it from running", "doing": "; cancel stops it"}
            items.append(
                _refuse(job_id, row, "only failed or aborted jobs can be discarded", other)
            )
    return tuple(items)


def _having(found: dict[int, dict[str, Any]], *statuses: str) -> set[int]:
    return {job_id for job_id, row in found.items() if row["status"] in statuses}


async def _change(
    conn: Conn, query: str, ids: Iterable[int], *, then: str | None = None
) -> tuple[set[int], dict[int, psycopg.Error]]:
    """`then` is a second query for what the first one changed."""
    queries = load_queries("bulk")

    async def change(part: Sequence[int]) -> list[dict[str, Any]]:
        rows = await fetch_all(conn, queries[query], {"ids": list(part)})
        if rows and then is not None:
            await fetch_all(conn, queries[then], {"ids": sorted(row["id"] for row in rows)})
        return rows

    rows, refused = await change_rows(conn, sorted(ids), change)
    return {row["id"] for row in rows}, refused


def _refuse_row(
    job_id: int, row: dict[str, Any] | None, refused: Mapping[int, psycopg.Error]
) -> ItemResult:
    where = (row["queue_name"], row["task_name"]) if row else (None, None)
    return refuse_row(job_id, refused.get(job_id), *where)


def _refuse(
    job_id: int, row: dict[str, Any] | None, rule: str, other: Mapping[str, str]
) -> ItemResult:
    """`other`: by status, the word that may have been meant."""
    if row is None:
        reason = "there is no such job; it may have been purged"
        return ItemResult(job_id, ItemOutcome.SKIPPED, "not_found", reason)
    reason = f"its status is {row['status']}; {rule}{other.get(row['status'], '')}"
    return _item(job_id, row, ItemOutcome.SKIPPED, "wrong_status", reason)


def _item(
    job_id: int, row: dict[str, Any] | None, outcome: ItemOutcome, code: str, reason: str = ""
) -> ItemResult:
    where = (row["queue_name"], row["task_name"]) if row else (None, None)
    return ItemResult(job_id, outcome, code, reason, *where)
