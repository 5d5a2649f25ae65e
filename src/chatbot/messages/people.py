"""Whom to ask: `@ana, @ada or anyone in @on-call`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chatbot.messages.act_words import one_line
from chatbot.messages.parts import Span, user, usergroup
from jobs_maint.render import say_person

__all__ = [
    "find_user",
    "list_actor",
    "name_actor",
    "name_people",
    "name_quietly",
    "tell_given_back",
    "tell_taken_off",
]

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


def name_actor(actor: str) -> Span | str:
    """Who it is, as records name them: of Slack a mention, which nobody can forge.

    `shell:root@vm` is `root@vm`; `task:jobs_maint:purge_finished_jobs`, the task of this name.
    """
    if found := find_user(actor):
        return user(found)
    kind, _, name = actor.partition(":")
    if kind == "task":
        return one_line(f"the task {name.rpartition(':')[2]}", 120)
    return one_line(name if kind == "shell" else actor, 120)


def name_quietly(actor: str) -> Span | str:
    """Who is on something, by name: a mention would notify them whenever somebody asks."""
    return one_line(say_person(actor), 60) if find_user(actor) else name_actor(actor)


def tell_taken_off(by: str, whom: str) -> list[Span | str]:
    return [name_actor(by), " took ", name_actor(whom), " off"]


def tell_given_back(by: str, before: str | None) -> list[Span | str]:
    """To follow `I-7 was given back`; `before`: who was on it."""
    if before is None or name_actor(before) == name_actor(by):
        return [" by ", name_actor(by)]
    return [": ", *tell_taken_off(by, before)]


def list_actor(actor: str) -> Span | str:
    """The same for lists, which call nobody: of Slack the id and the name that they had then."""
    found = find_user(actor)
    if found is None:
        return name_actor(actor)
    return one_line(actor.partition(":")[2] or found, 120)


def find_user(actor: str) -> str | None:
    """The Slack id in it, if it is somebody from Slack; an id alone is one, too."""
    found = re.fullmatch(
        r"(?:slack:)?([UW][A-Z0-9]{4,30})|slack:([UW][A-Z0-9]{4,30}) \(.*\)", actor, re.DOTALL
    )
    return found[1] or found[2] if found else None
