"""Work beside the event loop: a long text, or many rows, would hold up everybody's answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeVar

__all__ = ["measure", "run_apart"]

T = TypeVar("T")

SHORT = 4_000
"""Characters, or rows, that take less than a thread does."""
_EACH = 100
"""Characters that take as long as what is done once per text, however short it is."""


def measure(texts: Iterable[str | None]) -> int:
    """How long it takes to look through the texts, in characters of one text."""
    return sum(_EACH + len(text or "") for text in texts)


async def run_apart(work: Callable[[], T], size: int) -> T:
    """What `work` returns; in a thread when there are many characters or rows to look through."""
    return work() if size <= SHORT else await asyncio.to_thread(work)
