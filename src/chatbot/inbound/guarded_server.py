"""A server that half-sent requests cannot deafen: deadlines, a cap of connections, a quiet log."""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

__all__ = ["GuardedRunner", "mark_checked"]

log = logging.getLogger(__name__)

_checked: set[int] = set()
"""Ids of the requests in work whose signature is right."""
HEAD_DEADLINE = 10.0
"""Seconds from the connection to the end of the first request's head."""
KEEP_ALIVE = 15.0
MOST_CONNECTIONS = 256
"""Slack needs a few. Files are left for the database and for Slack."""
_QUIET = 60.0
_OUT_OF_FILES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def mark_checked(request: web.Request) -> None:
    """The signature is right: until the answer its connection gives way to no other."""
    _checked.add(id(request))


class GuardedRunner(web.AppRunner):
    """At the cap the oldest without a signed request gives way, so that Slack gets in."""

    __slots__ = ("_begun", "_current", "_deadline", "_most", "_open", "_quiet_until")

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
        self._open: dict[RequestHandler, asyncio.Transport] = {}
        self._begun: set[RequestHandler] = set()
        self._current: dict[RequestHandler, web.Request] = {}
        self._quiet_until = float("-inf")

        @web.middleware
        async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
            there = request.protocol
            self._begun.add(there)
            self._current[there] = request
            try:
                return await handler(request)
            finally:
                self._current.pop(there, None)
                _checked.discard(id(request))

        site.middlewares.insert(0, note)

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        made, lost = server.connection_made, server.connection_lost

        def connection_made(handler: RequestHandler, transport: asyncio.Transport) -> None:
            made(handler, transport)
            self._add(handler, transport)

        def connection_lost(handler: RequestHandler, exc: BaseException | None = None) -> None:
            lost(handler, exc)
            self._open.pop(handler, None)
            self._begun.discard(handler)

        server.connection_made = connection_made  # type: ignore[method-assign]
        server.connection_lost = connection_lost  # type: ignore[method-assign]
        self._calm_the_loop()
        return server

    def _add(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        if len(self._open) >= self._most:
            idle = next((one for one in self._open if not self._is_checked(one)), None)
            if idle is None:
                transport.abort()
                return
            # Forgotten at once: the loop tells of the loss only later.
            self._open.pop(idle).abort()
        self._open[handler] = transport
        asyncio.get_running_loop().call_later(self._deadline, self._end_if_silent, handler)

    def _is_checked(self, handler: RequestHandler) -> bool:
        request = self._current.get(handler)
        return request is not None and id(request) in _checked

    def _end_if_silent(self, handler: RequestHandler) -> None:
        if handler in self._open and handler not in self._begun:
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


def _count_connections() -> int:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if files < 0 else max(min(MOST_CONNECTIONS, files // 2), 8)
