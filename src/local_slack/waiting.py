"""Waiting for a message or a view without guessing how long it takes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from local_slack.messages import SeenMessage
from local_slack.views import SeenView

Seen = TypeVar("Seen", SeenMessage, SeenView)
Look = Callable[[int | None, float], Awaitable[tuple[int, list[Seen]]]]
"""(changes seen so far or None, seconds to wait for another) → (changes, what is there)."""


async def wait_for(
    look: Look[Seen],
    predicate: Callable[[Seen], bool],
    timeout: float,  # noqa: ASYNC109 - the wait is the point
    *,
    what: str,
) -> Seen:
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    changes, there = await look(None, 0)
    while True:
        for one in there:
            if predicate(one):
                return one
        left = end - loop.time()
        if left <= 0:
            shown = "; ".join(map(_describe, there)) or "nothing"
            raise TimeoutError(f"no such {what} within {timeout:g} s; there was: {shown}")
        changes, there = await look(changes, left)


def _describe(seen: SeenMessage | SeenView) -> str:
    return repr(seen.text if isinstance(seen, SeenMessage) else seen.title)
