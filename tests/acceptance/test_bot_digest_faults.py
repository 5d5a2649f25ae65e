"""Digests when Slack or a worker fails: no window is lost, none is posted twice."""

import asyncio
import contextlib
from datetime import timedelta
from types import SimpleNamespace

import psycopg
import pytest
from tests.acceptance.test_bot_digests import (
    HOURLY,
    on_the_hour,
    open_app,
    run_retries_now,
    tick,
    windows,
    work,
)
from tests.support.history import hours, minutes
from tests.support.locks import wait_for_waiting

from chatbot.digests import tasks as digests
from chatbot.digests import windows as sender_windows
from jobs_maint import tasks
from jobs_maint.errors import AlreadyRunning, DatabaseUnavailable
from jobs_maint.operations.digest import windows as windows_module
from jobs_maint.operations.doctor.maintenance import check_digests
from jobs_maint.perform import perform
from local_slack.sample import ARCHIVED, OPS
from local_slack.text import as_text

EACH_MINUTE = {**HOURLY, "cron": "* * * * *"}


async def states(conn):
    return [state for state, *_ in await windows(conn)]


async def age_windows(conn, minutes_ago):
    await conn.execute(
        "UPDATE jobs_maint_digests SET since = since - %(m)s * interval '1 minute',"
        " until = until - %(m)s * interval '1 minute',"
        " opened_at = opened_at - %(m)s * interval '1 minute'",
        {"m": minutes_ago},
    )


async def age_events(conn, minutes_ago):
    for table, column in (("procrastinate_events", "at"), ("jobs_maint_failures", "failed_at")):
        await conn.execute(
            f"UPDATE {table} SET {column} = {column} - {minutes_ago} * interval '1 minute'"
        )


async def fetch(conn, query):
    return (await (await conn.execute(query)).fetchone())[0]


@contextlib.asynccontextmanager
async def end_held(database_url, conn, job_id):
    """Somebody's transaction holds the job that a worker fails; yields when the worker's began."""
    async with (
        await psycopg.AsyncConnection.connect(database_url) as somebody,
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as worker,
    ):
        await somebody.execute(f"SELECT 1 FROM procrastinate_jobs WHERE id = {job_id} FOR UPDATE")
        waiting = asyncio.create_task(
            worker.execute(f"SELECT procrastinate_finish_job_v1({job_id}, 'failed', false)")
        )
        [pid] = await wait_for_waiting(conn)
        yield await fetch(conn, f"SELECT xact_start FROM pg_stat_activity WHERE pid = {pid}")
        await somebody.commit()
        await waiting


class Killed(BaseException):
    """As a SIGKILL ends it: nothing after it runs."""


async def run_tick(app, digest=HOURLY):
    """One run of the task without a worker, which would survive what kills it."""
    context = SimpleNamespace(app=app)
    return await app.tasks[tasks.DIGEST].func(context, timestamp=on_the_hour(), name=digest["name"])


async def test_a_digest_whose_sender_died_after_the_post_is_not_posted_again(
    database_url, conn, make_job, monkeypatch
):
    async def die_at_the_close(pool, actor, action, **more):
        if getattr(action, "state", None) == "sent" and (await states(conn))[-1:] == ["sending"]:
            raise Killed
        return await perform(pool, actor, action, **more)

    async with open_app(database_url, HOURLY) as (slack, app):
        monkeypatch.setattr(sender_windows, "perform", die_at_the_close)
        with pytest.raises(Killed):
            await run_tick(app)
        assert len(slack.messages(OPS)) == 1
        assert await states(conn) == ["sending"]
        monkeypatch.undo()
        await age_windows(conn, 60)
        await make_job(status="failed", error="a second one", finished_ago=minutes(2))
        assert await run_tick(app) == "sent"
        assert await states(conn) == ["sent", "sent"]
        [_, second] = slack.messages(OPS)
        assert "1 job failed in the last hour" in second.text


async def test_a_post_that_arrived_while_nobody_could_look_is_found_at_the_next_try(
    database_url, conn, make_job
):
    async with open_app(database_url, HOURLY) as (slack, app):
        slack.set_fault("accepted_but_lost", method="chat.postMessage")
        # Nothing was posted before that could be looked for; the look after the post fails.
        slack.set_fault("500", method="conversations.history", times=3)
        await tick(app)
        await work(app)
        assert await states(conn) == ["failed"]
        assert len(slack.messages(OPS)) == 1
        await run_retries_now(conn)
        await work(app)
        assert await states(conn) == ["sent"]
        assert len(slack.messages(OPS)) == 1


