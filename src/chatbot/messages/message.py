"""One message as it leaves: the blocks, and all of it again in plain words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jobs_maint.models import Report

__all__ = ["Block", "Message", "Messages", "Wanted"]

Block = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """`text` is what a screen reader reads and a lock screen shows: complete, mrkdwn-escaped."""

    text: str
    blocks: list[Block]


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


Messages = Mapping[type[Report], Callable[[Any, Wanted], Message]]
"""How one module shows each of its results."""
