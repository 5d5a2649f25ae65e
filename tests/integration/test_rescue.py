"""Which running jobs count as stuck, and what becomes of them.

Workers are rows here, so that every moment can be staged; real ones die in the acceptance tests.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
from datetime import UTC, datetime, timedelta

import procrastinate
import psycopg
import pytest
from tests.support.fleet import SOON, TICK, Fleet
from tests.support.history import hours, minutes
from tests.support.locks import wait_for_waiting

from chatbot.messages import render_rescue
from chatbot.messages.details import render_details
from chatbot.messages.digest import is_quiet, render_digest
from chatbot.messages.stats import render_stats
from chatbot.messages.stuck import render_stuck
from chatbot.messages.workers import render_workers
from jobs_maint import register
from jobs_maint.actions import (
    Actor,
    BulkVerb,
    GetJob,
    Grant,
    JobFilter,
    ListErrors,
    ListStuck,
    ListWorkers,
    PreviewBulk,
    PreviewRescue,
    RescueStalled,
    Role,
    RunDoctor,
    ShowAudit,
    ShowDigest,
    ShowStats,
)
from jobs_maint.database import transaction
from jobs_maint.durations import format_wait
from jobs_maint.operations.rescue import passes as stalled
from jobs_maint.operations.rescue import workers
from jobs_maint.operations.rescue.outlook import plan_passes
from jobs_maint.operations.rescue.rules import RescueRules
from jobs_maint.operations.rescue.workers import list_stuck_jobs
from jobs_maint.perform import perform
from jobs_maint.render import render_text, tell_counts
from jobs_maint.settings import MaintSettings


@pytest.fixture
def fleet(pool, conn, make_job) -> Fleet:
    return Fleet(pool, conn, make_job)


async def ask_stuck(fleet):
    return await perform(fleet.pool, TICK, ListStuck(), settings=MaintSettings(**SOON))


def outcomes(report):
    return {item.job_id: item.code for item in report.items}


async def test_a_dead_workers_job_is_put_back_after_it_was_seen_so_for_stalled_after(
    fleet, make_job, conn
):
    (job,) = await fleet.lose()
    report = await fleet.tick()
    assert outcomes(report) == {job: "put_back"}
    assert await make_job.status(job) == "todo"
    row = await (
        await conn.execute("SELECT attempts, worker_id FROM procrastinate_jobs")
    ).fetchone()
    assert row == (1, None)
    (failure,) = await (
        await conn.execute("SELECT kind, will_retry, message FROM jobs_maint_failures")
    ).fetchall()
    assert failure[:2] == ("worker_lost", True)
    assert "host-a pid 31" in failure[2]
    assert outcomes(await fleet.tick()) == {}


async def test_a_worker_that_missed_a_beat_is_silent_before_it_is_gone(fleet, make_job):
    """A beat that is a second late is none; of a job that it started since, it cannot be late."""
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await fleet.beat(worker, job)
    await fleet.conn.execute("UPDATE jobs_maint_workers SET beat_seconds = 60")
    found = []
    for span in (62, 18, 120):
        await fleet.pass_time(timedelta(seconds=span))
        report = await ask_stuck(fleet)
        workers = (await perform(fleet.pool, TICK, ListWorkers())).workers
        late, live = workers[0].late, workers[0].live
        stats = await perform(fleet.pool, TICK, ShowStats())
        counts = stats.workers
        assert (counts.live, counts.late, counts.silent) == (live, late, not live)
        text, message = render_text(stats), render_stats(stats, "/jobs").text
        assert ["missed a beat and may be dead" in told for told in (text, message)] == [late] * 2
        assert message.startswith("🟢") is not (late or bool(report.stuck))
        found.append((len(report.silent), len(report.stuck), late))
        details = await perform(fleet.pool, TICK, GetJob(job))
        shown = render_text(details), render_details(details).text
        silent = bool(report.silent or report.stuck)
        assert (details.silent_seconds is not None) is silent
        assert ["may be dead" in text for text in shown] == [silent] * 2
        assert ("No live worker reports it" in shown[1]) is bool(report.stuck)
        if report.silent:
            (one,) = report.silent
            assert 80 <= one.silent_seconds < 90
            assert 380 < one.due_in_seconds <= 390
            findings = (await perform(fleet.pool, TICK, RunDoctor())).findings
            [doctor] = [one.sentence for one in findings if one.check == "workers"]
            assert doctor.endswith(f"and may be dead; it had job {job}. No other worker is live.")
    assert found == [(0, 0, False), (1, 0, True), (0, 1, False)]


@pytest.mark.parametrize(("since_beat", "was_its_own"), [(minutes(0.1), True), (minutes(6), False)])
async def test_a_job_that_a_worker_took_after_its_last_beat_and_left_behind_counts_as_its_own(
    fleet, make_job, since_beat, was_its_own
):
    """As after a crash of the database. A start long after that beat may be another worker's."""
    worker = await fleet.start_worker()
    await fleet.pass_time(since_beat)
    job = await make_job(status="doing", worker_id=worker)
    await fleet.end(worker, job)
    await fleet.notice()
    assert outcomes(await fleet.tick()) == ({job: "put_back"} if was_its_own else {})


async def test_a_job_named_by_a_fresh_beat_is_never_stuck_however_long_it_runs(fleet, make_job):
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker, deferred_ago=hours(50))
    for _ in range(3):
        await fleet.pass_time(minutes(10))
        await fleet.beat(worker, job)
        assert (await fleet.tick()).suspects == 0
    assert await make_job.status(job) == "doing"


async def test_a_living_worker_whose_row_was_pruned_keeps_its_job(fleet, make_job, conn):
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await conn.execute("DELETE FROM procrastinate_workers")
    for _ in range(3):
        await fleet.pass_time(minutes(10))
        await fleet.beat(worker, job)
        assert (await fleet.tick()).suspects == 0
    assert await make_job.status(job) == "doing"


