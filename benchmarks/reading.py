"""`stats`, `failed` and `errors` against the built-ins and bare SQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import procrastinate

from benchmarks.measure import (
    Bench,
    Result,
    Timed,
    at_least,
    at_most,
    count_buffers,
    paired,
    time_of,
)
from benchmarks.server import perform_one
from jobs_maint.actions import RescueStalled
from jobs_maint.database import Conn, Pool, fetch_all, open_pool, transaction
from jobs_maint.operations.failures.groups import list_errors
from jobs_maint.operations.failures.newest import list_failed_jobs
from jobs_maint.operations.stats import counts
from jobs_maint.operations.stats.counts import count_jobs
from jobs_maint.operations.stats.queues import get_stats

COUNTS = "SELECT queue_name, status, count(*) FROM procrastinate_jobs GROUP BY 1, 2"
_TOUCH = "UPDATE procrastinate_jobs SET attempts = attempts WHERE "
NEWEST = "id > (SELECT id FROM procrastinate_jobs ORDER BY id DESC OFFSET {} LIMIT 1)"
ESTIMATES = 20
SCATTERED = "hashint8extended(id, 7) & 1023 < 102"


@asynccontextmanager
async def open_both(bench: Bench) -> AsyncIterator[tuple[Pool, procrastinate.App]]:
    """Our pool, and an app with the built-in job manager."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=bench.url))
    async with open_pool(bench.url) as pool, app.open_async():
        yield pool, app


def in_transaction(pool: Pool, work: Callable[[Conn], Awaitable[Any]]) -> Timed:
    async def once() -> None:
        async with pool.connection() as conn, transaction(conn):
            await work(conn)

    return lambda: time_of(once())


async def measure_stats(bench: Bench) -> list[Result]:
    results = []
    async with open_both(bench) as (pool, app):

        async def built_in() -> float:
            return await time_of(app.job_manager.list_queues_async())

        works: dict[str, Timed] = {
            "ours": in_transaction(
                pool, lambda conn: get_stats(conn, queue=None, maintenance_queue="maintenance")
            ),
            "its counts": in_transaction(pool, lambda conn: count_jobs(conn, None)),
            "bare": in_transaction(pool, lambda conn: fetch_all(conn, COUNTS)),
        }
        large = bench.shape.rows > 5e6
        newest = NEWEST.format(bench.shape.rows // 10)
        for state, touched in (
            ("vacuumed", None),
            ("the newest 10 % of the rows freshly updated", newest),
            ("10 % of the rows freshly updated, on every page of the table", SCATTERED),
        ):
            if touched is not None:
                bench.run("SET session_replication_role = replica", _TOUCH + touched)
            for work in works.values():
                await work()
            taken = await paired({**works, "built-in": built_in}, 2 if large else 5)
            detail = ", ".join(f"{name} {seconds * 1e3:.0f} ms" for name, seconds in taken.items())
            detail += await describe_estimate(pool)
            faster, slower = taken["built-in"] / taken["ours"], taken["ours"] / taken["bare"]
            work = f"`stats`, {state}, against `list_queues_async`"
            if touched is None:
                like = f"the counts of `stats`, {state}, all that `list_queues_async` gives"
                alone = taken["built-in"] / taken["its counts"]
                results.append(at_least("stats", like, alone, 20 if large else 15))
            results += [
                at_least("stats", work, faster, 20 if large else 15, detail),
                at_most("stats", f"`stats`, {state}, against the bare counts", slower, 1.5),
            ]
            bench.run("VACUUM ANALYZE procrastinate_jobs")
        results.append(await measure_estimate(pool))
        bench.run("DELETE FROM jobs_maint_hours")
        taken = await paired({"ours": works["ours"], "bare": works["bare"]}, 2 if large else 5)
        work = "`stats`, vacuumed, where no rescue has noted what ended, against the bare counts"
        found = f"{taken['ours'] / taken['bare']:.2f}×"
        results.append(Result("stats", work, found, detail=f"ours {taken['ours'] * 1e3:.0f} ms"))
        await perform_one(bench.url, RescueStalled())
    return results


async def describe_estimate(pool: Pool) -> str:
    async with pool.connection() as conn, transaction(conn):
        found = await count_jobs(conn, None)
    return "; large groups estimated" if found.estimated else "; exact"


async def measure_estimate(pool: Pool) -> Result:
    """How far an estimate is off, whether or not this table is counted exactly."""
    off = 0.0
    async with pool.connection() as conn, transaction(conn):
        await fetch_all(conn, "SELECT set_config('statement_timeout', '0', true)")
        with patch.multiple(counts, SMALL_TABLE=2**62, LARGE_TABLE=2**62, EXACT_LIMIT="1h"):
            exact = await count_jobs(conn, None)
        assert not exact.estimated
        least = sum(exact.jobs.values()) / 100
        with patch.multiple(counts, SMALL_TABLE=0, LARGE_TABLE=0):
            for _ in range(ESTIMATES):
                found = (await count_jobs(conn, None)).jobs
                off = max(
                    off,
                    *(abs(found[g] / jobs - 1) for g, jobs in exact.jobs.items() if jobs > least),
                )
    work = f"the estimate of `stats`: the group over 1 % that is furthest off, in {ESTIMATES} runs"
    return at_most("stats", work, 100 * off, 5, " %")


async def measure_failed(bench: Bench) -> list[Result]:
    async with open_both(bench) as (pool, app):
        ours = in_transaction(pool, list_failed_jobs)
        failed = bench.ask("SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'")

        async def built_in() -> float:
            return await time_of(app.job_manager.list_jobs_async(status="failed"))

        await ours()
        fast = await paired({"ours": ours}, 9)
        slow = await paired({"built-in": built_in}, 1)
    whole = await count_buffers(bench, lambda pool: in_transaction(pool, list_failed_jobs)())
    return [
        at_least(
            "failed", "newest 20 failures with their errors, against `list_jobs_async(failed)`",
            slow["built-in"] / fast["ours"], 100,
            f"{fast['ours'] * 1e3:.0f} ms, {slow['built-in'] * 1e3:.0f} ms",
        ),
        at_most(
            "failed", f"newest 20 failures with their errors, {failed:,} failed jobs kept",
            whole, 300, " buffers",
        ),
    ]  # fmt: skip


async def measure_errors(bench: Bench) -> list[Result]:
    day = timedelta(hours=24)

    async def ours(pool: Pool) -> None:
        await in_transaction(pool, lambda c: list_errors(c, queue=None, since=day, limit=10))()

    found = await count_buffers(bench, ours)
    kept = bench.ask("SELECT count(*) FROM jobs_maint_failures")
    window = bench.ask(
        "SELECT count(*) FROM jobs_maint_failures WHERE failed_at > now() - interval '24 hours'"
    )
    work = f"`errors --since 24h`, {kept:,} failures kept, {window:,} in the window"
    return [at_most("errors", work, found, 10_000, " buffers")]
