"""Which roles somebody has, on which queues and in which channels."""

from __future__ import annotations

from collections.abc import Sequence

from chatbot.messages.parts import Line, Span, channel
from chatbot.messages.words import cut
from jobs_maint.models import HelpRole

__all__ = ["is_narrow", "say_roles", "tell_elsewhere"]

MOST_QUEUES = 20
MOST_CHANNELS = 5


def is_narrow(roles: Sequence[HelpRole]) -> bool:
    """Whether the role is more than one word can say."""
    here = [one for one in roles if one.here]
    return any(one.queues is not None or one.channels is not None for one in here)


def say_roles(roles: Sequence[HelpRole]) -> str:
    """`operator`, `operator of mail*, and viewer of every queue`; empty without a role here."""
    here = [one for one in roles if one.here]
    said = [_say(one, alone=len(here) == 1) for one in here]
    return ", and ".join(filter(None, (", ".join(said[:-1]), *said[-1:])))


def _say(one: HelpRole, *, alone: bool) -> str:
    queues = "" if alone and one.queues is None else f" of {_name_queues(one)}"
    return f"{one.role}{queues}{' in this channel' if one.here and one.channels else ''}"


def _name_queues(one: HelpRole) -> str:
    if one.queues is None:
        return "every queue"
    more = len(one.queues) - MOST_QUEUES
    names = [cut(queue, 60) for queue in one.queues[:MOST_QUEUES]]
    return cut(", ".join([*names, *([f"{more} more"] if more > 0 else [])]), 300)


def tell_elsewhere(roles: Sequence[HelpRole]) -> list[Line]:
    """`In #mail-ops you are operator of mail*.`"""
    lines: list[Line] = []
    for one in roles:
        if not one.here and one.channels:
            places: list[Span | str] = []
            for place in one.channels[:MOST_CHANNELS]:
                places += [", " if places else "", channel(place)]
            if more := len(one.channels[MOST_CHANNELS:]):
                places.append(f" and {more:,} more")
            lines.append(["In ", *places, f" you are {_say(one, alone=True)}."])
    return lines
