"""What an act on a set did, or why it was not done; it replaces the preview."""

from __future__ import annotations

from chatbot.messages.act_words import (
    NEW_PREVIEW,
    PREVIEW_REST,
    Asked,
    list_ids,
    name_queues,
    one_line,
    read_asked,
    say_changed,
    tell_remain,
    tell_skips,
    tell_why,
    typed,
    undo_request,
)
from chatbot.messages.aftermath import judge_aftermath, offer_again, tell_aftermath
from chatbot.messages.message import Message, Messages
from chatbot.messages.packer import pack
from chatbot.messages.parts import (
    Button,
    Line,
    Part,
    bold,
    buttons,
    code,
    context,
    paragraph,
    when,
)
from chatbot.messages.people import name_actor
from chatbot.messages.times import spell_times
from chatbot.messages.words import count, sentence
from jobs_maint.actions import ShowStats
from jobs_maint.durations import format_age
from jobs_maint.models import Aftermath, BulkReport, Loss, SkipGroup
from jobs_maint.verbs import RESCUED, find_verb

__all__ = ["MESSAGES", "render_bulk", "render_dropped", "render_too_late"]


def render_bulk(
    report: BulkReport,
    command: str,
    *,
    by: str,
    why_stopped: str = "",
    after: Aftermath | None = None,
) -> Message:
    """`why_stopped`: a phrase, such as `the bot is shutting down`.

    `after`: what has become of the retried jobs since.
    """
    asked = read_asked(report.words)
    lines: list[Line] = [_verdict(report, asked, by)]
    if after is not None:
        lines = [_verdict_after(report, asked, by, after)]
    if report.stopped:
        lines += _tell_stop(report, asked, why_stopped, after)
    lines += _became(report, asked)
    lines += tell_skips(report.skips, "skipped")
    lines += tell_skips(report.failures, "failed")
    lines += tell_skips(report.left_out, "left out")
    if report.remain:
        lines.append(tell_remain(report.remain, report.requested))
    if len(lines) == 2 and after is None:
        lines = [[*lines[0], " ", *lines[1]]]
    lines += _tell_next(report, after)
    there = _offer(report, after)
    parts: list[Part] = [paragraph(*lines)]
    if after is not None:
        there += offer_again(after, report.audit_id)
    elif report.done and report.verb in {"retry", "rescue"} and not report.warnings:
        follow = code(f"{command} {_follow(report.queues)}")
        how = "it goes" if report.done == 1 else "they go"
        parts.append(context(["back in the queue · ", follow, f" shows how {how}"]))
    return pack([*parts, buttons(*there), typed(command, report.words, _number(report))])


def _tell_next(report: BulkReport, after: Aftermath | None) -> list[Line]:
    """What comes now of what was retried, and what has failed meanwhile."""
    lines: list[Line] = []
    if after is None:
        lines += [[one_line(warning, 400)] for warning in report.warnings]
    if report.newer:
        lines.append([f"{report.newer:,} more failed since the preview."])
    return lines


def _offer(report: BulkReport, after: Aftermath | None) -> list[Button]:
    there = []
    if report.stopped or report.remain:
        there.append(Button(PREVIEW_REST, report.words, "primary"))
    elif report.newer and not (after and after.failed):
        there.append(Button(f"Preview retry of {report.newer:,}", report.words))
    verb = find_verb(report.verb)
    back = _changed(report, verb.done) if verb.can_undo else 0
    if back:
        there.append(undo_request(report.audit_id, back))
    return there


def _tell_stop(
    report: BulkReport, asked: Asked, why_stopped: str, after: Aftermath | None
) -> list[Line]:
    if after is not None:
        return [[f"Stopped: {_tell_left(report, asked)}."]]
    if report.stopped_by:
        return [["Stopped by ", name_actor(report.stopped_by), "."]]
    return [[sentence(one_line(why_stopped, 200))]] if why_stopped else []


def _number(report: BulkReport) -> str:
    return f"request {report.audit_id}"


def _changed(report: BulkReport, code_: str) -> int:
    """How many became this; all that were done if the report does not say."""
    if not report.became:
        return report.done
    return sum(group.count for group in report.became if group.code == code_)


