"""The only place that talks to Slack's Web API and to response_urls.

What was maybe accepted is never sent twice: a post is repeated only when Slack said that it took
nothing (429) or when no connection was made.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from chatbot.errors import SlackRefused, SlackUnavailable
from chatbot.identity import Identity
from chatbot.pacing import Pacer
from chatbot.quiet import silent_logger
from chatbot.replies.message import Message
from chatbot.response_urls import ResponseUrls
from chatbot.settings import ChatbotSettings
from chatbot.slack_errors import AgainLater, understand
from jobs_maint.errors import InvalidSettings

__all__ = ["Identity", "Posted", "SlackClient"]

log = logging.getLogger(__name__)

TRIES = 3
LONGEST_PAUSE = 30.0
BUDGET = 60.0


@dataclass(frozen=True, slots=True)
class Posted:
    channel: str
    ts: str


class SlackClient:
    """Every call raises SlackUnavailable, SlackRefused or InvalidSettings (the token), no other."""

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
        self._clock = clock
        self._sleep = sleep
        self._pacer = Pacer(clock, sleep)
        self._urls = ResponseUrls(timeout)
        self._identity: Identity | None = None

    async def close(self) -> None:
        await self._urls.close()

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
        self, channel: str, message: Message, *, metadata: Mapping[str, Any] | None = None
    ) -> Posted:
        extra = {"metadata": dict(metadata)} if metadata else {}
        answer = await self._send("chat.postMessage", channel, message, **extra)
        return Posted(str(answer.get("channel", channel)), str(answer["ts"]))

    async def post_ephemeral(self, channel: str, user: str, message: Message) -> None:
        await self._send("chat.postEphemeral", channel, message, user=user)

    async def _send(self, method: str, channel: str, message: Message, **extra: Any) -> Any:
        body = {
            "channel": channel,
            "text": message.text,
            "blocks": message.blocks,
            "unfurl_links": False,
            "unfurl_media": False,
            **extra,
        }
        async with self._pacer.turn(channel):
            try:
                return await self.call(method, body, read=False)
            except SlackRefused as exc:
                if exc.reason not in {"invalid_blocks", "msg_blocks_too_long"}:
                    raise
                log.warning("chatbot.blocks_refused method=%s reason=%s", method, exc.reason)
                return await self.call(method, {**body, "blocks": []}, read=False)

    async def respond(
        self,
        response_url: str | None,
        message: Message,
        *,
        channel: str,
        user: str,
        in_channel: bool,
        replace_original: bool = False,
    ) -> None:
        """Answer a command or a click; privately when the response_url is used up."""
        body: dict[str, Any] = {
            "response_type": "in_channel" if in_channel else "ephemeral",
            "replace_original": replace_original,
            "text": message.text,
            "blocks": message.blocks,
            "unfurl_links": False,
            "unfurl_media": False,
        }
        problem, status = "no response_url", 404
        url, proxy = str(response_url), self.web.proxy
        for attempt in range(TRIES if response_url else 0):
            status, text, pause = await self._urls.post(url, body, proxy=proxy)
            if status == 200 and '"ok":false' not in text.replace(" ", ""):
                return
            problem = f"status {status}"
            if status == 429 and pause <= LONGEST_PAUSE and attempt + 1 < TRIES:
                await self._sleep(pause)
            elif "blocks" in text and body["blocks"]:
                body["blocks"] = []
            else:
                break
        log.warning("chatbot.response_url_failed problem=%s", problem)
        try:
            await self.post_ephemeral(channel, user, message)
        except SlackRefused:
            # The bot is not in the channel. Rather an answer twice than none.
            if status not in {0, 429} and status < 500:
                raise
            status, *_ = await self._urls.post(url, body, proxy=proxy)
            if status != 200:
                raise

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

    async def call(
        self,
        method: str,
        body: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
        read: bool = True,
    ) -> Any:
        """One method; `read` ones are repeated after a server error or a lost connection."""
        deadline = self._clock() + BUDGET
        for attempt in range(1, TRIES + 1):
            try:
                return await self._call_once(method, body, token, read=read)
            except AgainLater as exc:
                pause = exc.pause or 0.5 * 2**attempt * random.uniform(0.5, 1.0)  # noqa: S311
                if attempt == TRIES or pause > LONGEST_PAUSE or self._clock() + pause > deadline:
                    raise exc.final from exc.__cause__
                await self._sleep(pause)
        raise AssertionError("unreachable")

    async def _call_once(
        self, method: str, body: Mapping[str, Any] | None, token: str | None, *, read: bool
    ) -> Any:
        # Reads take form fields; what is posted is JSON, for its nested blocks.
        payload: dict[str, Any] = {"params": _fields(body)} if read else {"json": dict(body or {})}
        if token is not None:
            payload["params"]["token"] = token
        try:
            answer = await self.web.api_call(method, **payload)
        except SlackApiError as exc:
            raise understand(method, exc, read=read) from exc
        except aiohttp.ClientConnectorError as exc:
            final = SlackUnavailable(f"Slack cannot be reached ({method}): {_network(exc)}")
            raise AgainLater(final) from exc
        except Exception as exc:  # the SDK trips over answers that are not Slack's
            final = SlackUnavailable(f"Slack did not answer {method}: {type(exc).__name__}")
            if read:
                raise AgainLater(final) from exc
            raise final from exc
        return answer.data


def _network(exc: aiohttp.ClientConnectorError) -> str:
    return exc.os_error.strerror or type(exc.os_error).__name__


def _fields(body: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: str(v).lower() if v is True else v for name, v in (body or {}).items()}
