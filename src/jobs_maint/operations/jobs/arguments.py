"""Arguments of a job from their text, however deep they are nested."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["load_args"]

DEEPEST = 60
"""Levels that are read of arguments that are too deep to be read whole."""
MOST_DIGITS = 4_300
_TOO_DEEP = '"[nested deeper than is shown]"'
_PIECE = re.compile(r'"(?:\\.|[^"\\])*"|[\[\]{}]')


def load_args(text: str | None) -> Any:
    """JSON as PostgreSQL writes it: thousands of levels are no error there, but here."""
    try:
        return json.loads(text or "{}", parse_int=_read_number)
    except RecursionError:
        return json.loads(_cut_deep(text or "{}"), parse_int=_read_number)


def _read_number(digits: str) -> int | str:
    """As text where it is too long for a number: Python reads no more digits, PostgreSQL does."""
    return int(digits) if len(digits) < MOST_DIGITS else digits


def _cut_deep(text: str) -> str:
    parts, depth, at = [], 0, 0
    for piece in _PIECE.finditer(text):
        if piece[0] in ("[", "{"):
            depth += 1
            if depth == DEEPEST + 1:
                parts += [text[at : piece.start()], _TOO_DEEP]
        elif piece[0] in ("]", "}"):
            depth -= 1
            if depth == DEEPEST:
                at = piece.end()
    return "".join([*parts, text[at:]])
