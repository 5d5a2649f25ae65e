"""A live worker whose recorder cannot beat, as after a rotated password: it listens as it told."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import procrastinate
import psycopg
import pytest
from tests.integration.test_recorder import fetch, work
from tests.integration.test_recorder_sessions import Login, find_recorder
from tests.integration.test_workers_settings import told_by
from tests.support.fleet import Fleet
from tests.support.history import hours, minutes
from tests.support.waiting import until

import jobs_maint
from jobs_maint.actions import (
    Actor,
    BulkVerb,
    JobFilter,
    Limits,
    ListStuck,
    ListWorkers,
    PreviewBulk,
    RetryJobs,
    RunDoctor,
    ShowDigest,
    ShowStats,
    WatchIncidents,
)
from jobs_maint.models import IncidentKind
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings

ANA, BOT = Actor.shell("ana", "host"), Actor.task("chatbot:watch")
RESCUE = "jobs_maint:rescue_stalled_jobs"
WAITS = "No live worker listens to bulk: {} until one does."


async def ask(pool, action, actor=ANA):
    return await perform(pool, actor, action, settings=MaintSettings())


async def find_levels(pool) -> dict[str, str]:
    return {one.check: one.level for one in (await ask(pool, RunDoctor())).findings}


async def incidents(pool) -> list[str]:
    limits = Limits(no_worker=5.0, kinds=frozenset({IncidentKind.NO_WORKER}))
    for _ in range(2):
        report = await ask(pool, WatchIncidents("bot-1", limits), BOT)
    return [one.subject for one in report.open]


async def preview(pool) -> str:
    asked = PreviewBulk(BulkVerb.RETRY, JobFilter(queues=("bulk",)), dry_run=True)
    return "".join((await ask(pool, asked)).warnings)


@pytest.fixture
def fleet(pool, conn, make_job) -> Fleet:
    return Fleet(pool, conn, make_job)


async def start(fleet, *queues: str) -> int:
    worker = await fleet.start_worker()
    await fleet.conn.execute(
        "UPDATE jobs_maint_workers SET queues = %s WHERE worker_id = %s", (list(queues), worker)
    )
    return worker


async def mute(fleet, *workers: int) -> None:
    """Two minutes pass, in which only Procrastinate's heartbeat of these went on."""
    await fleet.fall_silent(minutes(2))
    for worker in workers:
        await fleet.heartbeat(worker)


@pytest.mark.parametrize("state", ["beats", "mute", "stops", "cut off", "dead"])
async def test_every_word_on_who_listens_goes_by_what_a_live_worker_told_last(
    pool, conn, fleet, make_job, state
):
    """Another worker beats all the while, and listens to another queue."""
    await fleet.observe()
    await conn.execute("UPDATE jobs_maint_workers SET queues = '{mail}'")
    worker = await start(fleet, "bulk", "maintenance")
    gone = await fleet.start_worker()
    stuck = await make_job(status="doing", queue="mail", worker_id=gone)
    await fleet.beat(gone, stuck)
    await make_job(queue="bulk", deferred_ago=minutes(3))
    await make_job(queue="maintenance", task=RESCUE, deferred_ago=timedelta(seconds=20))
    one = await make_job(queue="bulk", status="failed", finished_ago=minutes(9))
    await make_job(queue="bulk", status="failed", finished_ago=minutes(9))
    if state == "stops":
        await conn.execute(
            "UPDATE jobs_maint_workers SET queues = '{}' WHERE worker_id = %s", (worker,)
        )
    await mute(fleet, *([] if state == "dead" else [worker]))
    if state == "cut off":
        await conn.execute("DELETE FROM procrastinate_workers WHERE id = %s", (worker,))
    await fleet.observe()
    if state == "beats":
        await fleet.beat(worker)
    listens = state in {"beats", "mute"}
    assert await preview(pool) == ("" if listens else WAITS.format("they wait"))
    retried = await ask(pool, RetryJobs((one,)))
    assert retried.warnings == (() if listens else (WAITS.format("it waits"),))
    stats = await ask(pool, ShowStats())
    assert stats.unserved_queues == (() if listens else ("bulk",))
    idle = None if listens else "no_worker"
    assert (stats.stuck_jobs, stats.rescue_idle) == (1, idle)
    assert (await ask(pool, ListStuck())).rescue_idle == idle
    assert (await ask(pool, ShowDigest())).rescue_idle == idle
    assert (await incidents(pool) == []) is listens
    levels = await find_levels(pool)
    assert levels["listening"] == ("ok" if listens else "error")
    assert levels["maintenance_queue"] == ("ok" if listens else "error")
    assert levels["suspects"] == ("note" if listens else "warning")
    if state == "mute":
        assert levels["workers"] == "warning", "its recorder has stopped"
        await conn.execute("UPDATE jobs_maint_workers SET queues = NULL WHERE worker_id = %s",
                           (worker,))  # fmt: skip
        assert (await find_levels(pool))["listening"] == "ok"
        assert await preview(pool) == ""


@pytest.mark.parametrize("lives", [True, False])
async def test_what_a_worker_told_once_holds_while_it_lives(pool, conn, fleet, make_job, lives):
    """Its periodic tasks, and that it deletes jobs; not only its queues and settings."""
    worker = await start(fleet, "bulk")
    await told_by(conn, worker, rescue_cron="")
    await conn.execute(
        'UPDATE jobs_maint_workers SET crons = \'[["app.sync", "", "* * * * *"]]\','
        " delete_jobs = 'always', started_at = now() - interval '1 day'"
    )
    await mute(fleet, *([worker] if lives else []))
    stats = await ask(pool, ShowStats())
    assert (stats.workers.live, stats.workers.deleting) == (int(lives), int(lives))
    assert ((await find_levels(pool))["deleted_jobs"] == "warning") is lives
    limits = Limits(kinds=frozenset({IncidentKind.TICK_MISSED}))
    for _ in range(2):
        report = await ask(pool, WatchIncidents("bot-1", limits), BOT)
    assert [one.subject for one in report.open] == ["app.sync"] * lives


