"""Foreign text made harmless for a terminal: nothing in it can move, colour, hide or reorder."""

from __future__ import annotations

import unicodedata

__all__ = ["cut", "safe_block", "safe_line", "safe_word", "short_task"]

_DANGEROUS = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_JOINERS = {"\u200c", "\u200d"}
"""Needed inside Persian and Indic words and inside emoji; they cannot reorder text."""


def _visible(char: str) -> str:
    if char in _JOINERS or unicodedata.category(char) not in _DANGEROUS:
        return char
    if char in "\n\t\r":
        return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}[char]
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def safe_word(text: str) -> str:
    """A name: control, format and direction characters and line breaks become visible escapes."""
    return text if text.isascii() and text.isprintable() else "".join(map(_visible, text))


def safe_line(text: str) -> str:
    """A message on one line: runs of white space become one space, the rest as `safe_word`."""
    return safe_word(" ".join(text.split()))


def safe_block(text: str) -> str:
    """Text of many lines, such as a traceback: line breaks and indentation stay."""
    lines = text.expandtabs(4).replace("\r\n", "\n").split("\n")
    return "\n".join(safe_word(line) for line in lines)


def cut(text: str, cells: int) -> str:
    """The text cut to this many terminal cells, with … where something is missing."""
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415  rich only for tables

    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, max(cells - 1, 0)).rstrip() + "…"


def short_task(task: str) -> str:
    """`shop.tasks.send_mail` → `send_mail`; `jobs_maint:purge_finished_jobs` keeps its space."""
    return task.rsplit(".", 1)[-1] or task
