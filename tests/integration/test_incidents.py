"""The watch on a real database: of each kind what is bad, what is mended, and what is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from psycopg.types.json import Jsonb
from tests.support.fleet import Fleet
from tests.support.history import days, hours, minutes

from chatbot.messages.incident import render_incident
from chatbot.messages.incidents import render_incidents
from jobs_maint.actions import (
    Actor,
    DigestPlan,
    Limits,
    ListIncidents,
    Pause,
    ShowDigest,
    WatchIncidents,
)
from jobs_maint.crons import find_last_tick
from jobs_maint.models import IncidentKind, IncidentsReport
from jobs_maint.perform import perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings

ANA, BOT = Actor.shell("ana", "host"), Actor.task("chatbot:watch")
SETTINGS = MaintSettings()


async def see(pool, limits=None, *, holder="bot-1", settings=SETTINGS):
    """One pass."""
    return await perform(pool, BOT, WatchIncidents(holder, limits or Limits()), settings=settings)


async def opened(pool, limits=None, **more):
    """What is open after two passes: the kind and subject, and what has the same cause."""
    assert (await see(pool, limits, **more)).open == ()
    return await known(pool, limits, **more)


async def known(pool, limits=None, **more):
    report = await see(pool, limits, **more)
    return {
        (one.kind.value, one.subject): {(part.kind.value, part.subject) for part in one.folded}
        for one in report.open
    }


async def over(pool, limits=None, **more):
    """Whether two passes find all of it gone."""
    await see(pool, limits, **more)
    return await known(pool, limits, **more) == {}


@pytest.fixture
async def fleet(pool, conn, make_job):
    return Fleet(pool, conn, make_job)


async def listen(conn, worker, *queues):
    await conn.execute(
        "UPDATE jobs_maint_workers SET queues = %s WHERE worker_id = %s", (list(queues), worker)
    )


async def test_no_worker_is_one_incident_with_all_that_waits_for_one(pool, conn, fleet, make_job):
    worker = await fleet.start_worker()
    for queue in ("email", "web"):
        await make_job(queue=queue, deferred_ago=minutes(20))
    await make_job(queue="later", scheduled_in=hours(1))
    await fleet.fall_silent(timedelta(seconds=55))
    await see(pool, Limits(queue_behind=()))
    assert await known(pool, Limits(queue_behind=())) == {}  # a restart takes a while
    await fleet.fall_silent(timedelta(seconds=55))
    await conn.execute("UPDATE jobs_maint_watch SET memory = '{}'")
    folded = {("queue_behind", "email"), ("queue_behind", "web")}
    assert await opened(pool) == {("no_worker", ""): folded}
    [one] = (await perform(pool, ANA, ListIncidents())).open
    each = {"email": {"waiting": 1}, "web": {"waiting": 1}}
    heard = {"heard_at": one.lead.since.isoformat()}
    assert (one.facts, one.limit) == ({"waiting": 2, "by_queue": each, **heard}, 60.0)
    assert 105 < one.value < 120
    assert one.since < one.opened_at - timedelta(minutes=19)  # since then email waits
    await fleet.beat(worker)
    await fleet.heartbeat(worker)
    await see(pool)
    [remains] = (await known(pool)).items()
    assert remains == (("queue_behind", "email"), {("queue_behind", "web")})
    await conn.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE status = 'todo'")
    assert await over(pool, replace(Limits(), jobs_stuck=9_000.0))


async def test_workers_that_ended_as_they_should_are_missed_too(pool, conn, fleet):
    worker = await fleet.start_worker()
    assert await opened(pool) == {}
    await conn.execute("DELETE FROM jobs_maint_workers")
    await conn.execute("DELETE FROM procrastinate_workers WHERE id = %s", (worker,))
    await see(pool)
    assert await known(pool) == {}
    back = "jsonb_build_object('worker_at', now() - interval '70 seconds')"
    await conn.execute(f"UPDATE jobs_maint_watch SET memory = memory || {back}")
    assert await opened(pool) == {("no_worker", ""): set()}


@pytest.mark.parametrize("left", [["mail"], []], ids=["other", "stops"])
@pytest.mark.parametrize("queues", [None, ["web", "mail"]])
async def test_what_lacks_a_worker_does_so_since_the_last_beat(
    pool, conn, fleet, make_job, queues, left
):
    """And not since the last look that still took the worker for alive."""
    limits = Limits(no_worker=20.0, kinds=frozenset({IncidentKind.NO_WORKER}))
    worker = await fleet.start_worker()
    await make_job(queue="web", deferred_ago=hours(2))
    await conn.execute("UPDATE jobs_maint_workers SET queues = %s", (queues,))
    await fleet.fall_silent(timedelta(seconds=25))
    await see(pool, limits)
    await listen(conn, worker, *left)
    await fleet.beat(worker)
    assert await opened(pool, limits) == {("no_worker", "web"): set()}
    [one] = (await perform(pool, ANA, ListIncidents())).open
    assert 25 <= one.value < 35


@pytest.mark.parametrize("left", [["mail"], [], None], ids=["other", "stops", "none lives"])
async def test_what_lacks_a_worker_does_so_since_the_last_job_that_one_took(
    pool, conn, fleet, make_job, left
):
    """A worker that ends leaves no beat of its last seconds; its jobs tell of them."""
    limits = Limits(no_worker=5.0, kinds=frozenset({IncidentKind.NO_WORKER}))
    worker = await fleet.start_worker()
    await make_job(queue="web", deferred_ago=hours(2))
    await conn.execute("UPDATE jobs_maint_workers SET queues = '{web,mail}'")
    await fleet.fall_silent(timedelta(seconds=25))
    await see(pool, limits)
    if left is None:
        await conn.execute("DELETE FROM jobs_maint_workers")
        await conn.execute("DELETE FROM procrastinate_workers")
    else:
        await listen(conn, worker, *left)
        await fleet.beat(worker)
    ran = timedelta(seconds=15)
    await make_job(queue="web", status="succeeded", finished_ago=ran)
    drained = await make_job(queue="web", status="succeeded", finished_ago=timedelta(seconds=10))
    await conn.execute("UPDATE procrastinate_events SET at = at - interval '1 hour'"
                       " WHERE type = 'started' AND job_id = %s", (drained,))  # fmt: skip
    await make_job(queue="web", status="cancelled")
    assert await opened(pool, limits) == {("no_worker", "" if left is None else "web"): set()}
    for report in (
        await perform(pool, ANA, ListIncidents()),
        await perform(pool, ANA, ShowDigest(since=hours(1))),
    ):
        [one] = report.open if isinstance(report, IncidentsReport) else report.incidents
        # What one that does not listen any more ends is no sign of one that does.
        since = 10 if left is None else 15
        assert since <= one.value < since + 4


@pytest.mark.parametrize("passes", [1, 2], ids=["seen once", "over"])
async def test_an_incident_that_comes_again_is_dated_from_the_worker_in_between(
    pool, conn, fleet, make_job, passes
):
    """One listens to web for a moment, and ends; the incident is the same, and as old as that."""
    limits = Limits(no_worker=0.0, kinds=frozenset({IncidentKind.NO_WORKER}))
    worker = await fleet.start_worker()
    await listen(conn, worker, "mail")
    await make_job(queue="web", deferred_ago=minutes(20))
    assert await opened(pool, limits) == {("no_worker", "web"): set()}
    [before] = (await perform(pool, ANA, ListIncidents())).open
    assert before.value >= 1_200
    await fleet.beat(worker)
    await listen(conn, worker, "mail", "web")
    for _ in range(passes):
        await see(pool, limits)
    await listen(conn, worker, "mail")
    for _ in range(2):
        report = await see(pool, limits)
    [one] = report.open
    assert (one.id, one.subject, one.times) == (before.id, "web", passes)
    assert one.value < 20
    assert one.began_at == before.began_at
    said = render_incident(one, report.as_of).text
    told = render_text(await perform(pool, ANA, ListIncidents()), width=200)
    heard = f"{report.as_of - timedelta(seconds=one.value):%H:%M}"
    assert f"one heard since {heard}" in said
    assert f"none heard since {heard}" in told
    digest = render_text(await perform(pool, ANA, ShowDigest(since=hours(1))), width=200)
    assert ("came 2 times" in digest) == ("came 2 times" in told) == (passes == 2)


async def test_workers_that_ended_are_missed_since_their_last_beat(pool, conn, fleet):
    await fleet.start_worker()
    await fleet.fall_silent(timedelta(seconds=25))
    await see(pool)
    await conn.execute("DELETE FROM jobs_maint_workers")
    await conn.execute("DELETE FROM procrastinate_workers")
    assert await opened(pool, Limits(no_worker=20.0)) == {("no_worker", ""): set()}
    [one] = (await perform(pool, ANA, ListIncidents())).open
    assert 25 <= one.value < 35


async def test_nobody_misses_workers_that_never_were(pool, conn, make_job):
    assert await opened(pool) == {}
    await make_job(queue="later", scheduled_in=hours(1))
    assert await opened(pool) == {}
    await make_job(queue="email", deferred_ago=minutes(2))
    assert await opened(pool) == {("no_worker", ""): set()}


async def test_a_queue_is_behind_by_its_oldest_ready_job(pool, conn, fleet, make_job):
    await fleet.start_worker()
    limits = Limits(queue_behind=(("email", 400.0), ("slow*", 7_200.0), ("*", 900.0)))
    await make_job(queue="slow-1", deferred_ago=hours(1))
    await make_job(queue="web", deferred_ago=minutes(10))
    await make_job(queue="maintenance", task="jobs_maint:rescue_stalled_jobs",
                   deferred_ago=hours(1))  # fmt: skip
    put_back = await make_job(queue="email", status="failed", finished_ago=hours(5))
    oldest = await make_job(queue="email", task="app.mail", deferred_ago=minutes(7))
    await make_job(queue="due", scheduled_in=-minutes(20), deferred_ago=hours(9))
    await make_job(queue="ahead", scheduled_in=minutes(1), deferred_ago=hours(9))
    await conn.execute("UPDATE procrastinate_jobs SET status = 'todo' WHERE id = %s", (put_back,))
    # A retry is an event of its own, newer than what waits behind it.
    await conn.execute(
        "INSERT INTO procrastinate_events (job_id, type, at) VALUES (%s, 'retried', now())",
        (put_back,),
    )
    assert await opened(pool, limits) == {("queue_behind", "due"): {("queue_behind", "email")}}
    [one] = (await perform(pool, ANA, ListIncidents())).open
    assert 20 * 60 <= one.value < 21 * 60
    facts = {"waiting": 2, "job_id": oldest, "task": "app.mail", "has_worker": True}
    assert one.folded[0].facts == facts
    assert (one.folded[0].limit, one.folded[0].queues) == (400.0, ("email",))
    await conn.execute("DELETE FROM procrastinate_jobs WHERE queue_name IN ('due', 'email')")
    assert await over(pool, limits)


async def test_a_job_that_waits_for_a_lock_is_told_as_that(pool, conn, fleet, make_job):
    """Unless others have waited too long, too, which wait for a worker."""
    worker = await fleet.start_worker()
    holder = await make_job(queue="other", status="doing", worker_id=worker, lock="{acc} 7")
    await fleet.beat(worker, holder)
    waits = await make_job(queue="web", lock="{acc} 7", deferred_ago=minutes(31))
    for _ in range(60):
        await make_job(queue="web", lock="{acc} 7", deferred_ago=minutes(20))
    young = await make_job(queue="web", deferred_ago=minutes(1))
    assert await opened(pool) == {("queue_behind", "web"): set()}
    report = await perform(pool, ANA, ListIncidents())
    [one] = report.open
    assert (one.facts["job_id"], one.facts["holder"], one.facts["lock"]) == (
        waits, holder, "{acc} 7"
    )  # fmt: skip
    said = f"web is 31 min behind: its oldest job waits for a lock of job {holder}."
    message = render_incident(one, report.as_of).text
    assert said in message
    assert f"Job {holder} runs and holds the lock {{acc}} 7." in message
    shell = render_text(report, width=200)
    assert said in shell
    assert f"jobs-maint status {holder}" in shell
    await conn.execute("UPDATE procrastinate_events SET at = at - interval '15 min'"
                       " WHERE job_id = %s", (young,))  # fmt: skip
    await conn.execute("DELETE FROM procrastinate_jobs WHERE lock IS NOT NULL AND id > %s"
                       " AND id %% 3 > 0", (waits,))  # fmt: skip
    await see(pool)
    [one] = (await perform(pool, ANA, ListIncidents())).open
    assert (one.facts["job_id"], "holder" in one.facts) == (young, False)
    assert 15 * 60 < one.value < 17 * 60


async def test_a_queue_that_no_worker_listens_to(pool, conn, fleet, make_job):
    worker = await fleet.start_worker()
    await listen(conn, worker, "email")
    for queue in ("email", "web"):
        await make_job(queue=queue, deferred_ago=minutes(2))
    assert await opened(pool) == {("no_worker", "web"): set()}
    [one] = (await perform(pool, ANA, ListIncidents())).open
    assert (one.facts["waiting"], one.facts["task"], one.queues) == (1, "app.task", ("web",))
    unknown = await fleet.start_worker(beats=False)
    await see(pool)
    assert await known(pool) == {("no_worker", "web"): set()}  # perhaps it listens
    await fleet.beat(unknown)
    await listen(conn, unknown, "other")
    await see(pool)
    assert await known(pool) == {("no_worker", "web"): set()}
    await listen(conn, unknown, "web")
    assert await over(pool)


async def test_our_own_jobs_are_missed_where_no_worker_listens_to_their_queue(
    pool, conn, fleet, make_job
):
    worker = await fleet.start_worker()
    await listen(conn, worker, "email")
    await make_job(queue="maintenance", task="jobs_maint:purge_finished_jobs",
                   deferred_ago=minutes(2))  # fmt: skip
    rescue = {"queue": "maintenance", "task": "jobs_maint:rescue_stalled_jobs"}
    await make_job(status="succeeded", finished_ago=hours(2), **rescue)
    late = {("maintenance_overdue", "rescue")}
    assert await opened(pool) == {("no_worker", "maintenance"): late}
    [one] = (await perform(pool, ANA, ListIncidents())).open
    assert one.facts["waiting"] == 1
    await listen(conn, worker, "maintenance", "email")
    await make_job(status="succeeded", **rescue)
    assert await over(pool)


async def fail(make_job, times, queue="web", **more):
    for _ in range(times):
        await make_job(status="failed", queue=queue, recorded=False, **more)


async def remember(conn, by_days_ago, queue="web"):
    """What failed about this time of other days."""
    now = datetime.now(UTC)
    here = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
    for ago, failed in by_days_ago.items():
        for quarter in (-1, 0):
            await conn.execute(
                "INSERT INTO jobs_maint_rates VALUES (%s, %s) ON CONFLICT (quarter) DO UPDATE"
                " SET failed = excluded.failed",
                (here - days(ago) + quarter * minutes(15), Jsonb({queue: failed})),
            )


async def test_failures_are_high_by_what_is_usual_at_this_time(pool, conn, fleet, make_job):
    await fleet.start_worker()
    await see(pool)
    await conn.execute("DELETE FROM jobs_maint_rates")
    await fail(make_job, 25, finished_ago=minutes(3))
    await fail(make_job, 30, finished_ago=minutes(20))
    assert await opened(pool) == {}  # nobody knows what is usual
    await remember(conn, dict.fromkeys(range(1, 8), 6))
    assert await opened(pool) == {}
    await remember(conn, {**dict.fromkeys(range(1, 7), 1), 7: 9, 14: 9})
    assert await opened(pool) == {}  # so it is on this day of the week
    await remember(conn, {14: 0})
    assert await opened(pool) == {("failures_high", "web"): set()}
    [one] = (await perform(pool, ANA, ListIncidents())).open
    assert (one.value, one.limit) == (25.0, 20.0)
    assert (one.facts["usual"], one.facts["ended"]) == (1.0, 25)
    for _ in range(3):
        await make_job(status="succeeded", queue="other")
    await conn.execute("UPDATE procrastinate_events SET at = at - interval '20 minutes'")
    assert await over(pool)


async def test_a_burst_of_jobs_fails_more_often_and_is_none(pool, conn, fleet, make_job):
    await fleet.start_worker()
    await remember(conn, dict.fromkeys(range(1, 8), 1))
    await fail(make_job, 20)
    await conn.execute(
        "WITH made AS (INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT 'web', 'app.task', 'succeeded' FROM generate_series(1, 400) RETURNING id)"
        " INSERT INTO procrastinate_events (job_id, type, at)"
        " SELECT id, 'succeeded', now() FROM made"
    )
    assert await opened(pool) == {}


async def test_a_storm_is_projected_from_its_newest_failures(pool, conn, fleet):
    await fleet.start_worker()
    await remember(conn, dict.fromkeys(range(1, 8), 1))
    await conn.execute(
        "WITH made AS (INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT 'web', 'app.task', 'failed' FROM generate_series(1, 3000) RETURNING id)"
        " INSERT INTO procrastinate_events (job_id, type, at)"
        " SELECT id, 'failed', now() - row_number() OVER () * interval '0.3 s' FROM made"
    )
    assert await opened(pool) == {("failures_high", "web"): set()}
    [one] = (await perform(pool, ANA, ListIncidents())).open
    assert 2_800 < one.value < 3_100


async def test_a_new_group_of_errors_and_one_that_is_back(pool, conn, fleet, make_job):
    await fleet.start_worker()
    web = {"status": "failed", "queue": "web", "task": "app.hook"}
    for n in range(21):
        await make_job(error=f"host web-{n} refused", **web, finished_ago=minutes(n))
        await make_job(error="bounced", **web, finished_ago=minutes(n))
        if n < 19:
            await make_job(error="a few", **web)
    await make_job(error="bounced", **web, finished_ago=days(40))
    await conn.execute("UPDATE jobs_maint_failures SET fingerprint = '2:host' "
                       "WHERE message LIKE 'host%'")  # fmt: skip
    [[_, folded]] = (await opened(pool)).items()
    [one] = (await perform(pool, ANA, ListIncidents())).open
    assert (len(folded), one.value, one.limit, one.queues) == (1, 21.0, 20.0, ("web",))
    told = {part["message"]: part for part in (one.facts, one.folded[0].facts)}
    new, back = told["host web-0 refused"], told["bounced"]
    assert (new["state"], new["task"], new["queue"]) == ("new", "app.hook", "web")
    assert (back["state"], round(back["quiet_seconds"] / 86_400)) == ("regressed", 40)
    # The job and the time are those of the newest failure, whose message is shown.
    rows = await conn.execute("SELECT job_id, failed_at FROM jobs_maint_failures"
                              " WHERE message = 'host web-0 refused'")  # fmt: skip
    job, at = await rows.fetchone()
    assert (new["job_id"], datetime.fromisoformat(new["last_at"])) == (job, at)
    # It is one as long as it fails, though it is new no more; and none while it is muted.
    await conn.execute("UPDATE jobs_maint_groups SET first_at = first_at - interval '2 days',"
                       " returned_at = returned_at - interval '2 days'")  # fmt: skip
    await see(pool)
    assert len(await known(pool)) == 1
    await conn.execute("UPDATE jobs_maint_failures SET failed_at = failed_at - interval '1 hour'")
    assert await over(pool)
    await conn.execute("UPDATE jobs_maint_failures SET failed_at = failed_at + interval '1 hour'")
    assert await opened(pool) == {}
    await conn.execute("UPDATE jobs_maint_groups SET first_at = now(), muted_until = 'infinity'")
    assert await opened(pool) == {}


async def rates(conn, here):
    """By how many quarters of an hour ago."""
    found = await conn.execute("SELECT quarter, failed FROM jobs_maint_rates ORDER BY 1 DESC")
    return [(round((here - quarter) / minutes(15)), failed) for quarter, failed in
            await found.fetchall()]  # fmt: skip


async def test_each_quarter_of_an_hour_is_counted_once_it_is_over(pool, conn, make_job):
    """First from now on, then back, a few each pass; what no bot counted is made up for."""
    now = datetime.now(UTC)
    here = find_last_tick("*/15 * * * *", "UTC", now - minutes(2))
    await make_job(deferred_ago=days(20))
    for ago in (minutes(1), minutes(14), minutes(16), minutes(70)):
        await make_job(status="failed", queue="web", finished_ago=now - here + ago)
    await make_job(status="failed", queue="web", task="chatbot:send_digest",
                   finished_ago=now - here + minutes(3))  # fmt: skip

    await see(pool)
    assert await rates(conn, here) == [(1, {"web": 2}), (2, {"web": 1})]
    await see(pool)
    await see(pool)
    assert (await rates(conn, here))[2:] == [(3, {}), (4, {}), (5, {"web": 1}), (6, {})]
    memory = {"noted": [(here - hours(2)).isoformat(), (here - hours(1)).isoformat()]}
    await conn.execute("UPDATE jobs_maint_watch SET memory = %s", (Jsonb(memory),))
    await conn.execute("DELETE FROM jobs_maint_rates")
    await see(pool)
    await see(pool)
    assert [number for number, _ in await rates(conn, here)] == [1, 2, 3, 4]
    await conn.execute("INSERT INTO jobs_maint_rates VALUES (now() - interval '16 days', '{}')")
    await conn.execute("UPDATE jobs_maint_watch SET memory = '{}'")
    await see(pool)
    assert (await rates(conn, here))[-1][0] < 100


async def test_of_the_time_before_the_first_event_no_quarter_is_known(pool, conn, make_job):
    """Nor is it where an older version counted it; what was purged since was known."""
    now = datetime.now(UTC)
    here = find_last_tick("*/15 * * * *", "UTC", now - minutes(2))
    await make_job(deferred_ago=now - here + minutes(40))
    for _ in range(3):
        await see(pool)
    assert await rates(conn, here) == [(1, {}), (2, {})]
    await remember(conn, dict.fromkeys(range(1, 8), 0))
    memory = {"noted": [(here - days(8)).isoformat(), here.isoformat()]}
    await conn.execute("UPDATE jobs_maint_watch SET memory = %s", (Jsonb(memory),))
    await see(pool)
    assert await rates(conn, here) == [(1, {}), (2, {})]
    await conn.execute("DELETE FROM procrastinate_jobs")
    await see(pool)
    assert await rates(conn, here) == [(1, {}), (2, {})]


async def test_jobs_stuck_for_long_are_one_and_part_of_a_rescue_that_is_overdue(
    pool, conn, fleet, make_job
):
    dead, lives = await fleet.start_worker(), await fleet.start_worker()
    stuck = [await make_job(status="doing", queue=queue, worker_id=dead, deferred_ago=hours(1))
             for queue in ("email", "web")]  # fmt: skip
    running = await make_job(status="doing", queue="web", worker_id=lives, deferred_ago=hours(1))
    await fleet.beat(dead, *stuck)
    await fleet.fall_silent(minutes(9))
    await fleet.heartbeat(lives)
    await fleet.beat(lives, running)
    assert await opened(pool) == {}
    await conn.execute("UPDATE jobs_maint_workers SET beat_at = beat_at - interval '2 minutes'"
                       " WHERE worker_id = %s", (dead,))  # fmt: skip
    await conn.execute("UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat"
                       " - interval '2 minutes' WHERE id = %s", (dead,))  # fmt: skip
    assert await opened(pool) == {("jobs_stuck", ""): set()}
    [one] = (await perform(pool, ANA, ListIncidents())).open
    each = {queue: {"jobs": 1, "job_ids": [job], "task": "app.task"}
            for queue, job in zip(("email", "web"), stuck, strict=True)}  # fmt: skip
    assert (one.facts, one.queues) == (
        {"jobs": 2, "job_ids": stuck, "task": "app.task", "by_queue": each}, ("email", "web")
    )  # fmt: skip
    await make_job(status="succeeded", queue="maintenance", task="jobs_maint:rescue_stalled_jobs",
                   finished_ago=hours(1))  # fmt: skip
    await see(pool)
    assert await known(pool) == {("maintenance_overdue", "rescue"): {("jobs_stuck", "")}}
    await fleet.beat(lives, running, *stuck)
    await make_job(status="succeeded", queue="maintenance", task="jobs_maint:rescue_stalled_jobs")
    assert await over(pool)


async def test_maintenance_that_is_overdue(pool, conn, fleet, make_job):
    """One that never ran is none; nor is one that is switched off, or that is late."""
    await fleet.start_worker()
    purge = {"queue": "maintenance", "task": "jobs_maint:purge_finished_jobs"}
    failed = await make_job(status="failed", **purge)
    assert await opened(pool) == {}
    await make_job(status="succeeded", finished_ago=hours(26), **purge)
    assert await opened(pool) == {("maintenance_overdue", "purge"): set()}
    [one] = (await perform(pool, ANA, ListIncidents())).open
    assert (one.facts["job_id"], one.facts["cron"]) == (failed, "0 3 * * *")
    assert await over(pool, settings=MaintSettings(purge_cron=""))
    await make_job(status="succeeded", **purge)
    assert await opened(pool) == {}


async def test_a_periodic_task_that_missed_its_tick(pool, conn, fleet, make_job):
    worker = await fleet.start_worker()
    crons = [["app.sync", "", "*/5 * * * *"], ["app.bill", "eu", "0 0 1 1 *"],
             ["chatbot:send_digest", "day", "* * * * *"]]  # fmt: skip
    await conn.execute("UPDATE jobs_maint_workers SET crons = %s", (Jsonb(crons),))
    assert await opened(pool) == {}  # it has just begun
    await conn.execute("UPDATE jobs_maint_workers SET started_at = now() - interval '3 hours'")
    assert await opened(pool) == {("tick_missed", "app.sync"): set()}
    [one] = (await perform(pool, ANA, ListIncidents())).open
    tick = find_last_tick("*/5 * * * *", "UTC", one.opened_at - minutes(10))
    assert (one.facts["cron"], datetime.fromisoformat(one.facts["tick"])) == (crons[0][2], tick)
    job = await make_job(task="app.sync")
    await conn.execute(
        "INSERT INTO procrastinate_periodic_defers (task_name, defer_timestamp, job_id)"
        " VALUES ('app.sync', extract(epoch FROM now() - interval '9 minutes')::bigint, %s)",
        (job,),
    )
    assert await over(pool)
    await conn.execute("UPDATE procrastinate_periodic_defers SET defer_timestamp = 1")
    assert await opened(pool) == {}  # its last job waits, so that no other is deferred
    await conn.execute("UPDATE procrastinate_jobs SET status = 'doing'")
    await fleet.beat(worker, job)
    await see(pool)
    assert await known(pool) == {("tick_missed", "app.sync"): set()}


async def test_a_digest_that_is_overdue(pool, conn, fleet):
    await fleet.start_worker()
    limits = Limits(digests=(DigestPlan("team", "*/20 * * * *", "Europe/Berlin"),))

    async def tell(ago, state, error=None):
        await conn.execute(
            "INSERT INTO jobs_maint_digests (name, since, until, state, error)"
            " VALUES ('team', now() - %s - interval '20 min', now() - %s, %s, %s)",
            (ago, ago, state, error),
        )

    assert await opened(pool, limits) == {}  # new in the settings
    first_seen = Jsonb({"team": (datetime.now(UTC) - hours(2)).isoformat()})
    await conn.execute(
        "UPDATE jobs_maint_watch SET memory = memory || jsonb_build_object('digests', %s::jsonb)",
        (first_seen,),
    )
    assert await opened(pool, limits) == {("digest_overdue", "team"): set()}
    await tell(minutes(5), "sent")
    assert await over(pool, limits)
    await conn.execute("DELETE FROM jobs_maint_digests")
    await tell(hours(2), "quiet")
    await tell(minutes(1), "failed", "channel_not_found")
    await see(pool, limits)
    assert await known(pool, limits) == {("digest_overdue", "team"): set()}
    [one] = (await perform(pool, ANA, ListIncidents())).open
    assert (one.facts["error"], one.times) == ("channel_not_found", 2)
    assert await over(pool, replace(limits, digests=()))


async def test_digests_are_due_as_the_workers_have_them_also_where_the_bot_has_none(
    pool, conn, fleet
):
    worker = await fleet.start_worker()
    limits = Limits(digests=(DigestPlan("ours", "0 0 1 1 *"), DigestPlan("old", "*/20 * * * *")))
    yearly, often = ("0 0 1 1 *", "UTC"), ("*/20 * * * *", "Europe/Berlin")
    unread = [("0 0 31 2 *", "UTC"), ("*/20 * * * *", "../x"), (7, 7), ()]
    names = ["ours", "theirs", "old", *map(str, range(len(unread)))]
    await conn.execute(
        "INSERT INTO jobs_maint_digests (name, since, until, state) SELECT name,"
        " now() - interval '3 h', now() - interval '2 h', 'sent' FROM unnest(%s::text[]) AS name",
        (names,),
    )

    async def tell(**digests):
        """As a worker's app has them: in UTC, each minute includes all their times."""
        crons = [["chatbot:send_digest", name, "* * * * *", *times]
                 for name, times in digests.items()]  # fmt: skip
        await conn.execute("UPDATE jobs_maint_workers SET crons = %s", (Jsonb(crons),))

    async def late():
        for _ in range(2):
            await see(pool, limits)
        found = await known(pool, limits)
        return {subject for lead, parts in found.items() for _, subject in {lead, *parts}}

    assert await late() == {"old"}
    odd = {str(number): times for number, times in enumerate(unread)}
    await tell(ours=often, theirs=often, old=yearly, **odd)
    assert await late() == {"ours", "theirs"}
    await fleet.fall_silent(minutes(2))
    assert await late() == {"ours", "theirs"}
    await fleet.heartbeat(worker)
    await fleet.beat(worker)
    await tell(ours=yearly, old=yearly)
    await late()
    assert await late() <= {"theirs"}


