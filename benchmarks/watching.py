"""What runs by itself: a pass of the watch for incidents, beside an idle database, and a digest."""

from __future__ import annotations

import json
import os
import statistics
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.measure import Bench, Result, at_most, count_buffers
from benchmarks.server import perform_one
from jobs_maint.actions import (
    Actor,
    DigestPlan,
    Limits,
    OpenDigest,
    RescueStalled,
    WatchIncidents,
)
from jobs_maint.database import Pool, open_pool
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings

PASSES = 50
SETTINGS = MaintSettings()
LIMITS = Limits(digests=(DigestPlan("team", "0 9 * * 1-5", "Europe/Berlin"),))
_WORKERS = """
    INSERT INTO jobs_maint_workers (worker_id, host, pid, recorder_version, delete_jobs,
                                    beat_seconds, job_ids, crons)
    SELECT n, 'web-' || n, n, '1', 'never', 600, '{{}}', '{crons}'
    FROM generate_series(1, 20) AS n ON CONFLICT DO NOTHING"""


async def one_pass(pool: Pool) -> None:
    watch = WatchIncidents("bench", LIMITS)
    report = await perform(pool, Actor.task("bench"), watch, settings=SETTINGS)
    assert report is not None, "another has the watch"
    assert report.complete, "something could not be looked at"


def _cpu_of(pid: int) -> float:
    """Seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure_watch(bench: Bench) -> list[Result]:
    """With twenty workers of thirty periodic tasks."""
    crons = json.dumps([[f"app.tasks.task_{n}", "", f"{n} * * * *"] for n in range(30)])
    bench.run(_WORKERS.format(crons=crons))
    await perform_one(bench.url, RescueStalled())  # the groups
    found = await count_buffers(bench, one_pass)
    # Later passes have counted the weeks before, and nothing is wrong.
    bench.run(
        "UPDATE jobs_maint_watch SET memory = jsonb_set(memory, '{noted,0}',"
        " to_jsonb(now() - interval '20 days'))",
        "DELETE FROM jobs_maint_incidents",
    )
    later = await count_buffers(bench, one_pass)
    async with open_pool(bench.url, max_size=1) as pool:
        async with pool.connection() as conn:
            server = conn.info.backend_pid
        taken, cpu, ours = [], _cpu_of(server), time.process_time()
        for _ in range(PASSES):
            begun = time.perf_counter()
            await one_pass(pool)
            taken.append(1e3 * (time.perf_counter() - begun))
        cpu, ours = (1e3 * used / PASSES for used in (_cpu_of(server) - cpu,
                                                      time.process_time() - ours))  # fmt: skip
    day = bench.ask(
        "SELECT count(*) FROM procrastinate_events"
        " WHERE type = 'failed' AND at > now() - interval '1 day'"
    )
    groups = bench.ask("SELECT count(*) FROM jobs_maint_groups")
    bench.run("DELETE FROM jobs_maint_workers")
    work = f"a pass of the watch, {day:,} failures a day in {groups:,} groups"
    detail = f"{cpu:.0f} ms of CPU in the server, {ours:.0f} ms in the bot"
    return [
        at_most("watch", f"the first pass: {work}", found, 2_000, " buffers"),
        at_most("watch", work, later, 2_000, " buffers"),
        at_most("watch", f"{work}, in time", statistics.median(taken), 30, " ms", detail),
    ]


async def measure_digest(bench: Bench) -> list[Result]:
    """The window of a day, by all statements from its opening to the finished summary."""
    await perform_one(bench.url, RescueStalled())  # the groups
    counts: list[tuple[int, int]] = []

    async def open_window(pool: Pool) -> None:
        asked = OpenDigest("bench", timedelta(days=1), "key", groups=10)
        report = await perform(pool, Actor.task("bench"), asked, settings=SETTINGS)
        assert report is not None, "no window is due"
        counts.append((report.failed, len(report.groups) + report.groups_not_shown))

    found = await count_buffers(bench, open_window)
    bench.run("DELETE FROM jobs_maint_digests WHERE name = 'bench'")
    [(failed, groups)] = counts
    work = f"a digest of a day, {failed:,} failures in {groups:,} groups"
    return [at_most("digest", work, found, 15_000, " buffers")]
