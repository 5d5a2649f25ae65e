"""Messages in channels: posted once, shown to one person, or put in the place of an earlier one.

What was maybe accepted is not sent twice: a post is repeated when Slack said that it took nothing
(429), when no connection was made, or when the channel was looked through and it is not there.
Only where the app may not look is it repeated on the chance, and says so.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from chatbot.messages.errors import add_note
from chatbot.messages.message import Message, shorten_text
from chatbot.slack.accepted_blocks import send_or_fall_back
from chatbot.slack.errors import SlackRefused, SlackUnavailable
from chatbot.slack.own_messages import (
    HISTORY_SCOPES,
    THREAD_PAGES,
    Metadata,
    find_own_message,
    is_same,
    make_metadata,
)
from chatbot.slack.pacing import Pacer
from chatbot.slack.stamp import Stamp
from chatbot.slack.undelivered import DeliveryLog
from chatbot.slack.web_api import TRIES, WebApi

__all__ = ["MAY_BE_A_REPEAT", "Posted", "Posting"]

log = logging.getLogger(__name__)

Before = Callable[[], Awaitable[None]]
LOOK_AFTER = 1.0
"""Seconds: what Slack took is not at once in its history."""
LONGEST_EDIT = 4_000
"""Bytes of text: Slack counts them where it edits."""
MAY_BE_A_REPEAT = "This may be a repeat: Slack did not say whether it took the first one."


@dataclass(frozen=True, slots=True)
class Posted:
    channel: str
    ts: str


class Posting:
    """`problems` are the failed deliveries of this process, for `doctor`."""

    def __init__(
        self,
        web: WebApi,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.problems = DeliveryLog()
        self._web = web
        self._sleep = sleep
        self._pacer = Pacer(clock, sleep)

    @property
    def stamp(self) -> Stamp:
        return self._web.stamp

    async def post(
        self,
        channel: str,
        message: Message,
        *,
        metadata: Metadata | None = None,
        before: Before | None = None,
        thread: str | None = None,
    ) -> Posted:
        """`channel`: also a user's id, for a direct message. `thread`: a reply to that message.

        `metadata` of the caller have to be of this message only: after an answer that was lost it
        is looked up by them, and posted again only when it is not there. `before` is awaited right
        before each try; what it raises ends the post.
        """
        carried = metadata or make_metadata()
        if self._web.stamp.database:
            payload = {**carried["event_payload"], "database": self._web.stamp.database}
            carried = {**carried, "event_payload": payload}
        with self.problems.watch(channel):
            try:
                return await self._post_once(channel, message, carried, before, thread)
            except SlackUnavailable as exc:
                if not exc.maybe_done:
                    raise
                lost = exc
            return await self._post_again(channel, message, carried, before, thread, lost)

    async def _post_again(
        self,
        channel: str,
        message: Message,
        carried: Metadata,
        before: Before | None,
        thread: str | None,
        lost: SlackUnavailable,
    ) -> Posted:
        there, may_look = await self._look_up(channel, carried, lost, thread)
        if there is not None:
            return there
        log.warning("chatbot.post_repeated channel=%s looked=%s", channel, may_look)
        told = may_look or MAY_BE_A_REPEAT in message.text
        again = message if told else add_note(message, MAY_BE_A_REPEAT)
        try:
            return await self._post_once(channel, again, carried, before, thread)
        except SlackRefused as second:
            if may_look:
                raise
            raise lost from second
        except SlackUnavailable as second:
            if not may_look:
                second.maybe_done = True  # the first one
                raise
            if not second.maybe_done:
                raise
            there, _ = await self._look_up(channel, carried, second, thread)
            if there is None:
                raise
            return there

    async def post_ephemeral(
        self, channel: str, user: str, message: Message, *, thread: str | None = None
    ) -> None:
        more = {"thread_ts": thread} if thread else {}
        with self.problems.watch(channel):
            await self._send("chat.postEphemeral", channel, message, None, user=user, **more)

    async def update(
        self, channel: str, ts: str, message: Message, *, tries: int = TRIES
    ) -> Posted:
        """Put another message in the place of one of ours; a text too long for an edit is cut."""
        message = self._web.stamp.mark(message)

        async def attempt(form: Message) -> Any:
            short = shorten_text(form, LONGEST_EDIT)
            body = {"channel": channel, "ts": ts, "text": short.text, "blocks": short.blocks}
            # The same edit twice is one.
            return await self._web.call("chat.update", body, read=False, repeat=True, tries=tries)

        with self.problems.watch(channel):
            answer = await send_or_fall_back(message, attempt)
        return Posted(str(answer.get("channel", channel)), str(answer.get("ts", ts)))

    async def _post_once(
        self,
        channel: str,
        message: Message,
        metadata: Metadata,
        before: Before | None,
        thread: str | None,
    ) -> Posted:
        more = {"thread_ts": thread} if thread else {}
        answer = await self._send(
            "chat.postMessage", channel, message, before, metadata=dict(metadata), **more
        )
        return Posted(str(answer.get("channel", channel)), str(answer["ts"]))

    async def _send(
        self,
        method: str,
        channel: str,
        message: Message,
        before: Before | None = None,
        **extra: Any,
    ) -> Any:
        message = self._web.stamp.mark(message, private=method == "chat.postEphemeral")

        async def attempt(form: Message) -> Any:
            body = {
                "channel": channel,
                "text": form.text,
                "blocks": form.blocks,
                "unfurl_links": False,
                "unfurl_media": False,
                **extra,
            }
            return await self._web.call(method, body, read=False, before=before)

        async with self._pacer.turn(channel):
            return await send_or_fall_back(message, attempt)

    async def _look_up(
        self, channel: str, metadata: Metadata, lost: SlackUnavailable, thread: str | None
    ) -> tuple[Posted | None, bool]:
        """Our message, and whether we may look; raises `lost` when Slack still does not answer."""
        granted = self._web.granted_scopes
        if granted is not None and not granted & HISTORY_SCOPES:
            return None, False
        await self._sleep(LOOK_AFTER)
        try:
            there = await find_own_message(
                self._web,
                channel,
                lambda found: is_same(found, metadata),
                pages=THREAD_PAGES if thread else 1,
                thread=thread,
            )
        except SlackRefused:
            return None, False
        except SlackUnavailable as exc:
            raise lost from exc
        return (Posted(channel, str(there["ts"])) if there else None), True
