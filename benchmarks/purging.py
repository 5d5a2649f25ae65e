"""The purge against the built-in one and one bare DELETE."""

from __future__ import annotations

import functools
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from benchmarks.measure import Bench, Result, at_least, at_most, count_buffers, paired, time_of
from benchmarks.reading import open_both
from jobs_maint.database import Conn, Pool, open_pool
from jobs_maint.operations.purge import late
from jobs_maint.operations.purge.batches import Retention, purge_finished_jobs

DAY = timedelta(days=1)
MONTH = Retention({"succeeded": 30 * DAY}, audit=None)
_SLICE = """
    SELECT id, (SELECT max(e.at) FROM procrastinate_events e WHERE e.job_id = j.id) AS at,
           now() AS now
    FROM procrastinate_jobs j WHERE status = 'succeeded' ORDER BY id OFFSET {} LIMIT 1"""


def find_slice(bench: Bench, rows: int) -> dict[str, Any]:
    """The id up to which and the time before which about so many succeeded jobs lie."""
    with bench.server.connect(bench.database) as conn:
        found = conn.execute(_SLICE.format(rows)).fetchone()
    if found is None:
        raise LookupError("the table has no old jobs left; it needs more rows")
    return dict(found)


def only_succeeded(found: dict[str, Any]) -> Retention:
    return Retention({"succeeded": found["now"] - found["at"]}, audit=None)


async def measure_nothing(bench: Bench) -> list[Result]:
    """The boundary where the succeeded jobs begin: only failed ones, all kept, lie before it."""
    first = bench.ask(
        "SELECT min(e.at) FROM procrastinate_events e WHERE e.job_id ="
        " (SELECT id FROM procrastinate_jobs WHERE status = 'succeeded' ORDER BY id LIMIT 1)"
    )
    kept = 60 * bench.shape.failed_per_day
    target = 250 if bench.shape.rows > 5e6 else 200
    results = []

    async def run(pool: Pool, now: datetime) -> int:
        by_status = dict.fromkeys(("succeeded", "cancelled", "aborted"), 30 * DAY)
        retention = Retention({**by_status, "failed": 90 * DAY}, 400 * DAY)
        return (await purge_finished_jobs(pool, retention, now=now)).total

    at_once = f"purge with nothing to delete, {kept:,} kept failed rows before the bound"
    later = "the same an hour later: jobs that began before the bound and ended after it"
    for after, work in ((timedelta(), at_once), (DAY / 24, later)):
        now = first + 30 * DAY + after
        async with open_pool(bench.url) as pool:
            while await run(pool, now):
                pass
        bench.run("VACUUM ANALYZE procrastinate_jobs", "VACUUM ANALYZE procrastinate_events")
        async with open_pool(bench.url) as pool:
            await run(pool, now)
        found = await count_buffers(bench, lambda pool, now=now: run(pool, now), "procrastinate%")
        results.append(
            Result("nothing", work, f"{found:,} buffers")
            if after
            else at_most("nothing", work, found, target, " buffers")
        )
    return results


async def _committed(conn: Conn, work: Awaitable[Any]) -> None:
    await work
    await conn.commit()


async def measure_night(bench: Bench) -> list[Result]:
    night = bench.shape.night
    async with open_both(bench) as (pool, app):

        def rows() -> int:
            return int(bench.ask("SELECT count(*) FROM procrastinate_jobs"))

        async def per_row(work: Awaitable[Any], before: int) -> float:
            seconds = await time_of(work)
            return seconds / max(before - rows(), 1)

        async def ours() -> float:
            found = find_slice(bench, night)
            run = purge_finished_jobs(pool, MONTH, now=found["at"] + 30 * DAY, trim=False)
            return await per_row(run, rows())

        async def bare() -> float:
            query = f"DELETE FROM procrastinate_jobs WHERE id < {find_slice(bench, night)['id']}"
            async with pool.connection() as conn:
                work = conn.execute(f"{query} AND status = 'succeeded'".encode())
                return await per_row(_committed(conn, work), rows())

        async def built_in() -> float:
            found = find_slice(bench, night)
            hours: Any = (found["now"] - found["at"]).total_seconds() / 3600
            return await per_row(app.job_manager.delete_old_jobs(nb_hours=hours), rows())

        looking = await _measure_survey(bench, pool)
        rounds = 2 if bench.shape.rows > 5e6 else 5
        works = {"ours": ours, "bare": bare, "built-in": built_in}
        taken = await paired(works, rounds, bench.vacuum)
    times = ", ".join(f"{name} {seconds * night:.2f} s" for name, seconds in taken.items())
    work = f"purge of the oldest {night:,}"
    return [
        at_least(
            "night", f"{work}, against `delete_old_jobs`", taken["built-in"] / taken["ours"],
            40 if bench.shape.rows > 5e6 else 8, times,
        ),
        at_most("night", f"{work}, against one bare DELETE", taken["ours"] / taken["bare"], 1.3),
        looking,
    ]  # fmt: skip


async def _measure_survey(bench: Bench, pool: Pool) -> Result:
    """What a night pays once, whatever it deletes; from then on it counts as done."""
    now = bench.ask("SELECT now()")
    run = functools.partial(purge_finished_jobs, pool, MONTH, dry_run=True)
    async with pool.connection() as conn:
        turn = await late.choose_turn(conn, now, late.NIGHT)
    first = now - 60 * DAY  # nothing is as old: the purge looks at all that there is
    with_it = await paired({"survey": lambda: time_of(run(now=first))}, 5)
    done = late.Surveyed(late.Survey("succeeded", (30 * DAY).total_seconds(), None, 1, 0), 0, ())
    with bench.server.connect(bench.database) as session:
        session.execute(
            "INSERT INTO jobs_maint_audit (actor_kind, actor_id, word, action, outcome, items,"
            " started_at) VALUES ('task', 'bench', 'purge', 'purge', 'done', %s, %s)",
            (Jsonb([done.item()]), now + 365 * DAY),
        )
    without = await paired({"survey": lambda: time_of(run(now=first))}, 5)
    seconds = with_it["survey"] - without["survey"]
    jobs = bench.ask("SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'")
    share = jobs // turn.turns
    return Result(
        "night",
        f"the look behind younger jobs, once a night: {share:,} jobs",
        f"{seconds:.2f} s",
        detail=f"{1e6 * seconds / share:.1f} µs a job; a purge without it"
        f" {without['survey']:.3f} s",
    )
