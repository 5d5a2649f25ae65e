"""Long runs, in `make soak` only: what a storm of failures does to workers and tables."""

from __future__ import annotations

import resource
import time

import pytest
from tests.acceptance.test_workers import Queue

STORM = 20_000

pytestmark = pytest.mark.soak


@pytest.fixture
def queue(processes, database_url):
    opened = Queue(processes, database_url)
    yield opened
    opened.close()


def run_storm(queue: Queue, *, recorder: bool) -> tuple[float, float]:
    """One worker through 20 000 failures; returns its CPU and wall seconds."""
    queue.execute("TRUNCATE procrastinate_jobs, procrastinate_events CASCADE")
    queue.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
        " SELECT 'storm', 'storm', jsonb_build_object('number', n)"
        f" FROM generate_series(1, {STORM}) AS n"
    )
    queue.execute("ANALYZE procrastinate_jobs")
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    settings = {"TEST_REGISTER": "true" if recorder else "false"}
    worker = queue.worker("storm", concurrency=20, wait=False, settings=settings)
    assert worker.wait(timeout=900) == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.monotonic() - begun


def test_twenty_thousand_failures_leave_small_tables_and_every_one_is_recorded(queue, capsys):
    runs: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for recorder in (False, True, False, True):
        runs[recorder].append(run_storm(queue, recorder=recorder))
        failed = queue.one("SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'")
        assert failed == STORM
    assert queue.one("SELECT count(*) FROM jobs_maint_failures") == 2 * STORM
    # A hundred tracebacks an hour; the runs may reach over a full hour, twice.
    kept = queue.one("SELECT count(*) FROM jobs_maint_failures WHERE traceback_hash IS NOT NULL")
    assert 100 <= kept <= 300
    size = queue.one(
        "SELECT pg_total_relation_size('jobs_maint_failures')"
        " + pg_total_relation_size('jobs_maint_tracebacks')"
    )
    assert size / (2 * STORM) < 512  # bytes a failure
    with capsys.disabled():
        for recorder, pairs in runs.items():
            for cpu, wall in pairs:
                print(
                    f"\n  recorder {'on ' if recorder else 'off'}: {STORM} failures,"
                    f" {1e3 * cpu / STORM:.2f} ms CPU each, {STORM / wall:.0f} a second",
                    end="",
                )
        print(f"\n  our tables: {size / (2 * STORM):.0f} bytes a failure")
