"""Socket Mode: Slack's requests over a connection that we open, and the next one in time.

Slack ends each connection after some hours, with a warning. At the warning the next one is opened,
and the old one stays until Slack has released it, so that no request falls into a gap. A broken
connection is reopened, with growing pauses while that fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable

import aiohttp
from slack_bolt.adapter.socket_mode.async_internals import send_async_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from chatbot.inbound.socket_connection import Connection
from chatbot.runtime.logs import identified
from chatbot.slack.errors import SlackUnavailable
from chatbot.slack.web_api import WebApi
from jobs_maint.errors import InvalidSettings, JobsMaintError

__all__ = ["SocketLink"]

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 20.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
LINGER = 30.0
"""Seconds that an old connection stays after a warning; Slack releases it after about ten."""
STEADY = 10.0
"""Seconds; if connections end sooner, one after another, the pauses between them grow."""


_REASONS = {
    "link_disabled": (
        "Socket Mode is switched off for this app; switch it on under Socket Mode on the app's page"
    ),
    "too_many_websockets": (
        "the app has ten connections already, the most that Slack allows; stop other bots that "
        "use this app token"
    ),
    "closed": "the connection broke",
}
_ROUTINE = {"warning", "refresh_requested"}


def _explain(reason: str) -> str:
    return f"{_REASONS[reason]} ({reason})" if reason in _REASONS else f"Slack said {reason}"


class SocketLink:
    """The connection over which requests arrive, kept open until `close`."""

    def __init__(
        self,
        app: AsyncApp,
        web: WebApi,
        app_token: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._app = app
        self._web = web
        self._app_token = app_token
        self._clock = clock
        self._sleep = sleep
        self._current: Connection | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._retiring: dict[asyncio.Task[None], Connection] = {}
        self._why = "it is not open yet"
        self._lost_at: float | None = None
        self._told: set[str] = set()

    async def connect(self) -> None:
        """Raises InvalidSettings for a bad app token, SlackUnavailable without an answer."""
        self._current = await self._open()
        self._keeper = asyncio.create_task(self._keep(self._current))

    async def wait(self) -> None:
        """Return when closed; raise InvalidSettings when Slack no longer accepts the app token."""
        if self._keeper is not None:
            await asyncio.wait({self._keeper})
            if not self._keeper.cancelled():
                self._keeper.result()

    @property
    def problem(self) -> str | None:
        """None while requests can arrive, otherwise why they cannot."""
        if any(one.serves for one in self._connections()):
            return None
        return f"there is no Socket Mode connection to Slack: {self._why}"

    async def close(self) -> None:
        """Acknowledge what was received, and accept nothing more."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        connections = self._connections()
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*(one.finish() for one in connections))

    def _connections(self) -> list[Connection]:
        current = [] if self._current is None else [self._current]
        return [*current, *self._retiring.values()]

    async def _keep(self, current: Connection) -> None:
        short_lived = 0
        while True:
            opened_at = self._clock()
            await current.leaving.wait()
            reason = current.reason
            if reason not in _ROUTINE:
                self._lose(_explain(reason))
            short_lived = 0 if self._clock() - opened_at > STEADY else short_lived + 1
            if short_lived > 2:
                await self._sleep(min(FIRST_PAUSE * 2 ** (short_lived - 3), LONGEST_PAUSE))
            following = await self._open_again()
            self._current = following
            self._retire(current)
            if self._lost_at is None:
                log.info("chatbot.connection_renewed reason=%s", reason)
            else:
                log.info("chatbot.connection_back seconds=%.0f", self._clock() - self._lost_at)
                self._lost_at = None
                self._told.clear()
            current = following

    async def _open_again(self) -> Connection:
        """Try until it succeeds; only a refused token ends it."""
        pause = FIRST_PAUSE
        while True:
            try:
                return await self._open()
            except InvalidSettings:
                raise
            except JobsMaintError as exc:
                self._why = str(exc)
                if self.problem is not None:
                    self._lose(self._why)
                asked = getattr(exc, "pause", 0.0)
            # So that not all replicas try at the same moment.
            await self._sleep(max(asked, pause * random.uniform(0.5, 1.0)))  # noqa: S311
            pause = min(2 * pause, LONGEST_PAUSE)

    def _lose(self, why: str) -> None:
        """Log each reason of an outage once."""
        self._why = why
        if self._lost_at is None:
            self._lost_at = self._clock()
        if why not in self._told:
            self._told.add(why)
            log.warning("chatbot.connection_lost reason=%s", why)

    async def _open(self) -> Connection:
        url = await self._web.open_socket(self._app_token)
        connection = Connection(self._app_token, url, self._web.sdk, self._handle)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await connection.connect()
                await _first_of(connection.greeted, connection.leaving)
        except TimeoutError as exc:
            await connection.close()
            raise SlackUnavailable(
                f"Slack did not open the Socket Mode connection within {CONNECT_TIMEOUT:.0f} s"
            ) from exc
        except (aiohttp.ClientError, OSError) as exc:
            await connection.close()
            # Not the error's text: it quotes the address, which is a secret.
            raise SlackUnavailable(
                f"Slack did not open the Socket Mode connection: {type(exc).__name__}"
            ) from exc
        except BaseException:
            await connection.close()
            raise
        if connection.released.is_set():
            reason = connection.reason
            await connection.close()
            raise SlackUnavailable(
                f"Slack ended the Socket Mode connection at once: {_explain(reason)}"
            )
        return connection

    def _retire(self, old: Connection) -> None:
        async def wait_and_close() -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    await old.released.wait()
            await old.finish()

        task = asyncio.create_task(wait_and_close())
        self._retiring[task] = old
        task.add_done_callback(self._retiring.pop)

    async def _handle(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        with identified():
            ask = AsyncBoltRequest(
                mode="socket_mode",
                body=request.payload,
                context={"delivery": f"envelope:{request.envelope_id}"},
            )
            answer = await self._app.async_dispatch(ask)
            await send_async_response(client, request, answer, 0.0)


async def _first_of(*events: asyncio.Event) -> None:
    tasks = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
