"""Rescue of jobs that a person named, and the force: who is left alone, who is put back, races."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg
import pytest
from tests.support.fleet import SOON, Fleet
from tests.support.history import minutes
from tests.support.locks import wait_for_waiting

from chatbot.messages.outcome import render_bulk
from chatbot.messages.preview import render_preview
from chatbot.messages.result import render_result
from chatbot.messages.stuck import render_stuck
from jobs_maint.actions import (
    Actor,
    BulkVerb,
    ConfirmSelection,
    Grant,
    JobFilter,
    ListStuck,
    PreviewBulk,
    PreviewRescue,
    RescueJobs,
    RescueStalled,
    Role,
    WatchIncidents,
)
from jobs_maint.errors import JobNotFound, NotPermitted, SelectionExpired, WrongJobStatus
from jobs_maint.models import ItemOutcome, ItemResult, Preview, why_idle
from jobs_maint.operations.rescue.workers import list_stuck_jobs
from jobs_maint.perform import perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "host")
NO_JOB = 9_223_372_036_854_775_807


@pytest.fixture
def fleet(pool, conn, make_job) -> Fleet:
    return Fleet(pool, conn, make_job)


async def ask(pool, action, actor=ANA, **settings):
    return await perform(pool, actor, action, settings=MaintSettings(**{**SOON, **settings}))


async def rescue(pool, job, **settings):
    """What becomes of it; whoever is asked first says yes."""
    found = await ask(pool, RescueJobs((job,)), **settings)
    if not isinstance(found, Preview):
        (item,) = found.items
        return item
    report = await confirm(pool, found, **settings)
    (group,) = (*report.became, *report.skips, *report.left_out)
    outcome = ItemOutcome.DONE if report.became else ItemOutcome.SKIPPED
    return ItemResult(job, outcome, group.code, group.reason)


async def confirm(pool, shown, actor=ANA, **settings):
    return await ask(pool, ConfirmSelection(shown.key), actor, **settings)


async def watch(pool):
    """A pass of a bot's watch."""
    await perform(pool, Actor.task("chatbot"), WatchIncidents("bot"))


async def run_job(fleet, *, silent_for=None, **job) -> int:
    """A running job that its worker named; then silence, while another worker is heard."""
    worker = await fleet.start_worker()
    job_id = await fleet.make_job(status="doing", worker_id=worker, **job)
    await fleet.beat(worker, job_id)
    if silent_for is not None:
        await fleet.pass_time(silent_for)
    await fleet.observe()
    return job_id


async def assert_as_stuck(pool, job, said):
    """The pass that acts on the job, or why none comes, is the one that `stuck` names."""
    report = await ask(pool, ListStuck())
    if report.rescue_idle:
        why = why_idle(report.rescue_idle)
        assert why in said.replace(f"{why[:1].upper()}{why[1:]}", why)
        return
    [seen] = [one for one in report.stuck if one.job_id == job]
    if at := re.search(r"the rescue acts at (.{19}) UTC", said):
        wait = datetime.fromisoformat(f"{at[1]}+00:00") - report.as_of
        assert abs(wait.total_seconds() - seen.acts_in_seconds) < 2
        return
    minutes_, seconds = re.search(r"the rescue acts in (?:(\d+) min)? ?(?:(\d+) s)?", said).groups()
    wait = 60 * int(minutes_ or 0) + int(seconds or 0)
    rounded = 1 if seconds or wait < 3_600 else 60
    assert -rounded < wait - seen.acts_in_seconds < rounded + 2


async def start_again(conn, job) -> int:
    """Somebody else puts it back and a new worker takes it; returns that worker."""
    await conn.execute("SELECT procrastinate_retry_job_v2(%s, now(), NULL, NULL, NULL)", (job,))
    found = await conn.execute("SELECT procrastinate_register_worker_v1()")
    (worker,) = await found.fetchone()
    await conn.execute(
        "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s WHERE id = %s",
        (worker, job),
    )
    return worker


async def list_failures(conn) -> list[tuple]:
    found = await conn.execute(
        "SELECT kind, will_retry, message FROM jobs_maint_failures ORDER BY id"
    )
    return await found.fetchall()


# --- one job --------------------------------------------------------------------------------------


async def test_whoever_is_earlier_than_the_rescue_is_told_who_fell_silent_and_the_risk(
    fleet, pool, make_job, conn
):
    """It may be the interpreter lock held for half a minute: then the job runs on."""
    job = await run_job(fleet, silent_for=minutes(1))
    shown = await ask(pool, RescueJobs((job,)))
    assert (shown.verb, shown.count, shown.expected) == ("rescue", 1, 1)
    who, risk = shown.warnings
    assert who.startswith("Worker ")
    assert " (host-a pid 31) is silent: its last beat was at 20" in who
    assert re.search(r" UTC, 6\d s ago\.$", who)  # time passes here, too
    assert risk.startswith(
        "If the worker is only blocked or cut off, the job will run twice. Left alone, the rescue "
        "acts at "
    )
    await assert_as_stuck(pool, job, risk)
    assert await make_job.status(job) == "doing"
    found = await conn.execute("SELECT action, outcome FROM jobs_maint_audit")
    assert await found.fetchall() == [(f"rescue {job}", "previewed")]


