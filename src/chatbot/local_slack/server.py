"""`LocalSlack`: one workspace on one port, and what a test may do with it in the same process."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from chatbot.local_slack.blocks import iterate_elements
from chatbot.local_slack.config import Config
from chatbot.local_slack.control import add_control_routes
from chatbot.local_slack.delivery import CommandResult, Delivery, RawResponse
from chatbot.local_slack.errors import ControlError
from chatbot.local_slack.faults import Faults
from chatbot.local_slack.journal import Breach, Call, Journal
from chatbot.local_slack.limits import RateLimiter
from chatbot.local_slack.messages import Message, SeenMessage
from chatbot.local_slack.payloads import build_action, build_block_actions, build_slash_command
from chatbot.local_slack.posting import Api
from chatbot.local_slack.responses import Origin, Responses
from chatbot.local_slack.sockets import Sockets
from chatbot.local_slack.state import Workspace
from chatbot.local_slack.waiting import wait_for_message
from chatbot.local_slack.web_api import WebApi

HOST = "127.0.0.1"
MAX_BODY = 4 * 1024 * 1024


class LocalSlack:
    """A strict Slack for one app; start it with `async with LocalSlack.start(config) as slack`.

    What a user could not do (an unknown button, a foreign channel) raises `ControlError`.
    """

    def __init__(self, config: Config, clock: Callable[[], float] = time.time) -> None:
        self.config = config
        self.url = ""
        self._journal = Journal(clock)
        self._faults = Faults()
        self._workspace = Workspace(config, clock)
        self._sockets = Sockets(config, self._journal)
        self._responses = Responses(self._workspace, self._journal, self._faults)
        self._delivery = Delivery(self._workspace, self._journal, self._responses, self._sockets)
        self._limiter = RateLimiter(clock, config.limits.burst)

    @classmethod
    @asynccontextmanager
    async def start(
        cls, config: Config, *, port: int = 0, clock: Callable[[], float] = time.time
    ) -> AsyncIterator["LocalSlack"]:
        """Listen on 127.0.0.1 (port 0: a free one); raise OSError when the port is taken."""
        slack = cls(config, clock)
        runner = web.AppRunner(slack._build_app(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, port).start()
            slack.url = f"http://{HOST}:{runner.addresses[0][1]}"
            yield slack
        finally:
            slack._faults.clear()
            await slack._sockets.close()
            await slack._delivery.close()
            await runner.cleanup()

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    @property
    def breaches(self) -> list[Breach]:
        return list(self._journal.breaches)

    @property
    def changes(self) -> int:
        """Grows with every message shown, edited or deleted."""
        return self._workspace.changes

    async def wait_for_change(self, since: int, timeout: float) -> None:  # noqa: ASYNC109 - the wait is the point
        """Return once `changes` is above `since`, or after `timeout` seconds."""
        await self._workspace.wait_for_change(since, timeout)

    async def command(self, user: str, channel: str, text: str) -> CommandResult:
        """Type a slash command (`/jobs stats`); return once the app acked or failed to."""
        person, place = self._workspace.get_person(user, channel)
        origin = Origin(user, channel, self._workspace.clock(), command=text.strip())
        url = self.url + self._responses.open(origin)
        payload = build_slash_command(self._workspace, person, place, text, url)
        return await self._delivery.send("slash_commands", payload, origin)

    async def click(
        self, user: str, channel: str, ts: str, button: str, *, value: str | None = None
    ) -> CommandResult:
        """Press a button by its action_id or its text; `value` picks one among several."""
        person, place = self._workspace.get_person(user, channel)
        message = self._workspace.find(channel, ts)
        if message is None or not message.is_seen_by(user):
            raise ControlError(f"{user} sees no message {ts} in #{place.name}")
        element, block_id = _get_button(message, button, value)
        origin = Origin(user, channel, self._workspace.clock(), message=message)
        url = self.url + self._responses.open(origin)
        action = build_action(element, block_id, self._workspace.next_ts())
        payload = build_block_actions(
            self.config, person, message, action, channel_name=place.name, response_url=url
        )
        return await self._delivery.send("interactive", payload, origin)

    async def replay(self, request_id: str) -> CommandResult:
        """Deliver an earlier request again, byte for byte (`CommandResult.request_id`)."""
        return await self._delivery.replay(request_id)

    async def post_raw(
        self,
        body: str,
        *,
        secret: str | None = None,
        age: float = 0.0,
        headers: dict[str, str] | None = None,
    ) -> RawResponse:
        """Post a body to the app's request_url, signed with `secret` `age` seconds ago.

        `headers` replace Slack's; an empty value leaves the header out.
        """
        all_headers = {**self._delivery.sign(body, secret=secret, age=age), **(headers or {})}
        sent = {name: value for name, value in all_headers.items() if value}
        return await self._delivery.post_raw(body, sent)

    def messages(self, channel: str, as_user: str | None = None) -> list[SeenMessage]:
        """Return what the user sees there, oldest first; without a user: everything."""
        return [message.seen() for message in self._workspace.list_seen(channel, as_user)]

    async def wait_for_message(
        self,
        channel: str,
        predicate: Callable[[SeenMessage], bool],
        timeout: float = 5.0,  # noqa: ASYNC109 - the wait is the point
        as_user: str | None = None,
    ) -> SeenMessage:
        """Return the first message that fits; raise TimeoutError that tells what was there."""

        async def look(since: int | None, wait: float) -> tuple[int, list[SeenMessage]]:
            if since is not None:
                await self.wait_for_change(since, wait)
            return self.changes, self.messages(channel, as_user)

        return await wait_for_message(look, predicate, timeout)

    def calls(self, method: str | None = None) -> list[Call]:
        """Return the app's API calls (and uses of a `response_url`), oldest first, no tokens."""
        return [call for call in self._journal.calls if method in {None, call.method}]

    def set_fault(
        self,
        kind: str,
        *,
        method: str = "*",
        times: int = 1,
        channel: str | None = None,
        retry_after: int = 1,
    ) -> None:
        """Let the next `times` calls of the method meet `429`, `500`, `accepted_but_lost`, `hang`.

        `method` may be `response_url`. `accepted_but_lost` does what was asked, then drops the
        connection; `hang` answers 500 after `clear_faults`.
        """
        self._faults.add(kind, method=method, times=times, channel=channel, retry_after=retry_after)

    def clear_faults(self) -> None:
        self._faults.clear()

    def clear_breaches(self) -> None:
        self._journal.breaches.clear()

    def set_members(self, usergroup: str, users: Sequence[str]) -> None:
        self._workspace.set_members(usergroup, list(users))

    def set_request_url(self, url: str) -> None:
        """Tell where the app listens, when its port is known only after it started."""
        self._delivery.request_url = url

    def post_as_user(self, user: str, channel: str, text: str) -> SeenMessage:
        """Write an ordinary message, as a person does."""
        self._workspace.get_person(user, channel)
        message = Message(self._workspace.next_ts(), channel, user, text)
        return self._workspace.add(message).seen()

    @property
    def connections(self) -> int:
        """How many Socket Mode connections are open."""
        return self._sockets.count

    async def wait_for_connection(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109 - the wait is the point
        await self._sockets.wait_until_open(timeout)

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Tell the app to leave; `warning` keeps the connections open, all others close them."""
        await self._sockets.disconnect(reason)

    def _build_app(self) -> web.Application:
        api = Api(
            self._workspace,
            self._limiter,
            open_connection=self._open_connection,
            base_url=lambda: self.url,
        )
        web_api = WebApi(api, self._journal, self._faults)
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/api/{method}", web_api.handle)
        app.router.add_post("/response/{team}/{secret}", self._responses.handle)
        app.router.add_get("/link", self._sockets.handle)
        add_control_routes(app, self)
        return app

    def _open_connection(self) -> str:
        base = self.url.replace("http://", "ws://", 1)
        app_id = self.config.app.app_id
        return f"{base}/link?ticket={self._sockets.issue_ticket()}&app_id={app_id}"


def _get_button(message: Message, button: str, value: str | None) -> tuple[dict[str, Any], str]:
    there = list(iterate_elements(message.blocks))
    found = [
        (element, block_id)
        for element, block_id in there
        if button in {element["action_id"], element.get("text", {}).get("text")}
        and value in {None, element.get("value")}
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise ControlError(f"{len(found)} buttons are {button!r}; say which by its value")
    names = [f"{one.get('text', {}).get('text')} ({one['action_id']})" for one, _ in there]
    raise ControlError(f"the message has no button {button!r}; it has: {', '.join(names) or '-'}")
