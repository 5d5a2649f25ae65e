"""Exactly the jobs of a set, in batches."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

from psycopg import errors as pg

from jobs_maint.actions import ALL_QUEUES, BulkVerb, QueueScope
from jobs_maint.audit import find_stopper
from jobs_maint.database import (
    LOCK_TIMEOUT,
    STATEMENT_TIMEOUT,
    Conn,
    Pool,
    fetch_all,
    find_holder,
    find_lockers,
    is_timeout,
    transaction,
)
from jobs_maint.models import (
    BulkReport,
    ItemOutcome,
    ItemResult,
    SkipGroup,
    SoFar,
    count_items,
)
from jobs_maint.operations.held_rows import find_held
from jobs_maint.operations.jobs.cancel import cancel_jobs, discard_jobs
from jobs_maint.operations.jobs.retry import retry_jobs
from jobs_maint.operations.refusals import Refusals, describe_slow
from jobs_maint.operations.sets.frozen import SAMPLE
from jobs_maint.operations.sets.seen import Seen, leave_out
from jobs_maint.sql import load_queries

__all__ = ["Act", "OnBatch", "run_set"]

BATCH = 500
SLOW_BATCH = timedelta(seconds=10)
"""A batch with a statement that takes longer is undone and tried with a tenth of its jobs."""

Act = Callable[[Conn, Sequence[int]], Awaitable[Sequence[ItemResult]]]
"""Does one batch in its transaction; one item per job."""

OnBatch = Callable[[Conn, SoFar], Awaitable[bool]]
"""Called in each batch's transaction; False ends the run."""


