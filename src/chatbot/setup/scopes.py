"""Which scopes the app asks for: for what, and what does not work without each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chatbot.settings.bot import ChatbotSettings
from chatbot.settings.values import EVERYBODY

__all__ = ["SCOPES", "Scope", "list_needed"]


@dataclass(frozen=True, slots=True)
class Scope:
    """`level`: how bad its absence is when no setting needs it; `methods`: what it is asked for."""

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
        "digests, the audit channel, answers that come late",
        "these fail; the log says so",
        "error",
    ),
    Scope(
        "channels:read",
        ("conversations.info",),
        "whether a public channel is shared with another organisation",
        "it is not known, so every answer there is shown to the asker only, with that reason",
        "warning",
    ),
    Scope(
        "groups:read",
        ("conversations.info",),
        "whether a private channel is shared with another organisation",
        "it is not known, so every answer there is shown to the asker only, with that reason",
        "warning",
    ),
    Scope(
        "usergroups:read",
        ("usergroups.users.list",),
        "roles by user group",
        "grants by `usergroups` count for nobody; free plans have no user groups",
        "note",
    ),
    Scope(
        "users:read",
        ("users.info",),
        '`"users": ["*"]`: is this person a full member?',
        "that grant counts for nobody",
        "note",
    ),
    Scope(
        "channels:history",
        ("conversations.history",),
        "whether a message of ours arrived whose answer from Slack was lost, in a public channel",
        "it is sent again, and may stand there twice",
        "note",
    ),
    Scope(
        "groups:history",
        ("conversations.history",),
        "whether a message of ours arrived whose answer from Slack was lost, in a private channel",
        "it is sent again, and may stand there twice",
        "note",
    ),
)


def list_needed(settings: ChatbotSettings) -> frozenset[str]:
    """The names that these settings cannot do without; the others may be declined."""
    needed = {"commands", "chat:write"}
    grants = [grant for several in settings.roles.values() for grant in several]
    if any(grant.usergroups for grant in grants):
        needed.add("usergroups:read")
    if any(EVERYBODY in grant.users for grant in grants):
        needed.add("users:read")
    return frozenset(needed)
