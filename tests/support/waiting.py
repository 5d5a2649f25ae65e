"""Wait for a condition until a deadline; the test then fails with what never happened."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import psycopg

T = TypeVar("T")
PATIENCE = 90
"""Seconds: a busy machine may take many times as long as a quiet one. It costs nothing else."""
Params = Sequence[Any] | Mapping[str, Any]


def wait_until(look: Callable[[], T], *, timeout: float = PATIENCE, what: str = "it") -> T:
    """What `look` returns once it is true; blocks the thread meanwhile."""
    deadline = time.monotonic() + timeout
    while not (found := look()):
        _check(deadline, timeout, what)
        time.sleep(0.02)
    return found


async def until(
    look: Callable[[], T | Awaitable[T]], what: str = "it", *, timeout: float = PATIENCE
) -> T:
    """The same while the event loop goes on; `look` may be asynchronous."""
    deadline = time.monotonic() + timeout
    while True:
        found = look()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        _check(deadline, timeout, what)
        await asyncio.sleep(0.01)


async def wait_for_row(
    conn: psycopg.AsyncConnection[Any],
    query: str,
    params: Params = (),
    *,
    what: str = "",
    timeout: float = PATIENCE,
) -> tuple[Any, ...]:
    """The first row whose first column is true, by a connection in autocommit."""

    async def look() -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = await (await conn.execute(query, params)).fetchone()
        return row if row and row[0] else None

    found = await until(look, what or f"a row of {query!r}", timeout=timeout)
    assert found is not None
    return found


def _check(deadline: float, timeout: float, what: str) -> None:
    if time.monotonic() > deadline:
        raise AssertionError(f"{what} did not happen within {timeout:g} s")
