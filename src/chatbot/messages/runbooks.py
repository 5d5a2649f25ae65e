"""Links to what the team wrote about a task or a queue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType

from chatbot.messages.parts import Button
from chatbot.messages.words import cut, short_task

__all__ = ["NO_RUNBOOKS", "Runbooks", "find_runbook", "link_runbooks", "offer_runbook"]

Runbooks = Mapping[str, str]
"""Glob of a task or a queue → web address; the first that fits counts."""

NO_RUNBOOKS: Runbooks = MappingProxyType({})
MOST = 3


def find_runbook(runbooks: Runbooks, task: str = "", queues: Iterable[str] = ()) -> str | None:
    """By the task's full or short name, else by a queue."""
    names = [name for name in (task, task.rpartition(".")[2]) if name]
    for names_of_kind in (names, list(queues)):
        for glob, link in runbooks.items():
            if any(fnmatchcase(name, glob) for name in names_of_kind):
                return link
    return None


def offer_runbook(runbooks: Runbooks, task: str = "", *queues: str | None) -> list[Button]:
    """The button of one task; none where nobody wrote anything."""
    link = find_runbook(runbooks, task, [one for one in queues if one])
    return [Button("Runbook", "", link=link)] if link else []


def link_runbooks(runbooks: Runbooks, tasks: Iterable[str]) -> list[Button]:
    """One button for each address, named by the first of its tasks where there are several."""
    named: dict[str, str] = {}
    for task in tasks:
        if link := find_runbook(runbooks, task):
            named.setdefault(link, task)
    if len(named) == 1:
        return [Button("Runbook", "", link=link) for link in named]
    return [
        Button(cut(f"Runbook {short_task(task)}", 40), "", link=link)
        for link, task in list(named.items())[:MOST]
    ]
