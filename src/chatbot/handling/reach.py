"""Answers to those whose grants reach some queues only."""

from __future__ import annotations

from dataclasses import replace

from chatbot.inbound.slack_request import SlackRequest
from chatbot.messages import Message, add_note
from chatbot.messages.words import cut
from jobs_maint.actions import QueueScope
from jobs_maint.quoting import few

__all__ = ["shows_less", "tell_reach", "tell_shows_less"]


def tell_reach(message: Message, reach: QueueScope, result: object) -> Message:
    """Marked with what it may show; "no job" is no news of the queues beyond.

    A report that knows whether it was limited says so in its headline.
    """
    said = hasattr(result, "limited_to_queues") or "your role reaches" in message.text
    if reach.globs is not None and not said:
        queues = few([cut(queue, 60) for queue in reach.globs], 20)
        message = add_note(message, cut(f"only queues that your role reaches: {queues}", 300))
    return replace(message, reach=reach.mark)


def shows_less(request: SlackRequest, reach: QueueScope) -> bool:
    """Whether a button of a message that others see shows the presser less than it promises."""
    return request.clicked and reach.mark not in {"", request.reach}


def tell_shows_less(message: Message) -> Message:
    return add_note(message, "Only you see this: the message has queues beyond your role.")