async def test_stats_and_a_digest_say_where_stuck_jobs_are_rescued_by_nobody(fleet, make_job, conn):
    """As many as `stuck` lists, of the actor's queues, whether or not a pass noticed them."""
    worker = await fleet.start_worker()
    mails = [await make_job(status="doing", worker_id=worker, queue="mail") for _ in range(2)]
    await fleet.beat(worker, *mails)
    await fleet.pass_time(minutes(2))
    await fleet.start_worker()

    async def ask(action, reach=None, **settings):
        settings = MaintSettings(**SOON, **settings)
        actor = Actor.shell("ana", "host")
        if reach:
            actor = dataclasses.replace(actor, grants=(Grant(Role.ADMIN, reach),))
        return await perform(fleet.pool, actor, action, settings=settings)

    report = await ask(ShowStats())
    assert (report.stuck_jobs, report.rescue_idle) == (2, None)
    assert "2 running jobs have no live worker; stuck says when" in render_text(report)
    assert "Show stuck jobs" in str(render_stats(report, "/jobs").blocks)
    await conn.execute("UPDATE jobs_maint_workers SET queues = '{mail}'")
    report, digest = await ask(ShowStats()), await ask(ShowDigest())
    assert (report.stuck_jobs, report.rescue_idle) == (2, "no_worker")
    said = "2 running jobs have no live worker"
    assert render_text(report).startswith(f"{said} and nobody rescues them; no job failed")
    message = render_stats(report, "/jobs")
    assert message.text.startswith(f"🔴 {said} and nobody rescues them;")
    assert "Show stuck jobs" in str(message.blocks)
    assert render_text(digest).startswith(f"{said}. No worker listens to the queue")
    shown = render_digest(digest, "/jobs").text
    assert shown.startswith("🔴")
    assert f"{said}. No worker listens to the queue of the rescue" in shown
    assert not is_quiet(digest)
    await conn.execute("UPDATE jobs_maint_workers SET queues = NULL")
    assert "The rescue is switched off" in render_text(await ask(ShowStats(), rescue_cron=""))
    other = await ask(ShowStats(), reach=("web",), rescue_cron="")
    assert (other.stuck_jobs, other.rescue_idle) == (0, None)


@pytest.mark.parametrize("named", [True, False])
async def test_whose_job_it_was_is_known_after_a_new_worker_removed_the_dead_ones_row(
    fleet, make_job, conn, named
):
    """By its beat, or where none named the job by what the rescue noted."""
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await fleet.beat(worker, *([job] if named else []))
    await fleet.pass_time(minutes(2))
    if not named:
        await fleet.tick()
    await conn.execute("DELETE FROM procrastinate_workers")
    await fleet.start_worker()
    (stuck,) = (await ask_stuck(fleet)).stuck
    details = await perform(fleet.pool, TICK, GetJob(job))
    assert (stuck.worker, details.last_worker) == ("host-a pid 31", "host-a pid 31")
    assert details.worker is None
    last = "the last was host-a pid 31, silent for 2 min: it may be dead"
    assert f"reports this job; {last}" in " ".join(render_text(details).split())
    assert f"reports it, {last}; stuck" in render_details(details).text
    found = (await perform(fleet.pool, TICK, ListWorkers())).workers
    has = {one.worker_id: [job.job_id for job in one.jobs] for one in found if not one.live}
    assert has == {worker: [job]}


async def test_a_job_that_started_after_the_last_beat_is_not_even_suspected(fleet, make_job):
    worker = await fleet.start_worker()
    await make_job(status="doing", worker_id=worker)
    assert (await fleet.tick()).suspects == 0


async def test_a_beat_between_two_passes_ends_the_suspicion(fleet, make_job):
    """An outage: noticed before it, alive after it; the first pass after it must not act."""
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await fleet.pass_time(minutes(2))
    assert (await fleet.tick()).suspects == 1
    await fleet.beat(worker, job)
    await fleet.pass_time(minutes(20))
    report = await fleet.tick()
    assert (outcomes(report), report.suspects) == ({}, 1)
    assert await make_job.status(job) == "doing"


async def test_a_job_its_living_worker_no_longer_runs_is_put_back(fleet, make_job):
    """Its end could not be stored: the worker lives and beats, but does not name it."""
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await fleet.pass_time(minutes(2))
    await fleet.beat(worker)
    await fleet.heartbeat(worker)
    assert (await fleet.tick()).suspects == 1
    await fleet.pass_time(minutes(6))
    await fleet.beat(worker)
    await fleet.heartbeat(worker)
    report = await fleet.tick()
    assert outcomes(report) == {job: "put_back"}
    assert "still beats and no longer reports this job, see its log" in report.items[0].reason


async def test_a_job_that_its_living_worker_no_longer_reports_is_not_told_as_running_there(
    fleet, make_job
):
    worker = await fleet.start_worker()
    runs, lost = [await make_job(status="doing", worker_id=worker) for _ in range(2)]
    await fleet.pass_time(minutes(2))
    await fleet.beat(worker, runs)
    await fleet.heartbeat(worker)
    assert [job.job_id for job in (await ask_stuck(fleet)).stuck] == [lost]
    report = await perform(fleet.pool, TICK, ListWorkers())
    assert [job.job_id for job in report.workers[0].jobs] == [runs]
    assert "1 running job has no live worker: jobs-maint stuck." in render_text(report)
    message = render_workers(report)
    assert message.text.startswith("🟡")
    assert "1 running job has no live worker." in message.text
    assert "Show stuck jobs" in str(message.blocks)


async def test_a_job_fetched_by_a_worker_whose_event_loop_is_blocked_is_left_to_it(fleet, make_job):
    """The fetch was answered while other code holds the loop: nobody names the job, and the worker
    begins it as soon as the loop is free."""
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await fleet.beat(worker)
    await fleet.heartbeat(worker)
    assert (await fleet.tick()).suspects == 0  # the beat may have been put together before
    await fleet.pass_time(timedelta(seconds=3))
    await fleet.beat(worker)
    await fleet.heartbeat(worker)
    assert (await fleet.tick()).suspects == 1
    for _ in range(3):
        await fleet.pass_time(minutes(6))
        await fleet.beat(worker)  # the recorder's thread goes on, the heartbeat does not
        report = await fleet.tick()
        assert (outcomes(report), report.suspects) == ({}, 0)
    assert await make_job.status(job) == "doing"


async def test_a_job_that_a_worker_may_hold_unread_is_not_told_as_stuck(fleet, make_job):
    """Its first job blocks the event loop, and Procrastinate's heartbeat is not old yet."""
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await fleet.pass_time(timedelta(seconds=5))
    await fleet.heartbeat(worker)
    await fleet.beat(worker, 0)
    assert (await fleet.tick()).suspects == 0
    assert (await ask_stuck(fleet)).stuck == ()
    await fleet.beat(worker)  # it read the answer: this was not the job
    assert [one.job_id for one in (await ask_stuck(fleet)).stuck] == [job]


