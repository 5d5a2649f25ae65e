"""Incidents as messages."""

from __future__ import annotations

from chatbot.messages.message import Message, Messages
from chatbot.messages.packer import pack
from chatbot.messages.parts import Line, bold, context, paragraph, when
from chatbot.messages.words import count
from jobs_maint.models import IncidentReport, IncidentsReport
from jobs_maint.render import say_condition

__all__ = ["MESSAGES", "render_incident", "render_incidents"]


def render_incidents(report: IncidentsReport) -> Message:
    if report.open:
        verdict = f"🔴 {count(len(report.open), 'incident is', 'incidents are')} open."
    elif report.watched_at is None:
        verdict = "🟡 This database has not been watched yet."
    else:
        verdict = "🟢 No incident is open."
    lines: list[Line] = [[bold(verdict)]]
    lines += [[f"{one.name}  {say_condition(one)}, since ", when(one.since, report.as_of)]
              for one in report.open]  # fmt: skip
    return pack([paragraph(*lines), context(["as of ", when(report.as_of, report.as_of)])])


def render_incident(report: IncidentReport) -> Message:
    one = report.incident
    return pack([paragraph([bold(f"{one.name} is {report.done}.")], [f"{say_condition(one)}."])])


MESSAGES: Messages = {
    IncidentsReport: lambda report, _wanted: render_incidents(report),
    IncidentReport: lambda report, _wanted: render_incident(report),
}
