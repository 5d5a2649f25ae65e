"""`errors`: how many failed and for how many reasons, then each reason with what to do about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from chatbot.messages.group_names import name_errors
from chatbot.messages.message import Message, Messages
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
from chatbot.messages.words import (
    count,
    cut,
    describe_loss,
    first_lines,
    larger_limit,
    say_change,
    say_span,
    sentence,
    short_task,
)
from jobs_maint.actions import (
    BulkVerb,
    GetJob,
    JobFilter,
    ListErrors,
    ListFailed,
    PreviewBulk,
    RetryJobs,
    escape_glob,
)
from jobs_maint.models import ErrorGroup, ErrorsReport
from jobs_maint.redaction import HIDDEN

__all__ = ["MESSAGES", "render_errors"]

PER_PAGE = 10
LONGEST_LOOK = 4_000
LONGEST_WORDS = 1_500
"""Names longer than this do not fit into a button's value."""
WITH_BUTTONS = 5
"""This many of the largest groups on a page have their own buttons."""
LONGEST_FILTER = 100
_FOLDED = re.compile(r"\d+ different messages, e\.g\. ")
_VARIES = re.compile(rf"[\d'\"`\n]|{re.escape(HIDDEN)}")
"""Where a message begins to differ from others of its group."""


def render_errors(report: ErrorsReport, *, page: int = 1) -> Message:
    span, before = say_span(report.since_seconds)
    there = [group for group in report.groups if group.count]
    gone = [group for group in report.groups if not group.count]
    head = [paragraph(*_headline(report, there, span, before))]
    tail: list[Part] = []
    if gone:
        named = zip(gone, name_errors(gone), strict=True)
        lines: list[Line] = [
            [f"{short_task(one.task)}  {error}, was {one.count_before:,}"] for one, error in named
        ]
        tail += [divider(), paragraph([bold(f"Gone since {before}")], *lines[:PER_PAGE])]
        if len(lines) > PER_PAGE:
            tail.append(context([f"{len(lines) - PER_PAGE:,} more gone"]))
    tail.append(context(*_notes(report)))
    asked = ListErrors(report.queue, timedelta(seconds=report.since_seconds), len(report.groups))
    items = [
        _item(group, report, before, with_buttons=i % PER_PAGE < WITH_BUTTONS)
        for i, group in enumerate(there)
    ]

    def more(needed: int) -> str | None:
        if len(report.groups) > needed:
            return replace(asked, limit=larger_limit(len(report.groups) - 1)).words()
        if len(report.groups) >= 1_000:
            return None
        return replace(asked, limit=larger_limit(len(report.groups))).words()

    return pack_pages(
        head,
        items,
        page=page,
        total=len(there) + (report.groups_not_shown if not gone else 0),
        noun="groups",
        more=more,
        tail=tail,
        per_page=PER_PAGE,
    )


def _headline(
    report: ErrorsReport, there: Sequence[ErrorGroup], span: str, before: str
) -> list[Line]:
    where = f" in {cut(report.queue, 60)}" if report.queue is not None else ""
    change = sentence(say_change(report.failed, report.failed_before, before))
    if not there:
        return [
            ["🟢 ", bold(f"No job failed{where} in the last {span}.")],
            [change],
        ]
    largest = there[0]
    worse = report.failed > report.failed_before or largest.trend == "new"
    verdict = f"{count(report.failed, 'job')} failed{where} in the last {span}"
    kind = "new reason" if largest.trend == "new" else "reason"
    groups = len(there) + (report.groups_not_shown if len(there) == len(report.groups) else 0)
    if groups == 1:
        verdict += f", {'all ' * (report.failed > 1)}for one {kind}"
    elif 2 * largest.count >= report.failed:
        verdict += f", {largest.count:,} of them for one {kind}"
    else:
        verdict += f", for {groups:,} reasons"
    lines: list[Line] = [["🔴 " if worse else "🟡 ", bold(f"{verdict}.")]]
    second: list[Span | str] = [change]
    if largest.first_at is not None and largest.trend == "new":
        second += [" It began at ", when(largest.first_at, report.as_of), "."]
    return [*lines, second]


