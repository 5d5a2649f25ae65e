"""`help`: what this person may do, with examples, and whom to ask for the rest."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence

from chatbot.messages.help_roles import is_narrow, say_roles, tell_elsewhere
from chatbot.messages.message import Message
from chatbot.messages.packer import pack
from chatbot.messages.parts import (
    Button,
    Line,
    Part,
    Span,
    bold,
    buttons,
    code,
    context,
    divider,
    paragraph,
)
from chatbot.messages.people import name_people
from chatbot.messages.words import sentence
from jobs_maint.actions import Role
from jobs_maint.grammar import WORDS
from jobs_maint.models import HelpReport, HelpWord

__all__ = ["Holders", "render_help"]

Holders = Callable[[Role, bool], tuple[Sequence[str], Sequence[str]]]
"""Role, on every queue → ids of the users and user groups that hold it."""
_OPTION = re.compile(r" \[--[^\]]*\]")

_CLICKS = (("Show queues", "stats"), ("Show errors", "errors"), ("Show workers", "workers"))


def render_help(
    report: HelpReport, command: str, holders: Holders, problems: Sequence[str] = ()
) -> Message:
    if report.text is not None:
        return _render_word(report, command)
    may = {word.word: word for word in report.words if word.allowed}
    parts: list[Part] = [paragraph(*_headline(report, may, problems))]
    parts.append(buttons(*(Button(label, word) for label, word in _CLICKS if word in may)))
    for title, names in _sections(may):
        lines = [_line(may[name], command) for name in names]
        parts += [divider(), paragraph([bold(title)], *lines)]
    parts += _denied([word for word in report.words if not word.allowed], command, holders)
    notes: list[Line] = [[code(f"{command} help retry"), " explains retry, with its options"]]
    parts.append(context(*notes, *([sentence(problem)] for problem in problems[1:5])))
    return pack(parts)


def _headline(
    report: HelpReport, may: Mapping[str, HelpWord], problems: Sequence[str]
) -> list[Line]:
    held = say_roles(report.roles)
    role = f"Your role is {held}." if held else "You have no role here."
    elsewhere = tell_elsewhere(report.roles)
    if problems:
        role = f"Your role is {held} at least." if held else "Your role is not known now."
        elsewhere = [*elsewhere, [sentence(problems[0])]]
    words = [name for name in may if name != "help"]
    if not words:
        return [[bold(role)], *(elsewhere or [["Nobody is granted anything by default."]])]
    how = "Type these, or press a button. Replace the words in capitals."
    return [[bold(role)], *elsewhere, [how]]


def _sections(may: Mapping[str, HelpWord]) -> list[tuple[str, list[str]]]:
    """The words by what they are for."""
    found: dict[str, list[str]] = {}
    for name in may:
        found.setdefault(WORDS[name].section, []).append(name)
    return [(title, names) for title, names in found.items() if title != "Help"]


def _usage(word: HelpWord) -> str:
    """What is typed, without options: `retry ID…|--all [QUEUE]`."""
    return _OPTION.sub("", word.usage)


def _line(word: HelpWord, command: str) -> Line:
    note = f"; {word.note}" if word.note else ""
    return [code(f"{command} {_usage(word)}"), f"  {WORDS[word.word].short.replace('`', '')}{note}"]


def _denied(denied: Sequence[HelpWord], command: str, holders: Holders) -> list[Part]:
    """By the role that each takes; whom to ask stands once below those with the same people."""
    told: list[list[Line]] = []
    last: Line = []
    for role, whole in itertools.product(Role, (False, True)):
        names: list[Span | str] = []
        for word in denied:
            if (word.role, word.every_queue) == (role, whole):
                more = WORDS[word.word].for_admins
                note = f" ({more} needs admin)" if more and role is not Role.ADMIN else ""
                names += ["  " if names else "", code(f"{command} {_usage(word)}"), note]
        if not names:
            continue
        ask = _ask(role, holders(role, whole))
        if not told or ask != last:
            told.append([])
        where = " on every queue" if whole else ""
        told[-1] = [*told[-1][:-1], [bold(f"Requires the role {role}{where}:")], names, ask]
        last = ask
    return [part for lines in told for part in (divider(), paragraph(*lines))]


def _ask(role: Role, holders: tuple[Sequence[str], Sequence[str]]) -> Line:
    people = name_people(*holders)
    if not people:
        return [f"Nobody holds it here; CHATBOT_ROLES can grant {role}."]
    return ["Ask ", *people, "."]


def _render_word(report: HelpReport, command: str) -> Message:
    first, _, rest = (report.text or "").partition("\n")
    about, *options = rest.splitlines() or [""]
    options = [line for line in options if not line.strip().startswith("--help")]
    name = report.word or ""
    lines: list[Line] = [[bold(sentence(about))], [code(f"{command} {_OPTION.sub('', first)}")]]
    examples = WORDS[name].examples if name in WORDS else ()
    parts: list[Part] = [paragraph(*lines)]
    if examples:
        shown: list[Line] = [[code(f"{command} {example}")] for example in examples]
        parts.append(paragraph(["For example"], *shown))
    if options:
        parts += [divider(), paragraph([bold("Options")], *(_option(line) for line in options))]
    word = next((one for one in report.words if one.word == name), None)
    if word is not None and word.note:
        parts.append(context([word.note]))
    if word is not None and word.role and word.allowed and is_narrow(report.roles):
        parts.append(context([f"Your role is {say_roles(report.roles)}."]))
    if word is not None and not word.allowed:
        where = " on every queue" if word.every_queue else ""
        parts.append(context([f"requires the role {word.role}{where}, which you do not have here"]))
    return pack(parts)


def _option(line: str) -> Line:
    name, colon, about = line.strip().partition(": ")
    return [code(name), f"  {about}"] if colon and name.startswith("--") else [line]
