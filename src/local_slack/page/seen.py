"""What one person sees, as JSON for the page."""

from dataclasses import asdict
from typing import Any

from local_slack.config import Channel
from local_slack.core import Core
from local_slack.messages import Message
from local_slack.page.settings import Page
from local_slack.state import Workspace

Json = dict[str, Any]

PAGE_SIZE = 150
"""How many messages of a channel are sent at first, and at a time on demand."""


def describe_place(slack: Core, page: Page, user: str) -> Json:
    """The workspace as this person sees it."""
    workspace, config = slack._workspace, slack.config  # noqa: SLF001 - a part of the same server
    people = [one for one in workspace.users.values() if not one.is_bot and not one.deleted]
    return {
        "workspace": config.workspace.name,
        "notice": page.notice,
        "app": {"user": config.app.bot_user_id, "name": config.app.bot_name},
        "commands": list(config.app.commands),
        "people": [
            {"id": one.id, "name": one.name, "role": page.roles.get(one.id, "")} for one in people
        ],
        "channels": [
            {**_describe(one), "name": _name(workspace, one, user)}
            for one in workspace.channels.values()
            if user in one.members
        ],
        "names": {
            "users": {one.id: one.name for one in workspace.users.values()},
            "groups": {one.id: one.handle for one in config.usergroups},
            "channels": {one.id: one.name for one in workspace.channels.values()},
        },
    }


def _describe(channel: Channel) -> Json:
    return {
        "id": channel.id,
        "private": channel.is_private,
        "archived": channel.is_archived,
        "shared": channel.is_ext_shared,
        "direct": channel.is_im,
        "group": channel.is_mpim,
    }


def _name(workspace: Workspace, channel: Channel, user: str) -> str:
    """A group message is called by its other members, not `mpdm-ana--ben-1`."""
    if not channel.is_mpim:
        return channel.name
    return ", ".join(workspace.users[one].name for one in channel.members if one != user)


def describe_message(message: Message) -> Json:
    return {
        "ts": message.ts,
        "channel": message.channel,
        "user": message.user,
        "text": message.text,
        "blocks": message.blocks,
        "private": message.ephemeral_to is not None,
        "kind": message.kind,
        # Slack marks edits of texts, not those of blocks (`chat.update`, on `blocks`).
        "edited": message.edited_ts is not None and not message.blocks,
        "thread": message.thread_ts if message.thread_ts != message.ts else None,
    }


def list_recent(
    slack: Core, user: str, channel: str, before: str | None = None
) -> tuple[list[Json], bool]:
    """The newest messages there (before that one), oldest first, and whether there are more."""
    there = slack._workspace.list_seen(channel, user)  # noqa: SLF001
    found = [one for one in there if before is None or one.ts < before]
    return [describe_message(one) for one in found[-PAGE_SIZE:]], len(found) > PAGE_SIZE


def list_changed(slack: Core, user: str, since: int) -> list[Json]:
    """What this person sees that was posted or edited after `since`."""
    places = {one.id for one in slack._workspace.channels.values() if user in one.members}  # noqa: SLF001
    return [
        describe_message(one)
        for one in slack._workspace.messages  # noqa: SLF001
        if one.changed > since and one.channel in places and one.is_seen_by(user)
    ]


def list_thread(slack: Core, user: str, channel: str, ts: str) -> list[Json]:
    return [
        describe_message(one)
        for one in slack._workspace.list_seen(channel, user)  # noqa: SLF001
        if ts in {one.ts, one.thread_ts}
    ]


def describe_view(slack: Core, user: str) -> Json | None:
    """The modal that this person has open."""
    modals = slack._modals  # noqa: SLF001
    seen, top = modals.get_seen(user), modals.get_top(user)
    if seen is None or top is None:
        return None
    return {**asdict(seen), "submit_disabled": bool(top.content.get("submit_disabled"))}
