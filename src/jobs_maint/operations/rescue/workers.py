"""Workers, what they run and for how long; running jobs that no live worker reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from jobs_maint.actions import ALL_QUEUES, QueueScope
from jobs_maint.database import Conn, fetch_all, fetch_one
from jobs_maint.models import StuckJob, StuckReport, WorkersReport, WorkerView
from jobs_maint.operations.following import fetch_workers, follow_workers
from jobs_maint.operations.jobs.lateness import is_late, wait_by_hand
from jobs_maint.operations.noticing import find_next_look
from jobs_maint.operations.rescue.outlook import Outlook, find_outlook
from jobs_maint.operations.rescue.rules import RescueRules
from jobs_maint.operations.session import get_time
from jobs_maint.settings import MaintSettings
from jobs_maint.sql import load_queries

__all__ = ["count_stuck_jobs", "list_stuck_jobs", "list_workers"]

MOST_RUNNING = 5_000
LONG_RUNNING = timedelta(hours=1)
LOST_BEATS = 3
"""So many missed, and the worker is not live any more (`fresh` in the SQL)."""


async def list_stuck_jobs(
    conn: Conn, settings: MaintSettings, scope: QueueScope = ALL_QUEUES
) -> StuckReport:
    """Running jobs that nobody runs, by the rescue's own rule; of a late worker; running long."""
    rules = RescueRules.of(await follow_workers(conn, settings))
    rows = await _list_running(conn, rules)
    visible = [row for row in rows if scope.covers(row["queue"])]
    left, hidden = await _count_others(conn, scope, rows, visible)
    fleet = await fetch_one(conn, load_queries("workers")["get_listeners"])
    as_of = await get_time(conn)
    late = [row for row in rows if not row["unreported"] and _is_late(row)]
    outlook = Outlook(None, {}, {})
    lost = [row for row in rows if row["unreported"]]
    if late or lost:
        unnoticed = [(row, 0.0) for row in lost if row["noticed_seconds"] is None]
        unnoticed += [(row, _lost_in(row)) for row in late]
        outlook = await find_outlook(conn, rules, unnoticed=unnoticed)
    next_look = await find_next_look(conn) if any(map(_is_unheard, [*late, *lost])) else None
    stuck, silent, long_running = [], [], []
    for row in visible:
        if row["unreported"]:
            job_id, due_in = row["job_id"], row["due_in_seconds"]
            by_hand, look_in = _wait_by_hand(row, next_look)
            stuck.append(
                replace(
                    _job(row),
                    due_in_seconds=None if due_in is None else outlook.due_in.get(job_id, due_in),
                    acts_in_seconds=outlook.acts_in.get(job_id),
                    waits_for_beat=job_id in outlook.waiting,
                    by_hand_in_seconds=by_hand,
                    look_in_seconds=look_in,
                )
            )
        elif _is_late(row):
            acts_in = outlook.acts_in.get(row["job_id"])
            silent.append(replace(_silent_job(row, rules, next_look), acts_in_seconds=acts_in))
        elif (row["running_seconds"] or 0) > LONG_RUNNING.total_seconds():
            long_running.append(_job(row))
    return StuckReport(
        as_of,
        tuple(stuck),
        tuple(long_running),
        hidden,
        tuple(silent),
        outlook.idle,
        scope.globs,
        left,
        outlook.unsure,
        nothing_runs=not (visible or left),
        no_worker=not fleet["live"],
    )


async def count_stuck_jobs(conn: Conn, rules: RescueRules) -> list[dict[str, Any]]:
    """By queue, how many running jobs nobody runs: those that `list_stuck_jobs` lists."""
    params = {**rules.spans, "most": MOST_RUNNING}
    return await fetch_all(conn, load_queries("workers")["count_stuck"], params)


def _is_late(row: dict[str, Any]) -> bool:
    return is_late(row["silent_seconds"], row["beat_seconds"])


def _lost_in(row: dict[str, Any]) -> float:
    """Seconds until its worker is not live any more, if it stays silent."""
    lost_in: float = LOST_BEATS * row["beat_seconds"] - row["silent_seconds"]
    return max(lost_in, 0.0)


def _is_unheard(row: dict[str, Any]) -> bool:
    """No worker is heard, and nobody has looked since its own counts as dead."""
    if row["unreported"]:
        return row["heard_in"] is None and row["noticed_seconds"] is None
    return not row["others_beat"]


