"""Acts of many transactions: stopped by somebody else, or left by a process that died."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from tests.support.fleet import Fleet

from chatbot.messages.late import render_lost
from chatbot.messages.outcome import render_bulk
from jobs_maint.actions import (
    Actor,
    BulkVerb,
    CancelJobs,
    CloseRun,
    ConfirmSelection,
    DropSelection,
    Grant,
    JobFilter,
    PreviewBulk,
    PreviewPurge,
    RescueStalled,
    RetryJobs,
    Role,
    StopRun,
    TakeLostRuns,
)
from jobs_maint.errors import DatabaseUnavailable, NotPermitted, SelectionExpired
from jobs_maint.perform import Watch, perform
from jobs_maint.settings import MaintSettings

ANA = Actor("slack", "U1", "ana", "C1", (Grant(Role.OPERATOR),))
BO = Actor("slack", "U2", "bo", "C1", (Grant(Role.OPERATOR),))
VI = Actor("slack", "U3", "vi", "C1", (Grant(Role.VIEWER),))
BOT = Actor.task("chatbot")
RESCUE = Actor.task("jobs_maint:rescue_stalled_jobs")


async def ask(pool, action, actor=ANA, **options):
    return await perform(pool, actor, action, settings=MaintSettings(), **options)


async def preview(pool):
    return await ask(pool, PreviewBulk(BulkVerb.RETRY, JobFilter(statuses=("failed",))))


async def make_failed(conn, number):
    await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT 'email', 'app.mail', 'failed' FROM generate_series(1, %s)",
        (number,),
    )


class Crash(BaseException):
    """What no handler sees: the process is gone."""


class MortalPool:
    """The pool of a process; once it is dead it says nothing to the database any more."""

    def __init__(self, pool):
        self.pool, self.dead = pool, False

    def connection(self):
        if self.dead:
            raise Crash
        return self.pool.connection()


class AwayPool(MortalPool):
    """The pool of a process that lives on while the database is away."""

    def connection(self):
        if self.dead:
            raise psycopg.OperationalError("the database is away")
        return self.pool.connection()


async def run_and_lose(pool, place, at):
    """A run that loses its database when it has looked at that many; the pool and the watch."""
    shown = await preview(pool)
    away = AwayPool(pool)

    def lose(looked, _total):
        if looked == at:
            away.dead = True
            if at < shown.count:
                raise psycopg.OperationalError("the database is away")

    watch = Watch(lose, place=place)
    with pytest.raises(DatabaseUnavailable):
        await ask(away, ConfirmSelection(shown.key), watch=watch)
    return watch


async def find_act(conn):
    found = await conn.execute(
        "SELECT id, outcome, counts, error_code FROM jobs_maint_audit WHERE outcome <> 'previewed'"
        " ORDER BY id LIMIT 1"
    )
    return await found.fetchone()


async def run_and_die(pool, place):
    """A run whose process dies in its second batch, before it can say so."""
    shown = await preview(pool)
    mortal = MortalPool(pool)

    def die(looked, _total):
        if looked > 500:
            mortal.dead = True
            raise Crash

    with pytest.raises(Crash):
        await ask(mortal, ConfirmSelection(shown.key), watch=Watch(die, place=place))


async def outcomes(conn):
    found = await conn.execute("SELECT word, outcome FROM jobs_maint_audit ORDER BY id")
    return await found.fetchall()


async def test_another_operator_stops_a_run_between_two_batches(pool, conn):
    await make_failed(conn, 1_200)
    shown = await preview(pool)
    opened = asyncio.get_running_loop().create_future()
    # The first batch waits for a row that is held until the stop was asked.
    async with pool.connection() as holder, holder.transaction():
        await holder.execute("SELECT 1 FROM procrastinate_jobs ORDER BY id LIMIT 1 FOR UPDATE")
        watch = Watch(on_open=lambda audit_id, _total: opened.set_result(audit_id))
        run = asyncio.create_task(ask(pool, ConfirmSelection(shown.key), watch=watch))
        words = await ask(pool, StopRun(await opened), BO)
    report = await run
    assert words == "retry --all"
    assert (report.stopped, report.done, report.left) == (True, 500, 700)
    assert report.stopped_by == "slack:U2 (bo)"
    assert ("stop", "done") in await outcomes(conn)


async def test_a_purge_that_another_admin_stops_says_who(pool, make_job, database_url):
    await make_job(status="succeeded", finished_ago=timedelta(days=40))
    ana, bo = (replace(one, grants=(Grant(Role.ADMIN),)) for one in (ANA, BO))
    shown = await ask(pool, PreviewPurge(), ana)
    opened = asyncio.get_running_loop().create_future()
    # It waits for the table of events until the stop was asked.
    async with await psycopg.AsyncConnection.connect(database_url) as holder:
        await holder.execute("LOCK TABLE procrastinate_events IN ACCESS EXCLUSIVE MODE")
        watch = Watch(on_open=lambda audit_id, _total: opened.set_result(audit_id))
        run = asyncio.create_task(ask(pool, ConfirmSelection(shown.key), ana, watch=watch))
        await ask(pool, StopRun(await opened), bo)
    report = await run
    assert (report.finished, report.stopped_by) == (False, "slack:U2 (bo)")


async def test_a_run_that_has_ended_cannot_be_stopped_and_a_viewer_may_not(pool, conn):
    await make_failed(conn, 1)
    shown = await preview(pool)
    report = await ask(pool, ConfirmSelection(shown.key))
    with pytest.raises(SelectionExpired, match="The message that has the button says how"):
        await ask(pool, StopRun(report.audit_id), BO)
    with pytest.raises(
        NotPermitted, match="You may not stop a run: this requires the role operator"
    ):
        await ask(pool, StopRun(report.audit_id), VI)


async def test_an_act_told_late_says_too_that_nobody_runs_its_jobs(pool, conn, make_job):
    """Its bot died after the act, before Slack took the answer."""
    fleet = Fleet(pool, conn, make_job)
    await fleet.start_worker()
    await conn.execute("UPDATE jobs_maint_workers SET queues = '{email}'")
    one, two = [await make_job(status="failed", queue=queue) for queue in ("video", "email")]
    running = await make_job(status="doing", queue="email")
    untold = Watch(place=("C1", "17.5"))
    said = []
    for asked in (
        RetryJobs((one,)),
        RetryJobs((two,)),
        CancelJobs((running,)),
    ):
        report = await ask(pool, asked, watch=untold)
        await conn.execute("UPDATE jobs_maint_runs SET lease_until = now() - interval '1 second'")
        (lost,) = await ask(pool, TakeLostRuns(), BOT)
        assert lost.warnings == report.warnings
        said.append("".join(lost.warnings))
        assert said[-1] in render_lost(lost, "/jobs").text
        await ask(pool, CloseRun(lost.audit_id), BOT)
    assert said[0] == "No live worker listens to video: it waits until one does."
    assert said[1] == ""
    assert said[2].startswith(f"No live worker reports job {running}, so nobody stops it")
    # Of a set, too; what has run meanwhile waits for nobody.
    await conn.execute("UPDATE procrastinate_jobs SET status = 'failed' WHERE id = %s", (one,))
    shown = await ask(pool, PreviewBulk(BulkVerb.RETRY, JobFilter(job_ids=(one,))))
    await ask(pool, ConfirmSelection(shown.key), watch=untold)
    for status, warnings in (("todo", (said[0],)), ("succeeded", ())):
        await conn.execute(
            "UPDATE procrastinate_jobs SET status = %s::procrastinate_job_status WHERE id = %s",
            (status, one),
        )
        await conn.execute("UPDATE jobs_maint_runs SET lease_until = now() - interval '1 second'")
        (lost,) = await ask(pool, TakeLostRuns(), BOT)
        assert lost.warnings == warnings


async def test_a_run_whose_process_died_is_told_once_where_its_message_stands(pool, conn):
    await make_failed(conn, 700)
    await run_and_die(pool, ("C1", "17.5"))
    assert await ask(pool, TakeLostRuns(), BOT) == ()  # its lease has not run out
    await conn.execute("UPDATE jobs_maint_runs SET lease_until = now() - interval '1 second'")
    first, second = await asyncio.gather(
        ask(pool, TakeLostRuns(), BOT), ask(pool, TakeLostRuns(), BOT)
    )
    (lost,) = first + second
    assert (lost.channel, lost.ts, lost.words, lost.total) == ("C1", "17.5", "retry --all", 700)
    assert (lost.actor_id, lost.counts) == ("U1", {"done": 500})
    assert ("retry", "interrupted") in await outcomes(conn)
    # Who took it died too: after its minute another one says it.
    await conn.execute("UPDATE jobs_maint_runs SET lease_until = now() - interval '1 second'")
    assert await ask(pool, TakeLostRuns(), BOT) == (lost,)
    await ask(pool, CloseRun(lost.audit_id), BOT)
    await conn.execute("UPDATE jobs_maint_runs SET lease_until = now() - interval '1 second'")
    assert await ask(pool, TakeLostRuns(), BOT) == ()


async def test_a_lost_run_without_a_message_is_marked_and_forgotten(pool, conn):
    await make_failed(conn, 700)
    await run_and_die(pool, None)
    await conn.execute("UPDATE jobs_maint_runs SET lease_until = lease_until - interval '1 day'")
    await conn.execute("UPDATE jobs_maint_audit SET started_at = started_at - interval '1 day'")
    assert await ask(pool, TakeLostRuns(), BOT) == ()
    assert ("retry", "interrupted") in await outcomes(conn)
    query = "SELECT elapsed_seconds FROM jobs_maint_audit WHERE outcome = 'interrupted'"
    [(took,)] = await (await conn.execute(query)).fetchall()
    assert 0 <= took < 60, "until its last sign of life, not until somebody looked"
    found = await conn.execute("SELECT count(*) FROM jobs_maint_runs")
    assert await found.fetchone() == (0,)


async def test_a_preview_that_was_put_off_cannot_be_confirmed_any_more(pool, conn):
    await make_failed(conn, 1)
    shown = await preview(pool)
    with pytest.raises(SelectionExpired) as refused:
        await ask(pool, DropSelection(shown.key), BO)
    assert refused.value.why == "not_yours"
    assert await ask(pool, DropSelection(shown.key)) == "retry --all"
    with pytest.raises(SelectionExpired) as used:
        await ask(pool, ConfirmSelection(shown.key))
    assert used.value.why == "dismissed"
    assert "dismissed; nothing was changed" in str(used.value)
    assert await outcomes(conn) == [
        ("retry", "previewed"),
        ("not now", "expired"),
        ("retry", "expired"),
    ]


async def test_the_outcome_brings_what_the_preview_knew(pool, conn):
    await make_failed(conn, 2)
    found = await conn.execute("SELECT id FROM procrastinate_jobs ORDER BY id")
    ids = tuple(row[0] for row in await found.fetchall())
    wanted = JobFilter(job_ids=(*ids, 999), statuses=("failed",))
    shown = await ask(pool, PreviewBulk(BulkVerb.RETRY, wanted))
    report = await ask(pool, ConfirmSelection(shown.key))
    assert (report.queues, report.left_out) == (("email",), shown.left_out)
    assert [skip.sample for skip in report.left_out] == [(999,)]


@pytest.mark.parametrize("verb", [BulkVerb.RETRY, BulkVerb.DISCARD, BulkVerb.CANCEL])
async def test_a_grant_narrowed_after_the_preview_is_told_with_what_was_done_all_the_same(
    pool, conn, verb
):
    """The jobs out of reach stay as they are, whatever was committed before them."""
    status = "todo" if verb is BulkVerb.CANCEL else "failed"
    admin = Actor("slack", "U1", "ana", "C1", (Grant(Role.ADMIN),))
    narrow = Actor("slack", "U1", "ana", "C1", (Grant(Role.ADMIN, queues=("email",)),))
    for queue, number in (("email", 600), ("web", 100)):
        await conn.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
            " SELECT %s, 'app.task', %s FROM generate_series(1, %s)",
            (queue, status, number),
        )
    shown = await ask(pool, PreviewBulk(verb, JobFilter(statuses=(status,))), admin)
    report = await ask(pool, ConfirmSelection(shown.key), narrow)
    assert (report.requested, report.done) == (700, 600)
    [skipped] = report.skips
    assert (skipped.code, skipped.count) == ("not_permitted", 100)
    found = await conn.execute(
        "SELECT queue_name, count(*) FROM procrastinate_jobs WHERE status = %s GROUP BY 1",
        (status,),
    )
    assert await found.fetchall() == [("web", 100)]
    found = await conn.execute(
        "SELECT outcome, counts FROM jobs_maint_audit WHERE outcome <> 'previewed'"
    )
    assert await found.fetchall() == [("partly", {"done": 600, "skipped": 100})]
    text = render_bulk(report, "/jobs", by="U1").text
    assert "600 jobs" in text
    assert "100 skipped: their queue is outside your grant" in text
    assert "nothing was changed" not in text.lower()


async def test_an_act_whose_process_died_is_closed_by_the_next_pass_of_the_rescue(pool, conn):
    await make_failed(conn, 700)
    await run_and_die(pool, ("C1", "17.5"))
    await ask(pool, RescueStalled(), RESCUE)
    assert ("retry", "started") in await outcomes(conn)  # its lease has not run out
    await conn.execute("UPDATE jobs_maint_runs SET lease_until = now() - interval '1 second'")
    await ask(pool, RescueStalled(), RESCUE)
    assert ("retry", "interrupted") in await outcomes(conn)
    (lost,) = await ask(pool, TakeLostRuns(), BOT)  # its message is still the bot's to change
    assert lost.counts == {"done": 500}
    # A table that is missing costs the rescue nothing.
    await conn.execute("ALTER TABLE jobs_maint_runs RENAME TO away")
    await ask(pool, RescueStalled(), RESCUE)
    assert ("rescue", "failed") not in await outcomes(conn)


async def test_an_act_of_slack_is_kept_until_it_was_told_and_those_of_others_are_not(pool, conn):
    await make_failed(conn, 3)
    found = await conn.execute("SELECT id FROM procrastinate_jobs ORDER BY id")
    one, two, three = [row[0] for row in await found.fetchall()]
    await ask(pool, RetryJobs((three,)))
    told = Watch(place=("C1", None))
    await ask(pool, RetryJobs((one, three)), watch=told)
    await ask(pool, RetryJobs((three,)), watch=told)  # nothing was changed
    shown = await ask(pool, PreviewBulk(BulkVerb.RETRY, JobFilter(job_ids=(two,))))
    report = await ask(pool, ConfirmSelection(shown.key), watch=Watch(place=("C1", "17.5")))
    assert await ask(pool, TakeLostRuns(), BOT) == ()  # their minute is not over
    await conn.execute("UPDATE jobs_maint_runs SET lease_until = now() - interval '1 second'")
    short, run = await ask(pool, TakeLostRuns(), BOT)
    assert (short.words, short.outcome, short.changed) == (
        f"retry {one} {three}", "partly", ((one, "put_back"),),
    )  # fmt: skip
    assert (short.channel, short.ts, short.total) == ("C1", None, None)
    assert (run.audit_id, run.outcome, run.counts) == (report.audit_id, "done", {"done": 1})
    for act in (short, run):
        await ask(pool, CloseRun(act.audit_id), BOT)
    assert await (await conn.execute("SELECT * FROM jobs_maint_runs")).fetchall() == []


@pytest.mark.parametrize(
    ("at", "end"),
    [
        (1_000, ("failed", {"done": 500}, "database_unavailable")),
        (1_200, ("done", {"done": 1_200}, None)),
    ],
    ids=["in a batch", "after the last"],
)
async def test_the_end_that_a_lost_database_was_not_told_is_written_when_it_is_back(
    pool, conn, at, end
):
    await make_failed(conn, 1_200)
    watch = await run_and_lose(pool, ("C1", "17.5"), at)
    audit_id, *act = await find_act(conn)
    assert act[0] == "started"
    # Slack was told; another process has taken it for interrupted meanwhile.
    await conn.execute("UPDATE jobs_maint_runs SET lease_until = now() - interval '1 second'")
    await ask(pool, RescueStalled(), RESCUE)
    assert (await find_act(conn))[1] == "interrupted"
    await ask(pool, CloseRun(audit_id, watch.unwritten), BOT)
    assert await find_act(conn) == (audit_id, *end)
    assert await (await conn.execute("SELECT * FROM jobs_maint_runs")).fetchall() == []


async def test_an_act_that_was_told_but_has_no_end_is_interrupted_like_any_other(pool, conn):
    await make_failed(conn, 1_200)
    await run_and_lose(pool, ("C1", "17.5"), 1_000)
    audit_id, *_ = await find_act(conn)
    await ask(pool, CloseRun(audit_id), BOT)
    assert (await find_act(conn))[1] == "started"
    await conn.execute("UPDATE jobs_maint_runs SET lease_until = now() - interval '1 second'")
    assert await ask(pool, TakeLostRuns(), BOT) == ()  # nobody is told twice
    assert (await find_act(conn))[1:3] == ("interrupted", {"done": 500})


@pytest.mark.parametrize("asked", [RescueStalled(), "a set"])
async def test_a_started_act_of_which_no_run_is_left_is_closed(pool, conn, asked):
    await make_failed(conn, 700)
    await run_and_die(pool, ("C1", "17.5"))
    await conn.execute("DELETE FROM jobs_maint_runs")
    if asked == "a set":
        shown = await preview(pool)
        await ask(pool, ConfirmSelection(shown.key))
    else:
        await ask(pool, asked, RESCUE)
    assert (await find_act(conn))[1] == "interrupted"