@pytest.mark.parametrize("noticed", ["before the prune", "after the prune"])
async def test_a_worker_that_beats_is_not_robbed_of_a_job_whose_id_it_has_not_read(
    fleet, make_job, conn, noticed
):
    """The answer to its fetch came while its event loop was blocked, and another worker pruned its
    row: no beat can name the job, and the job names no worker."""
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await fleet.beat(worker, 0)
    await fleet.heartbeat(worker)
    if noticed == "before the prune":
        await fleet.pass_time(timedelta(seconds=3))
        await fleet.beat(worker)
        await fleet.heartbeat(worker)
        assert (await fleet.tick()).suspects == 1
    await conn.execute("DELETE FROM procrastinate_workers")
    for _ in range(3):
        await fleet.pass_time(minutes(25))
        await fleet.beat(worker, 0)
        report = await fleet.tick()
        assert (outcomes(report), report.suspects) == ({}, 0)
    assert (await ask_stuck(fleet)).stuck == ()
    await fleet.beat(worker)  # it read the answer, and this was not the job: nobody has it
    await fleet.tick()
    await fleet.pass_time(minutes(61))
    await fleet.beat(worker)
    assert outcomes(await fleet.tick()) == {job: "put_back"}


async def test_an_unread_answer_shelters_no_job_that_another_worker_took(fleet, make_job, conn):
    (mine,) = await fleet.lose()
    blocked = await fleet.start_worker()
    other_queue = await make_job(status="doing", queue="elsewhere")
    await conn.execute("DELETE FROM procrastinate_workers")
    await fleet.beat(blocked, 0)
    await conn.execute(
        "UPDATE jobs_maint_workers SET queues = '{email}' WHERE worker_id = %s", (blocked,)
    )
    report = await fleet.tick()
    assert (outcomes(report), report.suspects) == ({mine: "put_back"}, 1)
    assert [job.job_id for job in (await ask_stuck(fleet)).stuck] == [other_queue]


async def test_a_job_that_was_just_put_back_and_taken_is_not_called_stuck(fleet, make_job, conn):
    (job,) = await fleet.lose()
    assert outcomes(await fleet.tick()) == {job: "put_back"}
    worker = await fleet.start_worker()
    await fleet.beat(worker)
    await conn.execute("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s", (worker,))
    assert (await ask_stuck(fleet)).stuck == ()
    shown = await perform(fleet.pool, TICK, GetJob(job))
    assert (shown.worker, shown.unreported) == ("host-a pid 31", False)


async def test_records_of_a_dead_workers_jobs_name_all_that_died_with_it(fleet, make_job, conn):
    """So that the one that killed it can be told from the others."""
    worker = await fleet.start_worker()
    jobs = [await make_job(status="doing", worker_id=worker) for _ in range(3)]
    await fleet.beat(worker, *jobs)
    await fleet.notice()
    report = await fleet.tick()
    assert outcomes(report) == dict.fromkeys(jobs, "put_back")
    (reason,) = {item.reason for item in report.items}
    assert reason.endswith(f" UTC with jobs {jobs[0]}, {jobs[1]}, {jobs[2]}")


async def test_a_job_put_back_to_a_worker_without_a_recorder_is_judged_by_the_longer_span(
    fleet, make_job, conn
):
    """A roll-out: the dead worker that had named it says nothing of the one that runs it now."""
    (job,) = await fleet.lose()
    assert outcomes(await fleet.tick()) == {job: "put_back"}
    worker = await fleet.start_worker(beats=False)
    await conn.execute("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s", (worker,))
    for _ in range(5):  # it blocks its event loop, or drains: no heartbeat
        await fleet.pass_time(minutes(7))
        assert outcomes(await fleet.tick()) == {}
    await fleet.pass_time(minutes(40))
    assert outcomes(await fleet.tick()) == {job: "put_back"}


async def test_after_an_outage_nothing_is_put_back_before_the_workers_could_beat_again(
    fleet, make_job, conn
):
    """Noticed just before it; the first pass after it comes before the worker's first beat."""
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await fleet.beat(worker, job)
    await fleet.pass_time(minutes(1))
    assert (await fleet.tick()).suspects == 1
    await fleet.pass_time(minutes(20))  # nobody reaches the database
    await fleet.beat(0)
    assert outcomes(await fleet.tick(observed=False)) == {}
    await fleet.beat(worker, job)
    assert (await fleet.tick()).suspects == 0
    assert await make_job.status(job) == "doing"


async def test_where_no_worker_beats_any_more_the_longer_span_decides(fleet, conn):
    (job,) = await fleet.lose()
    await conn.execute("DELETE FROM jobs_maint_workers WHERE worker_id = 0")
    assert outcomes(await fleet.tick(observed=False)) == {}
    await fleet.pass_time(minutes(70))
    assert outcomes(await fleet.tick(observed=False)) == {job: "put_back"}


async def test_a_worker_that_never_beat_is_judged_by_its_heartbeat_and_after_an_hour(
    fleet, make_job, conn
):
    worker = await fleet.start_worker(beats=False)
    job = await make_job(status="doing", worker_id=worker)
    assert (await fleet.tick()).suspects == 0
    await fleet.pass_time(minutes(2))
    assert (await fleet.tick()).suspects == 1
    await fleet.pass_time(minutes(50))
    assert outcomes(await fleet.tick()) == {}
    await fleet.pass_time(minutes(15))
    await conn.execute("DELETE FROM procrastinate_workers")
    assert outcomes(await fleet.tick()) == {job: "put_back"}


async def store_error(conn, job, *, attempt=1, kind="error"):
    await conn.execute(
        "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, kind, message,"
        " fingerprint, will_retry) VALUES (%s, %s, 'default', 'app.task', %s, 'no', 'f1', false)",
        (job, attempt, kind),
    )


async def test_the_stored_error_of_this_attempt_shows_that_its_worker_had_a_recorder(
    fleet, make_job, conn
):
    """It crashed before it could store how the job ended, and its rows went with it."""
    job = await make_job(status="doing")
    await store_error(conn, job)
    await fleet.notice()
    assert outcomes(await fleet.tick()) == {job: "put_back"}
    assert await make_job.status(job) == "todo"


async def test_the_error_of_another_attempt_says_nothing_of_the_worker_that_has_the_job_now(
    fleet, make_job, conn
):
    """One that was stored late, of a run before; one of before the start; one of the rescue."""
    late, early, ours = [await make_job(status="doing") for _ in range(3)]
    await store_error(conn, late, attempt=7)
    await store_error(conn, early)
    await conn.execute(
        "UPDATE jobs_maint_failures SET failed_at = now() - interval '1 day' WHERE job_id = %s",
        (early,),
    )
    await store_error(conn, ours, kind="worker_lost")
    await fleet.notice()
    assert outcomes(await fleet.tick()) == {}
    await fleet.pass_time(minutes(60))
    assert outcomes(await fleet.tick()) == dict.fromkeys((late, early, ours), "put_back")


