"""Socket Mode: Slack's requests over a connection that we open."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from slack_bolt.adapter.socket_mode.async_internals import send_async_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from chatbot.client import SlackClient
from chatbot.errors import SlackUnavailable
from chatbot.quiet import silent_logger

__all__ = ["SocketLink"]

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 20.0


class SocketLink:
    """One connection, renewed by the SDK when Slack asks for it or it breaks."""

    def __init__(self, app: AsyncApp, slack: SlackClient, app_token: str) -> None:
        self._app = app
        self._slack = slack
        self._app_token = app_token
        self._client: SocketModeClient | None = None

    async def connect(self) -> None:
        """Raises InvalidSettings for a bad app token, SlackUnavailable when nobody answers."""
        url = await self._slack.open_socket(self._app_token)
        client = SocketModeClient(
            app_token=self._app_token,
            logger=silent_logger(),
            web_client=self._slack.web,
            ping_interval=10,
        )
        # The SDK takes HTTP_PROXY even for 127.0.0.1.
        client.proxy = self._slack.web.proxy
        client.wss_uri = url
        client.socket_mode_request_listeners.append(self._handle)
        client.on_close_listeners.append(self._closed)
        self._client = client
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                # It tries for ever and tells nobody.
                await client.connect()  # type: ignore[no-untyped-call]
        except TimeoutError as exc:
            raise SlackUnavailable(
                f"Slack did not open the Socket Mode connection within {CONNECT_TIMEOUT:.0f} s"
            ) from exc

    async def is_connected(self) -> bool:
        return self._client is not None and await self._client.is_connected()

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()  # type: ignore[no-untyped-call]

    async def _handle(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        ask = AsyncBoltRequest(
            mode="socket_mode",
            body=request.payload,
            context={"delivery": f"envelope:{request.envelope_id}"},
        )
        answer = await self._app.async_dispatch(ask)
        await send_async_response(client, request, answer, 0.0)

    async def _closed(self, _message: Any) -> None:
        log.info("chatbot.connection_closed")
