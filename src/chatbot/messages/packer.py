"""Parts → one message within Slack's limits; what does not fit is counted, never cut silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from chatbot.messages.message import Block, Message
from chatbot.messages.parts import Button, Part, buttons, context

__all__ = [
    "MOST_BLOCKS",
    "MOST_CHARACTERS",
    "MOST_TEXT",
    "PER_PAGE",
    "cut_pages",
    "cut_rows",
    "measure",
    "pack",
    "pack_pages",
    "turn_page",
]

MOST_BLOCKS = 47
"""Slack takes 50; three are left for notes."""
MOST_CHARACTERS = 9_500
"""Over all blocks: Slack was seen to take 9,597 and to refuse 11,341."""
MOST_TEXT = 36_000
PER_PAGE = 20
"""Items of a page: more are not read on a phone."""
MOST_ROWS = 60
"""Rows of a table: Slack takes 100, and all characters count."""


def measure(value: Any) -> int:
    """Characters that Slack counts: every text in the blocks."""
    if isinstance(value, (list, tuple)):
        return sum(map(measure, value))
    if not isinstance(value, dict):
        return 0
    characters = 0
    for key, inner in value.items():
        if not isinstance(inner, str):
            characters += measure(inner)
        elif key in {"text", "fallback"}:
            characters += len(inner)
    return characters


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
        if not room.try_to_take(item):
            left = len(items) - i
            break
        shown.extend(item)
    if more and (left or beyond):
        shown.append(more(left + beyond))
    parts = [*before, *shown, *after]
    return Message(
        "\n".join(part.text for part in parts if part.text),
        _tell_apart(block for part in parts for block in part.blocks),
        {part.blocks[0]["type"]: part.instead for part in parts if part.instead},
    )


def _tell_apart(blocks: Iterable[Block]) -> list[Block]:
    """Slack wants each action id once a message; two buttons may run the same words."""
    seen: Counter[str] = Counter()
    told: list[Block] = []
    for block in blocks:
        elements = []
        for element in block.get("elements", ()) if block["type"] == "actions" else ():
            name = str(element.get("action_id", ""))
            seen[name] += 1
            again = {"action_id": f"{name[:245]} #{seen[name]}"} if seen[name] > 1 else {}
            elements.append({**element, **again})
        told.append({**block, "elements": elements} if elements else block)
    return told


def pack_pages(
    head: Iterable[Part],
    items: Sequence[Sequence[Part]],
    *,
    page: int,
    total: int,
    noun: str,
    more: Callable[[int], str | None],
    tail: Iterable[Part] = (),
    per_page: int = PER_PAGE,
    whole: Sequence[Sequence[Part]] | None = None,
) -> Message:
    """Head, the items of one page, which of `total` they are, a button for the next, tail.

    The pages are cut from the first item on, so that page 2 begins where page 1 ended whenever it
    is asked for. `items` may be fewer than `total`: `more(n)` gives words whose result holds more
    than `n` of them, or None when there are none such. A page that is not full because the items
    ended is then shown again, with more on it. `whole`: each item as it is when it comes first on
    a page, where nothing stands above that it could refer to.
    """
    before, after = list(head), list(tail)
    room = _Room()
    for part in before + after:
        room.take([part])
    room.blocks -= 2
    room.characters -= 150
    room.text -= 150
    whole = whole or items
    pages = cut_pages(items, whole, per_page, room)
    page = min(max(page, 1), len(pages))
    there = pages[page - 1]
    ended = there.stop == len(items) < total and len(there) < per_page
    shown = [part for i in there for part in (whole if i == there.start else items)[i]]
    then = page if ended else page + 1
    return pack([*before, *shown, *turn_page(there, total, then, noun, more), *after])


def turn_page(
    there: range, total: int, then: int, noun: str, more: Callable[[int], str | None]
) -> list[Part]:
    """`21–40 of 137` and *Show more*; nothing where all is shown on one page."""
    if there.start == 0 and there.stop >= total:
        return []
    one = len(there) == 1
    which = f"{there.stop:,}" if one else f"{there.start + 1:,}–{there.stop:,}"
    parts = [context([f"{which} of {total:,} {noun}"])]
    words = more(there.stop) if there.stop < total else None
    if words is not None:
        parts.append(buttons(Button(f"Show more {noun}", words, action=f"jobs_page:{then}")))
    return parts


def cut_pages(
    items: Sequence[Sequence[Part]],
    whole: Sequence[Sequence[Part]],
    per_page: int = PER_PAGE,
    room: _Room | None = None,
) -> list[range]:
    """Which items stand on which page: as many as there is room for; at least one page."""
    room = room or _Room()
    left = room.copy()
    pages: list[range] = []
    start = 0
    for i, item in enumerate(items):
        if i > start and i - start < per_page and left.try_to_take(item):
            continue
        if i > start:
            pages.append(range(start, i))
            start, left = i, room.copy()
        left.take(whole[i])
    return [*pages, range(start, len(items))]


def cut_rows(total: int, page: int, per_page: int = MOST_ROWS) -> range:
    """Which rows of one table stand on this page; the last page where there are fewer."""
    last = max(1, -(-total // per_page))
    start = (min(max(page, 1), last) - 1) * per_page
    return range(start, min(start + per_page, total))


class _Room:
    def copy(self) -> _Room:
        other = _Room()
        other.blocks, other.characters, other.text = self.blocks, self.characters, self.text
        return other

    def __init__(self) -> None:
        self.blocks = MOST_BLOCKS
        self.characters = MOST_CHARACTERS
        self.text = MOST_TEXT

    def take(self, parts: Sequence[Part]) -> None:
        for part in parts:
            self.blocks -= len(part.blocks)
            self.characters -= measure(part.blocks)
            self.text -= len(part.text) + 1

    def try_to_take(self, parts: Sequence[Part]) -> bool:
        """Whether there was room; else nothing is taken."""
        left = self.copy()
        left.take(parts)
        if min(left.blocks, left.characters, left.text) < 0:
            return False
        self.blocks, self.characters, self.text = left.blocks, left.characters, left.text
        return True
