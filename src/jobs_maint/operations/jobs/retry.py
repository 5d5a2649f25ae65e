"""Retry failed, cancelled or aborted jobs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

from jobs_maint import upstream
from jobs_maint.actions import ALL_QUEUES, QueueScope
from jobs_maint.database import Conn, fetch_all
from jobs_maint.durations import format_time
from jobs_maint.models import ActReport, ItemOutcome, ItemResult
from jobs_maint.operations.bad_rows import change_rows
from jobs_maint.operations.jobs.locking import lock_jobs
from jobs_maint.operations.refusals import refuse_row
from jobs_maint.sql import load_queries

__all__ = ["RETRIABLE", "notify_workers", "retry_jobs"]

RETRIABLE = ("failed", "cancelled", "aborted")
_NOT_NOW = {
    "todo": "is already waiting",
    "doing": "is running",
    "aborting": "is running",
    "succeeded": "has already succeeded",
}
_NOT_ASKED = {"cancelled": "was cancelled or given up", "aborted": "was aborted"}


async def retry_jobs(
    conn: Conn,
    job_ids: Sequence[int],
    *,
    reset_attempts: bool = False,
    statuses: Sequence[str] = RETRIABLE,
    scope: QueueScope = ALL_QUEUES,
) -> ActReport:
    """Retry jobs in the caller's transaction; one item per id, in the order asked.

    The rows are locked in id order, then a second statement changes those still retriable.
    `attempts` stay (Procrastinate's own retry counts a manual retry twice), `abort_requested` is
    cleared. A job whose queueing lock is held by a waiting job, or by another of the set, is
    skipped. Raises NotPermitted, changing nothing, when one of them is outside `scope`.
    """
    begun = time.monotonic()
    found = await lock_jobs(conn, job_ids, scope, "retry")
    results = {
        job_id: _refusal(job_id, found.get(job_id), statuses, reset_attempts) for job_id in job_ids
    }
    chosen = [job_id for job_id, refusal in results.items() if refusal is None]
    taken = await _find_taken_locks(conn, found, chosen)
    ready = [job_id for job_id in chosen if job_id not in taken]
    done, refused = await _put_back(conn, ready, found, reset_attempts=reset_attempts)
    items = []
    for job_id, refusal in results.items():
        row = found.get(job_id)
        where = {"queue": row["queue_name"], "task": row["task_name"]} if row else {}
        if refusal is not None:
            item = refusal
        elif job_id in done:
            at = done[job_id]["scheduled_at"]
            reason = f"runs at {format_time(at)}, as scheduled" if at else ""
            item = ItemResult(job_id, ItemOutcome.DONE, "put_back", reason, **where)
        elif job_id in taken or upstream.is_queueing_lock(refused.get(job_id)):
            item = ItemResult(
                job_id, ItemOutcome.SKIPPED, "queueing_lock_taken",
                _lock_reason(row, taken.get(job_id)), **where,
            )  # fmt: skip
        else:
            item = refuse_row(job_id, refused.get(job_id), **where)
        items.append(item)
    await notify_workers(
        conn, ((i, row["queue_name"]) for i, row in done.items() if row["scheduled_at"] is None)
    )
    return ActReport(tuple(items), time.monotonic() - begun)


def _refusal(
    job_id: int,
    row: dict[str, Any] | None,
    statuses: Sequence[str],
    reset_attempts: bool,
) -> ItemResult | None:
    if row is None:
        return ItemResult(
            job_id,
            ItemOutcome.SKIPPED,
            "not_found",
            "there is no such job; it may have been purged",
        )
    if row["status"] in statuses:
        if reset_attempts or row["attempts"] < upstream.MOST_ATTEMPTS:
            return None
        return ItemResult(
            job_id,
            ItemOutcome.FAILED,
            "error",
            f"its attempts are at {upstream.MOST_ATTEMPTS:,} and no higher number can be stored "
            "when it ends; retry it with --reset-attempts",
            row["queue_name"],
            row["task_name"],
        )
    state = _NOT_NOW.get(row["status"], f"is {row['status']}")
    allowed = " or ".join(", ".join(statuses).rsplit(", ", 1))
    return ItemResult(
        job_id,
        ItemOutcome.SKIPPED,
        "wrong_status",
        f"it {state}; only failed, cancelled or aborted jobs can be retried"
        if row["status"] not in RETRIABLE
        else f"it {_NOT_ASKED.get(row['status'], 'failed')}; only {allowed} jobs were asked for",
        row["queue_name"],
        row["task_name"],
    )


def _lock_reason(row: dict[str, Any] | None, holder: int | None) -> str:
    lock = row["queueing_lock"] if row else ""
    who = f"job {holder}, which is already waiting," if holder else "another waiting job"
    return f"{who} has the same queueing lock ({lock})"


async def _find_taken_locks(
    conn: Conn, found: dict[int, dict[str, Any]], chosen: Sequence[int]
) -> dict[int, int | None]:
    """Chosen jobs that cannot wait because of their queueing lock → the job that holds it."""
    locks = {found[i]["queueing_lock"] for i in chosen if found[i]["queueing_lock"] is not None}
    if not locks:
        return {}
    holders: dict[str, int] = {
        row["queueing_lock"]: row["id"]
        for row in await fetch_all(
            conn, load_queries("jobs")["find_waiting_siblings"], {"queueing_locks": list(locks)}
        )
    }
    taken: dict[int, int | None] = {}
    for job_id in sorted(chosen):
        lock = found[job_id]["queueing_lock"]
        if lock is None:
            continue
        if lock in holders:
            taken[job_id] = holders[lock]
        else:
            holders[lock] = job_id
    return taken


async def _put_back(
    conn: Conn, ids: Sequence[int], found: dict[int, dict[str, Any]], *, reset_attempts: bool
) -> tuple[dict[int, dict[str, Any]], dict[int, psycopg.Error]]:
    """All but those that are refused: a concurrent defer may take a queueing lock in between."""
    queries = load_queries("jobs")

    async def put_back(part: Sequence[int]) -> list[dict[str, Any]]:
        params = {"ids": list(part), "reset_attempts": reset_attempts}
        rows = await fetch_all(conn, queries["put_back"], params)
        silent = [row["id"] for row in rows if found[row["id"]]["status"] != "failed"]
        if silent:
            await fetch_all(conn, queries["insert_retried_events"], {"ids": silent})
        return rows

    done, refused = await change_rows(conn, sorted(ids), put_back)
    return {row["id"]: row for row in done}, refused


async def notify_workers(conn: Conn, jobs: Iterable[tuple[int, str]]) -> None:
    """Wake the workers at commit: an UPDATE to `todo` sends no notification by itself."""
    messages = upstream.build_notifications(jobs)
    if messages:
        params = {
            "channels": [message.channel for message in messages],
            "payloads": [message.payload for message in messages],
        }
        await fetch_all(conn, load_queries("jobs")["notify_all"], params)