async def test_a_worker_whose_recorder_alone_broke_keeps_its_job(fleet, make_job, conn):
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await fleet.beat(worker, job)
    for _ in range(3):
        await fleet.pass_time(minutes(10))
        await conn.execute("UPDATE procrastinate_workers SET last_heartbeat = now()")
        assert (await fleet.tick()).suspects == 0
    assert await make_job.status(job) == "doing"


async def test_an_abort_request_ends_the_job_as_aborted(fleet, make_job, conn):
    (job,) = await fleet.lose({"abort_requested": True})
    assert outcomes(await fleet.tick()) == {job: "aborted"}
    assert await make_job.status(job) == "aborted"
    assert (await make_job.events(job))[-1] == "aborted"


async def test_a_taken_queueing_lock_fails_that_job_and_the_others_are_still_rescued(
    fleet, make_job, conn
):
    free, first, second, aborting, last = await fleet.lose(
        {}, {"queueing_lock": "nightly"}, {"queueing_lock": "nightly"},
        {"abort_requested": True}, {},
    )  # fmt: skip
    report = await fleet.tick()
    assert outcomes(report) == {
        free: "put_back", first: "put_back", second: "failed",
        aborting: "aborted", last: "put_back",
    }  # fmt: skip
    audit = await perform(fleet.pool, TICK, ShowAudit(), settings=MaintSettings())
    (told,) = map(tell_counts, audit.entries)
    assert told == "3 put back, 1 aborted, 1 failed for good"
    reason = next(item.reason for item in report.items if item.job_id == second)
    assert f"job {first}" in reason
    assert "nightly" in reason
    (message,) = await (
        await conn.execute("SELECT message FROM jobs_maint_failures WHERE job_id = %s", (second,))
    ).fetchone()
    assert message == reason


async def test_a_row_the_database_refuses_does_not_stop_the_others(fleet, make_job, conn):
    first, bad, last = await fleet.lose({}, {"task": "app.bad"}, {})
    await conn.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE 'not this one'; END $$"
    )
    await conn.execute(
        "CREATE TRIGGER refuse BEFORE UPDATE ON procrastinate_jobs FOR EACH ROW"
        " WHEN (old.task_name = 'app.bad') EXECUTE FUNCTION refuse()"
    )
    report = await fleet.tick()
    assert outcomes(report) == {first: "put_back", bad: "error", last: "put_back"}
    (counts,) = await (await conn.execute("SELECT counts FROM jobs_maint_audit")).fetchone()
    assert counts == {"done": 2, "failed": 1, "put_back": 2}
    assert report.suspects == 0  # it was just tried


async def test_a_row_that_a_trigger_silently_keeps_is_told_as_not_rescued(fleet, make_job, conn):
    kept, other = await fleet.lose({"task": "app.kept"}, {})
    await conn.execute(
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER keep BEFORE UPDATE ON procrastinate_jobs FOR EACH ROW"
        " WHEN (old.task_name = 'app.kept') EXECUTE FUNCTION keep()"
    )
    report = await fleet.tick()
    assert outcomes(report) == {other: "put_back", kept: "error"}
    assert ["a trigger of procrastinate_jobs kept it" in one.reason for one in report.items] == [
        False, True,
    ]  # fmt: skip
    assert (await make_job.status(kept), report.suspects) == ("doing", 0)


async def test_after_max_rescues_a_job_fails_and_a_person_who_retries_it_starts_anew(
    fleet, make_job, conn
):
    (job,) = await fleet.lose()
    for _ in range(3):
        assert outcomes(await fleet.tick()) == {job: "put_back"}
        await fleet.take_and_die(job)
    report = await fleet.tick()
    assert outcomes(report) == {job: "failed"}
    assert "3 times" in report.items[0].reason
    await conn.execute("UPDATE procrastinate_jobs SET status = 'todo'")
    await fleet.take_and_die(job)
    assert outcomes(await fleet.tick()) == {job: "put_back"}


async def test_a_job_with_as_many_attempts_as_can_be_counted_fails_and_says_how_to_go_on(
    fleet, make_job
):
    """Its next run could not be stored, so it would be run again and again."""
    most = {"attempts": 2**31 - 1}
    last, by_policy, other = await fleet.lose(most, {"task": "app.pay", **most}, {})
    report = await fleet.tick(rescue_policy={"app.pay": "fail"})
    assert outcomes(report) == {last: "failed", by_policy: "failed", other: "put_back"}
    assert report.items[0].reason.endswith("retry it with --reset-attempts")
    assert await make_job.status(last) == "failed"


def test_each_job_has_its_pass_the_first_tick_at_which_it_is_due_and_not_full():
    now = datetime(2026, 3, 12, 3, 0, 20, tzinfo=UTC)
    cron = "* * * * *"
    due = {1: -5.0, 2: 39.9, 3: 40.0, 4: 40.1, 5: 3_600.0}
    assert plan_passes(due, cron, now, 500) == {1: 40, 2: 40, 3: 40, 4: 100, 5: 3_640}
    assert plan_passes(due, cron, now, 2) == {1: 40, 2: 40, 3: 100, 4: 100, 5: 3_640}
    assert plan_passes({1: 0.0}, cron, now + timedelta(seconds=40), 2) == {1: 60}
    assert plan_passes({1: 0.1}, "0 * * * *", now, 2) == {1: 3_580}
    # The pass of 03:00:00 has not ended, so it is still to come, for what was due then.
    before = now - timedelta(minutes=1)
    assert plan_passes({1: -21.0, 2: -19.0}, cron, now, 2, before) == {1: 0, 2: 40}
    assert plan_passes({1: -21.0}, cron, now, 2, now - timedelta(seconds=19)) == {1: 40}


async def begin_cron(conn) -> tuple[str, datetime]:
    """Once a minute, and its last tick, one to two seconds ago."""
    (now,) = await (await conn.execute("SELECT clock_timestamp()")).fetchone()
    tick = now.replace(microsecond=0) - timedelta(seconds=1)
    return f"* * * * * {tick.second}", tick


async def tick_at(fleet, settings):
    await fleet.observe()
    return await perform(
        fleet.pool, TICK, RescueStalled(ticked=True), settings=MaintSettings(**SOON | settings)
    )


async def ask_acts(fleet, settings):
    report = await perform(fleet.pool, TICK, ListStuck(), settings=MaintSettings(**SOON | settings))
    return [job.acts_in_seconds for job in report.stuck]


