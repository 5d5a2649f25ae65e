"""`stats` and `failed` for people."""

from __future__ import annotations

from jobs_maint.durations import format_span, format_time
from jobs_maint.models import (
    FailedJob,
    FailedJobsReport,
    QueueStats,
    StatsReport,
    WorkerCounts,
    say_late,
    say_leaving,
)
from jobs_maint.quoting import in_quotes
from jobs_maint.render.coverage import (
    FATES_UNKNOWN,
    UNTIL_IN_FUTURE,
    safe_own,
    safe_reach,
    say_coverage,
    say_deleting,
    say_rest,
    say_task,
)
from jobs_maint.render.failures import render_errors
from jobs_maint.render.page import Column, Page, Pages, when
from jobs_maint.render.queues import ESTIMATES, counts_of, say_oldest
from jobs_maint.render.safe import name_tasks, safe_line, safe_word, short_task
from jobs_maint.render.verdict import (
    build_verdict,
    count_in_trouble,
    count_noun,
    say_rescued,
    sort_queues,
)
from jobs_maint.verbs import say_unrecorded

__all__ = ["PAGES", "render_error"]

MAINTENANCE_TASKS = 2
"""The purge and the rescue."""
LONGEST_NAME = 1_000
_ERROR_WIDTH = 50
"""With fewer cells left for it, the error goes on a line of its own."""


def render_stats(report: StatsReport, page: Page) -> None:
    verdict = build_verdict(report)
    page.line(safe_word(verdict.headline), f"bold {verdict.level}")
    if verdict.second_line:
        page.line(safe_word(verdict.second_line))
    if own := safe_own(report.own_jobs):
        page.line(own)
    queues = sort_queues(report.queues)
    if queues:
        page.line()
        _stats_tables(report, queues, page, strong_rows=count_in_trouble(queues))
        page.line()
        for line in _beside_the_table(queues, report.workers):
            page.line(line)
    if report.estimated:
        page.line(ESTIMATES)
    if report.workers.live or report.workers.silent:
        page.line(_workers(report))
    page.line(_maintenance(report))
    if report.hidden_queues:
        hidden = count_noun(report.hidden_queues, "queue")
        is_are = "is" if report.hidden_queues == 1 else "are"
        page.line(f"{hidden} {is_are} not shown: your role does not reach them.")
    if report.errors is not None:
        page.line()
        render_errors(report.errors, page)


def _stats_tables(
    report: StatsReport, queues: tuple[QueueStats, ...], page: Page, *, strong_rows: int
) -> None:
    """One table where all of it fits, else two."""

    def counts(header: str, field: str, keep: int) -> Column:
        return counts_of(header, queues, field, report.estimated, keep)

    oldest = [say_oldest(queue) for queue in queues]
    name = Column("Queue", [safe_word(queue.queue) for queue in queues], may_shrink=True)
    now = [
        counts("Ready", "ready", 1),
        counts("Scheduled", "scheduled", 5),
        counts("Doing", "doing", 3),
        counts("Failed", "failed", 4),
    ]
    ended = [
        counts("Succeeded", "succeeded", 0),
        counts("Cancelled", "cancelled", 1),
        counts("Aborted", "aborted", 2),
    ]
    lately = [
        counts("Failed\n1h", "failed_last_hour", 0),
        counts("Failed\n24h", "failed_last_day", 2),
        counts("Done\n24h", "done_last_day", 6),
        Column("Oldest", oldest, 0, right=True),
    ]
    if page.fits([name, *now, *ended, *lately]):
        page.table([name, *now, *ended, *lately], strong_rows=strong_rows)
        return
    page.table([name, *now, *lately], strong_rows=strong_rows)
    page.line()
    page.table([name, *ended])


def _beside_the_table(queues: tuple[QueueStats, ...], workers: WorkerCounts) -> list[str]:
    lines = []
    if retrying := sum(queue.retrying_last_hour for queue in queues):
        attempts = count_noun(retrying, "failed attempt")
        lines.append(f"Retried: {attempts} in the last hour.")
    if lost := sum(queue.lost_last_day for queue in queues):
        jobs = sum(queue.lost_jobs_last_day for queue in queues)
        lines.append(f"Rescued: {say_rescued(jobs, lost, ' in the last 24 hours')}.")
    if deleting := say_deleting(workers):
        lines.append(f"{deleting}.")
    return lines


def _workers(report: StatsReport) -> str:
    live, silent = report.workers.live, report.workers.silent
    none = "none listens" if live else "none live"
    told = [
        f"{live} live" if report.workers.listening else none,
        *say_leaving(report.workers, "of them " * bool(report.workers.listening)),
        say_late(report.workers),
        f"{silent} silent" * bool(silent),
    ]
    return f"Workers: {', '.join(one for one in told if one)}."


