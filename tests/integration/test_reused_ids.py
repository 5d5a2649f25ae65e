"""A table of jobs that was truncated and numbers anew: what we kept is of the jobs before."""

from __future__ import annotations

import pytest
from tests.support.history import days, hours, minutes

from jobs_maint import actions
from jobs_maint.actions import Actor, BulkVerb, JobFilter
from jobs_maint.perform import perform
from jobs_maint.render import build_verdict
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "host")


async def do(pool, action):
    return await perform(pool, ANA, action, settings=MaintSettings())


@pytest.fixture
async def start_anew(conn):
    async def start_anew():
        await conn.execute("TRUNCATE procrastinate_jobs RESTART IDENTITY CASCADE")

    return start_anew


@pytest.mark.parametrize("started", [True, False])
async def test_the_error_of_the_job_before_is_shown_for_no_job_of_the_same_id(
    pool, conn, make_job, start_anew, started
):
    old = await make_job(status="failed", finished_ago=hours(2), error="of the old life")
    await start_anew()
    new = await make_job(status="failed", finished_ago=minutes(5), recorded=False)
    assert new == old
    if not started:  # as an import may leave it
        await conn.execute("DELETE FROM procrastinate_events WHERE type = 'started'")
    assert (await do(pool, actions.GetJob(new))).failures == ()
    for listed in (
        await do(pool, actions.ListFailed()),
        await do(pool, actions.ListFailed(queue="default", since=days(1))),
    ):
        assert [job.message for job in listed.jobs] in ([None], [""])
    assert (await do(pool, actions.ListFailed(error="old life"))).jobs == ()
    wanted = JobFilter(statuses=("failed",), error="old life")
    assert (await do(pool, actions.PreviewBulk(BulkVerb.RETRY, wanted))).count == 0


async def test_the_digest_tells_failures_of_both_lives(pool, make_job, start_anew):
    await make_job(status="failed", finished_ago=hours(2), error="of the old life")
    await start_anew()
    await make_job(status="failed", finished_ago=minutes(5), error="of the new life")
    stats = await do(pool, actions.ShowStats())
    assert [queue.failed_last_day for queue in stats.queues] == [2]
    report = await do(pool, actions.ShowDigest())
    assert {group.message for group in report.groups} == {"of the old life", "of the new life"}


@pytest.mark.parametrize("again", ["todo", "failed", "gone"])
async def test_as_many_jobs_are_deleted_in_every_word_whatever_has_their_ids_now(
    pool, conn, make_job, start_anew, again
):
    for _ in range(3):
        await make_job(status="failed", finished_ago=minutes(20))
    await start_anew()
    for _ in range(2):
        await make_job(status="todo" if again == "todo" else "failed", deferred_ago=minutes(10))
    if again == "gone":
        await start_anew()
    there, deleted = (2 if again == "failed" else 0), (5 if again == "gone" else 3)
    hour = hours(1)
    for action in (
        actions.ShowStats(),
        actions.ListErrors(since=hour),
        actions.ShowDigest(since=hour),
    ):
        report = await do(pool, action)
        assert (report.failed_now, report.deleted_since) == (there, deleted)
    failed = await do(pool, actions.ListFailed(since=hour))
    assert (failed.total, failed.deleted_since) == (there, deleted)


async def test_a_deleted_job_that_failed_twice_is_one_job_in_every_word(pool, conn, make_job):
    job = await make_job(status="failed", finished_ago=minutes(20))
    await conn.execute(
        "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,"
        " message, fingerprint, will_retry) SELECT job_id, attempt + 1, queue_name, task_name,"
        " failed_at + interval '5 min', kind, message, fingerprint, will_retry"
        " FROM jobs_maint_failures WHERE job_id = %s",
        (job,),
    )
    await conn.execute("DELETE FROM procrastinate_jobs")
    stats = await do(pool, actions.ShowStats())
    assert build_verdict(stats).headline.endswith(
        "; 1 job failed 2 times in the last hour, deleted since."
    )
    assert stats.deleted_since == 1
    assert (await do(pool, actions.ShowDigest(since=hours(1)))).deleted_since == 1


async def test_rescues_of_the_job_before_do_not_count_against_the_new_one(
    pool, conn, make_job, start_anew
):
    job_id = await make_job(status="doing")
    await conn.execute(
        "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,"
        " message, fingerprint, will_retry)"
        " SELECT %s, 1, 'default', 'app.task', now() - interval '3 hours', 'worker_lost', '', '-',"
        " true FROM generate_series(1, 5)",
        (job_id,),
    )
    await start_anew()
    assert await make_job(status="doing", deferred_ago=hours(2)) == job_id
    await do(pool, actions.RescueStalled())
    await conn.execute(
        "UPDATE jobs_maint_suspects SET first_noticed_at = now() - interval '3 hours'"
    )
    report = await do(pool, actions.RescueStalled())
    assert [item.code for item in report.items] == ["put_back"]


async def test_an_undo_reaches_no_job_that_was_deferred_after_the_request(
    pool, conn, make_job, start_anew
):
    await make_job(status="todo")
    imported = await make_job(status="todo")
    await conn.execute("DELETE FROM procrastinate_events WHERE job_id = %s", (imported,))
    shown = await do(
        pool, actions.PreviewBulk(BulkVerb.CANCEL, JobFilter(queue="default", statuses=("todo",)))
    )
    report = await do(pool, actions.ConfirmSelection(shown.key))
    undo = JobFilter(request=report.audit_id, statuses=BulkVerb.RETRY.statuses)
    assert (await do(pool, actions.PreviewBulk(BulkVerb.RETRY, undo))).count == 2
    await start_anew()
    await make_job(status="cancelled")
    assert (await do(pool, actions.PreviewBulk(BulkVerb.RETRY, undo))).count == 0


@pytest.mark.parametrize("verb", list(BulkVerb))
async def test_a_confirmation_leaves_the_jobs_that_got_the_ids_of_those_shown(
    pool, conn, make_job, start_anew, verb
):
    status = verb.statuses[0]
    shown_id = await make_job(status=status)
    wanted = JobFilter(queue="default", statuses=(status,))
    shown = await do(pool, actions.PreviewBulk(verb, wanted))
    await start_anew()
    assert await make_job(status=status) == shown_id
    report = await do(pool, actions.ConfirmSelection(shown.key))
    assert report.done == 0
    assert [(one.code, one.sample) for one in report.skips] == [("another_job", (shown_id,))]
    after = await (await conn.execute("SELECT status FROM procrastinate_jobs")).fetchall()
    assert after == [(status,)]


async def test_old_records_of_the_job_before_are_trimmed(pool, conn, make_job, start_anew):
    await make_job(status="failed", finished_ago=days(100))
    await start_anew()
    await make_job(status="failed", finished_ago=days(10), deferred_ago=days(20), recorded=False)
    report = await do(pool, actions.PurgeFinished())
    assert report.trimmed == {"jobs_maint_failures": 1}
