"""Groups of jobs that failed alike, on a real database: counts, ids, what can be retried."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.support.history import hours, minutes

from chatbot.messages.failed import render_failed
from chatbot.messages.groups import render_errors
from jobs_maint.actions import (
    Actor,
    BulkVerb,
    FollowJobs,
    Grant,
    JobFilter,
    ListErrors,
    ListFailed,
    PreviewBulk,
    Role,
    ShowDigest,
    ShowStats,
)
from jobs_maint.errors import InvalidRequest
from jobs_maint.operations.failures import alike
from jobs_maint.operations.failures.placing import name_kind
from jobs_maint.perform import perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings

SHELL = Actor.shell("ana", "here")


async def ask(pool, action, actor=SHELL):
    return await perform(pool, actor, action, settings=MaintSettings())


async def test_a_group_counts_what_can_be_retried_and_has_its_ids_newest_first(
    pool, conn, make_job
):
    webhook = {"status": "failed", "queue": "webhook", "task": "app.send"}
    old = await make_job(**webhook, finished_ago=hours(30))
    alike = [await make_job(**webhook, finished_ago=minutes(9 - i)) for i in range(3)]
    locked = [
        await make_job(**webhook, error="locked", queueing_lock=lock, finished_ago=minutes(3 - i))
        for i, lock in enumerate(("taken", "free", "free"))
    ]
    await make_job(queue="webhook", task="app.send", queueing_lock="taken")
    await make_job(status="failed", queue="email", task="app.mail", recorded=False)
    own = await make_job(status="failed", queue="m", task="jobs_maint:purge_finished_jobs")
    asked = ListFailed(since=timedelta(hours=1), grouped=True)
    report = await ask(pool, asked)
    shown = {group.task + group.message: group for group in report.groups}
    sends = shown["app.sendit broke"]
    assert (sends.count, sends.retriable, sends.job_ids) == (3, 3, tuple(alike[::-1]))
    assert (sends.queue, sends.recorded, sends.own) == ("webhook", True, False)
    held = shown["app.sendlocked"]
    assert (held.count, held.retriable, held.job_ids) == (3, 1, tuple(locked[::-1]))
    assert shown["app.mail"].recorded is False
    ours = next(group for group in report.groups if group.own)
    assert (ours.job_ids, ours.retriable) == ((own,), 0)
    assert (report.total, report.groups_not_shown, report.jobs) == (8, 0, ())
    assert [group.count for group in report.groups] == [3, 3, 1, 1]

    whole = await ask(pool, ListFailed(task="send", error="BROKE", grouped=True))
    [group] = whole.groups
    assert group.job_ids == (*alike[::-1], old)
    few = await ask(pool, ListFailed(limit=1, grouped=True))
    assert (len(few.groups), few.groups_not_shown, few.total) == (1, 3, 9)
    narrow = Actor("slack", "U1", "eve", "C1", (Grant(Role.VIEWER, ("email",)),))
    told = await ask(pool, ListFailed(grouped=True), narrow)
    assert ([group.task for group in told.groups], told.total, told.hidden_jobs) == (
        ["app.mail"], 1, 8,
    )  # fmt: skip

    # `errors` counts failures and tells how many of their jobs are failed now.
    await conn.execute("UPDATE procrastinate_jobs SET status = 'todo' WHERE id = %s", (alike[0],))
    errors = await ask(pool, ListErrors(since=timedelta(hours=1)))
    found = {group.message: group for group in errors.groups if group.task == "app.send"}
    assert [
        (group.count, group.failed_now, group.retriable, group.job_ids)
        for group in (found["it broke"], found["locked"])
    ] == [(3, 2, 2, tuple(alike[:0:-1])), (3, 3, 1, tuple(locked[::-1]))]
    [mail] = [group for group in errors.groups if group.task == "app.mail"]
    assert (mail.failed_now, mail.retriable) == (1, 1)


async def test_a_group_says_how_many_different_messages_it_has(pool, conn, make_job):
    """One of them does not stand for all."""
    for text in ("order 4711 is gone", "order 4712 is gone", "order 4712 is gone"):
        await make_job(status="failed", task="app.send", error=text)
    # Alike, as numbers are ignored.
    await conn.execute("UPDATE jobs_maint_failures SET fingerprint = '2:aa'")
    for _ in range(2):
        await make_job(status="failed", task="app.mail", error="late by 3 s")
    report = await ask(pool, ListErrors())
    assert {one.task: (one.count, one.messages) for one in report.groups} == {
        "app.send": (3, 2),
        "app.mail": (2, 1),
    }
    page = render_text(report, width=200)
    assert "2 different messages, e.g. order 4712 is gone" in page
    shown = render_errors(report).text
    assert "2 different messages, e.g. order 4712 is gone" in shown
    listed = await ask(pool, ListFailed(grouped=True))
    shown += render_failed(listed, "/jobs").text
    assert shown.count("2 different messages, e.g. order 4712 is gone") == 2
    assert "messages, e.g. late" not in page + shown


async def test_of_very_many_failed_jobs_the_newest_are_grouped_and_it_is_said(pool, conn):
    await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT 'webhook', 'app.send', 'failed' FROM generate_series(1, 10_050);"
        " INSERT INTO procrastinate_events (job_id, type, at)"
        " SELECT id, 'failed', now() - make_interval(secs => id) FROM procrastinate_jobs"
    )
    report = await ask(pool, ListFailed(grouped=True))
    [group] = report.groups
    assert (group.count, report.total, report.at_least) == (10_000, 10_000, True)
    assert group.job_ids == tuple(range(1, 251))
    # Of the others it is not known whether they are failed now: they were not looked at.
    await conn.execute("UPDATE procrastinate_jobs SET task_name = 'app.old' WHERE id > 9_990")
    errors = await ask(pool, ListErrors(since=timedelta(days=1)))
    assert {one.task: (one.count, one.failed_now) for one in errors.groups} == {
        "app.send": (9_990, 9_990),
        "app.old": (60, None),
    }


async def test_what_was_asked_for_is_found_behind_more_failed_jobs_of_other_queues(
    pool, conn, make_job
):
    old = {"status": "failed", "queue": "webhook", "task": "app.deliver", "error": "timeout"}
    ids = [await make_job(**old, finished_ago=hours(3)) for _ in range(14)]
    await insert_failed(conn, 10_050, "bulk", "app.load")
    eve = Actor("slack", "U1", "eve", "C1", (Grant(Role.VIEWER, ("web*",)),))
    for asked, actor in (
        (ListFailed(queues=("web*",)), SHELL),
        (ListFailed(tasks=("*deliver*",)), SHELL),
        (ListFailed(task="deliver"), SHELL),
        (ListFailed(queues=("web*",), since=hours(24)), SHELL),
        (ListFailed(queues=("web*",), until=datetime.now(UTC)), SHELL),
        (ListFailed(tasks=("*deliver*",), error="timeout"), SHELL),
        (ListFailed("webhook"), SHELL),
        (ListFailed(), eve),
    ):
        report = await ask(pool, replace(asked, grouped=True), actor)
        assert (report.total, report.at_least) == (14, False), asked
        [group] = report.groups
        assert (group.count, set(group.job_ids)) == (14, set(ids))
        assert "14 " in render_failed(report, "/jobs").text.splitlines()[0]
        assert (await ask(pool, asked, actor)).total == 14
    assert report.hidden_jobs == 10_050

    # `errors` knows which of them are failed now.
    errors = await ask(pool, ListErrors(since=hours(24), tasks=("*deliver",)))
    assert [group.failed_now for group in errors.groups] == [14]
    assert (errors.failed_now, errors.settled) == (14, 0)

    await make_job(status="succeeded", queue="mail")
    none = await ask(pool, ListFailed(queues=("mail",), grouped=True))
    assert (none.total, none.at_least) == (0, False)
    assert render_failed(none, "/jobs").text.startswith("🟢 No failed job of mail.")


async def test_what_became_of_the_jobs_of_one_queue_is_told_beside_a_flood_of_others(
    pool, conn, make_job, monkeypatch
):
    monkeypatch.setattr(alike, "MOST_FOUND", 30)
    jobs = [await make_job(status="failed", queue="webhook") for _ in range(3)]
    await insert_failed(conn, 50, "bulk", "app.load")
    await conn.execute("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = %s", jobs[:1])
    for asked in (
        ListFailed(since=hours(1), queues=("web*",)),
        ListFailed("webhook", since=hours(1)),
    ):
        report = await ask(pool, replace(asked, grouped=True))
        assert (report.total, report.succeeded_since) == (2, 1)
    every = await ask(pool, ListFailed(since=hours(1), grouped=True))
    assert (every.total, every.settled, every.fates_unknown) == (52, 0, True)
    said = "Too many jobs failed in that time to look at what became of each."
    assert said in render_failed(every, "/jobs").text
    assert said in render_text(every, width=100)
    errors = await ask(pool, ListErrors("webhook", since=hours(1)))
    assert (errors.failed_now, errors.settled) == (2, 1)
    stats = await ask(pool, ShowStats("webhook"))
    assert (stats.failed_now, stats.settled) == (2, 1)


async def test_of_more_jobs_than_are_looked_at_it_is_said_that_there_are_more(
    pool, conn, monkeypatch
):
    monkeypatch.setattr(alike, "MOST_GROUPED", 20)
    await insert_failed(conn, 30, "webhook", "app.send")
    await insert_failed(conn, 30, "bulk", "app.load")
    await conn.execute("DELETE FROM procrastinate_events WHERE job_id <= 15")
    report = await ask(pool, ListFailed(queues=("web*",), grouped=True))
    assert (report.total, report.at_least) == (20, True)
    text = render_failed(report, "/jobs").text
    assert text.startswith("🔴 At least 20 failed jobs of web*, the newest 20 with one error.")


async def insert_failed(conn, number, queue, task):
    """The newest has the smallest id; without records."""
    await conn.execute(
        "WITH job AS (INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT %s, %s, 'failed' FROM generate_series(1, %s) RETURNING id)"
        " INSERT INTO procrastinate_events (job_id, type, at)"
        " SELECT id, 'failed', now() - make_interval(secs => 0.01 * id) FROM job",
        (queue, task, number),
    )


async def test_a_task_is_named_alike_in_every_word(pool, make_job):
    """A part of its name, or a glob for all of it."""
    for task in ("shop.many_orders", "shop.many_mails", "web.shop.one", "100%.shop"):
        await make_job(status="failed", task=task, error="late")

    told = []

    async def count(asked):
        """None are found, or what was meant is told."""
        try:
            report = await ask(pool, asked)
        except InvalidRequest as refused:
            told.append(str(refused))
            return 0
        return report.count if isinstance(asked, PreviewBulk) else report.total

    for text, jobs in (
        ("shop.many*", 2), ("SHOP.many*", 2), ("many", 2), ("many*", 0), ("*shop*", 4), ("shop", 4),
        ("?eb.*", 1), ("100%", 1), ("shop_", 0), (r"many\*", 0),
    ):  # fmt: skip
        plain = ListFailed(task=text)
        for asked in (plain, replace(plain, grouped=True), replace(plain, error="LATE")):
            assert await count(asked) == jobs, asked
            assert await count(replace(asked, since=hours(1))) == jobs
        wanted = JobFilter(statuses=("failed",), task=text)
        assert await count(PreviewBulk(BulkVerb.RETRY, wanted, dry_run=True)) == jobs
    assert all("did you mean" in one for one in told)
    report = await ask(pool, ListFailed(task="*many*", grouped=True))
    assert render_failed(report, "/jobs").text.startswith("🔴 2 failed jobs of tasks like '*many*'")


async def test_jobs_without_a_recorded_error_are_found_by_what_is_shown_in_its_place(
    pool, conn, make_job
):
    none = {"status": "failed", "task": "app.mail", "recorded": False}
    jobs = [await make_job(**none, finished_ago=minutes(9 - i)) for i in range(4)]
    other = await make_job(status="failed", task="app.send", error="late")
    quoted = await make_job(status="failed", task="app.send", error="Error not recorded: disk full")
    await make_job(**none | {"status": "cancelled"})
    await make_job(task="app.mail")
    # An older record is of a run before, or of a job that had this id.
    await conn.execute(
        "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,"
        " message, fingerprint, will_retry) VALUES (%s, 0, 'q', 'app.mail', now() - interval"
        " '9 days', 'error', 'late', '2:b', true)",
        (jobs[0],),
    )
    text = "error not recorded"
    assert text in render_text(await ask(pool, ListFailed()), width=200)
    for typed in (text, "Error NOT recorded"):
        asked = ListFailed(error=typed)
        for wanted in (asked, replace(asked, since=hours(1))):
            report = await ask(pool, wanted)
            assert {job.job_id for job in report.jobs} == {*jobs, quoted}
            assert (await ask(pool, replace(wanted, grouped=True))).total == 5
        assert (await ask(pool, replace(asked, task="mail"))).total == 4
    assert (await ask(pool, ListFailed(error="not recorded"))).total == 1
    for statuses in (("failed",), ("failed", "cancelled", "aborted")):
        wanted = JobFilter(statuses=statuses, error=text)
        preview = await ask(pool, PreviewBulk(BulkVerb.RETRY, wanted, dry_run=True))
        assert (preview.count, sum(group.count for group in preview.groups)) == (5, 5)
    wanted = JobFilter(statuses=("todo", "doing"), error=text)
    assert (await ask(pool, PreviewBulk(BulkVerb.CANCEL, wanted, dry_run=True))).count == 0
    assert (await ask(pool, ListFailed(error="late"))).jobs[0].job_id == other


async def test_jobs_without_a_recorded_error_are_found_behind_many_others(
    pool, conn, make_job, monkeypatch
):
    monkeypatch.setattr(alike, "MOST_GROUPED", 20)
    jobs = [await make_job(status="failed", recorded=False, finished_ago=hours(3)) for _ in "abc"]
    for _ in range(30):
        await make_job(status="failed")
    report = await ask(pool, ListFailed(error="error not recorded", grouped=True))
    assert (report.total, report.at_least) == (3, False)
    assert set(report.groups[0].job_ids) == set(jobs)


async def test_where_not_every_job_is_looked_at_none_is_said_to_be_retriable_or_not(
    pool, make_job, monkeypatch
):
    monkeypatch.setattr(alike, "MOST_GROUPED", 3)
    for number in range(4):
        await make_job(status="failed", error=f"late by {number} s", fingerprint="1:l")
    [group] = (await ask(pool, ListErrors(since=hours(1)))).groups
    assert (group.count, group.failed_now, group.retriable, group.job_ids) == (4, None, None, None)


async def test_a_lost_worker_is_found_by_the_words_of_the_list(pool, conn, make_job):
    job = await make_job(status="failed", error="worker 7 (web1 pid 4)")
    await conn.execute("UPDATE jobs_maint_failures SET kind = 'worker_lost', exception_type = NULL")
    await make_job(status="failed")
    for text in ("worker lost", "lost: worker 7"):
        report = await ask(pool, ListFailed(error=text))
        assert [one.job_id for one in report.jobs] == [job]
        assert text in render_text(report, width=200)


async def test_of_an_error_that_was_not_recorded_nobody_says_that_it_is_new(pool, make_job):
    """`digest`, `errors` and `stats` count the same news."""
    for letter in "abc":
        await make_job(status="failed", error=f"row {letter}")
    await make_job(status="failed", task="app.mail", recorded=False)
    stats = await ask(pool, ShowStats())
    errors = await ask(pool, ListErrors(since=hours(1)))
    digest = await ask(pool, ShowDigest(since=hours(1)))
    assert (stats.new_errors, errors.reasons.new, digest.new_groups) == (3, 3, 3)
    for report in (errors, digest):
        assert {group.state for group in report.groups if not group.recorded} == {None}
        assert render_text(report, width=200).count("new") == 3


async def test_what_became_of_jobs_is_counted_by_their_ids_or_their_request(pool, conn, make_job):
    states = ("succeeded", "failed", "failed", "todo", "doing", "cancelled", "aborted")
    jobs = [
        await make_job(status=status, exception_type="x.Timeout", error="late") for status in states
    ]
    gone = 10**9
    after = await ask(pool, FollowJobs((*jobs, gone)))
    assert (after.succeeded, after.failed, after.pending, after.ended, after.gone) == (
        1, 2, 2, 2, 1,
    )  # fmt: skip
    assert (after.error, after.errors, after.failed_ids) == ("x.Timeout", 1, tuple(jobs[1:3]))
    await conn.execute(
        "INSERT INTO jobs_maint_audit_items (audit_id, outcome, code, job_ids)"
        " VALUES (7, 'done', 'put_back', %s), (7, 'skipped', 'held', %s)",
        (jobs[:2], jobs[2:]),
    )
    after = await ask(pool, FollowJobs(request=7))
    assert (after.total, after.succeeded, after.failed) == (2, 1, 1)


async def test_a_kind_with_very_many_unlike_errors_is_one_group_of_all_that_are_failed_now(
    pool, conn, make_job
):
    jobs = [
        await make_job(status="failed", task="app.send", error=f"row {letter}")
        for letter in map(chr, range(65, 65 + 52))
    ]
    await conn.execute("UPDATE procrastinate_jobs SET status = 'todo' WHERE id = %s", (jobs[0],))
    [group] = (await ask(pool, ListErrors())).groups
    assert (group.count, group.failed_now, group.retriable) == (52, 51, 51)
    assert set(group.job_ids) == set(jobs[1:])
    failed = await ask(pool, ListFailed(grouped=True))
    [group] = failed.groups
    name = name_kind("app.send", "ValueError")
    assert (group.count, group.retriable, group.name, failed.groups_not_shown) == (51, 51, name, 0)
    assert group.messages == 51
    assert set(group.job_ids) == set(jobs[1:])
    shown = render_failed(failed, "/jobs").text
    assert "51 different messages, e.g. row" in shown
    preview = await ask(pool, PreviewBulk(BulkVerb.RETRY, JobFilter(job_ids=tuple(jobs[1:]))))
    [error] = preview.errors.groups
    assert (error.count, error.name) == (51, name)
    assert error.error.startswith("ValueError: 51 different messages, e.g. row")
