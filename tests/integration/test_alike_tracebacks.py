"""In a storm most failures keep no traceback: a job shows that of one which failed alike."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.history import minutes

from jobs_maint.actions import Actor, GetJob, Grant, Role
from jobs_maint.perform import perform

ANA = Actor.shell("ana", "here")
BO = Actor("slack", "U0BOB", "bob", "C1", (Grant(Role.VIEWER, ("web",)),))


@pytest.fixture
def fail(conn, make_job):
    async def add(ago, *, job=None, queue="web", trace=None, attempt=1, kind="error", group="2:a"):
        if job is None:
            job = await make_job(
                status="failed", queue=queue, recorded=False, deferred_ago=timedelta(hours=3)
            )
        if trace is not None:
            await conn.execute(
                "INSERT INTO jobs_maint_tracebacks (hash, body) VALUES (md5(%s)::bytea, %s)",
                (trace, trace),
            )
        await conn.execute(
            "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at,"
            " kind, exception_type, message, traceback_hash, fingerprint, will_retry)"
            " VALUES (%s, %s, %s, 'app.task', now() - %s::interval, %s, 'E', 'm',"
            " md5(%s)::bytea, %s, false)",
            (job, attempt, queue, ago, kind, trace, group),
        )
        return job

    return add


async def read(pool, job, actor=ANA, *, reveal=False):
    report = await perform(pool, actor, GetJob(job, reveal=reveal))
    return report.failures[-1]


async def test_the_newest_before_it_stands_in_for_a_traceback_that_was_not_kept(pool, fail):
    await fail(minutes(60), trace="older")
    kept = await fail(minutes(40), trace="the one, password=hunter2")
    bare = await fail(minutes(36))
    await fail(minutes(35), trace="later")
    await fail(minutes(37), trace="another error", group="2:b")
    run = await read(pool, bare)
    assert (run.traceback, run.alike.job_id, run.alike.attempt) == (None, kept, 1)
    assert "the one" in run.alike.traceback
    assert "hunter2" not in run.alike.traceback
    told = f"Traceback of job {kept}, which failed alike 4 min earlier:"
    assert run.name_alike(bare) == told
    assert "hunter2" in (await read(pool, bare, reveal=True)).alike.traceback
    own = await read(pool, kept)
    assert (own.alike, own.name_alike(kept)) == (None, "")


async def test_it_is_of_a_queue_that_the_asker_reaches(pool, fail):
    await fail(minutes(50), trace="theirs", queue="pay")
    bare = await fail(minutes(36))
    assert (await read(pool, bare)).alike.traceback == "theirs"
    assert (await read(pool, bare, BO)).alike is None
    kept = await fail(minutes(55), trace="ours")
    assert (await read(pool, bare, BO)).alike.job_id == kept


async def test_it_may_be_an_earlier_attempt_of_the_same_job(pool, fail):
    job = await fail(minutes(50), trace="mine")
    await fail(minutes(20), job=job, attempt=2)
    run = await read(pool, job)
    assert run.name_alike(job) == "Traceback of attempt 1, which failed alike 30 min earlier:"


async def test_a_lost_worker_has_none(pool, fail):
    await fail(minutes(50), trace="kept")
    assert (await read(pool, await fail(minutes(20), kind="worker_lost"))).alike is None
