"""The methods of Slack's Web API that the bot calls, and how each call waits and is repeated."""

from __future__ import annotations

import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from chatbot.settings.bot import ChatbotSettings
from chatbot.slack.errors import SlackRefused, SlackUnavailable
from chatbot.slack.identity import Identity
from chatbot.slack.pacing import NotBefore
from chatbot.slack.quiet import silent_logger
from chatbot.slack.refusals import AgainLater, compare_clocks, understand
from chatbot.slack.stamp import Stamp
from jobs_maint.errors import InvalidSettings, JobsMaintError

__all__ = ["LONGEST_PAUSE", "TRIES", "WebApi"]

TRIES = 3
LONGEST_PAUSE = 30.0
BUDGET = 60.0


class WebApi:
    """Every call raises SlackUnavailable, SlackRefused or InvalidSettings (the token), no other."""

    def __init__(
        self,
        settings: ChatbotSettings,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        timeout: float,
        stamp: Stamp | None = None,
        not_before: NotBefore | None = None,
    ) -> None:
        self._not_before = not_before or NotBefore(clock)
        self.stamp = stamp or Stamp()
        self.sdk = AsyncWebClient(
            token=settings.require_bot_token(),
            base_url=settings.slack_api_url,
            timeout=int(timeout),
            trust_env_in_session=False,
            logger=silent_logger(),
            retry_handlers=[],
        )
        if settings.is_local:
            # The SDK takes HTTP_PROXY even for 127.0.0.1.
            self.sdk.proxy = None
        self._clock = clock
        self._sleep = sleep
        self._identity: Identity | None = None
        self._app_id = settings.find_app_id()
        self.clock_ahead: float | None = None
        """Seconds that our clock is ahead of Slack's, by its last answer; None before the first."""
        self.granted_scopes: frozenset[str] | None = None
        """Those of the bot's token, as Slack said with its last answer; None before the first."""

    async def auth_test(self) -> Identity:
        answer = await self.call("auth.test")
        self._identity = Identity(
            str(answer.get("user_id", "")),
            answer.get("bot_id"),
            str(answer.get("team_id", "")),
            str(answer.get("team", "")),
            answer.get("enterprise_id"),
            self._app_id or await self._find_app_id(answer.get("bot_id")),
        )
        return self._identity

    async def _find_app_id(self, bot: str | None) -> str | None:
        """None where the app may not ask; the tokens and signatures still belong together."""
        if not bot or "users:read" not in (self.granted_scopes or ()):
            return None
        try:
            answer = await self.call("bots.info", {"bot": bot}, tries=1)
        except JobsMaintError:
            return None
        self._app_id = (answer.get("bot") or {}).get("app_id")
        return self._app_id

    async def get_identity(self) -> Identity:
        """As Slack said last; it is asked only once."""
        return self._identity or await self.auth_test()

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

    async def list_group_members(self, group: str) -> frozenset[str]:
        answer = await self.call("usergroups.users.list", {"usergroup": group})
        return frozenset(str(user) for user in answer.get("users", ()))

    async def list_groups(self) -> Mapping[str, str]:
        """The handle of each user group, by its id."""
        answer = await self.call("usergroups.list", {})
        return {str(one.get("id")): str(one.get("handle")) for one in answer.get("usergroups", ())}

    async def get_user(self, user: str) -> Mapping[str, Any]:
        """The person; `is_stranger` also for one of another organisation."""
        answer = await self.call("users.info", {"user": user})
        person = dict(answer.get("user") or {})
        ours = await self.get_identity()
        return person if ours.is_home_of(person) else {**person, "is_stranger": True}

    async def get_channel(self, channel: str) -> Mapping[str, Any]:
        answer = await self.call("conversations.info", {"channel": channel})
        return dict(answer.get("channel") or {})

    async def list_messages(
        self, channel: str, *, pages: int, thread: str | None = None
    ) -> AsyncIterator[Mapping[str, Any]]:
        """With metadata, 200 a page: of a channel the newest first, of a thread the oldest."""
        method = "conversations.replies" if thread else "conversations.history"
        body = {"channel": channel, "limit": 200, "include_all_metadata": True}
        body |= {"ts": thread} if thread else {}
        for _ in range(pages):
            answer = await self.call(method, body)
            for message in answer.get("messages") or ():
                yield message
            body["cursor"] = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not body["cursor"]:
                return

    async def open_view(self, trigger: str, view: Mapping[str, Any]) -> str:
        """Open a modal; returns its id."""
        body = {"trigger_id": trigger, "view": self.stamp.mark_view(view)}
        # Once: before a second try the trigger is too old.
        answer = await self.call("views.open", body, read=False, tries=1)
        return str((answer.get("view") or {}).get("id", ""))

    async def update_view(self, name: Mapping[str, str], view: Mapping[str, Any]) -> None:
        """`name`: the `view_id`, or the `external_id` that the modal was opened with."""
        # The same view twice is one.
        body = {**name, "view": self.stamp.mark_view(view)}
        await self.call("views.update", body, read=False, repeat=True)

    async def validate(self, kind: str, payload: Mapping[str, Any]) -> tuple[str, ...]:
        """What Slack has against a `message` or a `view`; empty when it takes it. Sends nothing."""
        try:
            await self.call("blocks.validate", {kind: json.dumps(payload)}, form=True)
        except SlackRefused as exc:
            if exc.reason != f"invalid_{kind}":
                raise
            return exc.details or (exc.reason,)
        return ()

    async def list_own_channels(self, most: int) -> dict[str, str]:
        """Id → name of channels that the bot is in, of the kinds that it may ask about."""
        scopes = {"public_channel": "channels:read", "private_channel": "groups:read"}
        kinds = [kind for kind, scope in scopes.items() if scope in (self.granted_scopes or ())]
        if not kinds:
            return {}
        body = {"types": ",".join(kinds), "exclude_archived": True, "limit": most}
        answer = await self.call("users.conversations", body)
        found = answer.get("channels") or ()
        return {str(channel["id"]): str(channel.get("name") or "") for channel in found}

    async def call(
        self,
        method: str,
        body: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
        read: bool = True,
        repeat: bool | None = None,
        tries: int = TRIES,
        form: bool = False,
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> Any:
        """`before` comes before each try; `form`: what is read does not fit into an address.

        `repeat`: also after an answer that leaves open whether it was done; reads may.
        """
        kinds = {"read": read, "repeat": read if repeat is None else repeat, "form": form}
        deadline = self._clock() + BUDGET
        # Slack limits posts by channel, and everything else by method.
        what = f"{method} {(body or {}).get('channel', '')}" if not read else method
        for attempt in range(1, tries + 1):
            if (left := self._not_before.count_seconds(what)) > 0:
                if left > LONGEST_PAUSE or tries == 1:
                    wait = f"Slack asks to wait {left:.0f} s more before the next {method}"
                    raise SlackUnavailable(wait, pause=left)
                await self._sleep(left)
            if before:
                await before()
            try:
                return await self._call_once(method, body, token, **kinds)
            except AgainLater as exc:
                if exc.pause:
                    self._not_before.hold(what, exc.pause)
                pause = exc.pause or 0.5 * 2**attempt * random.uniform(0.5, 1.0)  # noqa: S311
                if attempt == tries or pause > LONGEST_PAUSE or self._clock() + pause > deadline:
                    raise exc.final from exc.__cause__
                await self._sleep(pause)
        raise AssertionError("unreachable")

    async def _call_once(
        self,
        method: str,
        body: Mapping[str, Any] | None,
        token: str | None,
        *,
        read: bool,
        repeat: bool,
        form: bool,
    ) -> Any:
        # Reads take fields; what is posted is JSON, for its nested blocks.
        fields = "data" if form else "params"
        payload: dict[str, Any] = {fields: _fields(body)} if read else {"json": dict(body or {})}
        if token is not None:
            payload[fields]["token"] = token
        try:
            answer = await self.sdk.api_call(method, **payload)
        except SlackApiError as exc:
            raise understand(method, exc, repeat=repeat) from exc
        except aiohttp.ClientConnectorError as exc:
            final = SlackUnavailable(f"Slack cannot be reached ({method}): {_network(exc)}")
            raise AgainLater(final) from exc
        except Exception as exc:  # the SDK trips over answers that are not Slack's
            name = type(exc).__name__
            final = SlackUnavailable(f"Slack did not answer {method}: {name}", maybe_done=True)
            if repeat:
                raise AgainLater(final) from exc
            raise final from exc
        self.clock_ahead = compare_clocks(answer.headers.get("Date"), time.time())
        scopes = answer.headers.get("x-oauth-scopes")
        if token is None and scopes:
            self.granted_scopes = frozenset(scope.strip() for scope in str(scopes).split(","))
        return answer.data


def _network(exc: aiohttp.ClientConnectorError) -> str:
    return exc.os_error.strerror or type(exc.os_error).__name__


def _fields(body: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: str(v).lower() if v is True else v for name, v in (body or {}).items()}
