"""One line of text → words."""

from __future__ import annotations

__all__ = ["split_text"]

_QUOTES = {"'": "'", '"': '"'}


def split_text(text: str) -> list[str]:
    """One line of text → words. Quotes group; an unpaired quote, as in `can't`, is text."""
    words: list[str] = []
    current: list[str] = []
    started = False
    i = 0
    while i < len(text):
        char = text[i]
        if char.isspace():
            if started:
                words.append("".join(current))
                current, started = [], False
        elif char in _QUOTES and (not current or current[-1] == "=") and (end := _closing(text, i)):
            current.append(text[i + 1 : end])
            started = True
            i = end
        else:
            current.append(char)
            started = True
        i += 1
    if started:
        words.append("".join(current))
    return words


def _closing(text: str, start: int) -> int | None:
    """The index of the quote that closes the one at `start`: followed by space or the end."""
    end = text.find(text[start], start + 1)
    while end != -1:
        if end + 1 == len(text) or text[end + 1].isspace():
            return end
        end = text.find(text[start], end + 1)
    return None
