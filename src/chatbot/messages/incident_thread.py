"""What the thread of an incident's message tells: each step of its history, a line each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chatbot.messages.incident_words import capital, say_end, say_kind, say_size
from chatbot.messages.message import Message
from chatbot.messages.packer import pack
from chatbot.messages.parts import Line, paragraph, when
from chatbot.messages.people import name_actor
from chatbot.messages.words import count
from jobs_maint.models import Condition, HistoryEntry, Incident

__all__ = ["render_entries"]

MOST_ENTRIES = 20
_ACTS = {
    "taken": "is on it",
    "dropped": "gave it back",
    "muted": "muted it",
    "unmuted": "ended the mute",
}
_STEPS = {
    "worse": "Worse: {named}, {size}",
    "cause": "The cause: {named}",
    "folded": "{also}: {named}, {size}",
    "back": "Back: {named}",
    "remains": "What remains: {named}, {size}",
    "merged": "Part of {by} from now on",
}


def render_entries(incident: Incident, entries: Sequence[HistoryEntry], as_of: datetime) -> Message:
    """What happened since the thread was told last, a line each."""
    shown = entries[-MOST_ENTRIES:]
    left = len(entries) - len(shown)
    lines: list[Line] = [[f"{count(left, 'earlier change')}, not shown"]] if left else []
    lines += [[when(one.at, as_of), "  ", *_tell_entry(one, incident)] for one in shown]
    return pack([paragraph(*lines)])


def _tell_entry(entry: HistoryEntry, incident: Incident) -> Line:
    parts: list[Incident | Condition] = [incident, *incident.folded, *incident.past]
    key = (entry.kind, entry.subject)
    kind = next((part for part in parts if part.key == key), entry)
    named, size = say_kind(kind).named, say_size(entry.kind, entry.value)
    if entry.what in _ACTS:
        return [name_actor(entry.by or "somebody"), f" {_ACTS[entry.what]}."]
    if entry.what in {"over", "resolved"}:
        return [f"{say_end(kind, entry.why or 'good')}."]
    if entry.what in _STEPS:
        also = _say_also(entry, incident)
        return [f"{_STEPS[entry.what].format(named=named, size=size, by=entry.by, also=also)}."]
    return [f"{capital(named)}."]


def _say_also(part: HistoryEntry, incident: Incident) -> str:
    """Whether it is certain that they have one cause: what is of one kind only came together."""
    return "Also" if part.kind is incident.kind else "With the same cause"