async def test_a_recorder_that_is_silent_while_its_worker_lives(pool, conn, fleet):
    worker = await fleet.start_worker()
    await conn.execute("UPDATE jobs_maint_workers SET beat_at = now() - interval '4 minutes'")
    await conn.execute("UPDATE procrastinate_workers SET last_heartbeat = now()")
    assert await opened(pool) == {}
    await conn.execute("UPDATE jobs_maint_workers SET beat_at = now() - interval '6 minutes'")
    assert await opened(pool) == {("recorder_silent", "host-a pid 31"): set()}
    await fleet.beat(worker)
    assert await over(pool)


async def test_a_kind_that_cannot_be_looked_at_hides_no_other_and_stays_as_it_was(
    pool, conn, fleet, caplog
):
    limits = Limits(digests=(DigestPlan("team", "*/20 * * * *"),))
    await conn.execute(
        "INSERT INTO jobs_maint_digests (name, since, until, state)"
        " VALUES ('team', now() - interval '3 h', now() - interval '2 h', 'sent')"
    )
    worker = await fleet.start_worker()
    assert await opened(pool, limits) == {("digest_overdue", "team"): set()}
    await conn.execute("ALTER TABLE jobs_maint_digests RENAME TO gone")
    await conn.execute("ALTER TABLE jobs_maint_rates RENAME TO gone_too")
    await conn.execute("UPDATE jobs_maint_workers SET beat_at = now() - interval '6 minutes'")
    await conn.execute("UPDATE procrastinate_workers SET last_heartbeat = now()")
    both = {("digest_overdue", "team"): set(), ("recorder_silent", "host-a pid 31"): set()}
    await see(pool, limits)
    assert [await known(pool, limits), (await see(pool, limits)).complete] == [both, False]
    [line] = [one for one in caplog.messages if "watch_incomplete" in one]
    assert "kinds=digest_overdue" in line
    assert "jobs_maint_digests" in line
    await conn.execute("ALTER TABLE gone RENAME TO jobs_maint_digests")
    await conn.execute("ALTER TABLE gone_too RENAME TO jobs_maint_rates")
    await conn.execute("UPDATE jobs_maint_digests SET until = now()")
    await fleet.beat(worker)
    assert (await see(pool, limits)).complete
    assert await known(pool, limits) == {}


