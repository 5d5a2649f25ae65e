"""`await perform(pool, actor, action)`: the one way from a front end to the database.

Permission, transaction, dispatch, audit and the mapping of errors stand here, once.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jobs_maint import audit
from jobs_maint.actions import (
    Action,
    Actor,
    ApplySchema,
    CheckSchema,
    CloseDigest,
    GetJob,
    ListFailed,
    OpenDigest,
    PurgeFinished,
    QueueScope,
    RescueStalled,
    RetryJobs,
    ShowSchemaSql,
    ShowStats,
    permit,
)
from jobs_maint.database import Conn, Pool, mapped_errors, transaction
from jobs_maint.errors import InvalidRequest, JobsMaintError, NotPermitted
from jobs_maint.events import emit
from jobs_maint.models import ItemOutcome, ItemResult, PurgeReport, RescueReport, RetryReport
from jobs_maint.operations import digest, failures, jobs, purge, retry, schema, stalled, stats
from jobs_maint.settings import MaintSettings

__all__ = ["claim_request", "perform"]


@dataclass(slots=True)
class _Request:
    pool: Pool
    actor: Actor
    action: Any
    scope: QueueScope
    settings: MaintSettings
    audited: bool = False
    """Whether a row of the audit tells of this request already."""


async def perform(
    pool: Pool | None, actor: Actor, action: Action, *, settings: MaintSettings | None = None
) -> Any:
    """Do what was asked, as this actor; returns the frozen result of the operation.

    Checks the permission now, not when a button was drawn. Acts and refusals are audited: a short
    act in its own transaction, a long one by a row that is `started` first. Raises a JobsMaintError
    for everything a user can cause; `pool` may be None only for `ShowSchemaSql`.
    """
    settings = settings or MaintSettings.load()
    handler = _HANDLERS.get(type(action))
    if handler is None:
        raise InvalidRequest(f"{action.word} is not done here; see help")
    begun = time.monotonic()
    request: _Request | None = None
    with mapped_errors():
        try:
            scope = permit(actor, action)
            if pool is None:
                if not isinstance(action, ShowSchemaSql):
                    raise InvalidRequest(f"{action.word} needs the jobs database")  # noqa: TRY301
                return schema.render_schema_sql()
            request = _Request(pool, actor, action, scope, settings)
            return await handler(request)
        except NotPermitted as exc:
            await _audit_failure(pool, actor, action, "refused", exc, begun)
            raise
        except JobsMaintError as exc:
            if action.act:
                await _audit_failure(pool, actor, action, "refused", exc, begun)
            raise
        except Exception as exc:
            if action.act and not (request is not None and request.audited):
                await _audit_failure(pool, actor, action, "failed", exc, begun)
            raise


async def claim_request(pool: Pool, key: str) -> bool:
    """Whether this request (a Slack envelope or signature) is taken now for the first time."""
    with mapped_errors():
        return await audit.claim_request(pool, key)


async def _audit_failure(
    pool: Pool | None, actor: Actor, action: Action, outcome: str, exc: Exception, begun: float
) -> None:
    """In a transaction of its own; a database that is gone must not hide the first error."""
    code, message = _describe_error(exc)
    fields = {"actor": f"{actor.kind}:{actor.id}", "action": action.word, "code": code}
    emit(f"jobs_maint.request_{outcome}", logging.WARNING, **fields)
    if pool is None or isinstance(action, ApplySchema):
        return
    try:
        await audit.record_alone(
            pool, actor, action, outcome,
            error=(code, message), elapsed_seconds=time.monotonic() - begun,
        )  # fmt: skip
    except Exception as second:  # noqa: BLE001  the first error is the one to show
        emit("jobs_maint.audit_failed", logging.ERROR, error=type(second).__name__, **fields)


def _describe_error(exc: BaseException) -> tuple[str, str]:
    """Code and sentence, as the one who asked is told them."""
    try:
        with mapped_errors():
            raise exc  # noqa: TRY301  it is described by the one map there is
    except JobsMaintError as told:
        return told.code, str(told)
    except BaseException as other:  # noqa: BLE001  it is described, and raised by the caller
        return type(other).__name__, str(other)


async def _read(request: _Request, operation: Callable[[Conn], Awaitable[Any]]) -> Any:
    async with request.pool.connection() as conn, transaction(conn):
        return await operation(conn)


async def _show_stats(request: _Request) -> Any:
    action: ShowStats = request.action
    return await _read(
        request,
        lambda conn: stats.get_stats(
            conn,
            queue=action.queue,
            maintenance_queue=request.settings.queue,
            scope=request.scope,
        ),
    )


async def _list_failed(request: _Request) -> Any:
    action: ListFailed = request.action
    return await _read(
        request,
        lambda conn: failures.list_failed_jobs(
            conn,
            queue=action.queue,
            task=action.task,
            error=action.error,
            since=action.since,
            limit=action.limit,
            scope=request.scope,
        ),
    )


async def _get_job(request: _Request) -> Any:
    action: GetJob = request.action
    async with request.pool.connection() as conn, transaction(conn):
        if action.reveal:
            if request.actor.kind != "shell":
                raise NotPermitted("You may not see unredacted arguments here: only in the shell.")
            await audit.record(conn, request.actor, action, "done")
        return await jobs.get_job(
            conn,
            action.job_id,
            reveal=action.reveal,
            redact=request.settings.redact,
            scope=request.scope,
        )


async def _retry_jobs(request: _Request) -> RetryReport:
    action: RetryJobs = request.action
    async with request.pool.connection() as conn, transaction(conn):
        report = await retry.retry_jobs(
            conn, action.job_ids, reset_attempts=action.reset_attempts, scope=request.scope
        )
        await _record_items(conn, request, report.items, report.elapsed_seconds)
    emit(
        "jobs_maint.jobs_retried", actor=f"{request.actor.kind}:{request.actor.id}",
        done=len(report.done), skipped=len(report.skipped),
    )  # fmt: skip
    return report


async def _record_items(
    conn: Conn, request: _Request, items: tuple[ItemResult, ...], elapsed_seconds: float
) -> None:
    counts = dict(Counter(item.outcome.value for item in items))
    done = counts.get(ItemOutcome.DONE.value, 0)
    outcome = "done" if done == len(items) else "partly" if done else "refused"
    error = None
    if outcome == "refused":
        broken = [item for item in items if item.outcome is ItemOutcome.FAILED]
        outcome = "failed" if broken else outcome
        error = ((broken or items)[0].code, (broken or items)[0].reason)
    await audit.record(
        conn, request.actor, request.action, outcome,
        counts=counts, items=items, error=error, elapsed_seconds=elapsed_seconds,
    )  # fmt: skip


async def _rescue_stalled(request: _Request) -> RescueReport:
    configured = request.settings
    rules = stalled.RescueRules(
        configured.stalled_after,
        configured.stalled_after_unknown,
        configured.max_rescues,
        configured.rescue_policy,
    )
    async with request.pool.connection() as conn:
        async with transaction(conn):
            await stalled.notice_stalled_jobs(conn)
        async with transaction(conn):
            report = await stalled.rescue_stalled_jobs(conn, rules)
            if report.items:
                await _record_items(conn, request, report.items, report.elapsed_seconds)
    if report.items:
        emit("jobs_maint.jobs_rescued", suspects=report.suspects, **report.counts)
    return report


async def _purge_finished(request: _Request) -> PurgeReport:
    action: PurgeFinished = request.action
    configured = request.settings
    retention = purge.Retention(
        {
            "succeeded": configured.keep_succeeded,
            "failed": configured.keep_failed,
            "cancelled": configured.keep_cancelled,
            "aborted": configured.keep_aborted,
        },
        configured.keep_audit,
    )
    if action.dry_run:
        return await purge.purge_finished_jobs(request.pool, retention, dry_run=True)
    await audit.interrupt_lost_runs(request.pool)
    run = audit.Run(request.pool, request.actor, action)
    await run.open()
    request.audited = True
    begun = time.monotonic()
    try:
        report = await purge.purge_finished_jobs(
            request.pool,
            retention,
            time_limit=action.time_limit,
            resume_after=action.resume_after,
            on_batch=run.advance,
        )
    except BaseException as exc:
        await _close_broken(run, exc, time.monotonic() - begun)
        raise
    await run.close(
        "done" if report.finished else "partly",
        {**report.deleted, **report.trimmed},
        elapsed_seconds=report.elapsed_seconds,
    )
    if report.total or report.trimmed:
        emit(
            "jobs_maint.jobs_purged", deleted=report.total, batches=report.batches,
            seconds=round(report.elapsed_seconds, 2), finished=report.finished,
        )  # fmt: skip
    return report


async def _close_broken(run: audit.Run, exc: BaseException, elapsed_seconds: float) -> None:
    """With the counts of what was committed.

    A database that is gone must not hide the error; the next process then closes the run.
    """
    outcome = "failed" if isinstance(exc, Exception) else "interrupted"
    error = _describe_error(exc)
    try:
        await run.close(outcome, None, elapsed_seconds=elapsed_seconds, error=error)
    except Exception as second:  # noqa: BLE001
        emit("jobs_maint.audit_failed", logging.ERROR, error=type(second).__name__, code=error[0])


async def _open_digest(request: _Request) -> Any:
    action: OpenDigest = request.action
    return await _read(
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


async def _close_digest(request: _Request) -> Any:
    action: CloseDigest = request.action
    await _read(
        request,
        lambda conn: digest.close_window(
            conn, action.window_id, action.state,
            channel=action.channel, ts=action.ts, error=action.error,
        ),
    )  # fmt: skip


async def _apply_schema(request: _Request) -> Any:
    report = await schema.apply_schema(request.pool)
    if report.applied:
        await audit.record_alone(
            request.pool, request.actor, request.action, "done",
            counts={"applied": len(report.applied)},
        )  # fmt: skip
    return report


async def _check_schema(request: _Request) -> Any:
    return await schema.check_schema(request.pool)


async def _schema_sql(request: _Request) -> Any:  # noqa: ARG001  same shape as the others
    return schema.render_schema_sql()


_HANDLERS: Mapping[type[Action], Callable[[_Request], Awaitable[Any]]] = {
    ShowStats: _show_stats,
    ListFailed: _list_failed,
    GetJob: _get_job,
    RetryJobs: _retry_jobs,
    RescueStalled: _rescue_stalled,
    PurgeFinished: _purge_finished,
    OpenDigest: _open_digest,
    CloseDigest: _close_digest,
    ApplySchema: _apply_schema,
    CheckSchema: _check_schema,
    ShowSchemaSql: _schema_sql,
}
