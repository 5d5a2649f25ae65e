"""`python -m benchmarks.bot_plain`: Bolt alone, which acknowledges and answers one line.

What it takes is the share of Bolt, of the local Slack and of the machine, not of the bot.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult


async def _authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
    return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token="xoxb-local")


def build() -> AsyncApp:
    app = AsyncApp(signing_secret=os.environ["SLACK_SIGNING_SECRET"], authorize=_authorize)

    @app.command("/jobs")
    async def take(ack: Any, respond: Any) -> None:
        await ack()
        await respond("🟢 taken")

    return app


async def main() -> None:
    app, stop = build(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async def take(request: web.Request) -> web.Response:
        return await to_aiohttp_response(await app.async_dispatch(await to_bolt_request(request)))

    async def ready(_request: web.Request) -> web.Response:
        return web.Response(text="ready")

    site = web.Application()
    site.router.add_post("/slack/events", take)
    site.router.add_get("/readyz", ready)
    runner = web.AppRunner(site, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(os.environ["CHATBOT_PORT"])).start()
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
