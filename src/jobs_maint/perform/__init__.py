"""`await perform(pool, actor, action)`: the one way from a front end to the database.

Permission, transaction, dispatch, audit and the mapping of errors stand here, once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from jobs_maint import actions, audit
from jobs_maint.actions import Action, Actor, ApplySchema, ShowSchemaSql, permit
from jobs_maint.database import Pool, mapped_errors
from jobs_maint.errors import (
    AlreadyRunning,
    InvalidRequest,
    JobsMaintError,
    NotPermitted,
    SelectionExpired,
)
from jobs_maint.events import emit
from jobs_maint.operations import schema
from jobs_maint.perform import bulk, doctor, jobs, maintenance, rescue, runs
from jobs_maint.perform.call import Call, Watch, describe_error
from jobs_maint.settings import MaintSettings

__all__ = ["Watch", "claim_request", "perform"]

_HANDLERS: Mapping[type[Action], Callable[[Call], Awaitable[Any]]] = MappingProxyType(
    {
        actions.ShowStats: jobs.show_stats,
        actions.ListFailed: jobs.list_failed,
        actions.ListErrors: jobs.list_errors,
        actions.GetJob: jobs.get_job,
        actions.ListStuck: jobs.list_stuck,
        actions.ListWorkers: jobs.list_workers,
        actions.ShowAudit: jobs.show_audit,
        actions.RunDoctor: doctor.run_doctor,
        actions.RetryJobs: jobs.retry_jobs,
        actions.CancelJobs: jobs.cancel_jobs,
        actions.DiscardJobs: jobs.discard_jobs,
        actions.PreviewBulk: bulk.preview_bulk,
        actions.PreviewPurge: bulk.preview_purge,
        actions.ConfirmSelection: bulk.confirm_selection,
        actions.StopRun: runs.stop_run,
        actions.DropSelection: runs.drop_selection,
        actions.TakeLostRuns: runs.take_lost_runs,
        actions.CloseRun: runs.close_run,
        actions.RescueStalled: maintenance.rescue_stalled,
        actions.RescueJobs: rescue.rescue_jobs,
        actions.PreviewRescue: rescue.preview_rescue,
        actions.ShowDigest: maintenance.show_digest,
        actions.PurgeFinished: maintenance.purge_finished,
        actions.OpenDigest: maintenance.open_digest,
        actions.CloseDigest: maintenance.close_digest,
        actions.ApplySchema: maintenance.apply_schema,
        actions.CheckSchema: maintenance.check_schema,
        actions.ShowSchemaSql: maintenance.schema_sql,
    }
)


async def perform(
    pool: Pool | None,
    actor: Actor,
    action: Action,
    *,
    settings: MaintSettings | None = None,
    watch: Watch | None = None,
) -> Any:
    """Do what was asked, as this actor; returns the frozen result of the operation.

    Checks the permission now, not when a button was drawn. Acts and refusals are audited: a short
    act in its own transaction, a long one by a row that is `started` first. Raises a JobsMaintError
    for everything a user can cause; `pool` may be None only for `ShowSchemaSql`. `watch` follows
    a long act and can stop it between two batches.
    """
    settings = settings or MaintSettings.load()
    handler = _HANDLERS.get(type(action))
    if handler is None:
        raise InvalidRequest(f"{action.word} is not done here; see help")
    begun = time.monotonic()
    request: Call | None = None
    with mapped_errors():
        try:
            scope = permit(actor, action)
            if pool is None:
                if not isinstance(action, ShowSchemaSql):
                    raise InvalidRequest(f"{action.word} needs the jobs database")  # noqa: TRY301
                return schema.render_schema_sql()
            request = Call(pool, actor, action, scope, settings, watch or Watch())
            return await handler(request)
        except NotPermitted as exc:
            await _audit_failure(pool, actor, action, "refused", exc, begun)
            raise
        except SelectionExpired as exc:
            await _audit_failure(pool, actor, action, "expired", exc, begun)
            raise
        except JobsMaintError as exc:
            if _is_told(actor, action, exc):
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


def _is_told(actor: Actor, action: Action, exc: JobsMaintError) -> bool:
    """Acts are; that the night waits for its turn is no refusal of anybody."""
    return action.act and not (isinstance(exc, AlreadyRunning) and actor.kind == "task")


async def _audit_failure(
    pool: Pool | None, actor: Actor, action: Action, outcome: str, exc: Exception, begun: float
) -> None:
    """In a transaction of its own; a database that is gone must not hide the first error."""
    code, message = describe_error(exc)
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