def _maintenance(report: StatsReport) -> str:
    runs = []
    for run in report.maintenance:
        failed = "" if run.succeeded else " FAILED"
        runs.append(f"{_duty(run.task)}{failed} {when(run.finished_at, report.as_of)}")
    for one in report.maintenance_deferred:
        was, end = "deferred", "not ended yet (a worker must listen to its queue)"
        if one.job_deleted:
            was, end = "due", "its job is deleted, so how it ended is not known"
        runs.append(f"{_duty(one.task)} {was} {when(one.deferred_at, report.as_of)}: {end}")
    none = not runs and len(report.maintenance_off) < MAINTENANCE_TASKS
    if off := [_duty(task) for task in report.maintenance_off]:
        runs.append(f"{' and '.join(off)} switched off (the cron is empty)")
    if none:
        runs.append(
            "no run yet. jobs_maint.register(app) adds it; a worker must listen to its queue"
        )
    return f"Maintenance: {'; '.join(runs)}."


def _duty(task: str) -> str:
    return safe_word(task.rsplit(":", 1)[-1])


def render_failed(report: FailedJobsReport, page: Page) -> None:
    page.line(_failed_headline(report), "bold red" if report.total else "bold")
    if report.until_in_future:
        page.line(UNTIL_IN_FUTURE, "yellow")
    if report.jobs:
        page.line()
        _failed_table(report, page)
        page.line()
        if report.not_shown > 0:
            beyond = "More than " if report.at_least else ""
            total = max(report.total, report.limit)
            rest = say_rest(report.limit, total, "a queue, --task or --since")
            page.line(f"{beyond}{report.not_shown:,} more not shown; {rest}")
        page.line(f"Details: jobs-maint status {report.jobs[0].job_id}")
    if report.settled:
        more = "more " if report.total else ""
        failed = count_noun(report.settled, f"{more}job")
        page.line(f"In that time {failed} failed, {report.say_others()}.")
    if report.fates_unknown:
        page.line(f"{FATES_UNKNOWN}.", "yellow")
    if report.hidden_jobs:
        jobs = count_noun(report.hidden_jobs, "matching job")
        page.line(f"{jobs} in other queues not shown: your role does not reach them.")


def _failed_headline(report: FailedJobsReport) -> str:
    parts = ["more than"] if report.at_least else []
    parts.append(count_noun(report.total, "failed job"))
    if which := say_coverage(report.queues, report.tasks):
        parts.append(safe_line(which))
    if reach := safe_reach(report.limited_to_queues):
        parts.append(reach.strip())
    if report.queue is not None:
        parts.append(f"in queue {safe_word(report.queue)}")
    if report.task is not None:
        parts.append(say_task(report.task, LONGEST_NAME))
    if report.error is not None:
        parts.append(f"with {in_quotes(report.error, 200)} in the error")
    if report.group is not None:
        parts.append(f"of the group {report.group}")
    span = format_span(report.since_seconds) if report.since_seconds is not None else ""
    if span and report.until is None:
        parts.append(f"in the last {span}")
    elif report.until is not None:
        to = format_time(report.until, seconds=True)
        parts.append(f"in the {span} to {to}" if span else f"until {to}")
    line = " ".join(parts)
    return f"{line[:1].upper()}{line[1:]}{', newest failure first' if report.total > 1 else ''}."


def _failed_table(report: FailedJobsReport, page: Page) -> None:
    jobs = report.jobs
    errors = [render_error(job) for job in jobs]
    columns = [
        Column("ID", [str(job.job_id) for job in jobs], right=True),
        Column("Queue", [safe_word(job.queue) for job in jobs], 2, may_shrink=True),
        Column("Task", name_tasks([job.task for job in jobs]), may_shrink=True),
        Column(
            "Failed (UTC)",
            [when(job.failed_at, report.as_of) if job.failed_at else "unknown" for job in jobs],
            1,
        ),
        Column("Attempts", [str(job.attempts) for job in jobs], 3, right=True),
    ]
    taken = sum(column.width + 2 for column in columns)
    if page.width - taken >= _ERROR_WIDTH:
        page.table([*columns, Column("Error", errors, may_shrink=True, is_text=True)])
        return
    alike = [i > 0 and error == errors[i - 1] for i, error in enumerate(errors)]
    below = ["" if same else error for same, error in zip(alike, errors, strict=True)]
    page.table(columns, below=below, below_indent=columns[0].width + 2)
    if any(alike):
        page.line()
        page.line("Jobs without a line of their own failed with the error above them.")


def render_error(job: FailedJob) -> str:
    """The error of a failed job on one line, safe for a terminal."""
    if not job.recorded:
        return say_unrecorded(awaited=job.awaited)
    parts = [safe_word(short_task(job.exception_type)) if job.exception_type else ""]
    parts.append(safe_line(job.message) if job.message else "")
    text = ": ".join(part for part in parts if part)
    if job.kind == "worker_lost":
        return f"worker lost{f': {text}' if text else ''}"
    return text or "error without a message"


PAGES: Pages = {StatsReport: render_stats, FailedJobsReport: render_failed}
