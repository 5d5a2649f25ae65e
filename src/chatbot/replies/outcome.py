"""What an act on a set did, or why it was not done: it takes the place of the preview."""

from __future__ import annotations

import re

from chatbot.replies.acts import (
    NEW_PREVIEW,
    PREVIEW_REST,
    grey,
    name_queues,
    one_line,
    read_asked,
    say_done,
    tell_remain,
    tell_skips,
    typed,
    undo_request,
)
from chatbot.replies.message import Message
from chatbot.replies.packer import pack
from chatbot.replies.parts import (
    Button,
    Line,
    Part,
    bold,
    buttons,
    code,
    context,
    paragraph,
    user,
    when,
)
from chatbot.replies.words import count, cut
from jobs_maint.durations import format_age
from jobs_maint.models import BulkReport, PurgeReport

__all__ = ["render_bulk", "render_dropped", "render_purge", "render_too_late"]

_UNDONE = {"cancel", "discard"}


def render_bulk(report: BulkReport, command: str, *, by: str, why_stopped: str = "") -> Message:
    """`why_stopped`: a phrase, such as `the bot is shutting down`."""
    asked = read_asked(report.words)
    where = name_queues(report.queues, asked)
    lines: list[Line] = [_verdict(report, where, say_done(report.verb, asked), by)]
    lines += tell_skips(report.skips, "skipped")
    lines += tell_skips(report.failures, "failed")
    lines += tell_skips(report.left_out, "left out")
    if report.stopped:
        lines.append([f"{_stopped(why_stopped)}: {_not_looked_at(report.left)}."])
    if report.remain:
        lines.append(tell_remain(report.remain, report.requested))
    there = []
    if report.stopped or report.remain:
        there.append(Button(PREVIEW_REST, report.words, "primary"))
    if report.done and report.verb in _UNDONE:
        there.append(undo_request(report.audit_id, report.done))
    parts: list[Part] = [paragraph(*lines), buttons(*there)]
    if report.done and report.verb == "retry" and (follow := _follow(report.queues)):
        parts.append(context([code(f"{command} {follow}"), " follows them"]))
    return pack([*parts, typed(command, report.words, f"request {report.audit_id}")])


def _verdict(report: BulkReport, where: str, done: str, by: str) -> Line:
    if not report.done:
        whole = f"No job{where} was {say_done(report.verb)}."
        return ["🟡 ", bold(whole), " Asked by ", user(by), "."]
    dot = "🟡 " if report.failures or report.stopped else "✅ "
    took = format_age(report.elapsed_seconds)
    return [
        dot,
        bold(f"{count(report.done, 'job')}{where} {done}"),
        " by ",
        user(by),
        f" in {took}.",
    ]


def _not_looked_at(left: int) -> str:
    return f"{count(left, 'job')} {'was' if left == 1 else 'were'} not looked at"


def _stopped(why: str) -> str:
    return f"Stopped ({one_line(why, 200).rstrip('.')})" if why.strip() else "Stopped"


def _follow(queues: tuple[str, ...]) -> str:
    queue = queues[0] if len(queues) == 1 else ""
    plain = re.fullmatch(r"\w[\w.-]{0,59}", queue, re.ASCII)
    return f"stats {queue}" if plain else "stats"


def render_purge(
    report: PurgeReport, command: str, *, by: str, why_stopped: str = "", words: str = ""
) -> Message:
    """`words`: what was confirmed, for the way on with the rest."""
    lines: list[Line] = [_purge_verdict(report, by)]
    by_status = [
        f"{number:,} {one_line(status)}" for status, number in report.deleted.items() if number
    ]
    if by_status:
        lines.append([f"{', '.join(by_status[:10])}."])
    if not report.finished:
        lines.append([f"{_stopped(why_stopped)} before the end. The same command goes on."])
    if report.oldest_left is not None:
        at = report.oldest_left
        lines.append(["The oldest finished job that is left ended ", when(at, at), "."])
    parts: list[Part] = [paragraph(*lines)]
    if words and not report.finished:
        parts.append(buttons(Button(PREVIEW_REST, words)))
    if words:
        parts.append(typed(command, words))
    return pack(parts)


def _purge_verdict(report: PurgeReport, by: str) -> Line:
    if report.dry_run:
        return [bold(f"{count(report.total, 'job')} would be deleted.")]
    if not report.total:
        return [
            "🟢 " if report.finished else "🟡 ",
            bold("No job was deleted."),
            " Asked by ",
            user(by),
            ".",
        ]
    dot = "✅ " if report.finished else "🟡 "
    took = format_age(report.elapsed_seconds)
    return [dot, bold(f"{count(report.total, 'job')} deleted"), " by ", user(by), f" in {took}."]


def render_dropped(words: str, command: str, *, by: str) -> Message:
    """The one who asked chose not now."""
    asked = code(cut(one_line(f"{command} {words}", 300), 300))
    line: Line = [bold("Not done:"), " ", asked, ". ", user(by), " chose not now."]
    return pack([paragraph(line), buttons(Button(NEW_PREVIEW, words))])


def render_too_late(words: str, command: str, *, used: bool) -> Message:
    """The preview cannot be confirmed any more: its ten minutes are over, or it was `used`."""
    asked = code(cut(one_line(f"{command} {words}", 300), 300))
    if used:
        head = "This preview was confirmed already; it runs once."
        return pack(
            [paragraph(["🟡 ", bold(head)], [asked]), grey(f"{command} audit shows what it did")]
        )
    head = "This preview is older than ten minutes; nothing was changed."
    return pack([paragraph(["🟡 ", bold(head)], [asked]), buttons(Button(NEW_PREVIEW, words))])
