"""What can go wrong between us and Slack."""

from __future__ import annotations

from jobs_maint.errors import JobsMaintError

__all__ = ["SlackRefused", "SlackUnavailable", "is_about_membership"]


class SlackUnavailable(JobsMaintError):
    """Slack cannot be reached, does not answer in time, or asks for a longer pause than we take.

    `maybe_done`: the request was sent, and nobody knows whether Slack took it. `pause`: seconds for
    which Slack wants to be left alone, 0 when it did not say.
    """

    code = "slack_unavailable"
    exit_code = 69

    def __init__(self, message: str, *, maybe_done: bool = False, pause: float = 0.0) -> None:
        super().__init__(message)
        self.maybe_done = maybe_done
        self.pause = pause


class SlackRefused(JobsMaintError):
    """Slack understood and said no; `reason` is its own word, such as `not_in_channel`.

    `details` are what it says of single blocks; `needed` the scopes that would help.
    """

    code = "slack_refused"
    exit_code = 78

    def __init__(
        self, message: str, *, reason: str, details: tuple[str, ...] = (), needed: str = ""
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.details = details
        self.needed = needed


def is_about_membership(exc: BaseException | None) -> bool:
    """Whether the bot could do it by joining the channel."""
    return getattr(exc, "reason", "") in {"channel_not_found", "not_in_channel"}
