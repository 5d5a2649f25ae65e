"""Putting jobs back: a story, refusals, races."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from tests.support.history import days, hours, minutes
from tests.support.locks import wait_for_waiting

from jobs_maint.actions import Actor, Grant, RetryJobs, Role
from jobs_maint.errors import NotPermitted
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "host")


async def retry(pool, *job_ids, actor=ANA, reset_attempts=False):
    return await perform(pool, actor, RetryJobs(job_ids, reset_attempts), settings=MaintSettings())


def codes(report):
    return {item.job_id: item.code for item in report.items}


async def test_failed_cancelled_and_aborted_jobs_go_back_and_nothing_else_does(pool, make_job):
    failed = await make_job(status="failed")
    cancelled = await make_job(status="cancelled")
    aborted = await make_job(status="aborted")
    others = [await make_job(status=status) for status in ("todo", "doing", "succeeded")]
    report = await retry(pool, failed, cancelled, aborted, *others, 999_999)
    assert codes(report) == {
        failed: "put_back", cancelled: "put_back", aborted: "put_back",
        **dict.fromkeys(others, "wrong_status"), 999_999: "not_found",
    }  # fmt: skip
    assert [await make_job.status(i) for i in (failed, cancelled, aborted)] == ["todo"] * 3
    assert [await make_job.status(i) for i in others] == ["todo", "doing", "succeeded"]
    for job_id in (failed, cancelled, aborted):
        assert (await make_job.events(job_id))[-1] == "retried"


async def test_attempts_stay_unless_asked_and_an_abort_request_is_cleared(pool, make_job, conn):
    first = await make_job(status="failed", attempts=5)
    second = await make_job(status="failed", attempts=5)
    await conn.execute("UPDATE procrastinate_jobs SET abort_requested = true")
    await retry(pool, first)
    await retry(pool, second, reset_attempts=True)
    rows = await (
        await conn.execute("SELECT attempts, abort_requested FROM procrastinate_jobs ORDER BY id")
    ).fetchall()
    assert rows == [(5, False), (0, False)]


async def test_a_cancelled_job_keeps_its_time_ahead_and_a_failed_one_runs_now(pool, make_job, conn):
    later = await make_job(status="cancelled", scheduled_in=hours(5))
    past = await make_job(status="cancelled", scheduled_in=-hours(5))
    failed = await make_job(status="failed", scheduled_in=hours(5))
    report = await retry(pool, later, past, failed)
    assert "as scheduled" in report.items[0].reason
    rows = await (
        await conn.execute("SELECT scheduled_at IS NULL FROM procrastinate_jobs ORDER BY id")
    ).fetchall()
    assert rows == [(False,), (True,), (True,)]


async def test_a_job_whose_queueing_lock_is_taken_is_skipped_and_names_the_holder(pool, make_job):
    failed = await make_job(status="failed", queueing_lock="nightly")
    waiting = await make_job(queueing_lock="nightly")
    report = await retry(pool, failed)
    assert codes(report) == {failed: "queueing_lock_taken"}
    assert f"job {waiting}" in report.items[0].reason
    assert await make_job.status(failed) == "failed"


async def test_of_two_jobs_with_one_queueing_lock_the_older_goes_back(pool, make_job):
    older = await make_job(status="failed", queueing_lock="one")
    newer = await make_job(status="failed", queueing_lock="one")
    report = await retry(pool, newer, older)
    assert codes(report) == {newer: "queueing_lock_taken", older: "put_back"}


async def test_a_defer_that_takes_the_lock_in_between_costs_only_that_job(
    pool, make_job, conn, database_url
):
    """The lock is taken by a transaction that commits while the retry waits for it."""
    locked = await make_job(status="failed", queueing_lock="raced")
    free = await make_job(status="failed")
    other = await psycopg.AsyncConnection.connect(database_url)
    await other.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock)"
        " VALUES ('default', 'app.task', 'raced')"
    )
    running = asyncio.create_task(retry(pool, locked, free))
    await wait_for_waiting(conn)
    await other.commit()
    await other.close()
    report = await running
    assert codes(report) == {locked: "queueing_lock_taken", free: "put_back"}


async def test_a_retry_wakes_the_workers(pool, make_job, database_url):
    failed = await make_job(status="failed", queue="email")
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as listener:
        await listener.execute('LISTEN "procrastinate_queue_v1#email"')
        await retry(pool, failed)
        heard = [n async for n in listener.notifies(timeout=60, stop_after=1)]
    assert [n.payload for n in heard] == [f'{{"type": "job_inserted", "job_id": {failed}}}']


async def test_two_retries_of_one_job_at_once_put_it_back_once(pool, make_job):
    failed = await make_job(status="failed")
    reports = await asyncio.gather(*(retry(pool, failed) for _ in range(4)))
    assert sorted(codes(r)[failed] for r in reports) == ["put_back"] + ["wrong_status"] * 3
    assert (await make_job.events(failed)).count("retried") == 1


async def test_a_job_outside_the_grant_is_refused_like_a_missing_role(pool, make_job, conn):
    mine = await make_job(status="failed", queue="email")
    theirs = await make_job(status="failed", queue="webhook")
    actor = Actor("slack", "U1", "bo", "C1", (Grant(Role.OPERATOR, queues=("email*",)),))
    with pytest.raises(NotPermitted, match=f"job {theirs}:"):
        await retry(pool, mine, theirs, actor=actor)
    assert await make_job.status(mine) == "failed"
    outcome = await (await conn.execute("SELECT outcome FROM jobs_maint_audit")).fetchall()
    assert outcome == [("refused",)]


async def test_a_viewer_is_refused_and_both_outcomes_are_audited(pool, make_job, conn):
    failed = await make_job(status="failed", finished_ago=days(1))
    viewer = Actor("slack", "U2", "vi", "C1", (Grant(Role.VIEWER),))
    with pytest.raises(NotPermitted) as refused:
        await retry(pool, failed, actor=viewer)
    assert (refused.value.needs, refused.value.has) == ("operator", "viewer")
    await retry(pool, failed)
    rows = await (
        await conn.execute(
            "SELECT actor_kind, actor_id, action, outcome, counts FROM jobs_maint_audit ORDER BY id"
        )
    ).fetchall()
    assert rows == [
        ("slack", "U2", f"retry {failed}", "refused", {}),
        ("shell", "ana@host", f"retry {failed}", "done", {"done": 1}),
    ]


async def test_a_retry_is_done_where_nobody_may_look_whether_a_worker_is_alive(
    pool, make_job, conn
):
    job = await make_job(status="failed")
    report = await retry(pool, job)
    assert report.warnings == ("No worker is alive: it waits until one starts.",)
    await conn.execute("UPDATE procrastinate_jobs SET status = 'failed' WHERE id = %s", (job,))
    await conn.execute("ALTER TABLE jobs_maint_workers RENAME TO gone")
    report = await retry(pool, job)
    assert (len(report.done), report.warnings) == (1, ())
    assert await make_job.status(job) == "todo"


async def test_a_retry_says_that_the_last_run_of_a_job_ended_with_its_worker(pool, make_job, conn):
    async def fail(kind):
        job = await make_job(status="failed", finished_ago=minutes(1))
        await conn.execute(
            "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, kind,"
            " message, fingerprint, will_retry)"
            " VALUES (%s, 1, 'default', 'app.task', %s, 'no', 'f1', false)",
            (job, kind),
        )
        return job

    async def warn(*jobs):
        await conn.execute("UPDATE procrastinate_jobs SET status = 'failed'")
        report = await retry(pool, *jobs)
        assert report.done
        return [line for line in report.warnings if "lost" in line]

    poison, other, ordinary = [await fail(k) for k in ("worker_lost", "worker_lost", "error")]
    (said,) = await warn(poison, ordinary)
    assert said == (
        f"The worker that last ran job {poison} was lost. If the job was the cause, the next "
        "worker is lost too."
    )
    (said,) = await warn(poison, other, ordinary)
    assert said == (
        f"The workers that last ran 2 of these jobs, such as job {poison}, were lost. If a job "
        "was the cause, the next worker is lost too."
    )
    assert await warn(ordinary) == []