@pytest.mark.parametrize("jitter", [-0.9, 0.0, 0.9])
async def test_what_a_tick_notices_is_put_back_at_the_tick_that_comes_stalled_after_later(
    fleet, make_job, conn, jitter
):
    """However long either pass took to begin, and `stuck` foretells that very tick."""
    spans = {"stalled_after": minutes(1), "rescue_cron": (await begin_cron(conn))[0]}
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await fleet.beat(worker, job)
    await fleet.pass_time(minutes(2))
    assert (await tick_at(fleet, spans)).suspects == 1
    [acts_in] = await ask_acts(fleet, spans)
    assert 50 < acts_in < 60
    await fleet.pass_time(timedelta(seconds=60 + jitter))
    assert outcomes(await tick_at(fleet, spans)) == {job: "put_back"}


async def test_of_a_worker_that_missed_a_beat_stuck_foretells_the_pass_that_acts_if_it_is_dead(
    fleet, make_job, conn
):
    """The one that it foretells again once the worker counts as gone and the rescue noticed it."""
    spans = {"stalled_after": minutes(1), "rescue_cron": (await begin_cron(conn))[0]}
    await fleet.observe()
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await fleet.beat(worker, job)
    await fleet.pass_time(timedelta(seconds=14))
    await tick_at(fleet, spans)
    report = await perform(fleet.pool, TICK, ListStuck(), settings=MaintSettings(**SOON | spans))
    [late] = report.silent
    # Noticed at the next tick, put back at the one after it.
    assert 110 < late.acts_in_seconds < 120
    says = f"If it stays silent, the rescue acts in {format_wait(late.acts_in_seconds)[3:]}."
    assert says in render_text(report)
    assert says in render_stuck(report).text
    await fleet.pass_time(timedelta(seconds=60))
    assert (await tick_at(fleet, spans)).suspects == 1
    [acts_in] = await ask_acts(fleet, spans)
    assert acts_in == pytest.approx(late.acts_in_seconds - 60, abs=3)


async def test_a_late_pass_leaves_what_was_not_due_at_its_tick_to_the_next_as_foretold(fleet, conn):
    [job] = await fleet.lose()
    cron, tick = await begin_cron(conn)
    spans = {"stalled_after": minutes(1), "rescue_cron": cron}
    # A pass acts a tenth of the minute early; this one is due half a second after the tick.
    noticed = tick - timedelta(seconds=53.5)
    await conn.execute("UPDATE jobs_maint_suspects SET first_noticed_at = %s", (noticed,))
    assert outcomes(await tick_at(fleet, spans)) == {}
    [acts_in] = await ask_acts(fleet, spans)
    assert 50 < acts_in < 60
    by_hand = await perform(
        fleet.pool,
        Actor.shell("ana", "host"),
        RescueStalled(),
        settings=MaintSettings(**SOON | spans),
    )
    assert outcomes(by_hand) == {job: "put_back"}


async def test_stuck_and_rescue_name_the_same_first_pass_also_of_jobs_not_noticed_yet(
    fleet, pool, make_job, conn
):
    """Two jobs of a worker without a recorder are noticed; those of a killed one are not yet."""
    (tick,) = await (
        await conn.execute("SELECT extract(second FROM now() + interval '30 seconds')::int % 60")
    ).fetchone()
    settings = MaintSettings(**SOON, rescue_cron=f"* * * * * {tick}")
    old = await fleet.start_worker(beats=False)
    late = [await make_job(status="doing", worker_id=old) for _ in range(2)]
    await fleet.pass_time(minutes(2))
    await fleet.tick()
    killed = await fleet.start_worker()
    first = [await make_job(status="doing", worker_id=killed) for _ in range(3)]
    await fleet.beat(killed, *first)
    await fleet.pass_time(minutes(1))
    await fleet.observe()
    stuck = await list_stuck_jobs(conn, settings)  # as on a standby, where `stuck` notices nothing
    acts_in = {job.job_id: job.acts_in_seconds for job in stuck.stuck}
    assert [job.noticed_seconds for job in stuck.stuck if job.job_id in first] == [None] * 3
    assert len({acts_in[job] for job in first}) == 1
    assert 290 < acts_in[first[0]] < 390 < 3_000 < acts_in[late[0]] < 3_700
    actor = Actor.shell("ana", "host")
    report = await perform(pool, actor, RescueStalled(), settings=settings)
    assert report.acts_in_seconds == pytest.approx(acts_in[first[0]], abs=2)
    assert (report.suspects, report.acts_on_jobs) == (5, 3)
    again = await perform(pool, TICK, ListStuck(), settings=settings)
    said = re.compile(
        r"the rescue acts on 3 of them in \d+ (?:min(?: \d+ s)?|s), later on the rest"
    )
    for text in (
        render_stuck(stuck).text.replace("The", "the"),
        render_stuck(again).text.replace("The", "the"),
        render_text(stuck, width=120).replace("The", "the"),
        render_rescue(report, "/jobs", by="U0ANA").text,
        render_text(report, width=120),
    ):
        assert said.search(text), text
    assert "not noticed by the rescue yet, the rescue acts in" in render_stuck(stuck).text


async def test_what_a_silent_worker_waits_for_says_that_no_other_is_known_to_have_the_rescue(
    fleet, make_job, conn
):
    settings = MaintSettings(**SOON, rescue_cron="* * * * *")
    worker = await fleet.start_worker()
    await fleet.beat(worker, await make_job(status="doing", worker_id=worker))
    await fleet.pass_time(timedelta(seconds=16))
    await fleet.start_worker(beats=False)  # it has run no job yet
    await make_job(status="succeeded", queue="maintenance", task="jobs_maint:rescue_stalled_jobs")
    report = await perform(fleet.pool, TICK, ListStuck(), settings=settings)
    assert (len(report.silent), report.rescue_idle, report.rescue_unsure) == (1, None, True)
    for text in (render_text(report, width=200), render_stuck(report).text):
        assert "If it stays silent, the rescue acts in" in text
        assert ", if a worker that has run no job yet has the rescue (jobs_maint.reg" in text
    await fleet.beat(await fleet.start_worker())
    report = await perform(fleet.pool, TICK, ListStuck(), settings=settings)
    assert (len(report.silent), report.rescue_idle, report.rescue_unsure) == (1, None, False)


