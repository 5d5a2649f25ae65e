"""`stuck`, `workers` and `rescue`: one pass, jobs that a person named, and a forced rescue."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

import psycopg

from jobs_maint import audit
from jobs_maint.actions import (
    ListStuck,
    ListWorkers,
    PreviewRescue,
    RescueJobs,
    RescueStalled,
    Role,
)
from jobs_maint.call import Call, Handlers, describe_error, read, record_items
from jobs_maint.database import Conn, transaction
from jobs_maint.errors import JobNotFound, WrongJobStatus
from jobs_maint.events import emit
from jobs_maint.models import (
    ItemResult,
    Preview,
    RescueReport,
    SetGroup,
    StuckReport,
    WorkersReport,
)
from jobs_maint.operations.failures.memory import remember_groups
from jobs_maint.operations.following import (
    follow_unless_set,
    follow_workers,
    list_policies,
    name_asker,
)
from jobs_maint.operations.jobs.serving import find_unserved
from jobs_maint.operations.noticing import PATIENCE, notice_stalled_jobs
from jobs_maint.operations.rescue import foretelling, named, outlook, passes, reasons, workers
from jobs_maint.operations.rescue.noting import note_hours
from jobs_maint.operations.rescue.rules import RescueRules
from jobs_maint.operations.rescue.speaking import SEVERAL
from jobs_maint.operations.selections import freeze_words
from jobs_maint.operations.unstored import find_unstored
from jobs_maint.settings import MaintSettings

__all__ = ["HANDLERS"]

ABSENT = ("not_found", "wrong_status")
"""Jobs with one of these codes are not part of the set."""


async def list_stuck(call: Call[ListStuck]) -> StuckReport:
    """Whoever looks notices too, so that from then on the time runs that a rescue waits."""
    with suppress(psycopg.Error):  # a standby, for example: what is known is told all the same
        async with call.pool.connection() as conn, transaction(conn, lock_timeout=PATIENCE):
            await notice_stalled_jobs(conn)
    return await read(call, lambda conn: workers.list_stuck_jobs(conn, call.settings, call.scope))


async def list_workers(call: Call[ListWorkers]) -> WorkersReport:
    async def look(conn: Conn) -> WorkersReport:
        report = await workers.list_workers(conn, call.settings, call.scope)
        return replace(report, unstored=await find_unstored(conn, call.scope))

    return await read(call, look)


async def rescue_stalled(call: Call[RescueStalled]) -> RescueReport:
    async with call.pool.connection() as conn:
        async with transaction(conn):
            await notice_stalled_jobs(conn)
            mine = await follow_unless_set(conn, call.actor.kind, call.settings)
            others = await list_policies(conn, call.actor.kind, call.settings)
        rules = RescueRules.of(mine, call.action.aliases, others)
        async with transaction(conn):
            report = await passes.rescue_stalled_jobs(conn, rules, ticked=call.action.ticked)
            if report.items:
                await record_items(conn, call, report.items, report.elapsed_seconds)
    if report.items:
        emit("jobs_maint.jobs_rescued", suspects=report.suspects, **report.counts)
    if call.actor.kind != "task":  # which nobody reads
        report = await _look_ahead(call, report)
    await note_hours(call.pool)
    await remember_groups(call.pool)
    await _close_lost_runs(call)
    return report


async def _look_ahead(call: Call[Any], report: RescueReport) -> RescueReport:
    """With the workers' pass that acts on the first suspect that is left, or why none comes.

    And whether anybody runs what was put back.
    """
    if back := report.put_back:
        queues = list(dict.fromkeys(item.queue or "" for item in back))
        told = await read(call, lambda conn: find_unserved(conn, queues, len(back)))
        report = replace(report, warnings=told)
    if not report.suspects:
        return report
    refused = [*passes.list_refused(report.items), *report.held]

    async def look(conn: Conn) -> outlook.Outlook:
        theirs = RescueRules.of(await follow_workers(conn, call.settings))
        return await outlook.find_outlook(conn, theirs, refused)

    found = await read(call, look)
    first, on = found.first
    return replace(
        report,
        acts_in_seconds=first,
        acts_on_jobs=on,
        rescue_idle=found.idle,
        waits_for_beat=len(found.waiting),
        due_in_seconds=min(found.due_in.values(), default=None),
    )


async def _close_lost_runs(call: Call[RescueStalled]) -> None:
    """Acts whose process died are not `started` any more; never fails the rescue."""
    try:
        await audit.interrupt_lost_runs(call.pool)
    except psycopg.Error as exc:
        code = describe_error(exc)[0]
        emit("jobs_maint.audit_failed", logging.ERROR, error=type(exc).__name__, code=code)


async def rescue_jobs(call: Call[RescueJobs]) -> RescueReport | Preview:
    """Acts at once on what the rescue would act on now; asks where a worker only fell silent."""
    begun = time.monotonic()
    ids = call.action.job_ids
    async with call.pool.connection() as conn:
        async with transaction(conn):
            await notice_stalled_jobs(conn)
            mine = await follow_unless_set(conn, call.actor.kind, call.settings)
            others = await list_policies(conn, call.actor.kind, call.settings)
        async with transaction(conn):
            rows, refusals = await named.judge_jobs(conn, ids, mine, call.scope)
            if reasons.describe_silence(rows, refusals, mine.stalled_after):
                return await _freeze(conn, call, rows, refusals, mine)
            items = await named.rescue_jobs(conn, ids, mine, others, scope=call.scope)
            report = await passes.report_on(conn, items, begun)
            await record_items(conn, call, items, report.elapsed_seconds)
    emit("jobs_maint.jobs_rescued", suspects=report.suspects, **report.counts)
    return await _look_ahead(call, report)


async def preview_rescue(call: Call[PreviewRescue]) -> Preview:
    """The runs of these jobs as they are now, frozen for ten minutes.

    With `force`, raises JobNotFound or WrongJobStatus when the job is not running, unless somebody
    only looks.
    """
    action = call.action
    async with call.pool.connection() as conn:
        async with transaction(conn):
            await notice_stalled_jobs(conn)
            mine = await follow_unless_set(conn, call.actor.kind, call.settings)
        async with transaction(conn):
            rows, refusals = await named.judge_jobs(conn, action.job_ids, mine, call.scope)
            if action.force and not action.dry_run:
                _require_running(action.job_ids[0], refusals)
            return await _freeze(conn, call, rows, refusals, mine)


def _require_running(job_id: int, refusals: Mapping[int, ItemResult]) -> None:
    item = refusals.get(job_id)
    if item is not None and item.code in ABSENT:
        kind = JobNotFound if item.code == "not_found" else WrongJobStatus
        raise kind(f"Job {job_id} was not rescued: {item.reason}.")


async def _freeze(
    conn: Conn,
    call: Call[PreviewRescue] | Call[RescueJobs],
    rows: Mapping[int, Any],
    refusals: Mapping[int, ItemResult],
    mine: MaintSettings,
) -> Preview:
    action = call.action
    force = isinstance(action, PreviewRescue) and action.force

    def of_several(item: ItemResult) -> str:
        told = reasons.refuse_job(item.job_id, rows.get(item.job_id), SEVERAL)
        return told.reason if told is not None else item.reason

    absent = [item for item in refusals.values() if item.code in ABSENT]
    left_out = named.group_skips(absent, of_several)
    others = [item for item in refusals.values() if item.code not in ABSENT]
    stay = named.group_skips(others, of_several)
    chosen = [row for row in rows.values() if row["status"] == "doing"]
    groups = Counter((row["queue_name"], row["task_name"]) for row in chosen).most_common()
    key = expires_at = None
    if chosen:
        key, expires_at = await freeze_words(
            conn,
            call.actor,
            "rescue",
            words=action.words(),
            job_ids=[row["id"] for row in chosen],
            params={
                "needs": (action.role or Role.ADMIN).value,
                "force": force,
                "claims": {str(row["id"]): named.claim_of(row) for row in chosen},
                "queues": list(dict.fromkeys(queue for (queue, _), _ in groups)),
                "left_out": [asdict(skip) for skip in left_out],
            },
        )
    theirs = await follow_workers(conn, call.settings) if chosen else mine
    rules = RescueRules.of(mine, (), await list_policies(conn, call.actor.kind, call.settings))
    their_rules = RescueRules.of(theirs, (), await list_policies(conn, "task", call.settings))
    asker = name_asker(call.actor.kind)
    changed = [row for row in chosen if force or row["id"] not in refusals]
    told = () if force else reasons.describe_waits(chosen, mine, theirs, asker)
    told += reasons.describe_ends(changed, rules, their_rules, asker)
    becomes = await foretelling.foretell(conn, changed, rules)
    ends = {one.job_id: several for one, several in becomes}
    codes = {one.job_id: one.code for one, _ in becomes}
    back = [row["queue_name"] for row in changed if codes[row["id"]] == "put_back"]
    told += await find_unserved(conn, list(dict.fromkeys(back)), len(back))
    risk = (
        reasons.describe_risk(chosen[0], codes[chosen[0]["id"]])
        if force and chosen
        else reasons.describe_silence(rows, refusals, mine.stalled_after, codes)
    )
    preview = Preview(
        verb="rescue",
        words=action.words(),
        key=key,
        count=len(chosen),
        remain=0,
        groups=tuple(SetGroup(*names, count) for names, count in groups),
        skips=left_out if force else (*stay, *left_out),
        expires_at=expires_at,
        becomes=named.group_skips([one for one, _ in becomes], lambda one: ends[one.job_id]),
        warnings=(*told, *risk),
        risk=bool(risk),
    )
    counts = {"jobs": preview.expected}
    await audit.record(conn, call.actor, action, "previewed", counts=counts)
    return preview


HANDLERS: Handlers = {
    ListStuck: list_stuck,
    ListWorkers: list_workers,
    RescueStalled: rescue_stalled,
    RescueJobs: rescue_jobs,
    PreviewRescue: preview_rescue,
}
