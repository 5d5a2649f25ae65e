"""`errors`: how many failed and for how many reasons, then each reason with what to do about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from chatbot.messages.alike import (
    describe_error,
    filter_like,
    is_exact,
    list_like,
    offer_retry,
    say_inexact,
)
from chatbot.messages.errors_headline import tell_errors
from chatbot.messages.group_names import name_errors
from chatbot.messages.message import Message, Messages
from chatbot.messages.own import tell_own
from chatbot.messages.packer import pack_pages
from chatbot.messages.parts import (
    Button,
    Line,
    Part,
    Span,
    bold,
    buttons,
    code,
    context,
    divider,
    paragraph,
    when,
)
from chatbot.messages.remembered import offer_memory, tell_memory
from chatbot.messages.runbooks import NO_RUNBOOKS, Runbooks, offer_runbook
from chatbot.messages.words import (
    count,
    larger_limit,
    say_change,
    say_span,
    short_task,
)
from jobs_maint.actions import GetJob, ListErrors, escape_glob
from jobs_maint.models import LARGEST_LIMIT, ErrorGroup, ErrorsReport
from jobs_maint.render import UNTIL_IN_FUTURE, say_fate, say_state

__all__ = ["MESSAGES", "render_errors", "render_group"]

PER_PAGE = 10
LONGEST_WORDS = 1_500
"""Names longer than this do not fit into a button's value."""
MOST_BUTTONS = 4
WITH_BUTTONS = 5
"""This many of the largest groups on a page have their own buttons."""


def render_errors(
    report: ErrorsReport,
    command: str = "/jobs",
    *,
    page: int = 1,
    runbooks: Runbooks = NO_RUNBOOKS,
) -> Message:
    _, before = say_span(report.since_seconds)
    there = [group for group in report.groups if group.count]
    gone = [group for group in report.groups if not group.count]
    said = tell_errors(report, before)
    head = [paragraph(*said, tell_own(report.own_jobs, command))]
    # A page that is asked for later is still of what is shown here.
    asked = ListErrors(
        report.queue,
        timedelta(seconds=report.since_seconds),
        len(report.groups),
        report.until or report.as_of,
        report.queues,
        report.tasks,
    )
    if report.until is not None and report.until < report.as_of:
        now = ListErrors(asked.queue, asked.since, queues=asked.queues, tasks=asked.tasks)
        head.append(buttons(Button("Show up to now", now.words())))
    if report.until_in_future:
        head.append(context([UNTIL_IN_FUTURE]))
    tail: list[Part] = []
    if gone:
        named = zip(gone, name_errors(gone), strict=True)
        lines: list[Line] = [
            [f"{short_task(one.task)}  {error}, was {one.count_before:,}"] for one, error in named
        ]
        tail += [divider(), paragraph([bold(f"Gone since {before}")], *lines[:PER_PAGE])]
        # The largest come first, so what is not there is gone too.
        if more_gone := max(len(lines) - PER_PAGE, 0) + report.groups_not_shown:
            tail.append(context([f"{more_gone:,} more gone"]))
    if report.groups_not_shown and len(report.groups) >= LARGEST_LIMIT:
        example = f"{command} errors --tasks NAME"
        about = f"a list shows at most {LARGEST_LIMIT:,} groups: narrow it with "
        tail.append(context([about, code(example)]))
    tail.append(context(["as of ", when(report.as_of, report.as_of)]))
    items = [
        render_group(group, report, before, runbooks, with_buttons=i % PER_PAGE < WITH_BUTTONS)
        for i, group in enumerate(there)
    ]

    def more(needed: int) -> str | None:
        if len(report.groups) > needed:
            return replace(asked, limit=larger_limit(len(report.groups) - 1)).words()
        if len(report.groups) >= LARGEST_LIMIT:
            return None
        return replace(asked, limit=larger_limit(len(report.groups))).words()

    return pack_pages(
        head,
        items,
        page=page,
        total=report.reasons.all_groups,
        noun="groups",
        more=more,
        tail=tail,
        per_page=PER_PAGE,
    )


