"""`stats` where many failures are not counted into the memory of groups yet."""

from __future__ import annotations

from unittest.mock import AsyncMock, patch

from benchmarks.measure import Bench, Result, at_most, time_of
from jobs_maint.actions import Actor, ShowStats
from jobs_maint.database import Pool, open_pool
from jobs_maint.operations.failures.memory import Collected, collect_groups
from jobs_maint.operations.stats import perform as stats
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings

UNLIKE = 20_000
CALLS = 3
MOST_MS = 1_000
"""It is the first word that somebody types who was woken."""
_FLOOD = (
    """
    CREATE TEMP TABLE flood AS
    SELECT n, nextval('procrastinate_jobs_id_seq') AS id,
           now() - interval '50 minutes' + n * interval '100 milliseconds' AS at
    FROM generate_series(1, %(unlike)s) AS n""",
    "SET session_replication_role = replica",
    """
    INSERT INTO procrastinate_jobs (id, queue_name, task_name, status, attempts)
    SELECT id, 'queue_1', 'app.tasks.task_1', 'failed', 1 FROM flood""",
    """
    INSERT INTO procrastinate_events (job_id, type, at)
    SELECT id, type::procrastinate_job_event_type, at
    FROM flood, unnest(ARRAY['deferred', 'started', 'failed']) AS type""",
    """
    INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,
                                     exception_type, message, fingerprint, will_retry)
    SELECT id, 1, 'queue_1', 'app.tasks.task_1', at, 'error', 'ValueError',
           'no ' || translate(md5(n::text), '0123456789', 'ghijklmnop'), '2:' || md5(n::text), false
    FROM flood ORDER BY n""",
    "ANALYZE",
)
_FORGET = "TRUNCATE jobs_maint_groups; UPDATE jobs_maint_collected SET last_failure_id = 0"


async def measure_memory_of_groups(bench: Bench) -> list[Result]:
    async with open_pool(bench.url) as pool:
        await remember_all(pool)
        _flood(bench)
        results = await _measure(pool, f"{UNLIKE:,} unlike failures of this hour not counted yet")
        bench.run(_FORGET)
        kept = bench.ask("SELECT count(*) FROM jobs_maint_failures")
        results += await _measure(pool, f"none of {kept:,} failures counted yet")
        await remember_all(pool)
    return results


async def remember_all(pool: Pool) -> None:
    found = Collected(finished=False)
    while not found.finished:
        async with pool.connection() as conn:
            found = await collect_groups(conn)


def _flood(bench: Bench) -> None:
    with bench.server.connect(bench.database) as conn:
        for statement in _FLOOD:
            conn.execute(statement.replace("%(unlike)s", str(UNLIKE)))


async def _measure(pool: Pool, state: str) -> list[Result]:
    async def ask() -> None:
        await perform(
            pool, Actor.shell("bench", "localhost"), ShowStats(), settings=MaintSettings()
        )

    with patch.object(stats, "remember_groups", AsyncMock()):
        await ask()
        without = 1e3 * min([await time_of(ask()) for _ in range(CALLS)])
    taken = [1e3 * await time_of(ask()) for _ in range(CALLS)]
    detail = (
        f"the next calls {', '.join(f'{ms:.0f}' for ms in taken[1:])} ms; without {without:.0f} ms"
    )
    work = f"`stats`, the first call, {state}"
    return [at_most("groups", work, taken[0], MOST_MS, " ms", detail)]
