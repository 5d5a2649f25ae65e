"""The messages whose buttons led to an act: once it is done, they say by whom, and what is left.

Kept in memory, for the last of the messages that were clicked in this process: only a click brings
a message along, a private one not even that, so the last ones that were sent are kept. Another
replica, or this one after a restart, leaves the buttons as they are.

A mark is written into the message as it was clicked, so it must not come after another edit of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from chatbot.access.directory import Directory
from chatbot.handling.targets import find_target
from chatbot.inbound.slack_request import SlackRequest
from chatbot.messages.marking import Mark, find_button_ids, mark_done
from chatbot.messages.message import Message
from chatbot.slack.client import SlackClient
from jobs_maint.errors import JobsMaintError

__all__ = ["Origins"]

log = logging.getLogger(__name__)

MOST = 100
_REPLACE = {"confirm", "dismiss", "stop"}


@dataclass(slots=True)
class _Seen:
    """`marks`: by the words of a button, who ran them; `original`: the message before the first."""

    request: SlackRequest
    message: Message
    original: Message
    marks: dict[str, Mark] = field(default_factory=dict)


class Origins:
    def __init__(self, slack: SlackClient, directory: Directory) -> None:
        self._slack = slack
        self._directory = directory
        self._seen: OrderedDict[tuple[str, str], _Seen] = OrderedDict()
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    def remember(self, request: SlackRequest) -> None:
        """The message of this click."""
        message = self._find_message(request)
        if message is None:
            return
        place = _find_place(request)
        before = self._seen.pop(place, None)
        if request.refresh or (request.private and request.button in _REPLACE):
            return  # its content is replaced
        self._seen[place] = seen = _Seen(request, message, message)
        if before is not None and before.marks:
            seen.original = before.original
            for words, mark in before.marks.items():
                there = find_button_ids(message, words)
                if there and there != find_button_ids(before.message, words):
                    # It was clicked with this mark in it, and a button for the rest.
                    seen.original = mark_done(seen.original, {words: mark})
                else:
                    seen.marks[words] = mark
        if len(self._seen) > MOST:
            self._seen.popitem(last=False)

    def _find_message(self, request: SlackRequest) -> Message | None:
        if request.private:
            return self._slack.stamp.kept.get(request.sent_as)
        if request.ts is None or request.message is None:
            return None
        blocks = [dict(block) for block in request.message.get("blocks") or ()]
        return Message(str(request.message.get("text") or ""), blocks)

    def forget(self, request: SlackRequest) -> None:
        """Its answer takes the place of the message that was clicked."""
        self._seen.pop(_find_place(request), None)

    @contextlib.asynccontextmanager
    async def replaced(self, channel: str, ts: str | None) -> AsyncIterator[None]:
        """Around an edit that gives the message another content.

        It waits for marks that are being written; those of the content before it come no more.
        """
        place = channel, ts or ""
        async with self._lock(place):
            yield
            self._seen.pop(place, None)

    def _lock(self, place: tuple[str, str]) -> asyncio.Lock:
        return self._locks.setdefault(place, asyncio.Lock())

    async def tell_undone(self, channel: str, words: str) -> bool:
        """Put back every button that ran these words; whether all saw one in this channel."""
        found = False
        for place in list(self._seen):
            if (seen := self._seen.get(place)) is None:
                continue
            undone = [one for one in seen.marks if one == words or one.startswith(f"{words} ")]
            if undone:
                for one in undone:
                    del seen.marks[one]
                seen.message = seen.original
                is_open = place[0] == channel and not seen.request.private
                found = (await self._show(place) and is_open) or found
        return found

    async def tell_done(self, channel: str, words: str, mark: Mark, *, add: bool = False) -> None:
        """Put the mark to every button of the channel that runs these words.

        `add`: after who ran them before, as several people may have done a part each. Once all is
        done the button is gone, and who types its words later does something else.
        """
        for place in list(self._seen):
            # A click may have brought a newer one while the marks before were shown.
            seen = self._seen.get(place)
            if seen is None or place[0] != channel or not find_button_ids(seen.message, words):
                continue
            before = seen.marks.get(words) if add else None
            if before and not find_button_ids(mark_done(seen.message, {words: before}), words):
                continue
            seen.marks[words] = mark.after(before)
            await self._show(place)

    async def _show(self, place: tuple[str, str]) -> bool:
        """With all marks there are once its turn comes; False where it has another content now."""
        try:
            async with self._lock(place):
                if (seen := self._seen.get(place)) is None:
                    return False
                target = await find_target(self._directory, seen.request)
                return await self._slack.editing.mark(target, mark_done(seen.message, seen.marks))
        except JobsMaintError as exc:
            log.info("chatbot.origin_not_marked channel=%s ts=%s reason=%s", *place, exc)
            return False


def _find_place(request: SlackRequest) -> tuple[str, str]:
    return request.channel, request.ts or request.sent_as
