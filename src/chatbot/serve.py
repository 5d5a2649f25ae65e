"""The bot as a process: how it starts, what it serves, how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from chatbot.bot import Bot
from chatbot.handling.follow_ups import watch_follow_ups
from chatbot.handling.lost_runs import watch_lost_runs
from chatbot.heartbeat import Heartbeat, keep_beating
from chatbot.inbound.http import build_runner, build_web
from chatbot.inbound.socket_link import SocketLink
from chatbot.messages.result import render_result
from chatbot.runtime.awake import stay_awake
from chatbot.settings.bot import ChatbotSettings
from chatbot.watching.watch import Watch
from jobs_maint import __version__
from jobs_maint.actions import Actor, ShowStats
from jobs_maint.database import Pool, check_schema, open_pool
from jobs_maint.errors import InvalidSettings, JobsMaintError
from jobs_maint.grammar import build_help
from jobs_maint.perform import perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings

__all__ = ["serve"]

log = logging.getLogger("chatbot")

GRACE = 25.0
"""Seconds that work gets to finish by itself; orchestrators kill after 30."""
CONNECTIONS = 8
"""At most half of them for reads and a quarter for previews; the others are left for acts."""
REHEARSAL = 3.0
"""Seconds that the start waits for it; on a slow database it goes on beside."""
LAST_CALL = 2.0
"""Seconds for what came in while the port was closed."""


async def serve(
    settings: ChatbotSettings,
    maint: MaintSettings,
    url: str,
    *,
    only: Actor | None = None,
    started: Callable[[], Awaitable[object]] | None = None,
) -> None:
    """Serve until SIGTERM, Ctrl-C or SIGHUP; a second one ends the process at once.

    `only`: all requests are this person's, by Socket Mode from a local Slack; no port is opened,
    and what bots of the real Slack did not tell is left to them. `started` is awaited once
    requests can be answered. Raises JobsMaintError when it cannot start, or when Slack no longer
    accepts its token.
    """
    stop = _Stop()
    stop.listen()
    async with contextlib.AsyncExitStack() as stack:
        asked = asyncio.create_task(stop.asked.wait())
        stack.callback(asked.cancel)
        starting = asyncio.create_task(_start(settings, maint, url, stop, stack, only))
        await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.wait({starting})
        if starting.cancelled():
            log.info("chatbot.stopped")
            return
        bot, link = starting.result()
        if started is not None:
            await started()
        watched: set[asyncio.Task[Any]] = {asked}
        if link is not None:
            watched.add(asyncio.create_task(link.wait()))
        done, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        bot.work.stopping.set()
        log.info("chatbot.stopping in_flight=%d", bot.work.in_flight)
    log.info("chatbot.stopped")
    for task in done:
        task.result()


async def _start(
    settings: ChatbotSettings,
    maint: MaintSettings,
    url: str,
    stop: _Stop,
    stack: contextlib.AsyncExitStack,
    only: Actor | None,
) -> tuple[Bot, SocketLink | None]:
    """What is pushed here is undone in reverse order.

    First Socket Mode closes. Then work is finished while the port still answers: Slack does not
    repeat a command that got a 503, so a late one is better done than refused.
    """
    pool = await stack.enter_async_context(
        open_pool(url, max_size=CONNECTIONS, application="jobs-chatbot")
    )
    ready = await stack.enter_async_context(
        open_pool(url, max_size=1, application="jobs-chatbot ready")
    )
    await check_schema(pool)
    bot = Bot(settings, pool, maint=maint, ready_pool=ready, only=only)
    stack.push_async_callback(bot.close, LAST_CALL)
    who = await bot.identify()
    rehearsal = asyncio.create_task(_rehearse(bot, maint, pool, who.user_id))
    stack.callback(rehearsal.cancel)
    await asyncio.wait({rehearsal}, timeout=REHEARSAL)
    if rehearsal.done():
        rehearsal.result()  # what is wrong with an answer stops the start
    # These objects stay: searching them for garbage again and again delays acknowledgements.
    gc.collect()
    gc.freeze()
    link = None
    if settings.slack_app_token is not None:
        link = SocketLink(bot.app, bot.slack.web, settings.slack_app_token.get_secret_value())

    async def find_problem() -> str | None:
        if stop.asked.is_set():
            return "the bot is stopping"
        if link is not None and (problem := link.problem) is not None:
            return problem
        return await bot.is_ready()

    address = await _listen(bot, link, find_problem, stack) if only is None else None
    stack.push_async_callback(_drain, bot)
    stack.callback(asyncio.create_task(stay_awake(bot.awake)).cancel)
    stack.callback(asyncio.create_task(watch_follow_ups(bot.services.follow_ups)).cancel)
    if only is None:
        stack.callback(asyncio.create_task(watch_lost_runs(bot.services)).cancel)
        _watch(bot, find_problem, stack)
    if link is not None:
        stack.push_async_callback(link.close)
        await link.connect()
    log.info(
        "chatbot.started mode=%s bot=%s team=%s command=%s address=%s version=%s",
        settings.require_mode(), who.user_id, who.team_id, settings.command, address or "-",
        __version__,
    )  # fmt: skip
    if not settings.roles and only is None:
        log.warning(
            "chatbot.nobody_may_do_anything CHATBOT_ROLES is not set: every request is refused"
        )
    return bot, link


def _watch(
    bot: Bot, find_problem: Callable[[], Awaitable[str | None]], stack: contextlib.AsyncExitStack
) -> None:
    settings = bot.settings
    watch = None
    if settings.incidents is None:
        unwatched = Watch(bot.services, None)
        stack.callback(asyncio.create_task(unwatched.wind_down()).cancel)
    else:
        watch = Watch(bot.services, settings.incidents)
        stack.callback(asyncio.create_task(watch.run()).cancel)
        if settings.find_incident_channel() is None:
            log.info(
                "chatbot.incidents_not_posted neither CHATBOT_INCIDENTS nor a digest has a channel"
            )
    if settings.heartbeat_url is None:
        return

    async def is_unsound() -> str | None:
        return (watch.find_problem() if watch else None) or await find_problem()

    heartbeat = Heartbeat(settings.heartbeat_url.get_secret_value(), is_unsound)
    stack.callback(asyncio.create_task(keep_beating(heartbeat)).cancel)


async def _rehearse(bot: Bot, maint: MaintSettings, pool: Pool, by: str) -> None:
    """Answer once for nobody, so that the first person waits no longer than the tenth."""
    actor = Actor.task("jobs_chatbot")
    build_help(actor, "slack")
    try:
        report = await perform(pool, actor, ShowStats(), settings=maint)
    except JobsMaintError as exc:
        log.warning("chatbot.rehearsal_failed reason=%s", exc)
        return
    render_result(report, bot.settings.command, by=by)
    render_text(report)


async def _listen(
    bot: Bot,
    link: SocketLink | None,
    find_problem: Callable[[], Awaitable[str | None]],
    stack: contextlib.AsyncExitStack,
) -> str | None:
    """Open the port; in Socket Mode it serves only health, and a port in use is a warning."""
    settings = bot.settings
    secret = settings.slack_signing_secret
    site = build_web(
        None if link else bot.app,
        None if link or secret is None else secret.get_secret_value(),
        ready=find_problem,
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


async def _drain(bot: Bot) -> None:
    if late := await bot.work.drain(GRACE):
        log.warning("chatbot.work_cancelled count=%d", late)


class _Stop:
    """SIGTERM, Ctrl-C and SIGHUP: the first one asks to stop, the second one ends the process."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    def listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # by nohup
            loop.add_signal_handler(number, self._take, loop, number)

    def _take(self, loop: asyncio.AbstractEventLoop, number: signal.Signals) -> None:
        if not self.asked.is_set():
            self.asked.set()
            return
        log.warning("chatbot.stop_forced signal=%s", number.name)
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
