"""What a worker feels: how soon it picks a job up while a purge runs, and what a success costs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import procrastinate
import psycopg

import jobs_maint
from benchmarks.measure import Bench, Result, at_most, percentile
from benchmarks.purging import find_slice, only_succeeded
from benchmarks.reading import open_both
from benchmarks.server import perform_one
from jobs_maint.actions import ApplySchema
from jobs_maint.operations.purge.batches import purge_finished_jobs
from jobs_maint.settings import MaintSettings

ROOT = Path(__file__).parents[1]
PER_SECOND = 40
PHASE_SECONDS = 3.5
"""Three of these purge 800,000 rows; a table of two millions has not many more that may go."""
NIGHT = 15_000
LEAST_ROWS = 1_000_000
"""A purge of a smaller table is over before a worker feels it."""
OF_A_BEAT = ("jobs_maint_workers", "set_config")
_PICK_UPS = """
    SELECT extract(epoch FROM s.at - d.at) * 1000 AS ms
    FROM procrastinate_events d
    JOIN procrastinate_events s ON s.job_id = d.job_id AND s.type = 'started'
    WHERE d.type = 'deferred' AND d.job_id = ANY (%s)"""


def environment(url: str) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return {**os.environ, "JOB_QUEUE_DATABASE_URL": url, "PYTHONPATH": path}


@asynccontextmanager
async def running_worker(bench: Bench) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.worker", env=environment(bench.url), cwd=ROOT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await asyncio.sleep(3)
        yield
    finally:
        process.terminate()
        await process.wait()


async def measure_pick_up(bench: Bench) -> list[Result]:
    """Jobs come evenly, fewer than the worker can take; their events tell how long they wait."""
    if bench.shape.rows < LEAST_ROWS:
        return [Result("pick-up", f"a worker's pick-up: measured from {LEAST_ROWS:,} rows on", "")]
    # Each fetch of a worker reads the jobs scheduled ahead: they would set the pace, not the purge.
    bench.run("DELETE FROM procrastinate_jobs WHERE status = 'todo'")
    bench.vacuum()
    found: dict[str, list[float]] = {"idle": [], "ours": [], "built-in": []}
    async with open_both(bench) as (pool, app), running_worker(bench):

        async def ours() -> None:
            part = find_slice(bench, NIGHT)
            await purge_finished_jobs(pool, only_succeeded(part), now=part["now"], trim=False)

        async def built_in() -> None:
            part = find_slice(bench, NIGHT)
            hours: Any = (part["now"] - part["at"]).total_seconds() / 3600
            await app.job_manager.delete_old_jobs(nb_hours=hours)

        async def idle() -> None:
            await asyncio.sleep(PHASE_SECONDS)

        works: dict[str, Callable[[], Awaitable[None]]] = {
            "idle": idle, "ours": ours, "built-in": built_in,
        }  # fmt: skip
        for number in range(3):
            names = list(works)[number:] + list(works)[:number]
            for name in names:
                found[name] += await _phase(bench, app, works[name])
                bench.vacuum()
    tails = {name: percentile(times, 0.95) for name, times in found.items()}
    detail = ", ".join(
        f"{name} {tails[name]:.1f} ms (median {statistics.median(times):.1f}, {len(times)} jobs)"
        for name, times in found.items()
    )
    work = "a worker's pick-up, p95, while the purge runs"
    return [
        at_most("pick-up", f"{work}, against that while `delete_old_jobs` runs",
                tails["ours"] / tails["built-in"], 1, detail=detail),
        at_most("pick-up", f"{work}, against that without a purge",
                tails["ours"] / tails["idle"], 2),
    ]  # fmt: skip


async def _phase(
    bench: Bench, app: procrastinate.App, work: Callable[[], Awaitable[None]]
) -> list[float]:
    """Pick-up times of the jobs deferred while the work went on."""
    ids: list[int] = []
    going = True

    async def repeat() -> None:
        nonlocal going
        deadline = time.monotonic() + PHASE_SECONDS
        try:
            while time.monotonic() < deadline:
                await work()
        finally:
            going = False

    task = asyncio.create_task(repeat())
    quick = app.configure_task("bench.quick", queue="bench")
    while going and not task.done():
        ids.append(await quick.defer_async())
        await asyncio.sleep(1 / PER_SECOND)
    await task
    await asyncio.sleep(1)
    with bench.server.connect(bench.database) as conn:
        return [float(row["ms"]) for row in conn.execute(_PICK_UPS, (ids,)).fetchall()]


async def measure_recorder(bench: Bench) -> list[Result]:
    """Statements on the recorder's connection, which is the only synchronous one of a worker."""
    statements: list[str] = []
    patched = psycopg.Cursor.execute

    def execute(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        if "procrastinate_jobs" not in str(query):
            statements.append(str(query))
        return patched(self, query, *args, **kwargs)

    async def work(jobs: int) -> None:
        app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=bench.url))
        jobs_maint.register(app, MaintSettings(beat=timedelta(minutes=1)))
        app.task(name="bench.quick", queue="recorded")(_nothing)
        async with app.open_async():
            await app.configure_task("bench.quick", queue="recorded").batch_defer_async(
                *({} for _ in range(jobs))
            )
            statements.clear()
            await app.run_worker_async(
                queues=["recorded"], wait=False, install_signal_handlers=False,
                listen_notify=False, concurrency=4,
            )  # fmt: skip
        await asyncio.sleep(0.5)

    psycopg.Cursor.execute = execute  # type: ignore[method-assign]
    try:
        await work(10)
        await work(300)
    finally:
        psycopg.Cursor.execute = patched  # type: ignore[method-assign]
    beats = sum("jobs_maint_workers" in text for text in statements)
    others = [text for text in statements if not any(word in text for word in OF_A_BEAT)]
    return [
        at_most(
            "recorder", "recorder: statements of 300 successes", len(others), 0, " statements",
            f"beats come by time, not by job: {beats} in this run",
        )
    ]  # fmt: skip


