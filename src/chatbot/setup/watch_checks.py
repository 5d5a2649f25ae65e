"""Where incidents are told, and whether the heartbeat is taken."""

from __future__ import annotations

from chatbot.heartbeat import knock
from chatbot.settings.bot import ChatbotSettings
from chatbot.setup.findings import error, warning
from jobs_maint.models import Finding

__all__ = ["check_watch"]


async def check_watch(settings: ChatbotSettings) -> list[Finding]:
    found = [_check_incidents(settings)]
    if settings.heartbeat_url is not None:
        found.append(await _check_heartbeat(settings.heartbeat_url.get_secret_value()))
    return found


def _check_incidents(settings: ChatbotSettings) -> Finding:
    check = "bot_incidents"
    if settings.incidents is None:
        return Finding(check, "note", "CHATBOT_INCIDENTS is off: the bot watches nothing.")
    places = settings.list_incident_channels()
    if places and settings.find_incident_channel() is None:
        where = ", ".join(places)
        return warning(
            check,
            f"Incidents are told in {where}, but those that fit no glob there, such as no worker "
            "at all, in no channel.",
            """Give them one in CHATBOT_INCIDENTS: {"channel": {"*": "C…"}}.""",
        )
    if places:
        where = ", ".join(places)
        return Finding(check, "ok", f"The bot watches the jobs and tells of incidents in {where}.")
    return warning(
        check,
        "The bot watches the jobs, but has no channel to tell of incidents.",
        """Name one: CHATBOT_INCIDENTS='{"channel": "C…"}'.""",
    )


async def _check_heartbeat(url: str) -> Finding:
    """It sends a beat: nothing less shows that the address is right."""
    refused = await knock(url)
    if refused is None:
        return Finding("bot_heartbeat", "ok", "The address of the heartbeat took a beat.")
    fix = "Correct CHATBOT_HEARTBEAT_URL, or let the bot reach that host."
    return error("bot_heartbeat", f"The heartbeat is not taken: {refused}.", fix)
