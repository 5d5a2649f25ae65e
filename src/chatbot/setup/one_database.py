"""One Slack app serves one database: traces of a bot that has the same app and another one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from chatbot.setup.findings import mention
from chatbot.slack.client import SlackClient
from chatbot.slack.own_messages import find_own_message
from jobs_maint.errors import JobsMaintError
from jobs_maint.models import Finding

__all__ = ["check_one_database"]

MOST = 20
"""Channels: Slack takes about fifty such calls a minute."""
RECENT = timedelta(days=1)
"""A database that was moved leaves older messages of its former self."""
_FIX = (
    "Give each database a Slack app of its own, with its own tokens and its own command; "
    "set JOBS_ENVIRONMENT so that people see which is which."
)


async def check_one_database(
    slack: SlackClient, channels: Iterable[str], now: datetime, *, in_slack: bool = False
) -> tuple[Finding, ...]:
    """Empty where the database is not known.

    Looks at the last 200 messages of these channels, and of others that the bot is in: bots of one
    app are one member, so that the other bot's channels are among them.
    """
    ours = slack.stamp.database
    if not ours:
        return ()
    if slack.foreign_clicks:
        sentence = (
            f"Slack brought this bot {slack.foreign_clicks} clicks on buttons of a bot of another "
            "database: both use the same Slack app, and commands go to either."
        )
        return (Finding("slack_one_database", "error", sentence, _FIX),)
    for channel, name in (await _add_own(slack, channels)).items():
        at = await _find_foreign(slack, channel, ours, now)
        if at is not None:
            named = f"{channel} (#{name})" if name else channel
            place = mention(channel) if in_slack else named
            sentence = (
                f"A bot of another database posted to {place} with this Slack app at "
                f"{at:%Y-%m-%d %H:%M} UTC: commands and clicks go to either of the two."
            )
            return (Finding("slack_one_database", "error", sentence, _FIX),)
    sentence = "No sign of another database's bot with this Slack app."
    if not in_slack:
        sentence += " The doctor in Slack also knows of clicks that went to the wrong one of two."
    return (Finding("slack_one_database", "ok", sentence),)


async def _add_own(slack: SlackClient, channels: Iterable[str]) -> dict[str, str]:
    """Their names, as far as Slack tells them with the bot's own channels."""
    try:
        own = await slack.web.list_own_channels(MOST)
    except JobsMaintError:
        own = {}  # the checks of scopes say why
    return dict(list({**{one: own.get(one, "") for one in channels}, **own}.items())[:MOST])


async def _find_foreign(
    slack: SlackClient, channel: str, ours: str, now: datetime
) -> datetime | None:
    try:
        there = await find_own_message(
            slack.web,
            channel,
            lambda data: (data.get("event_payload") or {}).get("database", ours) != ours,
        )
    except JobsMaintError:
        return None  # the checks of channels and scopes say why
    if there is None:
        return None
    at = datetime.fromtimestamp(float(there["ts"]), UTC)
    return at if now - at < RECENT else None