async def test_the_audit_counts_the_jobs_that_a_preview_would_change(fleet, pool, make_job, conn):
    live = await run_job(fleet, silent_for=timedelta(0))
    await make_job(status="failed", queueing_lock="a")
    await make_job(status="failed", queueing_lock="b")
    await make_job(queueing_lock="b")
    rescue = await ask(pool, PreviewRescue((live,), dry_run=True))
    retry = await ask(pool, PreviewBulk(BulkVerb.RETRY, JobFilter(statuses=("failed",))))
    assert [(one.count, one.expected) for one in (rescue, retry)] == [(1, 0), (2, 1)]
    found = await conn.execute("SELECT counts FROM jobs_maint_audit ORDER BY id")
    assert await found.fetchall() == [({"jobs": 0},), ({"jobs": 1},)]


async def test_what_is_due_goes_back_without_a_question(fleet, pool, make_job):
    job = await run_job(fleet, silent_for=minutes(1))
    await ask(pool, RescueJobs((job,)))
    await fleet.pass_time(minutes(6))
    await fleet.observe()
    (item,) = (await ask(pool, RescueJobs((job,)))).items
    assert item.code == "put_back"


@pytest.mark.parametrize("steady", [None, 20, 45], ids=["nobody beats", "just begun", "heard"])
@pytest.mark.parametrize("noticed", [10, 240, 301, 3_500, 3_601])
async def test_stuck_rescue_and_rescue_id_name_the_same_pass(
    fleet, pool, make_job, conn, steady, noticed
):
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await fleet.beat(worker, job)
    await fleet.pass_time(minutes(1))
    assert (await fleet.tick()).suspects == 1
    await fleet.pass_time(timedelta(seconds=noticed))
    await conn.execute("DELETE FROM jobs_maint_workers WHERE worker_id = 0")
    if steady is None:
        await conn.execute("DELETE FROM procrastinate_workers WHERE id = 0")
    else:
        await fleet.beat(0)
        await conn.execute(
            "UPDATE jobs_maint_workers SET steady_since = now() - make_interval(secs => %s)"
            " WHERE worker_id = 0",
            (steady,),
        )
    begun = time.monotonic()
    listed = await ask(pool, ListStuck())
    (seen,) = listed.stuck
    asked = await ask(pool, PreviewRescue((job, NO_JOB)))
    report = await ask(pool, RescueStalled())
    took = time.monotonic() - begun
    alone = () if steady else ("No worker is alive: it waits until one starts.",)
    if seen.due_in_seconds <= 0:
        assert [item.code for item in report.items] == ["put_back"]
        assert asked.expected == 1
        assert asked.warnings == report.warnings == alone
        return
    assert report.items == ()
    assert report.rescue_idle == listed.rescue_idle == (None if steady else "no_worker")
    if steady:
        assert -0.1 <= seen.acts_in_seconds - report.acts_in_seconds <= took + 0.1
    if asked.expected:
        assert asked.warnings[: len(alone)] == alone
        assert (asked.warnings != alone) == (60 + noticed < 300)
    if asked.warnings != alone and asked.warnings:
        await assert_as_stuck(pool, job, asked.warnings[-1])
    elif not asked.expected:
        (skip, _) = asked.skips
        assert skip.code == "too_soon"
        left = 10 if steady == 20 else 20
        asked = re.search(r"ask again in (\d+) s$", skip.reason)
        assert asked is not None
        assert left - 10 <= int(asked[1]) <= left


async def test_a_dead_workers_job_goes_back_at_once(fleet, pool, make_job, conn):
    job = await run_job(fleet, silent_for=minutes(1))
    item = await rescue(pool, job)
    assert (item.code, item.outcome) == ("put_back", "done")
    row = await (
        await conn.execute("SELECT status::text, attempts, worker_id FROM procrastinate_jobs")
    ).fetchone()
    assert row == ("todo", 1, None)
    (failure,) = await list_failures(conn)
    assert failure[:2] == ("worker_lost", True)
    assert "host-a pid 31" in failure[2]


async def test_a_job_that_a_fresh_beat_names_is_left_and_its_worker_is_told(
    fleet, pool, make_job, conn
):
    job = await run_job(fleet)
    item = await rescue(pool, job)
    assert (item.outcome, item.code) == ("skipped", "worker_alive")
    assert " (host-a pid 31) has been running it since 20" in item.reason
    assert " (beat at 20" in item.reason
    assert re.search(r"; if it was killed since, ask again in (29|30) s$", item.reason)
    assert await make_job.status(job) == "doing"
    found = await conn.execute("SELECT outcome, error_code FROM jobs_maint_audit")
    assert await found.fetchall() == [("refused", "worker_alive")]


async def test_without_a_recorder_a_fresh_heartbeat_is_a_living_worker(fleet, pool, make_job):
    worker = await fleet.start_worker(beats=False)
    job = await make_job(status="doing", worker_id=worker)
    await fleet.pass_time(minutes(10))
    await fleet.heartbeat(worker)
    await fleet.observe()
    item = await rescue(pool, job)
    assert item.code == "worker_alive"
    assert f"worker {worker} has been running it since" in item.reason
    assert "its heartbeat at" in item.reason


