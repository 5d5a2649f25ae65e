"""Whether the process has just been suspended, with its container or its machine.

What came meanwhile is read only now, and Slack has told the person that it failed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

__all__ = ["Awake", "stay_awake"]

EVERY = 1.0
LONG = 4.0
"""Seconds; Slack waits for three."""
SETTLING = 2.0
"""Seconds within which all that waited is read."""


class Awake:
    """`clock`: monotonic seconds. It knows nothing until `note` is called again and again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._noted: float | None = None
        self._slept = 0.0
        self._woke = float("-inf")

    def note(self) -> None:
        now = self._clock()
        if self._noted is not None and now - self._noted > LONG:
            self._slept, self._woke = now - self._noted, now
        self._noted = now

    def slept(self) -> float:
        """For how many seconds, where that was right before; else 0.0."""
        if self._noted is None:
            return 0.0
        self.note()
        return self._slept if self._clock() - self._woke <= SETTLING else 0.0


async def stay_awake(awake: Awake) -> None:
    while True:
        awake.note()
        await asyncio.sleep(EVERY)
