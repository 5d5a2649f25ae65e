"""Failures on their way to the database: how many may wait, and how many never got there."""

from __future__ import annotations

import collections
import logging
import threading
import time
from collections.abc import Sequence

from jobs_maint.events import emit
from jobs_maint.recorder.failure import Failure

__all__ = ["Backlog"]

MOST_WAITING = 1_000
"""Failures held in memory while the database is slow or away; more are counted, not recorded."""
MOST_ASIDE = 100
MOST_TRIES = 6
TRY_SECONDS = 5.0
"""Between two tries of the failures that were put aside."""


class Backlog:
    """Used by the jobs' threads and the recorder's."""

    def __init__(self) -> None:
        self._held: collections.deque[Failure] = collections.deque()
        self._aside: collections.deque[tuple[Failure, int]] = collections.deque()
        """Refused while others were stored, with the number of tries: no other waits for them."""
        self._try_at = 0.0
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

    def put_aside(self, failures: Sequence[tuple[Failure, int]]) -> bool:
        """With how often each was tried; returns whether some were dropped, tried enough."""
        kept = [(failure, tries) for failure, tries in failures if tries < MOST_TRIES]
        self._aside.extend(kept)
        dropped = len(failures) - len(kept)
        while len(self._aside) > MOST_ASIDE:
            self._aside.popleft()
            dropped += 1
        with self._lock:
            self._dropped += dropped
        return dropped > 0

    def take_aside(self, *, last: bool) -> list[tuple[Failure, int]]:
        """Those put aside, when it is time to try them again; `last`: it always is."""
        if not last and time.monotonic() < self._try_at:
            return []
        taken = list(self._aside)
        self._aside.clear()
        self._try_at = time.monotonic() + TRY_SECONDS
        return taken

    def measure(self) -> tuple[int, int, float]:
        """How many wait, how many were dropped since that was last told, and since when they do."""
        waiting = [*self._held.copy(), *(failure for failure, _ in self._aside.copy())]
        oldest = min((one.happened_at for one in waiting), default=time.monotonic())
        return len(waiting), self._dropped, oldest

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
