"""Parts → one message within Slack's limits; what does not fit is counted, never cut silently."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from chatbot.replies.message import Message
from chatbot.replies.parts import Part

__all__ = ["MOST_BLOCKS", "MOST_CHARACTERS", "MOST_TEXT", "measure", "pack"]

MOST_BLOCKS = 48
"""Slack takes 50; two are left for notes."""
MOST_CHARACTERS = 12_500
"""Over all blocks; Slack refuses at about 13 200."""
MOST_TEXT = 36_000


def measure(value: Any) -> int:
    """Characters that Slack counts: every text in the blocks."""
    if isinstance(value, dict):
        own = sum(
            len(value[key]) for key in ("text", "fallback") if isinstance(value.get(key), str)
        )
        return own + sum(measure(inner) for inner in value.values())
    return sum(map(measure, value)) if isinstance(value, (list, tuple)) else 0


def pack(
    head: Iterable[Part],
    items: Sequence[Sequence[Part]] = (),
    more: Callable[[int], Part] | None = None,
    tail: Iterable[Part] = (),
    *,
    beyond: int = 0,
) -> Message:
    """Head, as many items as fit, `more(items left out)`, tail. An item stays whole.

    `beyond`: what was left out before and is not among `items`; `more` is told the sum. Head and
    tail are bounded by those who write them.
    """
    before, after = list(head), list(tail)
    note = more(len(items) + beyond) if more and (items or beyond) else None
    room = _Room()
    for part in [*before, *after, *([note] if note else [])]:
        room.take([part])
    shown: list[Part] = []
    left = 0
    for i, item in enumerate(items):
        if not room.fits(item):
            left = len(items) - i
            break
        room.take(item)
        shown.extend(item)
    if more and (left or beyond):
        shown.append(more(left + beyond))
    parts = [*before, *shown, *after]
    return Message(
        "\n".join(part.text for part in parts if part.text),
        [block for part in parts for block in part.blocks],
    )


class _Room:
    def __init__(self) -> None:
        self.blocks = MOST_BLOCKS
        self.characters = MOST_CHARACTERS
        self.text = MOST_TEXT

    def _size(self, parts: Sequence[Part]) -> tuple[int, int, int]:
        return (
            sum(len(part.blocks) for part in parts),
            sum(measure(part.blocks) for part in parts),
            sum(len(part.text) + 1 for part in parts),
        )

    def fits(self, parts: Sequence[Part]) -> bool:
        blocks, characters, text = self._size(parts)
        return blocks <= self.blocks and characters <= self.characters and text <= self.text

    def take(self, parts: Sequence[Part]) -> None:
        blocks, characters, text = self._size(parts)
        self.blocks -= blocks
        self.characters -= characters
        self.text -= text
