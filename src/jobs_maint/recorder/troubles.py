"""What the recorder cannot do at the moment: one log line when that changes, none in between."""

from __future__ import annotations

import logging
import time

from jobs_maint.database import is_connection_lost
from jobs_maint.events import emit
from jobs_maint.recorder.store import describe_trouble

__all__ = ["Troubles"]

CONNECTION = "connection"


class Troubles:
    """Beats and failures go to different tables, so one may work while the other does not."""

    def __init__(self) -> None:
        self._retry_at: dict[str, float] = {}
        self._told: set[str] = set()
        self.reason = ""
        """Why the last one began; empty where there is none."""

    def __bool__(self) -> bool:
        return bool(self._retry_at)

    def has(self, what: str) -> bool:
        return not self._retry_at.keys().isdisjoint((what, CONNECTION))

    def may_try(self, what: str) -> bool:
        """Whether it works, or it is time to try again."""
        at = [self._retry_at[one] for one in (what, CONNECTION) if one in self._retry_at]
        return time.monotonic() >= max(at, default=0.0)

    def begin(self, what: str, exc: Exception, pause: float) -> None:
        """`what` failed. Each reason is logged once until all works again."""
        what = CONNECTION if is_connection_lost(exc) else what
        self._retry_at[what] = time.monotonic() + pause
        self.reason = describe_trouble(exc)
        reason = getattr(exc, "sqlstate", None) or type(exc).__name__
        if reason not in self._told:
            self._told.add(reason)
            emit("jobs_maint.recorder_failed", logging.WARNING, reason=self.reason)

    def end(self, what: str) -> bool:
        """`what` worked; returns whether that was the end of all troubles."""
        if not self._retry_at:
            return False
        for one in (what, CONNECTION):
            self._retry_at.pop(one, None)
        if not self._retry_at:
            self._told.clear()
            self.reason = ""
        return not self._retry_at
