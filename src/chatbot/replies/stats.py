"""`stats`: which queue is in trouble, then the numbers."""

from __future__ import annotations

from chatbot.replies.message import Message
from chatbot.replies.packer import pack
from chatbot.replies.parts import Button, Line, Part, bold, buttons, code, context, paragraph, when
from chatbot.replies.parts import table as build_table
from chatbot.replies.words import count, cut, number
from jobs_maint.actions import ListFailed, ShowStats
from jobs_maint.durations import format_age, parse_window
from jobs_maint.models import QueueStats, StatsReport

__all__ = ["render_stats"]

BEHIND = 300.0
"""Seconds the oldest ready job waits before its queue counts as behind."""
SLOW = 60.0
MOST_ROWS = 60
HEADER = ("Queue", "Failed 1h", "Oldest", "Ready", "Failed 24h", "Done 24h")
_MAINTENANCE = {"purge": "purge", "rescue": "rescue"}


def render_stats(report: StatsReport, command: str) -> Message:
    queues = sorted(report.queues, key=_worst_first)
    if not queues:
        return pack([paragraph(_no_queues(report)), _context(report, [])])
    failed = sum(queue.failed_last_hour for queue in queues)
    late = [queue for queue in queues if _oldest(queue) >= SLOW]
    dot = _dot(report, queues)
    lines: list[Line] = [[f"{dot} ", bold(_verdict(queues, late, failed))]]
    if second := _second_line(report, queues):
        lines.append([second])
    clicks = [Button("Refresh", ShowStats(report.queue).words(), refresh=True)]
    if failed:
        words = ListFailed(queue=report.queue, since=parse_window("1h")).words()
        clicks.insert(0, Button(f"Show {count(failed, 'failure')}", words))
    notes: list[Line] = []
    if len(queues) > MOST_ROWS:
        left = count(len(queues) - MOST_ROWS, "more queue")
        notes.append([f"{left} not shown · ", code(f"{command} stats QUEUE")])
    if report.hidden_queues:
        what = count(report.hidden_queues, "queue is", "queues are")
        notes.append([f"{what} not shown: your role does not reach them"])
    shown = queues[:MOST_ROWS]
    return pack(
        [
            paragraph(*lines),
            _context(report, notes),
            buttons(*clicks),
            build_table(HEADER, [_row(q) for q in shown], bold_rows=int(_in_trouble(shown[0]))),
        ]
    )


def _worst_first(queue: QueueStats) -> tuple[bool, int, float, int, str]:
    return (
        not _in_trouble(queue),
        -queue.failed_last_hour,
        -_oldest(queue),
        -queue.failed_last_day,
        queue.queue,
    )


def _oldest(queue: QueueStats) -> float:
    return queue.oldest_ready_seconds or 0.0


def _in_trouble(queue: QueueStats) -> bool:
    return queue.failed_last_hour > 0 or _oldest(queue) >= BEHIND


def _dot(report: StatsReport, queues: list[QueueStats]) -> str:
    failed = sum(queue.failed_last_hour for queue in queues)
    done = sum(queue.done_last_hour for queue in queues)
    waiting = any(queue.ready or queue.doing for queue in queues)
    oldest = max(map(_oldest, queues))
    if oldest >= BEHIND or (waiting and not report.workers.live):
        return "🔴"
    # One job in twenty is no hiccup any more.
    if failed and failed * 20 >= failed + done:
        return "🔴"
    return "🟡" if failed or oldest >= SLOW else "🟢"


def _verdict(queues: list[QueueStats], late: list[QueueStats], failed: int) -> str:
    jobs = f"{count(failed, 'job')} failed in the last hour"
    if not late:
        where = "The queue keeps" if len(queues) == 1 else f"All {len(queues)} queues keep"
        if failed:
            return f"{jobs}; {where[0].lower()}{where[1:]} up."
        return f"{where} up; no job failed in the last hour."
    slowest = max(late, key=_oldest)
    name = cut(slowest.queue, 60)
    behind = f"{name} is {format_age(_oldest(slowest))} behind"
    if len(late) > 1:
        behind = f"{len(late)} queues are behind, {name} by {format_age(_oldest(slowest))}"
    return f"{behind}; {jobs if failed else 'no job failed in the last hour'}."


def _second_line(report: StatsReport, queues: list[QueueStats]) -> str:
    parts = []
    late = sum(_oldest(queue) >= SLOW for queue in queues)
    others = len(queues) - late
    if late and others:
        parts.append(f"The other {count(others, 'queue')} keep{'s' if others == 1 else ''} up.")
    live, silent = report.workers.live, report.workers.silent
    if not live:
        waiting = any(queue.ready or queue.doing for queue in queues)
        parts.append("No worker is live" + ("; nothing runs now." if waiting else "."))
    elif silent:
        parts.append(f"{live} of {count(live + silent, 'worker')} live.")
    else:
        parts.append(f"{count(live, 'worker')} live.")
    return " ".join(parts)


def _no_queues(report: StatsReport) -> Line:
    if report.queue is not None:
        return [
            "🟡 ",
            bold(f"There is no job in a queue named {cut(report.queue, 60)}."),
            " Without a name, stats shows all queues.",
        ]
    if report.hidden_queues:
        return ["🟡 ", bold("Your role reaches none of the queues that hold jobs.")]
    return ["🟢 ", bold("There is no job in the database yet.")]


def _context(report: StatsReport, notes: list[Line]) -> Part:
    line: list[object] = ["as of ", when(report.as_of, report.as_of)]
    for run in report.maintenance:
        name = run.task.rpartition(":")[2].partition("_")[0]
        line += [f" · last {name} ", when(run.finished_at, report.as_of)]
        if not run.succeeded:
            line.append(" failed")
    if not report.maintenance:
        line.append(" · no purge or rescue has run yet")
    return context(line, *notes)  # type: ignore[arg-type]


def _row(queue: QueueStats) -> tuple[str, ...]:
    oldest = queue.oldest_ready_seconds
    return (
        cut(queue.queue, 60),
        number(queue.failed_last_hour),
        format_age(oldest) if oldest is not None and queue.ready else "–",
        number(queue.ready),
        number(queue.failed_last_day),
        number(queue.done_last_day),
    )
