"""`LocalSlack`: one workspace on one port, and what a test may do with it in the same process."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from local_slack.config import Config
from local_slack.control import add_control_routes
from local_slack.controls import Controls
from local_slack.page.routes import add_page_routes
from local_slack.page.settings import Page

HOST = "127.0.0.1"


class LocalSlack(Controls):
    """A strict Slack for one app; start it with `async with LocalSlack.start(config) as slack`."""

    page: Page | None = None

    @property
    def page_url(self) -> str:
        """Where a browser opens the page, with the secret; empty without a page."""
        return f"{self.url}/?token={self.page.secret}" if self.page else ""

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        config: Config,
        *,
        port: int = 0,
        clock: Callable[[], float] = time.time,
        page: Page | None = None,
    ) -> AsyncIterator["LocalSlack"]:
        """Listen on 127.0.0.1 (port 0: a free one); raise OSError when the port is taken.

        With `page` people can open `page_url` in a browser, and the control API asks for its
        secret; `serve` does so.
        """
        slack = cls(config, clock)
        app = slack._build_app()
        add_control_routes(app, slack)
        if page is not None:
            slack.page = page
            add_page_routes(app, slack, page)
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
