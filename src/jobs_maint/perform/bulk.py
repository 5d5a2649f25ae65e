"""Preview, confirm, run: acts on sets of jobs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from jobs_maint import audit
from jobs_maint.actions import (
    Action,
    ConfirmSelection,
    PreviewBulk,
    PreviewPurge,
    QueueScope,
    Role,
    plain_name,
)
from jobs_maint.actions.base import require_role
from jobs_maint.database import Conn, fetch_one, transaction, undone_transaction
from jobs_maint.errors import InvalidRequest, NotPermitted
from jobs_maint.events import emit
from jobs_maint.models import BulkReport, ItemResult, Preview, PurgeReport, SkipGroup
from jobs_maint.operations import bulk, purge, selections, stats, turn
from jobs_maint.perform.call import Call, Guard, close_broken, open_run
from jobs_maint.perform.maintenance import build_retention, run_purge
from jobs_maint.perform.rescue import build_act
from jobs_maint.sql import load_queries

__all__ = ["confirm_selection", "preview_bulk", "preview_purge"]


@dataclass(frozen=True, slots=True)
class _Confirmed(Action):
    """What a selection was frozen for, as the audit shows it."""

    bulk: str
    text: str

    @property
    def word(self) -> str:  # type: ignore[override]
        return self.bulk

    def words(self) -> str:
        return self.text


async def preview_bulk(request: Call) -> Preview:
    action: PreviewBulk = request.action
    wanted = action.filter
    async with request.pool.connection() as conn, transaction(conn):
        queue = plain_name(wanted.queue) if wanted.queue is not None else None
        if queue is not None:
            await stats.require_queue(conn, queue, request.scope)
        preview = await selections.freeze_set(
            conn,
            request.actor,
            action.bulk,
            wanted,
            words=action.words(),
            reset_attempts=action.reset_attempts,
            needs=(action.role or Role.ADMIN).value,
            scope=request.scope,
        )
        counts = {"jobs": preview.count}
        await audit.record(conn, request.actor, action, "previewed", counts=counts)
    return preview


async def preview_purge(request: Call) -> Preview:
    action: PreviewPurge = request.action
    retention = build_retention(request.settings)
    if action.older_than is not None:
        statuses = ("succeeded", "failed") if action.include_failed else ("succeeded",)
        retention = purge.Retention(dict.fromkeys(statuses, action.older_than), audit=None)
    elif action.include_failed:
        raise InvalidRequest(
            "purge --include-failed needs --older-than; without it the retention settings say "
            "how long failed jobs are kept"
        )
    async with request.pool.connection() as conn, transaction(conn):
        if action.queue is not None:
            await stats.require_queue(conn, action.queue, request.scope)
        now = (await fetch_one(conn, load_queries("stats")["get_time"]))["now"]
    report = await purge.purge_finished_jobs(
        request.pool, retention, now=now, dry_run=True, queue=action.queue
    )
    spans = {status: span for status, span in retention.by_status.items() if span is not None}
    key = expires_at = None
    async with request.pool.connection() as conn, transaction(conn):
        if report.total:
            key, expires_at = await selections.freeze_words(
                conn,
                request.actor,
                "purge",
                words=action.words(),
                params={
                    "now": now.isoformat(),
                    "seconds": {status: span.total_seconds() for status, span in spans.items()},
                    "queue": action.queue,
                    "count": report.total,
                    "needs": Role.ADMIN.value,
                },
            )
        counts = {"jobs": report.total}
        await audit.record(conn, request.actor, action, "previewed", counts=counts)
    return Preview(
        verb="purge",
        words=action.words(),
        key=key,
        count=report.total,
        remain=0,
        groups=(),
        skips=(),
        expires_at=expires_at,
        cutoffs={status: now - span for status, span in spans.items()},
        by_status=report.deleted,
    )


async def confirm_selection(request: Call) -> BulkReport | PurgeReport:
    """Do exactly what was shown, once. The role is checked now, before the selection is used."""
    action: ConfirmSelection = request.action

    async def use(conn: Conn) -> dict[str, Any]:
        return await selections.use_selection(conn, request.actor, action.key)

    async with request.pool.connection() as conn, undone_transaction(conn):
        # A look: it is used together with the row that tells so, or a death in between would
        # leave a set that neither ran nor can.
        taken = await use(conn)
        needs = Role(taken["params"]["needs"])
        scope = require_role(request.actor, needs, f"{taken['verb']} these jobs")
        queue = taken["params"].get("queue")
        if (
            taken["verb"] == "purge"
            and scope.globs is not None
            and not (queue is not None and scope.covers(queue))
        ):
            raise NotPermitted(
                "You may not delete these jobs: your grant does not reach every queue.",
                needs=needs, has=request.actor.role,
            )  # fmt: skip
        if taken["verb"] == "purge":
            await turn.require_turn(conn)
    confirmed = _Confirmed(taken["verb"], taken["words"])
    if taken["verb"] == "purge":
        return await _run_purge(request, confirmed, taken["params"], use)
    return await _run_bulk(request, confirmed, taken, scope, use)


async def _run_purge(
    request: Call, confirmed: _Confirmed, params: Mapping[str, Any], use: Guard
) -> PurgeReport:
    spans = {status: timedelta(seconds=span) for status, span in params["seconds"].items()}
    return await run_purge(
        request,
        confirmed,
        purge.Retention(spans, audit=None),
        now=datetime.fromisoformat(params["now"]),
        queue=params["queue"],
        trim=False,
        total=params.get("count"),
        guard=use,
    )


async def _run_bulk(
    request: Call,
    confirmed: _Confirmed,
    taken: Mapping[str, Any],
    scope: QueueScope,
    use: Guard,
) -> BulkReport:
    job_ids: list[int] = taken["job_ids"]
    run = await open_run(request, confirmed, len(job_ids), guard=use)
    counts: Counter[str] = Counter()

    async def on_batch(conn: Conn, looked: int, items: Sequence[ItemResult]) -> bool:
        counts.update(item.outcome.value for item in items)
        go_on = await run.advance(conn, counts)
        request.watch.tell(looked, len(job_ids))
        return go_on and not request.watch.stop_requested

    begun = time.monotonic()
    try:
        report = await bulk.run_set(
            request.pool,
            taken["verb"],
            job_ids,
            words=taken["words"],
            audit_id=run.require_id(),
            reset_attempts=bool(taken["params"].get("reset_attempts")),
            scope=scope,
            act=await build_act(request, taken, scope) if taken["verb"] == "rescue" else None,
            on_batch=on_batch,
        )
    except BaseException as exc:
        await close_broken(run, exc, time.monotonic() - begun)
        raise
    report = _complete(report, taken["params"])
    whole = report.done == report.requested
    outcome = "done" if whole else "partly" if report.done else "refused"
    await run.close(outcome, counts, elapsed_seconds=report.elapsed_seconds)
    emit(
        "jobs_maint.set_changed", verb=report.verb, done=report.done,
        requested=report.requested, audit_id=report.audit_id, stopped=report.stopped,
    )  # fmt: skip
    return report


def _complete(report: BulkReport, params: Mapping[str, Any]) -> BulkReport:
    """With what only the preview knew."""
    left_out = tuple(
        SkipGroup(one["code"], one["reason"], one["count"], tuple(one["sample"]))
        for one in params.get("left_out", ())
    )
    queues = tuple(params.get("queues", ()))
    return replace(report, queues=queues, remain=params.get("remain", 0), left_out=left_out)
