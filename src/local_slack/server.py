"""`LocalSlack`: one workspace on one port, and what a test may do with it in the same process."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from local_slack.config import Config
from local_slack.control import add_control_routes
from local_slack.controls import Controls

HOST = "127.0.0.1"


class LocalSlack(Controls):
    """A strict Slack for one app; start it with `async with LocalSlack.start(config) as slack`."""

    @classmethod
    @asynccontextmanager
    async def start(
        cls, config: Config, *, port: int = 0, clock: Callable[[], float] = time.time
    ) -> AsyncIterator["LocalSlack"]:
        """Listen on 127.0.0.1 (port 0: a free one); raise OSError when the port is taken."""
        slack = cls(config, clock)
        app = slack._build_app()
        add_control_routes(app, slack)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, port).start()
            slack.url = f"http://{HOST}:{runner.addresses[0][1]}"
            yield slack
        finally:
            slack._faults.clear()
            await slack._sockets.close()
            await slack._delivery.close()
            await _close(runner)


async def _close(runner: web.AppRunner) -> None:
    """Includes what was just accepted: it takes some loop turns to become a connection."""
    for site in list(runner.sites):
        await site.stop()
    for _ in range(10):
        await asyncio.sleep(0)
    await runner.cleanup()
