"""Whose token it is, and who and what belongs to the same organisation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Identity", "is_shared_outside", "name_person"]


@dataclass(frozen=True, slots=True)
class Identity:
    """The bot's user, its workspace and, where there is one, the organisation around it."""

    user_id: str
    bot_id: str | None
    team_id: str
    team: str
    enterprise_id: str | None = None
    app_id: str | None = None

    def find_foreign(self, body: Mapping[str, Any]) -> str | None:
        """What of a command or click belongs to others than this bot; None if nothing does.

        A signature proves only that Slack sent it. In another workspace the same user id may be
        somebody else, or somebody whom nobody here granted anything. Slack always names the app and
        the workspace; for an app of a whole organisation it may name that alone.
        """
        team = body.get("team_id") or _id_in(body, "team")
        enterprise = body.get("enterprise_id") or _id_in(body, "enterprise")
        app = body.get("api_app_id")
        home = _id_in(body, "user", "team_id")
        if enterprise and enterprise != self.enterprise_id:
            return f"enterprise={_safe(enterprise)}"
        for one in (team, home):
            # Workspaces of one organisation share its people and their ids.
            if one and not enterprise and one not in {self.team_id, self.enterprise_id}:
                return f"team={_safe(one)}"
        if not (team or enterprise or home):
            return "team=none"
        if self.app_id and app != self.app_id:
            return f"app={_safe(app) if app else 'none'}"
        return None

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


def _id_in(body: Mapping[str, Any], name: str, key: str = "id") -> object:
    there = body.get(name)
    return there.get(key) if isinstance(there, Mapping) else None


def name_person(person: Mapping[str, Any]) -> str:
    """What somebody of `users.info` is called; anybody may choose any name."""
    profile = person.get("profile") or {}
    return str(profile.get("display_name") or person.get("real_name") or person.get("name") or "")


def _safe(value: object) -> str:
    return re.sub(r"[^A-Za-z0-9]", "?", str(value))[:40]


def is_shared_outside(channel: Mapping[str, Any]) -> bool:
    """Whether another organisation reads this channel of `conversations.info`, or may soon."""
    return bool(channel.get("is_ext_shared") or channel.get("is_pending_ext_shared"))
