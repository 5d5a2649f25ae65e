"""One message as it leaves: the blocks, and all of it again in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Block", "Message"]

Block = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """`text` is what a screen reader reads and a lock screen shows: complete, mrkdwn-escaped."""

    text: str
    blocks: list[Block]
