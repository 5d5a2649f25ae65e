"""Redaction beside the event loop: a long text would hold up everybody else's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

__all__ = ["run_apart"]

T = TypeVar("T")

SHORT = 4_000
"""Characters that take less than a thread does."""


async def run_apart(work: Callable[[], T], characters: int) -> T:
    """What `work` returns; in a thread when there are many characters to look through."""
    return work() if characters <= SHORT else await asyncio.to_thread(work)
