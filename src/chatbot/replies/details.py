"""`status ID`: the exception first, then state, timeline and attempts, the traceback last."""

from __future__ import annotations

import json

from chatbot.replies.message import Message
from chatbot.replies.packer import pack
from chatbot.replies.parts import (
    Button,
    Line,
    Part,
    bold,
    buttons,
    code,
    context,
    paragraph,
    preformatted,
    when,
)
from chatbot.replies.words import count, cut, cut_middle, defuse, first_lines, short_task
from jobs_maint.actions import GetJob, RetryJobs
from jobs_maint.durations import format_age
from jobs_maint.models import FailedRun, JobDetails

__all__ = ["render_details"]

LONGEST_TRACEBACK = 4_500
LONGEST_ARGS = 1_500
MOST_EVENTS = 12
MOST_ATTEMPTS = 8
_RETRYABLE = {"failed", "cancelled", "aborted"}
_DOTS = {"failed": "🔴", "succeeded": "✅", "cancelled": "🟡", "aborted": "🟡"}
_STATE = {
    "todo": "is waiting",
    "doing": "is running",
    "failed": "failed",
    "succeeded": "succeeded",
    "cancelled": "was cancelled",
    "aborted": "was aborted",
}


def render_details(job: JobDetails) -> Message:
    last = job.failures[-1] if job.failures else None
    shell = f"jobs-maint status {job.job_id} shows all of it"
    parts = [paragraph(*_headline(job, last)), _facts(job)]
    args = cut_middle(json.dumps(job.args, indent=1, ensure_ascii=False), LONGEST_ARGS, shell)
    if job.args:
        hidden = " (secrets are hidden)" if job.redacted else ""
        parts.append(paragraph([f"Arguments{hidden}:"], pre=args))
    if job.events:
        parts.append(paragraph([bold("Timeline")], *_timeline(job)))
    if len(job.failures) > 1:
        parts.append(paragraph([bold("Failed attempts")], *_attempts(job)))
    clicks = [Button("Refresh", GetJob(job.job_id).words(), refresh=True)]
    if job.status in _RETRYABLE:
        words = RetryJobs((job.job_id,)).words()
        clicks.insert(0, Button(f"Retry job {job.job_id}", words, "primary"))
    parts += [buttons(*clicks), *_traceback(last, job, shell)]
    return pack(parts)


def _headline(job: JobDetails, last: FailedRun | None) -> list[Line]:
    dot = _DOTS.get(job.status, "🟢")
    state = f"Job {job.job_id} {_STATE.get(job.status, f'is {job.status}')}"
    where = f"{short_task(job.task)} in {cut(job.queue, 60)}"
    tried = count(job.attempts, "attempt") if job.attempts else "not tried yet"
    if last is None or job.status == "succeeded":
        return [[f"{dot} ", bold(f"{state}.")], [f"{where}, {tried}."]]
    error = first_lines(_error(last), lines=2, width=300)
    return [[f"{dot} ", bold(error)], [f"{state}: {where}, {tried}."]]


def _error(run: FailedRun) -> str:
    name = (run.exception_type or "").rpartition(".")[2]
    if name and not run.message.startswith(name):
        return f"{name}: {run.message}" if run.message else name
    return run.message or run.kind.replace("_", " ")


def _facts(job: JobDetails) -> Part:
    lines: list[Line] = []
    if job.scheduled_at is not None:
        lines.append(["scheduled for ", when(job.scheduled_at, job.as_of)])
    if job.priority:
        lines.append([f"priority {job.priority}"])
    if job.abort_requested:
        lines.append(["asked to stop"])
    facts = [("task", job.task), ("queue", job.queue)]
    facts += [("lock", job.lock or ""), ("queueing lock", job.queueing_lock or "")]
    facts += [("worker", job.worker or "")] if job.status == "doing" else []
    for name, value in facts:
        if value:
            lines.append([f"{name} ", code(cut(value, 200))])
    return context(*lines[:10])


def _timeline(job: JobDetails) -> list[Line]:
    lines: list[Line] = []
    left = len(job.events) - MOST_EVENTS
    if left > 0:
        lines.append([f"… {left} earlier steps not shown"])
    for event in job.events[-MOST_EVENTS:]:
        later = f", {format_age(event.seconds)} later" if event.seconds is not None else ""
        name = event.type.replace("_", " ")
        lines.append([when(event.at, job.as_of), f"  {cut(name, 40)}{later}"])
    return lines


def _attempts(job: JobDetails) -> list[Line]:
    lines: list[Line] = []
    left = len(job.failures) - MOST_ATTEMPTS
    if left > 0:
        lines.append([f"… {left} earlier attempts not shown"])
    for run in job.failures[-MOST_ATTEMPTS:]:
        then = ", then retried" if run.will_retry else ""
        error = first_lines(_error(run), lines=1)
        lines.append([f"{run.attempt}  ", when(run.failed_at, job.as_of), f"  {error}{then}"])
    return lines


def _traceback(last: FailedRun | None, job: JobDetails, shell: str) -> list[Part]:
    if last is None:
        if job.status == "failed":
            return [context(["The error was not recorded: its worker has no recorder."])]
        return []
    if last.traceback is None:
        return [context(["No traceback was kept for this attempt."])]
    text = defuse(last.traceback)
    return [preformatted(cut_middle(text, LONGEST_TRACEBACK, shell))]
