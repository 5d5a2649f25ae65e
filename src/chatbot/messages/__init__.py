"""Results and errors → Slack messages, one module a kind."""

from __future__ import annotations

from chatbot.messages.audit import render_audit
from chatbot.messages.details import render_details, render_details_view, render_loading_view
from chatbot.messages.digest import is_quiet, render_digest
from chatbot.messages.digest_thread import render_thread
from chatbot.messages.doctor import render_doctor
from chatbot.messages.errors import (
    add_note,
    add_notes,
    render_error,
    render_note,
    render_stopped,
    render_unexpected,
)
from chatbot.messages.failed import render_failed
from chatbot.messages.groups import render_errors
from chatbot.messages.help import render_help
from chatbot.messages.late import render_lost
from chatbot.messages.message import Message
from chatbot.messages.named_jobs import render_acts
from chatbot.messages.outcome import render_bulk, render_dropped, render_too_late
from chatbot.messages.preview import render_preview
from chatbot.messages.progress import Progress, render_broken, render_progress
from chatbot.messages.purge import render_purge
from chatbot.messages.refusal import render_refusal
from chatbot.messages.rescue import render_rescue
from chatbot.messages.stats import render_stats
from chatbot.messages.stuck import render_stuck
from chatbot.messages.workers import render_workers

__all__ = [
    "Message",
    "Progress",
    "add_note",
    "add_notes",
    "is_quiet",
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
    "render_thread",
    "render_too_late",
    "render_unexpected",
    "render_workers",
]
