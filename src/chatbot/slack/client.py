"""The only place that talks to Slack's Web API and to response_urls.

What was maybe accepted is not sent twice: a post is repeated when Slack said that it took nothing
(429), when no connection was made, or when the channel was looked through and it is not there.
Only where the app may not look is it repeated on the chance, and says so.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from chatbot.messages.errors import add_note
from chatbot.messages.message import Message
from chatbot.messages.simpler import shorten_text
from chatbot.settings.bot import ChatbotSettings
from chatbot.slack.accepted_blocks import AcceptedBlocks
from chatbot.slack.answering import Responder
from chatbot.slack.editing import MessageEdits
from chatbot.slack.errors import SlackRefused, SlackUnavailable
from chatbot.slack.identity import Identity
from chatbot.slack.own_messages import (
    HISTORY_SCOPES,
    Metadata,
    find_own_message,
    is_same,
    make_metadata,
)
from chatbot.slack.pacing import Pacer
from chatbot.slack.quiet import silent_logger
from chatbot.slack.undelivered import DeliveryLog
from chatbot.slack.web_api import TRIES, WebCalls
from jobs_maint.errors import InvalidSettings

__all__ = ["Identity", "Posted", "SlackClient"]

log = logging.getLogger(__name__)

LOOK_AFTER = 1.0
"""Seconds: what Slack took is not at once in its history."""
LONGEST_EDIT = 4_000
MAY_BE_A_REPEAT = "This may be a repeat: Slack did not say whether it took the first one."


@dataclass(frozen=True, slots=True)
class Posted:
    channel: str
    ts: str


class SlackClient:
    """Every call raises SlackUnavailable, SlackRefused or InvalidSettings (the token), no other.

    `problems` are the failed deliveries of this process, for `doctor`. `edits` changes messages of
    long runs, with one budget for all of them.
    """

    def __init__(
        self,
        settings: ChatbotSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        timeout: float = 15.0,
    ) -> None:
        self.web = AsyncWebClient(
            token=settings.require_bot_token(),
            base_url=settings.slack_api_url,
            timeout=int(timeout),
            trust_env_in_session=False,
            logger=silent_logger(),
            retry_handlers=[],
        )
        if settings.is_local:
            # The SDK takes HTTP_PROXY even for 127.0.0.1.
            self.web.proxy = None
        self._calls = WebCalls(self.web, clock, sleep)
        self.call = self._calls.call
        self.problems = DeliveryLog()
        self.edits = MessageEdits(self, clock=clock, sleep=sleep)
        self._sleep = sleep
        self._pacer = Pacer(clock, sleep)
        self._blocks = AcceptedBlocks(clock)
        self._responder = Responder(self, self._blocks, clock=clock, sleep=sleep, timeout=timeout)
        self.respond = self._responder.respond
        self.use_response_url = self._responder.use_response_url
        self.count_left = self._responder.count_left
        self._identity: Identity | None = None

    @property
    def granted_scopes(self) -> frozenset[str] | None:
        """Those of the bot's token, as Slack said with its last answer; None before the first."""
        return self._calls.granted

    async def close(self) -> None:
        await self.edits.close()
        await self._responder.close()

    async def auth_test(self) -> Identity:
        answer = await self.call("auth.test")
        self._identity = Identity(
            str(answer.get("user_id", "")),
            answer.get("bot_id"),
            str(answer.get("team_id", "")),
            str(answer.get("team", "")),
            answer.get("enterprise_id"),
        )
        return self._identity

    async def open_socket(self, app_token: str) -> str:
        """The address of a Socket Mode connection; proves the app token."""
        try:
            answer = await self.call("apps.connections.open", token=app_token)
        except InvalidSettings as exc:
            raise InvalidSettings(
                "SLACK_APP_TOKEN is not accepted by Slack; it is an app-level token (xapp-…) with "
                "the scope connections:write"
            ) from exc
        return str(answer["url"])

    async def post(
        self, channel: str, message: Message, *, metadata: Metadata | None = None
    ) -> Posted:
        """`channel`: also a user's id, for a direct message.

        `metadata` of the caller have to be of this message only: after an answer that was lost it
        is looked up by them, and posted again only when it is not there.
        """
        carried = metadata or make_metadata()
        with self.problems.watch(channel):
            try:
                return await self._post_once(channel, message, carried)
            except SlackUnavailable as exc:
                if not exc.maybe_done:
                    raise
                lost = exc
            there, may_look = await self._look_up(channel, carried, lost)
            if there is not None:
                return there
            log.warning("chatbot.post_repeated channel=%s looked=%s", channel, may_look)
            again = message if may_look else add_note(message, MAY_BE_A_REPEAT)
            try:
                return await self._post_once(channel, again, carried)
            except SlackUnavailable as second:
                if not may_look or not second.maybe_done:
                    raise
                there, _ = await self._look_up(channel, carried, second)
                if there is None:
                    raise
                return there

    async def _post_once(self, channel: str, message: Message, metadata: Metadata) -> Posted:
        answer = await self._send("chat.postMessage", channel, message, metadata=dict(metadata))
        return Posted(str(answer.get("channel", channel)), str(answer["ts"]))

    async def _look_up(
        self, channel: str, metadata: Metadata, lost: SlackUnavailable
    ) -> tuple[Posted | None, bool]:
        """Our message, and whether we may look; raises `lost` when Slack still does not answer."""
        granted = self.granted_scopes
        if granted is not None and not granted & HISTORY_SCOPES:
            return None, False
        await self._sleep(LOOK_AFTER)
        try:
            there = await find_own_message(self, channel, lambda found: is_same(found, metadata))
        except SlackRefused:
            return None, False
        except SlackUnavailable as exc:
            raise lost from exc
        return (Posted(channel, str(there["ts"])) if there else None), True

    async def post_ephemeral(self, channel: str, user: str, message: Message) -> None:
        with self.problems.watch(channel):
            await self._send("chat.postEphemeral", channel, message, user=user)

    async def update(
        self, channel: str, ts: str, message: Message, *, tries: int = TRIES
    ) -> Posted:
        """Put another message in the place of one of ours; a text too long for an edit is cut."""

        async def attempt(form: Message) -> Any:
            short = shorten_text(form, LONGEST_EDIT)
            body = {"channel": channel, "ts": ts, "text": short.text, "blocks": short.blocks}
            # The same edit twice is one.
            return await self.call("chat.update", body, read=False, repeat=True, tries=tries)

        with self.problems.watch(channel):
            answer = await self._blocks.send(message, attempt)
        return Posted(str(answer.get("channel", channel)), str(answer.get("ts", ts)))

    async def _send(self, method: str, channel: str, message: Message, **extra: Any) -> Any:
        async def attempt(form: Message) -> Any:
            body = {
                "channel": channel,
                "text": form.text,
                "blocks": form.blocks,
                "unfurl_links": False,
                "unfurl_media": False,
                **extra,
            }
            return await self.call(method, body, read=False)

        async with self._pacer.turn(channel):
            return await self._blocks.send(message, attempt)

    async def list_group_members(self, group: str) -> frozenset[str]:
        answer = await self.call("usergroups.users.list", {"usergroup": group})
        return frozenset(str(user) for user in answer.get("users", ()))

    async def get_user(self, user: str) -> Mapping[str, Any]:
        """The person; `is_stranger` also for one of another organisation."""
        answer = await self.call("users.info", {"user": user})
        person = dict(answer.get("user") or {})
        ours = self._identity or await self.auth_test()
        return person if ours.is_home_of(person) else {**person, "is_stranger": True}

    async def get_channel(self, channel: str) -> Mapping[str, Any]:
        answer = await self.call("conversations.info", {"channel": channel})
        return dict(answer.get("channel") or {})

    async def list_messages(self, channel: str, *, pages: int) -> AsyncIterator[Mapping[str, Any]]:
        """The messages of a channel with their metadata, the newest first, 200 a page."""
        body = {"channel": channel, "limit": 200, "include_all_metadata": True}
        for _ in range(pages):
            answer = await self.call("conversations.history", body)
            for message in answer.get("messages") or ():
                yield message
            body["cursor"] = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not body["cursor"]:
                return