def _wait_by_hand(
    row: dict[str, Any], next_look: float | None
) -> tuple[float | None, float | None]:
    """Until `rescue ID` acts, and until somebody has to look before; None: nobody has to.

    `next_look`: within how many seconds a bot's watch looks.
    """
    wait = wait_by_hand(row, row["due_in_seconds"])
    if wait is None or not _is_unheard(row):
        return wait, None
    return (wait, 0.0) if next_look is None else (wait + next_look, None)


def _silent_job(row: dict[str, Any], rules: RescueRules, next_look: float | None) -> StuckJob:
    silent, lost_in = row["silent_seconds"], _lost_in(row)
    earliest = lost_in + rules.spans["stalled_after"]
    # Where nobody else is heard, its beats then have three beats' time to come back.
    unheard = _is_unheard(row)
    heard_in = lost_in + ((next_look or 0.0) + row["quiet_seconds"] if unheard else 0.0)
    return replace(
        _job(row),
        silent_seconds=silent,
        due_in_seconds=earliest,
        by_hand_in_seconds=max(heard_in, row["heartbeat_in"] or 0.0),
        look_in_seconds=lost_in if unheard and next_look is None else None,
    )


async def _list_running(conn: Conn, rules: RescueRules) -> list[dict[str, Any]]:
    params = {"limit": MOST_RUNNING, **rules.spans}
    return await fetch_all(conn, load_queries("workers")["list_running"], params)


async def _count_others(
    conn: Conn,
    scope: QueueScope,
    rows: Sequence[dict[str, Any]],
    visible: Sequence[dict[str, Any]],
) -> tuple[int, int]:
    """Running jobs within reach that are not among these, since there are too many; the others."""
    if len(rows) < MOST_RUNNING:
        return 0, len(rows) - len(visible)
    queues = await fetch_all(conn, load_queries("workers")["count_running"])
    within = sum(row["jobs"] for row in queues if scope.covers(row["queue"]))
    return max(within - len(visible), 0), sum(row["jobs"] for row in queues) - within


async def list_workers(
    conn: Conn, settings: MaintSettings, scope: QueueScope = ALL_QUEUES
) -> WorkersReport:
    """Each worker process with the jobs it runs now, as far as the actor may see them.

    Who does not reach every queue sees the workers that listen to a queue within reach, or run a
    job of one, and of their queues those within reach.
    """
    running = await _list_running(conn, RescueRules.of(await follow_workers(conn, settings)))
    within = [row for row in running if scope.covers(row["queue"])]
    left, _ = await _count_others(conn, scope, running, within)
    rows = await fetch_workers(conn, load_queries("workers")["list_workers"])
    live = {row["worker_id"] for row in rows if row["live"]}
    by_worker: dict[int | None, list[StuckJob]] = {}
    for row in within:
        if not (row["unreported"] and row["worker_id"] in live):
            by_worker.setdefault(row["worker_id"], []).append(_job(row))
    visible = [row for row in rows if _is_visible(row, scope, by_worker)]
    workers = [
        WorkerView(
            worker_id=row["worker_id"],
            live=row["live"],
            host=row["host"],
            pid=row["pid"],
            queues=tuple(filter(scope.covers, row["queues"]))
            if row["queues"] is not None
            else None,
            recorder=row["recorder"],
            seen_seconds=row["seen_seconds"],
            ran=row["ran"],
            jobs=tuple(by_worker.get(row["worker_id"], ())),
            late=row["live"] and is_late(row["seen_seconds"], row["beat_seconds"]),
            registered=row["registered"],
        )
        for row in visible
    ]
    as_of = await get_time(conn)
    return WorkersReport(
        as_of,
        tuple(workers),
        len(rows) - len(visible),
        scope.globs,
        left,
        lost_jobs=sum(row["unreported"] for row in within),
    )


def _is_visible(
    row: dict[str, Any], scope: QueueScope, by_worker: dict[int | None, list[StuckJob]]
) -> bool:
    if scope.globs is None or row["worker_id"] in by_worker:
        return True
    if row["queues"] is None:  # all queues; of one without a recorder nobody knows which
        return bool(row["recorder"])
    return any(map(scope.covers, row["queues"]))


def _job(row: dict[str, Any]) -> StuckJob:
    return StuckJob(
        job_id=row["job_id"],
        queue=row["queue"],
        task=row["task"],
        attempts=row["attempts"],
        started_at=row["started_at"],
        running_seconds=row["running_seconds"],
        named=row["named"],
        worker=row["worker"],
        noticed_seconds=row["noticed_seconds"],
        due_in_seconds=row["due_in_seconds"],
    )