@pytest.mark.parametrize("registered", [True, False], ids=["silent", "pruned"])
async def test_without_a_recorder_silence_is_no_death_and_a_job_takes_a_force_that_warns(
    fleet, pool, make_job, conn, registered
):
    """It may drain, or its event loop be blocked: then it runs the job on."""
    worker = await fleet.start_worker(beats=False)
    job = await make_job(status="doing", worker_id=worker)
    await fleet.pass_time(minutes(2))
    if not registered:  # as the next worker that starts does
        await conn.execute("DELETE FROM procrastinate_workers")
    await fleet.observe()
    item = await rescue(pool, job)
    assert (item.outcome, item.code) == ("skipped", "worker_unknown")
    why = f"worker {worker} never beat: it seems to have no recorder, so it may be draining"
    if not registered:
        why = (
            "no beat ever named it: its worker died at once, or it has no recorder, may be draining"
        )
    assert item.reason.startswith(f"{why} or blocked and still run")
    assert f", `rescue --force {job}` (for admins) at once" in item.reason
    await assert_as_stuck(pool, job, item.reason)
    off = await rescue(pool, job, rescue_cron="")
    assert off.reason.endswith(
        f"; only `rescue --force {job}` (for admins) acts, "
        "as the rescue is switched off (JOBS_MAINT_RESCUE_CRON)"
    )
    shown = await ask(pool, PreviewRescue((job, NO_JOB)))
    assert (shown.expected, [skip.code for skip in shown.skips]) == (
        0, ["worker_unknown", "not_found"],
    )  # fmt: skip
    assert await make_job.status(job) == "doing"
    forced = await ask(pool, PreviewRescue((job,), force=True))
    assert forced.warnings[1] == "If that worker is still running it, the job will run twice."
    assert (await confirm(pool, forced)).done == 1


async def test_stuck_and_rescue_id_name_the_same_second(fleet, pool, make_job, conn):
    """A worker that was killed: its beats are missing, its heartbeat is not 30 s old yet."""
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await fleet.beat(worker, job)
    await conn.execute("UPDATE jobs_maint_workers SET beat_seconds = 4")
    await fleet.heartbeat(worker)

    async def look():
        """In how many seconds `stuck` says that `rescue ID` acts, and what both front ends say."""
        await fleet.observe()
        report = await ask(pool, ListStuck())
        [seen] = [*report.stuck, *report.silent]
        return seen.by_hand_in_seconds, render_stuck(report).text, render_text(report, width=200)

    for passed, left in ((6, 24), (8, 16), (7, 9)):
        await fleet.pass_time(timedelta(seconds=passed))
        wait, message, shell = await look()
        assert left - 6 < wait <= left + 1  # time passes here, too
        seconds = round(wait)
        near = "|".join(map(str, (seconds - 1, seconds, seconds + 1)))
        said = rf"is refused for ({near}) s, then rescues it, if its worker"
        assert re.search(rf"/jobs rescue {job} {said}", message)
        assert re.search(rf"jobs-maint rescue {job} {said}", shell)
        item = await rescue(pool, job)
        if left == 24:  # it may be alive, says its beat
            assert "has been silent for" in message
            continue
        assert item.code == "too_soon"
        again, force = item.reason.split(": ", 1)[1].split("; ")
        [asked] = re.fullmatch(r"ask again in (\d+) s", again).groups()
        assert seconds - 5 <= int(asked) <= seconds + 1
        assert force == f"before that only `rescue --force {job}` (for admins) acts"
        assert "no longer reports it, but may be alive until its heartbeat at" in item.reason
    await fleet.pass_time(timedelta(seconds=wait))
    wait, message, shell = await look()
    assert wait <= 0
    assert f"/jobs rescue {job} rescues it now." in message
    assert f"jobs-maint rescue {job} rescues it now." in shell
    shown = await ask(pool, PreviewRescue((job,)))
    assert (await confirm(pool, shown)).done == 1


async def test_a_refusal_of_several_says_in_how_many_seconds_to_ask_again(fleet, pool, make_job):
    """All workers were killed 31 s ago: nobody is heard, so silence counts 30 s from now."""
    worker = await fleet.start_worker()
    jobs = [await make_job(status="doing", worker_id=worker) for _ in range(4)]
    await fleet.beat(worker, *jobs)
    await fleet.pass_time(timedelta(seconds=31))
    shown = await ask(pool, PreviewRescue(tuple(jobs)))
    assert shown.expected == 0
    report = await confirm(pool, shown)
    (skip,) = report.skips
    assert (skip.code, skip.count) == ("too_soon", 4)
    said = re.compile(r"4 skipped: their worker may be alive still; ask again in (\d+) s \(")
    for text in (
        render_text(report, width=200),
        render_bulk(report, "/jobs", by="U0ANA").text,
    ):
        [wait] = map(int, said.search(text).groups())
        assert 25 <= wait <= 30
    await fleet.pass_time(timedelta(seconds=wait))
    again = await confirm(pool, await ask(pool, PreviewRescue(tuple(jobs))))
    assert (again.done, again.skips) == (4, ())


