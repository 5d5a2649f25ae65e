"""How many reads run at the same time: over all, and of one person.

A read may take the database seconds, and so may the preview of a set. Acts need a connection
meanwhile: reads never hold more than half of the pool, and previews no more than a quarter, so that
neither waits for the other. The check of readiness has a pool of its own.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from jobs_maint.errors import InvalidRequest

__all__ = ["ReadLimits"]

_RUNNING = 2
_WAITING = 4
_MOST_WAITING = 100


class ReadLimits:
    """`most` run at once. Of one person fewer run, a few wait, and the rest is refused."""

    def __init__(self, most: int) -> None:
        self._all = asyncio.Semaphore(max(most, 1))
        self._own = max(1, min(_RUNNING, most - 1))
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._asked: Counter[str] = Counter()

    @asynccontextmanager
    async def turn(self, person: str) -> AsyncIterator[None]:
        """Raises InvalidRequest for whoever has asked for too much already."""
        if self._asked[person] >= self._own + _WAITING:
            raise InvalidRequest(
                f"{self._asked[person]} of your questions are still being answered, which is the "
                "most for one person; ask again when their answers are there"
            )
        if self._asked.total() >= _MOST_WAITING:
            raise InvalidRequest(
                f"{_MOST_WAITING} questions are still being answered, which is the most that this "
                "bot takes; ask again in a minute"
            )
        self._asked[person] += 1
        own = self._turns.setdefault(person, asyncio.Semaphore(self._own))
        try:
            async with own, self._all:
                yield
        finally:
            self._asked[person] -= 1
            if not self._asked[person]:
                del self._asked[person]
                self._turns.pop(person, None)
