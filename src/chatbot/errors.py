"""What can go wrong between us and Slack."""

from __future__ import annotations

from jobs_maint.errors import JobsMaintError

__all__ = ["SlackRefused", "SlackUnavailable"]


class SlackUnavailable(JobsMaintError):
    """Slack cannot be reached, does not answer in time, or asks for a longer pause than we take."""

    code = "slack_unavailable"
    exit_code = 69


class SlackRefused(JobsMaintError):
    """Slack understood and said no; `reason` is its own word, such as `not_in_channel`."""

    code = "slack_refused"
    exit_code = 78

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason
