"""`status ID` for people: the error first, then fields, timeline and every failed attempt."""

from __future__ import annotations

import json

from rich.cells import cell_len

from jobs_maint.durations import format_age
from jobs_maint.models import FailedRun, JobDetails
from jobs_maint.render.page import Column, Page, Pages, clock, when
from jobs_maint.render.safe import safe_block, safe_line, safe_word, short_task
from jobs_maint.render.verdict import count_noun
from jobs_maint.verbs import NO_TRACEBACK, describe_state, say_missing_error

__all__ = ["PAGES"]

_LONGEST_ARGS = 4000
_LONGEST_LINE = 70
_STYLES = {"failed": "bold red", "aborted": "bold red", "succeeded": "bold green"}


def render_job(job: JobDetails, page: Page) -> None:
    page.line(_headline(job), _STYLES.get(job.status, "bold"))
    if job.lock_holder is not None:
        page.line(safe_line(job.lock_holder.say()))
    page.line()
    fields = _fields(job)
    label = max(len(name) for name, _ in fields)
    for name, value in fields:
        page.line(f"{name:<{label}}  {value}")
    page.line(f"Arguments{_about_args(job)}")
    page.verbatim(_args(job, page.width - 2), indent=2)
    page.line()
    page.line("Timeline (UTC)", "bold")
    if job.events_not_shown:
        page.line(f"{count_noun(job.events_not_shown, 'earlier step')} not shown", indent=2)
    if job.events:
        page.table(
            [
                Column("", [clock(event.at, job.as_of) for event in job.events]),
                Column("", [safe_word(event.type) for event in job.events], may_shrink=True),
                Column(
                    "",
                    [
                        "" if event.seconds is None else f"after {format_age(event.seconds)}"
                        for event in job.events
                    ],
                ),
            ]
        )
    else:
        page.line("No event recorded.", indent=2)
    page.line()
    page.line("Failed attempts", "bold")
    if job.failures_not_shown:
        left = count_noun(job.failures_not_shown, "earlier attempt")
        page.line(f"{left} not shown", indent=2)
    for run in job.failures:
        _render_run(run, job, page)
    if job.status == "failed" and job.last_error is None:
        page.line(say_missing_error(awaited=job.awaited, earlier=bool(job.failures)), indent=2)
    elif not job.failures:
        page.line("None recorded.", indent=2)


def _about_args(job: JobDetails) -> str:
    notes = []
    if job.args_cut:
        notes.append(f"{job.args_bytes:,} bytes, long values are cut")
    if job.redacted:
        notes.append("secrets hidden; --reveal shows all")
    return f" ({'; '.join(notes)})" if notes else ""


def _headline(job: JobDetails) -> str:
    if job.last_error is not None:
        return f"{_state(job)}: {_error(job.last_error)}"
    if job.status == "doing" and job.worker:
        return f"{_state(job)}, on {safe_word(job.worker)}{_silence(job)}."
    return f"{_state(job)}."


def _silence(job: JobDetails) -> str:
    if job.silent_seconds is None:
        return ""
    return f", silent for {format_age(job.silent_seconds)}: it may be dead"


def _state(job: JobDetails) -> str:
    return f"Job {job.job_id} {safe_word(describe_state(job.status))}"


def _fields(job: JobDetails) -> list[tuple[str, str]]:
    fields = [
        ("Queue", safe_word(job.queue)),
        ("Task", safe_word(job.task)),
        # An attempt counts when it has ended: the one that runs is the next.
        ("Attempt", str(job.attempts + 1))
        if job.status == "doing"
        else ("Attempts", str(job.attempts)),
        ("Priority", str(job.priority)),
    ]
    if job.lock is not None:
        fields.append(("Lock", safe_word(job.lock)))
    if job.queueing_lock is not None:
        fields.append(("Queueing lock", safe_word(job.queueing_lock)))
    if job.scheduled_at is not None:
        fields.append(("Scheduled", when(job.scheduled_at, job.as_of)))
    if job.abort_requested:
        fields.append(("Abort", "requested"))
    if job.worker is not None:
        fields.append(("Worker", safe_word(job.worker)))
    elif job.unreported:
        last = f"; the last was {safe_word(job.last_worker)}" if job.last_worker else ""
        last += _silence(job) if last else ""
        fields.append(("Worker", f"no live worker reports this job{last}"))
    return fields


def _args(job: JobDetails, width: int) -> str:
    text = json.dumps(job.args, ensure_ascii=False, default=str)
    if cell_len(text) > min(width, _LONGEST_LINE):
        text = json.dumps(job.args, ensure_ascii=False, indent=2, default=str)
    text = safe_block(text)
    if len(text) <= _LONGEST_ARGS:
        return text
    more = count_noun(len(text) - _LONGEST_ARGS, "more character")
    return f"{text[:_LONGEST_ARGS]}…\n({more} not shown; --json has all)"


def _error(run: FailedRun) -> str:
    if run.kind == "worker_lost":
        return safe_line(f"worker lost: {run.message}" if run.message else "worker lost")
    kind = short_task(run.exception_type) if run.exception_type else ""
    text = safe_line(": ".join(part for part in (kind, run.message) if part))
    return text or "error without a message"


def _render_run(run: FailedRun, job: JobDetails, page: Page) -> None:
    follows = "; a retry was due" if run.will_retry else ""
    page.line(f"Attempt {run.attempt}, {when(run.failed_at, job.as_of)}{follows}", indent=2)
    page.line(_error(run), "bold", indent=4)
    if run.traceback is not None:
        page.verbatim(safe_block(run.traceback.rstrip("\n")), indent=4)
    elif run.traceback_left_out:
        page.line("Its traceback is not shown here; --reveal shows all.", indent=4)
    elif run.alike is not None:
        page.line(run.name_alike(job.job_id), indent=4)
        page.verbatim(safe_block(run.alike.traceback.rstrip("\n")), indent=4)
    elif run.kind == "error":
        page.line(NO_TRACEBACK, indent=4)


PAGES: Pages = {JobDetails: render_job}