def render_group(
    group: ErrorGroup,
    report: ErrorsReport,
    before: str,
    runbooks: Runbooks,
    *,
    with_buttons: bool,
) -> list[Part]:
    line: list[Span | str] = [bold(f"{group.count:,} × {short_task(group.task)}")]
    line.append(f"  {_trend(group, before, report)}")
    facts: list[Span | str] = []
    if group.count == 1 and group.last_at is not None:
        facts += ["at ", when(group.last_at, report.as_of)]
    elif group.first_at is not None and group.last_at is not None:
        if not group.count_before or group.state in {"new", "regressed"}:
            facts += ["first ", when(group.first_at, report.as_of), " · "]
        facts += ["last ", when(group.last_at, report.as_of)]
    if group.sample_job_id is not None:
        start = " · " if facts else ""
        facts += [f"{start}{'e.g. ' * (group.count > 1)}job ", code(str(group.sample_job_id))]
    if fate := say_fate(group, report):
        facts.append(f"{' · ' if facts else ''}{fate}")
    parts = [divider(), paragraph(line, pre=describe_error(group))]
    if known := tell_memory(group, report.as_of):
        facts = [*known, " · ", *facts] if facts else known
    if facts:
        parts.append(context(facts))
    if with_buttons:
        read = offer_runbook(runbooks, group.task, report.queue)
        row = [*_clicks(group, report), *offer_memory(group)]
        parts.append(buttons(*row[: MOST_BUTTONS - len(read)], *read))
    return parts


def _trend(group: ErrorGroup, before: str, report: ErrorsReport) -> str:
    """What has stopped rises no more."""
    said = say_state(group)
    if said != "rising":
        return said or _change(group, before)
    stopped = group.last_at is not None and report.has_stopped(group.last_at)
    return _change(group, before) if stopped else f"{said}, {_change(group, before)}"


def _change(group: ErrorGroup, before: str) -> str:
    return say_change(group.count, group.count_before, before)


def _clicks(group: ErrorGroup, report: ErrorsReport) -> list[Button]:
    failed = group.count if group.failed_now is None else group.failed_now
    ids = group.job_ids or ()
    there = group.sample_job_id is not None and group.deleted < group.count
    sample = [group.sample_job_id] if there and group.sample_job_id is not None else []
    details = [Button("Details", GetJob(one).words()) for one in sample]
    if not failed or len(group.task) + len(report.queue or "") > LONGEST_WORDS:
        return details
    # When they are pressed later, too, they find what is shown here.
    since, until = timedelta(seconds=report.since_seconds), report.until or report.as_of
    wanted = replace(
        filter_like(group),
        queue=None if report.queue is None else escape_glob(report.queue),
        since=since,
        until=until,
        queues=report.queues,
    )
    exact = is_exact(wanted, group, report.groups, all_shown=not report.groups_not_shown)
    if group.count == 1 == failed:
        return [*details, *offer_retry(ids or sample, 1, group.retriable, wanted, exact=exact)]
    retry = offer_retry(ids, failed, group.retriable, wanted, exact=exact)
    listed = replace(
        list_like(group), queue=report.queue, since=since, until=until, queues=report.queues
    ).words()
    if not exact:
        # The list lets a person choose; all of a task are not what somebody meant to retry.
        named = retry if wanted.error is not None or len(ids) == failed else []
        return [Button(f"Show {say_inexact(wanted)}", listed), *named]
    what = count(failed, "failure" if failed == group.count else "failed job")
    return [Button(f"Show {what}", listed), *retry]


MESSAGES: Messages = {
    ErrorsReport: lambda report, wanted: render_errors(
        report, wanted.command, page=wanted.page, runbooks=wanted.runbooks
    )
}
