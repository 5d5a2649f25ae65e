"""What Slack does not take as blocks is sent in words.

New kinds of block, such as charts and tables, reach workspaces one after another.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from chatbot.messages.message import Block, Message, in_sentences
from chatbot.slack.errors import SlackRefused

__all__ = ["BLOCKS_REFUSED", "send_or_fall_back"]

log = logging.getLogger(__name__)
T = TypeVar("T")

BLOCKS_REFUSED = frozenset(
    {"invalid_attachments", "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"}
)
_UNSUPPORTED = re.compile(r"unsupported (?:block )?type: (\w{1,40})")


async def send_or_fall_back(message: Message, attempt: Callable[[Message], Awaitable[T]]) -> T:
    """Send the message; where Slack refuses its blocks, with sentences for tables and charts.

    Its buttons stay. Where Slack refuses that too, the text is sent alone. `attempt`
    raises SlackRefused with a reason of BLOCKS_REFUSED for blocks that are not taken.
    """
    try:
        return await attempt(message)
    except SlackRefused as exc:
        if exc.reason not in BLOCKS_REFUSED or not message.blocks:
            raise
        refusal = exc
    answer = await _send_in_words(message, attempt)
    kinds = _list_named(refusal) or sorted(set(_list_kinds(message.blocks)))
    log.warning("chatbot.blocks_refused reason=%s kinds=%s", refusal.reason, ",".join(kinds))
    return answer


async def _send_in_words(message: Message, attempt: Callable[[Message], Awaitable[T]]) -> T:
    if message.instead:
        try:
            return await attempt(in_sentences(message))
        except SlackRefused as exc:
            if exc.reason not in BLOCKS_REFUSED:
                raise
    return await attempt(replace(message, blocks=[]))


def _list_named(refusal: SlackRefused) -> list[str]:
    """The kinds that Slack says it does not support."""
    return sorted({kind for text in refusal.details for kind in _UNSUPPORTED.findall(text)})


def _list_kinds(blocks: Iterable[Block]) -> Iterator[str]:
    for block in blocks:
        yield str(block.get("type"))
        yield from _list_kinds(block.get("child_blocks", ()))
