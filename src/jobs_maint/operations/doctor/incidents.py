"""The doctor's check on the watch of the bots: does anybody look, and is it told?"""

from __future__ import annotations

from jobs_maint.database import Conn, fetch_all
from jobs_maint.durations import format_age
from jobs_maint.models import Finding
from jobs_maint.operations.doctor.findings import Situation, few, ok, warning
from jobs_maint.sql import load_queries

__all__: list[str] = []

LATE_SECONDS = 120.0


async def check_watch(conn: Conn, situation: Situation) -> Finding:  # noqa: ARG001
    queries = load_queries("doctor")
    found = await fetch_all(conn, queries["get_watch"])
    if not found:
        return ok("watch", "No bot has looked for incidents yet.")
    silent = found[0]["silent_seconds"]
    if silent > LATE_SECONDS:
        return warning(
            "watch",
            f"No bot has looked for incidents for {format_age(silent)}: nobody is told of any.",
            "Start `jobs-chatbot run`; the log of the last one says why it ended.",
        )
    untold = await fetch_all(conn, queries["list_untold_incidents"])
    if untold:
        names = few([f"I-{row['id']}" for row in untold], 3)
        what = "did not go where it should" if untold[0]["posted"] else "could not be posted"
        return warning(
            "watch",
            f"The message of {names} {what}. {untold[0]['error']}",
            "Invite the bot to the channel for incidents, or name another one in "
            "CHATBOT_INCIDENTS.",
        )
    if not found[0]["complete"]:
        return warning(
            "watch",
            "The bot's last look for incidents was not complete.",
            "The line jobs_maint.watch_incomplete in the bot's log says what it could not see.",
        )
    return ok("watch", f"A bot looked for incidents {format_age(max(silent, 0.0))} ago.")