async def test_after_slack_was_down_for_two_ticks_one_message_covers_the_whole_gap(
    database_url, conn, make_job
):
    async with open_app(database_url, HOURLY) as (slack, app):
        assert await run_tick(app) == "sent"
        await age_windows(conn, 180)
        await make_job(status="failed", error="in the gap", finished_ago=hours(2))
        for _ in range(2):
            slack.set_fault("500", method="chat.postMessage", times=2)
            with pytest.raises(Exception, match="status 500"):
                await run_tick(app)
        await make_job(status="failed", error="just now", finished_ago=minutes(5))
        assert await run_tick(app) == "sent"
        assert await states(conn) == ["sent", "failed", "failed", "sent"]
        [_, message] = slack.messages(OPS)
        assert "2 jobs failed in the last 3 hours" in as_text(message)


async def test_the_first_digest_that_is_accepted_covers_the_attempts_before_it(
    database_url, conn, make_job
):
    async with open_app(database_url, HOURLY) as (slack, app):
        await make_job(status="failed", error="before", finished_ago=minutes(30))
        for _ in range(2):
            slack.set_fault("500", method="chat.postMessage", times=2)
            with pytest.raises(Exception, match="status 500"):
                await run_tick(app)
            await age_windows(conn, 60)
            await age_events(conn, 60)
        assert await run_tick(app) == "sent"
        [message] = slack.messages(OPS)
        assert "1 job failed in the last 3 hours" in as_text(message)
        # So long a gap is cut, and the message says so.
        await conn.execute("UPDATE jobs_maint_digests SET state = 'failed'")
        await age_windows(conn, 60 * 24 * 9)
        assert await run_tick(app) == "sent"
        assert "are left out" in as_text(slack.messages(OPS)[1])


async def test_a_failure_that_waits_for_a_locked_row_is_counted_by_the_next_digest(
    database_url, conn, make_job, monkeypatch
):
    # So that a wait of milliseconds lasts longer than a window ends behind the clock.
    monkeypatch.setattr(windows_module, "BEHIND", timedelta())
    # Minutes pass in milliseconds: Slack says so, and is waited for.
    async with open_app(database_url, EACH_MINUTE, provokes=["ratelimited"]) as (slack, app):
        assert await run_tick(app, EACH_MINUTE) == "sent"
        await age_windows(conn, 3)
        async with end_held(database_url, conn, await make_job(status="doing")) as began:
            assert await run_tick(app, EACH_MINUTE) == "sent"
            assert await fetch(conn, "SELECT max(until) FROM jobs_maint_digests") == began
        await age_windows(conn, 3)
        await age_events(conn, 3)
        assert await run_tick(app, EACH_MINUTE) == "sent"
        # It does not wait for ever, and says what it does not know.
        await age_windows(conn, 3)
        monkeypatch.setattr(windows_module, "HELD", timedelta())
        async with end_held(database_url, conn, await make_job(status="doing")):
            assert await run_tick(app, EACH_MINUTE) == "sent"
        [_, before, counted, unknown] = [
            " ".join(as_text(one).split()) for one in slack.messages(OPS)
        ]
    assert "No job failed" in before
    assert "1 job failed" in counted
    assert "if it failed, it is not counted" in unknown
    assert "not counted" not in before + counted


async def test_two_workers_with_one_tick_post_one_message(database_url, conn, make_job):
    async with open_app(database_url, HOURLY) as (slack, app):
        results = await asyncio.gather(*(run_tick(app) for _ in range(4)), return_exceptions=True)
        assert results.count("sent") == 1
        # Who finds another at it tries again: it may be dead.
        assert {type(one) for one in results} <= {str, AlreadyRunning}
        assert len(slack.messages(OPS)) == 1


async def test_a_sender_whose_window_was_given_away_meanwhile_does_not_post(
    database_url, conn, monkeypatch
):
    """It slept, as a suspended process does, after it opened its window."""
    render = digests.render_digest

    def sleep_for_long(*args):
        with psycopg.connect(database_url) as other:
            other.execute("UPDATE jobs_maint_digests SET state = 'failed'")
        return render(*args)

    async with open_app(database_url, HOURLY) as (slack, app):
        monkeypatch.setattr(digests, "render_digest", sleep_for_long)
        with pytest.raises(AlreadyRunning, match="taken over"):
            await run_tick(app)
        assert slack.messages(OPS) == []
        monkeypatch.undo()
        assert await run_tick(app) == "sent"
        assert len(slack.messages(OPS)) == 1


async def test_what_may_be_there_twice_says_so(database_url, conn, make_job):
    """A sender died after its post, and the app may not look into the channel."""
    minimal, provokes = ("commands", "chat:write"), ["missing_scope", "ratelimited"]
    async with open_app(database_url, HOURLY, bot_scopes=minimal, provokes=provokes) as (
        slack,
        app,
    ):
        assert await run_tick(app) == "sent"
        await conn.execute(
            "UPDATE jobs_maint_digests SET state = 'sending',"
            " opened_at = opened_at - interval '6 minutes'"
        )
        assert await run_tick(app) == "sent"
        assert await run_tick(app) == "no window is due"
        [first, second] = slack.messages(OPS)
        assert "may be a repeat" not in first.text
        assert "may be a repeat" in second.text