async def test_after_the_database_was_away_workers_get_time_to_come_back(
    pool, conn, fleet, make_job
):
    """What is over is told at once, and a dead fleet is not said to be back."""
    worker = await fleet.start_worker()
    dead = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=dead, deferred_ago=hours(1))
    await fleet.beat(dead, job)
    assert (await see(pool)).open == ()
    away = "UPDATE jobs_maint_watch SET watched_at = watched_at - interval '61 seconds'"
    await conn.execute(away)
    await fleet.fall_silent(minutes(12))
    assert await opened(pool) == {}
    await conn.execute("UPDATE jobs_maint_watch SET memory = memory || jsonb_build_object("
                       "'worker_at', now() - interval '12 minutes',"
                       "'resumed_at', now() - interval '91 seconds')")  # fmt: skip
    assert await opened(pool) == {("no_worker", ""): {("jobs_stuck", "")}}
    await conn.execute(away)
    for _ in range(3):
        assert await known(pool) == {("no_worker", ""): {("jobs_stuck", "")}}
    await conn.execute(away)
    await fleet.heartbeat(worker)
    await fleet.beat(worker, job)
    assert await over(pool)


async def test_what_ended_while_nobody_watched_is_over_within_two_passes(pool, conn, fleet):
    await fleet.start_worker()
    limits = Limits(digests=(DigestPlan("team", "*/20 * * * *"), DigestPlan("night", "0 0 1 1 *")))
    tell = ("INSERT INTO jobs_maint_digests (name, since, until, state)"
            " VALUES (%s, now() - interval '9 hours', now() - %s, 'sent')")  # fmt: skip
    await conn.execute(tell, ("team", hours(2)))
    assert await opened(pool, limits) == {("digest_overdue", "team"): set()}
    [one] = (await perform(pool, ANA, ListIncidents())).open
    due = find_last_tick("*/20 * * * *", "UTC", one.opened_at - minutes(15))
    assert one.history[0].since == one.began_at == one.since == due
    await conn.execute("UPDATE jobs_maint_watch SET watched_at = watched_at - interval '40 min'")
    assert await known(pool, limits) == {("digest_overdue", "team"): set()}
    await conn.execute(tell, ("team", minutes(0)))
    await conn.execute(tell, ("night", days(800)))  # another one is late
    sent = await see(pool, limits)
    assert await known(pool, limits) == {}
    [one] = (await perform(pool, ANA, ListIncidents())).recent
    assert (one.why, one.resolved_at) == ("good", sent.as_of)
    assert await known(pool, limits) == {}  # for ten minutes from now


