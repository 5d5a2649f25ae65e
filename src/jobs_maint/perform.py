"""`await perform(pool, actor, action)`: the one way from a front end to the database.

Permission, transaction, dispatch, audit and error mapping happen here, once for all.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar, cast

from psycopg.errors import QueryCanceled

from jobs_maint import audit, upstream
from jobs_maint.actions import (
    Action,
    Actor,
    ApplySchema,
    QueueScope,
    ShowSchemaSql,
    permit,
)
from jobs_maint.call import Call, Handlers, Watch, describe_error
from jobs_maint.database import (
    Pool,
    PoolTimeout,
    explain_lack,
    is_timeout,
    mapped_errors,
    name_place,
    note_why_not_connected,
    noted_standby,
)
from jobs_maint.errors import (
    AlreadyRunning,
    InvalidRequest,
    JobNotFound,
    JobsMaintError,
    NotPermitted,
    SelectionExpired,
)
from jobs_maint.events import emit
from jobs_maint.models import Report, say_standby
from jobs_maint.operations import confirm
from jobs_maint.operations.asked_queues import find_asked_queues
from jobs_maint.operations.audit import perform as audit_trail
from jobs_maint.operations.bad_rows import bounded_tries
from jobs_maint.operations.digest import perform as digest
from jobs_maint.operations.doctor import perform as doctor
from jobs_maint.operations.failures import perform as failures
from jobs_maint.operations.incidents import perform as incidents
from jobs_maint.operations.jobs import perform as jobs
from jobs_maint.operations.purge import perform as purge
from jobs_maint.operations.rescue import perform as rescue
from jobs_maint.operations.schema import perform as schema
from jobs_maint.operations.sets import perform as sets
from jobs_maint.operations.stats import perform as stats
from jobs_maint.settings import MaintSettings

__all__ = ["HANDLERS", "Watch", "claim_request", "perform"]

R = TypeVar("R")

HANDLERS: Handlers = MappingProxyType(
    {
        **audit_trail.HANDLERS,
        **confirm.HANDLERS,
        **digest.HANDLERS,
        **doctor.HANDLERS,
        **failures.HANDLERS,
        **incidents.HANDLERS,
        **jobs.HANDLERS,
        **purge.HANDLERS,
        **rescue.HANDLERS,
        **schema.HANDLERS,
        **sets.HANDLERS,
        **stats.HANDLERS,
    }
)
"""Action class → its handler; each duty of `operations` lists its own."""


async def perform(
    pool: Pool | None,
    actor: Actor,
    action: Action[R],
    *,
    settings: MaintSettings | None = None,
    watch: Watch | None = None,
) -> R:
    """Do what was asked, as this actor; returns the frozen result of the operation.

    Checks the permission now, not when a button was shown. Acts and refusals are audited: a short
    act in its own transaction, a long one by a row that is `started` first. Raises a JobsMaintError
    for everything a user can cause; `pool` may be None only for `ShowSchemaSql`. `watch` follows
    a long act and can stop it between two batches.
    """
    settings = settings or MaintSettings.load()
    handler = HANDLERS.get(type(action))
    if handler is None:
        raise InvalidRequest(f"{action.word} is not available here; see `help`")
    begun = time.monotonic()
    call: Call[Any] | None = None
    with noted_standby() as standby, mapped_errors(), bounded_tries():
        try:
            scope = permit(actor, action)
            if pool is None and not isinstance(action, ShowSchemaSql):
                raise InvalidRequest(f"{action.word} needs the jobs database")  # noqa: TRY301
            # ShowSchemaSql needs no database.
            call = Call(cast("Pool", pool), actor, action, scope, settings, watch or Watch())
            result = await handler(call)
            if standby.lag_seconds is not None and isinstance(result, Report):
                result = replace(result, standby_lag_seconds=standby.lag_seconds)
            return cast("R", result)
        except Exception as exc:
            told = await _explain(pool, exc)
            if isinstance(exc, QueryCanceled) and is_timeout(exc):
                exc.add_note(_advise_less(action))
            if isinstance(exc, NotPermitted) and pool is not None and not exc.queues:
                found = await find_asked_queues(pool, action, _seen_anywhere(actor))
                exc.queues, exc.unseen = found or (), found is None
            if standby.lag_seconds is not None and isinstance(exc, JobNotFound | InvalidRequest):
                exc.args = (f"{str(exc).rstrip('.')}. {say_standby(standby.lag_seconds)}",)
            if call is None or not call.audited:
                await _audit_raised(pool, actor, action, told, begun)
            if told is exc:
                raise
            raise told from exc


def _advise_less(action: Action[Any]) -> str:
    """What makes this word faster, as far as it can be asked for less than it was."""
    asked = getattr(action, "filter", action)
    less = ["one queue"] if getattr(asked, "queue", "") is None else []
    less += ["a shorter span"] if hasattr(asked, "since") else []
    names_jobs = getattr(asked, "job_ids", None) or getattr(asked, "request", None)
    if less and not names_jobs:
        return f"Ask for less: {', or '.join(less)}."
    return "Try again when the database has less to do; if that does not help, VACUUM its tables."


def _seen_anywhere(actor: Actor) -> QueueScope:
    """What the asker may look at in one channel or another: it is told to the asker alone."""
    globs = [grant.queues for grant in actor.grants]
    whole = any(one is None for one in globs)
    return QueueScope(None if whole else tuple(glob for one in globs for glob in one or ()))


async def claim_request(pool: Pool, key: str, *, act: bool) -> bool:
    """Claim a request (a Slack envelope or signature); False when it was already taken."""
    with noted_standby(), mapped_errors():
        try:
            return await audit.claim_request(pool, key, act=act)
        except Exception as exc:
            told = await _explain(pool, exc)
            if told is exc:
                raise
            raise told from exc


async def _explain(pool: Pool | None, exc: Exception) -> Exception:
    """The error to tell: what a pool and PostgreSQL leave out of theirs is looked up."""
    if pool is None:
        return exc
    if isinstance(exc, PoolTimeout):  # a plain connection says why there is none
        await note_why_not_connected(exc, *await upstream.ask_params(pool))
    told = await explain_lack(pool, exc) or exc
    await name_place(pool, told)
    return told


async def _audit_raised(
    pool: Pool | None, actor: Actor, action: Action[Any], exc: Exception, begun: float
) -> None:
    """Refusals always have a row, failures where something was to be changed.

    A nightly task that waits for its turn was not refused.
    """
    if isinstance(exc, SelectionExpired):
        await _audit_failure(pool, actor, action, "expired", exc, begun)
    elif isinstance(exc, NotPermitted):
        await _audit_failure(pool, actor, action, "refused", exc, begun)
    elif not action.act or (isinstance(exc, AlreadyRunning) and actor.kind == "task"):
        return
    elif isinstance(exc, JobsMaintError):
        await _audit_failure(pool, actor, action, "refused", exc, begun)
    else:
        await _audit_failure(pool, actor, action, "failed", exc, begun)


async def _audit_failure(
    pool: Pool | None, actor: Actor, action: Action[Any], outcome: str, exc: Exception, begun: float
) -> None:
    """In a transaction of its own; a database that is gone must not hide the first error."""
    code, message = describe_error(exc)
    if pool is not None:
        with suppress(Exception):  # the first error is the one to show
            action = await confirm.find_shown(pool, action)
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
