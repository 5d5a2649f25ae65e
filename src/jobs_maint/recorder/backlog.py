"""Failures on their way to the database: how many may wait, and how many never got there."""

from __future__ import annotations

import collections
import logging
import threading
from collections.abc import Sequence

from jobs_maint.events import emit
from jobs_maint.recorder.failure import Failure

__all__ = ["Backlog"]

MOST_WAITING = 1_000
"""Failures held in memory while the database is slow or away; more are counted, not recorded."""


class Backlog:
    """Used by the jobs' threads and the recorder's."""

    def __init__(self) -> None:
        self._held: collections.deque[Failure] = collections.deque()
        self._lock = threading.Lock()
        self._unsaved = 0
        """All that came and is not stored: held, on the way or given up."""
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._held)

    def admit(self, elsewhere: int) -> bool:
        """Count a new failure; False when it must be dropped. `elsewhere`: others that wait."""
        with self._lock:
            self._unsaved += 1
            room = len(self._held) + elsewhere < MOST_WAITING
            self._dropped += not room
        return room

    def hold(self, failures: Sequence[Failure]) -> None:
        self._held.extend(failures)

    def take(self) -> list[Failure]:
        return [self._held.popleft() for _ in range(len(self._held))]

    def put_back(self, failures: Sequence[Failure], elsewhere: int) -> None:
        """They could not be stored now; those for which there is no room are dropped."""
        room = max(0, MOST_WAITING - len(self._held) - elsewhere)
        self._held.extendleft(reversed(failures[:room]))
        with self._lock:
            self._dropped += len(failures[room:])

    def note_stored(self, number: int, refused: int) -> None:
        with self._lock:
            self._unsaved -= number - refused
            self._dropped += refused

    def take_dropped(self) -> int:
        """How many were dropped or refused since this was last asked."""
        with self._lock:
            dropped, self._dropped = self._dropped, 0
            self._unsaved -= dropped
        return dropped

    def tell_unsaved(self) -> None:
        """The last word of a process or its last worker: how many failures are not stored."""
        with self._lock:
            count, self._unsaved, self._dropped = self._unsaved, 0, 0
        if count > 0:
            reason = "the worker ended before they were stored"
            emit("jobs_maint.failures_unrecorded", logging.WARNING, count=count, reason=reason)