async def test_an_incident_says_once_for_how_long_nobody_watched(pool, conn, fleet, make_job):
    await fleet.start_worker()
    await make_job(queue="web", deferred_ago=hours(1))
    assert await opened(pool) == {("queue_behind", "web"): set()}
    for span in (61, 121):
        await conn.execute("UPDATE jobs_maint_watch SET watched_at = watched_at - %s"
                           " * interval '1 second'", (span,))  # fmt: skip
        await see(pool)
        await see(pool)
    [one] = (await perform(pool, ANA, ListIncidents())).open
    assert [(step.what, step.value >= 121) for step in one.history] == [
        ("opened", True), ("unwatched", True),
    ]  # fmt: skip


async def test_in_a_planned_pause_nothing_is_noticed(pool, conn, fleet, make_job):
    await fleet.start_worker()
    await make_job(queue="web", deferred_ago=hours(1))
    pause = Pause("* * * * *", 60.0, "Europe/Berlin")
    assert await opened(pool, Limits(pauses=(pause,))) == {}
    report = await perform(pool, ANA, ListIncidents())
    assert "No incident is open, and a planned pause is on." in render_text(report)
    assert "🟡 No incident now, and a planned pause is on." in render_incidents(report).text
    assert await opened(pool, Limits(kinds=frozenset({IncidentKind.NO_WORKER}))) == {}
    assert await opened(pool) == {("queue_behind", "web"): set()}