async def _nothing() -> None:
    return None


async def measure_process(bench: Bench) -> list[Result]:
    """The whole process from its start to its end, on a small table."""
    with contextlib.suppress(psycopg.errors.DuplicateDatabase):
        bench.server.connect().execute("CREATE DATABASE small")
    url = bench.server.url("small")
    await perform_one(url, ApplySchema())
    with bench.server.connect("small") as conn:
        conn.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
            " SELECT 'queue_' || i % 8, 'app.task', 'succeeded' FROM generate_series(1, 200) AS i"
        )
    built_in = [sys.executable, "-m", "procrastinate"]
    words = b"list_queues\nexit\n"
    commands = {
        "stats": ([sys.executable, "-m", "jobs_maint", "stats"], None),
        "queue-stats.sh": ([str(ROOT / "scripts/jobs/queue-stats.sh")], None),
        "built-in": ([*built_in, "--app=benchmarks.worker.app", "shell"], words),
        "built-in, an app of nothing": (
            [*built_in, "--app=benchmarks.bare.app", "shell"],
            words,
        ),
    }
    folder = tempfile.mkdtemp(prefix="bench")
    command_file = Path(folder) / "jobs-maint"
    command_file.write_text(
        f"#!{sys.executable}\nimport sys\nfrom jobs_maint.__main__ import main\nsys.exit(main())\n"
    )
    command_file.chmod(0o755)
    path = os.pathsep.join([folder, os.environ["PATH"]])
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(7):
        for name, (command, typed) in commands.items():
            begun = time.perf_counter()
            process = await asyncio.create_subprocess_exec(
                *command, env={**environment(url), "PATH": path}, cwd=ROOT, stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )  # fmt: skip
            _, complaint = await process.communicate(typed)
            if process.returncode:
                raise RuntimeError(complaint.decode())
            taken[name].append(time.perf_counter() - begun)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    detail = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in medians.items())
    shutil.rmtree(folder)
    works = {
        "`jobs-maint stats`, the whole process": "stats",
        "`queue-stats.sh`, the whole process": "queue-stats.sh",
    }
    results = []
    for work, name in works.items():
        like = f"{work}, against `procrastinate shell list_queues` with the app of a team"
        ratio = medians[name] / medians["built-in"]
        results.append(at_most("process", like, ratio, 1, detail=detail))
        least = f"{work}, against the same with an app that has no task"
        ratio = medians[name] / medians["built-in, an app of nothing"]
        results.append(Result("process", least, f"{ratio:.2f}×"))
    return results
