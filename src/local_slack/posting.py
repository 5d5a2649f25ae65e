"""Posting, updating and ephemeral messages, as their reference pages say."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local_slack.blocks import check_blocks
from local_slack.config import Channel
from local_slack.errors import SlackError
from local_slack.limits import RateLimiter
from local_slack.messages import Message
from local_slack.modals import Modals
from local_slack.state import Workspace

MAX_TEXT = 40_000
MAX_UPDATED_TEXT = 4_000
"""Bytes: an edit was seen to be refused that had fewer characters."""
MAX_METADATA = 16 * 1024
"""Bytes of JSON. The limit is documented (`metadata_too_large`), the number is ours."""
METADATA = {"event_type", "event_payload", "entities"}
TRUNCATED = {
    "messages": [
        (
            "[WARN] Your message was truncated but still posted. "
            "The `text` field accepts up to 40,000 characters."
        )
    ],
    "warnings": ["message_truncated"],
}

Arguments = dict[str, Any]


@dataclass(frozen=True)
class Api:
    """What the methods work on; `open_connection` returns a fresh WebSocket URL."""

    workspace: Workspace
    modals: Modals
    limiter: RateLimiter
    open_connection: Callable[[], str]
    base_url: Callable[[], str]


def read_content(
    workspace: Workspace, arguments: Arguments
) -> tuple[str | None, list[dict[str, Any]] | None]:
    """Return text and blocks, None where not given; raise what Slack answers to bad ones."""
    text, blocks = arguments.get("text"), arguments.get("blocks")
    if text is not None and not isinstance(text, str):
        raise SlackError("invalid_arguments")
    if blocks is not None:
        blocks = check_blocks(blocks, workspace.unsupported_blocks)
    if not text and not blocks:
        raise SlackError("no_text")
    return text, blocks


def _read_metadata(arguments: Arguments) -> dict[str, Any] | None:
    metadata = arguments.get("metadata")
    if metadata is None or metadata == {}:
        return metadata
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_format")
    event_type = metadata.get("event_type")
    if not isinstance(event_type, str) or not event_type or set(metadata) - METADATA:
        raise SlackError("invalid_metadata_format")
    if len(json.dumps(metadata).encode()) > MAX_METADATA:
        raise SlackError("metadata_too_large")
    return metadata


def _get_writable_channel(
    api: Api, arguments: Arguments, *, when_archived: str = "is_archived"
) -> Channel:
    channel = api.workspace.get_channel(arguments.get("channel"))
    if channel.is_archived:
        raise SlackError(when_archived)
    may_write = "chat:write.public" in api.workspace.bot_scopes
    if not api.workspace.has_bot(channel) and not may_write:
        raise SlackError("not_in_channel")
    return channel


def _open_im(workspace: Workspace, arguments: Arguments) -> Arguments:
    """A user's id as the channel is the direct message with them, where they can have one."""
    user = workspace.users.get(str(arguments.get("channel")))
    if user is None or user.is_bot or user.deleted:
        return arguments
    return {**arguments, "channel": workspace.open_im(user).id}


def _build_message(api: Api, channel: Channel, arguments: Arguments) -> Message:
    app = api.workspace.config.app
    text, blocks = read_content(api.workspace, arguments)
    metadata = _read_metadata(arguments)
    return Message(
        ts=api.workspace.next_ts(),
        channel=channel.id,
        user=app.bot_user_id,
        text=(text or "")[:MAX_TEXT],
        blocks=blocks or [],
        metadata=metadata or None,
        thread_ts=arguments.get("thread_ts"),
        bot_id=app.bot_id,
        app_id=app.app_id,
    )


def _warnings(arguments: Arguments) -> dict[str, Any]:
    too_long = len(arguments.get("text") or "") > MAX_TEXT
    return {"warning": "message_truncated", "response_metadata": TRUNCATED} if too_long else {}


def post_message(api: Api, arguments: Arguments) -> dict[str, Any]:
    channel = _get_writable_channel(api, _open_im(api.workspace, arguments))
    message = _build_message(api, channel, arguments)
    retry_after = api.limiter.retry_after_post(channel.id)
    if retry_after:
        raise SlackError("ratelimited", status=429, headers={"Retry-After": str(retry_after)})
    api.workspace.add(message)
    return {
        "channel": channel.id,
        "ts": message.ts,
        "message": message.to_slack(with_metadata=True),
        **_warnings(arguments),
    }


def post_ephemeral(api: Api, arguments: Arguments) -> dict[str, Any]:
    channel = _get_writable_channel(api, arguments)
    user = api.workspace.get_user(arguments.get("user"))
    if user.id not in channel.members or user.deleted:
        raise SlackError("user_not_in_channel")
    message = _build_message(api, channel, arguments)
    message.ephemeral_to = user.id
    root = api.workspace.find(channel.id, message.thread_ts)
    # Documented: one in a thread is only shown where that thread is active already.
    if message.thread_ts is None or (root and api.workspace.find_thread(root)):
        api.workspace.add(message)
    return {"message_ts": message.ts, **_warnings(arguments)}


def update_message(api: Api, arguments: Arguments) -> dict[str, Any]:
    channel = _get_writable_channel(api, arguments, when_archived="is_inactive")
    message = api.workspace.find(channel.id, arguments.get("ts"))
    if message is None or message.ephemeral_to is not None:
        raise SlackError("message_not_found")
    if message.bot_id != api.workspace.config.app.bot_id:
        raise SlackError("cant_update_message")
    if len((arguments.get("text") or "").encode()) > MAX_UPDATED_TEXT:
        raise SlackError("msg_too_long")
    text, blocks = read_content(api.workspace, arguments)
    metadata = _read_metadata(arguments)
    # A field that is not given is kept; an empty list or object removes it.
    message.text = message.text if text is None else text
    message.blocks = message.blocks if blocks is None else blocks
    message.metadata = message.metadata if metadata is None else metadata or None
    message.edited_ts = api.workspace.next_ts()
    api.workspace.notify(message)
    body = message.to_slack(with_metadata=True)
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": body}
