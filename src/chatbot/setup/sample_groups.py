"""Groups of errors with what is remembered of them, as messages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from chatbot.messages import Message
from chatbot.messages.group import say_done
from chatbot.messages.marking import Mark, mark_done
from chatbot.messages.result import render_result
from chatbot.setup.sample_reports import GROUPS, NOW, ago
from jobs_maint.actions import TakeGroup
from jobs_maint.models import ErrorsReport, GroupReport, Report, count_reasons

__all__ = ["messages_of_groups"]

ANA = "slack:U0ANA (ana)"
BACK, RISING, LAST = GROUPS[0], GROUPS[1], GROUPS[3]


def _known() -> ErrorsReport:
    """One is back, one is taken, one is muted."""
    groups = (
        replace(BACK, state="regressed", quiet_seconds=6 * 86_400.0, first_ever_at=ago(30_000)),
        replace(RISING, taken_by=ANA, taken_at=ago(12)),
        replace(LAST, state="ongoing", muted_until=NOW + timedelta(hours=5)),
    )
    return ErrorsReport(NOW, 3600.0, None, groups, 53, 6, 0, 0, count_reasons(groups))


def _taken() -> GroupReport:
    return GroupReport(
        NOW, "taken", BACK.task, BACK.exception_type, BACK.message, 37, NOW, "slack:U0BOB (bob)",
        name=BACK.name, taken_by=ANA, taken_at=NOW,
    )  # fmt: skip


def messages_of_groups() -> Iterator[tuple[str, str, bool, Message]]:
    """Each by its title, with what was typed, and whether only one person sees it."""

    def shown(title: str, typed: str, result: Report) -> tuple[str, str, bool, Message]:
        return title, f"/jobs {typed}", False, render_result(result, "/jobs", by="U0ANA")

    known = shown("errors: known", "errors --since 1h", _known())
    yield known
    words = TakeGroup(BACK.name or "").words()
    used = mark_done(known[3], {words: Mark((say_done(_taken(), "U0ANA", NOW) or (),))})
    yield "errors: one of them taken", known[1], False, used
    yield shown("take", words, _taken())
    dropped = replace(_taken(), done="dropped", taken_by=None, taken_at=None)
    yield shown("take: given back", f"{words} --drop", dropped)
    until = NOW + timedelta(hours=24)
    muted = replace(_taken(), done="muted", before=None, muted_until=until, muted_above=50)
    yield shown("mute", f"mute {BACK.name} --for 24h --above 50/h", muted)
