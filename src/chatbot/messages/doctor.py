"""`doctor`: what is wrong, the worst first, each with its fix; passed checks are only counted."""

from __future__ import annotations

import re
from collections import Counter

from chatbot.messages.message import Message, Messages
from chatbot.messages.packer import pack_pages
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
    when,
)
from chatbot.messages.words import count, cut, sentence
from jobs_maint.actions import RunDoctor
from jobs_maint.models import DoctorReport

__all__ = ["MESSAGES", "render_doctor"]

_TITLES = {"error": "Error", "warning": "Warning", "note": "Note"}
_CODE = re.compile(r"`([^`]+)`")


def render_doctor(report: DoctorReport, *, page: int = 1) -> Message:
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
            together.setdefault(same, []).append(finding.check)
    items = [_item(checks, *what) for what, checks in together.items()]
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


def _item(checks: list[str], level: str, text: str, fix: str | None) -> list[Part]:
    names = ", ".join(check.replace("_", " ") for check in checks)
    lines: list[Line] = [
        [bold(f"{_TITLES.get(level, level)}: {cut(names, 200)}")],
        _spell(sentence(text)),
    ]
    if fix:
        lines.append([bold("Fix: "), *_spell(fix)])
    return [divider(), paragraph(*lines)]


def _spell(text: str) -> list[Span | str]:
    """A sentence; text in backticks becomes code that one can paste."""
    spans: list[Span | str] = []
    end = 0
    text = cut(text, 900)
    for found in _CODE.finditer(text):
        spans += [text[end : found.start()], code(found[1])]
        end = found.end()
    return [*spans, text[end:]]


MESSAGES: Messages = {DoctorReport: lambda report, wanted: render_doctor(report, page=wanted.page)}
