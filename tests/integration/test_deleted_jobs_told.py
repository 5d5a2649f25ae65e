"""What is said of jobs that are deleted, and of our own tasks, which are not counted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.history import hours, minutes

from chatbot.messages.result import render_result
from jobs_maint.actions import (
    Actor,
    Grant,
    ListErrors,
    ListFailed,
    RetryJobs,
    Role,
    ShowDigest,
    ShowStats,
)
from jobs_maint.database import transaction
from jobs_maint.errors import InvalidRequest
from jobs_maint.operations.failures import alike
from jobs_maint.operations.failures.memory import collect_groups
from jobs_maint.operations.hours import count_ended_lately, note_hour
from jobs_maint.operations.session import get_time
from jobs_maint.perform import perform
from jobs_maint.render import build_data, build_verdict, render_text
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "host")
EMAIL_ONLY = Actor("slack", "U1", "bo", "C1", (Grant(Role.VIEWER, queues=("email*",)),))
RESCUE, PURGE = "jobs_maint:rescue_stalled_jobs", "jobs_maint:purge_finished_jobs"
HOUR = timedelta(hours=1)


async def ask(pool, action, actor=ANA, **settings):
    return await perform(pool, actor, action, settings=MaintSettings(**settings))


async def look(pool, action, **settings):
    """What the bot and the shell say."""
    report = await ask(pool, action, **settings)
    return render_result(report, "/jobs", by="U0ANA").text, render_text(report, width=200)


async def fail(make_job, number, **more):
    return [await make_job(status="failed", **more) for _ in range(number)]


async def delete(conn, jobs):
    await conn.execute("DELETE FROM procrastinate_jobs WHERE id = ANY (%s)", (jobs,))


async def add_worker(conn):
    await conn.execute("INSERT INTO procrastinate_workers (id) OVERRIDING SYSTEM VALUE VALUES (7)")
    await conn.execute(
        "INSERT INTO jobs_maint_workers (worker_id, host, pid, recorder_version, delete_jobs,"
        " beat_seconds, job_ids, beat_at) VALUES (7, 'h', 1, '1', 'always', 10, '{}', now())"
    )


# --- failures of jobs that were deleted ---------------------------------------------------------


async def test_failures_of_jobs_that_are_all_deleted_are_no_empty_table_and_not_green(
    pool, make_job, conn
):
    await add_worker(conn)
    await delete(conn, await fail(make_job, 12, queue="x"))
    report = await ask(pool, ShowStats())
    verdict = build_verdict(report)
    assert verdict.level != "green"
    assert verdict.headline == (
        "12 jobs failed in the last hour, all deleted since; no queue is behind."
    )
    assert verdict.second_line == "1 error is new or back. 1 worker live."
    data = build_data(report)
    assert (data["deleted_since"], data["failed_now"], data["new_errors"]) == (12, 0, 1)
    (queue,) = data["queues"]
    assert (queue["queue"], queue["failed"], queue["failed_last_hour"]) == ("x", 0, 12)
    assert queue["failed_last_day"] == 12
    for text in await look(pool, ShowStats()):
        assert "12 jobs failed in the last hour, all deleted since; no queue is behind." in text
        assert "No job is in" not in text


@pytest.mark.parametrize("action", [ShowStats(), ListErrors(), ShowDigest()], ids=type)
async def test_deleted_jobs_are_as_red_as_failed_ones(action, pool, make_job, conn):
    jobs = await fail(make_job, 12, queue="x")
    assert (await look(pool, action))[0].startswith("🔴 ")
    await delete(conn, jobs)
    assert (await look(pool, action))[0].startswith("🔴 ")


async def test_where_no_job_is_left_to_show_one_blank_line_follows_the_groups(pool, make_job, conn):
    await make_job(queue="email")
    await delete(conn, await fail(make_job, 2, queue="x"))
    shell = (await look(pool, ShowDigest()))[1]
    groups, _, queues = shell.partition("\n\nQueue ")
    assert "Count  " in groups
    assert queues
    assert "\n\n\n" not in shell


async def test_of_jobs_that_were_deleted_nobody_says_that_none_succeeded(pool, make_job, conn):
    deleting = "1 worker deletes its jobs that end; those that succeed are not counted"
    await make_job(status="failed", queue="email")
    await make_job(status="cancelled", queue="quiet")
    slack, shell = await look(pool, ShowDigest())
    assert "No job succeeded." in slack
    assert "\nNo jobs succeeded.\n" in shell
    for text in await look(pool, ShowStats()):
        assert "not counted" not in text
    await add_worker(conn)
    slack, shell = await look(pool, ShowDigest())
    assert f"{deleting}." in slack
    assert f"\n{deleting}.\n" in shell
    assert "No job" not in slack + shell
    for text in await look(pool, ShowStats()):
        assert deleting in text
    await make_job(status="succeeded", queue="email")
    slack, shell = await look(pool, ShowDigest())
    assert f"At least 1 job succeeded. {deleting}." in slack
    assert f"\nAt least 1 job succeeded; {deleting}.\n" in shell
    for text in await look(pool, ShowStats()):
        assert "At least 1 job done in the last 24 hours." in text
    workers = build_data(await ask(pool, ShowStats()))["workers"]
    assert (workers["deleting"], workers["deleting_all"]) == (1, 1)


async def test_a_worker_that_deletes_what_succeeds_is_told_apart_from_one_that_deletes_all(
    pool, make_job, conn
):
    await make_job(status="failed", queue="email")
    await add_worker(conn)
    await conn.execute("UPDATE jobs_maint_workers SET delete_jobs = 'successful'")
    for text in await look(pool, ShowStats()):
        assert "1 worker deletes its jobs that succeed, which are not counted" in text


async def test_where_workers_delete_jobs_nobody_says_that_none_ran(pool, conn):
    for text in await look(pool, ShowDigest()):
        assert "No job ran" in text
    await add_worker(conn)
    for text in await look(pool, ShowDigest()):
        assert "No job ran" not in text
        assert "deletes its jobs that end" in text


@pytest.mark.parametrize("action", [ListErrors(since=HOUR), ShowDigest(since=HOUR)])
async def test_the_job_to_look_at_is_one_that_is_there(action, pool, make_job, conn):
    first, second, newest = await fail(make_job, 3)
    await delete(conn, [newest])
    told, page = await look(pool, action)
    assert f"jobs-maint status {second}" in page
    if isinstance(action, ListErrors):
        assert f"e.g. job {second}" in told
    await delete(conn, [first, second])
    told, page = await look(pool, action)
    assert "jobs-maint status" not in page


@pytest.mark.parametrize("by", ["group", "error"])
async def test_failed_jobs_of_one_error_count_the_deleted_ones_too(by, pool, make_job, conn):
    jobs = await fail(make_job, 5, error="smtp: refused")
    await fail(make_job, 2, error="other", task="app.other")
    asked = ListFailed(error="refused", since=HOUR)
    if by == "group":
        await collect_groups(conn)
        rows = await conn.execute(
            "SELECT name FROM jobs_maint_groups WHERE task_name <> 'app.other'"
        )
        ((name,),) = await rows.fetchall()
        asked = ListFailed(group=name, since=HOUR)
    await delete(conn, jobs[:3])
    await conn.execute(
        "UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = ANY (%s)", (jobs[3:],)
    )
    report = await ask(pool, asked)
    assert (report.total, report.succeeded_since, report.deleted_since) == (0, 2, 3)


@pytest.mark.parametrize("gone", [0, 8, 10], ids="{} of 10 deleted".format)
async def test_however_many_rows_are_left_as_many_jobs_failed(gone, pool, make_job, conn):
    """As `errors` counts, and `failed` tells of those that are left and of the deleted."""
    await make_job(status="succeeded", queue="email")
    jobs = await fail(make_job, 10, queue="email")
    await delete(conn, jobs[:gone])
    report = await ask(pool, ShowStats())
    assert [queue.failed_last_hour for queue in report.queues] == [10]
    assert (report.failed_now, report.deleted_since) == (10 - gone, gone)
    for text in await look(pool, ShowStats()):
        assert "10 jobs failed in the last hour" in text
        assert ("8 of the failed have been deleted since." in text) is (gone == 8)
        assert ("failed in the last hour, all deleted since" in text) is (gone == 10)
    assert (await ask(pool, ListErrors(since=HOUR))).failed == 10
    failed = await ask(pool, ListFailed(since=HOUR))
    assert (failed.total, failed.deleted_since) == (10 - gone, gone)


async def test_the_parts_of_what_failed_are_parts_of_the_number(pool, make_job, conn):
    jobs = await fail(make_job, 10, queue="email")
    await ask(pool, RetryJobs((jobs[0],)))
    await delete(conn, jobs[1:4])
    await delete(conn, await fail(make_job, 5, queue="other"))
    for text in await look(pool, ShowStats()):
        assert "15 jobs failed in the last hour" in text
        assert "9 of the failed have been retried or deleted since." in text
    for text in await look(pool, ShowStats("other")):
        assert "5 jobs failed in the last hour, all deleted since" in text


async def test_with_very_many_failures_the_deleted_ones_are_still_counted(
    pool, make_job, conn, monkeypatch
):
    monkeypatch.setattr(alike, "MOST_FOUND", 3)
    await delete(conn, await fail(make_job, 4, queue="x"))
    report = await ask(pool, ShowStats())
    assert (report.failed_now, report.deleted_since) == (None, 4)
    assert "4 jobs failed in the last hour, all deleted since" in build_verdict(report).headline


async def test_only_final_failures_are_counted_of_deleted_jobs(pool, make_job, conn):
    """Not attempts that were retried, aborted jobs, what a rescue took back, nor our own tasks."""
    jobs = await fail(make_job, 5, queue="x")
    await fail(make_job, 1, queue="x", task=RESCUE)
    alter = "UPDATE jobs_maint_failures SET {} WHERE job_id = %s"
    await conn.execute(alter.format("will_retry = true"), (jobs[0],))
    await conn.execute(alter.format("kind = 'aborted'"), (jobs[1],))
    await conn.execute(
        "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,"
        " message, fingerprint, will_retry) SELECT job_id, attempt, queue_name, task_name,"
        " failed_at, 'worker_lost', '', '-', true FROM jobs_maint_failures WHERE job_id = %s",
        (jobs[2],),
    )
    await conn.execute("DELETE FROM procrastinate_jobs")
    report = await ask(pool, ShowStats())
    assert [queue.failed_last_hour for queue in report.queues] == [2]
    assert (await ask(pool, ListErrors(since=HOUR))).failed == 2


async def test_a_job_with_the_id_of_a_deleted_one_does_not_hide_its_failure(pool, make_job, conn):
    (old,) = await fail(make_job, 1, queue="x", finished_ago=minutes(20))
    await delete(conn, [old])
    new = await make_job(queue="x")
    await conn.execute("ALTER TABLE procrastinate_events DISABLE TRIGGER ALL")
    await conn.execute("ALTER TABLE procrastinate_jobs DISABLE TRIGGER ALL")
    await conn.execute("UPDATE procrastinate_jobs SET id = %s WHERE id = %s", (old, new))
    await conn.execute("UPDATE procrastinate_events SET job_id = %s WHERE job_id = %s", (old, new))
    report = await ask(pool, ShowStats())
    assert [queue.failed_last_hour for queue in report.queues] == [1]
    assert (await ask(pool, ListErrors(since=HOUR))).failed == 1


async def test_a_failure_is_counted_once_whether_its_job_goes_before_or_after_its_hour_is_noted(
    pool, make_job, conn
):
    early = await fail(make_job, 3, queue="x", finished_ago=hours(4))
    await delete(conn, early[:2])

    async def count():
        async with transaction(conn, snapshot=True):
            found = await count_ended_lately(conn, None, await get_time(conn))
            return {key: ended.last_day for key, ended in found.items() if ended.last_day}

    assert await count() == {("x", "failed"): 3}
    for ago in (3, 4, 5):
        async with transaction(conn):
            now = await get_time(conn)
            await note_hour(conn, now.replace(minute=0, second=0, microsecond=0) - hours(ago))
    assert await count() == {("x", "failed"): 3}
    await delete(conn, early)
    assert await count() == {("x", "failed"): 3}


async def test_a_limited_role_is_told_of_its_own_deleted_jobs_alone(pool, make_job, conn):
    await delete(conn, await fail(make_job, 2, queue="email"))
    await delete(conn, await fail(make_job, 3, queue="webhook"))
    report = await ask(pool, ShowStats(), EMAIL_ONLY)
    assert [(q.queue, q.failed_last_hour) for q in report.queues] == [("email", 2)]
    assert (report.deleted_since, report.hidden_queues) == (2, 1)


# --- a queue that has failures and no job -------------------------------------------------------


@pytest.mark.parametrize("kept", ["records", "groups"])
async def test_a_queue_is_known_by_its_failures(kept, pool, make_job, conn):
    await delete(conn, await fail(make_job, 2, queue="webhook", finished_ago=minutes(5)))
    await ask(pool, ShowStats())  # counts them into their group
    if kept == "groups":
        await conn.execute("DELETE FROM jobs_maint_failures")
    found = 2 if kept == "records" else 0
    assert (await ask(pool, ListErrors("webhook"))).failed == found
    assert (await ask(pool, ShowDigest("webhook"))).failed == found
    assert (await ask(pool, ListFailed("webhook"))).total == 0
    report = await ask(pool, ShowStats("webhook"))
    assert sum(queue.failed_last_hour for queue in report.queues) == found
    if kept == "groups":
        for text in await look(pool, ShowStats("webhook")):
            assert "No job is in queue webhook." in text
    with pytest.raises(InvalidRequest, match=r"did you mean 'webhook'\?$"):
        await ask(pool, ListErrors("webhok"))
    with pytest.raises(InvalidRequest, match=r"no queue has a job now\.$"):
        await ask(pool, ListErrors("zzz"))


async def test_a_limited_role_is_not_told_of_queues_that_are_remembered(pool, make_job, conn):
    await delete(conn, await fail(make_job, 1, queue="webhook"))
    await make_job(queue="reports")
    with pytest.raises(InvalidRequest, match=r"no queue that you reach has a job now\.$"):
        await ask(pool, ListErrors("email-webhook"), EMAIL_ONLY)


# --- our own tasks ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "action",
    [
        ShowStats("maintenance"), ListErrors("maintenance"), ShowDigest("maintenance"),
        ListErrors(queues=("maintenance",)),
    ],
    ids=lambda action: action.words(),
)  # fmt: skip
async def test_the_queue_of_our_own_tasks_is_not_said_to_be_empty(action, pool, make_job):
    for status in ("succeeded", "succeeded", "failed", "todo"):
        await make_job(status=status, queue="maintenance", task=RESCUE)
    bot, shell = await look(pool, action)
    said = "4 jobs of our own tasks are there but not counted here, 1 of them failed: see "
    assert f"{said}/jobs doctor (for admins) and /jobs failed maintenance." in bot
    assert f"{said}jobs-maint doctor and jobs-maint failed maintenance." in shell
    if not isinstance(action, ShowStats):
        assert "(our own tasks aside)" in bot.splitlines()[0]
        assert "(our own tasks aside)" in shell.splitlines()[0]
    data = build_data(await ask(pool, action))
    assert data["own_jobs"] == {"queue": "maintenance", "jobs": 4, "failed": 1}
    assert (await ask(pool, ListFailed("maintenance"))).total == 1


async def test_of_other_queues_nothing_is_said_of_our_own_tasks(pool, make_job):
    await make_job(queue="maintenance", task=RESCUE)
    await make_job(queue="email")
    for action in (ShowStats(), ShowStats("email"), ListErrors(), ShowDigest("email")):
        for text in await look(pool, action):
            assert "our own tasks" not in text


async def test_no_job_is_there_apart_from_our_own(pool, make_job):
    await make_job(queue="maintenance", task=RESCUE, status="succeeded")
    for text in await look(pool, ShowStats()):
        assert "No job is in the job tables, apart from those of our own tasks." in text


# --- maintenance whose jobs are deleted ---------------------------------------------------------


async def add_defer(conn, task, ago, job_id=None):
    await conn.execute(
        "INSERT INTO procrastinate_periodic_defers (task_name, defer_timestamp, job_id)"
        " VALUES (%s, extract(epoch FROM now() - %s)::bigint, %s)",
        (task, ago, job_id),
    )


async def test_a_run_whose_job_was_deleted_is_known_by_its_defer(pool, conn, make_job):
    await make_job(queue="email")
    job = await make_job(queue="maintenance", task=RESCUE, status="succeeded")
    await add_defer(conn, RESCUE, minutes(3), job)
    assert [run.task for run in (await ask(pool, ShowStats())).maintenance] == [RESCUE]
    await delete(conn, [job])
    bot, shell = await look(pool, ShowStats())
    assert "rescue_stalled_jobs due 3 min ago" in shell
    assert "its job is deleted, so how it ended is not known." in shell
    assert "register" not in shell
    assert "rescue due" in bot
    assert "its job is deleted" in bot
    (one,) = build_data(await ask(pool, ShowStats()))["maintenance_deferred"]
    assert (one["task"], one["job_deleted"]) == (RESCUE, True)


async def test_a_tick_that_was_made_up_for_is_told_by_when_it_was_deferred(pool, conn, make_job):
    job = await make_job(queue="maintenance", task=RESCUE, deferred_ago=timedelta(seconds=2))
    await add_defer(conn, RESCUE, minutes(5), job)
    assert "rescue_stalled_jobs deferred 2" in (await look(pool, ShowStats()))[1]
    report = await ask(pool, ShowStats())
    (one,) = report.maintenance_deferred
    assert report.as_of - one.deferred_at < minutes(1)


async def test_a_failure_of_ours_is_not_the_last_run_where_a_later_one_was_deleted(
    pool, conn, make_job
):
    await make_job(
        queue="maintenance", task=RESCUE, status="failed", finished_ago=hours(30)
    )  # fmt: skip
    assert "The last run of rescue_stalled_jobs failed." in (await look(pool, ShowStats()))[1]
    await add_defer(conn, RESCUE, minutes(3))
    report = await ask(pool, ShowStats())
    assert (report.maintenance, [one.task for one in report.maintenance_deferred]) == ((), [RESCUE])


async def test_a_purge_whose_job_was_deleted_is_known_by_the_audit(pool, conn):
    await add_defer(conn, PURGE, hours(10))
    audit = (
        "INSERT INTO jobs_maint_audit (actor_kind, actor_id, word, action, outcome, started_at,"
        " elapsed_seconds) VALUES (%s, 'x', 'purge', 'purge', %s, now() - %s, 5)"
    )
    await conn.execute(audit, ("task", "failed", hours(9)))
    await conn.execute(audit, ("shell", "done", hours(1)))
    await conn.execute(audit, ("task", "done", hours(20)))
    assert (await ask(pool, ShowStats())).maintenance == ()
    await conn.execute(audit, ("task", "done", hours(10) - minutes(1)))
    report = await ask(pool, ShowStats())
    (run,) = report.maintenance
    assert (run.task, run.succeeded, report.maintenance_deferred) == (PURGE, True, ())
    assert report.as_of - run.finished_at == pytest.approx(
        hours(10) - minutes(1), abs=timedelta(minutes=1)
    )


async def test_what_is_deferred_and_not_ended_is_not_called_deleted(pool, conn, make_job):
    job = await make_job(queue="maintenance", task=RESCUE)
    await add_defer(conn, RESCUE, minutes(3), job)
    shell = (await look(pool, ShowStats()))[1]
    assert "not ended yet (a worker must listen to its queue)" in shell
    assert "deleted" not in shell


async def test_what_is_switched_off_is_said_to_be(pool):
    bot, shell = await look(pool, ShowStats(), purge_cron="", rescue_cron="")
    assert "purge_finished_jobs and rescue_stalled_jobs switched off" in shell
    assert "register" not in shell
    assert "purge is switched off · rescue is switched off" in bot
    assert "register" in (await look(pool, ShowStats()))[1]
