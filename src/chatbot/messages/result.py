"""One result of the core → its message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chatbot import messages as replies
from chatbot.messages import Message
from chatbot.messages.preview import render_preview
from jobs_maint import models

__all__ = ["render_result"]


def render_result(
    result: Any, command: str, *, by: str, page: int = 1, dry_run: bool = False
) -> Message:
    """`by`: the Slack user who asked; `page`: of a list that does not fit into one message."""
    if render := _PAGED.get(type(result)):
        return render(result, command, page)
    match result:
        case models.Preview():
            return render_preview(result, command, by=by, dry_run=dry_run)
        case models.DigestReport():
            return replies.render_digest(result, command)
        case models.JobDetails():
            return replies.render_details(result, share=True)
        case models.ActReport():
            return replies.render_acts(result, command, by=by)
        case models.RescueReport():
            return replies.render_rescue(result, command, by=by)
    raise TypeError(f"no message for a {type(result).__name__}")


_PAGED: Mapping[type, Callable[[Any, str, int], Message]] = {
    models.StatsReport: lambda result, command, page: replies.render_stats(
        result, command, page=page
    ),
    models.FailedJobsReport: lambda result, command, page: replies.render_failed(
        result, command, page=page
    ),
    models.ErrorsReport: lambda result, _, page: replies.render_errors(result, page=page),
    models.StuckReport: lambda result, _, page: replies.render_stuck(result, page=page),
    models.WorkersReport: lambda result, _, page: replies.render_workers(result, page=page),
    models.AuditReport: lambda result, command, page: replies.render_audit(
        result, command, page=page
    ),
    models.DoctorReport: lambda result, _, page: replies.render_doctor(result, page=page),
}
