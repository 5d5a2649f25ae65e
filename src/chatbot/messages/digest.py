"""The failure summary of one window: the verdict compares with the window before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from chatbot.messages.chart import draw_failures
from chatbot.messages.group_names import name_errors
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
    when,
)
from chatbot.messages.runbooks import NO_RUNBOOKS, Runbooks, link_runbooks
from chatbot.messages.words import count, cut, name_queue, say_change, say_span, short_task
from jobs_maint.actions import ListFailed, plain_name
from jobs_maint.durations import format_age, parse_window
from jobs_maint.models import DigestReport, ErrorGroup, QueueStats
from jobs_maint.render import say_coverage

__all__ = ["MESSAGES", "is_quiet", "render_digest"]

BEHIND = 300.0
IN_A_BLOCK = 10


def render_digest(report: DigestReport, command: str, runbooks: Runbooks = NO_RUNBOOKS) -> Message:
    span, before = say_span((report.until - report.since).total_seconds())
    lines: list[Line] = [[f"{_dot(report)} ", bold(_verdict(report, span, before))]]
    lines += [[line] for line in _second_lines(report)]
    head = [paragraph(*lines)]
    if chart := draw_failures(report):
        head.append(chart)
    tail: list[Part] = []
    listed = _list_them(report)
    if report.failed:
        label = f"Show {count(report.failed, 'failure')}"
        read = link_runbooks(runbooks, [group.task for group in report.groups])
        tail.append(buttons(Button(label, listed.words()), *read))
    tail.append(_context(report))
    errors = name_errors(report.groups)
    groups = [
        _group(group, error, before) for group, error in zip(report.groups, errors, strict=True)
    ]
    # Lines in one block are close together; what does not fit is left out block by block.
    items = [[paragraph(*groups[i : i + IN_A_BLOCK])] for i in range(0, len(groups), IN_A_BLOCK)]
    beyond = 1 if report.groups_not_shown else 0

    def more(left: int) -> Part:
        shown = IN_A_BLOCK * (len(items) + beyond - left)
        hidden = report.groups[shown:]
        failures = sum(group.count for group in hidden) + report.failures_not_shown
        number = len(hidden) + report.groups_not_shown
        counted = f"{count(number, 'more group')}, {count(failures, 'failure')}, not shown"
        words = replace(listed, limit=100).words()
        return context([f"{counted} · ", code(f"{command} {words}")])

    return pack(head, items, more, tail, beyond=beyond)


def is_quiet(report: DigestReport) -> bool:
    """Whether there is no news: nothing failed, and no queue is behind."""
    return not report.failed and not _late(report.queues)


def _list_them(report: DigestReport) -> ListFailed:
    """The request whose answer holds the failures of the digest, and no others."""
    hours = max(1, -int(-(report.until - report.since).total_seconds() // 3_600))
    since = parse_window(f"{hours}h")
    queues = report.only_queues
    one = plain_name(queues[0]) if queues and len(queues) == 1 else report.queue
    return ListFailed(
        one, since=since, queues=queues if one is None else None, tasks=report.only_tasks
    )


def _dot(report: DigestReport) -> str:
    if not report.failed:
        return "🟡" if _late(report.queues) else "🟢"
    worse = report.failed > report.failed_before
    return "🔴" if worse or any(group.trend == "new" for group in report.groups) else "🟡"


def _verdict(report: DigestReport, span: str, before: str) -> str:
    queues = report.only_queues or ((report.queue,) if report.queue is not None else None)
    late = _late(report.queues)
    if late and not report.failed:
        covered = say_coverage(queues, report.only_tasks)
        return f"{_say_late(late)}; no job{covered} failed in the last {span}."
    jobs = count(report.failed, "job") if report.failed else "No job"
    jobs += f"{say_coverage(queues, report.only_tasks)} failed"
    change = say_change(report.failed, report.failed_before, before)
    return f"{jobs} in the last {span}, {change}."


def _late(queues: Sequence[QueueStats]) -> list[QueueStats]:
    late = [queue for queue in queues if (queue.oldest_ready_seconds or 0) >= BEHIND]
    return sorted(late, key=lambda queue: -(queue.oldest_ready_seconds or 0))


def _say_late(late: Sequence[QueueStats]) -> str:
    name, age = name_queue(late[0].queue), format_age(late[0].oldest_ready_seconds or 0)
    others = f", and {count(len(late) - 1, 'more queue')} too" if len(late) > 1 else ""
    return f"{name} is {age} behind{others}"


def _second_lines(report: DigestReport) -> list[str]:
    parts = []
    if report.failed and (late := _late(report.queues)):
        parts.append(f"{_say_late(late)}.")
    parts.append(f"{count(report.succeeded, 'job')} succeeded.")
    if report.retrying:
        parts.append(f"{count(report.retrying, 'attempt')} failed and were retried.")
    lines = [" ".join(parts)]
    if report.truncated_from is not None:
        lost = format_age(report.since - report.truncated_from)
        lines.append(f"The last digest was too long ago: the first {lost} since then are left out.")
    if report.held_since is not None:
        held = format_age(report.until - report.held_since)
        lines.append(
            f"The end of a job has waited for a lock for more than {held}: "
            "if it failed, it is not counted."
        )
    queues, tasks = report.only_queues, report.only_tasks
    if (whole := say_coverage(queues, tasks, 100)) != say_coverage(queues, tasks):
        lines.append(cut(f"It covers jobs{whole}.", 1_000))
    return lines


def _group(group: ErrorGroup, error: str, before: str) -> Line:
    line: list[Span | str] = [bold(f"{group.count:,}"), f"  {short_task(group.task)}  {error}"]
    return [*line, *_trend(group, before)]


def _trend(group: ErrorGroup, before: str) -> list[Span | str]:
    if group.trend == "new":
        return [", ", bold("new")]
    if group.count == group.count_before:
        return [f", same as {before}"]
    return [f", was {group.count_before:,}"]


def _context(report: DigestReport) -> Part:
    now: datetime = report.until
    purged = f"{count(report.purged, 'finished job')} purged" if report.purged else "none purged"
    back = f"{report.put_back:,} rescued from dead workers" if report.put_back else "none rescued"
    exact = report.until - report.since < timedelta(minutes=5)
    times = [when(at, now, seconds=exact) for at in (report.since, report.until)]
    span: list[Span | str] = [times[0], " to ", times[1]]
    told = back if report.purged is None else f"{purged} · {back}"
    lines: list[Line] = [[*span, f" · {told}"]]
    if report.limited_to_queues is not None:
        names = ", ".join(name_queue(queue) for queue in report.limited_to_queues[:20])
        lines.append([cut(f"only queues that your role reaches: {names}", 300)])
    return context(*lines)


MESSAGES: Messages = {
    DigestReport: lambda report, wanted: render_digest(report, wanted.command, wanted.runbooks)
}
