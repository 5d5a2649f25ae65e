"""What a purge deleted; it replaces the preview."""

from __future__ import annotations

from datetime import timedelta

from chatbot.messages.act_words import PREVIEW_REST, one_line, tell_skips, typed
from chatbot.messages.message import Message, Messages
from chatbot.messages.packer import pack
from chatbot.messages.parts import Button, Line, Part, bold, buttons, paragraph, when
from chatbot.messages.people import name_actor
from chatbot.messages.words import count, sentence
from jobs_maint.durations import format_age
from jobs_maint.models import PurgeReport

__all__ = ["MESSAGES", "render_purge"]


def render_purge(
    report: PurgeReport, command: str, *, by: str, why_stopped: str = "", words: str = ""
) -> Message:
    """`words`: what was confirmed, for a button that continues with the rest."""
    lines: list[Line] = [_purge_verdict(report, by)]
    if not report.finished:
        lines.append([*_tell_stop(report, why_stopped), "Run the same command again for the rest."])
    lines += tell_skips((*report.refused, *report.undated), "not deleted")
    by_status = [
        f"{number:,} {one_line(status)}" for status, number in report.deleted.items() if number
    ]
    if by_status:
        lines.append([f"{', '.join(by_status[:10])}."])
    if report.oldest_left is not None:
        at = report.oldest_left
        date = when(at, at + timedelta(days=2))
        lines.append(["The oldest remaining finished job ended ", date, "."])
    parts: list[Part] = [paragraph(*lines)]
    if words and not report.finished:
        parts.append(buttons(Button(PREVIEW_REST, words, "primary")))
    if words:
        parts.append(typed(command, words))
    return pack(parts)


def _tell_stop(report: PurgeReport, why_stopped: str) -> Line:
    if report.stopped_by:
        return ["Stopped by ", name_actor(report.stopped_by), ". "]
    return [f"{sentence(one_line(why_stopped, 200))} "] if why_stopped else []


def _purge_verdict(report: PurgeReport, by: str) -> Line:
    if report.dry_run:
        return [bold(f"{count(report.total, 'job')} would be deleted.")]
    if not report.total:
        return [
            "🟢 " if report.finished and not report.kept else "🟡 ",
            bold("No job was deleted."),
            " Requested by ",
            name_actor(by),
            ".",
        ]
    dot = "✅ " if report.finished and not report.kept else "🟡 "
    took = format_age(report.elapsed_seconds)
    deleted = f"{'' if report.finished else 'Stopped: '}{count(report.total, 'job')} deleted"
    return [dot, bold(deleted), " by ", name_actor(by), f" in {took}."]


MESSAGES: Messages = {
    PurgeReport: lambda report, wanted: render_purge(report, wanted.command, by=wanted.by),
}