@pytest.mark.parametrize("lives", [True, False])
async def test_a_worker_is_not_forgotten_while_it_lives(conn, fleet, lives):
    worker = await start(fleet, "bulk")
    await fleet.fall_silent(hours(50))
    if lives:
        await fleet.heartbeat(worker)
    await fleet.tick()
    found = await conn.execute("SELECT 1 FROM jobs_maint_workers WHERE worker_id = %s", (worker,))
    assert (await found.fetchone() is not None) is lives


@pytest.mark.parametrize("beat", [1.0, 10.0])
async def test_a_heartbeat_that_went_on_alone_is_late_only_after_its_own_ten_seconds(
    pool, conn, fleet, make_job, beat
):
    """Silence of a recorder is no missed beat of its worker, however often it used to beat."""
    worker = await start(fleet, "maintenance")
    await fleet.lose()
    await conn.execute("UPDATE jobs_maint_workers SET beat_seconds = %s", (beat,))
    await fleet.heartbeat(worker)
    for span, late in ((9, False), (5, True)):
        await conn.execute(
            "UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - %s"
            " WHERE id = %s", (timedelta(seconds=span), worker),
        )  # fmt: skip
        found = (await ask(pool, ListWorkers())).workers
        assert [one.late for one in found if one.worker_id == worker] == [late]
        assert (await ask(pool, ListStuck())).rescue_idle == ("late" if late else None)


@pytest.mark.parametrize("beats", [True, False])
async def test_a_pass_in_a_worker_that_does_not_beat_comes_and_acts_when_foretold(
    pool, conn, fleet, make_job, beats
):
    """Where no worker beats, silence counts after an hour only; its pass brings no beat either."""
    worker = await start(fleet, "maintenance")
    gone = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=gone)
    await fleet.beat(gone, job)
    await mute(fleet, worker)
    if beats:
        await fleet.beat(worker)
    report = await ask(pool, ListStuck())
    (stuck,) = report.stuck
    assert report.rescue_idle is None
    # A pass acts ten seconds early, so right after a tick the one five minutes later takes it.
    soon = 290 <= stuck.acts_in_seconds <= 600
    late = 3590 <= stuck.acts_in_seconds <= 3900
    assert (soon, late) == (beats, not beats)
    assert (await fleet.tick(observed=False)).suspects == 1
    for span in (minutes(6), hours(1)):
        await fleet.pass_time(span)
        await fleet.heartbeat(worker)
        if beats:
            await fleet.beat(worker)
            await conn.execute(
                "UPDATE jobs_maint_workers SET steady_since = now() - interval '6 min'"
                " WHERE worker_id = %s", (worker,),
            )  # fmt: skip
        done = await fleet.tick(observed=False)
        assert len(done.items) == (1 if beats or span == hours(1) else 0)
        if done.items:
            break


async def test_a_real_worker_whose_recorder_is_locked_out_is_said_to_run_what_it_runs(
    server, database_url, pool, conn, make_job
):
    login = Login(server, database_url)
    connector = procrastinate.PsycopgConnector(conninfo=login.conninfo(), min_size=3, max_size=3)
    app = procrastinate.App(connector=connector)
    jobs_maint.register(app, MaintSettings(beat=timedelta(seconds=0.5)))

    @app.task(name="runs", queue="bulk")
    async def runs() -> None:
        pass

    async def is_mute() -> bool:
        found = await conn.execute(
            "SELECT w.last_heartbeat > m.beat_at + interval '2 s' FROM procrastinate_workers w"
            " JOIN jobs_maint_workers m ON m.worker_id = w.id"
        )
        return await found.fetchone() == (True,)

    async with app.open_async():
        await app.configure_task("runs", queue="bulk").defer_async()
        working = asyncio.create_task(
            work(
                app, wait=True, queues=["bulk", "maintenance"], update_heartbeat_interval=0.5,
                fetch_job_polling_interval=0.1,
            )
        )  # fmt: skip
        try:
            await find_recorder(database_url)
            server.execute(f"ALTER ROLE {login.user} NOLOGIN")
            for (pid,) in await fetch(
                database_url,
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = 'jobs-maint-recorder'",
            ):
                await fetch(database_url, "SELECT pg_terminate_backend(%s)", pid)
            await until(is_mute, "a heartbeat without its beats")
            job = await make_job(queue="bulk", task="runs", status="failed")
            assert await preview(pool) == ""
            retried = await ask(pool, RetryJobs((job,)))
            assert (len(retried.done), retried.warnings) == (1, ())

            async def has_run() -> bool:
                return await make_job.status(job) == "succeeded"

            await until(has_run, "the job, which it runs all the same")
            await make_job(status="doing", queue="mail")
            assert (await ask(pool, ListStuck())).rescue_idle is None
            stats = await ask(pool, ShowStats())
            assert (stats.workers.listening, stats.rescue_idle) == (1, None)
            assert stats.unserved_queues == stats.unheard_queues == ()
            found = {one.check: one for one in (await ask(pool, RunDoctor())).findings}
            assert found["workers"].sentence.startswith(
                "The recorder of 1 of 1 live workers no longer beats"
            )
            assert found["maintenance_queue"].level == "ok"
            assert await incidents(pool) == []
        finally:
            server.execute(f"ALTER ROLE {login.user} LOGIN")
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError, psycopg.Error):
                await working
