"""Results and errors → Slack messages, one module a kind."""

from __future__ import annotations

from chatbot.replies.audit import render_audit
from chatbot.replies.details import render_details, render_details_view, render_loading_view
from chatbot.replies.digest import render_digest
from chatbot.replies.doctor import render_doctor
from chatbot.replies.errors import (
    add_note,
    render_error,
    render_note,
    render_stopped,
    render_unexpected,
)
from chatbot.replies.failed import render_failed
from chatbot.replies.groups import render_errors
from chatbot.replies.help import render_help
from chatbot.replies.message import Message
from chatbot.replies.outcome import render_bulk, render_dropped, render_purge, render_too_late
from chatbot.replies.preview import render_preview
from chatbot.replies.progress import Progress, render_broken, render_lost, render_progress
from chatbot.replies.refusal import render_refusal
from chatbot.replies.rescue import render_rescue
from chatbot.replies.retry import render_acts
from chatbot.replies.stats import render_stats
from chatbot.replies.stuck import render_stuck
from chatbot.replies.workers import render_workers

__all__ = [
    "Message",
    "Progress",
    "add_note",
    "render_acts",
    "render_audit",
    "render_broken",
    "render_bulk",
    "render_details",
    "render_details_view",
    "render_digest",
    "render_doctor",
    "render_dropped",
    "render_error",
    "render_errors",
    "render_failed",
    "render_help",
    "render_loading_view",
    "render_lost",
    "render_note",
    "render_preview",
    "render_progress",
    "render_purge",
    "render_refusal",
    "render_rescue",
    "render_stats",
    "render_stopped",
    "render_stuck",
    "render_too_late",
    "render_unexpected",
    "render_workers",
]
