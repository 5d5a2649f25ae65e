"""Bodies of requests that nobody has checked yet: read in time, bounded over all connections."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

__all__ = ["Bodies", "BodyRefused"]

READ_DEADLINE = 10.0
MOST_HELD = 8 * 1024 * 1024


class BodyRefused(Exception):
    """`reason` for the log, `status` for whoever sent it."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class Bodies:
    """One for the server; `most`: bytes of all bodies that are being read."""

    def __init__(self, *, most: int = MOST_HELD, deadline: float = READ_DEADLINE) -> None:
        self._most = most
        self._deadline = deadline
        self._held = 0

    async def read(self, request: web.Request, limit: int) -> bytes:
        """Raises BodyRefused."""
        if (request.content_length or 0) > limit:
            raise BodyRefused("too_large", 413)
        body = bytearray()
        try:
            async with asyncio.timeout(self._deadline):
                while chunk := await request.content.readany():
                    body += chunk
                    self._held += len(chunk)
                    if len(body) > limit:
                        raise BodyRefused("too_large", 413)
                    if self._held > self._most:
                        raise BodyRefused("too_much_at_once", 503)
        except TimeoutError:
            raise BodyRefused("too_slow", 408) from None
        except (RequestPayloadError, HttpProcessingError, ConnectionError):
            # It does not match its own headers, or whoever sent it left; its end was never read.
            raise BodyRefused("broken_body", 401) from None
        finally:
            self._held -= len(body)
        return bytes(body)
