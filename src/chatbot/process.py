"""`jobs-chatbot`: the bot as a process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
import time

import click
from aiohttp import web

from chatbot.app import Bot
from chatbot.http import build_runner, build_web
from chatbot.settings import ChatbotSettings
from chatbot.socket_mode import SocketLink
from jobs_maint import __version__
from jobs_maint.database import check_schema, open_pool
from jobs_maint.errors import InvalidSettings, JobsMaintError
from jobs_maint.settings import MaintSettings

__all__ = ["main"]

log = logging.getLogger("chatbot")


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", message="jobs-chatbot %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Run the Slack bot of procrastinate-ops. It is set up by environment variables.

    SLACK_BOT_TOKEN, JOB_QUEUE_DATABASE_URL and either SLACK_APP_TOKEN (Socket Mode) or
    SLACK_SIGNING_SECRET (HTTP) are required; CHATBOT_ROLES says who may do what.
    """
    if context.invoked_subcommand is None:
        context.invoke(run)


@main.command()
def run() -> None:
    """Answer Slack until SIGTERM or Ctrl-C; what is in flight is finished first."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    # aiohttp's own lines repeat what we log, with addresses of requests.
    logging.getLogger("aiohttp").setLevel(logging.ERROR)
    try:
        settings = ChatbotSettings.load()
        maint = MaintSettings.load()
        settings.require_bot_token()
        settings.require_mode()
        url = maint.require_database_url()
        asyncio.run(_serve(settings, maint, url))
    except JobsMaintError as exc:
        click.echo(f"jobs-chatbot: {exc}", err=True)
        sys.exit(exc.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


async def _serve(settings: ChatbotSettings, maint: MaintSettings, url: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(url))
        await check_schema(pool)
        bot = Bot(settings, pool, maint=maint)
        stack.push_async_callback(bot.close)
        who = await bot.identify()
        mode = settings.require_mode()
        link = None
        if settings.slack_app_token is not None:
            token = settings.slack_app_token.get_secret_value()
            link = SocketLink(bot.app, bot.slack, token)
        address = await _listen(bot, link, stack)
        if link is not None:
            stack.push_async_callback(link.close)
            await link.connect()
        log.info(
            "chatbot.started mode=%s bot=%s team=%s command=%s address=%s version=%s",
            mode, who.user_id, who.team_id, settings.command, address or "-", __version__,
        )  # fmt: skip
        if not settings.roles:
            log.warning("chatbot.nobody_may_do_anything CHATBOT_ROLES is not set: all is refused")
        await stop.wait()
        log.info("chatbot.stopping in_flight=%d", bot.work.in_flight)
    log.info("chatbot.stopped")


async def _listen(
    bot: Bot, link: SocketLink | None, stack: contextlib.AsyncExitStack
) -> str | None:
    """Open the port; in Socket Mode only health is served there, and a taken port is a warning."""
    settings = bot.settings
    secret = settings.slack_signing_secret

    async def is_ready() -> str | None:
        if link is not None and not await link.is_connected():
            return "there is no Socket Mode connection to Slack"
        return await bot.is_ready()

    site = build_web(
        None if link else bot.app,
        None if link or secret is None else secret.get_secret_value(),
        ready=is_ready,
        clock=time.time,
    )
    runner = build_runner(site)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
    except OSError as exc:
        where = f"{settings.host}:{settings.port}"
        why = f"cannot listen on {where} ({exc.strerror}); set CHATBOT_HOST and CHATBOT_PORT"
        if link is None:
            raise InvalidSettings(why) from exc
        log.warning("chatbot.health_not_served %s", why)
        return None
    port = runner.addresses[0][1]
    return f"http://{settings.host}:{port}"
