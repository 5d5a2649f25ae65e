"""The Socket Mode connection: renewed without a gap, opened again after a break."""

import asyncio
import contextlib
import logging

import pytest
from tests.support.bots import bot_settings, no_sleep, open_slack
from tests.support.waiting import until

from chatbot.bot import Bot
from chatbot.inbound.socket_link import SocketLink
from chatbot.slack.client import SlackClient
from jobs_maint.errors import InvalidSettings
from local_slack.sample import OPS, VIEWER, build_sample_config

OPEN = "apps.connections.open"


@contextlib.asynccontextmanager
async def open_link(pool, *, sleep=asyncio.sleep):
    """A bot, and the link to look at; `sleep` is how the link waits before it tries again."""
    async with open_slack(build_sample_config(mode="socket")) as slack:
        values = bot_settings(slack)
        bot = Bot(values, pool, slack=SlackClient(values, sleep=no_sleep))
        await bot.identify()
        link = SocketLink(bot.app, bot.slack.web, slack.config.app.app_token, sleep=sleep)
        await link.connect()
        try:
            await slack.wait_for_connection()
            yield slack, link
            await bot.work.drain(30)
        finally:
            await link.close()
            await bot.close(0)


def sockets(slack):
    return list(slack._sockets._connections)


async def release(slack, socket):
    """What Slack does some ten seconds after its warning: nothing more goes to this one."""
    slack._sockets._connections.remove(socket)
    await socket.send_json({"type": "disconnect", "reason": "refresh_requested"})


def break_off(slack):
    for socket in sockets(slack):
        socket._req.transport.abort()


async def test_at_the_warning_the_next_connection_is_open_before_the_old_one_goes(
    pool, make_job, caplog
):
    caplog.set_level(logging.INFO)
    await make_job()
    async with open_link(pool) as (slack, link):
        [old] = sockets(slack)
        results = []
        renewed = asyncio.Event()

        async def type_all_the_time():
            while not renewed.is_set():
                results.append(await slack.command(VIEWER, OPS, "/jobs help"))

        typing = asyncio.create_task(type_all_the_time())
        await until(lambda: len(results) >= 3, "the first answers")
        await slack.disconnect("warning")
        await until(lambda: slack.connections == 2, "the second connection")
        assert not old.closed
        await until(lambda: "chatbot.connection_renewed reason=warning" in caplog.text, "the log")
        await release(slack, old)
        await until(lambda: old.closed, "the end of the old connection")
        seen = len(results)
        await until(lambda: len(results) >= seen + 3, "answers over the new one")
        renewed.set()
        await typing
        assert slack.connections == 1
        assert link.problem is None
        assert {(r.acked, r.error_shown) for r in results} == {(True, None)}
        assert "connection_lost" not in caplog.text
        assert slack.breaches == []


async def test_without_a_warning_the_next_connection_is_opened_when_slack_lets_go(pool, caplog):
    caplog.set_level(logging.INFO)
    async with open_link(pool) as (slack, link):
        [old] = sockets(slack)
        await slack.disconnect("refresh_requested")
        await until(lambda: slack.connections == 1 and link.problem is None, "the next connection")
        await until(lambda: old.closed, "the end of the old connection")
        assert (await slack.command(VIEWER, OPS, "/jobs help")).acked
        assert "connection_lost" not in caplog.text


async def test_a_broken_connection_is_opened_again_and_told_once(pool, caplog):
    caplog.set_level(logging.INFO)
    async with open_link(pool) as (slack, link):
        break_off(slack)
        await until(lambda: "chatbot.connection_back" in caplog.text, "the next connection")
        assert (await slack.command(VIEWER, OPS, "/jobs help")).acked
        assert link.problem is None
        assert caplog.text.count("chatbot.connection_lost") == 1


async def test_while_slack_opens_no_connection_the_pauses_grow_and_the_reason_is_known(
    pool, caplog
):
    caplog.set_level(logging.INFO)
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)
        await asyncio.sleep(0)

    async with open_link(pool, sleep=sleep) as (slack, link):
        slack.set_fault("500", method=OPEN, times=10_000)
        break_off(slack)
        await until(lambda: len(pauses) >= 12, "twelve tries")
        problem = link.problem
        assert "no Socket Mode connection to Slack" in problem
        assert "Slack answered apps.connections.open with status 500" in problem
        assert pauses[0] <= 0.5 < pauses[3] < pauses[9] <= max(pauses) <= 30
        slack.clear_faults()
        await until(lambda: link.problem is None, "the next connection")
        assert (await slack.command(VIEWER, OPS, "/jobs help")).acked
        assert caplog.text.count("chatbot.connection_lost") == 2
        assert caplog.text.count("chatbot.connection_back") == 1


async def test_connections_that_end_at_once_are_not_opened_in_a_tight_loop(pool):
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)
        await asyncio.sleep(0)

    async with open_link(pool, sleep=sleep) as (slack, link):
        for _ in range(6):
            known = sockets(slack)
            break_off(slack)
            await until(lambda: sockets(slack) not in ([], known), "the next one")  # noqa: B023
            await until(lambda: link.problem is None, "the greeting")
        assert len(pauses) >= 3
        assert pauses[-1] > pauses[0]


async def test_an_app_token_that_is_revoked_ends_the_wait(pool):
    async with open_link(pool) as (slack, link):
        object.__setattr__(slack.config.app, "app_token", "xapp-another")
        await slack.disconnect("link_disabled")
        with pytest.raises(InvalidSettings, match="SLACK_APP_TOKEN is not accepted by Slack"):
            async with asyncio.timeout(60):
                await link.wait()
        assert "no Socket Mode connection" in link.problem
        assert {breach.kind for breach in slack.breaches} == {"invalid_auth"}
        slack.clear_breaches()


async def test_a_message_that_is_no_request_harms_nothing(pool, caplog):
    async with open_link(pool) as (slack, _):
        [socket] = sockets(slack)
        for text in ("[]", "broken", '"text"', "{}", '{"type": "hello"}', '{"envelope_id": 1}'):
            await socket.send_str(text)
        assert (await slack.command(VIEWER, OPS, "/jobs help")).acked
        assert "broken" not in caplog.text
        assert "chatbot.request_refused reason=unreadable" in caplog.text


async def test_what_was_received_is_acknowledged_before_the_connection_is_closed(pool):
    async with open_link(pool) as (slack, link):
        results = [asyncio.create_task(slack.command(VIEWER, OPS, "/jobs help")) for _ in range(20)]
        await until(
            lambda: len(slack._sockets._waiting) + sum(r.done() for r in results) == 20,
            "twenty requests on their way",
        )
        [connection] = link._connections()
        await until(lambda: connection._taken or all(r.done() for r in results), "the reception")
        await link.close()
        done = await asyncio.gather(*results)
        taken = [r for r in done if r.acked]
        assert taken
        assert not link._connections()[0]._taken
