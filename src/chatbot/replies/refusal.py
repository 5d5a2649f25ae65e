"""A refusal: what is missing, and whom to ask."""

from __future__ import annotations

from collections.abc import Sequence

from chatbot.replies.message import Message
from chatbot.replies.packer import pack
from chatbot.replies.parts import Line, Span, bold, context, paragraph, user, usergroup
from chatbot.replies.words import sentence
from jobs_maint.errors import NotPermitted

__all__ = ["render_refusal"]

MOST_NAMES = 3


def render_refusal(
    refusal: NotPermitted,
    *,
    users: Sequence[str] = (),
    usergroups: Sequence[str] = (),
    problems: Sequence[str] = (),
) -> Message:
    """`users`, `usergroups`: who holds the role; `problems`: why group membership is not known."""
    what, _, why = str(refusal).partition(": ")
    lines: list[Line] = [["⛔ ", bold(sentence(what)), *_why(refusal, why)]]
    lines.append(_ask(refusal, users, usergroups))
    parts = [paragraph(*lines)]
    if problems:
        parts.append(paragraph(*([sentence(problem)] for problem in problems[:5])))
    parts.append(context(["The refusal is in the audit."]))
    return pack(parts)


def _why(refusal: NotPermitted, why: str) -> list[Span | str]:
    if not why:
        return []
    text = sentence(why)
    spans: list[Span | str] = [" "]
    for role in (refusal.needs, refusal.has):
        before, found, after = text.partition(str(role)) if role else ("", "", "")
        if found:
            spans += [before, bold(str(role))]
            text = after
    return [*spans, text]


def _ask(refusal: NotPermitted, users: Sequence[str], groups: Sequence[str]) -> Line:
    if not users and not groups:
        role = f" {refusal.needs}" if refusal.needs else " it"
        return [f"Nobody here holds{role}; whoever runs the bot can grant it in CHATBOT_ROLES."]
    people: list[Span] = [user(one) for one in users[:MOST_NAMES]]
    line: list[Span | str] = ["Ask "]
    for i, person in enumerate(people):
        line += [", " if i else "", person]
    for i, group in enumerate(groups[:MOST_NAMES]):
        line += [" or " if people or i else "", "anyone in ", usergroup(group)]
    return [*line, "."]