async def test_stuck_says_when_the_rescue_acts_and_why_it_never_does(fleet, make_job, conn):
    await fleet.lose({}, {})
    lives = await fleet.start_worker()
    await fleet.beat(lives)

    async def ask(rescue_cron="* * * * *"):
        settings = MaintSettings(**SOON, rescue_cron=rescue_cron)
        report = await perform(fleet.pool, TICK, ListStuck(), settings=settings)
        for job in report.stuck:
            assert job.acts_in_seconds is None or (
                0 <= job.acts_in_seconds - max(job.due_in_seconds, 0) <= 60
            )
        return report.rescue_idle, [job.acts_in_seconds for job in report.stuck]

    idle, acts_in = await ask()
    assert (idle, len(acts_in), None in acts_in) == (None, 2, False)
    await conn.execute("UPDATE jobs_maint_workers SET queues = '{email}'")
    assert await ask() == ("no_worker", [None, None])
    await conn.execute("UPDATE jobs_maint_workers SET queues = '{email,maintenance}'")
    assert (await ask())[0] is None
    # The worker is of an app that has not called `register`, or has run nothing yet.
    await conn.execute("DELETE FROM jobs_maint_workers WHERE worker_id = %s", (lives,))
    assert await ask() == ("no_run", [None, None])
    run = await make_job(
        status="succeeded", queue="maintenance", task="jobs_maint:rescue_stalled_jobs"
    )
    assert (await ask())[0] is None
    every_minute = MaintSettings(**SOON, rescue_cron="* * * * *")
    report = await perform(fleet.pool, TICK, ListStuck(), settings=every_minute)
    assert report.rescue_unsure
    for text in (render_text(report, width=200), render_stuck(report).text):
        assert "s, if a worker that has run no job yet has the rescue (jobs_maint.reg" in text
    await conn.execute("DELETE FROM procrastinate_jobs WHERE id = %s", (run,))
    await fleet.beat(lives)
    report = await perform(fleet.pool, TICK, ListStuck(), settings=every_minute)
    assert not report.rescue_unsure
    tick = await make_job(
        queue="maintenance", task="jobs_maint:rescue_stalled_jobs", deferred_ago=minutes(1 / 3)
    )
    assert (await ask())[0] is None
    await conn.execute(
        "UPDATE procrastinate_events SET at = at - interval '20 s' WHERE job_id = %s", (tick,)
    )
    assert await ask() == ("busy", [None, None])
    await conn.execute("DELETE FROM procrastinate_jobs WHERE id = %s", (tick,))
    await make_job(status="succeeded", queue="maintenance", task="jobs_maint:rescue_stalled_jobs",
                   finished_ago=hours(1))  # fmt: skip
    assert await ask() == ("overdue", [None, None])
    assert await ask(rescue_cron="") == ("off", [None, None])


async def test_no_rescue_is_foretold_where_only_workers_live_that_do_not_have_it(
    fleet, make_job, conn, pool
):
    """As after `register` was taken out: they live, but have neither recorder nor rescue."""
    cron, tick = await begin_cron(conn)
    settings = MaintSettings(**SOON, rescue_cron=cron)
    killed = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=killed)
    await fleet.beat(killed, job)
    await fleet.pass_time(minutes(1))
    shell = Actor.shell("ana", "host")
    await perform(pool, shell, RescueStalled(), settings=settings)  # notices it
    await fleet.pass_time(timedelta(seconds=35))
    run = await make_job(status="succeeded", queue="maintenance",
                         task="jobs_maint:rescue_stalled_jobs")  # fmt: skip
    plain = await fleet.start_worker(beats=False)

    async def ask(*actions):
        return [await perform(pool, shell, one, settings=settings) for one in actions]

    async def is_foretold():
        stuck, stats, preview = await ask(ListStuck(), ShowStats(), PreviewRescue((job,)))
        listed = render_text(stuck)
        assert stuck.rescue_idle == stats.rescue_idle
        for said in (listed, " ".join(preview.warnings)):
            assert ("the rescue acts" in said.lower()) == (stuck.rescue_idle is None), said
            assert ("No live worker is known to run the rescue" in said) == bool(stuck.rescue_idle)
        assert ("nobody rescues it" in render_text(stats)) == bool(stuck.rescue_idle)
        assert stuck.rescue_idle in {None, "no_run"}
        return stuck.rescue_idle is None

    assert await is_foretold(), "its recorder may begin with its first job"
    ran_by = "UPDATE procrastinate_jobs SET worker_id = %s WHERE id = %s"
    done = await make_job(status="succeeded")
    await conn.execute(ran_by, (plain, done))
    assert not await is_foretold(), "it ran a job and does not beat"
    await conn.execute(ran_by, (plain, run))
    assert await is_foretold(), "it ran the rescue itself"
    for one in (run, done):
        await conn.execute(ran_by, (None, one))
    assert await is_foretold()
    older = "UPDATE procrastinate_events SET at = at - interval '70 s' WHERE job_id = %s"
    await conn.execute(older, (run,))
    assert not await is_foretold(), "it has run nothing yet, but left a tick out"
    await conn.execute(
        "INSERT INTO procrastinate_periodic_defers (task_name, defer_timestamp, periodic_id)"
        " VALUES ('jobs_maint:rescue_stalled_jobs', %s, '')", (int(tick.timestamp()),)
    )  # fmt: skip
    assert await is_foretold(), "a tick was deferred, and its job is deleted"


async def test_where_the_only_worker_was_killed_and_a_new_one_started_its_first_tick_is_foretold(
    fleet, make_job, conn
):
    """A worker beats from its first job on, and the pass itself is one."""
    spans = {"stalled_after": minutes(1), "rescue_cron": (await begin_cron(conn))[0]}
    shell = Actor.shell("ana", "host")

    async def ask(action=ListStuck()):  # noqa: B008
        settings = MaintSettings(**SOON | spans)
        return await perform(fleet.pool, shell, action, settings=settings)

    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await fleet.beat(worker, job)
    await make_job(status="succeeded", queue="maintenance", task="jobs_maint:rescue_stalled_jobs",
                   finished_ago=timedelta(seconds=5))  # fmt: skip
    await fleet.pass_time(timedelta(seconds=40))
    await ask(RescueStalled())  # notices it
    [row] = (await ask()).stuck
    assert (row.acts_in_seconds, row.waits_for_beat) == (None, True)
    assert 3_500 < row.due_in_seconds < 3_600
    assert "  waits for a worker\n" in render_text(await ask())
    new = await fleet.start_worker(beats=False)
    report = await ask()
    [before] = report.stuck
    assert report.rescue_idle is None
    assert 50 < before.acts_in_seconds < 60
    assert (await ask(RescueStalled())).acts_in_seconds == pytest.approx(
        before.acts_in_seconds, abs=3
    )
    assert "The rescue acts on it in 5" in render_stuck(report).text
    await fleet.beat(new)  # as the first thing that its first job does
    await perform(fleet.pool, TICK, RescueStalled(ticked=True),
                  settings=MaintSettings(**SOON | spans))  # fmt: skip
    [after] = (await ask()).stuck
    assert after.acts_in_seconds == pytest.approx(before.acts_in_seconds, abs=3)


