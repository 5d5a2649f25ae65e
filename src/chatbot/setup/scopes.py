"""Which scopes the app asks for, why, and what does not work without each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chatbot.settings.bot import ChatbotSettings
from chatbot.settings.values import EVERYBODY

__all__ = ["SCOPES", "Scope", "list_needed"]


@dataclass(frozen=True, slots=True)
class Scope:
    """`level`: how bad its absence is if no setting needs it. `methods`: what needs it."""

    name: str
    methods: tuple[str, ...]
    purpose: str
    without: str
    level: Literal["error", "warning", "note"]


SCOPES = (
    Scope("commands", (), "the slash command", "nothing works", "error"),
    Scope(
        "chat:write",
        ("chat.postMessage", "chat.postEphemeral", "chat.update"),
        "digests, incidents, the audit channel, late answers",
        "these fail; the log says so",
        "error",
    ),
    Scope(
        "channels:read",
        ("conversations.info", "users.conversations"),
        "whether a public channel is shared with another organisation",
        "this is unknown, so every answer there is shown only to the asker, with that reason",
        "warning",
    ),
    Scope(
        "groups:read",
        ("conversations.info", "users.conversations"),
        "whether a private channel is shared with another organisation",
        "this is unknown, so every answer there is shown only to the asker, with that reason",
        "warning",
    ),
    Scope(
        "usergroups:read",
        ("usergroups.users.list", "usergroups.list"),
        "roles by user group",
        "grants by `usergroups` apply to nobody; free plans have no user groups",
        "note",
    ),
    Scope(
        "users:read",
        ("users.info", "bots.info"),
        '`"users": ["*"]`: whether a person is a full member',
        "that grant applies to nobody",
        "note",
    ),
    Scope(
        "channels:history",
        ("conversations.history", "conversations.replies"),
        "whether a message arrived in a public channel after Slack's answer was lost",
        "such a message is sent again and may appear twice",
        "note",
    ),
    Scope(
        "groups:history",
        ("conversations.history", "conversations.replies"),
        "whether a message arrived in a private channel after Slack's answer was lost",
        "such a message is sent again and may appear twice",
        "note",
    ),
)


def list_needed(settings: ChatbotSettings) -> frozenset[str]:
    """The scopes that these settings need; the others may be declined."""
    needed = {"commands", "chat:write"}
    grants = [grant for several in settings.roles.values() for grant in several]
    if any(grant.usergroups for grant in grants):
        needed.add("usergroups:read")
    if any(EVERYBODY in grant.users for grant in grants):
        needed.add("users:read")
    return frozenset(needed)
