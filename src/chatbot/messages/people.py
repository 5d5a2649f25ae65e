"""Whom to ask: `@ana, @ada or anyone in @on-call`."""

from __future__ import annotations

from collections.abc import Sequence

from chatbot.messages.parts import Span, user, usergroup

__all__ = ["name_people"]

MOST_NAMES = 3


def name_people(users: Sequence[str], groups: Sequence[str]) -> list[Span | str]:
    """The first few of each; empty when there is nobody."""
    people: list[list[Span | str]] = [[user(one)] for one in users[:MOST_NAMES]]
    people += [["anyone in ", usergroup(group)] for group in groups[:MOST_NAMES]]
    line: list[Span | str] = []
    for i, person in enumerate(people):
        if i:
            line.append(" or " if i == len(people) - 1 else ", ")
        line += person
    return line
