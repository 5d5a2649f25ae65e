"""`status ID`: the exception first, then state, timeline and attempts, the traceback last."""

from __future__ import annotations

import json
from typing import Any, Literal

from chatbot.messages.errors import add_notes
from chatbot.messages.message import Block, Message, Messages
from chatbot.messages.packer import pack
from chatbot.messages.parts import (
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
from chatbot.messages.runbooks import NO_RUNBOOKS, Runbooks, offer_runbook
from chatbot.messages.times import spell_times
from chatbot.messages.words import (
    count,
    cut,
    cut_middle,
    defuse,
    first_lines,
    name_queue,
    sentence,
    short_task,
)
from jobs_maint.actions import GetJob, RetryJobs
from jobs_maint.durations import format_age
from jobs_maint.models import FailedRun, JobDetails, Loss
from jobs_maint.quoting import show_name
from jobs_maint.redaction import HIDDEN
from jobs_maint.verbs import NO_TRACEBACK, describe_state, say_missing_error

__all__ = ["MESSAGES", "render_details", "render_details_view", "render_loading_view"]

View = dict[str, Any]
LONGEST_TRACEBACK = 4_500
LONGEST_ARGS = 1_500
ONE_LINE = 80
MOST_EVENTS = 12
MOST_ATTEMPTS = 8
CLOSE = 120.0
"""Steps of the timeline closer together than this many seconds show seconds."""
_RETRYABLE = {"failed", "cancelled", "aborted"}
_DOTS = {"failed": "🔴", "succeeded": "✅", "cancelled": "🟡", "aborted": "🟡"}


def render_details(
    job: JobDetails, *, share: bool = False, runbooks: Runbooks = NO_RUNBOOKS
) -> Message:
    """`share`: only the asker sees it, and a button shows it to the channel."""
    clicks = _clicks(job, runbooks, style="primary")
    if share:
        words = GetJob(job.job_id).words()
        clicks.append(Button("Share", words, action=f"jobs_share:{words}"))
    return pack(_parts(job, clicks))


def render_details_view(
    job: JobDetails,
    *,
    channel: str,
    thread: str | None = None,
    runbooks: Runbooks = NO_RUNBOOKS,
) -> View:
    """The same as a modal; submitting it shares it where it was opened, by its one green button."""
    words = GetJob(job.job_id).words()
    clicks = _clicks(job, runbooks)
    notes = {"words": words, "channel": channel} | ({"thread": thread} if thread else {})
    return {
        **_frame(job.job_id, add_notes(pack(_parts(job, clicks)), job).blocks),
        "submit": {"type": "plain_text", "text": "Share here"},
        "private_metadata": json.dumps(notes),
    }


def render_loading_view(job_id: int) -> View:
    """What the modal says until the job is read: it has to open within three seconds."""
    return _frame(job_id, list(paragraph([f"Loading job {job_id} …"]).blocks))


def _frame(job_id: int, blocks: list[Block]) -> View:
    return {
        "type": "modal",
        "callback_id": "jobs_share",
        "title": {"type": "plain_text", "text": cut(f"Job {job_id}", 24)},
        "close": {"type": "plain_text", "text": "Close"},
        "blocks": blocks,
    }


def _clicks(
    job: JobDetails, runbooks: Runbooks, style: Literal["primary"] | None = None
) -> list[Button]:
    clicks = []
    if job.status in _RETRYABLE:
        words = RetryJobs((job.job_id,), statuses=(job.status,)).words()  # as it is shown
        clicks.append(Button(f"Retry job {job.job_id}", words, style))
    clicks.append(Button("Refresh", GetJob(job.job_id).words(), refresh=True))
    return [*clicks, *offer_runbook(runbooks, job.task, job.queue)]


def _parts(job: JobDetails, clicks: list[Button]) -> list[Part]:
    last = job.failures[-1] if job.failures else None
    shell = f"jobs-maint status {job.job_id} shows more of it"
    parts = [paragraph(*_headline(job)), _facts(job)]
    if clicks:
        parts.append(buttons(*clicks))
    if job.events:
        parts.append(paragraph([bold("Timeline")], *_timeline(job)))
    if len(job.failures) > (0 if job.last_error is None else 1):
        parts.append(paragraph([bold("Failed attempts")], *_attempts(job)))
    if job.args:
        args = json.dumps(job.args, ensure_ascii=False)
        if len(args) > ONE_LINE:
            args = json.dumps(job.args, indent=1, ensure_ascii=False)
        args = cut_middle(args, LONGEST_ARGS, shell)
        notes = [f"{job.args_bytes:,} bytes, long values are cut"] if job.args_cut else []
        notes += ["secrets are hidden"] if HIDDEN in args else []
        about = f" ({'; '.join(notes)})" if notes else ""
        parts.append(paragraph([f"Arguments{about}:"], pre=args))
    if job.status == "failed" and job.last_error is None:
        missing = say_missing_error(awaited=job.awaited, earlier=bool(job.failures))
        parts.append(context([missing]))
    return [*parts, *_traceback(last, job, shell)]


def _headline(job: JobDetails) -> list[Line]:
    dot = _DOTS.get(job.status, "🟢")
    holder = job.lock_holder
    if job.unreported or job.silent_seconds is not None or (holder and holder.is_in_trouble):
        dot = "🟡"
    lines: list[Line]
    state = f"Job {job.job_id} {describe_state(job.status)}"
    where = f"{short_task(job.task)} in {name_queue(job.queue)}"
    tried = _say_tried(job)
    last = job.last_error
    if last is None:
        lines = [[f"{dot} ", bold(f"{state}.")], [f"{where}, {tried}."]]
        if holder is not None:
            lines.append(spell_times(cut(holder.say(), 400), job.as_of))
        if job.unreported:
            whose = f", the last was {cut(job.last_worker, 80)}" if job.last_worker else ""
            if whose and job.silent_seconds is not None:
                whose += f", silent for {format_age(job.silent_seconds)}: it may be dead"
            then = "stuck says whether the rescue acts, and when."
            lines.append([f"No live worker reports it{whose}; {then}"])
        elif job.silent_seconds is not None:
            silent = format_age(job.silent_seconds)
            lines.append([f"Its worker has been silent for {silent} and may be dead."])
        return lines
    error = first_lines(_error(last), lines=2, width=300)
    lines = [[f"{dot} ", bold(error[:1].upper() + error[1:])]]
    lines.append([f"{state}: {where}, {tried}."])
    who = Loss.read(last.message).who if last.kind == "worker_lost" else ""
    close = _is_close(job)
    told = spell_times(sentence(cut(who, 200)), job.as_of, seconds=close)
    return [*lines, told] if who else lines


def _say_tried(job: JobDetails) -> str:
    """Of a running job the attempt that runs; it counts as one when it has ended."""
    if job.status == "doing":
        return f"attempt {job.attempts + 1}" if job.attempts else "first attempt"
    if job.attempts:
        return count(job.attempts, "attempt")
    return "not tried yet" if job.status == "todo" else "never tried"


def _error(run: FailedRun) -> str:
    if run.kind == "worker_lost":
        return Loss.read(run.message).what
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
        lines.append(["asked to abort"])
    facts = [("task", job.task), ("queue", job.queue)]
    facts += [("lock", job.lock or ""), ("queueing lock", job.queueing_lock or "")]
    facts += [("worker", job.worker or "")] if job.status == "doing" else []
    for name, value in facts:
        if value:
            lines.append([f"{name} ", code(cut(show_name(value), 200))])
    return context(*lines[:10])


def _timeline(job: JobDetails) -> list[Line]:
    lines: list[Line] = []
    left = len(job.events) + job.events_not_shown - MOST_EVENTS
    if left > 0:
        lines.append([f"… {count(left, 'earlier step')} not shown"])
    for event in job.events[-MOST_EVENTS:]:
        seconds = event.seconds or 0.0
        later = f", {format_age(seconds)} later" if seconds >= 1 else ""
        name = event.type.replace("_", " ")
        lines.append(
            [when(event.at, job.as_of, seconds=_is_close(job)), f"  {cut(name, 40)}{later}"]
        )
    return lines


def _is_close(job: JobDetails) -> bool:
    """Whether steps are so close together that minutes cannot distinguish them."""
    shown = job.events[-MOST_EVENTS:]
    return any(event.seconds is not None and event.seconds < CLOSE for event in shown)


def _attempts(job: JobDetails) -> list[Line]:
    lines: list[Line] = []
    left = len(job.failures) + job.failures_not_shown - MOST_ATTEMPTS
    if left > 0:
        lines.append([f"… {count(left, 'earlier attempt')} not shown"])
    for run in job.failures[-MOST_ATTEMPTS:]:
        error = first_lines(_error(run), lines=1, width=160)
        if run.kind == "worker_lost":
            who = Loss.read(run.message).who
            error += f": {who}" * bool(who) + "; the job was put back" * run.will_retry
        elif job.last_error is not None and _error(run) == _error(job.last_error):
            error = "the error above"
        close = _is_close(job)
        at = when(run.failed_at, job.as_of, seconds=close)
        told = spell_times(error, job.as_of, seconds=close)
        lines.append([f"Attempt {run.attempt}, ", at, ": ", *told])
    return lines


def _traceback(last: FailedRun | None, job: JobDetails, shell: str) -> list[Part]:
    if last is None:
        return []
    trace = last.traceback if last.alike is None else last.alike.traceback
    if trace is None:
        return [context([NO_TRACEBACK])] if last.kind == "error" else []
    text = defuse(trace)
    if last.alike is not None:
        text = f"{last.name_alike(job.job_id)}\n{text}"
    if job.last_error is None:
        text = f"Attempt {last.attempt}\n{text}"
    return [preformatted(cut_middle(text, LONGEST_TRACEBACK, shell))]


MESSAGES: Messages = {
    JobDetails: lambda job, wanted: render_details(job, share=True, runbooks=wanted.runbooks)
}
