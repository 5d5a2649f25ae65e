"""Output that cannot hold a character, such as a terminal in Latin-1, gets a plain one.

Ours have stand-ins. Those of foreign texts become escapes that can be typed, as in `quoting`.
"""

from __future__ import annotations

import codecs
import re
import sys
from contextvars import ContextVar
from typing import TextIO

__all__ = ["ERRORS", "STAND_INS", "escape", "has", "make_plain", "prepare_streams", "show_on"]

ERRORS = "jobs_maint_plain"
STAND_INS = {"–": "-", "…": "...", "≈": "~", "→": ">", "×": "x", "\ufffd": "?", "␀": "?"}
"""Every character beyond ASCII that our own texts hold. As wide as what it stands for, but for `…`,
which a page counts as three where it must."""
_CELL = "–"
"""Ours only as all of a table's cell."""
_BEFORE = re.compile(r"(?:^|\n|  |\x1b\[[\d;]*m)\Z")
_AFTER = re.compile(r"\n|  |\x1b\[|\Z")
_ENCODING: ContextVar[str] = ContextVar("encoding of the output", default="utf-8")


def prepare_streams() -> None:
    """Whatever we print can be written, on stdout and stderr."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=ERRORS)


def show_on(stream: TextIO | None) -> None:
    """From now on texts are made for this stream; None: for any reader, as JSON is."""
    _ENCODING.set(getattr(stream, "encoding", None) or "utf-8")


def has(text: str) -> bool:
    """Whether the output can hold this text."""
    try:
        text.encode(_ENCODING.get())
    except UnicodeEncodeError:
        return False
    return True


def make_plain(text: str) -> str:
    """The text as the output will show it, so that its width can be counted."""
    if has(text):
        return text
    encoding = _ENCODING.get()
    return text.encode(encoding, ERRORS).decode(encoding)


def escape(char: str) -> str:
    return f"\\u{{{ord(char):x}}}"


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    """Stand-ins for what is ours; the rest, which is part of a foreign text, as an escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text, begin = error.object, error.start
    char, before, after = text[begin], text[max(begin - 12, 0) : begin], text[begin + 1 :][:2]
    if char == _CELL:
        is_ours = bool(_BEFORE.search(before) and _AFTER.match(after))
    else:
        is_ours = not (before[-1:].isalnum() and after[:1].isalnum())
    return STAND_INS[char] if is_ours and char in STAND_INS else escape(char), begin + 1


codecs.register_error(ERRORS, _replace)
