"""Whether the people whom CHATBOT_ROLES names can use their role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatbot.messages.act_words import one_line
from chatbot.settings.bot import ChatbotSettings
from chatbot.settings.values import EVERYBODY
from chatbot.slack.errors import SlackRefused
from chatbot.slack.identity import name_person
from chatbot.slack.web_api import WebApi
from jobs_maint.errors import JobsMaintError
from jobs_maint.models import Finding

__all__ = ["check_people"]

_MOST = 50
"""Slack takes about a hundred such calls a minute."""
_REMOVE = "Remove the ID from CHATBOT_ROLES, or correct it."


async def check_people(settings: ChatbotSettings, web: WebApi) -> list[Finding]:
    """A finding for each person with whom something is wrong, or one that all are well."""
    people = list_people(settings)
    if not people:
        return []
    if "users:read" not in (web.granted_scopes or ()):
        sentence = "The people in CHATBOT_ROLES were not checked: the scope users:read is missing."
        fix = "Add it under OAuth & Permissions, then reinstall the app."
        return [Finding("slack_people", "note", sentence, fix)]
    found = [await _check(web, one, ", ".join(people[one])) for one in list(people)[:_MOST]]
    wrong = [finding for finding in found if finding is not None]
    if len(people) > _MOST:
        sentence = f"Only the first {_MOST} of {len(people)} people were checked."
        wrong.append(
            Finding("slack_people", "note", sentence, "Use user groups for that many people.")
        )
    sentence = "The people in CHATBOT_ROLES are active members."
    return wrong or [Finding("slack_people", "ok", sentence)]


def list_people(settings: ChatbotSettings) -> dict[str, list[str]]:
    """User id → the roles it is named for."""
    found: dict[str, list[str]] = {}
    for role, grants in settings.roles.items():
        for user in dict.fromkeys(one for grant in grants for one in grant.users):
            if user != EVERYBODY:
                found.setdefault(user, []).append(str(role))
    return found


async def _check(web: WebApi, user: str, roles: str) -> Finding | None:
    check, who = f"slack_person:{user}", f"{user} ({roles})"
    try:
        person = await web.get_user(user)
    except SlackRefused as exc:
        if exc.reason in {"user_not_found", "user_not_visible"}:
            return Finding(check, "warning", f"{who}: Slack knows no such person.", _REMOVE)
        return Finding(check, "warning", f"{who} was not checked: {exc}.", _REMOVE)
    except JobsMaintError as exc:
        why = str(exc).rstrip(".")
        return Finding(check, "warning", f"{who} was not checked: {why}.", "Run it again later.")
    what = _describe(person)
    if name := one_line(name_person(person), 60):
        who = f"{user} ({name}; {roles})"
    return Finding(check, "warning", f"{who} {what}.", _REMOVE) if what else None


def _describe(person: Mapping[str, Any]) -> str:
    if person.get("deleted"):
        return "is deactivated, so that nobody can use this grant"
    if person.get("is_bot"):
        return "is a bot, which cannot type commands"
    if person.get("is_restricted") or person.get("is_ultra_restricted"):
        return "is a guest and may act all the same, because the ID is named"
    if person.get("is_stranger"):
        return "belongs to another organisation"
    return ""