def _verdict(report: BulkReport, asked: Asked, by: str) -> Line:
    done = find_verb(report.verb).done
    if not report.done and not report.stopped:
        where = name_queues(report.queues, asked)
        return ["🟡 ", bold(f"No job{where} was {done}."), " Requested by ", name_actor(by), "."]
    number = report.done
    if report.verb == "cancel":
        number = _changed(report, "cancelled")
    elif report.verb == "rescue":
        number, done = _changed(report, "put_back"), "put back"
    what = say_changed(report.verb, number, asked, report.queues, done=done, within=report.stopped)
    if report.verb == "cancel" and not number and report.done:
        where = name_queues(report.queues, asked)
        what = f"{count(report.done, 'running job')}{where} asked to abort"
    if report.stopped:
        left = _tell_left(report, asked)
        return ["🟡 ", bold(f"Stopped: {what}"), " by ", name_actor(by), f", {left}."]
    ended = report.verb == "rescue" and number < report.done
    dot = "🟡 " if ended or report.failures else "✅ "
    return [dot, bold(what), " by ", name_actor(by), f" in {format_age(report.elapsed_seconds)}."]


def _verdict_after(report: BulkReport, asked: Asked, by: str, after: Aftermath) -> Line:
    what = say_changed(report.verb, report.done, asked, report.queues)
    dot = judge_aftermath(after)
    if dot.startswith("✅") and (report.failures or report.stopped):
        dot = "🟡 "
    as_of = when(after.as_of, after.as_of)
    what = f"{what}: {tell_aftermath(after)}."
    return [dot, bold(what), " Requested by ", name_actor(by), ", as of ", as_of, "."]


def _tell_left(report: BulkReport, asked: Asked) -> str:
    """`18,000 still wait`: what is so of the jobs that were not looked at."""
    one, left = report.left == 1, f"{report.left:,}"
    if report.verb == "cancel" and not asked.running and not asked.job_ids:
        return f"{left} still {'waits' if one else 'wait'}"
    if report.verb in {"retry", "discard"} and asked.status:
        return f"{left} {'stays' if one else 'stay'} {asked.status}"
    return f"{left} {'was' if one else 'were'} not looked at"


def _became(report: BulkReport, to: Asked) -> list[Line]:
    """Those of the changed jobs that the verdict does not count."""
    if report.verb == "cancel":
        asked = sum(group.count for group in report.became if group.code == "abort_requested")
        if not asked or asked == report.done:
            return []
        if asked == 1:
            runs = "is running" if to.running or to.job_ids else "had started by then"
            return [[f"1 more {runs}; its worker was asked to abort it."]]
        runs = "are running" if to.running or to.job_ids else "had started by then"
        return [[f"{asked:,} more {runs}; their workers were asked to abort them."]]
    if report.verb != "rescue":
        return []
    ended = [group for group in report.became if group.code != "put_back"]
    return [spell_times(_ended(group)) for group in ended]


def _ended(group: SkipGroup) -> str:
    """`1 failed for good (job 13): it was put back 3 times already.`; one job in full."""
    became = f"{group.count:,} {RESCUED.get(group.code) or one_line(group.code)}"
    lost = Loss.read(group.reason)
    if group.count > 1 or not group.reason:
        return f"{became}{list_ids(group)}."
    return tell_why(group, became, one_line(lost.then or lost.who, 300).rstrip("."))


def _follow(queues: tuple[str, ...]) -> str:
    queue = queues[0] if len(queues) == 1 and len(queues[0]) < 60 else None
    return ShowStats(queue).words()


def render_dropped(words: str, command: str, *, by: str) -> Message:
    """The person who asked pressed “Not now”."""
    asked = code(one_line(f"{command} {words}", 300))
    line: Line = [bold("Nothing was changed."), " Dismissed by ", name_actor(by), "."]
    return pack([paragraph(line, [asked]), buttons(Button(NEW_PREVIEW, words))])


def render_too_late(words: str, command: str, *, why: str) -> Message:
    """The preview cannot be confirmed any more: its ten minutes are over, or it was `replaced`."""
    asked: Line = [code(one_line(f"{command} {words}", 300))]
    if why == "replaced":
        head = "Replaced by a newer preview."
        return pack([paragraph(["🟡 ", bold(head), " This one changed nothing."], asked)])
    head = "This preview is older than ten minutes; nothing was changed."
    return pack([paragraph(["🟡 ", bold(head)], asked), buttons(Button(NEW_PREVIEW, words))])


MESSAGES: Messages = {
    BulkReport: lambda report, wanted: render_bulk(report, wanted.command, by=wanted.by),
}
