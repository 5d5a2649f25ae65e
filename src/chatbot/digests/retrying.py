"""When a digest that could not be sent is tried again."""

from __future__ import annotations

from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job

from chatbot.slack.errors import SlackRefused, SlackUnavailable
from jobs_maint.errors import InvalidSettings, JobsMaintError

__all__ = ["UntilItIsSent"]

LONGEST = 30
"""Seconds: Slack may be back at any time, and a digest follows within a minute."""
LONGEST_REFUSED = 600
"""A person has to do something first."""
DAY = 86_400
TRIES = 10
"""After an error of ours that nobody foresaw: it will not go away by itself."""


class UntilItIsSent(BaseRetryStrategy):
    """For about a day, with pauses that grow only a little."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if not isinstance(exception, JobsMaintError | OSError) and job.attempts >= TRIES:
            return None
        needs_somebody = isinstance(exception, SlackRefused | InvalidSettings)
        longest = LONGEST_REFUSED if needs_somebody else LONGEST
        if job.attempts * longest >= DAY:
            return None
        pause = exception.pause if isinstance(exception, SlackUnavailable) else 0.0
        return RetryDecision(
            retry_in={"seconds": max(min(2 ** min(job.attempts + 1, 10), longest), int(pause) + 1)}
        )