async def test_where_nobody_beats_stuck_says_what_the_rescue_waits_for_and_its_times_run_down(
    fleet, pool, make_job, conn
):
    """The only worker was killed: whoever looks at its job first begins the wait."""
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await fleet.beat(worker, job)
    await fleet.pass_time(timedelta(seconds=20))
    report = await ask(pool, ListStuck())
    [silent] = report.silent
    assert 38 < silent.by_hand_in_seconds <= 40  # 10 s for its beats, and 30 s for others'
    assert (report.rescue_idle, silent.acts_in_seconds) == ("late", None)
    nobody = (
        "The workers that listen to the queue of the rescue missed a beat and may be dead: stuck "
        "jobs stay so until one is back, or somebody rescues them."
    )
    assert 8 < silent.look_in_seconds <= 10
    asks = (
        rf"rescue {job} is refused now\. Ask in (9|10) s, and again 3[01] s later: that rescues it,"
    )
    for text in (render_text(report, width=300), render_stuck(report).text):
        assert nobody in " ".join(text.split())
        assert re.search(asks, text)
    await fleet.pass_time(timedelta(seconds=20))
    for passed, left in ((0, 30), (12, 18), (18, 0)):
        await fleet.pass_time(timedelta(seconds=passed))
        report = await ask(pool, ListStuck())
        [seen] = report.stuck
        assert left - 2 < seen.by_hand_in_seconds <= left
        noticed = 30 - left
        assert 3_588 - noticed < seen.due_in_seconds <= 3_590 - noticed
        assert (seen.waits_for_beat, report.rescue_idle) == (True, "no_worker")
    rescued = await ask(pool, RescueStalled())
    assert (rescued.items, rescued.waits_for_beat) == ((), 1)
    why = (
        r"While no worker reports, it is not due for 59 min \d+ s \(an outage of the database "
        r"looks the same\): start a worker, or rescue it by id\."
    )
    for told in (report, rescued):
        for text in (render_text(told, width=300), render_result(told, "/jobs", by="U0ANA").text):
            text = " ".join(text.split())
            assert re.search(why, text), text
            assert "start a worker, or rescue it by id." in text
            assert "at the earliest" not in text
    assert "acts at once on those that are due" not in render_text(report)
    assert f"jobs-maint rescue {job} rescues it now." in render_text(report)
    await fleet.beat(await fleet.start_worker())
    [seen] = (await ask(pool, ListStuck())).stuck
    assert seen.waits_for_beat is False
    assert seen.due_in_seconds < 300
    shown = await ask(pool, RescueJobs((job,)))
    assert (await confirm(pool, shown)).done == 1


async def test_where_a_bot_watches_rescue_id_acts_after_the_wait_that_stuck_told(
    fleet, pool, make_job
):
    """The only worker was killed, and nobody looks after `stuck` was asked."""
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await fleet.beat(worker, job)
    await watch(pool)
    await fleet.pass_time(timedelta(seconds=20))
    report = await ask(pool, ListStuck())
    [silent] = report.silent
    wait = silent.by_hand_in_seconds
    assert 58 < wait <= 60  # 10 s for its beats, 20 s until the watch looks, 30 s for others'
    said = rf"rescue {job} is refused for (59|60) s, then rescues it, if its worker stays silent"
    for text in (render_text(report, width=300), render_stuck(report).text):
        assert re.search(said, text)
    await fleet.pass_time(timedelta(seconds=wait - 30))
    await watch(pool)
    await fleet.pass_time(timedelta(seconds=30))
    assert (await rescue(pool, job)).code == "put_back"


async def test_where_nobody_may_write_stuck_says_that_somebody_has_to_ask_twice(
    fleet, pool, make_job, conn
):
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await fleet.beat(worker, job)
    await fleet.pass_time(minutes(10))
    report = await list_stuck_jobs(conn, MaintSettings(**SOON))  # where `stuck` notices nothing
    said = f"rescue {job} is refused now. Ask all the same, and again 30 s later: that rescues it,"
    for text in (render_text(report, width=300), render_stuck(report).text):
        assert said in text
    assert (await rescue(pool, job)).code == "too_soon"
    await fleet.pass_time(timedelta(seconds=30))
    assert (await rescue(pool, job)).code == "put_back"


async def test_after_an_outage_the_first_pass_of_a_watch_begins_no_wait(
    fleet, pool, make_job, conn
):
    """The workers live, and their next beats are on the way."""
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await fleet.beat(worker, job)
    await watch(pool)
    await fleet.pass_time(minutes(5))
    await conn.execute("UPDATE jobs_maint_watch SET watched_at = watched_at - interval '5 min'")
    await watch(pool)
    await fleet.pass_time(minutes(5))
    assert (await rescue(pool, job)).code == "too_soon"


async def test_while_another_worker_beats_a_watch_begins_no_wait(fleet, pool, make_job, conn):
    """The rescue that it runs does, so that what is foretold stays true."""
    await run_job(fleet, silent_for=minutes(1))
    await watch(pool)
    await watch(pool)
    found = await conn.execute("SELECT count(*) FROM jobs_maint_suspects")
    assert await found.fetchone() == (0,)


async def test_jobs_that_are_refused_alike_are_told_in_one_sentence(fleet, pool, make_job):
    """Each by its own number, with a force of its own, it took a paragraph for each."""
    await fleet.observe()
    worker = await fleet.start_worker()
    jobs = [await make_job(status="doing", worker_id=worker) for _ in range(4)]
    await fleet.beat(worker, *jobs)
    await fleet.pass_time(timedelta(seconds=31))
    await fleet.observe()
    await fleet.conn.execute(
        "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '5 s' WHERE id = %s",
        (worker,),
    )
    shown = await ask(pool, PreviewRescue(tuple(jobs)))
    (skip,) = shown.skips
    assert skip.count == 4
    assert skip.reason.endswith("s; before that only `rescue --force ID` (for admins) acts")
    message = render_result(shown, "/jobs", by="U0ANA")
    assert "4 of the 4 stay as they are: " in message.text
    assert "`rescue --force ID`" not in str(message.blocks)
    assert "rescue --force ID" in str(message.blocks)


