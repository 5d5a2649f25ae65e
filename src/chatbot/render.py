"""One result of the core → its message."""

from __future__ import annotations

from typing import Any

from chatbot.replies import (
    Message,
    render_details,
    render_failed,
    render_retry,
    render_stats,
)
from chatbot.replies.packer import pack
from chatbot.replies.parts import preformatted
from jobs_maint.models import FailedJobsReport, JobDetails, RetryReport, StatsReport
from jobs_maint.render import render_text

__all__ = ["render_result"]


def render_result(result: Any, command: str, *, by: str) -> Message:
    """`by`: the Slack user who asked."""
    match result:
        case StatsReport():
            return render_stats(result, command)
        case FailedJobsReport():
            return render_failed(result, command)
        case JobDetails():
            return render_details(result)
        case RetryReport():
            return render_retry(result, command, by=by)
    return pack([preformatted(render_text(result, width=60))])
