"""What Slack delivers → one `Ask`: who, where, which words."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chatbot.inbound import clean_text

__all__ = ["Ask", "read_click", "read_command"]

LONGEST_TEXT = 4_000


@dataclass(frozen=True, slots=True)
class Ask:
    """One command or click. `key` is the same when Slack or a replay delivers it again."""

    key: str
    user: str
    name: str
    channel: str
    text: str
    response_url: str | None
    refresh: bool = False
    private: bool = False
    clicked: bool = False
    """Whether a button asked; a typed command is shown by Slack, a click is not."""


def read_command(body: Mapping[str, Any], delivery: str) -> Ask:
    return Ask(
        key=_key(body, delivery),
        user=str(body.get("user_id", "")),
        name=str(body.get("user_name", ""))[:80],
        channel=str(body.get("channel_id", "")),
        text=clean_text(str(body.get("text") or "")[:LONGEST_TEXT]),
        response_url=body.get("response_url"),
    )


def read_click(body: Mapping[str, Any], delivery: str) -> Ask:
    user = body.get("user") or {}
    container = body.get("container") or {}
    channel = body.get("channel") or {}
    action = (body.get("actions") or [{}])[0]
    return Ask(
        key=_key(body, delivery),
        user=str(user.get("id", "")),
        name=str(user.get("username") or user.get("name") or "")[:80],
        channel=str(channel.get("id") or container.get("channel_id") or ""),
        # Our own words from our own message: nothing to un-escape.
        text=str(action.get("value") or "")[:LONGEST_TEXT],
        response_url=body.get("response_url"),
        refresh=str(action.get("action_id", "")).startswith("jobs_refresh"),
        private=bool(container.get("is_ephemeral")),
        clicked=True,
    )


def _key(body: Mapping[str, Any], delivery: str) -> str:
    """Slack's trigger id names one act of a person; without it, the delivery."""
    trigger = str(body.get("trigger_id") or "")
    source = f"trigger:{trigger}" if trigger else f"delivery:{delivery}"
    return hashlib.sha256(source.encode()).hexdigest()
