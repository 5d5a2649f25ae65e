"""Streams that cannot hold a character of ours, such as a terminal in Latin-1, get a plain one."""

from __future__ import annotations

import codecs
import re
import sys
from typing import TextIO

__all__ = ["ERRORS", "STAND_INS", "find_mark", "prepare_streams"]

ERRORS = "jobs_maint_plain"
STAND_INS = {"–": "-", "…": "...", "≈": "~", "→": ">", "×": "x", "\ufffd": "?", "␀": "?"}
"""Every character beyond ASCII that our own texts hold. As wide as what it stands for, but for `…`,
which a page counts as three where it must."""
_MARK = "…"
_CELL = "–"
"""Ours only as all of a table's cell."""
_BEFORE = re.compile(r"(?:^|\n|  |\x1b\[[\d;]*m)\Z")
_AFTER = re.compile(r"\n|  |\x1b\[|\Z")


def prepare_streams() -> None:
    """Whatever we print can be written, on stdout and stderr."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=ERRORS)


def find_mark(stream: TextIO | None) -> str:
    """What stands on this stream where a text was cut."""
    try:
        _MARK.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return STAND_INS[_MARK]
    return _MARK


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
    if is_ours and char in STAND_INS:
        return STAND_INS[char], begin + 1
    one = UnicodeEncodeError(error.encoding, text, begin, begin + 1, error.reason)
    return codecs.backslashreplace_errors(one)


codecs.register_error(ERRORS, _replace)
