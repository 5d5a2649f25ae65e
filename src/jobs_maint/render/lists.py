"""`stuck`, `workers` and `audit` for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from jobs_maint.durations import format_age, format_span, format_wait
from jobs_maint.models import (
    AuditEntry,
    AuditReport,
    StuckJob,
    StuckReport,
    WorkersReport,
    WorkerView,
    say_idle,
    say_not_shown,
    say_restart,
    say_silent,
    say_stuck,
    say_unregistered,
    say_workers,
    tell_by_hand,
)
from jobs_maint.quoting import cut_ids, in_quotes, requote
from jobs_maint.render.audited import tell_counts, tell_outcome
from jobs_maint.render.coverage import safe_reach, say_rest
from jobs_maint.render.page import (
    Column,
    Page,
    Pages,
    clock,
    number,
    table_with_text,
)
from jobs_maint.render.safe import name_tasks, safe_line, safe_word
from jobs_maint.render.verdict import count_noun

__all__ = ["PAGES"]

MOST_JOBS = 50
"""Rows of a table of running jobs; the rest is counted."""


def _say_calm(report: StuckReport, reach: str) -> str:
    if report.nothing_runs:
        return f"No job{reach} is running.{' No worker is live.' * report.no_worker}"
    return f"Every running job{reach} has a live worker."


def render_stuck(report: StuckReport, page: Page) -> None:
    reach = safe_reach(report.limited_to_queues)
    if report.stuck:
        has = "has" if len(report.stuck) == 1 else "have"
        jobs = count_noun(len(report.stuck), "running job")
        page.line(f"{jobs}{reach} {has} no live worker.", "bold red")
        page.line()
        _jobs_table(report.stuck, page, stuck=True)
        page.line()
        if then := report.say_next():
            page.line(then, "bold yellow" if report.rescue_idle else "")
        if not all(job.waits_for_beat for job in report.stuck):
            page.line("jobs-maint rescue acts at once on those that are due.")
    elif not report.silent:
        page.line(_say_calm(report, reach), "bold yellow" if report.no_worker else "bold green")
    if report.silent:
        _silent(report, page)
    for words, does in tell_by_hand((*report.stuck, *report.silent)):
        page.line(f"jobs-maint {words} {does}.")
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
    if report.jobs_not_shown:
        page.line(say_not_shown(report.jobs_not_shown), "bold yellow")


def _silent(report: StuckReport, page: Page) -> None:
    jobs = report.silent
    if report.stuck:
        page.line()
    longest = max(job.silent_seconds or 0.0 for job in jobs)
    acts = report.say_silent_acts()
    who = f"The worker of {count_noun(len(jobs), 'running job')}"
    silent = f"has been silent for {format_age(longest)} and may be dead"
    page.line(f"{who} {silent}.", "bold yellow")
    if not report.rescue_idle:
        page.line(f"If it stays silent, {acts}.")
    elif not report.stuck:
        page.line(say_idle(report.rescue_idle))
    page.line()
    _jobs_table(jobs, page, stuck=False)
    page.line()


def _jobs_table(all_jobs: Sequence[StuckJob], page: Page, *, stuck: bool) -> None:
    jobs = all_jobs[:MOST_JOBS]
    columns = [
        Column("ID", [str(job.job_id) for job in jobs], right=True),
        Column("Queue", [safe_word(job.queue) for job in jobs], 2, may_shrink=True),
        Column("Task", name_tasks([job.task for job in jobs]), may_shrink=True),
        Column("Running", [_age(job.running_seconds) for job in jobs], right=True),
        Column("Attempt", [str(job.attempts + 1) for job in jobs], 4, right=True),
        Column("Worker", [safe_word(job.worker) if job.worker else "–" for job in jobs], 3,
               may_shrink=True),
    ]  # fmt: skip
    if stuck:
        columns.append(Column("Rescue", [_due(job) for job in jobs]))
    page.table(columns)
    if len(all_jobs) > MOST_JOBS:
        page.line(f"{len(all_jobs) - MOST_JOBS:,} more not shown. --json has them.")


def _age(seconds: float | None) -> str:
    return "unknown" if seconds is None else format_age(seconds)


def _due(job: StuckJob) -> str:
    is_due = job.due_in_seconds is not None and job.due_in_seconds <= 0
    if job.acts_in_seconds is not None:
        return f"{'due, ' if is_due else ''}acts {format_wait(job.acts_in_seconds)}"
    if job.waits_for_beat:
        return "waits for a worker"
    if job.due_in_seconds is None:
        return "not noticed yet"
    return "due" if is_due else f"due {format_wait(job.due_in_seconds)} at the earliest"


def render_workers(report: WorkersReport, page: Page) -> None:
    # The silent ones first, then those that may be dead, then those that take no job.
    workers = sorted(
        report.workers,
        key=lambda worker: (worker.live, not worker.late, worker.state != "unregistered"),
    )
    if not workers:
        none = "No worker listens to a queue of yours." if report.hidden_workers else (
            "No worker is registered."
        )  # fmt: skip
        page.line(none, "bold red")
        return
    counts, cut_off = report.counts, report.unregistered
    doubt = counts.silent or counts.late or cut_off or report.lost_jobs or not counts.listening
    line = say_workers(counts, safe_reach(report.limited_to_queues))
    page.line(f"{line}.", "bold yellow" if doubt else "bold green")
    if not counts.live:
        page.line(safe_line(say_silent(workers)))
    if cut_off:
        page.line(f"{say_unregistered(cut_off)} {say_restart(len(cut_off))}")
    page.line()
    columns = [
        Column("Worker", [str(worker.worker_id) for worker in workers], right=True),
        Column("State", [worker.state for worker in workers]),
        Column("Where", [_where(worker) for worker in workers], may_shrink=True),
        Column("Queues", [_queues(worker) for worker in workers], 2, may_shrink=True),
        Column("Seen", [f"{format_age(worker.seen_seconds)} ago" for worker in workers], 1),
        Column("Jobs", [number(len(worker.jobs)) for worker in workers], right=True),
    ]
    page.table(columns)
    if report.hidden_workers:
        page.line(
            f"{count_noun(report.hidden_workers, 'more worker')} not shown: "
            "your role reaches none of their queues."
        )
    _running(report, workers, page)
    without = sum(not worker.recorder and worker.ran for worker in workers)
    if without:
        page.line()
        page.line(f"{count_noun(without, 'worker')} without a recorder: no error is recorded there "
                  "and host, pid and queues are unknown.")  # fmt: skip
    if idle := sum(not worker.ran for worker in workers):
        page.line()
        page.line(f"{count_noun(idle, 'worker')} with no job so far: host, pid and queues are not "
                  "known before the first.")  # fmt: skip


def _running(report: WorkersReport, workers: Sequence[WorkerView], page: Page) -> None:
    running = [(worker, job) for worker in workers for job in worker.jobs]
    if running:
        page.line()
        page.line("Running", "bold")
        shown = running[:MOST_JOBS]
        page.table(
            [
                Column("Worker", [str(worker.worker_id) for worker, _ in shown], right=True),
                Column("ID", [str(job.job_id) for _, job in shown], right=True),
                Column("Queue", [safe_word(job.queue) for _, job in shown], 2, may_shrink=True),
                Column("Task", name_tasks([job.task for _, job in shown]), may_shrink=True),
                Column("For", [_age(job.running_seconds) for _, job in shown], right=True),
            ]
        )
        if len(running) > MOST_JOBS:
            page.line(f"{len(running) - MOST_JOBS:,} more not shown. --json has them.")
    if report.lost_jobs:
        page.line()
        page.line(f"{say_stuck(report.lost_jobs)}: jobs-maint stuck.", "bold yellow")
    if report.jobs_not_shown:
        page.line(say_not_shown(report.jobs_not_shown), "bold yellow")


def _where(worker: WorkerView) -> str:
    if worker.host is None:
        return "unknown"
    return safe_word(worker.host if worker.pid is None else f"{worker.host} pid {worker.pid}")


def _queues(worker: WorkerView) -> str:
    if worker.queues is None:
        return "all" if worker.recorder else "unknown"
    return ", ".join(map(safe_word, worker.queues)) or "none"


def render_audit(report: AuditReport, page: Page) -> None:
    by = f" by {in_quotes(report.actor, 200)}" if report.actor is not None else ""
    requests = count_noun(report.total, "request")
    where = f"[{report.environment}] " if report.environment else ""
    page.line(
        f"{where}{requests[:1].upper()}{requests[1:]}{by} in the last "
        f"{format_span(report.since_seconds)}{', newest first' if report.total > 1 else ''}.",
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
    counts = [safe_line(tell_counts(entry)) for entry in entries]
    what = [
        f"{told}{': ' * bool(told)}{_what(entry)}"
        for told, entry in zip(counts, entries, strict=True)
    ]
    table_with_text(page, columns, Column("What", what), least=max(map(cell_len, counts)))
    page.line()
    not_shown = report.total - len(entries)
    if not_shown > 0:
        rest = say_rest(len(entries), report.total, "--since or --actor")
        page.line(f"{not_shown:,} more not shown; {rest}")
    page.line("To retry what a request changed: jobs-maint retry --request REQUEST")


def _took(entry: AuditEntry) -> str:
    return "–" if entry.elapsed_seconds is None else format_age(entry.elapsed_seconds)


def _what(entry: AuditEntry) -> str:
    text = safe_line(cut_ids(requote(entry.action)))
    return f"{text}; {safe_line(entry.error)}" if entry.error else text


PAGES: Pages = {
    StuckReport: render_stuck,
    WorkersReport: render_workers,
    AuditReport: render_audit,
}
