"""What Slack delivers → one `SlackRequest`: who, where, which words, by which button."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chatbot.inbound.typed_text import clean_text
from chatbot.slack.stamp import read_key, read_origin, read_reach

__all__ = [
    "BUTTONS",
    "LONGEST_TEXT",
    "SHARE",
    "SlackRequest",
    "read_click",
    "read_command",
    "read_submission",
]

BUTTONS = frozenset({"run", "refresh", "page", "confirm", "dismiss", "stop", "share"})
LONGEST_TEXT = 4_000
SHARE = "jobs_share"
"""The callback id of a modal whose submit button shares what it shows."""
_MOST_SENT = 5 * LONGEST_TEXT
"""Once Slack has escaped it, one typed character may take five."""


@dataclass(frozen=True, slots=True)
class SlackRequest:
    """One command or click. `key` is the same when Slack or a replay delivers it again."""

    key: str
    user: str
    name: str
    channel: str
    text: str
    response_url: str | None
    too_long: bool = False
    """Longer than the limit: none of it is run, because half an id would name another job."""
    refresh: bool = False
    private: bool = False
    clicked: bool = False
    """Whether it came from a button: Slack shows a typed command, but not a click."""
    button: str = "run"
    """What the button does with `text`: `run` the words, `refresh`, `page`, `confirm`, `dismiss`,
    `stop`, `share`."""
    page: int = 1
    ts: str | None = None
    """The message with the button, if everybody in the channel sees that message."""
    thread: str | None = None
    """The first message of the thread in which the button was pressed: the answer belongs there."""
    trigger: str | None = None
    """Can open one modal, within three seconds."""
    view: str | None = None
    """The modal with the button."""
    shown: str = ""
    """The command whose result the modal shows."""
    in_group: bool = False
    """Whether it came from a direct message of several people, which no bot can join."""
    origin: str = ""
    """The mark of the database whose bot drew the button; empty where it has none."""
    reach: str = ""
    """The mark of the queues that the message with the button may show; empty for all."""
    sent_as: str = ""
    """The key of the private message with the button."""
    slept: float = field(default=0.0, compare=False)
    """Seconds for which the bot was suspended when it came, so that Slack called it failed."""
    message: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)
    """The message with the button, as Slack has it, if everybody sees it."""

    @property
    def key_of_preview(self) -> str:
        """For `confirm` and `dismiss`, whose text is the selection's key and then the words."""
        return self.text.partition(" ")[0]

    @property
    def words(self) -> str:
        """The request, as one would type it."""
        if self.button in {"confirm", "dismiss"}:
            return self.text.partition(" ")[2]
        return "" if self.button == "stop" else self.text


def read_command(body: Mapping[str, Any], delivery: str) -> SlackRequest:
    sent = str(body.get("text") or "")
    text = clean_text(sent[:_MOST_SENT])
    return SlackRequest(
        key=_key(body, delivery),
        user=str(body.get("user_id", "")),
        name=str(body.get("user_name", ""))[:80],
        channel=str(body.get("channel_id", "")),
        text=text[:LONGEST_TEXT],
        response_url=body.get("response_url"),
        too_long=len(sent) > _MOST_SENT or len(text) > LONGEST_TEXT,
        in_group=_is_group(body.get("channel_name")),
        trigger=body.get("trigger_id"),
    )


def read_click(body: Mapping[str, Any], delivery: str) -> SlackRequest:
    user = body.get("user") or {}
    container = body.get("container") or {}
    channel = body.get("channel") or {}
    view = body.get("view") or {}
    notes = read_notes(view)
    action = (body.get("actions") or [{}])[0]
    words = str(action.get("value") or "")
    name, _, rest = str(action.get("action_id", "")).partition(":")
    button = name.removeprefix("jobs_")
    private = bool(container.get("is_ephemeral")) or bool(view)
    return SlackRequest(
        key=_key(body, delivery),
        user=str(user.get("id", "")),
        name=str(user.get("username") or user.get("name") or "")[:80],
        channel=str(channel.get("id") or container.get("channel_id") or notes.get("channel", "")),
        # Our own words from our own message: nothing to un-escape.
        text=words[:LONGEST_TEXT],
        response_url=body.get("response_url"),
        too_long=len(words) > LONGEST_TEXT,
        refresh=button == "refresh",
        private=private,
        clicked=True,
        button=button,
        page=int(rest) if button == "page" and rest.isascii() and rest.isdigit() else 1,
        ts=None if private else container.get("message_ts"),
        thread=_find_thread(container) or notes.get("thread"),
        trigger=body.get("trigger_id"),
        view=view.get("id"),
        shown=notes.get("words", ""),
        in_group=_is_group(channel.get("name")),
        origin=read_origin(action.get("block_id")),
        reach=read_reach(action.get("block_id")),
        sent_as=read_key(action.get("block_id")) if private else "",
        message=None if private else body.get("message"),
    )


def read_submission(body: Mapping[str, Any], delivery: str) -> SlackRequest:
    """The submit button of a modal: what it shows is shared in the channel it was opened from."""
    user = body.get("user") or {}
    notes = read_notes(body.get("view") or {})
    return SlackRequest(
        key=_key(body, delivery),
        user=str(user.get("id", "")),
        name=str(user.get("username") or user.get("name") or "")[:80],
        channel=notes.get("channel", ""),
        text=notes.get("words", ""),
        response_url=None,
        thread=notes.get("thread"),
        clicked=True,
        button="share",
        origin=notes.get("origin", ""),
    )


def read_notes(view: Mapping[str, Any]) -> dict[str, str]:
    """What a modal keeps for its buttons: channel and thread it was opened from, and its words."""
    try:
        notes = json.loads(view.get("private_metadata") or "{}")
    except ValueError:
        return {}
    if not isinstance(notes, dict):
        return {}
    return {str(name): str(value) for name, value in notes.items()}


def _find_thread(container: Mapping[str, Any]) -> str | None:
    """None for the first message of a thread too: everybody sees that one in the channel."""
    thread = container.get("thread_ts")
    return str(thread) if thread and thread != container.get("message_ts") else None


def _is_group(name: object) -> bool:
    return str(name or "").startswith("mpdm-")


def _key(body: Mapping[str, Any], delivery: str) -> str:
    """Slack's trigger id identifies one action by one person; without it, the delivery does."""
    trigger = str(body.get("trigger_id") or "")
    source = f"trigger:{trigger}" if trigger else f"delivery:{delivery}"
    return hashlib.sha256(source.encode()).hexdigest()
