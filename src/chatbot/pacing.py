"""One message a second and channel, as Slack asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

__all__ = ["Pacer"]

INTERVAL = 1.0
_MOST = 500


class Pacer:
    """Turns of one channel come one after another, at least a second apart."""

    def __init__(
        self, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._locks: dict[str, asyncio.Lock] = {}
        self._next: dict[str, float] = {}

    @asynccontextmanager
    async def turn(self, channel: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(channel, asyncio.Lock())
        async with lock:
            pause = self._next.get(channel, 0.0) - self._clock()
            if pause > 0:
                await self._sleep(pause)
            try:
                yield
            finally:
                self._next[channel] = self._clock() + INTERVAL
                self._forget_idle()

    def _forget_idle(self) -> None:
        if len(self._next) <= _MOST:
            return
        now = self._clock()
        for channel, at in list(self._next.items()):
            if at <= now and not self._locks[channel].locked():
                del self._next[channel], self._locks[channel]
