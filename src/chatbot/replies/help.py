"""`help`: what this person may do, and whom to ask for the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from chatbot.replies.message import Message
from chatbot.replies.packer import pack
from chatbot.replies.parts import Line, Part, bold, code, context, paragraph
from chatbot.replies.people import name_people
from chatbot.replies.words import sentence
from jobs_maint.actions import Role
from jobs_maint.models import HelpReport, HelpWord

__all__ = ["Holders", "render_help"]

Holders = Callable[[Role], tuple[Sequence[str], Sequence[str]]]
"""Role → ids of the users and user groups that hold it."""
_OPTION = re.compile(r" \[--[^\]]*\]")


def render_help(
    report: HelpReport, command: str, holders: Holders, problems: Sequence[str] = ()
) -> Message:
    if report.text is not None:
        first, _, rest = report.text.partition("\n")
        lines: list[Line] = [[code(f"{command} {first}")]]
        lines += [_option(line) for line in rest.splitlines()]
        return pack([paragraph(*lines)])
    may = [word for word in report.words if word.allowed]
    may_not = [word for word in report.words if not word.allowed]
    role = f"You are {report.role}" if report.role else "You have no role here"
    if problems:
        known = f"You are {report.role} at least" if report.role else "Your role is not known now"
        role = f"{known}: Slack does not answer"
    parts: list[Part] = [paragraph([bold(f"{role}. What you may type:")], *_lines(may, command))]
    for name in Role:
        words = [word for word in may_not if word.role == name]
        if words:
            parts.append(
                paragraph(
                    [bold(f"It takes the role {name}:")],
                    *_lines(words, command),
                    _ask(name, holders),
                )
            )
    parts.append(
        paragraph([code(f"{command} help WORD"), " explains one of them, with its options."])
    )
    if problems:
        parts.append(context(*([sentence(problem)] for problem in problems[:5])))
    return pack(parts)


def _option(line: str) -> Line:
    name, colon, about = line.strip().partition(": ")
    return [code(name), f"  {about}"] if colon and name.startswith("--") else [line]


def _lines(words: Sequence[HelpWord], command: str) -> list[Line]:
    return [
        [code(f"{command} {_OPTION.sub('', word.usage)}"), f"  {word.summary}"] for word in words
    ]


def _ask(role: Role, holders: Holders) -> Line:
    people = name_people(*holders(role))
    if not people:
        return [f"Nobody holds it; CHATBOT_ROLES can grant {role}."]
    return ["Ask ", *people, "."]
