"""What Slack adds to the doctor: tokens, scopes, channels, user groups, roles.

Every finding is a sentence with its fix, like the core's. Nothing is changed or posted.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from chatbot.access.directory import Directory, Unknown
from chatbot.messages.words import count
from chatbot.settings.bot import ChatbotSettings
from chatbot.setup.people import check_people
from chatbot.setup.scopes import SCOPES, list_needed
from chatbot.slack.errors import SlackRefused
from chatbot.slack.identity import is_shared_outside
from chatbot.slack.web_api import WebApi
from jobs_maint.actions import Role
from jobs_maint.errors import InvalidSettings, JobsMaintError
from jobs_maint.models import Finding

__all__ = ["GrantRow", "check_slack", "list_grants", "list_posted_to"]

_INSTALL = "Add it under OAuth & Permissions, then reinstall the app."
WINDOW = 300.0
"""Seconds for which a signature of Slack is valid."""
_AGAIN = "Fix that, then run the doctor again."


@dataclass(frozen=True, slots=True)
class GrantRow:
    """One grant of CHATBOT_ROLES as it applies now; a group's size is None when unknown."""

    role: str
    users: tuple[str, ...]
    usergroups: tuple[tuple[str, int | None], ...]
    queues: tuple[str, ...] | None
    channels: tuple[str, ...] | None


async def check_slack(
    settings: ChatbotSettings, web: WebApi | None, directory: Directory | None = None
) -> tuple[Finding, ...]:
    """One finding for each check; no answer from Slack raises. `web`: None without a token."""
    found = [_check_mode(settings), _check_roles(settings)]
    if web is None:
        return (*found, _error("slack_token", "SLACK_BOT_TOKEN is not set.", _token_fix()))
    try:
        who = await web.auth_test()
    except InvalidSettings as exc:
        return (*found, _error("slack_token", _sentence(exc), _token_fix()))
    except JobsMaintError as exc:
        why = f"{_sentence(exc)} Nothing else could be checked in Slack."
        return (*found, _error("slack_token", why, "Check the network and SLACK_API_URL."))
    where = f"{who.team or 'the workspace'} ({who.team_id})"
    found.append(Finding("slack_token", "ok", f"The bot is {who.user_id} in {where}."))
    if settings.slack_app_token is not None:
        found.append(await _check_app_token(settings, web))
    found += _check_clock(web.clock_ahead)
    found += _check_scopes(settings, web)
    found += await check_people(settings, web)
    for channel, use in _list_channels(settings).items():
        found.append(await _check_channel(web, channel, use))
    members = directory or Directory(web, time.time)
    for group in _list_groups(settings):
        found.append(await _check_group(members, group))
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


def _error(check: str, sentence: str, fix: str) -> Finding:
    return Finding(check, "error", sentence, fix)


def _warning(check: str, sentence: str, fix: str) -> Finding:
    return Finding(check, "warning", sentence, fix)


def _sentence(exc: BaseException) -> str:
    text = _why(exc)
    return f"{text[:1].upper()}{text[1:]}."


def _why(exc: BaseException) -> str:
    """For the end of a sentence of ours."""
    return str(exc).rstrip(".")


def _token_fix() -> str:
    return "Set SLACK_BOT_TOKEN to the Bot User OAuth Token (xoxb-…) from OAuth & Permissions."


def _check_mode(settings: ChatbotSettings) -> Finding:
    try:
        mode = settings.require_mode()
    except InvalidSettings as exc:
        return _error("slack_mode", _sentence(exc), "Set one of them; see set-up-slack.md.")
    if mode == "socket":
        return Finding("slack_mode", "ok", "Requests come over Socket Mode.")
    where = f"{settings.host}:{settings.port}/slack/events"
    return Finding("slack_mode", "ok", f"Requests come over HTTP, signed, to {where}.")


