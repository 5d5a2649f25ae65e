"""A bot over a real database, talking to the local Slack in either mode."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiohttp import web

from chatbot.bot import Bot
from chatbot.inbound.http import build_runner, build_web
from chatbot.inbound.socket_link import SocketLink
from chatbot.settings.bot import ChatbotSettings
from chatbot.slack.client import SlackClient
from local_slack import Config, LocalSlack
from local_slack.sample import ADMIN, VIEWER, build_sample_config
from tests.support.waiting import PATIENCE

ROLES = {
    "viewer": {"users": [VIEWER]},
    "operator": {"usergroups": ["S0OPERATORS"]},
    "admin": {"users": [ADMIN]},
}


def bot_settings(slack: LocalSlack, **more: Any) -> ChatbotSettings:
    app = slack.config.app
    values = {
        "slack_bot_token": app.bot_token,
        "slack_app_token": app.app_token if app.mode == "socket" else None,
        "slack_signing_secret": app.signing_secret,
        "slack_api_url": slack.api_url,
        "roles": json.dumps(ROLES),
        **more,
    }
    return ChatbotSettings.load(**values)


@contextlib.asynccontextmanager
async def open_slack(
    config: Config | None = None, *, clock: Any = time.time, provokes: Sequence[str] = ()
) -> AsyncIterator[LocalSlack]:
    """The strict local Slack of a bot or a digest: whoever breaks a rule of Slack fails the test.

    `provokes`: the kinds of breaches that the test is about.
    """
    async with LocalSlack.start(config or build_sample_config(), clock=clock) as slack:
        yield slack
        breaches = [one for one in slack.breaches if one.kind not in provokes]
        assert not breaches, breaches


@contextlib.asynccontextmanager
async def open_bot(
    pool: Any,
    *,
    mode: str = "http",
    clock: Any = time.time,
    settings: dict[str, Any] | None = None,
    sleep: Any = asyncio.sleep,
    timeout: float = 15.0,
    provokes: Sequence[str] = (),
    **config: Any,
) -> AsyncIterator[tuple[LocalSlack, Bot]]:
    """The local Slack and a bot that is connected to it; `sleep`, `timeout`: how it waits."""
    async with open_slack(build_sample_config(mode=mode, **config), provokes=provokes) as slack:
        values = bot_settings(slack, **(settings or {}))
        bot = Bot(
            values, pool, clock=clock, slack=SlackClient(values, sleep=sleep, timeout=timeout)
        )
        await bot.identify()
        serve = _serve_socket if mode == "socket" else _serve_http
        try:
            async with serve(slack, bot, clock):
                yield slack, bot
                await bot.work.drain(10)
        finally:
            await bot.close(0)


@contextlib.asynccontextmanager
async def serve_replica(
    slack: LocalSlack,
    pool: Any,
    settings: dict[str, Any] | None = None,
    *,
    clock: Any = time.time,
) -> AsyncIterator[Bot]:
    """Another bot of the same workspace; over HTTP it takes the requests from now on."""
    values = bot_settings(slack, **(settings or {}))
    bot = Bot(values, pool, clock=clock)
    await bot.identify()
    serve = _serve_socket if slack.config.app.mode == "socket" else _serve_http
    try:
        async with serve(slack, bot, clock):
            yield bot
            await bot.work.drain(10)
    finally:
        await bot.close(0)


@contextlib.asynccontextmanager
async def _serve_http(slack: LocalSlack, bot: Bot, clock: Any) -> AsyncIterator[None]:
    site = build_web(bot.app, slack.config.app.signing_secret, ready=bot.is_ready, clock=clock)
    runner = build_runner(site, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.set_request_url(f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events")
    try:
        yield
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def _serve_socket(slack: LocalSlack, bot: Bot, _clock: Any) -> AsyncIterator[None]:
    link = SocketLink(bot.app, bot.slack.web, slack.config.app.app_token)
    await link.connect()
    try:
        await slack.wait_for_connection()
        yield
    finally:
        await link.close()


async def no_sleep(_seconds: float) -> None:
    """For a test in which Slack fails: what waits for nothing need not last."""
    await asyncio.sleep(0)


async def ask(slack: LocalSlack, bot: Bot, user: str, channel: str, text: str) -> list[Any]:
    """Type a command; return the messages that the user sees of the answer."""
    before = len(slack.messages(channel, user))
    result = await slack.command(user, channel, text)
    assert (result.acked, result.error_shown) == (True, None)
    await settle(bot)
    return [m for m in slack.messages(channel, user)[before:] if m.kind != "command"]


async def settle(bot: Bot) -> None:
    """Until nothing is in flight; a bug that never ends fails here."""
    async with asyncio.timeout(PATIENCE):
        while bot.work.in_flight:
            await bot.work.drain(20)
