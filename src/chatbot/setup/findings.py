"""The findings on the Slack side: how they are made, and what each check is called."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from jobs_maint.models import Finding

__all__ = [
    "AGAIN",
    "INSTALL",
    "TITLES",
    "error",
    "explain",
    "explain_alone",
    "find_title",
    "mention",
    "warning",
]

INSTALL = "Add it under OAuth & Permissions, then reinstall the app."
AGAIN = "Fix that, then run the doctor again."

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "bot_heartbeat": "Heartbeat",
        "bot_incidents": "Watch for incidents",
        "slack_app_token": "Token of Socket Mode",
        "slack_blocks": "Sample messages",
        "slack_channel": "Channels",
        "slack_clock": "Clock against Slack's",
        "slack_delivery": "Messages that did not arrive",
        "slack_group": "User groups",
        "slack_mode": "How requests reach the bot",
        "slack_one_database": "One database for the Slack app",
        "slack_people": "People with a role",
        "slack_person": "People with a role",
        "slack_post": "Test message",
        "slack_roles": "Roles",
        "slack_scope": "Scopes of the app",
        "slack_scopes": "Scopes of the app",
        "slack_token": "Token of the bot",
    }
)


def find_title(check: str) -> str:
    """Of `slack_channel:C0OPS` too; empty for a check of the core, which brings its own."""
    return TITLES.get(check.partition(":")[0], "")


def error(check: str, sentence: str, fix: str) -> Finding:
    return Finding(check, "error", sentence, fix)


def warning(check: str, sentence: str, fix: str) -> Finding:
    return Finding(check, "warning", sentence, fix)


def mention(channel: str) -> str:
    """Which Slack draws as the channel's name, once `render_doctor` has read it; not of a DM."""
    return f"<#{channel}>" if channel.startswith(("C", "G")) else channel


def explain_alone(exc: BaseException) -> str:
    """What went wrong, as a sentence."""
    text = explain(exc)
    return f"{text[:1].upper()}{text[1:]}."


def explain(exc: BaseException) -> str:
    """What went wrong, for the end of a sentence of ours."""
    return str(exc).rstrip(".")
