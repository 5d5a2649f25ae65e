"""The words that an actor may use."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HelpReport", "HelpWord"]


@dataclass(frozen=True, slots=True)
class HelpWord:
    word: str
    usage: str
    summary: str
    role: str | None
    allowed: bool


@dataclass(frozen=True, slots=True)
class HelpReport:
    """What this actor may do. With `word`, `text` is the help of that one word."""

    role: str | None
    words: tuple[HelpWord, ...]
    word: str | None = None
    text: str | None = None
