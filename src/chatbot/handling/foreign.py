"""Clicks that are not for this bot."""

from __future__ import annotations

import logging

from chatbot.handling.context import Services
from chatbot.inbound.slack_request import SlackRequest
from jobs_maint.database import identify_database
from jobs_maint.errors import InvalidRequest

__all__ = ["refuse_foreign"]

log = logging.getLogger(__name__)


async def refuse_foreign(services: Services, request: SlackRequest) -> None:
    """Job ids and request numbers of another database mean other jobs here: raise."""
    stamp = services.slack.stamp
    if not stamp.database:
        stamp.database = await identify_database(services.pool, stamp.environment)
    if not request.origin or not stamp.database or request.origin == stamp.database:
        return
    services.slack.foreign_clicks += 1
    log.warning("chatbot.foreign_button user=%s channel=%s", request.user, request.channel)
    here = f" (this one serves {stamp.environment})" if stamp.environment else ""
    raise InvalidRequest(
        "this button was made by a bot of another database, and Slack gave the click to "
        f"another bot{here}; nothing was done. Each database needs a Slack app of its own: "
        "whoever runs the bot finds out more with doctor, here in Slack"
    )
