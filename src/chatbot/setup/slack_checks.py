"""What Slack adds to the doctor: tokens, scopes, channels, user groups, roles.

Every finding is a sentence with its fix, like the core's. Nothing is changed or posted.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from chatbot.access.directory import Directory, Unknown
from chatbot.messages.words import count
from chatbot.settings.bot import ChatbotSettings
from chatbot.setup.findings import AGAIN, INSTALL, error, explain, explain_alone, warning
from chatbot.setup.people import check_people
from chatbot.setup.places import check_places
from chatbot.setup.scopes import SCOPES, list_needed
from chatbot.setup.watch_checks import check_watch
from chatbot.slack.errors import SlackRefused
from chatbot.slack.web_api import WebApi
from jobs_maint.actions import Role
from jobs_maint.errors import InvalidSettings, JobsMaintError
from jobs_maint.models import Finding

__all__ = ["GrantRow", "check_slack", "list_grants"]

WINDOW = 300.0
"""Seconds for which a signature of Slack is valid."""


@dataclass(frozen=True, slots=True)
class GrantRow:
    """One grant of CHATBOT_ROLES as it applies now; a group's size is None when unknown."""

    role: str
    users: tuple[str, ...]
    usergroups: tuple[tuple[str, int | None], ...]
    queues: tuple[str, ...] | None
    channels: tuple[str, ...] | None


async def check_slack(
    settings: ChatbotSettings,
    web: WebApi | None,
    directory: Directory | None = None,
    *,
    in_slack: bool = False,
) -> tuple[Finding, ...]:
    """One finding for each check; no answer from Slack raises. `web`: None without a token.

    `in_slack`: told there, where a mention of a channel shows its name.
    """
    found = [_check_mode(settings), _check_roles(settings), *await check_watch(settings)]
    if web is None:
        return (*found, error("slack_token", "SLACK_BOT_TOKEN is not set.", _token_fix()))
    try:
        who = await web.auth_test()
    except InvalidSettings as exc:
        return (*found, error("slack_token", explain_alone(exc), _token_fix()))
    except JobsMaintError as exc:
        why = f"{explain_alone(exc)} Nothing else could be checked in Slack."
        return (*found, error("slack_token", why, "Check the network and SLACK_API_URL."))
    where = f"{who.team or 'the workspace'} ({who.team_id})"
    found.append(Finding("slack_token", "ok", f"The bot is {who.user_id} in {where}."))
    if settings.slack_app_token is not None:
        found.append(await _check_app_token(settings, web))
    found += _check_clock(web.clock_ahead)
    found += _check_scopes(settings, web)
    found += await check_people(settings, web)
    members = directory or Directory(web, time.time)
    found += await check_places(settings, web, members, in_slack=in_slack)
    return tuple(found)


async def list_grants(settings: ChatbotSettings, directory: Directory) -> tuple[GrantRow, ...]:
    """Who holds which role, on which queues and where; the strongest role first."""
    rows = []
    for role in reversed(Role):
        for grant in settings.roles.get(role, ()):
            groups = tuple([(one, await _count(directory, one)) for one in grant.usergroups])
            rows.append(GrantRow(str(role), grant.users, groups, grant.queues, grant.channels))
    return tuple(rows)


async def _count(directory: Directory, group: str) -> int | None:
    try:
        return len(await directory.members_of(group, act=True))
    except Unknown:
        return None


def _token_fix() -> str:
    return "Set SLACK_BOT_TOKEN to the Bot User OAuth Token (xoxb-…) from OAuth & Permissions."


def _check_mode(settings: ChatbotSettings) -> Finding:
    try:
        mode = settings.require_mode()
    except InvalidSettings as exc:
        return error("slack_mode", explain_alone(exc), "Set one of them; see set-up-slack.md.")
    if mode == "socket":
        return Finding("slack_mode", "ok", "Requests come over Socket Mode.")
    where = f"{settings.host}:{settings.port}/slack/events"
    return Finding("slack_mode", "ok", f"Requests come over HTTP, signed, to {where}.")


def _check_roles(settings: ChatbotSettings) -> Finding:
    if settings.roles:
        grants = count(sum(map(len, settings.roles.values())), "grant")
        return Finding("slack_roles", "ok", f"CHATBOT_ROLES has {grants}.")
    return warning(
        "slack_roles",
        "Nobody may do anything in Slack: CHATBOT_ROLES is not set.",
        """Name somebody: CHATBOT_ROLES='{"admin": {"users": ["U…"]}}'.""",
    )


async def _check_app_token(settings: ChatbotSettings, web: WebApi) -> Finding:
    token = settings.slack_app_token
    try:
        await web.open_socket(token.get_secret_value() if token else "")
    except (InvalidSettings, SlackRefused) as exc:
        fix = "Create one under Basic Information → App-Level Tokens; Socket Mode must be on."
        return error("slack_app_token", explain_alone(exc), fix)
    except JobsMaintError as exc:
        return warning("slack_app_token", f"This was not checked: {explain(exc)}.", AGAIN)
    return Finding("slack_app_token", "ok", "Slack opens Socket Mode connections with it.")


def _check_clock(ahead: float | None) -> list[Finding]:
    """Slack signs each request with its time; what is five minutes off is refused."""
    if ahead is None:
        return []
    off = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'}"
    if abs(ahead) < 30:
        return [Finding("slack_clock", "ok", "The clock agrees with Slack's.")]
    bad = error if abs(ahead) > WINDOW else warning
    sentence = f"The clock of this machine is {off} Slack's."
    if abs(ahead) > WINDOW:
        sentence += " Over HTTP every request of Slack is refused as stale."
    return [bad("slack_clock", sentence, "Let NTP set the clock.")]


def _check_scopes(settings: ChatbotSettings, web: WebApi) -> list[Finding]:
    granted = web.granted_scopes
    if granted is None:
        sentence = "This was not checked: Slack did not say which scopes the token has."
        return [warning("slack_scopes", sentence, AGAIN)]
    needed = list_needed(settings)
    found = []
    for scope in SCOPES:
        if scope.name not in granted:
            why = "these settings need it" if scope.name in needed else "it is optional"
            found.append(
                Finding(
                    f"slack_scope:{scope.name}",
                    "error" if scope.name in needed else scope.level,
                    f"The app lacks the scope {scope.name} ({why}). It is for: {scope.purpose}. "
                    f"Without it, {scope.without}.",
                    INSTALL,
                )
            )
    return found or [Finding("slack_scopes", "ok", "The token has every scope that the bot uses.")]
