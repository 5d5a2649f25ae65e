"""The failure summary of one window: the verdict compares with the window before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chatbot.messages.act_words import one_line
from chatbot.messages.chart import draw_failures
from chatbot.messages.digest_words import list_late, tell_more, tell_verdict
from chatbot.messages.group_names import name_errors
from chatbot.messages.message import Message, Messages
from chatbot.messages.own import tell_own
from chatbot.messages.packer import pack
from chatbot.messages.parts import (
    WINDOW,
    WITH_SECONDS,
    Button,
    Line,
    Part,
    Span,
    bold,
    buttons,
    code,
    context,
    paragraph,
    tell_span,
    when,
)
from chatbot.messages.runbooks import NO_RUNBOOKS, Runbooks, link_runbooks
from chatbot.messages.words import DOTS, count, name_queue, say_span, short_task
from jobs_maint.actions import ListErrors, ListIncidents, ShowStats, plain_name
from jobs_maint.models import DigestReport, ErrorGroup, end_slots, name_window
from jobs_maint.render import (
    is_news,
    judge_failures,
    judge_incidents,
    say_expiring,
    say_fate,
    say_person,
    say_state,
)

__all__ = ["MESSAGES", "is_quiet", "list_errors_of", "name_ends", "render_digest"]

IN_A_BLOCK = 10
MOST_IN_CHANNEL = 3
"""Groups in a message that has all of them in its thread."""


def render_digest(
    report: DigestReport,
    command: str,
    runbooks: Runbooks = NO_RUNBOOKS,
    *,
    has_thread: bool = False,
) -> Message:
    """`has_thread`: only what cannot wait; `render_thread` has the rest."""
    before = say_span((report.until - report.since).total_seconds())[1]
    verdict: Line = [f"{_dot(report)} ", *tell_verdict(report)]
    head = [paragraph(verdict, *tell_more(report), tell_own(report.own_jobs, command))]
    if chart := draw_failures(report):
        head.append(chart)
    there = [group for group in report.groups if group.count]
    shown = there
    if has_thread and len(there) + report.groups_not_shown > MOST_IN_CHANNEL + 1:
        shown = there[:MOST_IN_CHANNEL]  # a line for one more group would be no shorter
    tail = [buttons(*_clicks(report, shown, runbooks)), _context(report, has_thread=has_thread)]
    groups = [
        _group(group, error, before, report)
        for group, error in zip(shown, name_errors(shown), strict=True)
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


def name_ends(report: DigestReport) -> tuple[datetime, datetime]:
    """Its ends as its chart dates them; those of a short one are told to the second.

    One of five minutes or more that was sent by its cron ends beside the minute that this means.
    """
    since, until = report.since, report.until
    by_cron = end_slots(until) != until
    exact = until - since < WINDOW or (until - since <= WITH_SECONDS and not by_cron)
    return (since, until) if exact else name_window(since, until)


def is_quiet(report: DigestReport) -> bool:
    """Whether there is no news: nothing failed, no queue is behind, and nothing was wrong."""
    wrong = list_late(report.queues) or report.incidents or report.rescue_idle
    return not report.failed and not wrong


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
    open_now = (one for one in report.incidents if one.is_open)
    if report.rescue_idle or judge_incidents(open_now) == "red":
        return "🔴"  # as the message of the incident is
    level = judge_failures(report.failed, report.succeeded, report, news=is_news(report.groups))
    if level == "green" and report.limited_to_queues is not None:
        level = "yellow"
    nobody = report.workers is not None and not report.workers.listening
    if level == "green" and (nobody or list_late(report.queues) or report.incidents):
        level = "yellow"
    return DOTS[level]


def _group(group: ErrorGroup, error: str, before: str, report: DigestReport) -> Line:
    line: list[Span | str] = [bold(f"{group.count:,}"), f"  {short_task(group.task)}  {error}"]
    line += _trend(group, before, report)
    if fate := say_fate(group, report):
        line.append(f", {fate}")
    if group.taken_by is not None:
        line.append(f", {one_line(say_person(group.taken_by), 60)} is on it")
    if group.muted_until is not None or group.muted_above is not None:
        line.append(", muted, so last" if len(report.groups) > 1 else ", muted")
    return line


def _trend(group: ErrorGroup, before: str, report: DigestReport) -> list[Span | str]:
    """What has stopped rises no more; when it did is said once where that is so of all."""
    said, last = say_state(group), group.last_at
    if group.state in {"new", "regressed"}:
        line: list[Span | str] = [", ", bold(said)]
    elif group.count == group.count_before:
        line = [f", same as {before}"]
    elif not group.count_before:
        line = [f", none {before}"]
    else:
        rises = said and not (last and report.has_stopped(last))
        line = [f", {f'{said}, ' if rises else ''}was {group.count_before:,}"]
    all_last = report.last_failed_at
    is_over = last and group.count > 1 and report.has_stopped(last)
    if last and is_over and all_last and not report.has_stopped(all_last):
        line += [", none since ", when(last, report.until)]
    return line


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
    if new <= 0:
        return line
    return [*line, f"; {count(new, 'of these groups is', 'of these groups are')} ", bold("new")]


def _clicks(report: DigestReport, shown: Sequence[ErrorGroup], runbooks: Runbooks) -> list[Button]:
    row = []
    if report.failed:
        label = f"Show {count(report.failed, 'failure')}"
        row.append(Button(label, list_errors_of(report).words()))
    if late := list_late(report.queues):
        label = f"Show queue {name_queue(late[0].queue)}"
        row.append(Button(label, ShowStats(late[0].queue).words()))
    if report.incidents:  # without a number: the list is of all queues, and of then
        since = max(ListIncidents().since, report.until - report.since)
        row.append(Button("Show incidents", ListIncidents(since).words()))
    return [*row, *link_runbooks(runbooks, [group.task for group in shown])]


def _context(report: DigestReport, *, has_thread: bool) -> Part:
    since, until = name_ends(report)
    line: list[Span | str] = tell_span(since, until, until)
    lines: list[Line] = [line]
    if has_thread:
        line.append(f" · {'groups, ' * bool(report.groups)}queues and maintenance in the thread")
    else:
        line.append(f" · {say_maintenance(report)}")
        if report.expiring is not None and report.expiring.jobs:
            lines.append([say_expiring(report.expiring)])
    return context(*lines)


def say_maintenance(report: DigestReport) -> str:
    """`12,044 finished jobs purged · no job rescued`."""
    back = "no job rescued"
    if report.put_back:
        jobs = report.put_back_jobs
        often = f", {report.put_back:,} times" if report.put_back > jobs else ""
        back = f"{count(jobs, 'job')} rescued from dead workers{often}"
    if report.purged is None:
        return back
    purged = count(report.purged, "finished job") if report.purged else "no finished job"
    return f"{purged} purged · {back}"


MESSAGES: Messages = {
    DigestReport: lambda report, wanted: render_digest(report, wanted.command, wanted.runbooks)
}
