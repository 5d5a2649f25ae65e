"""Posting to the address that comes with a command or a click."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from chatbot.slack.refusals import get_retry_after

__all__ = ["NO_ANSWER", "UNREACHED", "ResponseUrls"]

NO_ANSWER, UNREACHED = 0, -1
"""Instead of a status. After NO_ANSWER nobody knows whether Slack has it; UNREACHED, it has not."""
USES = 5
LIFE = 1_800.0
_MOST = 5_000
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(slots=True)
class _Count:
    since: float
    uses: int = 0


class ResponseUrls:
    """One session for all of them. The address is a secret: whoever has it may answer.

    Slack takes 5 answers within 30 minutes; they are counted here from the first one on.
    """

    def __init__(
        self, timeout: float, clock: Callable[[], float], *, proxy: str | None = None
    ) -> None:
        self._timeout = timeout
        self._clock = clock
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None
        self._counts: dict[bytes, _Count] = {}

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def count_left(self, url: str) -> int:
        """How many more answers Slack takes there; what was forgotten counts as fresh."""
        count = self._counts.get(_digest(url))
        if count is None:
            return USES
        return max(USES - count.uses, 0) if self._clock() - count.since < LIFE else 0

    async def post(self, url: str, body: Mapping[str, Any]) -> tuple[int, str, float]:
        """Status, NO_ANSWER or UNREACHED; the beginning of the answer; how long it asks to wait."""
        count = self._get_count(url)
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._timeout), trust_env=False
            )
        count.uses += 1
        try:
            through = None if urlsplit(url).hostname in _LOOPBACK else self._proxy
            async with self._session.post(url, json=body, proxy=through) as answer:
                text = (await answer.content.read(2_000)).decode("utf-8", "replace")
                if 400 <= answer.status < 500:
                    count.uses -= 1  # refused, so not used
                return answer.status, text, get_retry_after(answer.headers)
        except aiohttp.ClientConnectorError:
            count.uses -= 1
            return UNREACHED, "", 0.0
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return NO_ANSWER, "", 0.0

    def _get_count(self, url: str) -> _Count:
        key = _digest(url)
        if key not in self._counts:
            self._forget()
            self._counts[key] = _Count(self._clock())
        return self._counts[key]

    def _forget(self) -> None:
        """Slack itself knows the ones forgotten; it answers 404."""
        if len(self._counts) < _MOST:
            return
        old = [k for k, one in self._counts.items() if self._clock() - one.since >= LIFE]
        for key in old or [next(iter(self._counts))]:
            del self._counts[key]


def _digest(url: str) -> bytes:
    return hashlib.blake2b(url.encode("utf-8", "replace"), digest_size=16).digest()