def _check_roles(settings: ChatbotSettings) -> Finding:
    if settings.roles:
        grants = count(sum(map(len, settings.roles.values())), "grant")
        return Finding("slack_roles", "ok", f"CHATBOT_ROLES has {grants}.")
    return _warning(
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
        return _error("slack_app_token", _sentence(exc), fix)
    except JobsMaintError as exc:
        return _warning("slack_app_token", f"This was not checked: {_why(exc)}.", _AGAIN)
    return Finding("slack_app_token", "ok", "Slack opens Socket Mode connections with it.")


def _check_clock(ahead: float | None) -> list[Finding]:
    """Slack signs each request with its time; what is five minutes off is refused."""
    if ahead is None:
        return []
    off = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'}"
    if abs(ahead) < 30:
        return [Finding("slack_clock", "ok", "The clock agrees with Slack's.")]
    bad = _error if abs(ahead) > WINDOW else _warning
    sentence = f"The clock of this machine is {off} Slack's."
    if abs(ahead) > WINDOW:
        sentence += " Over HTTP every request of Slack is refused as stale."
    return [bad("slack_clock", sentence, "Let NTP set the clock.")]


def _check_scopes(settings: ChatbotSettings, web: WebApi) -> list[Finding]:
    granted = web.granted_scopes
    if granted is None:
        sentence = "This was not checked: Slack did not say which scopes the token has."
        return [_warning("slack_scopes", sentence, _AGAIN)]
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
                    _INSTALL,
                )
            )
    return found or [Finding("slack_scopes", "ok", "The token has every scope that the bot uses.")]


@dataclass(slots=True)
class _Use:
    """`posts`: whether the bot must be able to post there unasked."""

    posts: bool = False
    names: list[str] = field(default_factory=list)


def _list_channels(settings: ChatbotSettings) -> dict[str, _Use]:
    found: dict[str, _Use] = {}
    for digest in settings.digests:
        use = found.setdefault(digest.channel, _Use())
        use.posts = True
        use.names.append(f"the digest {digest.name}")
    if settings.audit_channel:
        use = found.setdefault(settings.audit_channel, _Use())
        use.posts = True
        use.names.append("CHATBOT_AUDIT_CHANNEL")
    for role, several in settings.roles.items():
        for channel in dict.fromkeys(one for grant in several for one in grant.channels or ()):
            found.setdefault(channel, _Use()).names.append(f"a grant of {role}")
    return found


def list_posted_to(settings: ChatbotSettings) -> list[str]:
    return [channel for channel, use in _list_channels(settings).items() if use.posts]


async def _check_channel(web: WebApi, channel: str, use: _Use) -> Finding:
    check = f"slack_channel:{channel}"
    bad = _error if use.posts else _warning
    what = " and ".join(use.names)
    try:
        place = await web.get_channel(channel)
    except SlackRefused as exc:
        if exc.reason != "missing_scope":
            return bad(
                check, f"{channel} ({what}): {_why(exc)}.", "Fix that, or name another channel."
            )
        return _warning(check, f"{channel} ({what}) was not checked: {_why(exc)}.", _INSTALL)
    except JobsMaintError as exc:
        return _warning(check, f"{channel} ({what}) was not checked: {_why(exc)}.", _AGAIN)
    name = f"{channel} (#{place.get('name')}, {what})"
    if place.get("is_archived"):
        return bad(check, f"{name} is archived.", "Name another channel.")
    if is_shared_outside(place):
        shared = f"{name} is shared with another organisation"
        if use.posts:
            fix = "Name a channel that only your own organisation reads."
            return _error(check, f"{shared}: nothing is posted there.", fix)
        fix = "To show them to everybody, name another channel."
        return Finding(check, "note", f"{shared}: only the asker sees answers there.", fix)
    if use.posts and not place.get("is_member"):
        why = f"The bot is not in {name}, so it cannot post there."
        return _error(check, why, "Invite it there with /invite.")
    return Finding(check, "ok", f"{name} can be used.")


def _list_groups(settings: ChatbotSettings) -> list[str]:
    grants = [grant for several in settings.roles.values() for grant in several]
    return list(dict.fromkeys(group for grant in grants for group in grant.usergroups))


async def _check_group(directory: Directory, group: str) -> Finding:
    check = f"slack_group:{group}"
    try:
        members = await directory.members_of(group, act=True)
    except Unknown as exc:
        if exc.may_pass:
            return _warning(check, f"The members of {group} were not checked: {_why(exc)}.", _AGAIN)
        return _error(check, f"Grants to {group} apply to nobody: {_why(exc)}.", _AGAIN)
    if not members:
        return _warning(
            check, f"The user group {group} has no members.", "Add people, or enable the group."
        )
    return Finding(check, "ok", f"{group} has {count(len(members), 'member')}.")
