"""The threads of digests, completed by whoever sends next."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from chatbot.digests.finding import put_note
from chatbot.digests.windows import Windows
from chatbot.messages import Message, add_note
from chatbot.slack.client import SlackClient
from chatbot.slack.errors import SlackRefused
from chatbot.slack.own_messages import THREAD_PAGES, list_own_messages, list_thread
from chatbot.slack.posting import MAY_BE_A_REPEAT, Posted
from jobs_maint.actions import DropPosted, HoldThread, LeaveThread, ListThreads
from jobs_maint.errors import AlreadyRunning

__all__ = ["complete_thread", "complete_threads", "store_thread"]

log = logging.getLogger(__name__)

EVENT = "jobs_maint_digest_thread"


def store_thread(messages: list[Message], key: str) -> tuple[dict[str, Any], ...]:
    """As it is kept until it is posted; `key`: that of the digest."""
    return tuple(
        {
            "key": f"{key}.{number}",
            "text": message.text,
            "blocks": message.blocks,
            "instead": {kind: list(blocks) for kind, blocks in message.instead.items()},
        }
        for number, message in enumerate(messages, 1)
    )


async def complete_threads(slack: SlackClient, windows: Windows, name: str) -> None:
    """Those that a sender left, which may have posted more than it could store."""
    for window_id, (channel, ts) in (await windows.do(ListThreads(name))).items():
        posted = Posted(channel, ts)
        try:
            metadata = await list_thread(slack.web, channel, ts)
            there: set[str] | None = {
                str((one.get("event_payload") or {}).get("key")) for one in metadata
            }
        except SlackRefused as exc:
            log.info("chatbot.history_not_read name=%s reason=%s", name, exc)
            there = None
        await complete_thread(slack, windows, window_id, posted, there)


async def complete_thread(
    slack: SlackClient,
    windows: Windows,
    window_id: int,
    posted: Posted,
    there: Collection[str] | None = (),
) -> None:
    """`there`: keys of what the thread holds already; None where nobody may look.

    A sender that was taken for dead may post a reply beside its successor: then that reply is to be
    edited, which is kept as another part of the thread, with the `ts` of what is there.
    """
    hold = HoldThread(window_id, secrets.token_urlsafe(8))
    unsure = there is None
    try:
        while (post := await windows.do(hold)) is not None:
            done = DropPosted(window_id, post["key"])
            if "due" in post:
                if not post["due"]:
                    await windows.do(LeaveThread(window_id, hold.sender))
                    return
                await _mark_repeats(slack, posted)
            elif "ts" in post:
                await put_note(slack.posting, Posted(posted.channel, post["ts"]), _read(post))
            elif post["key"] not in (there or ()):
                reply = await _post(slack, windows, posted, post, hold, unsure=unsure)
                late = {**post, "key": f"{post['key']}.{reply.ts}", "ts": reply.ts}
                done = replace(done, if_twice=late)
                unsure = False
            await windows.do_at_last(done)
    except SlackRefused as exc:
        log.warning("chatbot.thread_refused channel=%s reason=%s", posted.channel, exc)
        await windows.do(LeaveThread(window_id, hold.sender, refused=True))
    except Exception:
        await windows.do(LeaveThread(window_id, hold.sender))
        raise


async def _mark_repeats(slack: SlackClient, posted: Posted) -> None:
    """A sender that was taken for dead may have posted a reply and died before it could say so."""
    seen: set[str] = set()
    replies = await list_own_messages(
        slack.web, posted.channel, lambda one: one.get("event_type") == EVENT,
        pages=THREAD_PAGES, most=200 * THREAD_PAGES, thread=posted.ts,
    )  # fmt: skip
    for reply in replies:
        key = str((reply["metadata"].get("event_payload") or {}).get("key"))
        text = str(reply.get("text", ""))
        if key in seen and MAY_BE_A_REPEAT not in text:
            message = Message(text, list(reply.get("blocks") or ()))
            await put_note(slack.posting, Posted(posted.channel, str(reply["ts"])), message)
        seen.add(key)


async def _post(
    slack: SlackClient,
    windows: Windows,
    posted: Posted,
    post: Mapping[str, Any],
    hold: HoldThread,
    *,
    unsure: bool,
) -> Posted:
    async def before() -> None:
        if await windows.do(hold) != post:
            raise AlreadyRunning("another worker has taken over the thread of this digest")

    message = _read(post)
    return await slack.posting.post(
        posted.channel,
        add_note(message, MAY_BE_A_REPEAT) if unsure else message,
        metadata={"event_type": EVENT, "event_payload": {"key": post["key"]}},
        before=before,
        thread=posted.ts,
    )


def _read(post: Mapping[str, Any]) -> Message:
    instead = {kind: tuple(blocks) for kind, blocks in post["instead"].items()}
    return Message(post["text"], post["blocks"], instead)
