"""What the thread of an incident's message tells: each step of its history, a line each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from chatbot.messages.incident_words import (
    capital,
    has_same_cause,
    say_end,
    say_kind,
    say_sized,
    tell_name,
)
from chatbot.messages.message import Message
from chatbot.messages.packer import pack
from chatbot.messages.parts import Line, code, paragraph, when
from chatbot.messages.people import name_actor, tell_taken_off
from chatbot.messages.words import count, cut, defuse
from jobs_maint.models import Condition, HistoryEntry, Incident, IncidentKind
from jobs_maint.render import say_names, say_past_why

__all__ = ["render_entries", "tell_entries"]

MOST_ENTRIES = 20
_ACTS = {
    "taken": ("is on ", ""),
    "dropped": ("gave ", " back"),
    "muted": ("muted ", ""),
    "unmuted": ("unmuted ", ""),
}
_STEPS = {
    "worse": "Worse: {sized}",
    "cause": "The cause: {named}",
    "folded": "{also}: {sized}",
    "back": "Again: {named}",
    "remains": "What remains: {sized}",
    "merged": "Part of {by} from now on",
}


def render_entries(incident: Incident, entries: Sequence[HistoryEntry], as_of: datetime) -> Message:
    """What happened since the thread was told last, a line each."""
    return pack([paragraph(*tell_entries(incident, entries, as_of))])


def tell_entries(
    incident: Incident, entries: Sequence[HistoryEntry], as_of: datetime
) -> list[Line]:
    entries = [one for one in entries if not _is_told_of_whole(one, incident)]
    shown = entries[-MOST_ENTRIES:]
    left = len(entries) - len(shown)
    lines: list[Line] = [[f"{count(left, 'earlier change')}, not shown"]] if left else []
    lines += [[when(one.at, as_of), "  ", *_tell_entry(one, incident, as_of)] for one in shown]
    return lines


def _tell_entry(entry: HistoryEntry, incident: Incident, as_of: datetime) -> Line:
    parts: list[Incident | Condition] = [incident, *incident.folded, *incident.past]
    key = (entry.kind, entry.subject)
    kind = next((part for part in parts if part.key == key), entry)
    named = say_kind(kind).named
    sized = say_sized(kind, entry.value, "now " * (entry.what == "worse"))
    if entry.whom is not None:
        return [*tell_taken_off(entry.by or "somebody", entry.whom), "."]
    if entry.what in _ACTS:
        return _tell_act(entry, incident)
    if entry.what == "settled":
        if _is_of_one(entry, incident):
            return ["All jobs of ", code(entry.subject), " have succeeded."]
        return ["All of its jobs have succeeded."]
    if entry.what == "unwatched":
        begin = when(entry.at - timedelta(seconds=entry.value), as_of)
        end = when(entry.at, as_of)
        return ["Nobody watched from ", begin, " to ", end, ": the database or the bot was away."]
    if entry.what == "resolved" and (last := _find_last_part(incident, entry)):
        return [f"All of it is over: {cut(defuse(say_past_why(last)), 240)}."]
    if entry.what in {"over", "resolved"}:
        return [f"{say_end(kind, entry.why or 'good')}."]
    if entry.what in _STEPS:
        came_back = entry.what == "cause" and _was_over(incident, entry)
        step = _STEPS["back" if came_back else entry.what]
        if entry.what == "remains" and entry.kind is IncidentKind.GROUP:
            step = "Now it is about {sized}"  # the one before may be muted only, and others remain
        also = "With the same cause" if has_same_cause(kind, incident) else "Also"
        told = step.format(named=named, sized=sized, by=entry.by, also=also)
        return [told, *(tell_name(entry) if entry.what in {"folded", "remains"} else ()), "."]
    return [f"{capital(kind, sized if entry.kind.is_count else named)}."]


def _tell_act(entry: HistoryEntry, incident: Incident) -> Line:
    before, after = _ACTS[entry.what]
    who = name_actor(entry.by or "somebody")
    if errors := _say_errors(entry, incident):
        return [who, f" {before.rstrip()}{after} {errors}."]
    what = code(entry.subject) if _is_of_one(entry, incident) else "it"
    return [who, f" {before}", what, f"{after}."]


def _is_told_of_whole(entry: HistoryEntry, incident: Incident) -> bool:
    """Whoever takes or mutes an incident does so with its errors: that is told once."""
    alike = _find_alike(entry, incident)
    return bool(alike) and alike[0].key != entry.key


def _say_errors(entry: HistoryEntry, incident: Incident) -> str:
    """Those that somebody took or muted with one press; empty where it is one thing."""
    alike = _find_alike(entry, incident)
    names = [one.subject for one in alike if one.kind is IncidentKind.GROUP]
    if len(alike) < 2 or not names:
        return ""
    return "it and " * (entry.kind is not IncidentKind.GROUP) + say_names(names)


def _find_alike(entry: HistoryEntry, incident: Incident) -> list[HistoryEntry]:
    """What the same person did with it at that moment, to each of its errors."""
    same = (entry.at, entry.what, entry.by)
    return [one for one in incident.history if entry.by and (one.at, one.what, one.by) == same]


def _is_of_one(entry: HistoryEntry, incident: Incident) -> bool:
    """Whether it is of one error of an incident that has, or had, other parts.

    Not of the one that leads it now: another did at that time, or will.
    """
    parts = {one.key for one in (incident.lead, *incident.folded, *incident.past)}
    several = parts | {one.key for one in incident.history} != {entry.key}
    is_error = entry.kind is IncidentKind.GROUP
    return is_error and several and len(_find_alike(entry, incident)) < 2


def _was_over(incident: Incident, entry: HistoryEntry) -> bool:
    """Whether it was told before that the same is over."""
    key = (entry.kind, entry.subject)
    earlier = [one for one in incident.history if one.what == "over" and one.at < entry.at]
    return any((one.kind, one.subject) == key for one in earlier)


def _find_last_part(incident: Incident, entry: HistoryEntry) -> Condition | None:
    """What was over last, where it was told before that what it is named after is over."""
    told = [one for one in incident.history if one.at < entry.at and one.what in {"over", "back"}]
    key = (entry.kind, entry.subject)
    if not told or told[-1].what != "over" or key not in {(one.kind, one.subject) for one in told}:
        return None
    ended = [one for one in incident.past if one.over_at is not None]
    return max(ended, key=lambda one: one.over_at or entry.at, default=None)
