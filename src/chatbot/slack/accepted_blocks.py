"""Which kinds of block this workspace takes, as far as it was seen."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from chatbot.messages.message import Message
from chatbot.messages.simpler import find_simpler, list_kinds, without
from chatbot.slack.errors import SlackRefused

__all__ = ["BLOCKS_REFUSED", "AcceptedBlocks"]

log = logging.getLogger(__name__)
T = TypeVar("T")

BLOCKS_REFUSED = frozenset(
    {"invalid_attachments", "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"}
)
REMEMBERED = 600.0
"""Seconds: Slack rolls out a kind of block at any time."""
_MOST = 30
_UNSUPPORTED = re.compile(r"unsupported (?:block )?type: (\w{1,40})")


class AcceptedBlocks:
    """Sends a message in the richest form that Slack takes; the text alone it always takes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._refused: dict[str, float] = {}

    async def send(self, message: Message, attempt: Callable[[Message], Awaitable[T]]) -> T:
        """`attempt` raises SlackRefused with a reason of BLOCKS_REFUSED for a form not taken.

        What Slack names as unsupported is remembered, so that the next message does not ask again;
        where it names nothing, what was left out last. A mistake in one message teaches nothing.
        """
        left_out = frozenset(kind for kind, end in self._refused.items() if self._clock() < end)
        form = without(message, left_out)
        named: frozenset[str] = frozenset()
        guessed: frozenset[str] = frozenset()
        refusal: SlackRefused | None = None
        while True:
            try:
                answer = await attempt(form)
            except SlackRefused as exc:
                if exc.reason not in BLOCKS_REFUSED or not form.blocks:
                    raise
                refusal = exc
            else:
                if refusal is not None:
                    self._remember(named | guessed)
                    kinds = ",".join(sorted(list_kinds(message) - list_kinds(form)))
                    log.warning("chatbot.blocks_refused reason=%s kinds=%s", refusal.reason, kinds)
                return answer
            said = _list_named(refusal) & list_kinds(form)
            dropped = find_simpler(form, said)
            named |= said
            guessed = frozenset() if refusal.details else dropped
            form = without(form, dropped) if dropped else replace(form, blocks=[])

    def _remember(self, kinds: frozenset[str]) -> None:
        now = self._clock()
        self._refused = {kind: end for kind, end in self._refused.items() if now < end}
        self._refused |= dict.fromkeys(sorted(kinds)[:_MOST], now + REMEMBERED)


def _list_named(refusal: SlackRefused) -> frozenset[str]:
    return frozenset(kind for text in refusal.details for kind in _UNSUPPORTED.findall(text))
