"""A server that half-sent requests cannot deafen: deadlines, a cap of connections, a quiet log."""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler, RequestPayloadError

from chatbot.inbound.refusals import RefusalLog

__all__ = ["REFUSALS", "GuardedRunner", "mark_checked"]

log = logging.getLogger(__name__)

HEAD_DEADLINE = 10.0
"""Seconds from the connection to the end of the first request's head."""
KEEP_ALIVE = 15.0
MOST_CONNECTIONS = 256
"""Slack needs a few. Files are left for the database and for Slack."""
_QUIET = 60.0
_OUT_OF_FILES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

REFUSALS = web.AppKey("refusals", RefusalLog)
"""A site's own, which its server writes to as well."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def mark_checked(request: web.Request) -> None:
    """The signature is right: until the answer its connection gives way to no other."""
    cast("_Handler", request.protocol).checked = True


class GuardedRunner(web.AppRunner):
    """At the cap the oldest without a signed request gives way, so that Slack gets in."""

    __slots__ = ("_deadline", "_most", "_open", "_quiet_until")

    def __init__(
        self,
        site: web.Application,
        *,
        most: int | None = None,
        deadline: float = HEAD_DEADLINE,
        **more: Any,
    ) -> None:
        super().__init__(site, keepalive_timeout=KEEP_ALIVE, lingering_time=1.0, **more)
        self._most = most or _count_connections()
        self._deadline = deadline
        self._open: dict[_Handler, asyncio.Transport] = {}
        self._quiet_until = float("-inf")

        @web.middleware
        async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
            connection = cast("_Handler", request.protocol)
            connection.taken = request
            try:
                return await handler(request)
            finally:
                connection.checked = False

        site.middlewares.insert(0, note)

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        self._calm_the_loop()
        return _Server(self, made)

    def add(self, handler: _Handler, transport: asyncio.Transport) -> None:
        if len(self._open) >= self._most:
            idle = next((one for one in self._open if not one.checked), None)
            if idle is None:
                transport.abort()
                return
            # Forgotten at once: the loop tells of the loss only later.
            self._open.pop(idle).abort()
        self._open[handler] = transport
        asyncio.get_running_loop().call_later(self._deadline, self._end_if_silent, handler)

    def forget(self, handler: _Handler) -> None:
        self._open.pop(handler, None)

    def refuse(self, exc: BaseException | None) -> None:
        """aiohttp could not read a request. Not the exception itself: it quotes the request."""
        name = type(exc).__name__
        self.app[REFUSALS].warning("chatbot.request_refused reason=unreadable error=%s", name)

    def _end_if_silent(self, handler: _Handler) -> None:
        if handler in self._open and handler.taken is None:
            self._open.pop(handler).abort()

    def _calm_the_loop(self) -> None:
        """asyncio reports each failed accept, a hundred at a time, as an error with a traceback."""
        loop = asyncio.get_running_loop()
        before = loop.get_exception_handler()

        def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            exc = context.get("exception")
            if isinstance(exc, OSError) and exc.errno in _OUT_OF_FILES and "socket" in context:
                if loop.time() >= self._quiet_until:
                    self._quiet_until = loop.time() + _QUIET
                    log.error("chatbot.no_more_connections reason=%s", exc.strerror)
            elif before is not None:
                before(loop, context)
            else:
                loop.default_exception_handler(context)

        loop.set_exception_handler(handle)


class _Server(web.Server):
    """As it was made by aiohttp, with handlers of ours."""

    def __init__(self, runner: GuardedRunner, made: web.Server) -> None:
        self.__dict__.update(made.__dict__)
        self.runner = runner

    def __call__(self) -> RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self.runner.add(cast("_Handler", handler), transport)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self.runner.forget(cast("_Handler", handler))


class _Handler(RequestHandler):
    """aiohttp logs each request that it cannot read as an error of ours, with a traceback."""

    __slots__ = ("_runner", "checked", "taken")

    def __init__(self, server: _Server, **more: Any) -> None:
        super().__init__(server, **more)
        self._runner = server.runner
        self.taken: web.BaseRequest | None = None
        """The last request that it could read: what fails from then on is a fault of ours."""
        self.checked = False
        """Whether it works on a request whose signature is right."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if request is self.taken:
            return super().handle_error(request, status, exc, message)
        self._runner.refuse(exc)
        refused = web.Response(status=400)
        refused.force_close()
        return refused

    def log_exception(self, *args: Any, **more: Any) -> None:
        exc = more.get("exc_info")
        if isinstance(exc, HttpProcessingError | RequestPayloadError):  # the end of a body
            self._runner.refuse(exc)
        else:
            super().log_exception(*args, **more)


def _count_connections() -> int:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if files < 0 else max(min(MOST_CONNECTIONS, files // 2), 8)
