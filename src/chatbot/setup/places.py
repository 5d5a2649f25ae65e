"""What Slack says of the channels and user groups that the settings name."""

from __future__ import annotations

from dataclasses import dataclass, field

from chatbot.access.directory import Directory, Unknown
from chatbot.messages.words import count
from chatbot.settings.bot import ChatbotSettings
from chatbot.setup.findings import AGAIN, INSTALL, error, explain, mention, warning
from chatbot.slack.errors import SlackRefused
from chatbot.slack.identity import is_shared_outside
from chatbot.slack.web_api import WebApi
from jobs_maint.errors import JobsMaintError
from jobs_maint.models import Finding

__all__ = ["check_places", "list_posted_to"]


async def check_places(
    settings: ChatbotSettings, web: WebApi, members: Directory, *, in_slack: bool
) -> list[Finding]:
    """One finding for each channel and each user group."""
    found = [
        await _check_channel(web, channel, use, in_slack=in_slack)
        for channel, use in _list_channels(settings).items()
    ]
    return found + [await _check_group(members, group) for group in _list_groups(settings)]


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
    for channel in settings.list_incident_channels():
        use = found.setdefault(channel, _Use())
        use.posts = True
        use.names.append("incidents")
    for role, several in settings.roles.items():
        for channel in dict.fromkeys(one for grant in several for one in grant.channels or ()):
            found.setdefault(channel, _Use()).names.append(f"a grant of {role}")
    return found


def list_posted_to(settings: ChatbotSettings) -> list[str]:
    return [channel for channel, use in _list_channels(settings).items() if use.posts]


async def _check_channel(web: WebApi, channel: str, use: _Use, *, in_slack: bool) -> Finding:
    """One that Slack does not know is told by its id, which a mention would hide."""
    check = f"slack_channel:{channel}"
    bad = error if use.posts else warning
    what = " and ".join(use.names)
    try:
        place = await web.get_channel(channel)
    except SlackRefused as exc:
        if exc.reason != "missing_scope":
            return bad(
                check, f"{channel} ({what}): {explain(exc)}.", "Fix that, or name another channel."
            )
        return warning(check, f"{channel} ({what}) was not checked: {explain(exc)}.", INSTALL)
    except JobsMaintError as exc:
        return warning(check, f"{channel} ({what}) was not checked: {explain(exc)}.", AGAIN)
    name = f"{channel} (#{place.get('name')}, {what})"
    if in_slack:
        name = f"{mention(channel)} ({what})"
    if place.get("is_archived"):
        return bad(check, f"{name} is archived.", "Name another channel.")
    if is_shared_outside(place):
        shared = f"{name} is shared with another organisation"
        if use.posts:
            fix = "Name a channel that only your own organisation reads."
            return error(check, f"{shared}: nothing is posted there.", fix)
        fix = "To show them to everybody, name another channel."
        return Finding(check, "note", f"{shared}: only the asker sees answers there.", fix)
    if use.posts and not place.get("is_member"):
        why = f"The bot is not in {name}, so it cannot post there."
        return error(check, why, "Invite it there with /invite.")
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
            return warning(
                check, f"The members of {group} were not checked: {explain(exc)}.", AGAIN
            )
        return error(check, f"Grants to {group} apply to nobody: {explain(exc)}.", AGAIN)
    if not members:
        return warning(
            check, f"The user group {group} has no members.", "Add people, or enable the group."
        )
    return Finding(check, "ok", f"{group} has {count(len(members), 'member')}.")
