"""Answers about huge jobs: the work is bounded, and the event loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from jobs_maint.actions import Actor, GetJob, ListErrors, ListFailed, ShowDigest
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "host")
MOST_SHOWN = 500_000
"""Characters in one answer, and so the work of hiding what is secret in it."""
HELD = 0.5
"""Seconds; ten times what is promised, for a machine that others use too."""


async def ask(pool, action):
    return await perform(pool, ANA, action, settings=MaintSettings())


@asynccontextmanager
async def watched():
    """Yields the longest time for which nothing else ran in the event loop."""
    longest = [0.0]

    async def tick() -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(0.005)
            now = time.monotonic()
            longest[0] = max(longest[0], now - before - 0.005)
            before = now

    task = asyncio.create_task(tick())
    try:
        yield longest
    finally:
        task.cancel()


async def test_a_job_with_5000_attempts_is_shown_with_the_newest(pool, make_job, conn):
    job = await make_job(status="failed", recorded=False, deferred_ago=timedelta(hours=2))
    await conn.execute("INSERT INTO jobs_maint_tracebacks (hash, body) "
        "SELECT decode(md5(n::text), 'hex'),"
        " repeat('  File \"/app/x.py\", line ' || n || ', in f: password=hunter2' || chr(10), 600)"
        " FROM generate_series(1, 50) AS n")  # fmt: skip
    await conn.execute(
        "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,"
        " exception_type, message, traceback_hash, fingerprint, will_retry)"
        " SELECT %s, n, 'q', 't', now() - make_interval(secs => 5000 - n), 'error', 'ValueError',"
        " n || repeat(' token=hunter2 it broke', 150), "
        "decode(md5((n %% 50 + 1)::text), 'hex'), 'f', true"
        " FROM generate_series(1, 5000) AS n",
        (job,),
    )
    await conn.execute(
        "INSERT INTO procrastinate_events (job_id, type, at) SELECT %s, 'started', now()"
        " FROM generate_series(1, 5000)", (job,),
    )  # fmt: skip
    async with watched() as longest:
        report = await ask(pool, GetJob(job))
    assert [run.attempt for run in report.failures] == list(range(4951, 5001))
    assert [run.traceback is not None for run in report.failures[-6:]] == [False, *[True] * 5]
    assert report.failures[0].traceback_left_out
    assert (report.failures_not_shown, len(report.events)) == (4950, 200)
    assert report.events_not_shown > 4_700
    assert "hunter2" not in str(report)
    assert len(str(report)) < MOST_SHOWN
    assert longest[0] < HELD


async def test_20_mb_of_arguments_are_shown_by_their_heads(pool, conn, make_job):
    job = await make_job(args={"id": 7, "password": "hunter2"})
    await conn.execute(
        "UPDATE procrastinate_jobs SET args = args || jsonb_build_object("
        " 'body', repeat('token=hunter2 ', 750000), 'rows',"
        " (SELECT jsonb_agg(jsonb_build_object('secret', 'hunter2', 'n', n))"
        "  FROM generate_series(1, 200000) AS n))"
        " WHERE id = %s", (job,),
    )  # fmt: skip
    async with watched() as longest:
        report = await ask(pool, GetJob(job))
    assert report.args["id"] == 7
    assert report.args_cut
    assert report.args_bytes > 15_000_000
    assert "hunter2" not in str(report)
    assert len(str(report)) < 20_000
    assert longest[0] < HELD


@pytest.mark.parametrize("levels", [900, 3_000])
async def test_deep_arguments_are_shown_as_far_as_anybody_reads(pool, conn, make_job, levels):
    job = await make_job()
    deep = '{"a":' * levels + '"password=hunter2"' + "}" * levels
    await conn.execute("UPDATE procrastinate_jobs SET args = %s WHERE id = %s", (deep, job))
    report = await ask(pool, GetJob(job))
    assert "nested deeper than is shown" in json.dumps(report.args)
    assert "hunter2" not in json.dumps(report.args)


async def test_20000_unlike_failures_are_grouped_in_the_database(pool, conn, make_job):
    job = await make_job(status="failed", task="app.send", recorded=False)
    await conn.execute(
        "INSERT INTO procrastinate_events (job_id, type, at) SELECT %s - n, 'failed', now() -"
        " interval '1 minute' FROM generate_series(0, 0) AS n", (job,),
    )  # fmt: skip
    await conn.execute(
        "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,"
        " exception_type, message, fingerprint, will_retry)"
        " SELECT 1000000 + n, 1, 'q', 'app.send', now() - interval '5 minutes', 'error',"
        " 'ValueError', n || repeat(' password=hunter2', 200), 'f' || n, false"
        " FROM generate_series(1, 20000) AS n"
    )
    async with watched() as longest:
        report = await ask(pool, ListErrors(since=timedelta(hours=1)))
        digest = await ask(pool, ShowDigest(since=timedelta(hours=1)))
    largest = report.groups[0]
    assert largest.count == 20_000
    assert largest.message.startswith("20000 different messages, e.g. ")
    assert "hunter2" not in str(report)
    assert (len(digest.groups), digest.failed) == (10, report.failed)
    assert digest.failures_not_shown == digest.failed - sum(g.count for g in digest.groups)
    assert sum(digest.slots) == digest.failed
    assert len(str(digest)) < MOST_SHOWN
    assert longest[0] < HELD


async def test_a_filter_by_error_over_unlike_errors_leaves_the_loop_alone(pool, conn, make_job):
    for n in range(40):
        await make_job(status="failed", error=f"{n} " + "a=b token=hunter2 " * 200)
    async with watched() as longest:
        report = await ask(pool, ListFailed(error="a=b"))
        none = await ask(pool, ListFailed(error="hunter2"))
    assert (report.total, none.total) == (40, 0)
    assert longest[0] < HELD
