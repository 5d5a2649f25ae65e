"""Rescue, purge, digests and the schema."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import psycopg

from jobs_maint import audit
from jobs_maint.actions import (
    Action,
    ApplySchema,
    CloseDigest,
    OpenDigest,
    PurgeFinished,
    ShowDigest,
)
from jobs_maint.database import Conn, fetch_all, fetch_one, transaction
from jobs_maint.events import emit
from jobs_maint.models import PurgeReport, RescueReport
from jobs_maint.operations import digest, hours, purge, schema, stalled, turn
from jobs_maint.perform.call import (
    Call,
    Guard,
    close_broken,
    describe_error,
    open_run,
    read,
    record_items,
    write,
)
from jobs_maint.settings import MaintSettings
from jobs_maint.sql import load_queries

HOURS_SECONDS = 10.0
"""A worker of concurrency 1 goes on with the team's jobs, and SIGTERM is not delayed for longer."""


async def rescue_stalled(request: Call) -> RescueReport:
    rules = build_rules(request.settings)
    async with request.pool.connection() as conn:
        async with transaction(conn):
            await stalled.notice_stalled_jobs(conn)
        async with transaction(conn):
            report = await stalled.rescue_stalled_jobs(conn, rules)
            if report.items:
                await record_items(conn, request, report.items, report.elapsed_seconds)
    if report.items:
        emit("jobs_maint.jobs_rescued", suspects=report.suspects, **report.counts)
    await _note_hours(request)
    return report


async def _note_hours(request: Call) -> None:
    """For `stats`, which counts what is not noted: no reason for a rescue to fail."""
    begun = time.monotonic()
    try:
        async with request.pool.connection() as conn:
            async with transaction(conn):
                now = (await fetch_one(conn, load_queries("stats")["get_time"]))["now"]
                unnoted = await hours.list_unnoted_hours(conn, now)
            for hour in unnoted:
                if time.monotonic() > begun + HOURS_SECONDS:
                    break  # the next rescue goes on
                async with transaction(conn, statement_timeout=timedelta(seconds=HOURS_SECONDS)):
                    await fetch_all(conn, load_queries("stats")["without_jit"])
                    await hours.note_hour(conn, hour)
    except psycopg.Error as exc:
        emit("jobs_maint.hours_not_noted", logging.WARNING, reason=describe_error(exc)[1])


def build_rules(settings: MaintSettings) -> stalled.RescueRules:
    return stalled.RescueRules(
        settings.stalled_after,
        settings.stalled_after_unknown,
        settings.max_rescues,
        settings.rescue_policy,
    )


def build_retention(settings: MaintSettings) -> purge.Retention:
    return purge.Retention(
        {
            "succeeded": settings.keep_succeeded,
            "failed": settings.keep_failed,
            "cancelled": settings.keep_cancelled,
            "aborted": settings.keep_aborted,
        },
        settings.keep_audit,
    )


async def purge_finished(request: Call) -> PurgeReport:
    action: PurgeFinished = request.action
    retention = build_retention(request.settings)
    if action.dry_run:
        return await purge.purge_finished_jobs(request.pool, retention, dry_run=True)
    return await run_purge(
        request,
        action,
        retention,
        time_limit=action.time_limit,
        resume_after=action.resume_after,
    )


async def run_purge(
    request: Call,
    action: Action,
    retention: purge.Retention,
    *,
    total: int | None = None,
    guard: Guard | None = None,
    **options: Any,
) -> PurgeReport:
    """One run of the purge with its audit row; `options` are those of `purge_finished_jobs`.

    Raises AlreadyRunning, changing nothing, while another purge works on this database.
    """

    async def begin(conn: Conn) -> None:
        await turn.take_turn(conn)
        if guard is not None:
            await guard(conn)

    run = await open_run(request, action, total, guard=begin)

    async def on_batch(conn: Conn, so_far: Mapping[str, int]) -> bool:
        go_on = await run.advance(conn, so_far)
        request.watch.tell(sum(so_far.values()), total)
        return go_on and not request.watch.stop_requested

    begun = time.monotonic()
    try:
        async with run.kept_alive():
            report = await purge.purge_finished_jobs(
                request.pool, retention, on_batch=on_batch, **options
            )
    except BaseException as exc:
        await close_broken(run, exc, time.monotonic() - begun)
        raise
    await run.close(
        "done" if report.finished else "partly",
        {**report.deleted, **report.trimmed},
        elapsed_seconds=report.elapsed_seconds,
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


async def show_digest(request: Call) -> Any:
    action: ShowDigest = request.action
    return await read(
        request,
        lambda conn: digest.summarise_now(
            conn,
            queue=action.queue,
            since=action.since,
            maintenance_queue=request.settings.queue,
            scope=request.scope,
        ),
    )


async def open_digest(request: Call) -> Any:
    action: OpenDigest = request.action
    return await write(
        request,
        lambda conn: digest.open_window(
            conn,
            name=action.name,
            period=action.period,
            queues=action.queues,
            tasks=action.tasks,
            groups=action.groups,
            maintenance_queue=request.settings.queue,
        ),
    )


async def close_digest(request: Call) -> Any:
    action: CloseDigest = request.action
    await write(
        request,
        lambda conn: digest.close_window(
            conn, action.window_id, action.state,
            channel=action.channel, ts=action.ts, error=action.error,
        ),
    )  # fmt: skip


async def apply_schema(request: Call) -> Any:
    action: ApplySchema = request.action
    report = await schema.apply_schema(request.pool, indexes=action.indexes)
    if report.applied:
        await audit.record_alone(
            request.pool, request.actor, request.action, "done",
            counts={"applied": len(report.applied)},
        )  # fmt: skip
    return report


async def check_schema(request: Call) -> Any:
    return await schema.check_schema(request.pool)


async def schema_sql(request: Call) -> Any:  # noqa: ARG001  same shape as the others
    return schema.render_schema_sql()
