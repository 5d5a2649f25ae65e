"""One Socket Mode connection: the SDK's client, without its way of making new ones.

The SDK closes the old connection before it opens the next one, retries one address for ever, and
notices a broken connection only at its next check. Here a connection never opens another one: it
announces that it will close, and `SocketLink` opens the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import WSMsgType
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient

from chatbot.inbound.refusals import RefusalLog
from chatbot.slack.quiet import silent_logger

__all__ = ["Connection"]

log = logging.getLogger(__name__)

HEARTBEAT = 10.0
"""Seconds between pings; a ping unanswered for half of that ends the connection."""
ACK_PATIENCE = 3.0
"""Seconds that Slack waits for an acknowledgement."""
CLOSE_PATIENCE = 2.0
_LONGEST_NOTICE = 2_000
"""Characters; what is longer is a request."""

Handler = Callable[[AsyncBaseSocketModeClient, SocketModeRequest], Awaitable[None]]


class Connection(SocketModeClient):
    """`leaving` is set when the next one is needed, `released` when Slack sends nothing more."""

    def __init__(self, app_token: str, url: str, web: AsyncWebClient, handle: Handler) -> None:
        super().__init__(
            app_token=app_token,
            logger=silent_logger(),
            web_client=web,
            auto_reconnect_enabled=False,
            ping_interval=HEARTBEAT,
        )
        # The SDK takes HTTP_PROXY even for 127.0.0.1.
        self.proxy = web.proxy
        self.wss_uri = url
        self.greeted = asyncio.Event()
        self.leaving = asyncio.Event()
        self.released = asyncio.Event()
        self.reason = ""
        self._handle = handle
        self._refusals = RefusalLog()
        self._taken: set[asyncio.Task[None]] = set()
        self.socket_mode_request_listeners.append(self._answer)

    async def connect(self) -> None:
        """Raises aiohttp's ClientError, OSError or TimeoutError when it cannot connect."""
        self.current_session = await self.aiohttp_client_session.ws_connect(
            str(self.wss_uri),
            heartbeat=self.ping_interval,
            proxy=self.proxy,
            ssl=self.web_client.ssl if self.web_client.ssl is not None else True,
        )
        self.message_receiver = asyncio.ensure_future(self.receive_messages())

    async def connect_to_new_endpoint(self, force: bool = False) -> None:
        """Do nothing: `SocketLink` opens the next connection."""

    async def receive_messages(self) -> None:
        session = self.current_session
        if session is None:
            return
        try:
            async for message in session:
                if message.type is WSMsgType.TEXT:
                    if self._take_notice(message.data):
                        continue
                    # Tracked from here on, so that `finish` waits for the acknowledgement.
                    task = asyncio.create_task(self._take(message.data))
                    self._taken.add(task)
                    task.add_done_callback(self._taken.discard)
        finally:
            self._end("closed")

    def _take_notice(self, text: str) -> bool:
        """Slack's own notices at once: after its last one the connection closes."""
        if len(text) > _LONGEST_NOTICE:
            return False
        try:
            message = json.loads(text)
            kind = message.get("type")
        except (ValueError, AttributeError):
            return False
        if kind == "hello":
            self.greeted.set()
        elif kind != "disconnect":
            return False
        elif message.get("reason") == "warning":
            self._leave("warning")
        else:
            self._end(str(message.get("reason", ""))[:40])
        return True

    async def _take(self, text: str) -> None:
        try:
            message = json.loads(text)
            await self.run_message_listeners(message, text)
        except (ValueError, AttributeError) as exc:
            # Not the message itself: it may hold a request.
            name = type(exc).__name__
            self._refusals.warning("chatbot.request_refused reason=unreadable error=%s", name)

    async def run_message_listeners(self, message: dict[str, Any], raw_message: str) -> None:
        if message.get("type") not in {"hello", "disconnect"}:
            await super().run_message_listeners(message, raw_message)

    async def _answer(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        try:
            await self._handle(client, request)
        except Exception as exc:  # noqa: BLE001  the SDK would swallow it
            # It failed before the acknowledgement, so Slack shows an error of its own.
            log.warning("chatbot.ack_lost error=%s", type(exc).__name__)

    def _leave(self, reason: str) -> None:
        if not self.leaving.is_set():
            self.reason = reason
            self.leaving.set()

    def _end(self, reason: str) -> None:
        self._leave(reason)
        self.released.set()

    @property
    def serves(self) -> bool:
        """Whether Slack may send requests here."""
        return self.greeted.is_set() and not self.released.is_set() and not self.closed

    async def finish(self) -> None:
        """Acknowledge what was received, then close."""
        if taken := set(self._taken):
            await asyncio.wait(taken, timeout=ACK_PATIENCE)
        await self.close()

    async def close(self) -> None:
        self._end("closed")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_PATIENCE):
                await self.disconnect()  # type: ignore[no-untyped-call]
        await super().close()  # type: ignore[no-untyped-call]
