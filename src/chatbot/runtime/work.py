"""What runs after the acknowledgement: tracked, so that a shutdown waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from chatbot.runtime.logs import identified

__all__ = ["Work"]

log = logging.getLogger(__name__)


class Work:
    """Tasks in flight. Their exceptions are logged and never reach the caller.

    `stopping` is set when the process is about to end: long work checks it between batches.
    """

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        with identified():
            task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            log.error("chatbot.work_failed error=%s", type(exc).__name__, exc_info=exc)

    @property
    def in_flight(self) -> int:
        return len(self._tasks)

    async def drain(self, seconds: float) -> int:
        """Wait up to `seconds` for all tasks, then cancel the rest; returns their number."""
        deadline = asyncio.get_running_loop().time() + seconds
        while self._tasks:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await asyncio.wait(set(self._tasks), timeout=left)
        late = list(self._tasks)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)
