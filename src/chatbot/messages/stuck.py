"""`stuck`: running jobs whose worker is gone, what the rescue does next, then jobs running long."""

from __future__ import annotations

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
from chatbot.messages.words import all_well, count, cut, name_queue, short_task
from jobs_maint.actions import CancelJobs, GetJob, ListStuck, RescueJobs, RescueStalled
from jobs_maint.durations import format_age, format_wait
from jobs_maint.models import (
    StuckJob,
    StuckReport,
    say_idle,
    say_not_shown,
    tell_by_hand,
)
from jobs_maint.render import say_reach

__all__ = ["MESSAGES", "render_stuck"]

SURE = (
    "Jobs on which the rescue acts now are put back, or fail if the policy says so. "
    "Jobs that a live worker runs are left alone."
)

SURE_ONE = (
    "If its worker is dead, the job is put back, or fails if the policy says so. "
    "If its worker was heard a moment ago, you are asked once more."
)


def render_stuck(report: StuckReport, command: str = "/jobs", *, page: int = 1) -> Message:
    stuck = sorted(report.stuck, key=_acts_in)
    jobs = [*stuck, *report.silent, *report.long_running]
    clicks = [Button("Refresh", ListStuck().words(), refresh=True)]
    if due := sum(map(_is_due, stuck)):
        label = f"Rescue {count(due, 'job')}"
        clicks.insert(0, Button(label, RescueStalled().words(), "primary", sure=SURE))
    notes: list[Line] = [["as of ", when(report.as_of, report.as_of)]]
    if report.hidden_jobs:
        hidden = count(report.hidden_jobs, "running job")
        notes.append([f"{hidden} in queues that your role does not reach"])
    if report.jobs_not_shown:
        notes.append([say_not_shown(report.jobs_not_shown).rstrip(".")])
    lines = _headline(report)
    lost = (*stuck, *report.silent)
    if lost and (report.rescue_idle or not due):
        for words, does in tell_by_hand(lost):
            admins = " (for admins)" * ("--force" in words)
            lines.append([code(f"{command} {words}"), f"{admins} {does}."])
    head = [paragraph(*lines), context(*notes), buttons(*clicks)]
    items = [_item(job, idle=report.rescue_idle is not None) for job in jobs]
    return pack_pages(
        head,
        items,
        page=page,
        total=len(jobs),
        noun="jobs",
        more=lambda _needed: ListStuck().words(),
    )


def _headline(report: StuckReport) -> list[Line]:
    reach = say_reach(report.limited_to_queues)
    stuck, long = len(report.stuck), len(report.long_running)
    runs = f"{count(long, 'job is', 'jobs are')} running long"
    if not stuck:
        if report.silent:
            return _tell_silence(report, f" {runs}." if long else "")
        if report.nothing_runs:
            dot = all_well(report.limited_to_queues, sure=not report.no_worker)
            head: Line = [dot, bold(f"No job{reach} is running.")]
            return [head, ["No worker is live."]] if report.no_worker else [head]
        if not long:
            dot, all_run = all_well(report.limited_to_queues), f"Every running job{reach}"
            return [[dot, bold(f"{all_run} has a live worker.")], ["None is running long."]]
        return [["🟡 ", bold(f"{runs}{reach}.")], ["Every running job has a live worker."]]
    has = "has" if stuck == 1 else "have"
    lines: list[Line] = [["🔴 ", bold(f"{count(stuck, 'job')}{reach} {has} no live worker.")]]
    then = [report.say_next()]
    if report.silent:
        then.append(f"{_say_silent(report.silent, 'more job')}.")
    if long:
        then.append(f"{runs}.")
    return [*lines, [" ".join(filter(None, then))]]


def _tell_silence(report: StuckReport, more: str) -> list[Line]:
    acts = report.say_silent_acts()
    then = say_idle(report.rescue_idle) if report.rescue_idle else f"If it stays silent, {acts}."
    return [
        ["🟡 ", bold(f"{_say_silent(report.silent, 'running job')} and may be dead.")],
        [f"{then}{more}"],
    ]


def _say_silent(jobs: tuple[StuckJob, ...], noun: str) -> str:
    """By the worker that has been silent for longest."""
    longest = max(job.silent_seconds or 0.0 for job in jobs)
    return f"The worker of {count(len(jobs), noun)} has been silent for {format_age(longest)}"


def _is_due(job: StuckJob) -> bool:
    return job.due_in_seconds is not None and job.due_in_seconds <= 0


def _due_in(job: StuckJob) -> float:
    return float("inf") if job.due_in_seconds is None else job.due_in_seconds


def _acts_in(job: StuckJob) -> float:
    return _due_in(job) if job.acts_in_seconds is None else job.acts_in_seconds


def _item(job: StuckJob, *, idle: bool) -> list[Part]:
    """`idle`: the rescue does nothing by itself."""
    line: list[Span | str] = [bold(short_task(job.task)), "  job ", code(str(job.job_id))]
    facts = [name_queue(job.queue)]
    if job.running_seconds is not None:
        facts.append(f"running {format_age(job.running_seconds)}")
    if job.attempts:
        facts.append(f"attempt {job.attempts + 1}")
    line += [f" · {fact}" for fact in facts]
    clicks = [Button("Details", GetJob(job.job_id).words())]
    if idle and job.by_hand_in_seconds is not None:
        words = RescueJobs((job.job_id,)).words()
        clicks.append(Button(f"Rescue job {job.job_id}", words, sure=SURE_ONE))
    if job.named:
        clicks.append(Button(f"Stop job {job.job_id}", CancelJobs((job.job_id,)).words()))
    return [divider(), paragraph(line, [_state(job, idle=idle)]), buttons(*clicks)]


def _state(job: StuckJob, *, idle: bool) -> str:
    who = cut(job.worker, 80) if job.worker else ""
    if job.silent_seconds is not None:
        return f"{f'on {who}, ' if who else ''}silent for {format_age(job.silent_seconds)}"
    if job.named:
        return f"running long, on {who}" if who else "running long, on a live worker"
    seen = f"last on {who}, which no longer reports it" if who else "no worker reports it"
    if not who and job.by_hand_in_seconds is None:
        seen = "no worker ever reported it, and one may still run it"
    if job.noticed_seconds is not None:
        noticed = f"{seen}; noticed {format_age(job.noticed_seconds)} ago"
    else:
        noticed = seen if idle else f"{seen}; not noticed by the rescue yet"
    if job.acts_in_seconds is None:
        return noticed
    return f"{noticed}, the rescue acts {format_wait(job.acts_in_seconds)}"


MESSAGES: Messages = {
    StuckReport: lambda report, wanted: render_stuck(report, wanted.command, page=wanted.page)
}
