"""Posting to the address that comes with a command or a click."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from chatbot.slack_errors import get_retry_after

__all__ = ["ResponseUrls"]

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class ResponseUrls:
    """One session for all of them. The address is a secret: whoever has it may answer."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(
        self, url: str, body: Mapping[str, Any], *, proxy: str | None
    ) -> tuple[int, str, float]:
        """Status, the beginning of the answer, and how long it asks to wait; 0: no answer."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._timeout), trust_env=False
            )
        try:
            through = None if urlsplit(url).hostname in _LOOPBACK else proxy
            async with self._session.post(url, json=body, proxy=through) as answer:
                text = (await answer.content.read(2_000)).decode("utf-8", "replace")
                return answer.status, text, get_retry_after(answer.headers)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return 0, "", 0.0
