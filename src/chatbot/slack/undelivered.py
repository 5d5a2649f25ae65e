"""What went wrong with messages, kept for `doctor`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from chatbot.slack.errors import SlackRefused, SlackUnavailable

__all__ = ["DeliveryLog", "DeliveryProblem"]

_MOST = 200


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class DeliveryProblem:
    """The last one of a channel; `delivered_at`: since then a message arrived there."""

    channel: str
    at: datetime
    reason: str
    text: str
    count: int = 1
    delivered_at: datetime | None = None


class DeliveryLog:
    """Of this process: the last problem of each channel, at most of 200 channels."""

    def __init__(self, now: Callable[[], datetime] = _now) -> None:
        self._now = now
        self._problems: dict[str, DeliveryProblem] = {}

    def list_problems(self) -> tuple[DeliveryProblem, ...]:
        """What is still so first, then the newest first."""
        found = sorted(self._problems.values(), key=lambda one: one.at, reverse=True)
        return tuple(sorted(found, key=lambda one: one.delivered_at is not None))

    @contextlib.contextmanager
    def watch(self, channel: str) -> Iterator[None]:
        """One delivery to the channel."""
        try:
            yield
        except (SlackRefused, SlackUnavailable) as exc:
            self._add(channel, exc)
            raise
        if channel in self._problems:
            seen = self._problems[channel]
            self._problems[channel] = replace(seen, delivered_at=self._now())

    def _add(self, channel: str, exc: SlackRefused | SlackUnavailable) -> None:
        before = self._problems.pop(channel, None)
        reason = exc.reason if isinstance(exc, SlackRefused) else exc.code
        count = before.count + 1 if before else 1
        if len(self._problems) >= _MOST:
            # The one that was added longest ago.
            del self._problems[next(iter(self._problems))]
        self._problems[channel] = DeliveryProblem(channel, self._now(), reason, str(exc), count)
