"""One run of the purge: its turn, its audit row, its batches."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from psycopg.types.json import Jsonb

from jobs_maint.actions import Action
from jobs_maint.audit import find_stopper
from jobs_maint.call import Call, Guard, close_broken, close_run, open_run
from jobs_maint.database import Conn, fetch_all
from jobs_maint.events import emit
from jobs_maint.models import PurgeReport, RunEnd, SoFar
from jobs_maint.operations.purge.batches import Retention, purge_finished_jobs
from jobs_maint.operations.purge.late import Surveyed
from jobs_maint.operations.purge.turn import take_turn
from jobs_maint.sql import load_queries

__all__ = ["run_purge"]


async def run_purge(
    call: Call[Any],
    action: Action[PurgeReport],
    retention: Retention,
    *,
    total: int | None = None,
    guard: Guard | None = None,
    **options: Any,
) -> PurgeReport:
    """`options` are those of `purge_finished_jobs`; `total`: how many are expected.

    Raises AlreadyRunning, changing nothing, while another purge runs on this database.
    """

    async def begin(conn: Conn) -> None:
        await take_turn(conn)
        if guard is not None:
            await guard(conn)

    run = await open_run(call, action, total, guard=begin)

    async def on_batch(conn: Conn, so_far: Mapping[str, int]) -> bool:
        go_on = await run.advance(conn, so_far)
        call.watch.tell(SoFar(sum(so_far.values()), dict(so_far)), total)
        return go_on and not call.watch.stop_requested

    async def on_survey(conn: Conn, done: Surveyed) -> None:
        params = {"audit_id": run.require_id(), "item": Jsonb(done.item())}
        await fetch_all(conn, load_queries("purge")["note_survey"], params)

    begun = time.monotonic()
    try:
        async with run.kept_alive():
            report = await purge_finished_jobs(
                call.pool, retention, on_batch=on_batch, on_survey=on_survey, **options
            )
    except BaseException as exc:
        await close_broken(call, run, exc, time.monotonic() - begun)
        raise
    undated = sum(group.count for group in report.undated)
    left = {k: number for k, number in (("refused", report.kept), ("undated", undated)) if number}
    outcome = "done" if report.finished and not report.kept else "partly"
    counts = {**report.deleted, **report.trimmed, **left}
    await close_run(call, run, RunEnd(outcome, counts, report.elapsed_seconds))
    if not report.finished:
        report = replace(report, stopped_by=await find_stopper(call.pool, run.require_id()))
    if report.kept:
        emit(
            "jobs_maint.purge_refused",
            logging.WARNING,
            jobs=report.kept,
            reasons=[group.reason for group in report.refused],
            sample=[job_id for group in report.refused for job_id in group.sample],
        )
    if report.total or report.trimmed:
        emit(
            "jobs_maint.jobs_purged",
            deleted=report.total,
            batches=report.batches,
            seconds=round(report.elapsed_seconds, 2),
            finished=report.finished,
        )
    return report
