"""What the error of each group is called: as short as tells the groups apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from chatbot.messages.words import cut, first_lines, short_task
from jobs_maint.models import ErrorGroup, Loss
from jobs_maint.verbs import say_unrecorded

__all__ = ["name_errors"]

LONGEST = 40
"""Of a message: the line is read on a phone."""


def name_errors(groups: Sequence[ErrorGroup]) -> list[str]:
    """One name a group: the exception's type, with a piece of its message where two look alike."""
    names = [_type(group) for group in groups]
    alike: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        alike[short_task(group.task), names[i]].append(i)
    for (_, name), members in alike.items():
        if len(members) == 1 and name:
            continue
        texts = [_message(groups[i], name) for i in members]
        for i, piece in zip(members, _pieces(texts), strict=True):
            names[i] = f"{name}: {piece}" if name and piece else name or piece
    return [name or "an error without text" for name in names]


def _type(group: ErrorGroup) -> str:
    if not group.recorded:
        return say_unrecorded(awaited=group.awaited)
    if group.lost:
        return replace(Loss.read(group.message), then="").what
    return cut((group.exception_type or "").rpartition(".")[2][:200], 60)


def _message(group: ErrorGroup, name: str) -> str:
    if not group.recorded:
        return ""
    text = first_lines(group.message, lines=1, width=1_000)
    return text.removeprefix(f"{name}: ") if name else text


def _pieces(texts: Sequence[str]) -> list[str]:
    """The beginnings; where these are the same, from the word on where the texts part."""
    pieces = [cut(text, LONGEST) for text in texts]
    if len(set(pieces)) == len(pieces):
        return pieces
    first, last = min(texts), max(texts)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
    begin = first.rfind(" ", 0, same) + 1
    return [cut(f"…{text[begin:]}", LONGEST) if begin else cut(text, LONGEST) for text in texts]