async def test_a_policy_of_fail_and_our_own_tasks_are_not_put_back(fleet, make_job):
    fragile, own, other = await fleet.lose(
        {"task": "app.charge_card"},
        {"task": "jobs_maint:purge_finished_jobs", "queue": "maintenance"},
        {"task": "app.mail"},
    )
    report = await fleet.tick(rescue_policy={"app.charge*": "fail", "*": "retry"})
    assert outcomes(report) == {fragile: "failed", own: "failed", other: "put_back"}
    retry = PreviewBulk(BulkVerb.RETRY, JobFilter(task="charge"), dry_run=True)
    for asked in (ListErrors(), retry):
        assert "worker lost: worker" in render_text(await perform(fleet.pool, TICK, asked))


async def test_the_policy_holds_for_all_names_of_a_task_that_the_app_knows(
    fleet, make_job, database_url
):
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=database_url))
    app.task(name="billing.charge", aliases=["charge_card"])(print)
    app.task(name="app.mail", aliases=["mail", "billing.mail_bill"])(print)
    app.task(name="app.clean", aliases=["clean"])(print)
    policy = {"billing.*": "fail", "*": "retry"}
    register(app, MaintSettings(**SOON, rescue_policy=policy))
    jobs = await fleet.lose({"task": "charge_card"}, {"task": "app.mail"}, {"task": "clean"})
    await fleet.observe()
    async with app.open_async():
        await app.tasks["jobs_maint:rescue_stalled_jobs"].defer_async(timestamp=0)
        await app.run_worker_async(queues=["maintenance"], wait=False)
    assert [await make_job.status(job) for job in jobs] == ["failed", "failed", "todo"]


async def test_a_job_that_finishes_while_the_rescue_looks_is_left_alone(
    fleet, make_job, database_url
):
    """The worker's own transaction holds the row; the pass does not wait and does not touch it."""
    (job,) = await fleet.lose()
    async with await psycopg.AsyncConnection.connect(database_url) as worker:
        await worker.execute("SELECT procrastinate_finish_job_v1(%s, 'succeeded', false)", (job,))
        assert outcomes(await fleet.tick()) == {}
    assert outcomes(await fleet.tick()) == {}
    assert await make_job.status(job) == "succeeded"


async def test_a_job_a_new_worker_claims_while_the_rescue_waits_is_never_put_back(
    fleet, make_job, pool, conn, database_url
):
    """The lock is held over the notice; meanwhile somebody puts the job back and it starts anew."""
    (job,) = await fleet.lose()
    rules = RescueRules(minutes(5), hours(1), 3, {})
    async with await psycopg.AsyncConnection.connect(database_url) as other:
        await other.execute(
            "SELECT procrastinate_retry_job_v2(%s, now(), NULL, NULL, NULL)", (job,)
        )
        new = (await (await other.execute("SELECT procrastinate_register_worker_v1()")).fetchone())[
            0
        ]
        await other.execute("SELECT procrastinate_fetch_job_v2(NULL, %s)", (new,))

        async def act():
            async with pool.connection() as own, transaction(own):
                # Wait for the row as a rescue of named jobs would, instead of skipping it.
                await own.execute(
                    "SELECT 1 FROM procrastinate_jobs WHERE id = %s FOR UPDATE", (job,)
                )
                return await stalled.rescue_stalled_jobs(own, rules)

        await fleet.observe()
        waiting = asyncio.create_task(act())
        await wait_for_waiting(conn)
        await other.commit()
        report = await waiting
    assert outcomes(report) == {}
    assert await make_job.status(job) == "doing"
    assert outcomes(await fleet.tick()) == {}


class Policy(dict):
    """A rescue policy; it is asked of a job that is locked and not changed yet, and `before`
    happens then."""

    def __init__(self, choice, before):
        super().__init__({"*": choice})
        self.before, self.asked = before, 0

    def items(self):
        self.asked += 1
        self.before()
        return super().items()


@pytest.mark.parametrize("policy", ["retry", "fail"])
@pytest.mark.parametrize(
    "meanwhile",
    [
        "UPDATE jobs_maint_workers SET beat_at = now() WHERE %s = ANY (job_ids)",
        "DELETE FROM jobs_maint_suspects WHERE job_id = %s",
        "INSERT INTO procrastinate_events (job_id, type) VALUES (%s, 'started')",
    ],
    ids=["a beat names it", "a beat named it", "it started anew"],
)
async def test_what_happens_between_the_lock_and_the_change_saves_the_job(
    fleet, make_job, pool, database_url, meanwhile, policy
):
    (job,) = await fleet.lose()
    await fleet.observe()

    def happen():
        # Without triggers: the check of an event's reference would wait for the locked row.
        without = "-c session_replication_role=replica"
        with psycopg.connect(database_url, autocommit=True, options=without) as worker:
            worker.execute(meanwhile, (job,))

    asked = Policy(policy, happen)
    async with pool.connection() as conn, transaction(conn):
        report = await stalled.rescue_stalled_jobs(
            conn, RescueRules(minutes(5), hours(1), 3, asked)
        )
    assert (asked.asked, outcomes(report)) == (1, {})
    assert await make_job.status(job) == "doing"


async def test_a_suspicion_ends_with_its_attempt_and_begins_anew_with_the_next(
    fleet, make_job, conn
):
    """Somebody else put the job back and its next worker died, too: it is neither put back by the
    old suspicion nor forgotten because of it."""
    (job,) = await fleet.lose()
    await conn.execute("SELECT procrastinate_retry_job_v2(%s, now(), NULL, NULL, NULL)", (job,))
    worker = await fleet.start_worker()
    await conn.execute("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s", (worker,))
    await fleet.beat(worker, job)
    await fleet.pass_time(minutes(2))
    report = await fleet.tick()
    assert (outcomes(report), report.suspects) == ({}, 1)
    await fleet.pass_time(minutes(6))
    assert outcomes(await fleet.tick()) == {job: "put_back"}


async def test_workers_are_woken_for_a_job_that_was_put_back(fleet, database_url):
    (job,) = await fleet.lose({"queue": "email"})
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as listener:
        await listener.execute('LISTEN "procrastinate_queue_v1#email"')
        await fleet.tick()
        heard = [n async for n in listener.notifies(timeout=60, stop_after=1)]
    assert [n.payload for n in heard] == [f'{{"type": "job_inserted", "job_id": {job}}}']


