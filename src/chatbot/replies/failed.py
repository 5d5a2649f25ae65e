"""`failed`: how many and where, then each job with its error, newest failure first."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from chatbot.replies.message import Message
from chatbot.replies.packer import pack
from chatbot.replies.parts import (
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
from chatbot.replies.words import ago, count, cut, describe_loss, first_lines, short_task
from jobs_maint.actions import GetJob, ListFailed, RetryJobs
from jobs_maint.durations import format_age
from jobs_maint.models import FailedJob, FailedJobsReport

__all__ = ["describe_error", "render_failed"]

MOST_TASKS = 4
WITH_BUTTONS = 3
"""So many of the newest jobs have their own buttons."""


def render_failed(report: FailedJobsReport, command: str) -> Message:
    asked = ListFailed(
        report.queue,
        report.task,
        report.error,
        None if report.since_seconds is None else timedelta(seconds=report.since_seconds),
        report.limit,
    )
    if not report.jobs:
        dot = "🟢" if not report.total else "🟡"
        head: list[Line] = [[f"{dot} ", bold(_verdict(report))]]
        return pack([paragraph(*head), context(["as of ", _at(report)], *_hidden(report))])
    lines: list[Line] = [["🔴 ", bold(_verdict(report))]]
    if len(report.jobs) > 1:
        lines.append([_tasks(report)])
    items = [_item(job, report, with_buttons=i < WITH_BUTTONS) for i, job in enumerate(report.jobs)]

    def more(left: int) -> Part:
        words = replace(asked, limit=_larger(report.limit)).words()
        return context([f"{left:,} more not shown · ", code(cut(f"{command} {words}", 200))])

    if len(items) > WITH_BUTTONS:
        items[WITH_BUTTONS].insert(0, divider())
    tail = [context(*_hidden(report))] if _hidden(report) else []
    return pack([paragraph(*lines)], items, more, tail, beyond=max(report.not_shown, 0))


def _larger(limit: int) -> int:
    return next((size for size in (20, 50, 100, 500) if size > limit), 1_000)


def _at(report: FailedJobsReport) -> Span:
    return when(report.as_of, report.as_of)


def _verdict(report: FailedJobsReport) -> str:
    if report.since_seconds is None:
        parts = [count(report.total, "failed job") if report.total else "No failed job"]
    else:
        parts = [f"{count(report.total, 'job')} failed" if report.total else "No job failed"]
    if report.queue:
        parts.append(f"in {cut(report.queue, 60)}")
    if report.task:
        parts.append(f"with {cut(report.task, 60)!r} in the task's name")
    if report.error:
        parts.append(f"with {cut(report.error, 60)!r} in the error")
    if report.since_seconds is not None:
        parts.append(f"in the last {_span(report.since_seconds)}")
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


def _span(seconds: float) -> str:
    return {3_600.0: "hour", 86_400.0: "24 hours"}.get(seconds, format_age(seconds))


def _hidden(report: FailedJobsReport) -> list[Line]:
    if not report.hidden_jobs:
        return []
    jobs = count(report.hidden_jobs, "more job")
    return [[f"{jobs} in queues that your role does not reach"]]


def _item(job: FailedJob, report: FailedJobsReport, *, with_buttons: bool) -> list[Part]:
    line: list[Span | str] = [bold(short_task(job.task)), "  job ", code(str(job.job_id))]
    facts = []
    if not report.queue:
        facts.append(cut(job.queue, 60))
    if job.failed_at is not None:
        facts.append(ago(report.as_of - job.failed_at))
    if job.attempts > 1:
        facts.append(count(job.attempts, "attempt"))
    line += [f" · {fact}" for fact in facts]
    parts = [paragraph(line, pre=describe_error(job, lines=2 if with_buttons else 1))]
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


def describe_error(job: FailedJob, *, lines: int = 2) -> str:
    """The error in so many lines at most, exact as far as it goes."""
    if not job.recorded:
        return "error not recorded"
    if job.kind == "worker_lost":
        what, who = describe_loss(job.message)
        return first_lines(f"{what} ({who})" if who else what, lines, width=200)
    name = (job.exception_type or "").rpartition(".")[2]
    message = job.message or ""
    if name and not message.startswith(name):
        message = f"{name}: {message}" if message else name
    return first_lines(message, lines) or "an error without a text"
