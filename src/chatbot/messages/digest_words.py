"""What a digest says before its groups: what is wrong now, how many failed, what else was."""

from __future__ import annotations

from collections.abc import Sequence

from chatbot.messages.act_words import one_line
from chatbot.messages.incident_words import capital, say_advice, say_kind
from chatbot.messages.parts import Line, Span, bold, when
from chatbot.messages.words import (
    count,
    cut,
    defuse,
    name_queue,
    say_change,
    say_span,
    sentence,
)
from jobs_maint.durations import format_age
from jobs_maint.models import (
    DigestReport,
    Incident,
    IncidentKind,
    QueueStats,
    say_abandoned,
    say_alive,
)
from jobs_maint.render import (
    find_red,
    is_old,
    say_aside,
    say_calm,
    say_condition,
    say_coverage,
    say_deleting,
    say_past_why,
    say_person,
    say_reach,
    say_settled,
    say_times,
    say_with_end,
    sort_incidents,
)

__all__ = ["list_late", "tell_more", "tell_verdict"]

BEHIND = 300.0
SHORT = 3_300.0
"""Seconds, below which the end of a window matters that is a little before its post."""
MOST_INCIDENTS = 3
_FIRST = list(IncidentKind)
"""The kinds, the worst first."""


def list_late(queues: Sequence[QueueStats]) -> list[QueueStats]:
    """The latest first."""
    late = [queue for queue in queues if (queue.oldest_ready_seconds or 0) >= BEHIND]
    return sorted(late, key=lambda queue: -(queue.oldest_ready_seconds or 0))


def tell_verdict(report: DigestReport) -> Line:
    """What is wrong at the end comes first; when the last job failed, if that is a while ago."""
    line: list[Span | str] = [bold(_say_verdict(report))]
    last = report.last_failed_at
    leader = _find_leader(report)
    if leader is not None and is_old(leader, report.until):
        line += [" As of ", when(leader.seen_at, report.until), ", when the bot looked last."]
    if report.failed and last is not None and report.has_stopped(last):
        line += [" None since ", when(last, report.until), "."]
    return [*line, f" {said}"] if (said := report.say_standing()) else line


def _say_verdict(report: DigestReport) -> str:
    span, before = say_span((report.until - report.since).total_seconds())
    queues = report.only_queues or ((report.queue,) if report.queue is not None else None)
    lately = f"in the last {span}"
    if report.window_id and (report.until - report.since).total_seconds() < SHORT:
        # It ended before it was posted, and its context says when.
        lately = f"in {'one ' * (span == 'minute')}{span}"
    covered, first = say_coverage(queues, report.only_tasks), _say_first(report)
    covered += say_reach(report.limited_to_queues) + say_aside(report.own_jobs)
    if report.failed:
        change = say_change(report.failed, report.failed_before, before)
        failed = f"{count(report.failed, 'failure')}{covered} {lately}, {change}."
        return f"{first}; {failed}" if first and not _late_beside(report) else failed
    if first:
        return f"{first}; no job{covered} failed {lately}."
    if not report.ran:
        return f"No job{covered} ran {lately}."
    change = say_change(0, report.failed_before, before)
    return f"No job{covered} failed {lately}, {change}."


def _say_first(report: DigestReport) -> str:
    """What is wrong at the end of the window beside failures; empty where nothing is."""
    leader, late = _find_leader(report), list_late(report.queues)
    one = leader and find_red(leader)
    if one is None or (one.kind is IncidentKind.QUEUE_BEHIND and late):
        return _say_late(late) if late else ""
    if one.kind is IncidentKind.NO_WORKER:
        return capital(one, say_kind(one).named)
    said = ", ".join(filter(None, (say_condition(one), say_settled(one))))
    return cut(defuse(said), 200)


def _find_leader(report: DigestReport) -> Incident | None:
    """The worst open incident that is red; where the number of failures is told, no such one."""
    found = [(one, find_red(one)) for one in report.incidents if one.is_open]
    there = [
        (_FIRST.index(red.kind), i)
        for i, (_, red) in enumerate(found)
        if red is not None and not (report.failed and red.kind.is_count)
    ]
    return found[min(there)[1]][0] if there else None


def _late_beside(report: DigestReport) -> bool:
    """Whether queues are late, which is no incident, while jobs failed."""
    return bool(report.failed and _find_leader(report) is None)


