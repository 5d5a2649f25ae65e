"""Reading: stats, failed, status."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import psycopg
import pytest
from tests.support.history import days, hours, minutes
from tests.support.locks import wait_for_waiting

from chatbot.messages.failed import render_failed
from chatbot.messages.result import render_result
from jobs_maint.actions import (
    Actor,
    DiscardJobs,
    GetJob,
    Grant,
    ListErrors,
    ListFailed,
    RetryJobs,
    Role,
    ShowStats,
)
from jobs_maint.errors import InvalidRequest, JobNotFound, NotPermitted
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.operations.failures import newest as failures
from jobs_maint.perform import perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "host")
EMAIL_ONLY = Actor("slack", "U1", "bo", "C1", (Grant(Role.VIEWER, queues=("email*",)),))


async def ask(pool, action, actor=ANA):
    return await perform(pool, actor, action, settings=MaintSettings())


async def test_stats_count_every_status_by_queue(pool, make_job):
    for status in ("todo", "todo", "doing", "failed", "succeeded", "cancelled", "aborted"):
        await make_job(queue="email", status=status)
    await make_job(queue="email", scheduled_in=hours(1))
    await make_job(queue="webhook", status="failed")
    report = await ask(pool, ShowStats())
    email, webhook = report.queues
    assert (email.queue, email.ready, email.scheduled, email.doing) == ("email", 2, 1, 1)
    assert (email.failed, email.succeeded, email.cancelled, email.aborted) == (1, 1, 1, 1)
    assert (webhook.failed, webhook.ready) == (1, 0)


async def test_stats_tell_how_far_behind_a_queue_is_and_what_ended_lately(pool, make_job):
    await make_job(queue="webhook", deferred_ago=minutes(14))
    await make_job(queue="webhook", deferred_ago=minutes(2))
    await make_job(queue="webhook", status="failed", finished_ago=minutes(10))
    await make_job(queue="webhook", status="failed", finished_ago=hours(5))
    await make_job(queue="webhook", status="failed", finished_ago=days(2))
    await make_job(queue="webhook", status="succeeded", finished_ago=hours(2))
    (queue,) = (await ask(pool, ShowStats(queue="webhook"))).queues
    assert queue.oldest_ready_seconds == pytest.approx(14 * 60, abs=30)
    assert (queue.failed, queue.failed_last_hour, queue.failed_last_day) == (3, 1, 2)
    assert (queue.done_last_hour, queue.done_last_day) == (0, 1)


async def test_how_long_a_job_waits_is_unknown_where_its_events_are_gone(pool, make_job, conn):
    await make_job(queue="webhook", deferred_ago=minutes(14))
    await conn.execute("TRUNCATE procrastinate_events")
    report = await ask(pool, ShowStats())
    assert report.queues[0].oldest_ready_seconds is None
    assert "unknown" in render_text(report, width=120)
    assert "unknown" in str(render_result(report, "/jobs", by="U0ANA").blocks)


async def test_a_job_put_back_now_is_not_old(pool, make_job, conn):
    old = await make_job(queue="email", status="failed", deferred_ago=days(3), finished_ago=days(2))
    await conn.execute("UPDATE procrastinate_jobs SET status = 'todo' WHERE id = %s", (old,))
    (queue,) = (await ask(pool, ShowStats())).queues
    assert queue.oldest_ready_seconds < 60


async def test_our_own_tasks_are_left_out_but_their_last_run_is_told(pool, make_job):
    task = "jobs_maint:purge_finished_jobs"
    await make_job(queue="maintenance", task=task, status="succeeded", finished_ago=hours(2))
    report = await ask(pool, ShowStats())
    assert report.queues == ()
    (run,) = report.maintenance
    assert (run.task, run.succeeded) == (task, True)
    assert report.as_of - run.finished_at == pytest.approx(hours(2), abs=timedelta(seconds=30))


async def test_all_numbers_of_a_page_are_of_one_moment(pool, make_job, conn, database_url):
    """A job is put away between two of the queries: it is not ready without an age."""
    job_id = await make_job(queue="email", deferred_ago=minutes(20))
    await ask(pool, ShowStats())  # the first pass over the failures
    async with await psycopg.AsyncConnection.connect(database_url) as other:
        await other.execute("SELECT FROM jobs_maint_collected FOR UPDATE")  # no pass now
        await other.execute("LOCK TABLE jobs_maint_failures")  # which is read after the counts
        asking = asyncio.create_task(ask(pool, ShowStats()))
        await wait_for_waiting(conn)
        await conn.execute(
            "UPDATE procrastinate_jobs SET status = 'cancelled' WHERE id = %s", (job_id,)
        )
        await other.rollback()
        (queue,) = (await asking).queues
    assert queue.ready == 1
    assert queue.oldest_ready_seconds == pytest.approx(20 * 60, abs=30)


async def test_a_grant_limited_to_queues_filters_and_says_how_many_are_hidden(pool, make_job):
    for queue in ("email", "email-bulk", "webhook"):
        await make_job(queue=queue, status="failed")
    report = await ask(pool, ShowStats(), EMAIL_ONLY)
    assert [q.queue for q in report.queues] == ["email", "email-bulk"]
    assert report.hidden_queues == 1
    failed = await ask(pool, ListFailed(), EMAIL_ONLY)
    assert {job.queue for job in failed.jobs} == {"email", "email-bulk"}
    assert (failed.total, failed.hidden_jobs) == (2, 1)
    with pytest.raises(NotPermitted, match="webhook"):
        await ask(pool, ShowStats(queue="webhook"), EMAIL_ONLY)


async def test_what_failed_and_was_retried_or_discarded_since_is_counted(pool, make_job, conn):
    """So that a button that says three failures does not open "No job failed"."""
    jobs = [await make_job(status="failed", queue="email", error="refused") for _ in range(3)]
    await ask(pool, RetryJobs((jobs[0],)))
    await ask(pool, DiscardJobs((jobs[1],)))
    report = await ask(pool, ListFailed(since=hours(1)))
    assert (report.total, report.retried_since, report.discarded_since) == (1, 1, 1)
    await ask(pool, RetryJobs((jobs[2],)))
    report = await ask(pool, ListFailed(queue="email", error="refused", since=hours(1)))
    assert (report.total, report.retried_since, report.discarded_since) == (0, 2, 1)
    message = render_failed(report, "/jobs")
    assert message.text.startswith(
        "🟡 3 jobs failed in email with 'refused' in the error in the last hour, "
        "all retried or cancelled since."
    )
    other = await ask(pool, ListFailed(error="timeout", since=hours(1)))
    assert other.settled == 0


async def test_failed_jobs_that_are_gone_are_told_as_deleted_and_not_as_retried(
    pool, make_job, conn
):
    alike = {"status": "failed", "queue": "email", "error": "refused"}
    jobs = [await make_job(**alike) for _ in range(3)]
    await conn.execute("DELETE FROM procrastinate_jobs WHERE id = ANY (%s)", (jobs[:2],))

    async def look(action):
        report = await ask(pool, action)
        return render_result(report, "/jobs", by="U0ANA").text, render_text(report, width=200)

    told, _ = await look(ListErrors(since=hours(1)))
    assert "1 failed now, 2 deleted since" in told
    told, page = await look(ListFailed(since=hours(1), grouped=True))
    assert "2 more jobs failed in that time, deleted since." in told
    assert "In that time 2 more jobs failed, deleted since." in page
    await ask(pool, RetryJobs((jobs[2],)))
    told, _ = await look(ListErrors(since=hours(1)))
    assert "2 deleted, 1 retried since" in told
    await conn.execute("DELETE FROM procrastinate_jobs")
    told, page = await look(ListErrors(since=hours(1)))
    assert "their jobs were deleted since" in told
    assert "jobs-maint status" not in page
    told, _ = await look(ListFailed(since=hours(1)))
    assert told.startswith("🟡 3 jobs failed in the last hour, all deleted since.")
    await make_job(status="todo", queue="other")
    for text in await look(ShowStats()):
        assert "3 jobs failed in the last hour, all deleted since." in text


async def test_a_worker_that_ended_without_a_goodbye_is_not_called_silent(pool, make_job, conn):
    """As under uvicorn, which ends its process by the signal; a dead one with a job is silent."""
    job = await make_job(status="doing")
    await conn.execute("UPDATE procrastinate_events SET at = at - interval '3 minutes'")
    for worker, jobs in ((1, []), (2, [job])):
        await conn.execute(
            "INSERT INTO jobs_maint_workers (worker_id, host, pid, recorder_version, delete_jobs,"
            " beat_seconds, job_ids, beat_at)"
            " VALUES (%s, 'h', 1, '1', 'never', 10, %s::bigint[], now() - interval '2 minutes')",
            (worker, jobs),
        )
    assert (await ask(pool, ShowStats())).workers.silent == 1
    await conn.execute("UPDATE procrastinate_jobs SET status = 'succeeded'")
    assert (await ask(pool, ShowStats())).workers.silent == 0


async def test_an_unknown_queue_is_refused_with_the_one_that_was_meant(pool, make_job):
    await make_job(queue="webhook")
    with pytest.raises(InvalidRequest, match=r"did you mean 'webhook'\?$"):
        await ask(pool, ShowStats(queue="webhok"))
    with pytest.raises(InvalidRequest, match="There is no queue"):
        await ask(pool, ListFailed(queue="'; DROP TABLE procrastinate_jobs; --"))


async def test_what_was_meant_is_spelt_as_the_command_reads_it(pool, make_job):
    """Typed as it is told, it is found, where a queue is a name and where it is a glob."""
    for name in ("web\\hook*1", "two  words\t"):
        await make_job(queue=name, status="failed")

    def read(typed, name):
        return parse_words(split_text(f"{typed} {name}"), "shell").action

    for typed in ("stats", "failed", "errors", "retry --all", "purge --queue"):
        for near in ("'web\\hok\\*1'", "'two words'"):
            with pytest.raises(InvalidRequest, match="did you mean") as caught:
                await ask(pool, read(typed, near))
            meant = str(caught.value).partition("did you mean ")[2].removesuffix("?")
            await ask(pool, read(typed, meant))


async def test_failed_lists_the_newest_failure_first_not_the_newest_job(pool, make_job):
    old_job = await make_job(status="failed", deferred_ago=days(7), finished_ago=minutes(1))
    new_job = await make_job(status="failed", finished_ago=minutes(30))
    report = await ask(pool, ListFailed())
    assert [job.job_id for job in report.jobs] == [old_job, new_job]


async def test_failed_shows_the_error_of_the_last_run_only(pool, make_job, conn):
    """A job that failed, was put back and then failed without a record shows no stale error."""
    job = await make_job(status="failed", error="the first error", finished_ago=minutes(5))
    (shown,) = (await ask(pool, ListFailed())).jobs
    assert (shown.recorded, shown.message) == (True, "the first error")
    for status in ("todo", "doing", "failed"):
        await conn.execute("UPDATE procrastinate_jobs SET status = %s WHERE id = %s", (status, job))
    (shown,) = (await ask(pool, ListFailed())).jobs
    assert (shown.recorded, shown.message) == (False, None)


@pytest.mark.parametrize("since", [None, hours(1)])
async def test_a_job_that_failed_after_it_was_put_back_is_listed_also_without_a_record(
    pool, make_job, conn, since
):
    """Its first worker ends it while it waits: the event is `cancelled`, none says `failed`."""
    job = await make_job()
    await conn.execute("SELECT procrastinate_finish_job_v1(%s, 'failed', false)", (job,))
    await make_job(status="failed")
    assert "failed" not in await make_job.events(job)
    report = await ask(pool, ListFailed(since=since))
    assert job in [shown.job_id for shown in report.jobs]
    assert report.total == 2


async def test_failed_filters_combine_and_the_rest_is_counted(pool, make_job):
    for _ in range(3):
        await make_job(status="failed", task="app.deliver", error="100% timeout")
    await make_job(status="failed", task="app.deliver", error="other")
    await make_job(status="failed", task="app.mail", error="100% timeout")
    await make_job(status="failed", task="app.deliver", error="100% timeout", finished_ago=days(3))
    report = await ask(pool, ListFailed(task="DELIVER", error="0% time", since=hours(1), limit=2))
    assert (len(report.jobs), report.total, report.not_shown) == (2, 3, 1)


async def test_status_shows_a_job_redacted_and_reveal_is_audited(pool, make_job, conn):
    job = await make_job(
        status="failed",
        args={"api_key": "s3cret", "to": "a@b.c", "idempotency_key": "k1"},
        error="https://bob:hunter2@example.com refused",
    )
    details = await ask(pool, GetJob(job))
    assert details.args == {"api_key": "[redacted]", "to": "a@b.c", "idempotency_key": "k1"}
    assert "hunter2" not in str(details)
    assert [event.type for event in details.events] == ["deferred", "started", "failed"]
    revealed = await ask(pool, GetJob(job, reveal=True))
    assert revealed.args["api_key"] == "s3cret"
    assert "hunter2" in str(revealed)
    audited = await (await conn.execute("SELECT action FROM jobs_maint_audit")).fetchall()
    assert audited == [(f"status {job} --reveal",)]


async def test_status_of_a_job_that_does_not_exist(pool):
    with pytest.raises(JobNotFound, match="no job 9223372036854775807"):
        await ask(pool, GetJob(2**63 - 1))


async def test_very_many_failed_jobs_are_counted_up_to_a_bound(pool, make_job, monkeypatch):
    monkeypatch.setattr(failures, "MOST_COUNTED", 2)
    for number in range(3):
        await make_job(status="failed", queue=f"q{number}")
    report = await ask(pool, ListFailed(limit=1))
    assert (report.total, report.at_least, report.not_shown) == (2, True, 1)
    report = await ask(pool, ListFailed("q1", limit=1))
    assert (report.total, report.at_least, report.not_shown) == (1, False, 0)
