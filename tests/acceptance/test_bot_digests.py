"""Digests: run by a real Procrastinate worker, posted to the local Slack."""

import contextlib
import json
import time

import procrastinate
import pytest
from tests.support.bots import open_slack
from tests.support.history import hours, minutes

import chatbot
from chatbot.settings.bot import ChatbotSettings
from jobs_maint.actions import Actor, Grant, Role
from jobs_maint.errors import InvalidSettings
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.perform import perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings
from local_slack.sample import ALL_SCOPES, ARCHIVED, OPS, SHARED, build_sample_config
from local_slack.text import as_text

TASK = "chatbot:send_digest"
HOURLY = {"name": "ops", "channel": OPS, "cron": "0 * * * *"}


def settings_with(*digests, api_url="http://127.0.0.1:1/api/", **more):
    values = {"slack_bot_token": "xoxb-local", "slack_api_url": api_url}
    return ChatbotSettings.load(**{**values, "digests": json.dumps(digests), **more})


def on_the_hour() -> int:
    return int(time.time()) // 3600 * 3600


@contextlib.asynccontextmanager
async def open_app(database_url, *digests, maint=None, provokes=(), audit_channel=None, **config):
    async with open_slack(build_sample_config(**config), provokes=provokes) as slack:
        connector = procrastinate.PsycopgConnector(conninfo=database_url)
        app = procrastinate.App(connector=connector)
        chatbot.register_digests(
            app,
            settings_with(*digests, api_url=slack.api_url, audit_channel=audit_channel),
            maint=maint or MaintSettings.load(),
        )
        # A real tick of the last ten minutes would come between those of the tests.
        app.periodic_registry.periodic_tasks.clear()
        async with app.open_async():
            yield slack, app


async def tick(app, name="ops", timestamp=None):
    task = app.tasks[TASK].configure(queueing_lock=f"chatbot:digest:{name}")
    return await task.defer_async(timestamp=timestamp or on_the_hour(), name=name)


async def work(app):
    await app.run_worker_async(
        wait=False, queues=["maintenance"], install_signal_handlers=False, listen_notify=False
    )


async def windows(conn):
    found = await conn.execute("SELECT state, channel, error FROM jobs_maint_digests ORDER BY id")
    return [tuple(row) for row in await found.fetchall()]


def list_digests(slack):
    """What was posted in the channel; a thread has the rest."""
    return [message for message in slack.messages(OPS) if message.thread_ts is None]


async def run_retries_now(conn):
    await conn.execute("UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE status = 'todo'")


async def test_a_digest_is_posted_once_and_its_window_advances(database_url, conn, make_job):
    await make_job(status="failed", task="app.deliver", error="timed out", finished_ago=minutes(5))
    async with open_app(database_url, HOURLY) as (slack, app):
        await tick(app)
        await work(app)
        [message] = list_digests(slack)
        assert as_text(message).startswith("🔴 1 failure in the last hour, none the hour before.")
        assert "deliver  ValueError, new" in as_text(message)
        assert message.metadata["event_type"] == "jobs_maint_digest"
        assert await windows(conn) == [("sent", OPS, None)]
        # A second tick at once finds no window that is due.
        await tick(app)
        await work(app)
        assert len(list_digests(slack)) == 1
        assert slack.breaches == []


async def test_a_digest_names_what_it_covers_and_its_button_opens_exactly_those_failures(
    database_url, pool, make_job
):
    failed = {"status": "failed", "finished_ago": minutes(5)}
    for queue in ("webhook", "email-eu"):
        await make_job(queue=queue, task="app.deliver", **failed)
    for queue, task in (("webhook", "app.deliver_late"), ("reports", "app.deliver")):
        await make_job(queue=queue, task=task, **failed)
    some = {**HOURLY, "queues": ["webhook", "email*"], "tasks": ["app.deliver"]}
    none = {**HOURLY, "name": "none", "queues": ["nightly"]}
    async with open_app(database_url, some, none) as (slack, app):
        for name in ("ops", "none"):
            await tick(app, name)
        await work(app)
        told, quiet = sorted(list_digests(slack), key=lambda one: "No job" in one.text)
    assert "2 failures of webhook and email* (task app.deliver) in the last hour" in told.text
    assert "No job of nightly ran in the last hour" in quiet.text
    [button] = [
        one for block in told.blocks if block["type"] == "actions" for one in block["elements"]
    ]
    assert button["text"]["text"] == "Show 2 failures"
    # Neither what failed before nor what fails after it.
    await make_job(queue="webhook", task="app.deliver", **{**failed, "finished_ago": hours(2)})
    await make_job(queue="webhook", task="app.deliver", **{**failed, "finished_ago": minutes(0)})
    asked = parse_words(split_text(button["value"]), "slack").action
    report = await perform(pool, Actor.shell("ana", "host"), asked, settings=MaintSettings())
    assert [(group.task, group.count) for group in report.groups] == [("app.deliver", 2)]
    assert render_text(report).startswith(
        "2 failures of webhook and email* (task app.deliver) in the 60 min to "
    )
    limited = Actor("slack", "U1", "bo", "C1", (Grant(Role.VIEWER, queues=("email-*",)),))
    assert (await perform(pool, limited, asked, settings=MaintSettings())).failed == 1


