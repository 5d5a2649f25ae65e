"""What an act on a set did, or why it was not done; it replaces the preview."""

from __future__ import annotations

import re
from datetime import timedelta

from chatbot.messages.act_words import (
    NEW_PREVIEW,
    PREVIEW_REST,
    list_ids,
    name_queues,
    one_line,
    read_asked,
    tell_remain,
    tell_skips,
    tell_why,
    typed,
    undo_request,
)
from chatbot.messages.message import Message, Messages
from chatbot.messages.packer import pack
from chatbot.messages.parts import (
    Button,
    Line,
    Part,
    Span,
    bold,
    buttons,
    code,
    paragraph,
    user,
    when,
)
from chatbot.messages.times import spell_times
from chatbot.messages.words import count
from jobs_maint.durations import format_age
from jobs_maint.models import BulkReport, PurgeReport, SkipGroup
from jobs_maint.verbs import RESCUED, find_verb

__all__ = ["MESSAGES", "render_bulk", "render_dropped", "render_purge", "render_too_late"]


def render_bulk(report: BulkReport, command: str, *, by: str, why_stopped: str = "") -> Message:
    """`why_stopped`: a phrase, such as `the bot is shutting down`."""
    where = name_queues(report.queues, read_asked(report.words))
    lines: list[Line] = [_verdict(report, where, by)]
    if report.stopped:
        lines.append([f"{_stopped(why_stopped)}: {_not_looked_at(report.left)}."])
    lines += _became(report)
    lines += tell_skips(report.skips, "skipped")
    lines += tell_skips(report.failures, "failed")
    lines += tell_skips(report.left_out, "left out")
    if report.remain:
        lines.append(tell_remain(report.remain, report.requested))
    if len(lines) == 2:
        lines = [[*lines[0], " ", *lines[1]]]
    there = []
    if report.stopped or report.remain:
        there.append(Button(PREVIEW_REST, report.words, "primary"))
    verb = find_verb(report.verb)
    back = _changed(report, verb.done) if verb.can_undo else 0
    if back:
        there.append(undo_request(report.audit_id, back))
    about: list[Span | str] = [f"request {report.audit_id}"]
    if report.done and report.verb in {"retry", "rescue"}:
        about += [" · ", code(f"{command} {_follow(report.queues)}"), " shows how they go"]
    return pack([paragraph(*lines), buttons(*there), typed(command, report.words, *about)])


def _changed(report: BulkReport, code_: str) -> int:
    """How many became this; all that were done if the report does not say."""
    if not report.became:
        return report.done
    return sum(group.count for group in report.became if group.code == code_)


def _verdict(report: BulkReport, where: str, by: str) -> Line:
    done = find_verb(report.verb).done
    if not report.done:
        return ["🟡 ", bold(f"No job{where} was {done}."), " Requested by ", user(by), "."]
    number = report.done
    if report.verb == "cancel":
        number = _changed(report, "cancelled")
    elif report.verb == "rescue":
        number, done = _changed(report, "put_back"), "put back"
    what = f"{count(number, 'job') if number else 'No job'}{where} {done}"
    if report.verb == "cancel" and not number:
        what = f"{count(report.done, 'running job')}{where} asked to abort"
    ended = report.verb == "rescue" and number < report.done
    dot = "🟡 " if ended or report.failures or report.stopped else "✅ "
    return [dot, bold(what), " by ", user(by), f" in {format_age(report.elapsed_seconds)}."]


def _became(report: BulkReport) -> list[Line]:
    """Those of the changed jobs that the verdict does not count."""
    if report.verb == "cancel":
        asked = sum(group.count for group in report.became if group.code == "abort_requested")
        if not asked or asked == report.done:
            return []
        if asked == 1:
            return [["1 more is running; its worker was asked to abort it."]]
        return [[f"{asked:,} more are running; their workers were asked to abort them."]]
    if report.verb != "rescue":
        return []
    ended = [group for group in report.became if group.code != "put_back"]
    return [spell_times(_ended(group)) for group in ended]


def _ended(group: SkipGroup) -> str:
    """`1 failed for good (job 13): it was put back 3 times already.`; one job in full."""
    became = f"{group.count:,} {RESCUED.get(group.code) or one_line(group.code)}"
    lost, _, then = group.reason.partition("; ")
    why = one_line(then or lost, 300).rstrip(".") if group.count == 1 and group.reason else ""
    return tell_why(group, became, why) if why else f"{became}{list_ids(group)}."


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
    """`words`: what was confirmed, for a button that continues with the rest."""
    lines: list[Line] = [_purge_verdict(report, by)]
    if not report.finished:
        lines.append(
            [f"{_stopped(why_stopped)} before the end. Run the same command again for the rest."]
        )
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


def _purge_verdict(report: PurgeReport, by: str) -> Line:
    if report.dry_run:
        return [bold(f"{count(report.total, 'job')} would be deleted.")]
    if not report.total:
        return [
            "🟢 " if report.finished and not report.kept else "🟡 ",
            bold("No job was deleted."),
            " Requested by ",
            user(by),
            ".",
        ]
    dot = "✅ " if report.finished and not report.kept else "🟡 "
    took = format_age(report.elapsed_seconds)
    return [dot, bold(f"{count(report.total, 'job')} deleted"), " by ", user(by), f" in {took}."]


def render_dropped(words: str, command: str, *, by: str) -> Message:
    """The person who asked pressed “Not now”."""
    asked = code(one_line(f"{command} {words}", 300))
    line: Line = [bold("Nothing was changed."), " Dismissed by ", user(by), "."]
    return pack([paragraph(line, [asked]), buttons(Button(NEW_PREVIEW, words))])


def render_too_late(words: str, command: str, *, used: bool) -> Message:
    """The preview cannot be confirmed any more: its ten minutes are over, or it was `used`."""
    asked: Line = [code(one_line(f"{command} {words}", 300))]
    if used:
        head = "This preview was already confirmed; it runs only once."
        where = "See the original message for the outcome."
        return pack([paragraph(["🟡 ", bold(head)], [where], asked)])
    head = "This preview is older than ten minutes; nothing was changed."
    return pack([paragraph(["🟡 ", bold(head)], asked), buttons(Button(NEW_PREVIEW, words))])


MESSAGES: Messages = {
    BulkReport: lambda report, wanted: render_bulk(report, wanted.command, by=wanted.by),
    PurgeReport: lambda report, wanted: render_purge(report, wanted.command, by=wanted.by),
}
