"""`stats`: which queue is in trouble, then the numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from chatbot.messages.message import Message, Messages
from chatbot.messages.own import tell_own
from chatbot.messages.packer import cut_rows, pack, turn_page
from chatbot.messages.parts import (
    Button,
    Line,
    Part,
    Span,
    bold,
    buttons,
    code,
    context,
    paragraph,
    when,
)
from chatbot.messages.parts import table as build_table
from chatbot.messages.words import DOTS, count, name_queue, number
from jobs_maint.actions import ListFailed, ListStuck, ShowStats
from jobs_maint.durations import format_age
from jobs_maint.models import QueueStats, StatsReport, word_of_task
from jobs_maint.render import build_verdict, count_in_trouble, say_deleting, sort_queues

__all__ = ["MESSAGES", "draw_queues", "render_stats"]

AT_ONCE, UNKNOWN = "< 1 s", "unknown"
HEADER = ("Queue", "Failed 1h", "Oldest", "Ready", "Doing", "Failed 24h", "Done 24h")
Estimated = Mapping[str, Collection[str]]
"""By queue, the fields that are estimates."""


def render_stats(report: StatsReport, command: str, *, page: int = 1) -> Message:
    queues = sort_queues(report.queues)
    if not queues:
        return pack([paragraph(*_no_queues(report, command)), _context(report, [])])
    failed = sum(queue.failed_last_hour for queue in queues)
    lines = [*_verdict(report), _tell_others(report), tell_own(report.own_jobs, command)]
    clicks = [Button("Refresh", ShowStats(report.queue).words(), refresh=True)]
    there_now = report.failed_now
    if there_now is None:
        there_now = failed - report.deleted_since
    if failed and there_now:
        asked = ListFailed(queue=report.queue, since=timedelta(hours=1), until=report.as_of)
        what = "failure" if there_now == failed else "failed job"
        clicks.insert(0, Button(f"Show {count(there_now, what)}", asked.words()))
    elif _count_failed_before(report):
        clicks.insert(0, Button("Show failed jobs", ListFailed(queue=report.queue).words()))
    if report.stuck_jobs:
        clicks.insert(0, Button("Show stuck jobs", ListStuck().words()))
    notes: list[Line] = []
    if report.hidden_queues:
        what = count(report.hidden_queues, "queue is", "queues are")
        notes.append([f"{what} not shown: your role does not reach them"])
    if any({"ready", "scheduled", "failed"} & set(one) for one in report.estimated.values()):
        notes.append(["≈ is an estimate from part of the table, because there are many such jobs"])
    if deleting := say_deleting(report.workers):
        notes.append([deleting])
    there = cut_rows(len(queues), page)
    shown = [queues[i] for i in there]
    words = ShowStats(report.queue).words()
    return pack(
        [
            paragraph(*lines),
            _context(report, notes),
            *turn_page(there, len(queues), page + 1, "queues", lambda _needed: words),
            buttons(*clicks),
            draw_queues(shown, report.estimated, deleting=report.workers.deleting > 0),
        ]
    )


def draw_queues(
    queues: Sequence[QueueStats], estimated: Estimated, *, deleting: bool = False
) -> Part:
    """Those in trouble first, and bold.

    `deleting`: workers delete jobs that succeeded, so none known to be done may be many.
    """
    rows = [_row(queue, estimated) for queue in queues]
    told = _sentences(queues, estimated, deleting=deleting)
    return build_table(HEADER, rows, told, count_in_trouble(queues))


def _verdict(report: StatsReport) -> list[Line]:
    verdict = build_verdict(report)
    return [[f"{DOTS[verdict.level]} ", bold(verdict.headline)], [verdict.second_line]]


def _count_failed_before(report: StatsReport) -> int | None:
    """Jobs that are failed now and failed before the last hour; None where nobody counted."""
    lately = sum(queue.failed_last_hour for queue in report.queues)
    still = report.failed_now if lately else 0
    failed = sum(queue.failed for queue in report.queues)
    return None if still is None else max(failed - still, 0)


def _tell_others(report: StatsReport) -> Line:
    """What the table has no room for on a phone."""
    told = []
    if before := _count_failed_before(report):
        about, jobs = _round(report, "failed", before)
        are = "is" if before == 1 else "are"
        told.append(f"{about}{count(jobs, 'job')} that failed before {are} still failed.")
    if later := sum(queue.scheduled for queue in report.queues):
        about, jobs = _round(report, "scheduled", later)
        told.append(f"{about}{count(jobs, 'job is', 'jobs are')} scheduled for later.")
    return [" ".join(told)] if told else []


def _round(report: StatsReport, field: str, jobs: int) -> tuple[str, int]:
    """A sum of estimates is one."""
    if any(field in fields for fields in report.estimated.values()):
        return "≈", int(float(f"{jobs:.3g}"))
    return "", jobs


def _no_queues(report: StatsReport, command: str) -> list[Line]:
    if report.queue is None and report.hidden_queues:
        return [["🟡 ", bold("Your role reaches none of the queues that hold jobs.")]]
    verdict, second = _verdict(report)
    if report.queue is not None:
        verdict = [*verdict, " ", code(f"{command} stats"), " shows all queues."]
    return [verdict, second, tell_own(report.own_jobs, command)]


def _context(report: StatsReport, notes: list[Line]) -> Part:
    line: list[Span | str] = ["as of ", when(report.as_of, report.as_of)]
    for run in report.maintenance:
        line += [f" · last {run.word} ", when(run.finished_at, report.as_of)]
        line += [] if run.succeeded else [" failed"]
    for one in report.maintenance_deferred:
        was = "due" if one.job_deleted else "deferred"
        line += [f" · {one.word} {was} ", when(one.deferred_at, report.as_of)]
        line.append(", its job is deleted" if one.job_deleted else ", not ended yet")
    line += [f" · {word_of_task(task)} is switched off" for task in report.maintenance_off]
    if not (report.maintenance or report.maintenance_deferred or report.maintenance_off):
        line.append(" · no purge or rescue has run yet")
    return context(line, *notes)


def _row(queue: QueueStats, estimated: Estimated) -> tuple[str, ...]:
    return (
        name_queue(queue.queue),
        number(queue.failed_last_hour),
        _oldest(queue) or "–",
        f"{_about(queue, estimated)}{number(queue.ready)}",
        number(queue.doing),
        number(queue.failed_last_day),
        number(queue.done_last_day),
    )


def _sentences(queues: Sequence[QueueStats], estimated: Estimated, *, deleting: bool) -> list[Line]:
    """`webhook: 37 failed in the last hour, oldest waits 14 min`: the row without its zeros."""
    lines: list[Line] = []
    quiet = []
    for queue in queues:
        now = []
        if queue.failed_last_hour:
            now.append(f"{queue.failed_last_hour:,} failed in the last hour")
        oldest = _oldest(queue)
        if oldest and oldest not in {AT_ONCE, UNKNOWN}:
            now.append(f"oldest waits {oldest}")
        if queue.ready:
            now.append(f"{_about(queue, estimated)}{queue.ready:,} ready")
        if queue.doing:
            now.append(f"{queue.doing:,} doing")
        if queue.scheduled:
            now.append(f"{queue.scheduled:,} scheduled")
        if queue.failed > queue.failed_last_hour:
            now.append(f"{queue.failed:,} failed in all")
        day = [f"{queue.failed_last_day:,} failed"] if queue.failed_last_day else []
        day += [f"{queue.done_last_day:,} done"] if queue.done_last_day else []
        told = [", ".join(now)] if now else []
        told += [f"in 24 hours {', '.join(day)}"] if day else []
        name = name_queue(queue.queue)
        if told:
            lines.append([bold(name), f": {'; '.join(told)}"])
        else:
            quiet.append(name)
    if quiet:
        done = ", waits or runs" if deleting else ", waits, runs or was done"
        lines.append([f"Nothing failed{done} in 24 hours: {', '.join(quiet)}"])
    return lines


def _about(queue: QueueStats, estimated: Estimated) -> str:
    return "≈" if "ready" in estimated.get(queue.queue, ()) else ""


def _oldest(queue: QueueStats) -> str:
    """How long the oldest ready job waits; empty when none does."""
    seconds = queue.oldest_ready_seconds
    if not queue.ready:
        return ""
    if seconds is None:
        return UNKNOWN
    return format_age(seconds) if seconds >= 1 else AT_ONCE


MESSAGES: Messages = {
    StatsReport: lambda report, wanted: render_stats(report, wanted.command, page=wanted.page)
}