async def test_what_only_a_force_rescues_is_not_said_to_be_rescued_by_its_number(
    fleet, pool, make_job
):
    worker = await fleet.start_worker(beats=False)
    job = await make_job(status="doing", worker_id=worker)
    await fleet.pass_time(minutes(2))
    await fleet.observe()
    report = await ask(pool, ListStuck())
    word, does = f"rescue --force {job}", "rescues it now; nothing shows whether a worker runs it."
    assert f"/jobs {word} (for admins) {does}" in render_stuck(report).text
    assert f"jobs-maint {word} {does}" in render_text(report, width=200)
    assert "its worker is gone" not in render_stuck(report).text
    killed = await run_job(fleet, silent_for=minutes(2))
    other = await make_job(status="doing", worker_id=worker)
    await fleet.pass_time(minutes(2))
    await fleet.observe()
    report = await ask(pool, ListStuck())
    forced = f" rescues one of jobs {job}, {other} now; nothing shows whether"
    for command, whose, text in (
        ("/jobs", " (for admins)", render_stuck(report).text),
        ("jobs-maint", "", render_text(report, width=200)),
    ):
        assert f"{command} rescue {killed} rescues it now." in text
        assert f"{command} rescue --force ID{whose}{forced} a worker runs it." in text
    listed = {seen.job_id: seen for seen in report.stuck}
    for one in (job, other, killed):
        assert (await rescue(pool, one)).code == (
            "put_back" if listed[one].by_hand_in_seconds == 0 else "worker_unknown"
        )


async def test_a_named_job_is_never_left_longer_than_the_pass_would(fleet, pool, make_job):
    worker = await fleet.start_worker(beats=False)
    job = await make_job(status="doing", worker_id=worker)
    await fleet.pass_time(minutes(2))
    await fleet.observe()
    assert (await rescue(pool, job)).code == "worker_unknown"
    await fleet.pass_time(minutes(61))
    await fleet.observe()
    assert (await rescue(pool, job)).code == "put_back"


async def test_a_job_taken_after_the_last_beat_is_left(fleet, pool, make_job):
    worker = await fleet.start_worker()
    await fleet.observe()
    job = await make_job(status="doing", worker_id=worker)
    item = await rescue(pool, job)
    assert (item.code, "after its last beat" in item.reason) == ("worker_alive", True)


async def test_a_job_of_a_worker_whose_event_loop_is_blocked_is_left(fleet, pool, make_job):
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await fleet.pass_time(minutes(6))
    await fleet.beat(worker)
    await fleet.observe()
    item = await rescue(pool, job)
    assert (item.code, "event loop is blocked" in item.reason) == ("worker_alive", True)


async def test_what_a_living_worker_no_longer_names_waits_for_the_rescue_or_a_force(
    fleet, pool, make_job
):
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await fleet.pass_time(minutes(2))

    async def live():
        await fleet.beat(worker)
        await fleet.heartbeat(worker)
        await fleet.observe()

    await live()
    item = await rescue(pool, job)
    assert item.code == "worker_alive"
    assert f", `rescue --force {job}` (for admins) at once" in item.reason
    await assert_as_stuck(pool, job, item.reason)
    await fleet.pass_time(minutes(6))
    await live()
    assert (await rescue(pool, job)).code == "put_back", "never more timid than the pass"


async def test_where_nobody_is_heard_a_silence_of_a_moment_is_no_reason(
    fleet, pool, make_job, conn
):
    """After an outage of the database all beats are old, and come back."""
    worker = await fleet.start_worker()
    job = await make_job(status="doing", worker_id=worker)
    await fleet.beat(worker, job)
    await fleet.pass_time(minutes(20))
    await fleet.start_worker(beats=False)  # a new one, which has run no job yet
    item = await rescue(pool, job)
    assert item.code == "too_soon"
    assert item.reason.startswith(
        "no worker reports now (a new one only from its first job on), so its own may just be late,"
        " as after a database outage; ask again in "
    )
    await fleet.beat(worker, job)
    item = await rescue(pool, job)
    assert item.code == "worker_alive"
    assert re.search(r"killed since, ask again in (29|30) s, and again 30 s later$", item.reason)
    await fleet.pass_time(minutes(20))
    assert (await rescue(pool, job)).code == "too_soon"
    await fleet.pass_time(minutes(1))
    assert (await rescue(pool, job)).code == "put_back"


@pytest.mark.parametrize("status", ["todo", "succeeded", "failed", "cancelled"])
async def test_what_does_not_run_is_left(fleet, pool, make_job, status):
    job = await make_job(status=status)
    item = await rescue(pool, job)
    assert item.code == "wrong_status"
    assert item.reason == f"its status is {status}; only running jobs can be rescued"
    assert await make_job.status(job) == status


async def test_a_job_that_is_not_there_is_told_so(pool):
    assert (await rescue(pool, NO_JOB)).code == "not_found"


async def test_the_policy_holds_for_a_named_job_too(fleet, pool, make_job):
    job = await run_job(fleet, silent_for=minutes(1), task="app.charge_card")
    assert (await rescue(pool, job, rescue_policy={"app.charge*": "fail"})).code == "failed"
    own = await run_job(
        fleet, silent_for=minutes(1), task="jobs_maint:purge_finished_jobs", queue="maintenance"
    )
    assert (await rescue(pool, own)).code == "failed"
    assert await make_job.status(own) == "failed"


async def test_a_job_outside_the_grant_is_refused_like_a_missing_role(fleet, pool, make_job):
    job = await run_job(fleet, silent_for=minutes(1), queue="billing")
    limited = Actor("slack", "U1", "bo", "C1", (Grant(Role.OPERATOR, queues=("email",)),))
    for action in (RescueJobs((job,)), PreviewRescue((job, NO_JOB))):
        with pytest.raises(
            NotPermitted, match=f"You may not rescue job {job}: the queue is outside"
        ):
            await ask(pool, action, limited)
    assert await make_job.status(job) == "doing"


