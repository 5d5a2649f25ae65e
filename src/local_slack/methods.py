"""The Web API methods that read, and the table of all methods with scopes and tiers.

Scopes and tiers are those of `docs.slack.dev/reference/methods`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local_slack.errors import SlackError
from local_slack.posting import (
    Api,
    Arguments,
    post_ephemeral,
    post_message,
    update_message,
)
from local_slack.validating import validate_blocks
from local_slack.view_methods import open_view, push_view, update_view


@dataclass(frozen=True)
class Method:
    run: Callable[[Api, Arguments], dict[str, Any]]
    scopes: tuple[str, ...] = ()
    """One of these is needed, by the kind of channel if there are several: public, private,
    direct message, group message."""
    per_minute: int | None = None
    is_app_level: bool = False


def get_identity(api: Api, _arguments: Arguments) -> dict[str, Any]:
    app, team = api.workspace.config.app, api.workspace.config.workspace
    return {
        "url": f"{api.base_url()}/",
        "team": team.name,
        "team_id": team.team_id,
        "user": app.bot_name,
        "user_id": app.bot_user_id,
        "bot_id": app.bot_id,
        "is_enterprise_install": False,
    }


def get_conversation(api: Api, arguments: Arguments) -> dict[str, Any]:
    channel = api.workspace.get_channel(arguments.get("channel"))
    return {
        "channel": {
            "id": channel.id,
            "name": channel.name,
            "is_channel": not (channel.is_private or channel.is_im or channel.is_mpim),
            "is_im": channel.is_im,
            "is_mpim": channel.is_mpim,
            "is_private": channel.is_private or channel.is_mpim,
            "is_archived": channel.is_archived,
            "is_ext_shared": channel.is_ext_shared,
            "is_shared": channel.is_ext_shared,
            "is_member": api.workspace.has_bot(channel),
            "num_members": len(channel.members),
        }
    }


def list_own_conversations(api: Api, arguments: Arguments) -> dict[str, Any]:
    """The channels that the bot is in; private ones only with their own scope."""
    kinds = str(arguments.get("types") or "public_channel").split(",")
    scopes = {"public_channel": "channels:read", "private_channel": "groups:read"}
    for kind in kinds:
        if scopes.get(kind) not in api.workspace.bot_scopes:
            raise SlackError("missing_scope", needed=scopes.get(kind), provided="")
    wanted = {kind == "private_channel" for kind in kinds}
    there = [
        {"id": one.id, "name": one.name, "is_private": one.is_private}
        for one in api.workspace.channels.values()
        if api.workspace.has_bot(one)
        and not (one.is_im or one.is_mpim)
        and one.is_private in wanted
        and not (one.is_archived and _is_true(arguments.get("exclude_archived")))
    ]
    return {"channels": there[: int(arguments.get("limit") or 100)]}


def list_history(api: Api, arguments: Arguments) -> dict[str, Any]:
    channel = api.workspace.get_channel(arguments.get("channel"))
    if not api.workspace.has_bot(channel):
        raise SlackError("not_in_channel")
    try:
        oldest, latest = (
            float(arguments.get("oldest") or 0),
            float(arguments.get("latest") or "inf"),
        )
        before, limit = float(arguments.get("cursor") or "inf"), int(arguments.get("limit") or 100)
    except ValueError as exc:
        raise SlackError("invalid_arguments") from exc
    inclusive = _is_true(arguments.get("inclusive"))
    with_metadata = _is_true(arguments.get("include_all_metadata"))
    found = [
        message
        for message in reversed(api.workspace.messages)
        if message.channel == channel.id
        and message.ephemeral_to is None
        and message.thread_ts in {None, message.ts}
        and oldest <= float(message.ts) <= latest
        and (inclusive or float(message.ts) not in {oldest, latest})
        and float(message.ts) < before
    ]
    page = found[:limit]
    has_more = len(found) > limit
    return {
        "messages": [message.to_slack(with_metadata=with_metadata) for message in page],
        "has_more": has_more,
        "response_metadata": {"next_cursor": page[-1].ts if has_more else ""},
    }


def list_replies(api: Api, arguments: Arguments) -> dict[str, Any]:
    """A message and what is in its thread, the oldest first."""
    channel = api.workspace.get_channel(arguments.get("channel"))
    if not api.workspace.has_bot(channel):
        raise SlackError("not_in_channel")
    first = api.workspace.find(channel.id, arguments.get("ts"))
    if first is None or first.ephemeral_to is not None:
        raise SlackError("thread_not_found")
    after, limit = str(arguments.get("cursor") or ""), int(arguments.get("limit") or 1_000)
    replies = [
        message
        for message in api.workspace.messages
        if message.channel == channel.id and message.ephemeral_to is None
        and message.thread_ts == first.ts != message.ts
    ]  # fmt: skip
    found = [message for message in (first, *replies) if message.ts > after]
    has_more = len(found) > limit
    with_metadata = _is_true(arguments.get("include_all_metadata"))
    return {
        "messages": [message.to_slack(with_metadata=with_metadata) for message in found[:limit]],
        "has_more": has_more,
        "response_metadata": {"next_cursor": found[limit - 1].ts if has_more else ""},
    }


def open_conversation(api: Api, arguments: Arguments) -> dict[str, Any]:
    """Open the direct message with one person; group conversations are not for this bot."""
    users = [one for one in str(arguments.get("users") or "").split(",") if one]
    if not users:
        raise SlackError("users_list_not_supplied")
    if len(users) > 1:
        raise SlackError("too_many_users")
    user = api.workspace.get_user(users[0])
    if user.deleted:
        raise SlackError("user_disabled")
    if user.is_bot:
        raise SlackError("user_not_found")
    was_open = f"D{user.id[1:]}" in api.workspace.channels
    channel: dict[str, Any] = {"id": api.workspace.open_im(user).id}
    if _is_true(arguments.get("return_im")):
        channel |= {"is_im": True, "user": user.id}
    return {"channel": channel, **({"no_op": True, "already_open": True} if was_open else {})}


def get_permalink(api: Api, arguments: Arguments) -> dict[str, Any]:
    channel = api.workspace.get_channel(arguments.get("channel"))
    message = api.workspace.find(channel.id, arguments.get("message_ts"))
    if message is None or message.ephemeral_to is not None:
        raise SlackError("message_not_found")
    domain = api.workspace.config.workspace.domain
    link = f"https://{domain}.slack.com/archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.thread_ts not in {None, message.ts}:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


def get_user(api: Api, arguments: Arguments) -> dict[str, Any]:
    user = api.workspace.get_user(arguments.get("user"))
    return {
        "user": {
            "id": user.id,
            "team_id": api.workspace.config.workspace.team_id,
            "name": user.name,
            "real_name": user.name,
            "deleted": user.deleted,
            "is_bot": user.is_bot,
            "is_restricted": user.is_restricted,
            "is_ultra_restricted": user.is_ultra_restricted,
            "profile": {"display_name": user.name},
        }
    }


def get_bot(api: Api, arguments: Arguments) -> dict[str, Any]:
    app = api.workspace.config.app
    if arguments.get("bot") != app.bot_id:
        raise SlackError("bot_not_found")
    return {
        "bot": {
            "id": app.bot_id,
            "deleted": False,
            "name": app.bot_name,
            "app_id": app.app_id,
            "user_id": app.bot_user_id,
        }
    }


def list_usergroup_users(api: Api, arguments: Arguments) -> dict[str, Any]:
    if api.workspace.config.workspace.plan_upgrade_required:
        raise SlackError("plan_upgrade_required")
    usergroup = arguments.get("usergroup")
    if not isinstance(usergroup, str) or usergroup not in api.workspace.usergroups:
        raise SlackError("no_such_subteam")
    return {"users": list(api.workspace.usergroups[usergroup])}


def list_usergroups(api: Api, _arguments: Arguments) -> dict[str, Any]:
    if api.workspace.config.workspace.plan_upgrade_required:
        raise SlackError("plan_upgrade_required")
    groups = api.workspace.config.usergroups
    return {
        "usergroups": [{"id": one.id, "handle": one.handle, "name": one.handle} for one in groups]
    }


def open_connection(api: Api, _arguments: Arguments) -> dict[str, Any]:
    return {"url": api.open_connection()}


METHODS = {
    "apps.connections.open": Method(open_connection, ("connections:write",), is_app_level=True),
    "auth.test": Method(get_identity),
    "bots.info": Method(get_bot, ("users:read",), 50),
    "blocks.validate": Method(validate_blocks),
    "chat.getPermalink": Method(get_permalink),
    "chat.postEphemeral": Method(post_ephemeral, ("chat:write",), 100),
    "chat.postMessage": Method(post_message, ("chat:write",)),
    "chat.update": Method(update_message, ("chat:write",), 50),
    "conversations.history": Method(
        list_history, ("channels:history", "groups:history", "im:history", "mpim:history"), 50
    ),
    "conversations.info": Method(
        get_conversation, ("channels:read", "groups:read", "im:read", "mpim:read"), 50
    ),
    "conversations.open": Method(open_conversation, ("im:write",), 50),
    "conversations.replies": Method(
        list_replies, ("channels:history", "groups:history", "im:history", "mpim:history"), 50
    ),
    "usergroups.list": Method(list_usergroups, ("usergroups:read",), 20),
    "usergroups.users.list": Method(list_usergroup_users, ("usergroups:read",), 20),
    "users.conversations": Method(list_own_conversations, ("channels:read", "groups:read"), 50),
    "users.info": Method(get_user, ("users:read",), 100),
    "views.open": Method(open_view, per_minute=100),
    "views.push": Method(push_view, per_minute=100),
    "views.update": Method(update_view, per_minute=100),
}


def _is_true(value: Any) -> bool:
    return str(value).lower() in {"1", "true"}
