"""Waiting for a message without guessing how long it takes."""

import asyncio
from collections.abc import Awaitable, Callable

from chatbot.local_slack.messages import SeenMessage

Look = Callable[[int | None, float], Awaitable[tuple[int, list[SeenMessage]]]]
"""(changes seen so far or None, seconds to wait for another) → (changes, messages)."""


async def wait_for_message(
    look: Look,
    predicate: Callable[[SeenMessage], bool],
    timeout: float,  # noqa: ASYNC109 - the wait is the point
) -> SeenMessage:
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    changes, messages = await look(None, 0)
    while True:
        for message in messages:
            if predicate(message):
                return message
        left = end - loop.time()
        if left <= 0:
            there = "; ".join(repr(message.text) for message in messages) or "nothing"
            raise TimeoutError(f"no such message within {timeout:g} s; there was: {there}")
        changes, messages = await look(changes, left)
