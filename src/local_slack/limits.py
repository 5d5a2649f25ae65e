"""How often the app may call."""

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Bucket:
    """`size` calls at once, then `per_second`; a refused call costs nothing."""

    size: float
    per_second: float
    level: float
    at: float

    def take(self, now: float) -> float:
        """Return 0 when the call may go on, else the seconds until one may."""
        self.level = min(self.size, self.level + (now - self.at) * self.per_second)
        self.at = now
        # A whole second allows a whole message: do not fail on the float's last digit.
        if self.level >= 1 - 1e-6:
            self.level -= 1
            return 0.0
        return (1 - self.level) / self.per_second


class RateLimiter:
    """1 message/s/channel with a short burst; the other methods by their tier per minute."""

    def __init__(self, clock: Callable[[], float], burst: int) -> None:
        self._clock = clock
        self._burst = burst
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def retry_after_post(self, channel: str) -> int:
        return self._take(("chat.postMessage", channel), self._burst, 1.0)

    def retry_after_call(self, method: str, per_minute: int) -> int:
        return self._take((method, ""), per_minute, per_minute / 60)

    def _take(self, key: tuple[str, str], size: float, per_second: float) -> int:
        now = self._clock()
        bucket = self._buckets.setdefault(key, Bucket(size, per_second, size, now))
        return math.ceil(bucket.take(now))
