"""One call of Slack's Web API: how long it waits, and when it is made again."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from chatbot.slack.errors import SlackUnavailable
from chatbot.slack.refusals import AgainLater, understand

__all__ = ["LONGEST_PAUSE", "TRIES", "WebCalls"]

TRIES = 3
LONGEST_PAUSE = 30.0
BUDGET = 60.0


class WebCalls:
    """Raises SlackUnavailable, SlackRefused or InvalidSettings (the token), no other."""

    def __init__(
        self,
        web: AsyncWebClient,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._web = web
        self._clock = clock
        self._sleep = sleep
        self.granted: frozenset[str] | None = None
        """The scopes of the bot's token, once Slack has told."""

    async def call(
        self,
        method: str,
        body: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
        read: bool = True,
        repeat: bool | None = None,
        tries: int = TRIES,
    ) -> Any:
        """`repeat`: also after an answer that leaves open whether it was done; reads may."""
        again = read if repeat is None else repeat
        deadline = self._clock() + BUDGET
        for attempt in range(1, tries + 1):
            try:
                return await self._call_once(method, body, token, read=read, repeat=again)
            except AgainLater as exc:
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
    ) -> Any:
        # Reads take form fields; what is posted is JSON, for its nested blocks.
        payload: dict[str, Any] = {"params": _fields(body)} if read else {"json": dict(body or {})}
        if token is not None:
            payload["params"]["token"] = token
        try:
            answer = await self._web.api_call(method, **payload)
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
        scopes = answer.headers.get("x-oauth-scopes")
        if token is None and scopes:
            self.granted = frozenset(scope.strip() for scope in str(scopes).split(","))
        return answer.data


def _network(exc: aiohttp.ClientConnectorError) -> str:
    return exc.os_error.strerror or type(exc.os_error).__name__


def _fields(body: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: str(v).lower() if v is True else v for name, v in (body or {}).items()}
