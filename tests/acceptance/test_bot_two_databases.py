"""Two deployments in one workspace: neither takes the other's messages, buttons or jobs for its."""

import contextlib

import procrastinate
import pytest
from tests.acceptance.test_bot_acts import click, count, find_buttons, make_failed
from tests.acceptance.test_bot_digests import HOURLY, list_digests, on_the_hour, settings_with
from tests.support.bots import ask, open_bot, open_slack, serve_replica, settle
from tests.support.history import minutes

import chatbot
from chatbot.setup.doctor_page import examine
from chatbot.slack.stamp import read_origin
from jobs_maint.database import identify_database, open_pool
from jobs_maint.settings import MaintSettings
from local_slack.sample import ADMIN, OPERATOR, OPS, RANDOM, build_sample_config
from local_slack.text import as_text


@pytest.fixture
def other_url(server):
    name = server.create("ours_template")
    yield server.url(name)
    server.drop(name)


@contextlib.asynccontextmanager
async def open_worker(url, slack, maint):
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))
    chatbot.register_digests(app, settings_with(HOURLY, api_url=slack.api_url), maint=maint)
    app.periodic_registry.periodic_tasks.clear()
    async with app.open_async():
        yield app


async def send(app):
    await (
        app.tasks["chatbot:send_digest"]
        .configure()
        .defer_async(timestamp=on_the_hour(), name="ops")
    )
    await app.run_worker_async(
        wait=False, queues=["maintenance"], install_signal_handlers=False, listen_notify=False
    )


async def windows(conn):
    found = await conn.execute("SELECT state FROM jobs_maint_digests ORDER BY id")
    return [row[0] for row in await found.fetchall()]


async def test_a_digest_of_another_database_with_the_same_name_never_closes_our_window(
    database_url, conn, make_job, other_url
):
    staging, production = MaintSettings.load(environment="staging"), MaintSettings.load()
    await make_job(status="failed", error="never told before", finished_ago=minutes(5))
    async with (
        open_slack(build_sample_config()) as slack,
        open_worker(other_url, slack, staging) as theirs,
        open_worker(database_url, slack, production) as ours,
    ):
        slack.set_fault("500", method="chat.postMessage", times=2)
        await send(ours)
        assert await windows(conn) == ["failed"]
        await send(theirs)
        await conn.execute("UPDATE procrastinate_jobs SET scheduled_at = NULL")
        await send(ours)
        assert await windows(conn) == ["failed", "sent"]
        first, second = list_digests(slack)
        assert first.text.startswith("[staging] ")
        assert "1 failure in" in second.text


async def test_a_message_of_another_app_with_our_metadata_is_not_taken_for_ours(pool):
    async with open_bot(pool) as (slack, bot):
        ours = await bot.slack.web.get_identity()
        assert ours.has_posted({"bot_id": slack.config.app.bot_id})
        assert not ours.has_posted({"bot_id": "B0OTHER", "user": ours.user_id})


async def test_a_preview_that_the_bot_does_not_know_stays_as_it_is_and_is_answered_privately(
    pool, conn
):
    await make_failed(conn, 3)
    async with open_bot(pool) as (slack, bot):
        [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all webhook")
        await conn.execute("DELETE FROM jobs_maint_selections")
        for button in find_buttons(preview):
            before = as_text(next(m for m in slack.messages(OPS, OPERATOR) if m.ts == preview.ts))
            await slack.click(OPERATOR, OPS, preview.ts, button)
            await settle(bot)
            there = slack.messages(OPS, OPERATOR)
            assert as_text(next(m for m in there if m.ts == preview.ts)) == before
            assert "preview is not known here" in there[-1].text
            assert there[-1].ephemeral
        assert await count(conn, "failed") == 3


async def test_a_button_of_another_database_s_bot_does_nothing_and_says_so(pool, conn, other_url):
    await make_failed(conn, 3)
    async with (
        open_bot(pool) as (slack, bot),
        open_pool(other_url) as other_pool,
    ):
        [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all webhook")
        async with serve_replica(slack, other_pool) as other:
            for button in find_buttons(preview):
                await slack.click(OPERATOR, OPS, preview.ts, button)
                await settle(other)
                last = slack.messages(OPS, OPERATOR)[-1]
                assert "made by a bot of another database" in last.text
            assert await count(conn, "failed") == 3
            await ask(slack, other, ADMIN, OPS, "/jobs doctor")
            shown = as_text(slack.messages(OPS, ADMIN)[-1])
            assert "buttons of a bot of another database" in shown


async def test_the_environment_stands_in_messages_and_on_confirming_buttons(
    pool, conn, monkeypatch
):
    await make_failed(conn, 3)
    monkeypatch.setenv("JOBS_ENVIRONMENT", "staging")
    async with open_bot(pool, settings={"audit_channel": RANDOM}) as (slack, bot):
        slack.add_bot(RANDOM)
        [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all webhook")
        assert preview.text.startswith("[staging] ")
        assert as_text(preview).startswith("*staging*\n")
        assert find_buttons(preview)[0] == "Retry 3 jobs (staging)"
        await click(slack, bot, OPERATOR, preview, find_buttons(preview)[0])
        [copy] = slack.messages(RANDOM)
        [audit] = await ask(slack, bot, ADMIN, OPS, "/jobs audit")
        for told in (slack.messages(OPS, OPERATOR)[-1], copy, audit):
            assert told.text.count("[staging] ") == 1
            assert as_text(told).count("*staging*") == 1


async def test_doctor_finds_posts_of_another_database_with_our_app(
    database_url, conn, other_url, monkeypatch
):
    monkeypatch.setenv("JOB_QUEUE_DATABASE_URL", database_url)
    async with open_slack(build_sample_config()) as slack:
        settings = settings_with(HOURLY, api_url=slack.api_url)
        report, _ = await examine(settings, MaintSettings.load())
        assert levels(report) == ["ok"]
        async with open_worker(other_url, slack, MaintSettings.load()) as theirs:
            await send(theirs)
        report, _ = await examine(settings, MaintSettings.load())
        assert levels(report) == ["error"]


async def test_doctor_finds_them_in_channels_that_we_do_not_post_to_as_well(
    pool, database_url, other_url, monkeypatch
):
    monkeypatch.setenv("JOB_QUEUE_DATABASE_URL", database_url)
    async with open_slack(build_sample_config()) as slack:
        async with open_worker(other_url, slack, MaintSettings.load()) as theirs:
            await send(theirs)
        # Nothing is posted by this bot itself: it has neither digests nor an audit channel.
        report, _ = await examine(settings_with(api_url=slack.api_url), MaintSettings.load())
        assert levels(report) == ["error"]
        [sentence] = [one.sentence for one in report.findings if "another database" in one.sentence]
        assert f"posted to {OPS} (#ops) with" in sentence
        async with serve_replica(slack, pool) as bot:
            [answer] = await ask(slack, bot, ADMIN, OPS, "/jobs doctor")
        assert f"posted to <#{OPS}> with" in answer.text


def levels(report):
    return [one.level for one in report.findings if one.check == "slack_one_database"]


async def test_two_databases_have_two_marks_and_a_mark_survives_reconnecting(
    pool, database_url, other_url
):
    async with open_pool(other_url) as other, open_pool(database_url) as again:
        mark = await identify_database(pool)
        assert mark == await identify_database(again) != await identify_database(other)
        assert mark != await identify_database(pool, "staging")
    assert read_origin(f"jobs-{mark}-3-1") == mark
    assert read_origin("anything") == read_origin(None) == ""
