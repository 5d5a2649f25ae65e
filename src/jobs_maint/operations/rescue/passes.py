"""Rescue jobs whose worker died, and no others.

A job is stuck when it is `doing`, no fresh beat reports it, and that has been so, in the same
attempt, for `stalled_after` since it was first noticed (`stalled_after_unknown` if its worker never
beat). Running time alone never makes a job stuck.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from psycopg import errors as pg

from jobs_maint import upstream
from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.durations import format_time
from jobs_maint.models import ItemOutcome, ItemResult, Loss, RescueReport
from jobs_maint.operations.bad_rows import wait_less
from jobs_maint.operations.held_rows import find_held
from jobs_maint.operations.jobs.retry import notify_workers
from jobs_maint.operations.refusals import describe_refusal, refuse_row
from jobs_maint.operations.rescue.foretelling import find_end, say_taken
from jobs_maint.operations.rescue.rules import RescueRules
from jobs_maint.operations.session import get_time
from jobs_maint.sql import load_queries

__all__ = [
    "list_refused",
    "report_on",
    "rescue_rows",
    "rescue_stalled_jobs",
]

MOST_JOBS = 500
"""Jobs per pass, which is one short transaction; the next pass takes the rest."""
MOST_NAMED = 20
"""Jobs of a dead worker that a record names."""


async def report_on(
    conn: Conn, items: Sequence[ItemResult], begun: float, held: Sequence[int] = ()
) -> RescueReport:
    """The report of a pass that began at this time (monotonic), with the suspects that are left."""
    refused = [*list_refused(items), *held]
    left = await fetch_one(conn, load_queries("stalled")["count_suspects"], {"refused": refused})
    elapsed = time.monotonic() - begun
    return RescueReport(tuple(items), left["suspects"], elapsed, held=tuple(held))


def list_refused(items: Sequence[ItemResult]) -> list[int]:
    return [item.job_id for item in items if item.outcome is ItemOutcome.FAILED]


async def rescue_stalled_jobs(
    conn: Conn, rules: RescueRules, *, ticked: bool = False
) -> RescueReport:
    """Act on the suspects that are due, in the caller's short transaction.

    `ticked`: its cron began it, so on those that were due at that tick. The rows are
    locked first; each change is a second statement that checks again with its own snapshot, in a
    savepoint, so that one bad row never stops the others.
    """
    begun = time.monotonic()
    queries = load_queries("stalled")
    now = await get_time(conn)
    until = rules.find_tick(now) if ticked else now
    params = {**rules.spans, "until": until, "limit": MOST_JOBS}
    due = await fetch_all(conn, queries["lock_due"], params)
    acted = await rescue_rows(conn, due, rules)
    items = [item for item in acted if item is not None]
    left = [row for row, item in zip(due, acted, strict=True) if item is None]
    kept = await _find_kept(conn, left, rules)
    rest = []
    if len(due) < MOST_JOBS:  # else they may be too many
        seen = {**params, "seen": [row["id"] for row in due]}
        rest = await fetch_all(conn, queries["list_not_locked"], seen)
    held = await find_held(conn, [row["id"] for row in rest])
    kept += [
        refuse_row(row["id"], None, row["queue_name"], row["task_name"])
        for row in rest
        if row["id"] not in held
    ]
    return await report_on(conn, [*items, *kept], begun, sorted(held))


async def _find_kept(
    conn: Conn, rows: Sequence[dict[str, Any]], rules: RescueRules
) -> list[ItemResult]:
    """Of locked rows that did not change: those that are not alive, so that a trigger kept them."""
    params = {"ids": [row["id"] for row in rows], **rules.spans}
    found = await fetch_all(conn, load_queries("stalled")["judge_jobs"], params) if rows else []
    return [
        refuse_row(row["id"], None, row["queue_name"], row["task_name"])
        for row in found
        if row["status"] == "doing" and row["suspected"] and not row["named"] and row["due_in"] <= 0
    ]


async def rescue_rows(
    conn: Conn, rows: Sequence[dict[str, Any]], rules: RescueRules, *, forced_by: str | None = None
) -> list[ItemResult | None]:
    """Act on locked rows, each in its savepoint; None for one that the re-check found alive.

    `forced_by`: a person who knows that no worker runs them; the re-check then skips the beats.
    """
    items: list[ItemResult | None] = []
    for row in rows:
        try:
            async with conn.transaction():
                items.append(await _rescue(conn, {**row, "forced_by": forced_by}, rules))
        except pg.Error as exc:
            # A lost connection is not one bad row.
            if conn.broken or conn.closed:
                raise
            await wait_less(conn, exc)
            items.append(_item(row, ItemOutcome.FAILED, "error", describe_refusal(exc)))
    put_back = [(i.job_id, i.queue or "") for i in items if i and i.code == "put_back"]
    await notify_workers(conn, put_back)
    return items


async def _rescue(conn: Conn, row: dict[str, Any], rules: RescueRules) -> ItemResult | None:
    """One locked row; None when the re-check found it alive, ended or in another attempt."""
    queries = load_queries("stalled")
    state = await fetch_one(conn, queries["get_states"], {"job_ids": [row["id"]]})
    lost = _describe_loss(row)
    if (end := find_end(row, state, rules)) is not None:
        return await _end(conn, row, end.status, str(replace(lost, then=f"{end.why}{end.so}")))
    try:
        async with conn.transaction():
            changed = await fetch_all(conn, queries["put_back"], _check(row))
    except pg.UniqueViolation as exc:
        if not upstream.is_queueing_lock(exc):
            raise
        siblings = await fetch_all(
            conn,
            load_queries("jobs")["find_waiting_siblings"],
            {"queueing_locks": [row["queueing_lock"]]},
        )
        why = say_taken(row["queueing_lock"], siblings[0]["id"] if siblings else None)
        return await _end(conn, row, "failed", str(replace(lost, then=why)))
    if not changed:
        return None
    await _store(conn, row, str(lost), will_retry=True)
    return _item(row, ItemOutcome.DONE, "put_back", str(lost))


def _check(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "job_id": row["id"],
        "attempt": row["attempt"],
        "started_at": row["started_at"],
        "forced": row["forced_by"] is not None,
    }


async def _end(conn: Conn, row: dict[str, Any], status: str, reason: str) -> ItemResult | None:
    params = {**_check(row), "status": status}
    changed = await fetch_all(conn, load_queries("stalled")["finish"], params)
    if not changed:
        return None
    await _store(conn, row, reason, will_retry=False)
    return _item(row, ItemOutcome.DONE, status, reason)


async def _store(conn: Conn, row: dict[str, Any], message: str, *, will_retry: bool) -> None:
    await fetch_all(
        conn,
        load_queries("failures")["insert_failure"],
        {
            "job_id": row["id"],
            "attempt": min(row["attempt"] + 1, upstream.MOST_ATTEMPTS),
            "queue_name": row["queue_name"],
            "task_name": row["task_name"],
            "waited": 0.0,
            "kind": "worker_lost",
            "exception_type": None,
            "message": message,
            "traceback_hash": None,
            "fingerprint": f"1:worker_lost:{row['task_name']}",
            "will_retry": will_retry,
        },
    )
    await fetch_all(conn, load_queries("stalled")["drop_suspect"], {"job_id": row["id"]})


def _describe_loss(row: dict[str, Any]) -> Loss:
    who = f"worker {row['worker_id']}" if row["worker_id"] else "its worker"
    place = f" ({row['host']} pid {row['pid']})" if row["host"] else ""
    if row["forced_by"] is not None:
        return Loss(f"forced by {row['forced_by']}, who said that {who}{place} no longer runs it")
    if row["host"] and row["beats"]:
        return Loss.of_alive(f"{who}{place}")
    if row["host"]:
        at = format_time(row["beat_at"], seconds=True)
        return Loss.of_silent(f"{who}{place}", at, _with_jobs(row))
    return Loss(f"{who} is gone, noticed at {format_time(row['first_noticed_at'], seconds=True)}")


def _with_jobs(row: dict[str, Any]) -> str:
    """All that died together, the same words for each: one of them may have killed the worker."""
    jobs = sorted({row["id"], *row["job_ids"]} - {0})
    if len(jobs) == 1:
        return ""
    first = ", ".join(map(str, jobs[:MOST_NAMED]))
    more = len(jobs) - MOST_NAMED
    return f" with jobs {first}{f' and {more:,} more' if more > 0 else ''}"


def _item(row: dict[str, Any], outcome: ItemOutcome, code: str, reason: str) -> ItemResult:
    return ItemResult(row["id"], outcome, code, reason, row["queue_name"], row["task_name"])