async def test_a_job_whose_end_is_on_its_way_is_waited_for_and_left(
    fleet, pool, make_job, conn, database_url
):
    job = await run_job(fleet, silent_for=minutes(1))
    async with await psycopg.AsyncConnection.connect(database_url) as worker:
        await worker.execute("SELECT procrastinate_finish_job_v1(%s, 'succeeded', false)", (job,))
        waiting = asyncio.create_task(rescue(pool, job))
        await wait_for_waiting(conn)
        await worker.commit()
        item = await waiting
    assert (item.code, "status is succeeded" in item.reason) == ("wrong_status", True)


async def test_of_two_that_rescue_the_same_job_at_once_one_does(fleet, pool, make_job):
    job = await run_job(fleet, silent_for=minutes(1))
    items = await asyncio.gather(*(rescue(pool, job) for _ in range(4)))
    assert sorted(item.code for item in items) == ["put_back", *["wrong_status"] * 3]
    assert (await make_job.events(job)).count("deferred_for_retry") == 1


# --- several jobs ---------------------------------------------------------------------------------


async def test_several_are_shown_with_who_stays_and_then_each_has_its_outcome(
    fleet, pool, make_job, conn
):
    dead = [await run_job(fleet, queue="reports") for _ in range(2)]
    aborting = await run_job(fleet, abort_requested=True)
    held = await run_job(fleet, queueing_lock="daily")
    sibling = await make_job(queueing_lock="daily")
    await fleet.pass_time(minutes(1))
    alive = await run_job(fleet)
    done = await make_job(status="succeeded")
    ids = (*dead, aborting, held, alive, done, NO_JOB)
    shown = await ask(pool, PreviewRescue(ids))
    assert (shown.verb, shown.count, shown.expected) == ("rescue", 5, 4)
    assert {skip.code: skip.sample for skip in shown.skips} == {
        "worker_alive": (alive,), "wrong_status": (done,), "not_found": (NO_JOB,),
    }  # fmt: skip
    *silent, risk = shown.warnings
    assert [warning.partition(":")[0] for warning in silent] == [
        *(f"Worker {worker} (host-a pid 31) is silent" for worker in (1, 2, 3)),
        "So is 1 more worker.",
    ]
    assert risk.startswith(
        "If a worker is only blocked or cut off, each of its jobs that starts again will run "
        "twice, and the others go on although they are marked as failed or aborted. "
    )
    await assert_as_stuck(pool, dead[0], risk)
    assert {group.code: group.sample for group in shown.becomes} == {
        "put_back": tuple(dead), "aborted": (aborting,), "failed": (held,),
    }  # fmt: skip
    report = await confirm(pool, shown)
    assert (report.requested, report.done) == (5, 4)
    assert {group.code: group.sample for group in report.became} == {
        "put_back": tuple(dead), "aborted": (aborting,), "failed": (held,),
    }  # fmt: skip
    (failed,) = [group for group in report.became if group.code == "failed"]
    assert f"job {sibling} has the same queueing lock" in failed.reason
    assert [(skip.code, skip.sample) for skip in report.skips] == [("worker_alive", (alive,))]
    assert sum(skip.count for skip in report.left_out) == 2
    assert [await make_job.status(job) for job in (*dead, aborting, held, alive)] == [
        "todo", "todo", "aborted", "failed", "doing",
    ]  # fmt: skip
    with pytest.raises(SelectionExpired, match="runs only once"):
        await confirm(pool, shown)


async def test_what_was_started_again_or_named_since_the_preview_is_left(
    fleet, pool, make_job, conn
):
    again, named, dead = [await run_job(fleet) for _ in range(3)]
    await fleet.pass_time(minutes(1))
    await fleet.observe()
    shown = await ask(pool, PreviewRescue((again, named, dead)))
    assert shown.expected == 3
    await start_again(conn, again)
    await fleet.beat(99, named)
    report = await confirm(pool, shown)
    assert report.done == 1
    assert {skip.code: skip.sample for skip in report.skips} == {"worker_alive": (again, named)}
    assert [await make_job.status(job) for job in (again, named, dead)] == [
        "doing", "doing", "todo",
    ]  # fmt: skip


async def test_a_run_that_died_anew_since_the_preview_is_not_the_one_that_was_shown(
    fleet, pool, make_job, conn
):
    job = await run_job(fleet, silent_for=minutes(1))
    shown = await ask(pool, PreviewRescue((job, NO_JOB)))
    await fleet.beat(await start_again(conn, job), job)
    await fleet.fall_silent(minutes(1))
    await fleet.observe()
    report = await confirm(pool, shown)
    assert [(skip.code, skip.count) for skip in report.skips] == [("started_again", 1)]
    assert await make_job.status(job) == "doing"


async def test_a_worker_that_died_since_the_preview_loses_its_job_too(fleet, pool, make_job):
    job = await run_job(fleet)
    shown = await ask(pool, PreviewRescue((job, NO_JOB)))
    assert shown.expected == 0
    await fleet.fall_silent(minutes(1))
    await fleet.observe()
    assert (await confirm(pool, shown)).done == 1


async def test_ids_of_which_none_runs_have_nothing_to_confirm(pool, make_job):
    shown = await ask(pool, PreviewRescue((await make_job(), NO_JOB)))
    assert (shown.key, shown.count) == (None, 0)


# --- force ----------------------------------------------------------------------------------------


