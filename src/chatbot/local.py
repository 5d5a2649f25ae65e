"""`jobs-chatbot local`: the bot and a local Slack for one person, over the team's own jobs."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import local_slack
from chatbot.serve import serve
from chatbot.settings.bot import ChatbotSettings
from jobs_maint.actions import Actor
from jobs_maint.database import describe_database
from jobs_maint.grammar import build_completion
from jobs_maint.settings import MaintSettings

__all__ = ["serve_locally"]

_YOU = "U0YOU"
_BOT = "U0BOT"
_PLACE = "C0JOBS"
_FIRST = "stats"
"""What the page shows when it is opened."""
_SCOPES = (
    "commands",
    "chat:write",
    "channels:read",
    "channels:history",
    "im:history",
    "im:read",
    "im:write",
    "users:read",
)


async def serve_locally(
    maint: MaintSettings, url: str, actor: Actor, *, port: int, say: Callable[[str], None]
) -> None:
    """Serve the page on 127.0.0.1 until Ctrl-C, SIGTERM or SIGHUP; `say` gets its address.

    Every act is `actor`'s. Port 0 is a free one. Raises JobsMaintError as `serve` does.
    """
    place = describe_database(url)
    if maint.environment:
        place = f"{place} [{maint.environment}]"
    config = _build_workspace(actor)
    page = local_slack.Page(
        words=build_completion("slack"),
        notice=f"Not Slack, but your own jobs: {place}. What you confirm here happens there, "
        f"and the audit says {actor.label}.",
    )
    async with local_slack.serve(config, page, port=port, say=say) as slack:

        async def greet() -> None:
            await slack.command(_YOU, _PLACE, f"{config.app.commands[0]} {_FIRST}")
            say(f"Your jobs, in a browser: {slack.page_url}")
            say(f"They are {place}. What you confirm on the page happens there, as {actor.label}.")
            say("Whoever has the address can do it too. Ctrl-C ends it.")

        settings = _build_settings(config, slack.api_url)
        await serve(settings, maint, url, only=actor, started=greet)


def _build_workspace(actor: Actor) -> local_slack.Config:
    """The tokens are random: others who use the machine cannot be the bot either."""
    return local_slack.Config(
        workspace=local_slack.Team("T0LOCAL", name="Your jobs"),
        channels=(local_slack.Channel(_PLACE, "jobs", (_YOU, _BOT)),),
        users=(local_slack.User(_YOU, actor.name),),
        app=local_slack.App(
            bot_token=f"xoxb-{secrets.token_hex(16)}",
            app_token=f"xapp-{secrets.token_hex(16)}",
            signing_secret=secrets.token_hex(16),
            bot_user_id=_BOT,
            bot_scopes=_SCOPES,
            mode="socket",
        ),
    )


def _build_settings(config: local_slack.Config, api_url: str) -> ChatbotSettings:
    """All of them, so that nothing of a real bot's environment gets in."""
    given: dict[str, Any] = {
        "slack_bot_token": config.app.bot_token,
        "slack_app_token": config.app.app_token,
        "slack_signing_secret": None,
        "slack_api_url": api_url,
        "command": config.app.commands[0],
        "host": "127.0.0.1",
        "port": 0,
        "roles": {},
        "digests": (),
        "audit_channel": None,
        "incidents": None,
        "heartbeat_url": None,
    }
    return ChatbotSettings.load(**given)
