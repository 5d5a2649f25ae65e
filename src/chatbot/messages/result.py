"""One result of the core → its message."""

from __future__ import annotations

import functools
from typing import Any

from chatbot.messages.errors import add_notes
from chatbot.messages.message import Message, Messages, Wanted
from chatbot.messages.runbooks import NO_RUNBOOKS, Runbooks
from jobs_maint.registry import collect

__all__ = ["list_messages", "render_result"]


@functools.cache
def list_messages() -> Messages:
    """Result → message: the `MESSAGES` of this package's modules."""
    return collect(__package__, "MESSAGES")


def render_result(
    result: Any,
    command: str,
    *,
    by: str,
    page: int = 1,
    dry_run: bool = False,
    runbooks: Runbooks = NO_RUNBOOKS,
) -> Message:
    """`by`: the Slack user who asked; `page`: of a list that does not fit into one message."""
    render = list_messages().get(type(result))
    if render is None:
        raise TypeError(f"no message for a {type(result).__name__}")
    message = render(result, Wanted(command, by, page, dry_run, runbooks))
    return add_notes(message, result)
