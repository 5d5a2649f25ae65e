"""One result of the core → its message; each module of this package lists its own."""

from __future__ import annotations

from typing import Any

from chatbot.messages import (
    audit,
    details,
    digest,
    doctor,
    failed,
    groups,
    named_jobs,
    outcome,
    preview,
    rescue,
    stats,
    stuck,
    workers,
)
from chatbot.messages.message import Message, Messages, Wanted

__all__ = ["MESSAGES", "render_result"]

MESSAGES: Messages = {
    **audit.MESSAGES,
    **details.MESSAGES,
    **digest.MESSAGES,
    **doctor.MESSAGES,
    **failed.MESSAGES,
    **groups.MESSAGES,
    **named_jobs.MESSAGES,
    **outcome.MESSAGES,
    **preview.MESSAGES,
    **rescue.MESSAGES,
    **stats.MESSAGES,
    **stuck.MESSAGES,
    **workers.MESSAGES,
}


def render_result(
    result: Any, command: str, *, by: str, page: int = 1, dry_run: bool = False
) -> Message:
    """`by`: the Slack user who asked; `page`: of a list that does not fit into one message."""
    render = MESSAGES.get(type(result))
    if render is None:
        raise TypeError(f"no message for a {type(result).__name__}")
    return render(result, Wanted(command, by, page, dry_run))
