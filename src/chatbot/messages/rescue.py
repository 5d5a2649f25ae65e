"""What one pass of the rescue did: how many jobs went back, and what became of the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from chatbot.messages.act_words import one_line
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
    context,
    paragraph,
)
from chatbot.messages.people import name_actor
from chatbot.messages.times import spell_times
from chatbot.messages.words import count, cut, name_queue, short_task
from jobs_maint.actions import GetJob, ListStuck
from jobs_maint.durations import format_age
from jobs_maint.models import ItemOutcome, ItemResult, Loss, RescueReport, say_acts, say_held

__all__ = ["MESSAGES", "render_rescue"]

_BECAME = {"failed": "failed for good", "aborted": "aborted", "put_back": "put back"}
"""What became of a job; in this order, after those that could not be changed."""
MOST_IDS = 10


def render_rescue(report: RescueReport, command: str, *, by: str) -> Message:
    items = report.items
    clicks = (
        [Button("Show stuck jobs", ListStuck().words())] if report.suspects or report.held else []
    )
    if len(items) == 1:
        clicks.insert(0, Button("Details", GetJob(items[0].job_id).words()))
    head: list[Part] = [paragraph(*_headline(report, by))]

    def more(left: int) -> Part:
        line: Line = [
            f"{count(left, 'more reason')} not shown · ",
            code(f"{command} audit --since 1h"),
            " (for admins)",
        ]
        return context(line)

    tail = [buttons(*clicks)] if clicks else []
    return pack(head, [[_tell(alike)] for alike in _group(items)], more, tail)


def _headline(report: RescueReport, by: str) -> list[Line]:
    items = report.items
    left = report.suspects
    waits = ""
    if left:
        has = "has" if left == 1 else "have"
        other = "other job" if items else "job"
        waits = f"{count(left, other)} {has} no live worker."
        if report.acts_in_seconds is not None:
            acts = say_acts(report.acts_in_seconds, report.acts_on_jobs, left)
            waits = f"{waits[:-1]}; {acts}."
        elif report.rescue_idle:
            due = "is not due yet" if left == 1 else "are not due yet"
            waits = f"{waits[:-1]}, but {due}. {report.say_unacted()}"
    if report.held:
        waits = f"{say_held(len(report.held))} {waits}".rstrip()
    if not items:
        return [
            ["🟡 ", bold("No job was rescued.")]
            if report.held or report.waits_for_beat
            else ["🟢 ", bold("No job needed a rescue.")],
            [waits or "No running job is without a live worker."],
        ]
    counts = report.counts
    broken = [item for item in items if item.outcome is not ItemOutcome.DONE]
    back = counts.get("put_back", 0)
    ended = [f"{counts[key]:,} {_BECAME[key]}" for key in ("failed", "aborted") if counts.get(key)]
    whole = not broken and not counts.get("failed")
    one = f"Job {items[0].job_id}" if len(items) == 1 else ""
    if one and ended:
        what = f"{one} {ended[0].partition(' ')[2]}"
    else:
        what = ", ".join([f"{one or count(back, 'job') if back else 'No job'} put back", *ended])
    first: Line = ["✅ " if whole else "🟡 ", bold(what), " by ", name_actor(by)]
    first = [*first, f" in {format_age(report.elapsed_seconds)}."]
    second = f"{count(len(broken), 'job')} could not be changed." if broken else ""
    told: list[Line] = [[one_line(warning, 400)] for warning in report.warnings]
    return [first, *told, [" ".join(part for part in (second, waits) if part)]]


def _group(items: Sequence[ItemResult]) -> list[list[ItemResult]]:
    """Jobs with the same result and reason, the worst first."""
    groups: defaultdict[tuple[str | None, ...], list[ItemResult]] = defaultdict(list)
    for item in items:
        groups[item.code, item.task, item.queue, item.reason].append(item)
    order = list(_BECAME)
    return sorted(
        groups.values(),
        key=lambda alike: order.index(alike[0].code) if alike[0].code in _BECAME else -1,
    )


def _tell(alike: Sequence[ItemResult]) -> Part:
    """The task and its jobs, what became of them, and why."""
    item, number = alike[0], len(alike)
    task = short_task(item.task or "a job")
    line: list[Span | str] = [bold(f"{number:,} × {task}" if number > 1 else task)]
    line.append("  jobs" if number > 1 else "  job")
    for one in alike[:MOST_IDS]:
        line += [" ", code(str(one.job_id))]
    if number > MOST_IDS:
        line.append(f" and {number - MOST_IDS:,} more")
    if item.queue:
        line.append(f" · {name_queue(item.queue)}")
    reason = item.reason[:1_000]
    if item.code in _BECAME:
        line.append(f" · {_BECAME[item.code]}")
        reason = Loss.read(reason).say_died()
    return paragraph(line, spell_times(cut(reason or item.code, 300)))


MESSAGES: Messages = {
    RescueReport: lambda report, wanted: render_rescue(report, wanted.command, by=wanted.by)
}
