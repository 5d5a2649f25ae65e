"""Our own messages, found again in a channel by the metadata they carry.

Needs the optional scopes `channels:history` and `groups:history`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from chatbot.slack.web_api import WebApi

__all__ = [
    "HISTORY_SCOPES",
    "THREAD_PAGES",
    "Metadata",
    "find_own_message",
    "is_same",
    "list_own_messages",
    "list_thread",
    "make_metadata",
]

EVENT = "jobs_message"
THREAD_PAGES = 5
"""Of 200 messages: of a thread the oldest come first."""
HISTORY_SCOPES = frozenset({"channels:history", "groups:history", "im:history", "mpim:history"})

Metadata = Mapping[str, Any]


def make_metadata() -> Metadata:
    """Of one message and no other."""
    return {"event_type": EVENT, "event_payload": {"key": secrets.token_urlsafe(12)}}


def is_same(there: Metadata, ours: Metadata) -> bool:
    """Whether a message carries what we sent; numbers may come back as text."""
    payload = there.get("event_payload") or {}
    sent = ours.get("event_payload") or {}
    return there.get("event_type") == ours.get("event_type") and all(
        str(payload.get(name)) == str(value) for name, value in sent.items()
    )


async def list_own_messages(
    web: WebApi,
    channel: str,
    matches: Callable[[Metadata], bool],
    *,
    pages: int,
    most: int,
    thread: str | None = None,
) -> list[Mapping[str, Any]]:
    """What our own bot posted and whose metadata match, of 200 messages a page.

    Of a channel they come the newest first, of a `thread` the oldest first.

    Anybody's app may post the same metadata, so whose message it is counts first.
    Raises SlackRefused when the app may not read the channel, SlackUnavailable when nobody knows.
    """
    ours = await web.get_identity()
    found: list[Mapping[str, Any]] = []
    async for message in web.list_messages(channel, pages=pages, thread=thread):
        if ours.has_posted(message) and matches(message.get("metadata") or {}):
            found.append(message)
            if len(found) == most:
                break
    return found


async def find_own_message(
    web: WebApi,
    channel: str,
    matches: Callable[[Metadata], bool],
    *,
    pages: int = 1,
    thread: str | None = None,
) -> Mapping[str, Any] | None:
    """The first of them."""
    found = await list_own_messages(web, channel, matches, pages=pages, most=1, thread=thread)
    return found[0] if found else None


async def list_thread(web: WebApi, channel: str, ts: str) -> list[Metadata]:
    """The metadata of what our own bot posted in a thread; raises the same."""
    ours = await web.get_identity()
    return [
        message.get("metadata") or {}
        async for message in web.list_messages(channel, pages=THREAD_PAGES, thread=ts)
        if ours.has_posted(message)
    ]
