"""What Slack delivers → one `Ask`: who, where, which words."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chatbot.inbound import clean_text

__all__ = ["LONGEST_TEXT", "Ask", "read_click", "read_command"]

LONGEST_TEXT = 4_000
_MOST_SENT = 5 * LONGEST_TEXT
"""As Slack escapes it, one typed character may take five."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One command or click. `key` is the same when Slack or a replay delivers it again."""

    key: str
    user: str
    name: str
    channel: str
    text: str
    response_url: str | None
    too_long: bool = False
    """More than is read: nothing of it is done, half an id would name another job."""
    refresh: bool = False
    private: bool = False
    clicked: bool = False
    """Whether a button asked; a typed command is shown by Slack, a click is not."""


def read_command(body: Mapping[str, Any], delivery: str) -> Ask:
    sent = str(body.get("text") or "")
    text = clean_text(sent[:_MOST_SENT])
    return Ask(
        key=_key(body, delivery),
        user=str(body.get("user_id", "")),
        name=str(body.get("user_name", ""))[:80],
        channel=str(body.get("channel_id", "")),
        text=text[:LONGEST_TEXT],
        response_url=body.get("response_url"),
        too_long=len(sent) > _MOST_SENT or len(text) > LONGEST_TEXT,
    )


def read_click(body: Mapping[str, Any], delivery: str) -> Ask:
    user = body.get("user") or {}
    container = body.get("container") or {}
    channel = body.get("channel") or {}
    action = (body.get("actions") or [{}])[0]
    words = str(action.get("value") or "")
    return Ask(
        key=_key(body, delivery),
        user=str(user.get("id", "")),
        name=str(user.get("username") or user.get("name") or "")[:80],
        channel=str(channel.get("id") or container.get("channel_id") or ""),
        # Our own words from our own message: nothing to un-escape.
        text=words[:LONGEST_TEXT],
        response_url=body.get("response_url"),
        too_long=len(words) > LONGEST_TEXT,
        refresh=str(action.get("action_id", "")).startswith("jobs_refresh"),
        private=bool(container.get("is_ephemeral")),
        clicked=True,
    )


def _key(body: Mapping[str, Any], delivery: str) -> str:
    """Slack's trigger id names one act of a person; without it, the delivery."""
    trigger = str(body.get("trigger_id") or "")
    source = f"trigger:{trigger}" if trigger else f"delivery:{delivery}"
    return hashlib.sha256(source.encode()).hexdigest()
