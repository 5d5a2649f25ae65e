"""The failure summary somebody asks for: it adds up, opens no window, and a grant limits it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import psycopg
import pytest
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool
from tests.support.fleet import Fleet
from tests.support.history import JobFactory, hours, minutes

from chatbot.messages import render_digest, render_thread
from chatbot.messages.digest import say_maintenance
from chatbot.messages.groups import render_errors
from jobs_maint.actions import (
    Actor,
    CloseDigest,
    Grant,
    Limits,
    ListErrors,
    OpenDigest,
    PurgeFinished,
    Role,
    ShowDigest,
    ShowStats,
    WatchIncidents,
)
from jobs_maint.errors import InvalidRequest, NotPermitted
from jobs_maint.models import ErrorGroup, IncidentKind
from jobs_maint.operations.digest.summary import sort_by_news
from jobs_maint.operations.failures.memory import collect_groups
from jobs_maint.perform import perform
from jobs_maint.render import build_data, render_text
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "host")
DAILY = OpenDigest("daily", timedelta(days=1), "a-key")


async def ask(pool, action=None, actor=ANA):
    return await perform(pool, actor, action or ShowDigest(), settings=MaintSettings())


@pytest.fixture
async def history(make_job):
    for ago in (minutes(5), minutes(6), hours(30)):
        await make_job(
            status="failed", queue="webhook", task="app.hook", error="timeout", finished_ago=ago
        )
    await make_job(
        status="failed", queue="email", task="app.mail", error="bounced", finished_ago=hours(1)
    )
    for ago in (minutes(1), hours(2), hours(40)):
        await make_job(status="succeeded", queue="email", task="app.mail", finished_ago=ago)
    await make_job(queue="email", task="app.mail", deferred_ago=minutes(12))


async def test_the_summary_of_the_last_day_adds_up(pool, history):
    report = await ask(pool)
    assert (report.window_id, report.name) == (0, "now")
    assert (report.failed, report.failed_before, report.succeeded) == (3, 1, 2)
    assert [(g.task, g.count, g.count_before, g.trend) for g in report.groups] == [
        ("app.mail", 1, 0, "new"), ("app.hook", 2, 1, "steady"),
    ]  # fmt: skip
    assert report.until - report.since == timedelta(days=1)
    assert {queue.queue for queue in report.queues} == {"email", "webhook"}
    short = await ask(pool, ShowDigest(since=timedelta(minutes=30)))
    assert (short.failed, short.succeeded) == (2, 1)


async def test_it_names_a_job_that_is_there_and_which_maintenance_ran(
    pool, history, conn, make_job
):
    ran = {"status": "succeeded", "queue": "maintenance", "finished_ago": minutes(3)}
    await make_job(task="jobs_maint:purge_finished_jobs", **ran)
    await make_job(task="jobs_maint:rescue_stalled_jobs", **ran)
    shown = render_text(await ask(pool))
    [mail] = await (await conn.execute(
        "SELECT id FROM procrastinate_jobs WHERE status = 'failed' AND queue_name = 'email'"
    )).fetchone()  # fmt: skip
    assert f"A job of the first group: jobs-maint status {mail}\n" in shown
    assert "Last purge " in shown
    assert ", last rescue " in shown
    await conn.execute("DELETE FROM procrastinate_jobs WHERE id = %s", (mail,))
    without = await ask(pool)
    [there] = {one.sample_job_id for one in without.groups} - {mail}
    assert f"A job of a group: jobs-maint status {there}\n" in render_text(without)


async def test_it_opens_and_advances_no_window(pool, history, conn):
    """The digest that is due afterwards covers the same failures as if nobody had asked."""
    await ask(pool)
    found = await conn.execute("SELECT count(*) FROM jobs_maint_digests")
    assert await found.fetchone() == (0,)
    night = Actor.task("chatbot:send_digest")
    opened = await ask(pool, DAILY, night)
    await ask(pool)
    assert opened.failed == 3
    await ask(pool, CloseDigest(opened.window_id, "sent", "C1", "1.2"), night)
    found = await conn.execute("SELECT state, since, until FROM jobs_maint_digests")
    assert await found.fetchall() == [("sent", opened.since, opened.until)]


async def test_one_queue(pool, history):
    report = await ask(pool, ShowDigest("email"))
    assert (report.queue, report.failed, report.succeeded) == ("email", 1, 2)
    assert [queue.queue for queue in report.queues] == ["email"]
    with pytest.raises(InvalidRequest, match="did you mean 'email'"):
        await ask(pool, ShowDigest("emial"))


async def test_a_queue_with_a_star_in_its_name_is_that_queue(pool, history, make_job):
    await make_job(status="failed", queue="e*", task="app.odd")
    report = await ask(pool, ShowDigest("e*"))
    assert [(g.task, g.count) for g in report.groups] == [("app.odd", 1)]


async def test_a_role_limited_to_queues_sees_those_and_is_told_so(pool, history):
    viewer = Actor("slack", "U1", "bo", "C1", (Grant(Role.VIEWER, queues=("web*",)),))
    report = await ask(pool, actor=viewer)
    assert (report.failed, report.succeeded, report.limited_to_queues) == (2, 0, ("web*",))
    assert [queue.queue for queue in report.queues] == ["webhook"]
    with pytest.raises(NotPermitted, match="your grant reaches web"):
        await ask(pool, ShowDigest("email"), viewer)
    assert render_text(report).startswith("2 failures in the queues you reach (web*) in the last")
    assert (await ask(pool, ShowDigest("webhook"), viewer)).limited_to_queues is None


async def test_what_was_purged_of_all_queues_is_told_only_of_all_queues(pool, make_job):
    """A purge counts by status: of some queues nobody knows, and "none" would be untrue."""
    await make_job(status="succeeded", queue="email", finished_ago=hours(24 * 40))
    await make_job(status="failed", queue="webhook")
    await perform(pool, ANA, PurgeFinished(), settings=MaintSettings())
    everything = await ask(pool)
    assert everything.purged == 1
    assert "1 finished job purged" in render_text(everything)
    assert "1 finished job purged" in render_digest(everything, "/jobs").text
    viewer = Actor("slack", "U1", "bo", "C1", (Grant(Role.VIEWER, queues=("web*",)),))
    for report in (await ask(pool, ShowDigest("webhook")), await ask(pool, actor=viewer)):
        assert report.purged is None
        assert build_data(report)["purged"] is None
        assert "purged" not in render_text(report)
        assert "purged" not in render_digest(report, "/jobs").text


@pytest.mark.parametrize("most", [500, 6])
async def test_groups_that_are_gone_are_counted_beyond_those_that_are_named(
    pool, make_job, monkeypatch, most
):
    """`most`: how many groups are looked at each."""
    monkeypatch.setattr("jobs_maint.operations.digest.summary.MOST_SORTED", most)
    await make_job(status="failed", task="app.now", error="broken", finished_ago=minutes(5))
    for number in range(13):
        await make_job(
            status="failed", task=f"app.t{number}", error="broken", finished_ago=hours(30)
        )
    report = await ask(pool)
    assert (len(report.groups), report.groups_not_shown, report.gone_not_shown) == (10, 0, 4)
    assert "4 more groups of the 24 h before, gone since, not shown." in render_text(report)
    thread = render_thread(report, "/jobs")[-1].text
    assert thread.count(", was 1") == 9
    assert "and 4 more" in thread
    few = await ask(pool, replace(DAILY, groups=1), Actor.task("chatbot:send_digest"))
    assert "Gone since the day before\n13 groups" in render_thread(few, "/jobs")[-1].text
    errors = render_errors(await ask(pool, ListErrors(limit=9)))
    assert "5 more gone" in errors.text


async def test_groups_beyond_the_ten_largest_are_counted(pool, make_job):
    for number in range(12):
        await make_job(status="failed", task=f"app.t{number}", error="broken")
    report = await ask(pool)
    assert (len(report.groups), report.groups_not_shown, report.failures_not_shown) == (10, 2, 2)
    text = render_text(report)
    assert "2 more groups, 2 failures, not shown: jobs-maint errors --since 1d" in text


async def test_the_page_says_what_failed_what_ended_and_how_the_queues_are(pool, history):
    lines = render_text(await ask(pool)).split("\n")
    assert lines[0] == "3 failures in the last 24 h, 1 in the 24 h before."
    assert lines[1] == "2 jobs succeeded."
    table = [line.split() for line in lines]
    assert ["Queue", "Ready", "Scheduled", "Doing", "Failed", "Oldest"] in table
    assert ["email", "1", "–", "–", "1", "12", "min"] in table
    assert max(map(len, lines)) <= 80


async def test_where_nothing_happened_it_says_so(pool):
    report = await ask(pool)
    assert render_text(report) == (
        "No failures in the last 24 h, 0 in the 24 h before.\nNo job ran; no worker is alive."
    )
    assert build_data(report)["kind"] == "digest"


async def test_a_deleted_jobs_record_that_a_dead_worker_left_is_not_told_as_its_end(pool, conn):
    """The first job succeeded in the end, the second failed, the rescue ended the third."""
    records = [
        (1, 1, "error", False), (1, 1, "worker_lost", True),
        (2, 1, "error", False), (2, 1, "worker_lost", True), (2, 2, "error", False),
        (3, 1, "error", False), (3, 1, "worker_lost", False),
    ]  # fmt: skip
    for place, (job_id, attempt, kind, will_retry) in enumerate(records):
        await conn.execute(
            "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, kind,"
            " message, fingerprint, will_retry, failed_at) VALUES (%s, %s, 'email', 'app.mail',"
            " %s, 'x', '1:x', %s, now() - interval '10 minutes' + %s * interval '1 second')",
            (job_id, attempt, kind, will_retry, place),
        )
    report = await ask(pool)
    assert (report.failed, sum(report.slots), report.put_back) == (2, 2, 2)
    assert [queue.failed_last_hour for queue in report.queues] == [2]
    assert "2 jobs put back after their worker was lost" in render_text(report)
    await conn.execute("DELETE FROM jobs_maint_failures WHERE job_id = 1")
    assert "1 job put back after its worker was lost" in render_text(await ask(pool))


async def test_jobs_that_were_put_back_again_and_again_are_counted_as_jobs(pool, conn, make_job):
    await make_job(queue="email")  # of a queue that is gone nothing is told
    for job_id, attempt in [(1, 1), (1, 2), (1, 3), (2, 1)]:
        await conn.execute(
            "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, kind,"
            " message, fingerprint, will_retry, failed_at) VALUES (%s, %s, 'email', 'app.mail',"
            " 'worker_lost', 'x', '1:x', true, now() - interval '1 minute')",
            (job_id, attempt),
        )
    report = await ask(pool)
    assert (report.put_back_jobs, report.put_back) == (2, 4)
    assert "2 jobs put back 4 times after their worker was lost" in render_text(report, width=200)
    assert "2 jobs rescued from dead workers, 4 times" in say_maintenance(report)
    (email,) = (await ask(pool, ShowStats())).queues
    assert (email.lost_jobs_last_day, email.lost_last_day) == (2, 4)


async def test_it_says_which_failed_jobs_are_deleted_next(pool, conn, make_job):
    for ago in (hours(24 * 89), hours(24 * 88), hours(24 * 80)):
        await make_job(status="failed", queue="webhook", finished_ago=ago)
    retried = await make_job(status="failed", queue="webhook", finished_ago=hours(24 * 89))
    await conn.execute(
        f"INSERT INTO procrastinate_events (job_id, type, at) VALUES ({retried}, 'failed', now())"
    )
    report = await ask(pool)
    assert (report.expiring.jobs, report.expiring.at_most) == (2, False)
    line = "2 failed jobs reach their 90 days within 3 days and are deleted then."
    assert line in render_text(report)
    await make_job(queue="email")
    assert (await ask(pool, ShowDigest("email"))).expiring.jobs == 0
    kept = MaintSettings(keep_failed=None)
    assert (await perform(pool, ANA, ShowDigest(), settings=kept)).expiring is None


async def test_it_names_the_incidents_of_its_span_and_its_queues(pool, conn, make_job):
    for queue, began, ended in (("email", 5, 4), ("email", 3, None), ("other", 2, 1), ("", 30, 29)):
        await conn.execute(
            "INSERT INTO jobs_maint_incidents (kind, subject, state, since, opened_at, seen_at,"
            " resolved_at, value, worst, value_limit, queues, revised_at) SELECT 'queue_behind',"
            " %(queue)s, CASE WHEN ended IS NULL THEN 'open' ELSE 'resolved' END, began, began,"
            " now(), ended, 600, 600, 300, ARRAY[%(queue)s], now() FROM (SELECT"
            " yesterday - %(began)s * interval '1 hour' AS began,"
            " yesterday - %(ended)s::float8 * interval '1 hour' AS ended FROM (SELECT"
            " date_trunc('day', now()) - interval '1 day' AS yesterday) AS day) AS at",
            {"queue": queue, "began": began, "ended": ended},
        )
    await make_job(queue="email", deferred_ago=timedelta(minutes=10))
    report = await ask(pool, ShowDigest(since=timedelta(hours=90)))
    assert [one.subject for one in report.incidents] == ["", "email", "email", "other"]
    mail = Actor("slack", "U1", "bo", "C1", (Grant(Role.VIEWER, queues=("email",)),))
    page = render_text(await ask(pool, ShowDigest(since=timedelta(hours=90)), mail))
    day = report.until.date() - timedelta(days=2)
    over, now = [one.name for one in report.incidents if one.subject == "email"]
    span = f"{day} 19:00 to {day} 20:00 UTC"
    assert f"Incident {over}, {span}: email was up to 10 min behind." in " ".join(page.split())
    told = f"Incident {now} since {day} 21:00 UTC: email is 10 min behind; nobody is on it."
    assert " ".join(page.split()).startswith(told)
    assert "other" not in page


async def open_incident(conn, kind, subject, seen_ago, facts=None, folded=()):
    """Begun three minutes before; its last look was `seen_ago` seconds ago."""
    await conn.execute(
        "INSERT INTO jobs_maint_incidents (kind, subject, state, since, opened_at, seen_at, value,"
        " worst, value_limit, queues, facts, folded, revised_at) SELECT %(kind)s, %(subject)s,"
        " 'open', at, at, seen, value, value, 60, array_remove(ARRAY[%(subject)s], ''), %(facts)s,"
        " %(folded)s, at FROM (SELECT now() - interval '3 minutes' AS at,"
        " now() - make_interval(secs => %(ago)s) AS seen, 180.0 - %(ago)s AS value) AS began",
        {"kind": kind, "subject": subject, "ago": seen_ago, "facts": Jsonb(facts or {}),
         "folded": Jsonb(list(folded))},
    )  # fmt: skip


async def test_no_worker_is_not_so_where_one_lives_though_the_watch_has_not_looked_yet(
    pool, conn, make_job
):
    """A worker sends the digest: it must not say that none is alive. Nobody knows the end yet."""
    await open_incident(conn, "no_worker", "", 10)
    report = await ask(pool, ShowDigest(since=timedelta(hours=1)))
    assert [one.calm_since for one in report.incidents] == [None]
    await Fleet(pool, conn, make_job).start_worker()
    report = await ask(pool, ShowDigest(since=timedelta(hours=1)))
    [one] = report.incidents
    assert (one.is_open, one.calm_since) == (True, report.until)
    text, begin = " ".join(render_text(report).split()), one.began_at
    calm = f"from {begin:%H:%M} UTC, calm at {report.until:%H:%M} UTC, still watched"
    assert f"Incident {one.name} {calm}: no worker was alive; nobody is on it" in text
    assert f", {begin:%H:%M} UTC to " not in text
    told = render_digest(report, "/jobs").text
    assert "No worker is alive" not in told
    assert f"Incident {one.name} {calm}: no worker was alive; nobody is on it" in told


async def test_it_says_that_the_jobs_no_worker_listened_to_were_cancelled(pool, conn, make_job):
    job = await make_job(queue="email", deferred_ago=timedelta(minutes=3), status="cancelled")
    await open_incident(conn, "no_worker", "email", 10, {"waiting": 1, "job_id": job})
    await Fleet(pool, conn, make_job).start_worker()
    await conn.execute("UPDATE jobs_maint_workers SET queues = '{other}'")
    report = await ask(pool, ShowDigest(since=timedelta(hours=1)))
    said = ", still watched: no worker listened to email; its jobs were cancelled; nobody is on it"
    assert said in " ".join(render_text(report).split())
    assert said in render_digest(report, "/jobs").text


@pytest.mark.parametrize("kind", ["no_worker", "queue_behind"])
async def test_what_it_says_of_a_queue_is_so_now_not_when_the_watch_looked_last(
    pool, conn, make_job, kind
):
    late = {"waiting": 9, **({"has_worker": False} if kind == "queue_behind" else {})}
    await open_incident(conn, kind, "email", 50, late)
    await make_job(queue="email", deferred_ago=timedelta(minutes=3))
    for worker in (False, True):
        if worker:
            await Fleet(pool, conn, make_job).start_worker()
            await conn.execute("UPDATE jobs_maint_workers SET queues = '{email}'")
        told = render_digest(await ask(pool), "/jobs").text
        behind = kind == "queue_behind"
        assert ("🔴 email is 3 min behind" in told) == behind
        assert ("start one that listens to email" in told) == (behind and not worker)
        assert ("🔴 No worker listens to email" in told) == (not behind and not worker)
        assert (", calm at " in told) == (not behind and worker)
        assert "9 jobs wait" not in told
    await conn.execute("UPDATE procrastinate_jobs SET status = 'succeeded'")
    told = render_digest(await ask(pool), "/jobs").text
    assert "🔴" not in told
    assert ("email was up to 2 min behind" in told) == behind


async def test_what_is_left_of_an_incident_is_told_where_a_part_is_over(pool, conn, make_job):
    part = {"kind": "queue_behind", "subject": "email", "value": 130, "worst": 130, "limit": 60,
            "since": None, "queues": ["email"], "facts": {"has_worker": False}}  # fmt: skip
    await open_incident(conn, "no_worker", "", 10, folded=[part])
    await make_job(queue="email", deferred_ago=timedelta(minutes=3))
    await Fleet(pool, conn, make_job).start_worker()
    [one] = (await ask(pool)).incidents
    assert (one.kind, one.subject, one.folded) == ("queue_behind", "email", ())
    assert one.facts["has_worker"]


async def test_what_cannot_be_looked_at_anew_is_told_with_the_time_of_the_last_look(pool, conn):
    await open_incident(conn, "maintenance_overdue", "rescue", 120)
    report = await ask(pool)
    [one] = report.incidents
    assert f"as of {one.seen_at:%H:%M} UTC" in " ".join(render_text(report).split())
    told = render_digest(report, "/jobs").text
    assert "🔴 The rescue of stuck jobs is overdue; no job failed" in told
    assert ", when the bot looked last." in told
    await conn.execute("UPDATE jobs_maint_incidents SET seen_at = now()")
    report = await ask(pool)
    assert "as of" not in render_text(report)
    assert "looked last" not in render_digest(report, "/jobs").text


async def test_of_the_errors_of_an_incident_it_tells_those_of_its_tasks(pool, conn):
    """Which is named after one that another task has, and began as something else before."""
    parts = [
        {"kind": "group", "subject": f"E-{name}", "value": 4, "worst": 4, "limit": 3,
         "since": None, "queues": ["work"],
         "facts": {"task": f"app.{name}", "exception_type": "Refused"}}
        for name in ("mail", "hook")
    ]  # fmt: skip
    await conn.execute(
        "INSERT INTO jobs_maint_incidents (kind, subject, state, since, opened_at, seen_at, value,"
        " worst, value_limit, queues, facts, folded, revised_at) SELECT 'group', 'E-pay', 'open',"
        " at, at, now(), 9, 9, 3, '{work}', %s, %s, now() FROM (SELECT now() - interval '5 min' AS"
        " at) AS began",
        (Jsonb({"task": "app.pay", "exception_type": "Refused"}), Jsonb(parts)),
    )
    night = Actor.task("chatbot:send_digest")
    for tasks, told, folded in (
        (None, "E-pay", ["E-mail", "E-hook"]), (("app.p*",), "E-pay", []),
        (("app.h*",), "E-hook", []), (("app.h*", "app.mail"), "E-hook", ["E-mail"]),
    ):  # fmt: skip
        report = await ask(pool, replace(DAILY, tasks=tasks), night)
        [one] = report.incidents
        assert (one.subject, [part.subject for part in one.folded]) == (told, folded)
        await ask(pool, CloseDigest(report.window_id, "failed", "C1", None, "later"), night)
    assert (await ask(pool, replace(DAILY, tasks=("none",)), night)).incidents == ()


async def test_a_digest_does_not_call_itself_late_nor_one_that_it_has_nothing_to_do_with(
    pool, conn
):
    silent = {"kind": "recorder_silent", "subject": "host-1", "value": 300, "worst": 300,
            "limit": 120, "since": None, "queues": [], "facts": {"worker_id": 7}}  # fmt: skip
    for subject, folded in (("daily", [silent]), ("mail", []), ("all", [])):
        await conn.execute(
            "INSERT INTO jobs_maint_incidents (kind, subject, state, since, opened_at, seen_at,"
            " value, worst, value_limit, queues, folded, revised_at)"
            " SELECT 'digest_overdue', %s, 'open', at, at, now(), 2400, 2400, 900, '{}', %s, now()"
            " FROM (SELECT now() - interval '5 min' AS at) AS began",
            (subject, Jsonb(folded)),
        )
    night = Actor.task("chatbot:send_digest")

    async def tell(action):
        report = await ask(pool, action, night)
        await ask(pool, CloseDigest(report.window_id, "failed", "C1", None, "later"), night)
        text = render_digest(report, "/jobs").text
        return {one.subject or str(one.kind) for one in report.incidents}, text

    told, _ = await tell(DAILY)
    assert told == {"host-1", "mail", "all"}
    told, text = await tell(replace(DAILY, untold=("mail", "all")))
    assert told == {"host-1"}
    assert "overdue" not in text
    assert "Until it is sent" not in text
    asked = await ask(pool)  # by a person, to whom the lateness of all of them is news
    assert {one.subject for one in asked.incidents} == {"daily", "mail", "all"}


async def test_an_incident_is_dated_from_the_begin_of_what_it_is_said_to_be(pool, conn):
    await conn.execute(
        "INSERT INTO jobs_maint_incidents (kind, subject, state, since, opened_at, seen_at, value,"
        " worst, value_limit, queues, revised_at) SELECT 'no_worker', '', 'open', at, at, until,"
        " 120, 120, 60, '{}', now() FROM (SELECT day - interval '3 h' AS until,"
        " day - interval '4 h' AS at FROM date_trunc('day', now()) AS day) AS began"
    )
    page = " ".join(render_text(await ask(pool, ShowDigest(since=timedelta(hours=60)))).split())
    assert " 20:58 UTC: no worker is alive" in page


class Interrupted(psycopg.AsyncCursor):
    """Another session fails a job while the queues are looked at, before the failures are."""

    jobs: ClassVar[list[JobFactory]] = []

    async def execute(self, query, *args, **kwargs):
        found = await super().execute(query, *args, **kwargs)
        if "n_live_tup" in str(query):
            await self.jobs.pop()(status="failed", finished_ago=minutes(1))
        return found


async def test_all_of_it_is_of_one_moment(database_url, make_job):
    Interrupted.jobs.append(make_job)
    kwargs = {"cursor_factory": Interrupted}
    async with AsyncConnectionPool(database_url, kwargs=kwargs, min_size=1) as watched:
        opened = await ask(watched, DAILY, Actor.task("chatbot:send_digest"))
    assert Interrupted.jobs == []
    assert (opened.failed, opened.queues) == (0, ())


def test_the_news_comes_first_then_what_goes_on_then_what_is_muted_or_gone():
    group = ErrorGroup("app.task", "E", "text", 1, 0, "new", True)
    until = datetime.now(UTC)
    groups = (
        replace(group, message="steady", count=90, state="ongoing"),
        replace(group, message="muted", count=80, state="new", muted_until=until),
        replace(group, message="gone", count=0, state="quiet"),
        replace(group, message="small", count=1, state="new"),
        replace(group, message="back", count=5, state="regressed"),
        replace(group, message="rising", count=70, state="rising"),
        replace(group, message="large", count=2, state="new"),
    )
    assert [one.message for one in sort_by_news(groups)] == [
        "large", "small", "back", "rising", "steady", "muted", "gone",
    ]  # fmt: skip


async def test_stuck_jobs_are_told_as_they_are_not_as_the_watch_saw_them_last(pool, conn, make_job):
    """One of two was rescued since the last pass, then the other."""
    fleet = Fleet(pool, conn, make_job)
    worker = await fleet.start_worker()
    lost = [
        await make_job(status="doing", worker_id=worker, deferred_ago=hours(1)) for _ in range(2)
    ]
    await fleet.beat(worker, *lost)
    await fleet.fall_silent(minutes(20))
    await fleet.start_worker()
    for _ in range(2):
        watch = WatchIncidents("bot", Limits(kinds=frozenset({IncidentKind.JOBS_STUCK})))
        await perform(pool, Actor.task("chatbot"), watch)
    assert "2 jobs are stuck" in render_digest(await ask(pool), "/jobs").text
    put_back = "UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL WHERE id = %s"
    await conn.execute(put_back, (lost[0],))
    assert "1 job is stuck" in render_digest(await ask(pool), "/jobs").text
    await conn.execute(put_back, (lost[1],))
    report = await ask(pool)
    assert report.incidents[0].calm_since == report.until
    text = render_digest(report, "/jobs").text
    assert "stuck" not in text.splitlines()[0]
    assert "calm at" in text


@pytest.mark.parametrize("counted", [True, False])
async def test_an_error_is_new_in_one_digest_alone_however_soon_the_next_one_comes(
    pool, conn, make_job, counted
):
    for ago in (40, 4):
        await make_job(
            status="failed", queue="mail", task="app.mail", error="boom",
            finished_ago=timedelta(seconds=ago),
        )  # fmt: skip
        if counted:
            await collect_groups(conn)
    [group] = (await ask(pool, ShowDigest(since=timedelta(seconds=10)))).groups
    assert (group.count, group.state) == (1, "ongoing")
    [group] = (await ask(pool, ShowDigest(since=timedelta(seconds=60)))).groups
    assert (group.count, group.state) == (2, "new")
