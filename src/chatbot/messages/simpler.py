"""A message without what this workspace does not take: chart → table → text.

New kinds of block roll out slowly; a message that Slack refuses for one is sent without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from rich.cells import cell_len

from chatbot.messages.message import Block, Message
from chatbot.messages.packer import MOST_CHARACTERS, measure

__all__ = ["find_simpler", "list_kinds", "shorten_text", "without"]

MOST_BLOCKS = 50
MOST_ROWS = 100
STEPS = (frozenset({"data_visualization", "data_table"}), frozenset({"table"}))
"""What is given up first, and what next; after that all blocks are."""

_SIMPLER = STEPS[0] | STEPS[1]


def list_kinds(message: Message) -> frozenset[str]:
    return frozenset(str(block.get("type")) for block in _walk(message.blocks))


def find_simpler(message: Message, named: frozenset[str]) -> frozenset[str]:
    """The kinds to leave out next: those Slack `named`, else by `STEPS`; none: the text alone."""
    there = list_kinds(message)
    return next((there & step for step in (named, *STEPS) if there & step), frozenset())


def without(message: Message, kinds: frozenset[str]) -> Message:
    """The message with none of these kinds of block; its text is kept whole.

    A chart is left out, a data table becomes a table, a table preformatted rows. Where another
    kind is to go, or what comes of it is too long for Slack, the text stays alone.
    """
    refused = list_kinds(message) & kinds
    if not refused:
        return message
    if refused - _SIMPLER:
        return replace(message, blocks=[])
    blocks = list(_Simpler(message.blocks, kinds).convert(message.blocks))
    if len(blocks) > MOST_BLOCKS or measure(blocks) > MOST_CHARACTERS:
        blocks = []
    return replace(message, blocks=blocks)


def shorten_text(message: Message, limit: int) -> Message:
    """The text cut at a whole line, with how many lines are left out; the blocks as they are."""
    if len(message.text) <= limit:
        return message
    lines = message.text.splitlines()
    room = limit - 40
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    if not kept:
        return replace(message, text="The text of this message is too long for Slack.")
    left = len(lines) - len(kept)
    kept.append(f"… {left:,} more line{'s' if left > 1 else ''}, not in this text")
    return replace(message, text="\n".join(kept))


class _Simpler:
    def __init__(self, blocks: Sequence[Block], kinds: frozenset[str]) -> None:
        self._kinds = kinds
        kept = {block.get("type") for block in _walk(blocks)} - kinds
        # Slack takes one table a message.
        self._may_add_table = "table" not in kinds and "table" not in kept

    def convert(self, blocks: Iterable[Block]) -> Iterator[Block]:
        for block in blocks:
            kind = block.get("type")
            if kind == "container":
                children = list(self.convert(block.get("child_blocks", ())))
                if children:
                    yield {**block, "child_blocks": children}
            elif kind not in self._kinds:
                yield block
            elif kind == "table":
                yield _write_rows(block.get("rows", ()), _list_right(block))
            elif kind == "data_table":
                yield from self._convert_data_table(block)

    def _convert_data_table(self, block: Block) -> Iterator[Block]:
        rows = block.get("rows", ())
        if caption := str(block.get("caption", "")):
            text = {"type": "plain_text", "text": caption, "emoji": False}
            yield {"type": "context", "elements": [text]}
        right = _find_numbers(rows)
        if not self._may_add_table or len(rows) > MOST_ROWS:
            yield _write_rows(rows, right)
            return
        self._may_add_table = False
        columns = max(map(len, rows), default=0)
        settings = [{"align": "right"} if i in right else {} for i in range(columns)]
        plain = [[_without_value(cell) for cell in row] for row in rows]
        yield {"type": "table", "column_settings": settings, "rows": plain}


def _walk(blocks: Iterable[Block]) -> Iterator[Block]:
    for block in blocks:
        yield block
        yield from _walk(block.get("child_blocks", ()))


def _without_value(cell: Block) -> Block:
    if cell.get("type") != "raw_number":
        return cell
    return {"type": "raw_text", "text": _read_cell(cell)}


def _list_right(table: Block) -> set[int]:
    settings = table.get("column_settings") or ()
    return {i for i, one in enumerate(settings) if one and one.get("align") == "right"}


def _find_numbers(rows: Sequence[Sequence[Block]]) -> set[int]:
    return {i for row in rows[1:] for i, cell in enumerate(row) if cell.get("type") == "raw_number"}


def _read_cell(cell: Any) -> str:
    """The words of a cell: raw ones, or all texts of a rich one."""
    if isinstance(cell, list):
        return "".join(map(_read_cell, cell))
    if not isinstance(cell, dict):
        return ""
    own = next((str(cell[key]) for key in ("text", "fallback", "url") if cell.get(key)), "")
    return own or (f"@{cell['user_id']}" if "user_id" in cell else _read_cell(cell.get("elements")))


def _write_rows(rows: Sequence[Sequence[Block]], right: set[int]) -> Block:
    texts = [[_read_cell(cell).replace("\n", " ") for cell in row] for row in rows]
    columns = max(map(len, texts), default=0)
    texts = [row + [""] * (columns - len(row)) for row in texts]
    widths = [max(cell_len(row[i]) for row in texts) for i in range(columns)]
    lines = [
        "  ".join(
            _pad(text, width, right=i in right)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in texts
    ]
    text = {"type": "text", "text": "\n".join(lines) or " "}
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_preformatted", "elements": [text]}],
    }


def _pad(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - cell_len(text))
    return space + text if right else text + space
