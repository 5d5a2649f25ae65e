"""Answers to a command or a click: by its response_url, else privately, else as direct message."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from chatbot.messages.errors import add_note
from chatbot.messages.message import Message
from chatbot.messages.parts import Span
from chatbot.messages.parts import channel as link_to
from chatbot.slack.accepted_blocks import BLOCKS_REFUSED, send_or_fall_back
from chatbot.slack.errors import SlackRefused, SlackUnavailable
from chatbot.slack.posting import MAY_BE_A_REPEAT, Posting
from chatbot.slack.response_urls import NO_ANSWER, UNREACHED, ResponseUrls
from chatbot.slack.web_api import LONGEST_PAUSE, TRIES
from jobs_maint.errors import JobsMaintError

__all__ = ["Answering"]

log = logging.getLogger(__name__)

TAKEN, USED_UP = 200, 404
HICCUP = 1.0
"""Seconds until Slack is asked once more, if it does not say how long."""


class _Failed(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class Answering:
    def __init__(
        self,
        posting: Posting,
        urls: ResponseUrls,
        *,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._posting = posting
        self._urls = urls
        self._sleep = sleep

    def count_left(self, response_url: str) -> int:
        return self._urls.count_left(response_url)

    async def respond(
        self,
        response_url: str | None,
        message: Message,
        *,
        channel: str,
        user: str,
        in_channel: bool,
        replace_original: bool = False,
        thread: str | None = None,
    ) -> None:
        """Answer a command or a click; privately when the response_url is used up.

        Raises when no way is left: SlackUnavailable if it may work later.
        """

        async def use() -> int:
            if not response_url:
                return USED_UP
            return await self.use_response_url(
                response_url,
                message,
                in_channel=in_channel,
                replace_original=replace_original,
                thread=thread,
            )

        status = await use()
        if status == TAKEN:
            return
        problem = f"status {status}" if response_url else "no response_url"
        log.warning("chatbot.response_url_failed problem=%s", problem)
        if status == NO_ANSWER:
            message = add_note(message, MAY_BE_A_REPEAT)
        try:
            await self._posting.post_ephemeral(channel, user, message, thread=thread)
        except (SlackRefused, SlackUnavailable) as exc:
            # The bot is not in the channel, or Slack has a hiccup. Rather twice than not at all.
            if status in {NO_ANSWER, UNREACHED, 429} or status >= 500:
                if isinstance(exc, SlackUnavailable):
                    await self._sleep(min(exc.pause or HICCUP, LONGEST_PAUSE))
                if await use() == TAKEN:
                    return
            await self._tell_person(user, channel, message, exc)

    async def use_response_url(
        self,
        response_url: str,
        message: Message,
        *,
        in_channel: bool,
        replace_original: bool = False,
        thread: str | None = None,
    ) -> int:
        """One of its five uses: TAKEN, NO_ANSWER, UNREACHED, USED_UP, or else Slack's status."""
        message = self._posting.stamp.mark(message, private=not in_channel)

        async def attempt(form: Message) -> None:
            body: dict[str, Any] = {
                "response_type": "in_channel" if in_channel else "ephemeral",
                "replace_original": replace_original,
                "text": form.text,
                "blocks": form.blocks,
                "unfurl_links": False,
                "unfurl_media": False,
            }
            if thread and not replace_original:
                body["thread_ts"] = thread
            await self._post(response_url, body)

        try:
            await send_or_fall_back(message, attempt)
        except _Failed as exc:
            return exc.status
        except SlackRefused:
            return 400
        return TAKEN

    async def _post(self, url: str, body: dict[str, Any]) -> None:
        for attempt in range(1, TRIES + 1):
            if not self._urls.count_left(url):
                raise _Failed(USED_UP)
            status, text, pause = await self._urls.post(url, body)
            if status == 200 and _is_ok(text):
                return
            if status == 429 and pause <= LONGEST_PAUSE and attempt < TRIES:
                await self._sleep(pause)
                continue
            reason = next((word for word in BLOCKS_REFUSED if word in text), None)
            if reason is not None:
                details = (text,) if "[ERROR]" in text else ()
                raise SlackRefused(
                    f"Slack refused an answer ({reason})", reason=reason, details=details
                )
            raise _Failed(NO_ANSWER if status == 200 else status)
        raise AssertionError("unreachable")

    async def _tell_person(
        self, user: str, channel: str, message: Message, first: SlackRefused | SlackUnavailable
    ) -> None:
        """The last way. If Slack refuses it too, the reason given is that of the first one."""
        where: list[Span | str] = []
        if not channel.startswith("D"):
            where = [" in ", link_to(channel)]
        try:
            await self._posting.post(user, add_note(message, "You asked this", *where, "."))
        except SlackUnavailable as exc:
            log.info("chatbot.person_not_told user=%s reason=%s", user, exc)
            raise
        except JobsMaintError as exc:
            log.info("chatbot.person_not_told user=%s reason=%s", user, exc)
            raise first from exc


def _is_ok(text: str) -> bool:
    """Slack answers `ok` or JSON; a page is of something that stands between."""
    return '"ok":false' not in text.replace(" ", "") and not text.lstrip().startswith("<")
