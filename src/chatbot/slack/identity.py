"""Whose token it is, and who and what belongs to the same organisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Identity", "is_shared_outside"]


@dataclass(frozen=True, slots=True)
class Identity:
    """The bot's user, its workspace and, where there is one, the organisation around it."""

    user_id: str
    bot_id: str | None
    team_id: str
    team: str
    enterprise_id: str | None = None

    def has_posted(self, message: Mapping[str, Any]) -> bool:
        """Whether a message of `conversations.history` is from this bot."""
        if self.bot_id:
            return message.get("bot_id") == self.bot_id
        return message.get("user") == self.user_id

    def is_home_of(self, person: Mapping[str, Any]) -> bool:
        """Whether somebody of `users.info` is of this workspace or organisation.

        Slack's own flag `is_stranger` is false for people with whom a channel is shared.
        """
        if person.get("team_id") == self.team_id:
            return True
        enterprise = (person.get("enterprise_user") or {}).get("enterprise_id")
        return self.enterprise_id is not None and self.enterprise_id in {
            enterprise,
            person.get("team_id"),
        }


def is_shared_outside(channel: Mapping[str, Any]) -> bool:
    """Whether another organisation reads this channel of `conversations.info`, or may soon."""
    return bool(channel.get("is_ext_shared") or channel.get("is_pending_ext_shared"))
