"""`errors`, `stuck`, `workers` and `audit` for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from jobs_maint.durations import format_age, format_time, format_wait
from jobs_maint.models import (
    AuditEntry,
    AuditReport,
    ErrorGroup,
    ErrorsReport,
    StuckJob,
    StuckReport,
    WorkersReport,
    WorkerView,
)
from jobs_maint.render.coverage import say_coverage
from jobs_maint.render.page import Column, Page, Pages, clock, number
from jobs_maint.render.remembered import say_person, say_state
from jobs_maint.render.safe import safe_line, safe_word, short_task
from jobs_maint.render.verdict import count_noun, tell_outcome

__all__ = ["PAGES", "groups_table", "render_errors"]

_TEXT_WIDTH = 40
"""With fewer cells left for it, a text goes on a line of its own."""
MOST_JOBS = 50
"""Rows of a table of running jobs; the rest is counted."""


def render_errors(report: ErrorsReport, page: Page) -> None:
    where = f" in queue {safe_word(report.queue)}" if report.queue is not None else ""
    if covered := say_coverage(report.queues, report.tasks):
        where += f" {safe_line(covered)}"
    span = format_age(report.since_seconds)
    lately = f"in the last {span}"
    if report.until is not None:
        lately = f"in the {span} to {format_time(report.until)}"
    failed = count_noun(report.failed, "failure")
    page.line(
        f"{failed[:1].upper()}{failed[1:]}{where} {lately}, "
        f"{report.failed_before:,} in the {span} before.",
        "bold red" if report.failed else "bold",
    )
    if report.groups:
        page.line()
        groups_table(report.groups, report.as_of, page)
        page.line()
    if report.groups_not_shown:
        groups = count_noun(report.groups_not_shown, "more group")
        failures = count_noun(report.failures_not_shown, "failure")
        page.line(
            f"{groups}, {failures}, not shown; "
            f"--limit {min(len(report.groups) + report.groups_not_shown, 1000)}"
        )
    samples = [group.sample_job_id for group in report.groups if group.sample_job_id]
    if samples:
        page.line(f"A job of the first group: jobs-maint status {samples[0]}")
    if report.limited_to_queues is not None:
        queues = ", ".join(map(safe_word, report.limited_to_queues))
        page.line(f"Only queues that your role reaches: {queues}.")


def groups_table(groups: Sequence[ErrorGroup], as_of: datetime, page: Page) -> None:
    def times(attribute: str) -> list[str]:
        found = [getattr(group, attribute) for group in groups]
        return ["–" if at is None else clock(at, as_of) for at in found]

    columns = [
        Column("Count", [number(group.count) for group in groups], right=True),
        Column("Before", [number(group.count_before) for group in groups], 4, right=True),
        Column("Trend", [say_state(group) or _trend(group) for group in groups]),
        Column("Task", [safe_word(short_task(group.task)) for group in groups], may_shrink=True),
        Column("First (UTC)", times("first_at"), 3),
        Column("Last (UTC)", times("last_at"), 1),
        Column("Sample", [str(group.sample_job_id or "–") for group in groups], right=True),
    ]
    if any(group.name for group in groups):
        columns.insert(1, Column("Group", [safe_word(group.name or "–") for group in groups]))
    if any(map(_who, groups)):
        owners = [_who(group, as_of) or "–" for group in groups]
        columns.append(Column("Who", owners, 2, may_shrink=True))
    _table_with_text(page, columns, Column("Error", [_error(group) for group in groups]))


def _trend(group: ErrorGroup) -> str:
    """A group that is known is not new, though the span before has none of it."""
    known = group.trend == "new" and group.state == "ongoing"
    return "ongoing" if known else safe_word(group.trend)


def _who(group: ErrorGroup, as_of: datetime | None = None) -> str:
    parts = [safe_word(say_person(group.taken_by))] if group.taken_by else []
    if group.muted_until is not None and as_of is not None:
        parts.append(f"muted until {clock(group.muted_until, as_of)}")
    elif group.muted_until is not None or group.muted_above is not None:
        parts.append(f"muted to {group.muted_above}/h")
    return ", ".join(parts)


def _error(group: ErrorGroup) -> str:
    if not group.recorded:
        return "error not recorded"
    kind = safe_word(short_task(group.exception_type)) if group.exception_type else ""
    text = safe_line(group.describe_message())
    return ": ".join(part for part in (kind, text) if part) or "error without a message"


def _table_with_text(page: Page, columns: Sequence[Column], text: Column) -> None:
    """The text as the last column where there is room for it, else below each row."""
    taken = sum(column.width + 2 for column in columns)
    if page.width - taken >= _TEXT_WIDTH:
        last = Column(text.header, text.cells, may_shrink=True)
        dropped = page.table([*columns, last])
    else:
        dropped = page.table(columns, below=text.cells, below_indent=columns[0].width + 2)
    _tell_dropped(page, dropped)


def _tell_dropped(page: Page, dropped: Sequence[str]) -> None:
    if dropped:
        page.line(f"Too narrow for: {', '.join(reversed(dropped))}. --json has them.")


def render_stuck(report: StuckReport, page: Page) -> None:
    if report.stuck:
        has = "has" if len(report.stuck) == 1 else "have"
        jobs = count_noun(len(report.stuck), "running job")
        page.line(f"{jobs} {has} no live worker.", "bold red")
        page.line()
        _jobs_table(report.stuck, page, stuck=True)
        page.line()
        page.line("jobs-maint rescue acts on those that say so; rescue ID acts on one earlier.")
    else:
        page.line("Every running job has a live worker.", "bold green")
    if report.long_running:
        runs = "runs" if len(report.long_running) == 1 else "run"
        page.line()
        page.line(f"{count_noun(len(report.long_running), 'job')} {runs} long.", "bold yellow")
        page.line()
        _jobs_table(report.long_running, page, stuck=False)
        page.line()
        page.line("jobs-maint cancel ID asks the worker to abort a job.")
    if report.hidden_jobs:
        jobs = count_noun(report.hidden_jobs, "running job")
        page.line(f"{jobs} in other queues not shown: your role does not reach them.")


def _jobs_table(all_jobs: Sequence[StuckJob], page: Page, *, stuck: bool) -> None:
    jobs = all_jobs[:MOST_JOBS]
    columns = [
        Column("ID", [str(job.job_id) for job in jobs], right=True),
        Column("Queue", [safe_word(job.queue) for job in jobs], 2, may_shrink=True),
        Column("Task", [safe_word(short_task(job.task)) for job in jobs], may_shrink=True),
        Column("Running", [_age(job.running_seconds) for job in jobs], right=True),
        Column("Attempts", [str(job.attempts) for job in jobs], 4, right=True),
        Column("Worker", [safe_word(job.worker) if job.worker else "–" for job in jobs], 3,
               may_shrink=True),
    ]  # fmt: skip
    if stuck:
        columns.append(Column("Rescue", [_due(job) for job in jobs]))
    _tell_dropped(page, page.table(columns))
    if len(all_jobs) > MOST_JOBS:
        page.line(f"{len(all_jobs) - MOST_JOBS:,} more not shown. --json has them.")


def _age(seconds: float | None) -> str:
    return "unknown" if seconds is None else format_age(seconds)


def _due(job: StuckJob) -> str:
    if job.due_in_seconds is None:
        return "not noticed yet"
    return f"acts {format_wait(job.due_in_seconds)}"


def render_workers(report: WorkersReport, page: Page) -> None:
    workers = sorted(report.workers, key=lambda worker: worker.live)  # the silent ones first
    live = sum(worker.live for worker in workers)
    if not workers:
        none = "No worker listens to a queue of yours." if report.hidden_workers else (
            "No worker is registered."
        )  # fmt: skip
        page.line(none, "bold red")
        return
    silent = len(workers) - live
    line = f"{live} of {count_noun(len(workers), 'worker')} live" if silent else (
        f"{count_noun(live, 'worker')} live"
    )  # fmt: skip
    page.line(f"{line}.", "bold yellow" if silent else "bold green")
    page.line()
    columns = [
        Column("Worker", [str(worker.worker_id) for worker in workers], right=True),
        Column("State", ["live" if worker.live else "silent" for worker in workers]),
        Column("Where", [_where(worker) for worker in workers], may_shrink=True),
        Column("Queues", [_queues(worker) for worker in workers], 2, may_shrink=True),
        Column("Seen", [f"{format_age(worker.seen_seconds)} ago" for worker in workers], 1),
        Column("Jobs", [number(len(worker.jobs)) for worker in workers], right=True),
    ]
    _tell_dropped(page, page.table(columns))
    if report.hidden_workers:
        page.line(
            f"{count_noun(report.hidden_workers, 'more worker')} not shown: "
            "your role reaches none of their queues."
        )
    running = [(worker, job) for worker in workers for job in worker.jobs]
    if running:
        page.line()
        page.line("Running", "bold")
        shown = running[:MOST_JOBS]
        dropped = page.table(
            [
                Column("Worker", [str(worker.worker_id) for worker, _ in shown], right=True),
                Column("ID", [str(job.job_id) for _, job in shown], right=True),
                Column("Queue", [safe_word(job.queue) for _, job in shown], 2, may_shrink=True),
                Column("Task", [safe_word(short_task(j.task)) for _, j in shown], may_shrink=True),
                Column("For", [_age(job.running_seconds) for _, job in shown], right=True),
            ]
        )
        _tell_dropped(page, dropped)
        if len(running) > MOST_JOBS:
            page.line(f"{len(running) - MOST_JOBS:,} more not shown. --json has them.")
    without = sum(not worker.recorder and worker.ran for worker in workers)
    if without:
        page.line()
        page.line(f"{count_noun(without, 'worker')} without a recorder: no error is recorded there "
                  "and host, pid and queues are unknown.")  # fmt: skip
    if idle := sum(not worker.ran for worker in workers):
        page.line()
        page.line(f"{count_noun(idle, 'worker')} with no job so far: host, pid and queues are not "
                  "known before the first.")  # fmt: skip


def _where(worker: WorkerView) -> str:
    if worker.host is None:
        return "unknown"
    return safe_word(worker.host if worker.pid is None else f"{worker.host} pid {worker.pid}")


def _queues(worker: WorkerView) -> str:
    if worker.queues is None:
        return "all" if worker.recorder else "unknown"
    return ", ".join(map(safe_word, worker.queues))


def render_audit(report: AuditReport, page: Page) -> None:
    by = f" by {safe_line(report.actor)!r}" if report.actor is not None else ""
    requests = count_noun(report.total, "request")
    page.line(
        f"{requests[:1].upper()}{requests[1:]}{by} in the last {format_age(report.since_seconds)}"
        f"{', newest first' if report.total > 1 else ''}.",
        "bold",
    )
    entries = report.entries
    if not entries:
        return
    page.line()
    columns = [
        Column("Request", [str(entry.audit_id) for entry in entries], right=True),
        Column("When (UTC)", [clock(entry.started_at, report.as_of) for entry in entries]),
        Column("Who", [safe_word(entry.actor) for entry in entries], 0, may_shrink=True),
        Column("Outcome", [safe_word(tell_outcome(entry)) for entry in entries]),
        Column("Took", [_took(entry) for entry in entries], 1, right=True),
    ]
    _table_with_text(page, columns, Column("What", [_what(entry) for entry in entries]))
    page.line()
    not_shown = report.total - len(entries)
    if not_shown > 0:
        page.line(f"{not_shown:,} more not shown; --limit {min(report.total, 1000)}")
    page.line("To retry what a request changed: jobs-maint retry --request REQUEST")


def _took(entry: AuditEntry) -> str:
    return "–" if entry.elapsed_seconds is None else format_age(entry.elapsed_seconds)


def _what(entry: AuditEntry) -> str:
    counts = ", ".join(
        count_noun(count, "job") if name == "jobs" else f"{count:,} {safe_word(name)}"
        for name, count in entry.counts.items()
    )
    text = f"{safe_line(entry.action)}{f' ({counts})' if counts else ''}"
    return f"{text}: {safe_line(entry.error)}" if entry.error else text


PAGES: Pages = {
    ErrorsReport: render_errors,
    StuckReport: render_stuck,
    WorkersReport: render_workers,
    AuditReport: render_audit,
}
