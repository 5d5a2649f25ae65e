"""A GET each minute while all is sound: who watches cron jobs notices a bot that is dead."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import aiohttp

__all__ = ["EVERY", "Heartbeat", "keep_beating"]

log = logging.getLogger(__name__)

EVERY = 60.0
TIMEOUT = 10.0
"""Seconds."""


class Heartbeat:
    """`find_problem`: None while all is sound. The address is a secret: logs name its host only."""

    def __init__(self, url: str, find_problem: Callable[[], Awaitable[str | None]]) -> None:
        self._url = url
        self._find_problem = find_problem
        self._told = ""
        """The last state that was logged: once, not each minute."""

    async def beat(self) -> bool:
        """Whether a beat was sent and accepted."""
        if (problem := await self._find_problem()) is not None:
            if self._told != "withheld":
                log.warning("chatbot.heartbeat_withheld reason=%s", problem)
            self._told = "withheld"
            return False
        if (refused := await knock(self._url)) is not None:
            if self._told != "failed":
                log.warning("chatbot.heartbeat_failed reason=%s", refused)
            self._told = "failed"
            return False
        if self._told:
            log.info("chatbot.heartbeat_back")
        self._told = ""
        return True


async def knock(url: str) -> str | None:
    """GET it; returns why that failed, without the address."""
    host = urlsplit(url).hostname
    try:
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT), trust_env=True
            ) as session,
            session.get(url) as answer,
        ):
            status = answer.status
    except TimeoutError:
        return f"{host} did not answer within {TIMEOUT:.0f} s"
    except (aiohttp.ClientError, ValueError, OSError) as exc:
        return f"{host} cannot be reached ({type(exc).__name__})"
    return None if status < 400 else f"{host} answered with status {status}"


async def keep_beating(heartbeat: Heartbeat, every: float = EVERY) -> None:
    """Until cancelled."""
    while True:
        try:
            await heartbeat.beat()
        except Exception as exc:  # noqa: BLE001  it may quote the address
            log.error("chatbot.heartbeat_broken error=%s", type(exc).__name__)  # noqa: TRY400
        await asyncio.sleep(every)
