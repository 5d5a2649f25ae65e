"""The Slack app as a manifest, for the settings at hand."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from chatbot.settings.bot import ChatbotSettings
from chatbot.setup.scopes import SCOPES, list_needed
from jobs_maint.errors import InvalidRequest

__all__ = ["EVENTS_PATH", "USAGE_HINT", "WHERE_TO_PASTE", "build_manifest", "render_manifest"]

EVENTS_PATH = "/slack/events"
USAGE_HINT = "stats | failed | errors | status ID | retry ID | help"
WHERE_TO_PASTE = "https://api.slack.com/apps > Create New App > From a manifest > JSON"


def render_manifest(settings: ChatbotSettings, *, url: str | None, socket: bool) -> str:
    """The manifest as JSON, ready to be pasted or piped."""
    manifest = build_manifest(settings, url=url, socket=socket)
    return json.dumps(manifest, indent=2, ensure_ascii=False)


def build_manifest(
    settings: ChatbotSettings, *, url: str | None = None, socket: bool = False
) -> dict[str, Any]:
    """`url`: where Slack reaches the bot over HTTP; else Socket Mode, when it is set up or asked.

    Raises InvalidRequest when neither is known, or the address is none that Slack takes.
    """
    request_url = _find_url(settings, url, socket=socket)
    name = settings.command.removeprefix("/")
    command = {
        "command": settings.command,
        "description": "The job queue: look, retry, cancel",
        "usage_hint": USAGE_HINT,
        "should_escape": True,
    }
    interactivity: dict[str, Any] = {"is_enabled": True}
    if request_url is not None:
        command["url"] = request_url
        interactivity["request_url"] = request_url
    needed = list_needed(settings)
    return {
        "display_information": {
            "name": name.replace("-", " ").replace("_", " ").strip().capitalize() or "Jobs",
            "description": "Operates a Procrastinate job queue",
        },
        "features": {
            # With the tab closed or read-only, the bot's last way to reach a person fails.
            "app_home": {
                "home_tab_enabled": False,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": name, "always_online": True},
            "slash_commands": [command],
        },
        "oauth_config": {
            "scopes": {
                # Slack asks for what is in `bot`; `bot_optional` marks what may be declined.
                "bot": [scope.name for scope in SCOPES],
                "bot_optional": [scope.name for scope in SCOPES if scope.name not in needed],
            }
        },
        "settings": {
            "interactivity": interactivity,
            "org_deploy_enabled": False,
            "socket_mode_enabled": request_url is None,
            "token_rotation_enabled": False,
        },
    }


def _find_url(settings: ChatbotSettings, url: str | None, *, socket: bool) -> str | None:
    if url is not None and socket:
        raise InvalidRequest("--url and --socket exclude each other; give one of them")
    if url is None:
        if socket or settings.slack_app_token is not None:
            return None
        raise InvalidRequest(
            "a manifest says how Slack reaches the bot, and SLACK_APP_TOKEN is not set; give "
            "--socket for Socket Mode, or --url with the address that leads to the bot: "
            "--url https://jobs.example.com"
        )
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        parts = urlsplit("")
    if parts.username is not None or parts.password is not None:
        raise InvalidRequest(
            "--url has a user name or a password, which would stand in Slack's settings; write the "
            "address without it: --url https://jobs.example.com"
        )
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        raise InvalidRequest(
            f"{url!r} is not an address that Slack can send requests to; write https:// and a "
            "host: --url https://jobs.example.com"
        )
    return parts.geturl() if parts.path.strip("/") else f"https://{parts.netloc}{EVENTS_PATH}"