async def test_a_queue_lacks_a_worker_since_the_last_that_listened_was_there(pool, conn, make_job):
    """And not since its oldest job waits: a restart of the only listener is no incident."""
    fleet = Fleet(pool, conn, make_job)
    await fleet.start_worker()
    await make_job(queue="web", deferred_ago=hours(2))
    kinds = Limits(kinds=frozenset({IncidentKind.NO_WORKER}))
    await see(pool, kinds)  # it listens to all
    await conn.execute("UPDATE jobs_maint_workers SET queues = '{mail}'")
    assert await opened(pool, kinds) == {}
    await conn.execute(
        "UPDATE jobs_maint_watch SET memory = jsonb_set(memory, '{heard_all}', to_jsonb(%s::text))",
        ((datetime.now(UTC) - minutes(2)).isoformat(),),
    )
    assert await opened(pool, kinds) == {("no_worker", "web"): set()}
    [one] = (await perform(pool, ANA, ListIncidents())).open
    assert one.value == pytest.approx(120, abs=20)
    assert one.facts["waiting"] == 1


async def test_no_incident_is_never_said_without_what_is_watched_and_what_not(pool):
    async def look(limits):
        await see(pool, limits)
        report = await perform(pool, ANA, ListIncidents())
        return report.unwatched, render_text(report), render_incidents(report).text

    kinds = frozenset(IncidentKind)
    unwatched, shell, message = await look(Limits())
    assert unwatched == ()
    assert "atched:" not in shell + message
    unwatched, shell, message = await look(Limits(kinds=kinds - {IncidentKind.GROUP}))
    assert unwatched == (IncidentKind.GROUP,)
    says = (
        "Watched: missing workers, queues that are behind, many failures, stuck jobs, missed ticks,"
        " maintenance, digests, recorders. Not watched: new errors (CHATBOT_INCIDENTS)."
    )
    assert shell.splitlines()[0] == "No incident is open."
    assert " ".join(shell.split()).startswith(f"No incident is open. {says}")
    assert message.splitlines()[0] == f"🟢 No incident now. {says}"
    _, shell, message = await look(Limits(kinds=frozenset()))
    assert "Nothing is watched (CHATBOT_INCIDENTS)." in shell
    assert message.startswith("🟡 No incident now. Nothing is watched (CHATBOT_INCIDENTS).")
