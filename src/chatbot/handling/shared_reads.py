"""One look-up for everybody who asks the same before it begins.

When a queue fails, everybody asks at once. Whoever asks while a look-up runs gets the next one,
never a result from before they asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

__all__ = ["Shared"]


class Shared:
    """For each key, at most one look-up runs and one waits."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[Any]] = {}
        self._next: dict[Hashable, asyncio.Task[Any]] = {}

    async def get(self, key: Hashable, look_up: Callable[[], Awaitable[Any]]) -> Any:
        """What `look_up` returns or raises; cancelling one caller does not affect the others."""
        task = self._next.get(key)
        if task is None:
            task = asyncio.create_task(self._run(key, look_up, self._running.get(key)))
            task.add_done_callback(_hear)
            self._next[key] = task
        return await asyncio.shield(task)

    async def _run(
        self,
        key: Hashable,
        look_up: Callable[[], Awaitable[Any]],
        before: asyncio.Task[Any] | None,
    ) -> Any:
        if before is not None:
            await asyncio.wait({before})
        self._running[key] = self._next.pop(key)
        try:
            return await look_up()
        finally:
            del self._running[key]

    async def close(self) -> None:
        """Cancel every look-up."""
        tasks = [*self._running.values(), *self._next.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _hear(task: asyncio.Task[Any]) -> None:
    """Retrieve the exception, in case every caller is gone."""
    if not task.cancelled():
        task.exception()
