"""Delete old finished jobs in short batches.

Cost grows with what is deleted, not with the table: ids grow with time, so an id bounds each walk.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import errors as pg

from jobs_maint.database import (
    STATEMENT_TIMEOUT,
    Conn,
    Pool,
    fetch_all,
    fetch_one,
    is_timeout,
    transaction,
)
from jobs_maint.models import PurgeReport
from jobs_maint.operations.bad_rows import is_refusal
from jobs_maint.operations.purge import late
from jobs_maint.operations.purge.deleting import Batch, OnBatch, Progress, delete_batch
from jobs_maint.operations.purge.reach import find_reach
from jobs_maint.operations.purge.referring import Keys
from jobs_maint.operations.purge.retention import Retention
from jobs_maint.operations.purge.trimming import trim_tables
from jobs_maint.operations.refusals import Refusals, describe_slow
from jobs_maint.operations.session import get_time, switch_jit_off
from jobs_maint.sql import load_queries

__all__ = ["Retention", "purge_finished_jobs"]

FIRST_BATCH = 1_000
SMALLEST_BATCH, LARGEST_BATCH = 50, 5_000
BATCH_SECONDS = 0.15
"""How long one batch may take; the batch size adapts to it, on slow disks too.

Smaller batches are no gentler: of 200, 500, 2,000 and 5,000 rows the larger ones delayed a worker
least (p95 of its pick-up 5.3, 5.4, 4.7 and 4.7 ms). Nor do pauses between batches help (5.0 ms
without, 5.5 ms when pausing half of the time).
"""
SLOW_BATCH = timedelta(seconds=5)
"""A batch that takes longer is undone and tried with a tenth of its jobs, down to one.

