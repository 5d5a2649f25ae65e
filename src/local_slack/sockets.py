"""Socket Mode: the app's WebSocket connections, envelopes out, acks in.

Documented: up to 10 connections, an envelope goes to any one; a `warning` comes about 10 s before
the connection is closed, an app can open the next one meanwhile.
"""

import asyncio
import json
import secrets
import time
from typing import Any

from aiohttp import WSMsgType, web

from local_slack.config import Config
from local_slack.journal import Journal

GRACE_SECONDS = 1.0


class Sockets:
    """The open connections; an envelope goes to any one of them."""

    def __init__(self, config: Config, journal: Journal) -> None:
        self._config = config
        self._journal = journal
        self._tickets: set[str] = set()
        self._connections: list[web.WebSocketResponse] = []
        self._leaving: dict[web.WebSocketResponse, asyncio.Task[None]] = {}
        self._warned: dict[web.WebSocketResponse, asyncio.Task[None]] = {}
        self._gaps: list[float] = []
        self._alone_since: float | None = None
        self._turn = 0
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._acked: set[str] = set()
        self._timed_out: set[str] = set()
        self._opened = asyncio.Event()

    @property
    def count(self) -> int:
        return len(self._connections)

    @property
    def gaps(self) -> list[float]:
        """How long no connection was open, each time since the first; the last may still go on."""
        if self._alone_since is None:
            return list(self._gaps)
        return [*self._gaps, time.monotonic() - self._alone_since]

    def issue_ticket(self) -> str:
        ticket = secrets.token_urlsafe(16)
        self._tickets.add(ticket)
        return ticket

    async def handle(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            self._journal.add_breach("invalid_ticket", "a WebSocket URL was invented or used twice")
            return web.Response(status=403, text="this WebSocket URL is not valid")
        self._tickets.remove(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if self.count >= self._config.limits.connections:
            self._journal.add_breach("too_many_websockets", f"{self.count} are already open")
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return socket
        self._connections.append(socket)
        self._gaps, self._alone_since = self.gaps, None
        try:
            await self._serve(socket)
        finally:
            self._forget(socket)
        return socket

    async def _serve(self, socket: web.WebSocketResponse) -> None:
        await socket.send_json(
            {
                "type": "hello",
                "num_connections": self.count,
                "debug_info": {"host": "local", "approximate_connection_time": 18060},
                "connection_info": {"app_id": self._config.app.app_id},
            }
        )
        self._opened.set()
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self._take_ack(message.data)

    def _forget(self, socket: web.WebSocketResponse) -> None:
        if socket in self._connections:
            self._connections.remove(socket)
            if not self._connections:
                self._alone_since = time.monotonic()
        for tasks in (self._leaving, self._warned):
            task = tasks.pop(socket, None)
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        if not self._connections:
            self._opened.clear()

    def _take_ack(self, text: str) -> None:
        try:
            ack = json.loads(text)
            envelope_id = ack["envelope_id"]
        except (ValueError, TypeError, KeyError):
            self._journal.add_breach(
                "malformed_ack", "an ack is not a JSON object with envelope_id"
            )
            return
        waiter = self._waiting.pop(envelope_id, None)
        if waiter is not None:
            self._acked.add(envelope_id)
            waiter.set_result(ack.get("payload"))
        elif envelope_id in self._acked:
            self._journal.add_breach("duplicate_ack", "an envelope was acked twice")
        elif envelope_id not in self._timed_out:
            self._journal.add_breach("unknown_envelope", "an ack names an envelope never sent")

    async def send(
        self,
        kind: str,
        payload: Any,
        envelope_id: str,
        *,
        timeout: float,  # noqa: ASYNC109 - Slack's limit
        takes_answer: bool,
    ) -> Any:
        """Return the ack's payload; raise TimeoutError, or ConnectionError without an app."""
        if not self._connections:
            raise ConnectionError("no Socket Mode connection is open")
        self._turn += 1
        socket = self._connections[self._turn % self.count]
        waiter = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = waiter
        self._acked.discard(envelope_id)
        envelope = {
            "envelope_id": envelope_id,
            "type": kind,
            "accepts_response_payload": takes_answer,
            "payload": payload,
        }
        try:
            async with asyncio.timeout(timeout):
                await socket.send_json(envelope)
                return await waiter
        except TimeoutError:
            self._timed_out.add(envelope_id)
            raise
        finally:
            self._waiting.pop(envelope_id, None)

    async def wait_until_open(self, timeout: float) -> None:  # noqa: ASYNC109 - the wait is the point
        try:
            async with asyncio.timeout(timeout):
                await self._opened.wait()
        except TimeoutError as exc:
            raise TimeoutError(f"no Socket Mode connection within {timeout:g} s") from exc

    async def disconnect(self, reason: str) -> None:
        """Ask connections to leave.

        A `warning` goes to all, which stay in use until `Limits.warning_seconds` are over. Any
        other reason goes to those that were warned, or to all if none was; nothing more is sent
        to them, and one that does not leave by itself is closed after a second.
        """
        if reason == "warning":
            for socket in list(self._connections):
                await self._warn(socket)
            return
        for socket in list(self._warned or self._connections):
            await self._dismiss(socket, reason)

    async def close(self) -> None:
        for tasks in (self._leaving, self._warned):
            for socket, task in list(tasks.items()):
                task.cancel()
                await socket.close()
        for socket in list(self._connections):
            await socket.close()

    async def _warn(self, socket: web.WebSocketResponse) -> None:
        if socket not in self._warned:
            await socket.send_json({"type": "disconnect", "reason": "warning"})
            self._warned[socket] = asyncio.create_task(self._dismiss_later(socket))

    async def _dismiss_later(self, socket: web.WebSocketResponse) -> None:
        await asyncio.sleep(self._config.limits.warning_seconds)
        await self._dismiss(socket, "refresh_requested")

    async def _dismiss(self, socket: web.WebSocketResponse, reason: str) -> None:
        await socket.send_json({"type": "disconnect", "reason": reason})
        self._forget(socket)
        self._leaving[socket] = asyncio.create_task(self._throw_out(socket))

    async def _throw_out(self, socket: web.WebSocketResponse) -> None:
        await asyncio.sleep(GRACE_SECONDS)
        await socket.close()
