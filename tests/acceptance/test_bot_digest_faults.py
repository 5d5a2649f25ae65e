"""Digests when Slack fails or the database is slow; tests/simulation has senders that die."""

import asyncio
import contextlib
from datetime import timedelta
from types import SimpleNamespace

import psycopg
import pytest
from tests.acceptance.test_bot_digests import (
    HOURLY,
    list_digests,
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
from jobs_maint import tasks
from jobs_maint.operations.digest import windows as windows_module
from jobs_maint.operations.doctor.maintenance import check_digests
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


async def run_tick(app, digest=HOURLY):
    """One run of the task without a worker, which would survive what kills it."""
    context = SimpleNamespace(app=app)
    return await app.tasks[tasks.DIGEST].func(context, timestamp=on_the_hour(), name=digest["name"])


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
        assert len(list_digests(slack)) == 1
        await run_retries_now(conn)
        await work(app)
        assert await states(conn) == ["sent"]
        assert len(list_digests(slack)) == 1


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
        [_, message] = list_digests(slack)
        assert "2 failures in the last 3 hours" in as_text(message)


async def test_a_pause_that_slack_asked_for_holds_for_the_next_run_too(database_url, conn):
    async with open_app(database_url, HOURLY) as (slack, app):
        slack.set_fault("429", method="chat.postMessage", retry_after=120)
        await tick(app)
        for _ in range(2):
            await run_retries_now(conn)
            await work(app)
            waits = await conn.execute(
                "SELECT extract(epoch FROM scheduled_at - now()) FROM procrastinate_jobs"
            )
            assert 60 < (await waits.fetchone())[0] <= 121
        first, second = [error for _, _, error in await windows(conn)]
        assert "asks to wait 120 s" in first
        assert "s more before the next chat.postMessage" in second
        assert len(slack.calls("chat.postMessage")) == 1


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
        [message] = list_digests(slack)
        assert "1 failure in the last 3 hours" in as_text(message)
        # So long a gap is cut, and the message says so.
        await conn.execute("UPDATE jobs_maint_digests SET state = 'failed'")
        await age_windows(conn, 60 * 24 * 9)
        assert await run_tick(app) == "sent"
        assert "are left out" in as_text(list_digests(slack)[1])


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
            until = await fetch(conn, "SELECT max(until) FROM jobs_maint_digests")
            assert until == began.replace(microsecond=0)
        await age_windows(conn, 3)
        await age_events(conn, 3)
        assert await run_tick(app, EACH_MINUTE) == "sent"
        # It does not wait for ever, and says what it does not know.
        await age_windows(conn, 3)
        monkeypatch.setattr(windows_module, "HELD", timedelta())
        async with end_held(database_url, conn, await make_job(status="doing")):
            assert await run_tick(app, EACH_MINUTE) == "sent"
        [_, before, counted, unknown] = [
            " ".join(as_text(one).split()) for one in list_digests(slack)
        ]
    assert "No job failed" in before
    assert "1 failure in" in counted
    assert "if it failed, it is not counted" in unknown
    assert "not counted" not in before + counted


async def test_the_digest_of_a_channel_that_is_gone_goes_to_the_audit_channel(database_url, conn):
    gone = {**HOURLY, "channel": ARCHIVED}
    async with open_app(database_url, gone, audit_channel=OPS, provokes=["is_archived"]) as (
        slack,
        app,
    ):
        assert await run_tick(app) == "sent"
        [message] = list_digests(slack)
        assert f"Posted here because its channel <#{ARCHIVED}> does not take it" in message.text
        assert await states(conn) == ["sent"]
        assert (await run_tick(app)).startswith("not sent: the last one ended less than half")
    finding = await check_digests(conn, None)
    assert finding.level == "warning"
    assert "went to the audit channel" in finding.sentence


async def test_a_digest_without_failures_says_first_which_queue_is_behind(
    database_url, conn, make_job
):
    await make_job(queue="webhook", deferred_ago=minutes(43))
    async with open_app(database_url, {**HOURLY, "when_quiet": "skip"}) as (slack, app):
        assert await run_tick(app) == "sent"
        [message] = list_digests(slack)
        assert as_text(message).startswith(
            "🟡 webhook is 43 min behind; no job failed in the last hour."
        )


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
        assert (await run_tick(app)).startswith("not sent: the last one ended less than half")
        assert list_digests(slack) == []
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
        assert len(list_digests(slack)) == 1