async def test_a_post_answered_500_is_retried_and_posted_once_with_nothing_lost(
    database_url, conn, make_job
):
    await make_job(status="failed", error="timed out", finished_ago=minutes(5))
    async with open_app(database_url, HOURLY) as (slack, app):
        slack.set_fault("500", method="chat.postMessage", times=2)
        job_id = await tick(app)
        await work(app)
        assert list_digests(slack) == []
        assert await make_job.status(job_id) == "todo"
        await run_retries_now(conn)
        await work(app)
        [message] = list_digests(slack)
        assert "1 failure in" in message.text
        assert [state for state, *_ in await windows(conn)] == ["failed", "sent"]


async def test_a_post_that_arrived_without_an_answer_is_not_sent_again(
    database_url, conn, make_job
):
    async with open_app(database_url, HOURLY) as (slack, app):
        slack.set_fault("accepted_but_lost", method="chat.postMessage")
        job_id = await tick(app)
        await work(app)
        assert len(list_digests(slack)) == 1
        assert await make_job.status(job_id) == "succeeded"
        assert [state for state, *_ in await windows(conn)] == ["sent"]


async def test_a_429_is_waited_for_within_the_same_run(database_url, conn, make_job):
    async with open_app(database_url, HOURLY) as (slack, app):
        slack.set_fault("429", method="chat.postMessage", retry_after=1)
        job_id = await tick(app)
        await work(app)
        assert len(list_digests(slack)) == 1
        assert await make_job.status(job_id) == "succeeded"


@pytest.mark.parametrize(
    ("channel", "reason"),
    [(ARCHIVED, "is archived"), ("C0NOWHERE", "no such channel"), (SHARED, "shared with another")],
)
async def test_a_channel_that_cannot_be_posted_to_fails_the_window_with_the_reason(
    database_url, conn, make_job, channel, reason
):
    async with open_app(database_url, {**HOURLY, "channel": channel}) as (slack, app):
        job_id = await tick(app)
        await work(app)
        [(state, _, error)] = await windows(conn)
        assert state == "failed"
        assert reason in error
        assert await make_job.status(job_id) == "todo"
        assert slack.messages(channel if channel != "C0NOWHERE" else OPS) == []


async def test_it_needs_no_scope_but_chat_write(database_url, make_job):
    minimal = ("commands", "chat:write")
    assert set(minimal) < set(ALL_SCOPES)
    provokes = ["missing_scope"]
    async with open_app(database_url, HOURLY, bot_scopes=minimal, provokes=provokes) as (
        slack,
        app,
    ):
        await tick(app)
        await work(app)
        assert len(list_digests(slack)) == 1


async def test_a_quiet_window_is_skipped_when_asked_for(database_url, conn, make_job):
    await make_job(status="succeeded", finished_ago=minutes(5))
    async with open_app(database_url, {**HOURLY, "when_quiet": "skip"}) as (slack, app):
        await tick(app)
        await work(app)
        assert list_digests(slack) == []
        assert await windows(conn) == [("quiet", None, None)]


async def test_a_tick_that_the_cron_does_not_mean_in_its_zone_sends_nothing(database_url, conn):
    nine = {**HOURLY, "cron": "0 9 * * *", "timezone": "Europe/Berlin"}
    async with open_app(database_url, nine) as (slack, app):
        # 09:00 UTC in winter is 10:00 in Berlin.
        await tick(app, timestamp=1_795_424_400)
        await work(app)
        assert list_digests(slack) == []
        await tick(app, timestamp=1_795_424_400 - 3_600)
        await work(app)
        assert len(list_digests(slack)) == 1


def test_registering_needs_no_database_and_no_network():
    app = procrastinate.App(connector=procrastinate.PsycopgConnector())
    two = (HOURLY, {**HOURLY, "name": "night", "cron": "30 7 * * 1-5", "timezone": "Asia/Kolkata"})
    chatbot.register_digests(app, settings_with(*two))
    found = {key[1]: task.cron for key, task in app.periodic_registry.periodic_tasks.items()}
    assert found == {"ops": "0 * * * *", "night": "0 * * * *"}


def test_two_apps_in_one_process_each_get_their_own_tasks():
    apps = [procrastinate.App(connector=procrastinate.PsycopgConnector()) for _ in range(2)]
    for app in apps:
        chatbot.register_digests(app, settings_with(HOURLY))
    assert apps[0].tasks[TASK] is not apps[1].tasks[TASK]


def test_registering_twice_is_an_error_that_says_so():
    app = procrastinate.App(connector=procrastinate.PsycopgConnector())
    chatbot.register_digests(app, settings_with(HOURLY))
    with pytest.raises(InvalidSettings, match="call it only once"):
        chatbot.register_digests(app, settings_with(HOURLY))


def test_without_digests_nothing_is_registered(caplog):
    caplog.set_level("INFO")
    app = procrastinate.App(connector=procrastinate.PsycopgConnector())
    before = dict(app.tasks)
    chatbot.register_digests(app)
    assert app.tasks == before
    assert "CHATBOT_DIGESTS is not set" in caplog.text


def test_digests_without_a_token_are_an_error_when_the_app_is_made():
    app = procrastinate.App(connector=procrastinate.PsycopgConnector())
    with pytest.raises(InvalidSettings, match="SLACK_BOT_TOKEN is not set"):
        chatbot.register_digests(app, settings_with(HOURLY, slack_bot_token=None))
