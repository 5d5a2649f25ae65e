"""`failed`: how many and where, then each job with its error, newest failure first."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from chatbot.messages.message import Message, Messages
from chatbot.messages.packer import PER_PAGE, pack, pack_pages
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
    ago,
    count,
    cut,
    describe_loss,
    first_lines,
    larger_limit,
    say_span,
    short_task,
)
from jobs_maint.actions import GetJob, ListFailed, RetryJobs
from jobs_maint.models import FailedJob, FailedJobsReport

__all__ = ["MESSAGES", "describe_error", "render_failed"]

AS_ABOVE = "as above"
MOST_TASKS = 4
MOST_JOBS = 1_000
"""The largest `--limit`."""
WITH_BUTTONS = 3
"""This many of the newest jobs have their own buttons."""


def render_failed(report: FailedJobsReport, command: str, *, page: int = 1) -> Message:
    asked = ListFailed(
        report.queue,
        report.task,
        report.error,
        None if report.since_seconds is None else timedelta(seconds=report.since_seconds),
        report.limit,
    )
    if not report.jobs:
        dot = "🟢" if not report.total and not report.settled else "🟡"
        head: list[Line] = [[f"{dot} ", bold(_verdict(report))]]
        return pack([paragraph(*head), context(["as of ", _at(report)], *_hidden(report))])
    lines: list[Line] = [["🔴 ", bold(_verdict(report))]]
    if report.settled:
        failed = count(report.settled, "more job")
        lines.append([f"{failed} failed in that time, {report.settled_how} since."])
    if len(report.jobs) > 1:
        lines.append([_tasks(report)])
    # No page holds more than PER_PAGE of them, so jobs after this page are not rendered.
    jobs = list(enumerate(report.jobs[: max(page, 1) * PER_PAGE + 1]))
    whole = [_item(job, report, None, with_buttons=i < WITH_BUTTONS) for i, job in jobs]
    items = whole[:WITH_BUTTONS] + [
        _item(job, report, report.jobs[i - 1], with_buttons=False) for i, job in jobs[WITH_BUTTONS:]
    ]
    if len(items) > WITH_BUTTONS:
        items[WITH_BUTTONS].insert(0, divider())

    def more(needed: int) -> str | None:
        if len(report.jobs) > needed:
            return asked.words()
        larger = larger_limit(report.limit)
        return replace(asked, limit=larger).words() if larger > report.limit else None

    tail = [context(*_hidden(report))] if _hidden(report) else []
    if report.not_shown > 0 and report.limit >= MOST_JOBS:
        example = f"{command} failed --task NAME"
        tail.append(
            context([f"a list shows at most {MOST_JOBS:,}: narrow it with ", code(example)])
        )
    return pack_pages(
        [paragraph(*lines)],
        items,
        page=page,
        total=report.total,
        noun="jobs or more" if report.at_least else "jobs",
        more=more,
        tail=tail,
        whole=whole,
    )


def _at(report: FailedJobsReport) -> Span:
    return when(report.as_of, report.as_of)


def _verdict(report: FailedJobsReport) -> str:
    if report.since_seconds is None:
        parts = [count(report.total, "failed job") if report.total else "No failed job"]
        if report.at_least:
            parts.insert(0, "More than")
    else:
        parts = [f"{count(report.total, 'job')} failed" if report.total else "No job failed"]
        if report.settled and not report.total:
            parts = [f"{count(report.settled, 'job')} failed"]
    if report.queue:
        parts.append(f"in {cut(report.queue, 60)}")
    if report.task:
        parts.append(f"with {cut(report.task, 60)!r} in the task's name")
    if report.error:
        parts.append(f"with {cut(report.error, 60)!r} in the error")
    if report.since_seconds is not None:
        parts.append(f"in the last {say_span(report.since_seconds)[0]}")
    if report.settled and not report.total:
        parts[-1] += f", {'all ' * (report.settled > 1)}{report.settled_how} since"
    newest = report.jobs[0].failed_at if report.jobs else None
    if newest is not None:
        age = ago(report.as_of - newest)
        parts[-1] += f"; the newest {age}" if report.total > 1 else f", {age}"
    return f"{' '.join(parts)}."


def _tasks(report: FailedJobsReport) -> str:
    """Which tasks, the most frequent first; only where all of them are known."""
    tasks = Counter(short_task(job.task) for job in report.jobs)
    if report.not_shown or len(tasks) == 1:
        return "Newest failure first."
    named = [f"{jobs:,} {task}" for task, jobs in tasks.most_common(MOST_TASKS)]
    if others := sum(jobs for _, jobs in tasks.most_common()[MOST_TASKS:]):
        named.append(count(others, "other"))
    return f"{', '.join(named)}."


def _hidden(report: FailedJobsReport) -> list[Line]:
    if not report.hidden_jobs:
        return []
    jobs = count(report.hidden_jobs, "more job")
    return [[f"{jobs} in queues that your role does not reach"]]


def _item(
    job: FailedJob, report: FailedJobsReport, last: FailedJob | None, *, with_buttons: bool
) -> list[Part]:
    """The same error as for the job above is not repeated; the details have it."""
    line: list[Span | str] = ["job ", code(str(job.job_id))]
    error = describe_error(job, lines=2 if with_buttons else 1)
    like = "" if last is None or with_buttons else _compare(job, last)
    if like != AS_ABOVE:
        line = [bold(short_task(job.task)), "  ", *line]
    facts = []
    if not report.queue and like != AS_ABOVE:
        facts.append(cut(job.queue, 60))
    if job.failed_at is not None:
        facts.append(ago(report.as_of - job.failed_at))
    if job.attempts > 1 and like != AS_ABOVE:
        facts.append(count(job.attempts, "attempt"))
    facts += [like] if like else []
    line += [f" · {fact}" for fact in facts]
    parts = [paragraph(line, pre="" if like else error)]
    if with_buttons:
        retry = RetryJobs((job.job_id,)).words()
        parts.append(
            buttons(
                Button(f"Retry job {job.job_id}", retry, "primary" if report.total == 1 else None),
                Button("Details", GetJob(job.job_id).words()),
            )
        )
        parts.insert(0, divider())
    return parts


def _compare(job: FailedJob, last: FailedJob) -> str:
    """What need not be repeated after the job above."""
    same = describe_error(job, lines=1) == describe_error(last, lines=1)
    if not same and (job.fingerprint is None or job.fingerprint != last.fingerprint):
        return ""
    shared = (job.task, job.queue, job.attempts) == (last.task, last.queue, last.attempts)
    return AS_ABOVE if same and shared else "same error"


def describe_error(job: FailedJob, *, lines: int = 2) -> str:
    """The error in at most `lines` lines, exact as far as it goes."""
    if not job.recorded:
        return "error not recorded"
    if job.kind == "worker_lost":
        what, who = describe_loss(job.message)
        return first_lines(f"{what} ({who})" if who else what, lines, width=200)
    name = (job.exception_type or "").rpartition(".")[2]
    message = job.message or ""
    if name and not message.startswith(name):
        message = f"{name}: {message}" if message else name
    return first_lines(message, lines) or "an error without text"


MESSAGES: Messages = {
    FailedJobsReport: lambda report, wanted: render_failed(report, wanted.command, page=wanted.page)
}
