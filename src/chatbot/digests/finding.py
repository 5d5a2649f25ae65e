"""What was posted without our knowing: its sender died, or Slack's answer was lost."""

from __future__ import annotations

import logging

from chatbot.digests.windows import Windows
from chatbot.messages import Message, add_note
from chatbot.slack.client import SlackClient
from chatbot.slack.errors import SlackRefused, SlackUnavailable
from chatbot.slack.own_messages import Metadata, list_own_messages
from chatbot.slack.posting import Posted, Posting
from jobs_maint.actions import ListUnsureDigests

__all__ = ["EVENT", "find_posted", "put_note"]

log = logging.getLogger(__name__)

EVENT = "jobs_maint_digest"
PAGES = 5
"""Of 200 messages each: how far back in its channel a digest looks for itself."""
TOLD_TWICE = (
    "Part of this may be a repeat: its sender was taken for dead, and another digest told the same."
)


async def find_posted(slack: SlackClient, windows: Windows, name: str) -> bool:
    """Close what was posted; False where the app may not or cannot look.

    By the random key alone: another database may have a digest of this name in this channel.
    """
    unsure = await windows.do(ListUnsureDigests(name))
    may_look = True
    for channel in sorted({channel for _, channel in unsure.values()}):
        keys = {key for key, (_, where) in unsure.items() if where == channel}

        def is_ours(metadata: Metadata, keys: set[str] = keys) -> bool:
            return metadata.get("event_type") == EVENT and _read_key(metadata) in keys

        try:
            found = await list_own_messages(
                slack.web, channel, is_ours, pages=PAGES, most=len(keys)
            )
        except (SlackRefused, SlackUnavailable) as exc:
            log.info("chatbot.history_not_read name=%s reason=%s", name, exc)
            may_look = False
            continue
        for there in found:
            window_id, _ = unsure[_read_key(there["metadata"])]
            posted = Posted(channel, str(there["ts"]))
            message = Message(str(there.get("text", "")), list(there.get("blocks") or ()))

            async def note_repeat(posted: Posted = posted, message: Message = message) -> None:
                await put_note(slack.posting, posted, message)

            await windows.close_sent(window_id, posted, None, note_repeat)
    return may_look


async def put_note(posting: Posting, posted: Posted, message: Message) -> None:
    """Say in a message that is there that another one tells the same."""
    if TOLD_TWICE in message.text:
        return
    try:
        await posting.update(posted.channel, posted.ts, add_note(message, TOLD_TWICE))
    except SlackRefused as exc:  # a person deleted it, or edits are not allowed any more
        log.warning("chatbot.repeat_not_noted channel=%s reason=%s", posted.channel, exc)


def _read_key(metadata: Metadata) -> str:
    return str((metadata.get("event_payload") or {}).get("key"))
