"""`workers`: how many are live, what they run, then each of them, the silent ones first."""

from __future__ import annotations

from chatbot.messages.message import Message, Messages
from chatbot.messages.packer import cut_rows, pack, turn_page
from chatbot.messages.parts import (
    Button,
    Line,
    Part,
    bold,
    buttons,
    code,
    context,
    paragraph,
    table,
    when,
)
from chatbot.messages.words import all_well, count, cut, name_queue, number, short_task
from jobs_maint.actions import ListStuck, ListWorkers
from jobs_maint.durations import format_age
from jobs_maint.models import (
    StuckJob,
    WorkersReport,
    WorkerView,
    say_not_shown,
    say_restart,
    say_silent,
    say_stuck,
    say_unregistered,
    say_workers,
)
from jobs_maint.render import say_reach

__all__ = ["MESSAGES", "render_workers"]

HEADER = ("Worker", "State", "Seen", "Jobs", "Longest", "Queues")
WORDS = {"State", "Queues"}
WORSE = {"silent", "late", "unregistered"}
MOST_RUNNING = 10


def render_workers(report: WorkersReport, *, page: int = 1) -> Message:
    if not report.workers:
        none = "No worker is registered."
        if report.hidden_workers:
            none = "No worker listens to a queue that your role reaches."
        line: Line = ["🔴 ", bold(none)]
        about = "No job runs until one starts; waiting jobs are kept."
        as_of = context(["as of ", when(report.as_of, report.as_of)])
        refresh = Button("Refresh", ListWorkers().words(), refresh=True)
        return pack([paragraph(line, [about]), as_of, buttons(refresh)])
    workers = sorted(report.workers, key=_order)
    silent = [worker for worker in workers if not worker.live]
    running = sorted(
        ((job, worker) for worker in workers if worker.live for job in worker.jobs),
        key=lambda pair: -(pair[0].running_seconds or 0.0),
    )
    sure = sum(not worker.late for _job, worker in running)
    clicks = [Button("Refresh", ListWorkers().words(), refresh=True)]
    if silent or report.lost_jobs or any(worker.late for worker in workers):
        clicks.insert(0, Button("Show stuck jobs", ListStuck().words()))
    there = cut_rows(len(workers), page)
    lines = _headline(report, workers, silent, sure)
    if cut_off := report.unregistered:
        lines.append([f"{say_unregistered(cut_off)} {say_restart(len(cut_off))}"])
    if report.lost_jobs:
        lines.append([f"{say_stuck(report.lost_jobs)}."])
    parts = [paragraph(*lines), _notes(report)]
    if running and there.start == 0:
        lines = [_running(job, worker) for job, worker in running[:MOST_RUNNING]]
        if len(running) > MOST_RUNNING:
            left = len(running) - MOST_RUNNING
            lines.append([f"and {count(left, 'more job')} running for less time"])
        parts.append(paragraph(*lines))
    shown = [workers[i] for i in there]
    worse = sum(worker.state in WORSE for worker in shown)
    rows = [_row(worker) for worker in shown]
    turn = turn_page(there, len(workers), page + 1, "workers", lambda _n: ListWorkers().words())
    told = [_sentence(worker) for worker in shown]
    return pack([*parts, *turn, buttons(*clicks), table(HEADER, rows, told, worse, WORDS)])


def _order(worker: WorkerView) -> tuple[bool, bool, bool, float]:
    """The silent ones first, then those that may be dead, then those that take no job."""
    return worker.live, not worker.late, not _is_unregistered(worker), -_longest(worker)


def _longest(worker: WorkerView) -> float:
    return max((job.running_seconds or 0.0 for job in worker.jobs), default=0.0)


