"""`purge`: the nightly one, and the preview for a person."""

from __future__ import annotations

from datetime import timedelta

from jobs_maint import audit
from jobs_maint.actions import PreviewPurge, PurgeFinished, Role
from jobs_maint.actions.base import EVERY_QUEUE
from jobs_maint.call import Call, Handlers
from jobs_maint.database import transaction
from jobs_maint.durations import format_duration
from jobs_maint.errors import InvalidRequest
from jobs_maint.models import Preview, PurgeReport
from jobs_maint.operations.following import follow_unless_set, follow_workers, name_asker, set_here
from jobs_maint.operations.jobs.queue_names import require_queue
from jobs_maint.operations.purge.batches import Retention, purge_finished_jobs
from jobs_maint.operations.purge.late import PERSON
from jobs_maint.operations.purge.runs import run_purge
from jobs_maint.operations.selections import freeze_words
from jobs_maint.operations.session import get_time
from jobs_maint.settings import MaintSettings
from jobs_maint.told_settings import KEPT

__all__ = ["HANDLERS"]


async def purge_finished(call: Call[PurgeFinished]) -> PurgeReport:
    asked = call.action
    async with call.pool.connection() as conn, transaction(conn):
        mine = await follow_unless_set(conn, call.actor.kind, call.settings)
    retention = Retention.of(mine)
    if asked.dry_run:
        return await purge_finished_jobs(call.pool, retention, dry_run=True)
    return await run_purge(
        call, asked, retention, time_limit=asked.time_limit, resume_after=asked.resume_after
    )


async def preview_purge(call: Call[PreviewPurge]) -> Preview:
    asked = call.action
    async with call.pool.connection() as conn, transaction(conn):
        theirs = await follow_workers(conn, call.settings)
    retention = Retention.of(set_here(call.settings, theirs))
    if asked.older_than is not None:
        statuses = asked.statuses or ("succeeded", *(["failed"] if asked.include_failed else []))
        retention = Retention(dict.fromkeys(statuses, asked.older_than), audit=None)
    elif asked.statuses:
        kept = {status: retention.by_status[status] for status in asked.statuses}
        retention = Retention(kept, audit=None)
    elif asked.include_failed:
        raise InvalidRequest(
            "purge --include-failed needs --older-than; without it the retention settings "
            "decide how long failed jobs are kept"
        )
    warnings: tuple[str, ...] = ()
    async with call.pool.connection() as conn, transaction(conn):
        if asked.queue is not None:
            await require_queue(conn, asked.queue, call.scope)
        now = await get_time(conn)
        if asked.older_than is None:
            asker = name_asker(call.actor.kind)
            warnings = _describe_difference(retention, Retention.of(theirs), asker)
    report = await purge_finished_jobs(
        call.pool, retention, now=now, dry_run=True, queue=asked.queue, survey=PERSON
    )
    spans = {status: span for status, span in retention.by_status.items() if span is not None}
    key = expires_at = None
    async with call.pool.connection() as conn, transaction(conn):
        if report.total or report.kept:
            key, expires_at = await freeze_words(
                conn,
                call.actor,
                "purge",
                words=asked.words(),
                params={
                    "now": now.isoformat(),
                    "seconds": {status: span.total_seconds() for status, span in spans.items()},
                    "queue": asked.queue,
                    "count": report.total,
                    "needs": Role.ADMIN.value,
                    "queues": [asked.queue or EVERY_QUEUE],
                },
            )
        counts = {"jobs": report.total}
        await audit.record(conn, call.actor, asked, "previewed", counts=counts)
    return Preview(
        verb="purge",
        words=asked.words(),
        key=key,
        count=report.total + report.kept,
        remain=0,
        groups=(),
        skips=(*report.refused, *report.undated),
        expires_at=expires_at,
        cutoffs={status: now - span for status, span in spans.items()},
        by_status=report.deleted,
        warnings=(*warnings, *report.warnings),
        turns=report.turns,
        surveyed_at=report.surveyed_at,
    )


def _describe_difference(mine: Retention, theirs: Retention, asker: str) -> tuple[str, ...]:
    """Where the workers' own purge keeps these jobs for another time."""
    kept = [
        f"{status} jobs {_how_long(theirs.by_status[status])} "
        f"({MaintSettings.env_name(KEPT[status])}), this {asker}'s {_how_long(span)}"
        for status, span in mine.by_status.items()
        if theirs.by_status[status] != span
    ]
    return (f"The workers' own purge keeps {'; '.join(kept)}.",) if kept else ()


def _how_long(span: timedelta | None) -> str:
    return f"for {format_duration(span)}" if span is not None else "forever"


HANDLERS: Handlers = {PurgeFinished: purge_finished, PreviewPurge: preview_purge}
