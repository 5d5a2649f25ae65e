"""What the message of an incident says of what is over: all of it, parts of it, or for now."""

from __future__ import annotations

from datetime import datetime

from chatbot.messages.incident_words import (
    capital,
    find_last,
    has_size,
    say_end,
    say_kind,
    say_worst,
    tell_name,
)
from chatbot.messages.parts import Line, Span, when
from chatbot.messages.people import name_quietly
from chatbot.messages.words import count, cut, defuse
from jobs_maint.durations import format_age
from jobs_maint.models import HistoryEntry, Incident, IncidentKind
from jobs_maint.render import say_past, say_reason, say_within

__all__ = [
    "MOST_PARTS",
    "find_merged",
    "say_merged",
    "say_over",
    "tell_calm",
    "tell_end",
    "tell_past",
]

MOST_PARTS = 5
_LATE = {IncidentKind.MAINTENANCE_OVERDUE, IncidentKind.DIGEST_OVERDUE}


def find_merged(incident: Incident) -> str | None:
    """The name of the incident that it is a part of now."""
    return incident.history[-1].by or "another incident" if incident.is_merged else None


def say_merged(incident: Incident, merged: str) -> str:
    """`webhook is 23 min behind: part of I-12 now, "no worker is alive"`."""
    said = f"{capital(incident, say_within(incident))}: part of {merged} now"
    if cause := incident.facts.get("cause"):
        entry = HistoryEntry(incident.seen_at, "cause", IncidentKind(cause[0]), str(cause[1]), 0.0)
        said += f', "{say_kind(entry).named}"'
    return cut(defuse(said), 300)


def say_over(incident: Incident) -> str:
    """That it is over and how long it lasted; where it is not good again, why it is over."""
    end = say_end(incident, incident.why)
    counted = incident.kind.is_count and "left" in incident.facts
    if counted or say_reason(incident.kind, incident.why):
        return f"{end}."
    lasted = format_age((incident.ended_at or incident.seen_at) - incident.began_at)
    if incident.spells > 1:
        return f"{end}; it came {incident.spells} times in {lasted}."
    return f"{end}, {lasted} late." if incident.kind in _LATE else f"{end} after {lasted}."


def tell_end(incident: Incident, as_of: datetime) -> list[Line]:
    begin, end = incident.began_at, incident.ended_at or as_of
    if incident.kind is IncidentKind.GROUP:
        end = find_last(incident) or end
    line: list[Span | str] = ["From ", when(begin, as_of), " to ", when(end, as_of, begun=begin)]
    line += [f" · {say_worst(incident)}" if has_size(incident) else "", "."]
    lines: list[Line] = [line, *tell_past(incident, as_of)]
    if incident.taken_by is not None:
        lines.append(_tell_takers(incident, incident.taken_by))
    if said := incident.standing.say_standing():
        lines.append([said])
    if left := (incident.standing.failed_now or 0) + incident.standing.failed_otherwise:
        jobs = count(left, "job was", "jobs were")
        they, them = ("it stays", "it") if left == 1 else ("they stay", "them")
        lines.append([f"{jobs} still failed then; {they} so until somebody retries {them}."])
    elif incident.kind.is_count and not incident.standing.none_failed:
        lines.append(["Jobs that failed stay failed until somebody retries them."])
    return lines


def tell_calm(incident: Incident, as_of: datetime) -> Line:
    begin, calm = when(incident.began_at, as_of), when(incident.calm_since or as_of, as_of)
    came: Line = ["It comes and goes"]
    if incident.spells > 1:
        came = [f"It came {incident.spells} times since ", begin]
    return ["Since ", calm, ". ", *came, ", so it is over only once it stays away longer."]


def tell_past(incident: Incident, as_of: datetime) -> list[Line]:
    """Parts of it that are over, the worst first, a line each."""
    lines: list[Line] = []
    for one in incident.past[:MOST_PARTS]:
        said: Line = [cut(defuse(say_past(one)), 160), *tell_name(one)]
        reason = say_reason(one.kind, one.why)
        why = f"; {reason}." if reason else "."
        if incident.state == "open":
            lines.append(["Over since ", when(one.over_at or as_of, as_of), ": ", *said, why])
        elif one.over_at and incident.ended_at and one.over_at > incident.ended_at:
            lines.append(["Also: ", *said, ", until ", when(one.over_at, as_of), why])
        else:
            lines.append(["Also: ", *said, why])
    if more := len(incident.past) - len(lines):
        lines.append([f"And {more:,} more."])
    return lines


def _tell_takers(incident: Incident, last: str) -> Line:
    """Whoever took it, in turn."""
    first = dict.fromkeys(
        one.by for one in incident.history
        if one.what == "taken" and one.by
        and (one.kind is not IncidentKind.GROUP or one.key == incident.key)
    )  # fmt: skip
    others: list[Span | str] = []
    for by in first:
        others += [name_quietly(by), ", then "] if by != last else []
    return [*others, name_quietly(last), " were on it." if others else " was on it."]