def _say_late(late: Sequence[QueueStats]) -> str:
    name, age = name_queue(late[0].queue), format_age(late[0].oldest_ready_seconds or 0)
    others = f", and {count(len(late) - 1, 'more queue')} too" if len(late) > 1 else ""
    return f"{name} is {age} behind{others}"


def tell_more(report: DigestReport) -> list[Line]:
    """The lines after the verdict."""
    leader = _find_leader(report)
    advice = say_advice(leader) if leader else ""
    lines: list[Line] = [[advice]] if advice else []
    if said := _say_counts(report):
        lines.append([said])
    there = sort_incidents(report.incidents)
    lines += [_tell_incident(one, report) for one in there[:MOST_INCIDENTS]]
    if len(there) > MOST_INCIDENTS:
        lines.append([f"{count(len(there) - MOST_INCIDENTS, 'more incident')}."])
    return [*lines, *([line] for line in _say_limits(report))]


def _say_counts(report: DigestReport) -> str:
    parts = []
    told = any(one.is_open and one.kind is IncidentKind.JOBS_STUCK for one in report.incidents)
    if report.rescue_idle and not told:
        parts.append(say_abandoned(report.stuck_jobs, report.rescue_idle))
    if _late_beside(report) and (late := list_late(report.queues)):
        parts.append(f"{_say_late(late)}.")
    deleting = say_deleting(report.workers)
    if report.succeeded:
        least = "At least " if deleting else ""
        parts.append(f"{least}{count(report.succeeded, 'job')} succeeded.")
    if deleting:
        parts.append(f"{deleting}.")
    elif not report.succeeded and (report.failed or report.retrying):
        parts.append("No job succeeded.")
    if report.retrying:
        were = "was" if report.retrying == 1 else "were"
        parts.append(f"{count(report.retrying, 'attempt')} failed and {were} retried.")
    if not report.failed and _find_leader(report) is None and report.workers is not None:
        parts.append(_say_life(report))
    return " ".join(parts)


def _say_life(report: DigestReport) -> str:
    """`2 workers are alive; 1 job runs; no job waits.`"""
    ready = sum(queue.ready for queue in report.queues)
    about = "≈" if any("ready" in fields for fields in report.estimated.values()) else ""
    waits = f"{about}{count(ready, 'job waits', 'jobs wait')}" if ready else "no job waits"
    runs = f"{count(report.running, 'job runs', 'jobs run')}; " if report.running else ""
    alive = say_alive(report.workers) if report.workers else "no worker is alive"
    return sentence(f"{alive}; {runs}{waits}")


def _tell_incident(one: Incident, report: DigestReport) -> Line:
    """What it is, unless the verdict says that already."""
    until, by = report.until, one.taken_by
    who = one_line(say_person(by), 60) if by else ""
    is_on = one.is_open and one.calm_since is None
    said = say_with_end(one) if is_on else say_past_why(one)
    is_told = is_on and one is _find_leader(report) and find_red(one) is one
    said = "" if is_told else cut(defuse(said), 300)
    line: list[Span | str] = [f"Incident {one.name}"]
    if one.is_open:
        who = f"{who} is on it" if who else "nobody is on it"
        is_calm = one.calm_since is not None
        times = say_times(one)
        line += [" from " if is_calm or times else " since ", when(one.told_since, until), times]
        if one.calm_since is not None:
            line += [f", {say_calm(one)} ", when(one.calm_since, until), ", still watched"]
        elif is_old(one, until) and not is_told:
            line += [", as of ", when(one.seen_at, until)]
    else:
        who = f"{who} was on it" if who else ""
        begin, ended = one.began_at, one.ended_at or until
        line += [", ", when(begin, until), " to ", when(ended, until, begun=begin), say_times(one)]
    return [*line, f": {'; '.join(part for part in (said, who) if part)}."]


def _say_limits(report: DigestReport) -> list[str]:
    """What it does not tell of."""
    lines = []
    if report.truncated_from is not None:
        lost = format_age(report.since - report.truncated_from)
        lines.append(f"The last digest was too long ago: the first {lost} since then are left out.")
    if report.held_since is not None:
        held = format_age(report.until - report.held_since)
        lines.append(
            f"The end of a job has waited for a lock for more than {held}: "
            "if it failed, it is not counted."
        )
    queues, tasks = report.only_queues, report.only_tasks
    if (whole := say_coverage(queues, tasks, 100)) != say_coverage(queues, tasks):
        lines.append(cut(f"It covers jobs{whole}.", 1_000))
    return lines