async def test_a_pass_in_which_the_database_refused_everything_is_audited_as_failed(fleet, conn):
    await fleet.lose()
    await conn.execute("ALTER TABLE procrastinate_jobs ADD CHECK (status <> 'todo') NOT VALID")
    await fleet.tick()
    found = await conn.execute("SELECT outcome, error_code, counts FROM jobs_maint_audit")
    assert await found.fetchall() == [("failed", "error", {"failed": 1})]


async def test_two_passes_at_once_put_a_job_back_once(fleet, make_job):
    (job,) = await fleet.lose()
    reports = await asyncio.gather(*(fleet.tick() for _ in range(3)))
    assert [outcomes(r) for r in reports].count({job: "put_back"}) == 1
    assert (await make_job.events(job)).count("deferred_for_retry") == 1


async def test_what_another_rescue_has_in_hand_is_told_as_such(fleet, make_job, database_url):
    """It has locked the rows and not ended yet: they are due now, whatever the next tick is."""
    held = await fleet.lose({}, {})
    later = await make_job(status="doing")
    await fleet.pass_time(minutes(1))  # the worker of that one never beat: it is due in an hour
    asked = RescueStalled()
    by_hand = Actor.shell("ana", "host")
    async with await psycopg.AsyncConnection.connect(database_url) as other:
        await other.execute(
            "SELECT 1 FROM procrastinate_jobs WHERE id = ANY (%s) FOR UPDATE", (held,)
        )
        await fleet.observe()
        report = await perform(fleet.pool, by_hand, asked, settings=MaintSettings(**SOON))
    assert (report.items, report.held, report.suspects) == ((), tuple(held), 1)
    assert report.acts_in_seconds is None or report.acts_in_seconds > 3_000
    said = "Another session, such as another rescue, is changing 2 jobs that are due."
    shell = render_text(report).splitlines()
    assert shell[0] == "No job was rescued."
    assert shell[1].startswith(said)
    bot = render_rescue(report, "/jobs", by="U0ANA").text.splitlines()
    assert bot[0] == "🟡 No job was rescued."
    assert bot[1].startswith(f"{said} 1 job has no live worker")
    assert await make_job.status(later) == "doing"
    report = await perform(fleet.pool, by_hand, asked, settings=MaintSettings(**SOON))
    assert (outcomes(report), report.held) == (dict.fromkeys(held, "put_back"), ())


async def test_a_pass_does_not_wait_for_another_that_is_at_work(fleet, make_job, database_url):
    """It has put jobs back, which may take it seconds, and has not ended yet."""
    *held, new = await fleet.lose({}, {}, {})
    await fleet.observe()
    async with await psycopg.AsyncConnection.connect(database_url) as other:
        await other.execute("DELETE FROM jobs_maint_suspects WHERE job_id = ANY (%s)", (held,))
        await other.execute(
            "UPDATE procrastinate_jobs SET status = 'todo' WHERE id = ANY (%s)", (held,)
        )
        assert outcomes(await fleet.tick()) == {new: "put_back"}
    assert [await make_job.status(job) for job in held] == ["todo"] * 2


async def test_what_is_learnt_of_a_suspect_later_is_kept(fleet, make_job, conn):
    """Its error was stored late, and a beat names it that came late."""
    job = await make_job(status="doing")
    assert (await fleet.tick()).suspects == 1
    known = "SELECT worker_id, had_recorder FROM jobs_maint_suspects"
    assert await (await conn.execute(known)).fetchall() == [(None, False)]
    await store_error(conn, job)
    await fleet.tick()
    assert await (await conn.execute(known)).fetchall() == [(None, True)]
    worker = await fleet.start_worker()
    await conn.execute(
        "UPDATE jobs_maint_workers SET job_ids = ARRAY[%s::bigint],"
        " beat_at = now() - interval '31 seconds' WHERE worker_id = %s",
        (job, worker),
    )
    await conn.execute("UPDATE procrastinate_events SET at = at - interval '1 hour'")
    await conn.execute("UPDATE jobs_maint_suspects SET started_at = started_at - interval '1 hour'")
    await conn.execute("UPDATE procrastinate_workers SET last_heartbeat = '2000-01-01'")
    await fleet.tick()
    assert await (await conn.execute(known)).fetchall() == [(worker, True)]


async def test_a_pass_with_nothing_to_do_leaves_no_audit_row(fleet, conn):
    await fleet.tick()
    assert await (await conn.execute("SELECT * FROM jobs_maint_audit")).fetchall() == []


async def test_a_stuck_job_is_listed_behind_more_running_jobs_than_are_looked_at(
    fleet, make_job, monkeypatch
):
    monkeypatch.setattr(workers, "MOST_RUNNING", 2)
    [stuck] = await fleet.lose()
    lives = await fleet.start_worker()
    long = [
        await make_job(
            status="doing", worker_id=lives, deferred_ago=hours(3), finished_ago=hours(2)
        )
        for _ in range(3)
    ]
    await fleet.beat(lives, *long)
    report = await ask_stuck(fleet)
    assert [job.job_id for job in report.stuck] == [stuck]
    assert [job.job_id for job in report.long_running] == long[:1]
    # What was not looked at is counted, in both lists and on both surfaces.
    assert (report.jobs_not_shown, report.hidden_jobs) == (2, 0)
    seen = await perform(fleet.pool, TICK, ListWorkers(), settings=MaintSettings(**SOON))
    assert [job.job_id for one in seen.workers if one.live for job in one.jobs] == long[:1]
    said = "2 more running jobs, which began last, are neither listed nor counted here"
    for shown in (
        render_text(report), render_text(seen), render_stuck(report).text, render_workers(seen).text
    ):  # fmt: skip
        assert said in " ".join(shown.split())
    await make_job(status="doing", queue="other", worker_id=lives)
    eve = Actor("slack", "U0EVE", "eve", "C1", (Grant(Role.VIEWER, ("default",)),))
    report = await perform(fleet.pool, eve, ListStuck(), settings=MaintSettings(**SOON))
    assert (report.jobs_not_shown, report.hidden_jobs) == (2, 1)
    monkeypatch.setattr(workers, "MOST_RUNNING", 5)
    for word in (ListStuck(), ListWorkers()):
        report = await perform(fleet.pool, TICK, word, settings=MaintSettings(**SOON))
        assert report.jobs_not_shown == 0