async def run_set(
    pool: Pool,
    verb: str,
    job_ids: Sequence[int],
    *,
    words: str,
    audit_id: int,
    shown_at: datetime,
    reset_attempts: bool = False,
    scope: QueueScope = ALL_QUEUES,
    seen: Seen = MappingProxyType({}),
    act: Act | None = None,
    on_batch: OnBatch | None = None,
) -> BulkReport:
    """Act on exactly these jobs, oldest first; each batch is its own transaction.

    `seen`: a job that has ended otherwise since is left as it is, as is one that was deferred after
    `shown_at`. `act` does a batch when the verb is not a BulkVerb. What a batch did is written to
    the audit in the batch's own transaction, so that an interrupted run can still be undone.
    """
    begun = time.monotonic()
    found: defaultdict[tuple[ItemOutcome, str], list[ItemResult]] = defaultdict(list)
    so_far, refusals = SoFar(), Refusals()
    stopped = False
    size, slow = BATCH, 0
    while so_far.done < len(job_ids):
        batch = job_ids[so_far.done : so_far.done + size]
        looked = so_far.done + len(batch)
        patience = STATEMENT_TIMEOUT if size == 1 else SLOW_BATCH

        async def do(
            ids: Sequence[int],
            held: Sequence[ItemResult],
            before: SoFar = so_far,
            failed: Refusals = refusals,
            looked: int = looked,
            patience: timedelta = patience,
        ) -> tuple[Sequence[ItemResult], SoFar, Refusals, bool]:
            async with (
                pool.connection() as conn,
                transaction(conn, statement_timeout=patience),
            ):
                ids, left = await leave_out(conn, ids, scope, seen, shown_at)
                items = await (
                    act(conn, ids)
                    if act is not None
                    else _act(conn, verb, ids, reset_attempts=reset_attempts, scope=scope)
                )
                items = [*items, *left, *held]
                await _keep_items(conn, audit_id, items)
                failed = failed.plus(items)
                then = replace(
                    _count(before, verb, items),
                    done=looked, failures=failed.list_groups(), is_all=looked == len(job_ids),
                )  # fmt: skip
                go_on = on_batch is None or await on_batch(conn, then)
                return items, then, failed, go_on

        try:
            try:
                items, so_far, refusals, go_on = await do(batch, ())
            except pg.LockNotAvailable as exc:
                free, held = await _leave_held(pool, batch, exc)
                items, so_far, refusals, go_on = await do(free, held)
        except pg.QueryCanceled as exc:
            if size > 1 and is_timeout(exc):
                size = max(1, size // 10)
                continue
            reason = describe_slow(exc, slow)
            it_failed = [ItemResult(batch[0], ItemOutcome.FAILED, "error", reason)]
            items, so_far, refusals, go_on = await do((), it_failed)
            size, slow = BATCH, slow + 1
        for item in items:
            if item.outcome is not ItemOutcome.FAILED:  # of those each reason counts
                found[item.outcome, item.code].append(item)
        if not go_on and not so_far.is_all:
            stopped = True
            break
    changed = [
        item for (kind, _code), items in found.items() if kind is ItemOutcome.DONE for item in items
    ]
    groups = {
        outcome: tuple(
            SkipGroup.of(items, SAMPLE) for (kind, _code), items in found.items() if kind is outcome
        )
        for outcome in ItemOutcome
    }
    return BulkReport(
        verb=str(verb),
        words=words,
        audit_id=audit_id,
        requested=len(job_ids),
        done=len(changed),
        skips=groups[ItemOutcome.SKIPPED],
        failures=so_far.failures,
        elapsed_seconds=time.monotonic() - begun,
        stopped=stopped,
        queues=tuple(dict.fromkeys(item.queue for item in changed if item.queue is not None)),
        stopped_by=await find_stopper(pool, audit_id) if stopped else "",
        became=groups[ItemOutcome.DONE],
    )


def _count(before: SoFar, verb: str, items: Sequence[ItemResult]) -> SoFar:
    counts, skips = Counter(before.counts), Counter(before.skips)
    counts.update(count_items(verb, items))
    skips.update(item.code for item in items if item.outcome is ItemOutcome.SKIPPED)
    return replace(before, counts=dict(counts), skips=dict(skips))


async def _act(
    conn: Conn, verb: str, ids: Sequence[int], *, reset_attempts: bool, scope: QueueScope
) -> tuple[ItemResult, ...]:
    if verb == BulkVerb.RETRY:
        report = await retry_jobs(conn, ids, reset_attempts=reset_attempts, scope=scope)
        return report.items
    if verb == BulkVerb.CANCEL:
        return await cancel_jobs(conn, ids, scope=scope)
    return await discard_jobs(conn, ids, scope=scope)


async def _leave_held(
    pool: Pool, ids: Sequence[int], exc: pg.LockNotAvailable
) -> tuple[list[int], list[ItemResult]]:
    """The jobs whose rows are free, and the others; raises `exc` if no row is locked now.

    A lock that is on the whole table raises again.
    """
    async with pool.connection() as conn, transaction(conn):
        found = await fetch_all(conn, load_queries("bulk")["list_not_free"], {"ids": list(ids)})
        held = await find_held(conn, [row["id"] for row in found])
        if not held:
            raise exc
        holder = await find_holder(conn, LOCK_TIMEOUT, await find_lockers(conn, sorted(held)))
    who = f" ({holder})" if holder else ""
    rows = "its row" if len(held) == 1 else "their rows"
    reason = f"another session holds {rows}{who}; try again when that is done"
    return [job_id for job_id in ids if job_id not in held], [
        ItemResult(job_id, ItemOutcome.SKIPPED, "held", reason) for job_id in ids if job_id in held
    ]


async def _keep_items(conn: Conn, audit_id: int, items: Sequence[ItemResult]) -> None:
    groups: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for item in items:
        groups[item.outcome.value, item.code].append(item.job_id)
    for (outcome, code), ids in groups.items():
        await fetch_all(
            conn,
            load_queries("bulk")["insert_items"],
            {"audit_id": audit_id, "outcome": outcome, "code": code, "job_ids": ids},
        )
