"""The layers of `chatbot.slack` on one bot token, each built on those before it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from chatbot.settings.bot import ChatbotSettings
from chatbot.slack.answering import Answering
from chatbot.slack.editing import Editing
from chatbot.slack.pacing import NotBefore
from chatbot.slack.posting import Posting
from chatbot.slack.response_urls import ResponseUrls
from chatbot.slack.stamp import Stamp
from chatbot.slack.web_api import WebApi

__all__ = ["SlackClient"]


class SlackClient:
    """One for a process: the pace of a channel and the budget of edits are kept here.

    Every call raises SlackUnavailable, SlackRefused or InvalidSettings (the token), no other.
    """

    def __init__(
        self,
        settings: ChatbotSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        timeout: float = 15.0,
        environment: str | None = None,
        not_before: NotBefore | None = None,
    ) -> None:
        """`not_before`: what Slack asked of clients before this one, with the same token."""
        self.stamp = Stamp(environment or "")
        self.foreign_clicks = 0
        """Clicks on buttons that a bot of another database made, with the same app."""
        self.web = WebApi(
            settings, clock=clock, sleep=sleep, timeout=timeout,
            stamp=self.stamp, not_before=not_before,
        )  # fmt: skip
        self.posting = Posting(self.web, clock=clock, sleep=sleep)
        self._urls = ResponseUrls(timeout, clock, proxy=self.web.sdk.proxy)
        self.answering = Answering(self.posting, self._urls, sleep=sleep)
        self.editing = Editing(self.posting, self.answering, clock=clock, sleep=sleep)

    async def close(self) -> None:
        """Progress that waits is dropped."""
        await self.editing.close()
        await self._urls.close()
