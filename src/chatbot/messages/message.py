"""One message as it leaves: the blocks, and all of it again in plain words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jobs_maint.models import Report

__all__ = [
    "Block",
    "Message",
    "Messages",
    "Wanted",
    "in_sentences",
    "shorten_text",
    "without_buttons",
]

Block = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """`text` is what a screen reader reads and a lock screen shows: complete, mrkdwn-escaped.

    `instead`: by kind of block, what says the same where Slack does not take that kind. `reach`:
    a mark of the queues that it may show, empty for all of them. `key`: by which a private message
    that has left is known again.
    """

    text: str
    blocks: list[Block]
    instead: Mapping[str, tuple[Block, ...]] = field(default_factory=dict)
    reach: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a result is wanted as a message.

    `command`: the bot's slash command; `by`: the Slack user who asked; `page`: of a list that does
    not fit into one message.
    """

    command: str
    by: str
    page: int = 1
    dry_run: bool = False
    runbooks: Mapping[str, str] = field(default_factory=dict)
    """Glob of a task or a queue → link."""


Messages = Mapping[type[Report], Callable[[Any, Wanted], Message]]
"""How one module shows each of its results."""


def in_sentences(message: Message) -> Message:
    """The same message without tables and charts."""
    told = [one for block in message.blocks for one in message.instead.get(block["type"], (block,))]
    return replace(message, blocks=told, instead={})


def without_buttons(message: Message) -> Message:
    """For a copy that nobody keeps true: a button in it would outlive what it is for."""
    return replace(message, blocks=[one for one in message.blocks if one["type"] != "actions"])


def shorten_text(message: Message, limit: int) -> Message:
    """The text in at most `limit` bytes: whole lines, and how many are left out."""
    if len(message.text.encode()) <= limit:
        return message
    lines = message.text.splitlines()
    room = limit - 40
    kept: list[str] = []
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    if not kept:
        return replace(message, text="The text of this message is too long for Slack.")
    left = len(lines) - len(kept)
    kept.append(f"… {left:,} more line{'s' if left > 1 else ''}, not in this text")
    return replace(message, text="\n".join(kept))
