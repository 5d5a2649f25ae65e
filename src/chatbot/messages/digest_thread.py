"""What stands in the thread of a digest: every group in full, the queues, what maintenance did."""

from __future__ import annotations

from dataclasses import fields, replace

from chatbot.messages.digest import list_errors_of, name_ends, say_maintenance
from chatbot.messages.group_names import name_errors
from chatbot.messages.groups import render_group
from chatbot.messages.message import Message
from chatbot.messages.packer import cut_pages, pack
from chatbot.messages.parts import Line, Part, Span, bold, code, context, paragraph, when
from chatbot.messages.runbooks import NO_RUNBOOKS, Runbooks
from chatbot.messages.stats import draw_queues
from chatbot.messages.words import count, say_span, short_task
from jobs_maint.models import DigestReport, ErrorGroup, ErrorsReport, Standing, count_reasons
from jobs_maint.render import say_expiring, sort_queues

__all__ = ["render_thread"]

PER_MESSAGE = 8
MOST_GONE = 10
MOST_QUEUES = 40


def render_thread(
    report: DigestReport, command: str, runbooks: Runbooks = NO_RUNBOOKS
) -> list[Message]:
    there = [group for group in report.groups if group.count]
    return [*_render_groups(report, there, runbooks), _render_rest(report, command)]


def _render_groups(
    report: DigestReport, there: list[ErrorGroup], runbooks: Runbooks
) -> list[Message]:
    asked = list_errors_of(report)
    as_errors = ErrorsReport(
        as_of=report.until,
        since_seconds=asked.since.total_seconds(),
        queue=asked.queue,
        groups=report.groups,
        failed=report.failed,
        failed_before=report.failed_before,
        groups_not_shown=report.groups_not_shown,
        failures_not_shown=report.failures_not_shown,
        reasons=count_reasons(report.groups),
        until=report.until,
        queues=asked.queues,
        tasks=asked.tasks,
        **{one.name: getattr(report, one.name) for one in fields(Standing)},
    )
    before = say_span(as_errors.since_seconds)[1]
    items = [render_group(one, as_errors, before, runbooks, with_buttons=True) for one in there]
    pages = cut_pages(items, items, PER_MESSAGE) if items else []
    # A line above the first would divide nothing.
    return [pack([], [items[page.start][1:], *items[page.start + 1 : page.stop]]) for page in pages]


def _list_others(report: DigestReport, command: str) -> list[Part]:
    """The groups that are not shown, and those that are gone."""
    before = say_span((report.until - report.since).total_seconds())[1]
    parts = []
    if report.groups_not_shown:
        groups = count(report.groups_not_shown, "more group")
        failures = count(report.failures_not_shown, "failure")
        words = replace(list_errors_of(report), limit=100).words()
        parts.append(context([f"{groups}, {failures}, not shown · ", code(f"{command} {words}")]))
    gone = [group for group in report.groups if not group.count]
    lines: list[Line] = [
        [f"{short_task(one.task)}  {error}, was {one.count_before:,}"]
        for one, error in zip(gone[:MOST_GONE], name_errors(gone)[:MOST_GONE], strict=True)
    ]
    if more := max(len(gone) - MOST_GONE, 0) + report.gone_not_shown:
        counted = f"{more:,} more" if lines else count(more, "group")
        lines.append([f"and {counted}" if lines else counted])
    if lines:
        parts.append(paragraph([bold(f"Gone since {before}")], *lines))
    return parts


def _render_rest(report: DigestReport, command: str) -> Message:
    facts: list[Line] = [[bold("Maintenance"), f": {say_maintenance(report)}."]]
    if report.expiring is not None and report.expiring.jobs:
        facts.append([say_expiring(report.expiring)])
    notes: list[Span | str] = []
    _, end = name_ends(report)
    if report.failed and report.queues:
        # A window ends before it is told, so that its last failures are stored.
        notes += ["the digest ends ", when(end, report.until), ", the table a bit later"]
    else:
        notes += ["as of ", when(end, report.until)]
    for run in report.maintenance:
        notes += [f" · last {run.word} ", when(run.finished_at, report.until)]
        notes += [] if run.succeeded else [" failed"]
    queues = sort_queues(report.queues)
    parts = [*_list_others(report, command), paragraph(*facts), context(notes)]
    if len(queues) > MOST_QUEUES:
        parts.append(context([f"the {MOST_QUEUES} worst of {len(queues)} queues"]))
    if queues:
        parts.append(draw_queues(queues[:MOST_QUEUES], report.estimated, deleting=report.deletes))
    return pack(parts)