A trigger of the team, or a large table's foreign key without an index, can make each delete slow.
Meanwhile the team's worker may wait for the only connection of its pool.
"""
OnSurvey = Callable[[Conn, late.Surveyed], Awaitable[None]]
"""Called in a transaction of its own when all that a survey is about was looked at."""


async def purge_finished_jobs(
    pool: Pool,
    retention: Retention,
    *,
    now: datetime | None = None,
    dry_run: bool = False,
    time_limit: timedelta | None = None,
    resume_after: Mapping[str, int] | None = None,
    queue: str | None = None,
    trim: bool = True,
    survey: int | None = None,
    on_batch: OnBatch | None = None,
    on_survey: OnSurvey | None = None,
) -> PurgeReport:
    """Delete finished jobs older than their retention; each batch is its own transaction.

    `now` defaults to the database's clock. When `time_limit` runs out the report is not finished
    and says where to continue. Ages count from the newest event that is not `scheduled`. `trim`:
    also delete old rows from our own tables. `survey`: about how many jobs with ids behind younger
    ones are looked at; a night's share by default, and none where a purge of this night did it.
    """
    begun = time.monotonic()
    deadline = begun + time_limit.total_seconds() if time_limit is not None else None
    progress = Progress(resume_after=dict(resume_after or {}))
    async with pool.connection() as conn, transaction(conn):
        now = now or await get_time(conn)
    async with pool.connection() as conn, transaction(conn):
        keepers = await fetch_one(conn, load_queries("purge")["find_keepers"])
        progress.careful, progress.policed = keepers["has_trigger"], keepers["has_policy"]
        keys = await Keys.find(conn) if dry_run else Keys()
        turn = await late.choose_turn(conn, now, survey or late.NIGHT)
        surveyed = await late.find_surveyed(conn, now)
    purge = _Purge(pool, progress, deadline, on_batch, on_survey, keys, dry_run=dry_run)
    reaches = {
        span: await find_reach(pool, span, statuses, progress.resume_after, now=now, queue=queue)
        for span, statuses in retention.groups().items()
    }
    for span, reach in reaches.items():
        for status, first in reach.firsts.items():
            walk = {"status": status, "cutoff": reach.cutoff, "queue": queue}
            walk |= {"bound": reach.bound, "proven": reach.proven}
            with progress.postponed.step():
                if first.is_due:
                    await purge.walk(walk)
                walk["walked"] = reach.bound if first.is_due else late.BEFORE_ALL
                wanted = late.Survey(status, span.total_seconds(), queue, turn.turns, turn.number)
                low = reach.begin_survey(first)
                if done := next((one for one in surveyed if one.covers(wanted, low)), None):
                    progress.recall(done)
                    continue
                await purge.survey(walk, turn, low, wanted)
    if trim and not dry_run and not progress.stopped:
        ended = await trim_tables(
            pool,
            now,
            progress,
            keep_audit=retention.audit,
            deadline=deadline,
            on_batch=on_batch,
        )
        progress.stopped = not ended
    progress.postponed.throw()
    statuses = [status for _, group in retention.groups().items() for status in group]
    async with pool.connection() as conn, transaction(conn):
        left = await fetch_all(
            conn,
            load_queries("purge")["find_oldest_left"],
            {"statuses": statuses, "queue": queue},
        )
    return PurgeReport(
        deleted=dict(progress.deleted),
        batches=progress.batches,
        elapsed_seconds=time.monotonic() - begun,
        finished=not progress.stopped,
        dry_run=dry_run,
        trimmed=dict(progress.trimmed),
        oldest_left=left[0]["at"] if left else None,
        refused=progress.refusals.list_groups(),
        undated=progress.undated.list_groups("undated"),
        turns=turn.turns,
        surveyed_at=progress.surveyed_at,
        warnings=keys.warn(),
        resume_after=progress.resume_after if progress.stopped else {},
    )


@dataclass(slots=True)
class _Purge:
    """One purge, status by status: counting for a dry run, else deleting."""

    pool: Pool
    progress: Progress
    deadline: float | None
    on_batch: OnBatch | None
    on_survey: OnSurvey | None
    keys: Keys
    dry_run: bool

    async def walk(self, walk: dict[str, Any]) -> None:
        """The jobs up to the bound."""
        if self.dry_run:
            async with self.pool.connection() as conn, transaction(conn):
                await switch_jit_off(conn)
                rows = await fetch_all(conn, load_queries("purge")["count_finished"], walk)
            for row in rows:
                await self._foretell({**walk, "after": late.BEFORE_ALL}, row["jobs"])
        elif not self.progress.stopped:
            name = walk["status"]
            await self._delete(walk, name, self.progress.after(name))

    async def survey(
        self, walk: dict[str, Any], turn: late.Turn, low: int, wanted: late.Survey
    ) -> None:
        """What lies behind: old jobs, and those of which nothing tells the age."""
        name, progress = walk["status"], self.progress
        key = f"{name} late"
        cells = turn.cells(max(low, progress.after(key)))
        if progress.stopped:
            return
        undated, found, before = Refusals(), 0, progress.deleted[name]
        async for part in late.survey(self.pool, walk, cells):
            if part.undated:
                undated.add(name, part.sample, part.undated)
                progress.add_undated(part.sample, part.undated)
            if self.dry_run:
                after = max(part.after, walk["walked"])
                await self._foretell({**walk, "after": after, "bound": part.last}, part.late)
                continue
            found += part.late
            if part.late:
                await self._delete({**walk, "bound": part.last}, key, part.after)
            elif not self._is_late(key, part.last):
                progress.resume_after[key] = part.last
                progress.stopped = not await self._may_go_on()
            if progress.stopped:
                return
        # What was left may be free soon, and the same words are to find it then.
        if self.on_survey is not None and progress.deleted[name] - before >= found:
            async with self.pool.connection() as conn, transaction(conn):
                sample = tuple(i for group in undated.list_groups() for i in group.sample)
                await self.on_survey(conn, late.Surveyed(wanted, undated.count, sample))

    async def _foretell(self, walk: dict[str, Any], old: int) -> None:
        """Of these old jobs, which go and which stay."""
        stay = await self.keys.count(self.pool, walk, self.progress.refusals) if old else 0
        self.progress.deleted += Counter({walk["status"]: old - stay})

    async def _may_go_on(self) -> bool:
        if self.on_batch is None:
            return True
        async with self.pool.connection() as conn, transaction(conn):
            return await self.on_batch(conn, self.progress.counts())

    def _is_late(self, key: str, after: int) -> bool:
        """Whether the time is used up; the next run then goes on after this id."""
        if self.deadline is None or time.monotonic() < self.deadline:
            return False
        self.progress.stopped = True
        self.progress.resume_after[key] = after
        return True

    async def _delete(self, walk: dict[str, Any], key: str, after: int) -> None:
        progress, size, least = self.progress, FIRST_BATCH, SMALLEST_BATCH
        while True:
            begun = time.monotonic()
            if self._is_late(key, after):
                return
            try:
                batch = await self._delete_batch({**walk, "after": after, "limit": size})
            except pg.QueryCanceled as exc:
                if size > 1 and is_timeout(exc):
                    size = least = max(1, size // 10)
                    continue
                reason = describe_slow(exc, progress.slow)
                async with self.pool.connection() as conn, transaction(conn):
                    query = load_queries("purge")["list_finished_batch"]
                    given = {**walk, "after": after, "limit": 1}
                    for row in await fetch_all(conn, query, given):
                        after = row["id"]
                        progress.refusals.add(reason, [after])
                progress.slow += 1
                size, least = FIRST_BATCH, SMALLEST_BATCH
                continue
            after = after if batch.last is None else batch.last
            if not batch.go_on:
                progress.stopped = True
                progress.resume_after[key] = after
                return
            if batch.looked_at < size:
                progress.resume_after[key] = walk["bound"]
                return
            took = max(time.monotonic() - begun, 1e-3)
            size = max(least, min(LARGEST_BATCH, round(size * BATCH_SECONDS / took)))

    async def _delete_batch(self, params: dict[str, Any]) -> Batch:
        pool, progress, on_batch = self.pool, self.progress, self.on_batch
        patience = STATEMENT_TIMEOUT if params["limit"] == 1 else SLOW_BATCH

        async def delete(*, careful: bool) -> Batch:
            return await delete_batch(
                pool, params, progress, on_batch, careful=careful, patience=patience
            )

        try:
            return await delete(careful=progress.careful)
        except (pg.LockNotAvailable, pg.DeadlockDetected, pg.SerializationFailure):
            return await delete(careful=True)
        except psycopg.Error as exc:
            if not is_refusal(exc) or progress.careful:
                raise
            progress.careful = True
            return await delete(careful=True)
