"""The outgoing heartbeat: sent while all is sound, and only then."""

import contextlib
import logging
import time

from aiohttp import web
from tests.support.bots import no_sleep, open_bot

from chatbot.heartbeat import Heartbeat

SECRET = "5e-c-r-e-t"


@contextlib.asynccontextmanager
async def open_monitor():
    """Who watches cron jobs: the beats that came, and what it answers to the next ones."""
    beats, answers = [], []

    async def take(request):
        beats.append(request.path)
        return web.Response(status=answers.pop(0) if answers else 200)

    site = web.Application()
    site.router.add_get("/{key}", take)
    runner = web.AppRunner(site)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/{SECRET}", beats, answers
    finally:
        await runner.cleanup()


async def test_it_beats_while_database_and_slack_are_sound_and_says_once_why_not(
    pool, database_url, server, caplog
):
    caplog.set_level(logging.INFO, logger="chatbot")
    now = time.time()
    shift = [0.0]
    pool.timeout = 0.2
    async with open_bot(pool, clock=lambda: now + shift[0], sleep=no_sleep) as (slack, bot):

        async def beat():
            caplog.clear()
            shift[0] += 61
            sent = await heartbeat.beat()
            return sent, [one.getMessage() for one in caplog.records if "heartbeat" in one.msg]

        async with open_monitor() as (url, beats, answers):
            heartbeat = Heartbeat(url, bot.is_ready)
            assert await beat() == (True, [])
            assert beats == [f"/{SECRET}"]
            slack.set_fault("500", method="auth.test", times=6)
            sent, [told] = await beat()
            assert not sent
            assert "chatbot.heartbeat_withheld reason=Slack answered auth.test" in told
            assert await beat() == (False, [])
            assert await beat() == (True, ["chatbot.heartbeat_back"])
            answers.append(503)
            sent, [told] = await beat()
            assert not sent
            assert told.endswith("reason=127.0.0.1 answered with status 503")
            assert await beat() == (True, ["chatbot.heartbeat_back"])
            count = len(beats)
            name = database_url.partition("@/")[2].partition("?")[0]
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            server.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            )
            sent, [told] = await beat()
            assert not sent
            assert "reason=the jobs database does not answer" in told
            assert len(beats) == count
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            pool.timeout = 10
            assert await beat() == (True, ["chatbot.heartbeat_back"])
        # The monitor is gone.
        sent, [told] = await beat()
        assert not sent
        assert "127.0.0.1 cannot be reached" in told
    assert SECRET not in caplog.text
