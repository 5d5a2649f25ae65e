"""`doctor`: what is wrong, the worst first, each with its fix; passed checks are only counted."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime

from chatbot.messages.message import Message, Messages
from chatbot.messages.packer import pack_pages
from chatbot.messages.parts import (
    Button,
    Line,
    Part,
    Span,
    bold,
    buttons,
    channel,
    code,
    context,
    divider,
    paragraph,
    when,
)
from chatbot.messages.times import spell_times
from chatbot.messages.words import count, cut, sentence
from jobs_maint.actions import RunDoctor
from jobs_maint.errors import InvalidRequest
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.models import DoctorReport

__all__ = ["MESSAGES", "render_doctor"]

_LEVELS = {"error": "Error", "warning": "Warning", "note": "Note"}
_SPANS = re.compile(r"`([^`]+)`|<#([CG][A-Z0-9]+)>", re.ASCII)
"""Code, and what `mention` writes."""


def render_doctor(report: DoctorReport, command: str, *, page: int = 1) -> Message:
    """`command`: what a fix names is typed here, where Slack knows that word."""
    levels = Counter[str](finding.level for finding in report.findings)
    head = [
        paragraph(*_headline(levels)),
        context(["as of ", when(report.as_of, report.as_of)]),
        buttons(Button("Check again", RunDoctor().words(), refresh=True)),
    ]
    # Checks that say the same are shown together.
    together: dict[tuple[str, str, str | None], list[str]] = {}
    for finding in report.findings:
        if finding.level != "ok":
            same = (finding.level, finding.sentence, finding.fix)
            headings = together.setdefault(same, [])
            if finding.heading not in headings:
                headings.append(finding.heading)
    items = [
        _item(
            headings,
            level,
            _spell(sentence(text), report.as_of, command),
            _spell(fix, report.as_of, command),
        )
        for (level, text, fix), headings in together.items()
    ]
    return pack_pages(
        head,
        items,
        page=page,
        total=len(items),
        noun="findings",
        more=lambda _needed: RunDoctor().words(),
    )


def _headline(levels: Counter[str]) -> list[Line]:
    fine = f"{count(levels['ok'], 'check is', 'checks are')} fine."
    errors, warnings, notes = (levels[level] for level in ("error", "warning", "note"))
    if not errors and not warnings:
        small = f" {count(notes, 'note')}." if notes else ""
        return [["🟢 ", bold("The set-up is sound.")], [f"{fine}{small}"]]
    parts = [count(errors, "error")] if errors else []
    parts += [count(warnings, "warning")] if warnings else []
    broken = "The set-up is broken" if errors else "The set-up works, but"
    verdict = f"{broken}: {', '.join(parts)}." if errors else f"{broken} there is a warning."
    if not errors and warnings > 1:
        verdict = f"{broken} there are {count(warnings, 'warning')}."
    more = f" {count(notes, 'note')}." if notes else ""
    return [["🔴 " if errors else "🟡 ", bold(verdict)], [f"{fine}{more}"]]


def _item(headings: list[str], level: str, told: Line, fix: Line) -> list[Part]:
    title = f"{_LEVELS.get(level, level)}: {cut(', '.join(headings), 200)}"
    lines: list[Line] = [[bold(title)], told]
    if fix:
        lines.append([bold("Fix: "), *fix])
    return [divider(), paragraph(*lines)]


def _spell(text: str | None, now: datetime, command: str) -> Line:
    """A sentence: times are the reader's, and text in backticks is code that one can paste.

    A channel is told by its name.
    """
    spans: list[Span | str] = []
    end = 0
    text = cut(text or "", 900)
    for found in _SPANS.finditer(text):
        spans += spell_times(text[end : found.start()], now)
        spans.append(code(_say_here(found[1], command)) if found[1] else channel(found[2]))
        end = found.end()
    return [*spans, *spell_times(text[end:], now)] if text else []


def _say_here(line: str, command: str) -> str:
    """`jobs-maint rescue` → `/jobs rescue`; what only the shell knows stays as it is."""
    tool, _, words = line.partition(" ")
    if tool != "jobs-maint":
        return line
    try:
        parse_words(split_text(words), "slack")
    except InvalidRequest:
        return line
    return f"{command} {words}"


MESSAGES: Messages = {
    DoctorReport: lambda report, wanted: render_doctor(report, wanted.command, page=wanted.page)
}
