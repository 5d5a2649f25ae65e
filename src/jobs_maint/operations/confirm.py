"""A confirmed preview: retry, cancel, discard, rescue or purge of exactly what was shown, once."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import psycopg

from jobs_maint.actions import Action, ConfirmSelection, QueueScope
from jobs_maint.actions.base import require_role
from jobs_maint.call import Call, Guard, Handlers, close_broken, close_run, open_run
from jobs_maint.database import (
    Conn,
    Pool,
    fetch_all,
    fetch_one,
    transaction,
    undone_transaction,
)
from jobs_maint.errors import NotPermitted
from jobs_maint.events import emit
from jobs_maint.models import (
    BulkReport,
    PurgeReport,
    RunEnd,
    SkipGroup,
    SoFar,
)
from jobs_maint.operations.jobs.cancel import ASKED_TO_ABORT
from jobs_maint.operations.jobs.serving import find_unheard, find_unserved, find_unserved_of
from jobs_maint.operations.purge.batches import Retention
from jobs_maint.operations.purge.late import PERSON
from jobs_maint.operations.purge.runs import run_purge
from jobs_maint.operations.purge.turn import require_turn
from jobs_maint.operations.rescue.confirmed import build_act
from jobs_maint.operations.sets.batches import run_set
from jobs_maint.operations.sets.frozen import find_needs, use_selection
from jobs_maint.operations.sets.seen import read_seen
from jobs_maint.operations.sets.selecting import count_newer
from jobs_maint.sql import load_queries

__all__ = ["HANDLERS", "find_shown"]


@dataclass(frozen=True, slots=True)
class _Confirmed(Action[Any]):
    """What a selection was frozen for, as the audit shows it."""

    bulk: str
    text: str

    @property
    def word(self) -> str:  # type: ignore[override]
        return self.bulk

    def words(self) -> str:
        return self.text


async def find_shown(pool: Pool, action: Action[Any]) -> Action[Any]:
    """What a confirmation was about, as the audit names it; itself where that is unknown."""
    if not isinstance(action, ConfirmSelection):
        return action
    async with pool.connection() as conn, transaction(conn):
        found = await fetch_all(conn, load_queries("bulk")["find_selection"], {"key": action.key})
    return _Confirmed(found[0]["verb"], found[0]["words"]) if found else action


async def confirm_selection(call: Call[ConfirmSelection]) -> BulkReport | PurgeReport:
    """Do exactly what was shown, once. The role is checked now, before the selection is used."""

    async def use(conn: Conn) -> dict[str, Any]:
        return await use_selection(conn, call.actor, call.action.key)

    async with call.pool.connection() as conn, undone_transaction(conn):
        # Only a look: the selection is used in the transaction that writes the audit row. A
        # crash in between would leave a set that never ran and no longer can.
        needs, verb, queues = await find_needs(conn, call.actor, call.action.key)
        scope = require_role(call.actor, needs, verb, queues)
        taken = await use(conn)
        queue = taken["params"].get("queue")
        if (
            taken["verb"] == "purge"
            and scope.globs is not None
            and not (queue is not None and scope.covers(queue))
        ):
            raise NotPermitted(
                "You may not delete these jobs: your grant does not reach every queue.",
                needs=needs, has=call.actor.role, queues=queues,
            )  # fmt: skip
        if taken["verb"] == "purge":
            await require_turn(conn)
    confirmed = _Confirmed(taken["verb"], taken["words"])
    if taken["verb"] == "purge":
        return await _run_purge(call, confirmed, taken["params"], use)
    return await _run_bulk(call, confirmed, taken, scope, use)


async def _run_purge(
    call: Call[Any], confirmed: _Confirmed, params: Mapping[str, Any], use: Guard
) -> PurgeReport:
    spans = {status: timedelta(seconds=span) for status, span in params["seconds"].items()}
    return await run_purge(
        call,
        confirmed,
        Retention(spans, audit=None),
        now=datetime.fromisoformat(params["now"]),
        queue=params["queue"],
        trim=False,
        survey=PERSON,
        total=params.get("count"),
        guard=use,
    )


async def _run_bulk(
    call: Call[Any],
    confirmed: _Confirmed,
    taken: Mapping[str, Any],
    scope: QueueScope,
    use: Guard,
) -> BulkReport:
    job_ids: list[int] = taken["job_ids"]
    run = await open_run(call, confirmed, len(job_ids), guard=use)

    async def on_batch(conn: Conn, so_far: SoFar) -> bool:
        go_on = await run.advance(conn, so_far.counts)
        call.watch.tell(so_far, len(job_ids))
        return go_on and not call.watch.stop_requested

    begun = time.monotonic()
    try:
        report = await run_set(
            call.pool,
            taken["verb"],
            job_ids,
            words=taken["words"],
            audit_id=run.require_id(),
            reset_attempts=bool(taken["params"].get("reset_attempts")),
            scope=scope,
            seen=read_seen(job_ids, taken["params"]),
            shown_at=taken["created_at"],
            act=await build_act(call, taken, scope) if taken["verb"] == "rescue" else None,
            on_batch=on_batch,
        )
    except BaseException as exc:
        await close_broken(call, run, exc, time.monotonic() - begun)
        raise
    report = _complete(report, taken["params"])
    counts = Counter(call.watch.so_far.counts)
    if left_out := sum(one.count for one in report.left_out):
        counts["skipped"] += left_out
    whole = report.done == report.requested and not left_out
    outcome = "done" if whole else "partly" if report.done else "refused"
    await close_run(call, run, RunEnd(outcome, counts, report.elapsed_seconds))
    if report.done:
        report = await _look_around(call, report, taken, scope)
    emit(
        "jobs_maint.set_changed", verb=report.verb, done=report.done,
        requested=report.requested, audit_id=report.audit_id, stopped=report.stopped,
    )  # fmt: skip
    return report


def _complete(report: BulkReport, params: Mapping[str, Any]) -> BulkReport:
    """Add what only the preview knew."""
    left_out = tuple(
        SkipGroup(one["code"], one["reason"], one["count"], tuple(one["sample"]))
        for one in params.get("left_out", ())
    )
    queues = report.queues or tuple(params.get("queues", ()))
    return replace(report, queues=queues, remain=params.get("remain", 0), left_out=left_out)


async def _look_around(
    call: Call[Any], report: BulkReport, taken: Mapping[str, Any], scope: QueueScope
) -> BulkReport:
    """Add whether anybody runs, or could abort, these jobs, and what has become of them since."""
    job_ids: list[int] = taken["job_ids"]
    newer = 0
    warnings: tuple[str, ...] = ()
    with contextlib.suppress(psycopg.Error):  # the act is done
        if report.verb == "retry":
            newer = await count_newer(
                call.pool, taken["params"].get("filter"), job_ids, call.rules, scope
            )
        async with call.pool.connection() as conn, transaction(conn):
            if report.verb == "retry":
                warnings = await find_unserved(conn, report.queues, report.done)
            elif report.verb == "rescue":
                warnings = await find_unserved_of(conn, report.audit_id)
            else:
                warnings = await _find_put_back(conn, report)
            if any(group.code == "abort_requested" for group in report.became):
                warnings += await find_unheard(conn, job_ids)
    return replace(report, newer=newer, warnings=warnings)


async def _find_put_back(conn: Conn, report: BulkReport) -> tuple[str, ...]:
    """A sentence where somebody put jobs back before the act on all of them had ended."""
    params = {"audit_id": report.audit_id, "but": list(ASKED_TO_ABORT)}
    jobs = (await fetch_one(conn, load_queries("bulk")["count_put_back"], params))["jobs"]
    if not jobs:
        return ()
    which = f"{jobs:,} of them {'was' if jobs == 1 else 'were'}" if report.done > 1 else "It was"
    return (f"{which} put back meanwhile.",)


HANDLERS: Handlers = {ConfirmSelection: confirm_selection}
