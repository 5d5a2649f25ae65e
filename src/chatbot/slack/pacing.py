"""One message a second and channel, 50 edits a minute, as Slack asks."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

__all__ = ["EditBudget", "NotBefore", "Pacer"]

INTERVAL = 1.0
MINUTE = 60.0
MOST_EDITS = 50
MOST_PROGRESS = 40
MOST_OF_ONE = 15
"""Edits a minute that one person causes before those of others."""
LONGEST_HOLD = 30.0
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


class NotBefore:
    """Until when Slack wants to be left alone, by what was asked; also after a call gave up."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def hold(self, what: str, pause: float) -> None:
        now = self._clock()
        if len(self._until) > _MOST:
            self._until = {name: until for name, until in self._until.items() if until > now}
        self._until[what] = max(self._until.get(what, now), now + pause)

    def count_seconds(self, what: str) -> float:
        return max(self._until.get(what, 0.0) - self._clock(), 0.0)


class EditBudget:
    """A limit of edits in any minute; progress edits take turns."""

    def __init__(
        self, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._sent: deque[float] = deque(maxlen=MOST_EDITS)
        self._held_until = 0.0
        self._turn = asyncio.Lock()
        self._by_person: dict[str, deque[float]] = {}

    async def take(self, *, final: bool, person: str = "") -> None:
        """`person`: who caused the edit; whoever causes many waits before the others do."""
        if final:
            await self._wait_for(person)
            await self._wait(MOST_EDITS)
            return
        async with self._turn:
            await self._wait(MOST_PROGRESS)

    async def _wait_for(self, person: str) -> None:
        if not person:
            return
        while True:
            now = self._clock()
            own = self._by_person.setdefault(person, deque(maxlen=MOST_OF_ONE))
            while own and own[0] <= now - MINUTE:
                own.popleft()
            if len(own) < MOST_OF_ONE:
                break
            await self._sleep(own[0] + MINUTE - now)
        own.append(self._clock())
        if len(self._by_person) > _MOST:
            old = {name for name, sent in self._by_person.items() if sent[-1] <= now - MINUTE}
            self._by_person = {k: v for k, v in self._by_person.items() if k not in old}

    def hold(self, pause: float) -> None:
        """Slack asked for a pause."""
        self._held_until = max(self._held_until, self._clock() + min(pause, LONGEST_HOLD))

    async def _wait(self, most: int) -> None:
        while (pause := self._get_pause(most)) > 0:
            await self._sleep(pause)
        self._sent.append(self._clock())

    def _get_pause(self, most: int) -> float:
        now = self._clock()
        while self._sent and self._sent[0] <= now - MINUTE:
            self._sent.popleft()
        room = self._sent[-most] + MINUTE if len(self._sent) >= most else 0.0
        return max(room, self._held_until) - now