async def test_that_slack_took_a_digest_is_stored_when_the_database_is_back(
    database_url, conn, monkeypatch
):
    away = 2

    async def be_away(pool, actor, action, **more):
        nonlocal away
        if getattr(action, "state", None) == "sent" and away:
            away -= 1
            raise DatabaseUnavailable("the database is away")
        return await perform(pool, actor, action, **more)

    monkeypatch.setattr(sender_windows, "CLOSE_PAUSE", 0.0)
    monkeypatch.setattr(sender_windows, "perform", be_away)
    async with open_app(database_url, HOURLY) as (_, app):
        assert await run_tick(app) == "sent"
        assert (away, await states(conn)) == (0, ["sent"])


async def test_the_digest_of_a_channel_that_is_gone_goes_to_the_audit_channel(database_url, conn):
    gone = {**HOURLY, "channel": ARCHIVED}
    async with open_app(database_url, gone, audit_channel=OPS, provokes=["is_archived"]) as (
        slack,
        app,
    ):
        assert await run_tick(app) == "sent"
        [message] = slack.messages(OPS)
        assert f"Posted here because its channel {ARCHIVED} does not take it" in message.text
        assert await states(conn) == ["sent"]
        assert await run_tick(app) == "no window is due"
    finding = await check_digests(conn, None)
    assert finding.level == "warning"
    assert "went to the audit channel" in finding.sentence


async def test_a_digest_without_failures_says_first_which_queue_is_behind(
    database_url, conn, make_job
):
    await make_job(queue="webhook", deferred_ago=minutes(43))
    async with open_app(database_url, {**HOURLY, "when_quiet": "skip"}) as (slack, app):
        assert await run_tick(app) == "sent"
        [message] = slack.messages(OPS)
        assert as_text(message).startswith(
            "🟡 webhook is 43 min behind; no job failed in the last hour."
        )


async def test_a_digest_whose_sender_died_is_sent_again_and_the_doctor_says_so(database_url, conn):
    await conn.execute(
        "INSERT INTO jobs_maint_digests (name, since, until, state, key) VALUES"
        " ('ops', now() - interval '1 hour', now(), 'sending', 'k')"
    )
    async with open_app(database_url, HOURLY) as (_, app):
        with pytest.raises(AlreadyRunning):  # which is tried again, and says that nothing was sent
            await run_tick(app)
        await conn.execute("UPDATE jobs_maint_digests SET opened_at = now() - interval '6 minutes'")
        finding = await check_digests(conn, None)
        assert "did not come back" in finding.sentence
        assert await run_tick(app) == "sent"
        assert (await check_digests(conn, None)).level == "ok"


async def test_a_window_that_another_closes_while_it_is_opened_is_not_posted_again(
    database_url, conn
):
    """As if the other's close had come between the look and the opening."""
    await conn.execute(
        "CREATE FUNCTION close_before() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO jobs_maint_digests (name, since, until, state)"
        " VALUES (NEW.name, NEW.since, NEW.until, 'sent'); RETURN NEW; END $$"
    )
    await conn.execute(
        "CREATE TRIGGER close_before BEFORE INSERT ON jobs_maint_digests FOR EACH ROW"
        " WHEN (NEW.state = 'sending') EXECUTE FUNCTION close_before()"
    )
    async with open_app(database_url, HOURLY) as (slack, app):
        assert await run_tick(app) == "no window is due"
        assert slack.messages(OPS) == []
    assert await states(conn) == ["sent"]


async def test_a_failure_that_nobody_foresaw_leaves_the_window_to_the_retry(
    database_url, conn, make_job, monkeypatch
):
    async with open_app(database_url, HOURLY) as (slack, app):

        def fail(*_args, **_more):
            raise RuntimeError("nobody foresaw this")

        monkeypatch.setattr(digests, "render_digest", fail)
        with pytest.raises(RuntimeError):
            await run_tick(app)
        assert await states(conn) == ["failed"]
        monkeypatch.undo()
        assert await run_tick(app) == "sent"
        assert len(slack.messages(OPS)) == 1


async def test_a_digest_finds_itself_among_hundreds_of_other_messages(database_url, conn):
    async with open_app(database_url, HOURLY) as (slack, app):
        await run_tick(app)
        for i in range(250):
            slack.post_as_user("U0ADMIN", OPS, f"chatter {i}")
        await conn.execute("UPDATE jobs_maint_digests SET state = 'sending'")
        assert await run_tick(app) == "no window is due"
        assert await states(conn) == ["sent"]