async def test_why_a_job_is_ended_by_force_is_told_apart_from_who_forced_it(fleet, pool):
    """A person may be called so that the name looks like an end of the sentence."""
    ana = replace(ANA, name="ana; on call", id="ana; on call")
    job = await run_job(fleet)
    shown = await ask(pool, PreviewRescue((job,), force=True), ana, max_rescues=0)
    report = await confirm(pool, shown, ana, max_rescues=0)
    said = render_bulk(report, "/jobs", by="slack:U0ANA").text
    assert f"1 failed for good (job {job}): it was already put back 0 times" in said


async def test_a_force_names_the_risk_and_puts_a_job_back_though_its_worker_lives(
    fleet, pool, make_job, conn
):
    job = await run_job(fleet)
    shown = await ask(pool, PreviewRescue((job,), force=True))
    assert (shown.words, shown.count, shown.expected) == (f"rescue --force {job}", 1, 1)
    who, risk = shown.warnings
    assert " (host-a pid 31) has been running it since 20" in who
    assert " (beat at 20" in who
    assert risk == "If that worker is still running it, the job will run twice."
    report = await confirm(pool, shown)
    assert (report.done, [group.code for group in report.became]) == (1, ["put_back"])
    row = await (
        await conn.execute("SELECT status::text, attempts, worker_id FROM procrastinate_jobs")
    ).fetchone()
    assert row == ("todo", 1, None)
    ((kind, will_retry, message),) = await list_failures(conn)
    assert (kind, will_retry) == ("worker_lost", True)
    assert message.startswith("forced by shell:ana@host, who said that worker ")
    assert "(host-a pid 31) no longer runs it" in message
    found = await conn.execute("SELECT action, outcome FROM jobs_maint_audit ORDER BY id")
    words = f"rescue --force {job}"
    assert await found.fetchall() == [(words, "previewed"), (words, "done")]


@pytest.mark.parametrize(
    ("meanwhile", "code", "status"),
    [
        ("SELECT procrastinate_finish_job_v1(%s, 'succeeded', false)", "wrong_status", "succeeded"),
        ("SELECT procrastinate_retry_job_v2(%s, now(), NULL, NULL, NULL)", "wrong_status", "todo"),
        ("DELETE FROM procrastinate_jobs WHERE id = %s", "not_found", None),
        ("again", "started_again", "doing"),
    ],
)
async def test_what_ended_or_was_taken_again_since_the_preview_is_not_forced(
    fleet, pool, make_job, conn, meanwhile, code, status
):
    job = await run_job(fleet)
    shown = await ask(pool, PreviewRescue((job,), force=True))
    if meanwhile == "again":
        await start_again(conn, job)
    else:
        await conn.execute(meanwhile, (job,))
    report = await confirm(pool, shown)
    assert report.done == 0
    ((skip_code, reason),) = [(skip.code, skip.reason) for skip in report.skips]
    assert (skip_code, bool(reason)) == (code, True)
    assert await make_job.status(job) == status
    assert await list_failures(conn) == []


async def test_a_force_follows_the_rules_of_the_rescue(fleet, pool, make_job):
    aborting = await run_job(fleet, abort_requested=True)
    held = await run_job(fleet, queueing_lock="daily")
    sibling = await make_job(queueing_lock="daily")
    fragile = await run_job(fleet, task="app.charge_card")
    ends = {}
    for job in (aborting, held, fragile):
        shown = await ask(pool, PreviewRescue((job,), force=True))
        report = await confirm(pool, shown, rescue_policy={"app.charge*": "fail"})
        ends[job] = await make_job.status(job)
        assert report.done == 1
        if job == held:
            assert f"job {sibling} has the same queueing lock" in report.became[0].reason
    assert ends == {aborting: "aborted", held: "failed", fragile: "failed"}


async def test_a_force_takes_an_admin_also_at_the_confirmation(fleet, pool, make_job):
    job = await run_job(fleet)
    operator = Actor("slack", "U1", "bo", "C1", (Grant(Role.OPERATOR),))
    admin = Actor("slack", "U1", "bo", "C1", (Grant(Role.ADMIN),))
    with pytest.raises(
        NotPermitted, match="You may not force a rescue: this requires the role admin"
    ):
        await ask(pool, PreviewRescue((job,), force=True), operator)
    shown = await ask(pool, PreviewRescue((job,), force=True), admin)
    with pytest.raises(NotPermitted, match="admin"):
        await confirm(pool, shown, operator)
    assert await make_job.status(job) == "doing"
    assert (await confirm(pool, shown, admin)).done == 1


async def test_a_force_of_what_does_not_run_is_refused_before_anything_is_shown(pool, make_job):
    with pytest.raises(JobNotFound, match="there is no such job"):
        await ask(pool, PreviewRescue((NO_JOB,), force=True))
    job = await make_job(status="failed")
    with pytest.raises(
        WrongJobStatus, match=f"Job {job} was not rescued: its status is failed; only"
    ):
        await ask(pool, PreviewRescue((job,), force=True))


async def test_a_force_of_a_dead_workers_job_says_that_no_sign_of_life_is_fresh(
    fleet, pool, make_job
):
    job = await run_job(fleet, silent_for=minutes(3))
    shown = await ask(pool, PreviewRescue((job,), force=True))
    assert "shows no recent sign of life, the last was at 20" in shown.warnings[0]
    nobodys = await make_job(status="doing")
    shown = await ask(pool, PreviewRescue((nobodys,), force=True))
    assert shown.warnings[0].startswith("A worker has had it since 20")


