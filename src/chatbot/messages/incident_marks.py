"""What people said of an incident and of each of its errors: who is on it, what is muted."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chatbot.messages.group import say_mute
from chatbot.messages.parts import Line, Span, code, when
from chatbot.messages.people import name_quietly
from jobs_maint.actions import MuteGroup, TakeGroup
from jobs_maint.models import Condition, Incident, IncidentKind
from jobs_maint.render import find_shared_mute, list_parts, say_settled

__all__ = ["list_free", "tell_marks", "tell_mute", "tell_who"]


def list_free(incident: Incident) -> list[Condition]:
    """The errors that nobody is on, where somebody is on the one that leads them."""
    return [one for one in list_parts(incident) if _is_free(one, incident)]


def _is_free(part: Condition, incident: Incident) -> bool:
    is_error = part.kind is incident.kind is IncidentKind.GROUP
    has_somebody = part.facts.get("taken_by") or part.is_muted
    return is_error and incident.taken_by is not None and part.is_live and not has_somebody


def tell_marks(part: Condition, incident: Incident, as_of: datetime) -> Line:
    """Of one of several groups of errors: who else is on it, whether it is muted."""
    by = part.facts.get("taken_by")
    settled = say_settled(part)
    line: list[Span | str] = [f", {settled}"] if settled else []
    if by and by != incident.taken_by:
        line += [", ", name_quietly(str(by)), " is on it"]
    elif part is not incident.lead and _is_free(part, incident):
        line += [", nobody is on it (", code(TakeGroup(part.subject).words()), ")"]
    if not part.is_muted:
        return line
    if name := find_shared_mute(part, incident):
        return [*line, ", muted as ", code(name)]
    return [*line, ", muted", *_tell_mute(part, incident, as_of), " (", *_tell_end(part), ")"]


def _tell_mute(part: Condition, incident: Incident, as_of: datetime) -> Line:
    """By whom, as far as its history tells, and until when."""
    by = incident.find_muter(part)
    line: list[Span | str] = [" by ", name_quietly(by)] if by else []
    until, above = part.facts.get("muted_until"), part.facts.get("muted_above")
    at = None if until is None else datetime.fromisoformat(str(until))
    return [*line, *say_mute(at, None if above is None else int(above), as_of)]


def _tell_end(error: Condition) -> Line:
    """What ends its mute, for whoever reaches its queues."""
    name = str(error.facts.get("muted_as") or error.subject)
    return [code(MuteGroup(name).words()), " ends that"]


def tell_mute(incident: Incident, as_of: datetime) -> Line:
    """Empty where it is not muted. A group may be muted up to a rate of failures."""
    lead, until = incident.lead, incident.muted_until
    by_rate = "muted_above" in lead.facts
    if not by_rate and (until is None or until <= as_of):
        return []
    if not by_rate and until is not None:
        lead = replace(lead, facts={**lead.facts, "muted_until": until.isoformat()})
    silent = "." if by_rate else ": no new message about this."
    line: Line = ["Muted", *_tell_mute(lead, incident, as_of), silent]
    if incident.kind is not IncidentKind.GROUP:  # the button says how
        return line
    return [*line, " ", *_tell_end(lead), "."]


def tell_who(incident: Incident, as_of: datetime) -> Line:
    if incident.taken_by is None:
        return ["Nobody is on it yet."]
    line: list[Span | str] = [name_quietly(incident.taken_by), " is on it"]
    if incident.taken_at is not None:
        line += [", since ", when(incident.taken_at, as_of)]
    return [*line, "."]
