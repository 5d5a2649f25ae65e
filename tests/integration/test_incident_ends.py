"""An incident is over when what it was about was seen good again, or says why nobody looks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from psycopg.types.json import Jsonb
from tests.integration.test_incidents import listen, see
from tests.support.fleet import Fleet
from tests.support.history import hours, minutes

from chatbot.messages.incident import render_incident
from chatbot.messages.incident_buttons import list_looks
from jobs_maint.actions import Actor, DigestPlan, Limits, ListIncidents, ShowStats
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.models import IncidentKind
from jobs_maint.perform import perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "host")


@pytest.fixture
async def fleet(pool, conn, make_job):
    return Fleet(pool, conn, make_job)


async def now_open(pool, limits=None, passes=2, **more):
    for _ in range(passes):
        report = await see(pool, limits, **more)
    return {(one.kind.value, one.subject) for one in report.open}


async def end(pool, limits=None, **more):
    """The first line of the message of the only incident, which is over, and why it is."""
    assert await now_open(pool, limits, **more) == set()
    report = await perform(pool, ANA, ListIncidents())
    [one] = report.recent
    said = (
        render_incident(one, report.as_of)
        .text.splitlines()[0]
        .partition(" after ")[0]
        .removesuffix(".")
    )
    assert one.history[-1].what == "resolved"
    if ", but " in said:
        assert said.partition(", but ")[2] in render_text(report, width=200)
    return said, one.history[-1].why


@pytest.fixture
async def unheard(pool, conn, fleet, make_job):
    """Nobody listens to b, whose job waits; the only worker listens to a."""
    worker = await fleet.start_worker()
    await listen(conn, worker, "a")
    job = await make_job(queue="b", deferred_ago=minutes(2))
    assert await now_open(pool) == {("no_worker", "b")}
    return worker, job


async def test_the_last_worker_that_dies_ends_no_incident_of_a_queue(pool, conn, fleet, unheard):
    worker, _ = unheard
    await fleet.fall_silent(minutes(1))
    assert await now_open(pool, passes=3) == {("no_worker", "b")}  # a restart, perhaps
    await conn.execute("UPDATE jobs_maint_watch SET memory = memory - 'worker_at'")
    await see(pool)
    assert await now_open(pool) == {("no_worker", "")}
    await fleet.heartbeat(worker)
    await fleet.beat(worker)
    await listen(conn, worker, "a")
    assert await now_open(pool, passes=3) == {("no_worker", "b")}
    [one] = (await perform(pool, ANA, ListIncidents())).open
    assert [step.what for step in one.history][:2] == ["opened", "cause"]
    unknown = await fleet.start_worker(beats=False)
    assert await now_open(pool) == {("no_worker", "b")}  # nobody knows to what it listens
    await fleet.beat(unknown)
    assert await end(pool) == ("🟢 Workers are back", "good")
    [one] = (await perform(pool, ANA, ListIncidents())).recent
    assert [part.subject for part in one.past] == ["b"]


async def test_workers_that_are_back_are_not_told_dead_for_the_sake_of_one_queue(
    pool, conn, fleet, make_job
):
    worker = await fleet.start_worker()
    await fleet.fall_silent(minutes(2))
    await make_job(queue="a", deferred_ago=minutes(3))
    assert await now_open(pool) == {("no_worker", "")}
    await conn.execute("UPDATE jobs_maint_incidents SET times = 3")  # it flaps
    await fleet.heartbeat(worker)
    await fleet.beat(worker)
    await listen(conn, worker, "a")
    await now_open(pool)
    await make_job(queue="lonely", deferred_ago=minutes(2))
    for _ in range(3):
        await see(pool)
        report = await perform(pool, ANA, ListIncidents())
        shown = [render_incident(one, report.as_of).text for one in report.open]
        assert shown[0].startswith("🟡 Workers are back, for now.")
        assert not [text for text in shown if "No worker is alive" in text]
    [_, said] = shown
    assert said.startswith("🔴 No worker listens to lonely; 1 job waits.")


async def test_a_queue_with_an_empty_name_is_a_queue(pool, conn, fleet, make_job):
    worker = await fleet.start_worker()
    await listen(conn, worker, "a")
    await make_job(queue="", deferred_ago=minutes(20))
    assert await now_open(pool) == {("no_worker", '""')}
    report = await perform(pool, ANA, ListIncidents())
    [one] = report.open
    assert (one.queues, one.folded[0].queues) == (("",), ("",))
    message = render_incident(one, report.as_of).text
    assert message.startswith('🔴 No worker listens to ""; 1 job waits.')
    assert "no worker is alive" not in message.lower()
    await listen(conn, worker, "a", "")
    assert await now_open(pool) == {("queue_behind", '""')}
    report = await perform(pool, ANA, ListIncidents())
    assert 'jobs-maint stats ""' in render_text(report, width=200)
    words = [one.words for one in list_looks(report.open[0])]
    assert parse_words(split_text(words[0]), "slack").action == ShowStats("")


@pytest.mark.parametrize(
    ("change", "why", "said"),
    [
        (
            "SET status = 'cancelled'",
            "cancelled",
            "🟡 No worker listened to b, but its jobs were cancelled",
        ),
        (
            "SET queue_name = 'a'",
            "gone",
            "🟡 No worker listened to b, but none of its jobs is ready to run any more",
        ),
        ("SET status = 'succeeded'", "ran", "🟢 A worker has run the jobs of b"),
    ],
)
async def test_the_end_of_a_queue_that_no_worker_listens_to(pool, conn, unheard, change, why, said):
    await conn.execute(f"UPDATE procrastinate_jobs {change} WHERE queue_name = 'b'")
    assert await end(pool) == (said, why)


@pytest.mark.parametrize(
    ("change", "why", "said"),
    [
        (
            "SET status = 'cancelled'",
            "cancelled",
            "🟢 b is no longer behind: its jobs were cancelled",
        ),
        (
            "SET queue_name = 'c'",
            "gone",
            "🟢 b is no longer behind: none of its jobs is ready to run any more",
        ),
        ("SET status = 'failed'", "good", "🟢 b has caught up"),
    ],
)
async def test_the_end_of_a_queue_that_was_behind(pool, conn, fleet, make_job, change, why, said):
    await fleet.start_worker()
    await make_job(queue="b", deferred_ago=hours(1))
    limits = Limits(queue_behind=(("c", float("inf")), ("*", 900.0)))
    assert await now_open(pool, limits) == {("queue_behind", "b")}
    await conn.execute(f"UPDATE procrastinate_jobs {change}")
    assert await end(pool, limits) == (said, why)


async def test_what_is_switched_off_or_has_another_limit_is_not_said_to_be_good(
    pool, conn, fleet, make_job
):
    await fleet.start_worker()
    await make_job(queue="b", deferred_ago=hours(1))
    for changed, why, said in (
        (
            Limits(kinds=frozenset()),
            "off",
            "🟡 b was up to 60 min behind, but this is no longer watched",
        ),
        (
            Limits(queue_behind=()),
            "off",
            "🟡 b was up to 60 min behind, but this is no longer watched",
        ),
        (
            Limits(queue_behind=(("*", 7_200.0),)),
            "limit",
            "🟡 b was up to 60 min behind, but its limit was changed",
        ),
    ):
        assert await now_open(pool) == {("queue_behind", "b")}
        assert await end(pool, changed) == (said, why)
        await conn.execute("TRUNCATE jobs_maint_incidents")
    await fleet.fall_silent(minutes(3))
    await conn.execute("UPDATE jobs_maint_watch SET memory = memory - 'worker_at'")
    await conn.execute("DELETE FROM procrastinate_jobs")
    assert await now_open(pool) == {("no_worker", "")}
    assert await now_open(pool, Limits(no_worker=7_200.0)) == {("no_worker", "")}


async def test_a_group_that_fails_still_has_not_stopped(pool, conn, fleet, make_job):
    await fleet.start_worker()
    for n in range(6):
        await make_job(status="failed", queue="web", finished_ago=minutes(n))
    limits = Limits(group=5)
    assert [kind for kind, _ in await now_open(pool, limits)] == ["group"]
    low = replace(limits, group=10)
    assert await end(pool, low) == (
        "🟡 ValueError in task had up to 6 failures in an hour, but its limit was changed",
        "limit",
    )
    assert [kind for kind, _ in await now_open(pool, limits)] == ["group"]
    await conn.execute("UPDATE jobs_maint_failures SET failed_at = failed_at - interval '57 min'")
    assert await end(pool, limits) == (
        "🟡 ValueError in task has stopped: no failure for 57 min",
        "less",
    )
    assert [kind for kind, _ in await now_open(pool, replace(limits, group=2))] == ["group"]
    watched = Limits().kinds - {IncidentKind.GROUP}
    assert await end(pool, replace(limits, group=2, kinds=watched)) == (
        "🟡 ValueError in task had up to 6 failures in an hour, but this is no longer watched",
        "off",
    )
    assert await now_open(pool, replace(limits, group=2)) != set()
    await conn.execute("DELETE FROM jobs_maint_failures")
    await conn.execute("UPDATE jobs_maint_incidents SET times = 1")  # it flaps by now
    assert await end(pool, replace(limits, group=2)) == (
        "🟢 ValueError in task has stopped: no failure for 57 min",
        "good",
    )


async def test_many_other_groups_do_not_hide_that_one_goes_on(pool, conn, fleet, make_job):
    await fleet.start_worker()
    limits = Limits(group=1)
    await make_job(status="failed", queue="web", task="app.first")
    assert len(await now_open(pool, limits)) == 1
    for n in range(25):
        await make_job(status="failed", queue="web", task=f"app.t{n}")
    await now_open(pool, limits)
    await conn.execute(
        "UPDATE jobs_maint_groups SET returned_at = now() WHERE task_name = 'app.first'"
    )
    await now_open(pool, limits, passes=4)
    [one] = (await perform(pool, ANA, ListIncidents())).open
    assert one.facts["task"] == "app.first"
    assert one.history[-1].what != "remains"


async def test_a_periodic_task_runs_again_only_when_it_was_deferred(pool, conn, fleet, make_job):
    worker = await fleet.start_worker()
    crons = [["app.sync", "", "*/5 * * * *"]]
    since = "UPDATE jobs_maint_workers SET crons = %s, started_at = now() - interval '3 hours'"
    await conn.execute(since, (Jsonb(crons),))
    limits = Limits(kinds=frozenset({IncidentKind.TICK_MISSED}))
    assert await now_open(pool, limits) == {("tick_missed", "app.sync")}
    await fleet.fall_silent(minutes(2))
    assert await now_open(pool, limits, passes=4) == {("tick_missed", "app.sync")}
    await fleet.heartbeat(worker)
    await fleet.beat(worker)
    await conn.execute("UPDATE jobs_maint_workers SET crons = '[]'")
    assert await now_open(pool, limits, passes=4) == {("tick_missed", "app.sync")}
    # For as long as a deployment may take.
    await conn.execute(
        "UPDATE jobs_maint_incidents SET absent = jsonb_set(absent, '{0,2}',"
        " to_jsonb((absent #>> '{0,2}')::timestamptz - interval '15 minutes'))"
    )
    gone = "🟡 sync was not started in time, but no live worker's app has it any more"
    assert await end(pool, limits) == (gone, "unknown")
    await conn.execute("TRUNCATE jobs_maint_incidents")
    await conn.execute(since, (Jsonb(crons),))
    assert await now_open(pool, limits) == {("tick_missed", "app.sync")}
    await conn.execute("UPDATE jobs_maint_workers SET started_at = now()")
    late = "🟡 sync was not started in time, but it can run again; the run that it missed"
    late += " is not made up for"
    assert await end(pool, limits) == (late, "late")


async def test_maintenance_digests_and_recorders_that_are_not_looked_at_any_more(
    pool, conn, fleet, make_job
):
    worker = await fleet.start_worker()
    await make_job(status="succeeded", finished_ago=hours(26), queue="maintenance",
                   task="jobs_maint:purge_finished_jobs")  # fmt: skip
    purge = {("maintenance_overdue", "purge")}
    assert await now_open(pool) == purge
    assert await now_open(pool, settings=MaintSettings(queue="other")) == purge
    off = "🟡 The purge did not run in time, but this is no longer watched"
    assert await end(pool, settings=MaintSettings(purge_cron="")) == (off, "off")
    await conn.execute("TRUNCATE jobs_maint_incidents; DELETE FROM procrastinate_jobs")

    limits = Limits(digests=(DigestPlan("team", "*/20 * * * *"),))
    await conn.execute(
        "INSERT INTO jobs_maint_digests (name, since, until, state)"
        " VALUES ('team', now() - interval '3 h', now() - interval '2 h', 'sent')"
    )
    assert await now_open(pool, limits) == {("digest_overdue", "team")}
    monthly = replace(limits, digests=(DigestPlan("team", "0 0 1 1 *"),))
    changed = "🟡 The team digest was not sent in time, but its schedule was changed"
    assert await end(pool, monthly) == (changed, "limit")
    await conn.execute("TRUNCATE jobs_maint_incidents; DELETE FROM jobs_maint_digests")

    await conn.execute("UPDATE jobs_maint_workers SET beat_at = now() - interval '6 minutes'")
    await conn.execute("UPDATE procrastinate_workers SET last_heartbeat = now()")
    assert await now_open(pool) == {("recorder_silent", "host-a pid 31")}
    await conn.execute("DELETE FROM procrastinate_workers WHERE id = %s", (worker,))
    await fleet.start_worker(beats=False)
    ended = "🟡 Errors of the worker host-a pid 31 were not recorded, but the worker has ended"
    assert await end(pool) == (ended, "ended")
