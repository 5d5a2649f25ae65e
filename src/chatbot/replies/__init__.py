"""Results and errors → Slack messages, one module a kind."""

from __future__ import annotations

from chatbot.replies.details import render_details
from chatbot.replies.digest import render_digest
from chatbot.replies.errors import (
    add_note,
    render_error,
    render_note,
    render_stopped,
    render_unexpected,
)
from chatbot.replies.failed import render_failed
from chatbot.replies.help import render_help
from chatbot.replies.message import Message
from chatbot.replies.refusal import render_refusal
from chatbot.replies.retry import render_retry
from chatbot.replies.stats import render_stats

__all__ = [
    "Message",
    "add_note",
    "render_details",
    "render_digest",
    "render_error",
    "render_failed",
    "render_help",
    "render_note",
    "render_refusal",
    "render_retry",
    "render_stats",
    "render_stopped",
    "render_unexpected",
]