async def test_a_force_works_where_nobody_is_heard_and_the_workers_are_woken(
    fleet, make_job, pool, database_url
):
    job = await make_job(status="doing", queue="email")
    shown = await ask(pool, PreviewRescue((job,), force=True))
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as listener:
        await listener.execute('LISTEN "procrastinate_queue_v1#email"')
        assert (await confirm(pool, shown)).done == 1
        heard = [n async for n in listener.notifies(timeout=60, stop_after=1)]
    assert [n.payload for n in heard] == [f'{{"type": "job_inserted", "job_id": {job}}}']


async def test_the_preview_foretells_what_becomes_of_each_job(fleet, pool, make_job, conn):
    """As the rescue then does it, in the shell and in Slack, also of two with one queueing lock."""
    policy = {"rescue_policy": {"app.charge*": "fail"}, "max_rescues": 0}
    charge = await run_job(fleet, task="app.charge_card")
    tired = await run_job(fleet)
    await fleet.pass_time(minutes(1))
    await fleet.observe()
    one = await ask(pool, PreviewRescue((charge,), dry_run=True), **policy)
    ends = "It is marked as failed: the rescue policy of this task is fail."
    assert ends in render_text(one)
    assert ends in render_preview(one, "/jobs", by="U1", dry_run=True).text
    goes_on = "the job goes on although it is marked as failed. "
    forced = await ask(pool, PreviewRescue((charge,), force=True, dry_run=True), **policy)
    for text in (f"{one.warnings[-1]} ", f"{forced.warnings[-1]} "):
        assert goes_on in text
        assert "run twice" not in text
    shown = await ask(pool, PreviewRescue((charge, tired)), **policy)
    told = [
        f"1 is marked as failed: the rescue policy of this task is fail ({charge}).",
        f"1 is marked as failed: it was already put back 0 times ({tired}).",
    ]
    risk = "each of its jobs goes on although it is marked as failed."
    for text in (render_text(shown, width=200), render_preview(shown, "/jobs", by="U1").text):
        assert all(line in text for line in (*told, risk))
        assert "starts again" not in text
    report = await confirm(pool, shown, **policy)
    assert [(group.code, group.sample) for group in report.became] == [("failed", (charge, tired))]

    twins = [await run_job(fleet, queueing_lock="daily") for _ in range(2)]
    await fleet.pass_time(minutes(1))
    await fleet.observe()
    shown = await ask(pool, PreviewRescue(tuple(twins)))
    again, taken = shown.becomes
    assert (again.code, again.reason, again.sample) == ("put_back", "", (twins[0],))
    assert (taken.code, taken.sample) == ("failed", (twins[1],))
    assert f"1 starts again as its next attempt ({twins[0]})." in render_text(shown)
    report = await confirm(pool, shown)
    assert report.became[1].reason.endswith(taken.reason)
    aborting = await run_job(fleet, abort_requested=True)
    await fleet.pass_time(minutes(1))
    await fleet.observe()
    shown = await ask(pool, PreviewRescue((aborting,), dry_run=True))
    assert "It is aborted: an abort was requested." in render_text(shown)
    assert "the job goes on although it is marked as aborted. " in render_text(shown, width=200)


@pytest.mark.parametrize("several", [False, True], ids=["one", "several"])
async def test_a_reason_is_told_of_as_many_jobs_as_have_it(fleet, pool, make_job, conn, several):
    """In the shell and in Slack: what stays, what is left out, and what becomes of the others."""
    number, them, were = (2, "them", "they were") if several else (1, "it", "it was")

    async def make():
        worker = await fleet.start_worker()
        jobs = [await make_job(status="doing", worker_id=worker) for _ in range(number)]
        await fleet.beat(worker, *jobs)
        return jobs

    lost = await make()
    await fleet.pass_time(minutes(2))
    alive = await make()
    await conn.execute("UPDATE procrastinate_events SET at = date_trunc('minute', at)")
    over = [await make_job(status="failed") for _ in range(number)]
    none = [NO_JOB - i for i in range(number)]
    await fleet.observe()
    shown = await ask(pool, PreviewRescue((*lost, *alive, *over, *none)), max_rescues=0)
    for text in (render_text(shown), render_preview(shown, "/jobs", by="U1").text):
        text = " ".join(text.split())
        assert re.search(rf"\) has been running {them} since [^.;]*UTC \(beat at", text), text
        assert f": {'their' if several else 'its'} status is failed; only running jobs" in text
        missing = "are no such jobs; they" if several else "is no such job; it"
        assert f": there {missing} may have been purged" in text
        assert f"marked as failed: {were} already put back 0 times" in text


async def test_what_a_rescue_gave_up_is_put_back_by_its_number(fleet, pool, make_job):
    """The undo reaches what became failed or aborted; what waits again needs none."""
    back = await run_job(fleet)
    given_up = await run_job(fleet, task="app.charge_card")
    await fleet.pass_time(minutes(1))
    await fleet.observe()
    shown = await ask(pool, PreviewRescue((back, given_up)))
    report = await confirm(pool, shown, rescue_policy={"app.charge*": "fail"})
    wanted = JobFilter(request=report.audit_id, statuses=BulkVerb.RETRY.statuses)
    undo = await ask(pool, PreviewBulk(BulkVerb.RETRY, wanted))
    assert undo.count == 1
    await confirm(pool, undo)
    assert [await make_job.status(job) for job in (back, given_up)] == ["todo", "todo"]