def _headline(
    report: WorkersReport, workers: list[WorkerView], silent: list[WorkerView], running: int
) -> list[Line]:
    counts, reach = report.counts, say_reach(report.limited_to_queues)
    live = len(workers) - len(silent)
    runs = f"No live worker runs a job{reach}"
    if running:
        runs = f"{count(running, 'job is', 'jobs are')} running"
    if not live:
        first: Line = ["🔴 ", bold(f"No worker is live; {count(len(silent), 'is', 'are')} silent.")]
        return [first, [say_silent(silent)]]
    if not counts.listening and counts.stopping:
        told = f"{say_workers(counts, reach)}."
        return [["🔴 ", bold(told)], [f"{runs}. No job starts until a worker does."]]
    if silent:
        return [
            ["🟡 ", bold(f"{live:,} of {count(len(workers), 'worker')} live.")],
            [f"{runs}. {_tell_silent(silent)}."],
        ]
    if late := [worker for worker in workers if worker.late]:
        some = "The only worker" if live == 1 else f"{len(late):,} of {live:,} workers"
        ago = _seen(max(late, key=_seen_at))
        which = "It was" if len(late) == 1 else "The first was"
        what = bold(f"{some} missed a beat and may be dead.")
        had = _tell_had(late)
        if had and not running:
            runs = f"No other live worker runs a job{reach}"
        return [["🟡 ", what], [f"{which} seen {ago}{had}. {runs}."]]
    if cut_off := sum(map(_is_unregistered, workers)):
        some = "The only worker takes" if live == 1 else (
            f"{cut_off:,} of {live:,} workers {'takes' if cut_off == 1 else 'take'}"
        )  # fmt: skip
        return [["🟡 ", bold(f"{some} no more jobs.")], [f"{runs}."]]
    which = f"{count(live, 'worker is', 'workers are')} live{reach}, none is silent."
    if counts.stopping:
        which = f"{say_workers(counts, reach)}."
    dot = all_well(report.limited_to_queues, sure=not report.lost_jobs)
    return [[dot, bold(which)], [f"{runs}."]]


def _is_unregistered(worker: WorkerView) -> bool:
    return worker.state == "unregistered"


def _tell_silent(silent: list[WorkerView]) -> str:
    which = "The silent one" if len(silent) == 1 else "The last of the silent ones"
    return f"{which} was seen {_seen(min(silent, key=_seen_at))}{_tell_had(silent)}"


def _tell_had(workers: list[WorkerView]) -> str:
    jobs = sum(len(worker.jobs) for worker in workers)
    return f"; {'it' if len(workers) == 1 else 'they'} had {count(jobs, 'job')}" if jobs else ""


def _seen_at(worker: WorkerView) -> float:
    return worker.seen_seconds


def _seen(worker: WorkerView) -> str:
    return f"{format_age(worker.seen_seconds)} ago"


def _running(job: StuckJob, worker: WorkerView) -> Line:
    span = f" for {format_age(job.running_seconds)}" if job.running_seconds is not None else ""
    where = f" on {_name(worker)}{', which may be dead' if worker.late else ''}"
    return [bold(short_task(job.task)), "  job ", code(str(job.job_id)), f"{span}{where}"]


def _name(worker: WorkerView) -> str:
    """The host without its domain: with the pid that is enough, and a phone is narrow."""
    if worker.host is None:
        return f"worker {worker.worker_id}"
    whole = worker.host[:200]
    first, _, rest = whole.partition(".")
    host = whole if not rest or first.isdigit() else first
    return cut(host, 40) + (f" pid {worker.pid}" if worker.pid is not None else "")


def _sentence(worker: WorkerView) -> Line:
    """The row in words."""
    told = f": {worker.state}, seen {_seen(worker)}"
    if worker.jobs:
        longest = format_age(_longest(worker))
        runs = "runs" if worker.live and not worker.late else "had"
        told += f", {runs} {count(len(worker.jobs), 'job')}, the longest for {longest}"
    return [bold(_name(worker)), f"{told}; queues: {_queues(worker)}"]


def _queues(worker: WorkerView) -> str:
    if worker.queues is None:
        return "all" if worker.recorder else "not known"
    return cut(", ".join(name_queue(queue) for queue in worker.queues[:20]), 60) or "none"


def _row(worker: WorkerView) -> tuple[str, ...]:
    return (
        _name(worker),
        worker.state,
        format_age(worker.seen_seconds),
        number(len(worker.jobs)),
        format_age(_longest(worker)) if worker.jobs else "–",
        _queues(worker),
    )


def _notes(report: WorkersReport) -> Part:
    line: Line = ["as of ", when(report.as_of, report.as_of)]
    notes: list[Line] = [line]
    if report.hidden_workers:
        what = count(report.hidden_workers, "worker is", "workers are")
        notes.append([f"{what} not shown: your role reaches none of their queues"])
    if report.jobs_not_shown:
        notes.append([say_not_shown(report.jobs_not_shown).rstrip(".")])
    without = sum(not worker.recorder and worker.ran for worker in report.workers)
    if not without:
        return context(*notes)
    which = f"{count(without, 'worker has', 'workers have')} no recorder"
    they, their = ("it runs", "its") if without == 1 else ("they run", "their")
    return context(
        *notes, [f"{which}: what {they} is not known, and {their} errors are not recorded"]
    )


MESSAGES: Messages = {
    WorkersReport: lambda report, wanted: render_workers(report, page=wanted.page)
}