def _item(
    group: ErrorGroup, report: ErrorsReport, before: str, *, with_buttons: bool
) -> list[Part]:
    line: list[Span | str] = [bold(f"{group.count:,} × {short_task(group.task)}")]
    line.append(f"  {_trend(group, before)}")
    facts: list[Span | str] = []
    if group.count == 1 and group.last_at is not None:
        facts += ["at ", when(group.last_at, report.as_of)]
    elif group.first_at is not None and group.last_at is not None:
        facts += ["first ", when(group.first_at, report.as_of)]
        facts += [" · last ", when(group.last_at, report.as_of)]
    if group.sample_job_id is not None:
        start = " · " if facts else ""
        facts += [f"{start}{'e.g. ' * (group.count > 1)}job ", code(str(group.sample_job_id))]
    parts = [divider(), paragraph(line, pre=_error(group))]
    if facts:
        parts.append(context(facts))
    if with_buttons:
        parts.append(buttons(*_clicks(group, report)))
    return parts


def _trend(group: ErrorGroup, before: str) -> str:
    if group.trend == "new":
        return "new"
    return say_change(group.count, group.count_before, before)


def _error(group: ErrorGroup) -> str:
    """Two lines at most, exact as far as it goes."""
    if not group.recorded:
        return "error not recorded"
    name = (group.exception_type or "")[:LONGEST_LOOK].rpartition(".")[2]
    message = group.message[:LONGEST_LOOK]
    if group.exception_type is None and message.startswith(("worker ", "its worker ")):
        what, who = describe_loss(message)
        message = f"{what} ({who})" if who else what
    elif name and not message.startswith(name):
        message = f"{name}: {message}" if message else name
    return first_lines(message) or "an error without text"


def _clicks(group: ErrorGroup, report: ErrorsReport) -> list[Button]:
    if group.count == 1 and group.sample_job_id is not None:
        one = group.sample_job_id
        retry = Button(f"Retry job {one}", RetryJobs((one,)).words())
        return [Button("Details", GetJob(one).words()), retry]
    if len(group.task) + len(report.queue or "") > LONGEST_WORDS:
        return []
    since = timedelta(seconds=report.since_seconds)
    others = [other for other in report.groups if other is not group and other.task == group.task]
    error = _find_filter(group)
    exact = not report.groups_not_shown and not any(_matches(other, error) for other in others)
    if error is None and not exact:
        # No words find exactly these; the list of all failures of the task lets a person choose.
        shown = ListFailed(report.queue, group.task, None, since).words()
        return [Button(f"Show all of {short_task(group.task)}", shown)]
    listed = ListFailed(report.queue, group.task, error, since)
    wanted = JobFilter(
        None if report.queue is None else escape_glob(report.queue),
        BulkVerb.RETRY.statuses[:1],
        task=escape_glob(group.task),
        error=error,
        since=since,
    )
    exact = exact or not any(_matches(other, error) for other in others)
    clicks = [Button(f"Show {count(group.count, 'failure')}", listed.words())]
    label = f"Preview retry of {group.count:,}" if exact else "Preview retry"
    return [*clicks, Button(label, PreviewBulk(BulkVerb.RETRY, wanted).words())]


def _find_filter(group: ErrorGroup) -> str | None:
    """What `--error` finds the group by: type and message, up to where its members differ."""
    if not group.recorded:
        return None
    text = group.message[: 2 * LONGEST_FILTER]
    if _FOLDED.match(text):
        text = ""
    if found := _VARIES.search(text):
        # Back to the beginning of the word: all of it may vary.
        text = text[: found.start()]
        text = text[: len(text) - len(text.split(" ")[-1])]
    kind = (group.exception_type or "")[:LONGEST_LOOK]
    whole = f"{kind}: {text}" if kind else text
    return cut_words(whole, LONGEST_FILTER) or None


def cut_words(text: str, limit: int) -> str:
    """The beginning at whole words, without what a shell would read as more than text."""
    if len(text) > limit:
        text = text[:limit].rpartition(" ")[0] or text[:limit]
    return text.strip().rstrip(":,;.-(")


def _matches(other: ErrorGroup, error: str | None) -> bool:
    parts = ((other.exception_type or "")[:LONGEST_LOOK], other.message[:LONGEST_LOOK])
    text = ": ".join(part for part in parts if part)
    return error is None or error.lower() in text.lower()


def _notes(report: ErrorsReport) -> list[Line]:
    notes: list[Line] = [["as of ", when(report.as_of, report.as_of)]]
    if report.limited_to_queues is not None:
        queues = ", ".join(cut(queue, 60) for queue in report.limited_to_queues[:20])
        notes.append([cut(f"only queues that your role reaches: {queues}", 300)])
    return notes


MESSAGES: Messages = {ErrorsReport: lambda report, wanted: render_errors(report, page=wanted.page)}
