"""The failure summary of one window: the verdict compares with the window before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from chatbot.messages.act_words import one_line
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
from chatbot.messages.words import DOTS, count, cut, name_queue, say_change, say_span, short_task
from jobs_maint.actions import ListErrors, ShowStats, plain_name
from jobs_maint.durations import format_age
from jobs_maint.models import DigestReport, ErrorGroup, QueueStats
from jobs_maint.render import (
    judge_failures,
    say_coverage,
    say_expiring,
    say_incident,
    say_person,
    say_state,
)

__all__ = ["MESSAGES", "is_quiet", "list_errors_of", "render_digest"]

BEHIND = 300.0
IN_A_BLOCK = 10
MOST_IN_CHANNEL = 3
"""Groups in a message that has all of them in its thread."""
MOST_INCIDENTS = 3


def render_digest(
    report: DigestReport,
    command: str,
    runbooks: Runbooks = NO_RUNBOOKS,
    *,
    has_thread: bool = False,
) -> Message:
    """`has_thread`: only what cannot wait; `render_thread` has the rest."""
    span, before = say_span((report.until - report.since).total_seconds())
    lines: list[Line] = [[f"{_dot(report)} ", bold(_verdict(report, span, before))]]
    lines += [[line] for line in _second_lines(report)]
    head = [paragraph(*lines)]
    if chart := draw_failures(report):
        head.append(chart)
    there = [group for group in report.groups if group.count]
    shown = there
    if has_thread and len(there) + report.groups_not_shown > MOST_IN_CHANNEL + 1:
        shown = there[:MOST_IN_CHANNEL]  # a line for one more group would be no shorter
    tail = [buttons(*_clicks(report, shown, runbooks)), _context(report, has_thread=has_thread)]
    groups = [
        _group(group, error, before) for group, error in zip(shown, name_errors(shown), strict=True)
    ]
    if has_thread:
        if len(there) > len(shown) or report.groups_not_shown:
            groups.append(_others(report, there, shown))
        return pack(head, [[paragraph(*groups)]] if groups else [], tail=tail)
    # Lines in one block are close together; what does not fit is left out block by block.
    items = [[paragraph(*groups[i : i + IN_A_BLOCK])] for i in range(0, len(groups), IN_A_BLOCK)]
    beyond = 1 if report.groups_not_shown else 0

    def more(left: int) -> Part:
        seen = IN_A_BLOCK * (len(items) + beyond - left)
        number, failures = _count_others(report, there, there[:seen])
        counted = f"{count(number, 'more group')}, {count(failures, 'failure')}, not shown"
        words = replace(list_errors_of(report), limit=100).words()
        return context([f"{counted} · ", code(f"{command} {words}")])

    return pack(head, items, more, tail, beyond=beyond)


def is_quiet(report: DigestReport) -> bool:
    """Whether there is no news: nothing failed, no queue is behind, and nothing was wrong."""
    return not report.failed and not _late(report.queues) and not report.incidents


def list_errors_of(report: DigestReport) -> ListErrors:
    """The request whose answer holds the groups of the digest, and no others."""
    queues = report.only_queues
    one = plain_name(queues[0]) if queues and len(queues) == 1 else report.queue
    return ListErrors(
        one,
        since=report.until - report.since,
        until=report.until,
        queues=queues if one is None else None,
        tasks=report.only_tasks,
    )


def _dot(report: DigestReport) -> str:
    if any(one.resolved_at is None or one.resolved_at > report.until for one in report.incidents):
        return "🔴"  # as its own message is
    level = judge_failures(report.failed, report.succeeded)
    if level == "green" and (_late(report.queues) or report.incidents):
        level = "yellow"
    return DOTS[level]


def _verdict(report: DigestReport, span: str, before: str) -> str:
    queues = report.only_queues or ((report.queue,) if report.queue is not None else None)
    late, covered = _late(report.queues), say_coverage(queues, report.only_tasks)
    if late and not report.failed:
        return f"{_say_late(late)}; no job{covered} failed in the last {span}."
    failed = f"{count(report.failed, 'failure')}{covered}"
    if not report.failed:
        failed = f"No job{covered} failed"
    change = say_change(report.failed, report.failed_before, before)
    return f"{failed} in the last {span}, {change}."


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
    done = count(report.succeeded, "job") if report.succeeded else "No job"
    parts.append(f"{done} succeeded.")
    if report.retrying:
        parts.append(f"{count(report.retrying, 'attempt')} failed and were retried.")
    lines = [" ".join(parts)]
    there = report.incidents[:MOST_INCIDENTS]
    lines += [f"Incident {say_incident(one, report.until)}." for one in there]
    if left := len(report.incidents) - len(there):
        lines.append(f"{count(left, 'more incident')}.")
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
    line += _trend(group, before)
    if group.taken_by is not None:
        line.append(f", {one_line(say_person(group.taken_by), 60)} is on it")
    if group.muted_until is not None or group.muted_above is not None:
        line.append(", muted")
    return line


def _trend(group: ErrorGroup, before: str) -> list[Span | str]:
    said = say_state(group)
    if group.state in {"new", "regressed"}:
        return [", ", bold(said)]
    if group.count == group.count_before:
        return [f", same as {before}"]
    return [f", {f'{said}, ' if said else ''}was {group.count_before:,}"]


def _count_others(
    report: DigestReport, there: Sequence[ErrorGroup], shown: Sequence[ErrorGroup]
) -> tuple[int, int]:
    """Groups and failures beside those that are shown."""
    groups = len(there) - len(shown) + report.groups_not_shown
    return groups, report.failed - sum(group.count for group in shown)


def _others(report: DigestReport, there: Sequence[ErrorGroup], shown: Sequence[ErrorGroup]) -> Line:
    groups, failures = _count_others(report, there, shown)
    new = report.new_groups - sum(1 for group in shown if group.state == "new")
    line: list[Span | str] = [bold(f"{failures:,}"), f"  in {count(groups, 'more group')}"]
    return [*line, f", {new:,} of them ", bold("new")] if new > 0 else line


def _clicks(report: DigestReport, shown: Sequence[ErrorGroup], runbooks: Runbooks) -> list[Button]:
    row = []
    if report.failed:
        label = f"Show {count(report.failed, 'failure')}"
        row.append(Button(label, list_errors_of(report).words()))
    if late := _late(report.queues):
        row.append(Button(f"Show {name_queue(late[0].queue)}", ShowStats(late[0].queue).words()))
    return [*row, *link_runbooks(runbooks, [group.task for group in shown])]


def _context(report: DigestReport, *, has_thread: bool) -> Part:
    since, until = report.since, report.until
    exact = until - since < timedelta(minutes=5)
    # Each seen from the other: of a day both have a date, or they would read alike.
    times = when(since, until, seconds=exact), when(until, since, seconds=exact)
    line: list[Span | str] = [times[0], " to ", times[1]]
    lines: list[Line] = [line]
    if has_thread:
        line.append(f" · {'groups, ' * bool(report.groups)}queues and maintenance in the thread")
    else:
        line.append(f" · {say_maintenance(report)}")
        if report.expiring is not None and report.expiring.jobs:
            lines.append([say_expiring(report.expiring)])
    if report.limited_to_queues is not None:
        names = ", ".join(name_queue(queue) for queue in report.limited_to_queues[:20])
        lines.append([cut(f"only queues that your role reaches: {names}", 300)])
    return context(*lines)


def say_maintenance(report: DigestReport) -> str:
    """`12,044 finished jobs purged · none rescued`."""
    purged = f"{count(report.purged, 'finished job')} purged" if report.purged else "none purged"
    back = f"{report.put_back:,} rescued from dead workers" if report.put_back else "none rescued"
    return back if report.purged is None else f"{purged} · {back}"


MESSAGES: Messages = {
    DigestReport: lambda report, wanted: render_digest(report, wanted.command, wanted.runbooks)
}
