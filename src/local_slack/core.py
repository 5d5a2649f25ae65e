"""The parts of a local Slack, put together."""

import time
from collections.abc import Callable

from aiohttp import web

from local_slack.config import Config
from local_slack.delivery import Delivery
from local_slack.faults import Faults
from local_slack.journal import Journal
from local_slack.limits import RateLimiter
from local_slack.modals import Modals
from local_slack.posting import Api
from local_slack.responses import Responses
from local_slack.sockets import Sockets
from local_slack.state import Workspace
from local_slack.web_api import WebApi

MAX_BODY = 4 * 1024 * 1024


class Core:
    def __init__(self, config: Config, clock: Callable[[], float] = time.time) -> None:
        self.config = config
        self.url = ""
        self._journal = Journal(clock)
        self._faults = Faults()
        self._workspace = Workspace(config, clock)
        self._modals = Modals(self._workspace)
        self._sockets = Sockets(config, self._journal)
        self._responses = Responses(self._workspace, self._journal, self._faults)
        self._delivery = Delivery(
            self._workspace, self._journal, self._responses, self._sockets, self._modals
        )
        self._limiter = RateLimiter(clock, config.limits.burst)

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    @property
    def changes(self) -> int:
        """Grows with everything that becomes visible: a message, a view, an edit."""
        return self._workspace.changes

    async def wait_for_change(self, since: int, timeout: float) -> None:  # noqa: ASYNC109 - the wait is the point
        """Return once `changes` is above `since`, or after `timeout` seconds."""
        await self._workspace.wait_for_change(since, timeout)

    def _build_app(self) -> web.Application:
        api = Api(
            self._workspace,
            self._modals,
            self._limiter,
            open_connection=self._open_connection,
            base_url=lambda: self.url,
        )
        web_api = WebApi(api, self._journal, self._faults)
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/api/{method}", web_api.handle)
        app.router.add_post("/response/{team}/{secret}", self._responses.handle)
        app.router.add_get("/link", self._sockets.handle)
        return app

    def _open_connection(self) -> str:
        base = self.url.replace("http://", "ws://", 1)
        app_id = self.config.app.app_id
        return f"{base}/link?ticket={self._sockets.issue_ticket()}&app_id={app_id}"
