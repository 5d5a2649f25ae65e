"""The log lines of refused requests: anybody may send those, and must not fill a disk."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter

__all__ = ["RefusalLog"]

log = logging.getLogger(__name__)

FIRST = 5
"""Lines of one reason in a minute; the others are counted."""
MINUTE = 60.0
_REASON = re.compile(r"reason=(\w+)")


class RefusalLog:
    """One for all that a server refuses."""

    def __init__(self, *, seconds: float = MINUTE) -> None:
        self._seconds = seconds
        self._seen: Counter[str] = Counter()

    def warning(self, line: str, *args: object) -> None:
        """As a logger's; the line has a `reason`."""
        found = _REASON.search(line % args)
        reason = found[1] if found else ""
        if not self._seen:
            asyncio.get_running_loop().call_later(self._seconds, self.tell)
        self._seen[reason] += 1
        if self._seen[reason] <= FIRST:
            log.warning(line, *args)

    def tell(self) -> None:
        """How many lines were left out since the first one, by reason; then it begins anew."""
        for reason, number in self._seen.items():
            if number > FIRST:
                log.warning(
                    "chatbot.request_refused reason=%s more=%d seconds=%.0f",
                    reason, number - FIRST, self._seconds,
                )  # fmt: skip
        self._seen.clear()
