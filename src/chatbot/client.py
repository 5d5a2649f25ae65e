"""The only place that talks to Slack's Web API and to response_urls.

What was maybe accepted is never sent twice: a post is repeated only when Slack said that it took
nothing (429) or when no connection was made.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from chatbot.errors import SlackRefused, SlackUnavailable
from chatbot.pacing import Pacer
from chatbot.quiet import silent_logger
from chatbot.replies.message import Message
from chatbot.settings import ChatbotSettings
from chatbot.slack_errors import AgainLater, get_retry_after, understand
from jobs_maint.errors import InvalidSettings

__all__ = ["Identity", "Posted", "SlackClient"]

log = logging.getLogger(__name__)

TRIES = 3
LONGEST_PAUSE = 30.0
BUDGET = 60.0
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose token it is."""

    user_id: str
    bot_id: str | None
    team_id: str
    team: str


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
        self._timeout = timeout
        self._pacer = Pacer(clock, sleep)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def auth_test(self) -> Identity:
        answer = await self.call("auth.test")
        return Identity(
            str(answer.get("user_id", "")),
            answer.get("bot_id"),
            str(answer.get("team_id", "")),
            str(answer.get("team", "")),
        )

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
        problem = "no response_url"
        for attempt in range(TRIES if response_url else 0):
            status, text, pause = await self._post_response(str(response_url), body)
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
        await self.post_ephemeral(channel, user, message)

    async def _post_response(self, url: str, body: Mapping[str, Any]) -> tuple[int, str, float]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._timeout), trust_env=False
            )
        proxy = None if urlsplit(url).hostname in _LOOPBACK else self.web.proxy
        try:
            async with self._session.post(url, json=body, proxy=proxy) as answer:
                text = (await answer.content.read(2_000)).decode("utf-8", "replace")
                return answer.status, text, get_retry_after(answer.headers)
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0, "", 0.0

    async def list_group_members(self, group: str) -> frozenset[str]:
        answer = await self.call("usergroups.users.list", {"usergroup": group})
        return frozenset(str(user) for user in answer.get("users", ()))

    async def get_user(self, user: str) -> Mapping[str, Any]:
        answer = await self.call("users.info", {"user": user})
        return dict(answer.get("user") or {})

    async def get_channel(self, channel: str) -> Mapping[str, Any]:
        answer = await self.call("conversations.info", {"channel": channel})
        return dict(answer.get("channel") or {})

    async def list_messages(self, channel: str, oldest: str) -> list[Mapping[str, Any]]:
        """The newest messages since `oldest` (a Slack ts), with their metadata."""
        answer = await self.call(
            "conversations.history",
            {"channel": channel, "oldest": oldest, "limit": 100, "include_all_metadata": True},
        )
        return [dict(message) for message in answer.get("messages", ())]

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
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as exc:
            final = SlackUnavailable(f"Slack did not answer {method}: {type(exc).__name__}")
            if read:
                raise AgainLater(final) from exc
            raise final from exc
        return answer.data


def _network(exc: aiohttp.ClientConnectorError) -> str:
    return exc.os_error.strerror or type(exc.os_error).__name__


def _fields(body: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: str(v).lower() if v is True else v for name, v in (body or {}).items()}
