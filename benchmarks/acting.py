"""Sets of jobs put back, and what our indexes cost a job that passes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from benchmarks.measure import Bench, Result, at_least, at_most, paired, time_of
from benchmarks.reading import open_both
from jobs_maint.actions import BulkVerb
from jobs_maint.operations.schema.indexes import list_indexes
from jobs_maint.operations.sets.batches import run_set

BARE = """
    UPDATE procrastinate_jobs
    SET status = 'todo', abort_requested = false, worker_id = NULL, scheduled_at = NULL
    WHERE id = ANY (%s) AND status = 'failed'"""


async def measure_put_back(bench: Bench) -> list[Result]:
    size = min(5_000, bench.shape.rows // 100)
    one_by_one = size // 5

    def take(number: int) -> list[int]:
        with bench.server.connect(bench.database) as conn:
            rows = conn.execute(
                "SELECT id FROM procrastinate_jobs WHERE status = 'failed'"
                " ORDER BY hashint8extended(id, 5) LIMIT %s",
                (number,),
            ).fetchall()
        return sorted(row["id"] for row in rows)

    async with open_both(bench) as (pool, app):

        async def ours() -> float:
            work = run_set(pool, BulkVerb.RETRY, take(size), words="retry --all", audit_id=1)
            return await time_of(work) / size

        async def bare() -> float:
            ids = take(size)

            async def update() -> None:
                async with pool.connection() as conn:
                    await conn.execute(BARE, (ids,))

            return await time_of(update()) / size

        async def built_in() -> float:
            ids = take(one_by_one)
            now = datetime.now(UTC)

            async def retry() -> None:
                for job_id in ids:
                    await app.job_manager.retry_job_by_id_async(job_id, now)

            return await time_of(retry()) / len(ids)

        taken = await paired({"ours": ours, "bare": bare, "built-in": built_in}, 3, bench.vacuum)
    bench.run("DELETE FROM jobs_maint_audit_items")
    times = ", ".join(f"{name} {seconds * size:.2f} s" for name, seconds in taken.items())
    work = f"put {size:,} failed back, fsync on"
    return [
        at_least(
            "put-back", f"{work}, against `retry_job_by_id` one by one",
            taken["built-in"] / taken["ours"], 15, times,
        ),
        at_most("put-back", f"{work}, against the bare UPDATE", taken["ours"] / taken["bare"], 2),
    ]  # fmt: skip


_JOB = """
    DO $$ DECLARE _job procrastinate_jobs; BEGIN
    FOR _i IN 1..{jobs} LOOP
        PERFORM procrastinate_defer_jobs_v1(ARRAY[ROW('queue_' || _i % 8, 'app.tasks.task_1', 9,
            NULL, NULL, '{{"user_id": 17, "template": "letter"}}'::jsonb, NULL)
            ::procrastinate_job_to_defer_v1]);
        COMMIT;
        _job := procrastinate_fetch_job_v2(NULL, NULL);
        COMMIT;
        PERFORM procrastinate_finish_job_v1(_job.id, 'succeeded', false);
        COMMIT;
    END LOOP; END $$"""


async def measure_wal(bench: Bench) -> list[Result]:
    """Bytes a job writes from its defer to its end; the last measurement: the indexes go."""
    jobs = 3_000

    def passing() -> float:
        # Procrastinate's workers take what is due first; only these jobs are.
        bench.run("CHECKPOINT", _JOB.format(jobs=500))
        before: Any = bench.ask("SELECT pg_current_wal_insert_lsn()")
        bench.run(_JOB.format(jobs=jobs))
        query = "SELECT pg_current_wal_insert_lsn() - %(before)s::pg_lsn"
        return float(bench.ask(query, {"before": before})) / jobs

    bench.vacuum()
    with_ours = passing()
    sizes = bench.ask(
        "SELECT sum(pg_relation_size(to_regclass(name))) FROM unnest(%(names)s::text[]) AS name",
        {"names": [name for name, _ in list_indexes()]},
    )
    bench.run(*(f"DROP INDEX {name}" for name, _ in list_indexes()))
    without = passing()
    detail = f"{with_ours:,.0f} bytes a job, {without:,.0f} without; {sizes / 2**20:,.0f} MB"
    work = "all our indexes: WAL of defer, fetch and finish against that without them"
    return [at_most("wal", work, with_ours / without, 1.2, detail=detail)]
