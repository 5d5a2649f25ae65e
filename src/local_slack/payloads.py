"""What Slack sends to the app, field by field as the real one does."""

import re
from typing import Any

from local_slack.config import Channel, Config, User
from local_slack.errors import ControlError
from local_slack.messages import Message
from local_slack.state import Workspace

VERIFICATION_TOKEN = "local-verification-token"  # noqa: S105 - Slack's deprecated field, not a secret


def build_slash_command(
    workspace: Workspace,
    user: User,
    channel: Channel,
    text: str,
    *,
    response_url: str,
    trigger_id: str,
) -> dict[str, Any]:
    config = workspace.config
    command, _, rest = text.strip().partition(" ")
    if command not in config.app.commands:
        known = ", ".join(config.app.commands)
        raise ControlError(f"{command} is not a valid command; the commands are: {known}")
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": config.workspace.team_id,
        "team_domain": config.workspace.domain,
        "channel_id": channel.id,
        # Of group messages, Slack tells the name: `mpdm-ana--ben-1`.
        "channel_name": "privategroup" if _is_nameless(channel) else channel.name,
        "user_id": user.id,
        "user_name": user.name,
        "command": command,
        "text": _escape(workspace, rest.strip()),
        "api_app_id": config.app.app_id,
        "is_enterprise_install": "false",
        "response_url": response_url,
        "trigger_id": trigger_id,
    }


def build_block_actions(
    config: Config,
    user: User,
    message: Message,
    action: dict[str, Any],
    *,
    channel_name: str,
    thread_ts: str | None,
    response_url: str,
    trigger_id: str,
) -> dict[str, Any]:
    thread = {"thread_ts": thread_ts} if thread_ts else {}
    team = {"id": config.workspace.team_id, "domain": config.workspace.domain}
    is_ephemeral = message.ephemeral_to is not None
    payload: dict[str, Any] = {
        "type": "block_actions",
        "user": build_user(config, user),
        "api_app_id": config.app.app_id,
        "token": VERIFICATION_TOKEN,
        "container": {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": message.channel,
            "is_ephemeral": is_ephemeral,
            **thread,
        },
        "trigger_id": trigger_id,
        "team": team,
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": {"id": message.channel, "name": channel_name},
        "state": {"values": {}},
        "response_url": response_url,
        "actions": [action],
    }
    if not is_ephemeral:
        # Slack does not keep ephemeral messages, so it cannot send them along.
        payload["message"] = {**message.to_slack(with_metadata=True), **thread}
    return payload


def build_action(element: dict[str, Any], block_id: str, action_ts: str) -> dict[str, Any]:
    wanted = ("type", "action_id", "text", "value", "style", "url")
    shown = {key: element[key] for key in wanted if key in element}
    return {**shown, "block_id": block_id, "action_ts": action_ts}


def build_user(config: Config, user: User) -> dict[str, Any]:
    team_id = config.workspace.team_id
    return {"id": user.id, "username": user.name, "name": user.name, "team_id": team_id}


def _is_nameless(channel: Channel) -> bool:
    return channel.is_private and not channel.is_mpim


def _escape(workspace: Workspace, text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if not workspace.config.app.should_escape:
        return text
    people = {user.name: user.id for user in workspace.users.values()}
    places = {channel.name: channel.id for channel in workspace.channels.values()}

    def replace(match: re.Match[str]) -> str:
        sign, name = match.groups()
        found = (people if sign == "@" else places).get(name)
        return f"<{sign if sign == '@' else '#'}{found}|{name}>" if found else match[0]

    return re.sub(r"(?<!\S)([@#])([\w.-]+)", replace, text)
