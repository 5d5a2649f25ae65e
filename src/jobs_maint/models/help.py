"""The words that an actor may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jobs_maint.models.base import Report

__all__ = ["HelpReport", "HelpRole", "HelpWord"]


@dataclass(frozen=True, slots=True)
class HelpWord:
    word: str
    usage: str
    summary: str
    role: str | None
    allowed: bool
    every_queue: bool = False
    """Whether it needs the role on every queue."""
    note: str = ""
    """For whom has it on some queues only: what they may not."""


@dataclass(frozen=True, slots=True)
class HelpRole:
    """A role of this actor. `queues`: globs, None for every queue; `channels`: None for all."""

    role: str
    queues: tuple[str, ...] | None
    channels: tuple[str, ...] | None
    here: bool


@dataclass(frozen=True, slots=True)
class HelpReport(Report):
    """What this actor may do. With `word`, `text` is the help of that one word."""

    kind: ClassVar[str] = "help"

    role: str | None
    words: tuple[HelpWord, ...]
    word: str | None = None
    text: str | None = None
    roles: tuple[HelpRole, ...] = ()
    """Those held here, the highest first, then what only other channels give."""
