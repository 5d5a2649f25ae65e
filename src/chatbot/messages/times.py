"""Sentences that others wrote: times as the reader's own clock shows them, and code as code."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from chatbot.messages.parts import Line, Span, code, when

__all__ = ["spell_times"]

_CODE = re.compile(r"`([^`\n]{1,200})`")
_TIME = re.compile(r"\b(\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?) UTC\b", re.ASCII)


def spell_times(text: str, now: datetime | None = None, *, seconds: bool = False) -> Line:
    """`beat at 2026-11-23 11:44:10 UTC` → `beat at 11:44`; without `now`, always with its day."""
    spans: list[Span | str] = []
    end = 0
    for found in _TIME.finditer(text):
        try:
            at = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
        except ValueError:  # the 31st of February
            continue
        shown = when(at, now or at + timedelta(days=2), seconds=seconds)
        spans += [*_spell_code(text[end : found.start()]), shown]
        end = found.end()
    return [*spans, *_spell_code(text[end:])]


def _spell_code(text: str) -> list[Span | str]:
    parts = _CODE.split(text)
    return [code(part) if at % 2 else part for at, part in enumerate(parts) if part or not at]
