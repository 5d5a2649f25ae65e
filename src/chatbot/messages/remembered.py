"""What is remembered of a group of errors: its name, who is on it, until when it is muted."""

from __future__ import annotations

from datetime import datetime, timedelta

from chatbot.messages.parts import Button, Span, code, when
from chatbot.messages.people import name_quietly
from jobs_maint.actions import MuteGroup, TakeGroup
from jobs_maint.models import ErrorGroup, Remembered

__all__ = ["DAY", "GIVE_BACK", "TAKE", "offer_memory", "tell_memory"]

DAY = timedelta(hours=24)
TAKE, GIVE_BACK = "I'm on it", "Give it back"


def tell_memory(group: Remembered, as_of: datetime) -> list[Span | str]:
    """`E-4f2a · ana is on it · muted until 14:05`; empty for a group that is not known yet."""
    if group.name is None:
        return []
    line: list[Span | str] = [code(group.name)]
    if group.taken_by is not None:
        line += [" · ", name_quietly(group.taken_by), " is on it"]
    if group.muted_until is not None:
        line += [" · muted until ", when(group.muted_until, as_of)]
    if group.muted_above is not None:
        line.append(f" · muted up to {group.muted_above:,} an hour")
    return line


def offer_memory(group: ErrorGroup) -> list[Button]:
    """*I'm on it* where nobody is, *Mute for 24 h* where it is not muted."""
    if group.name is None or group.elsewhere:
        return []
    take = Button(TAKE, TakeGroup(group.name).words())
    mute = Button("Mute for 24 h", MuteGroup(group.name, DAY).words())
    muted = group.muted_until is not None or group.muted_above is not None
    return [take] * (group.taken_by is None) + [mute] * (not muted)
