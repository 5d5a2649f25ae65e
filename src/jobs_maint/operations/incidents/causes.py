"""Which conditions have one cause, so that they are one incident."""

from __future__ import annotations

from jobs_maint.models import Condition, IncidentKind

__all__ = ["ORDER", "absorbs", "is_aside", "rank"]

ORDER = (
    IncidentKind.NO_WORKER,
    IncidentKind.MAINTENANCE_OVERDUE,
    IncidentKind.QUEUE_BEHIND,
    IncidentKind.GROUP,
    IncidentKind.FAILURES_HIGH,
    IncidentKind.JOBS_STUCK,
    IncidentKind.TICK_MISSED,
    IncidentKind.DIGEST_OVERDUE,
    IncidentKind.RECORDER_SILENT,
)
"""Causes before what they lead to: the first of an incident's conditions leads it."""
_NEED_A_WORKER = {
    IncidentKind.QUEUE_BEHIND,
    IncidentKind.JOBS_STUCK,
    IncidentKind.TICK_MISSED,
    IncidentKind.MAINTENANCE_OVERDUE,
    IncidentKind.DIGEST_OVERDUE,
}


def is_aside(condition: Condition) -> tuple[bool, bool, bool]:
    """Whether its jobs are dealt with, it is muted, or it is a sum: such a part leads no error."""
    is_sum = condition.kind is IncidentKind.FAILURES_HIGH
    return not condition.is_live, condition.is_muted, is_sum


def rank(condition: Condition) -> tuple[bool, bool, bool, int, bool, float, str]:
    """To sort by: what is live and heard, the cause, the whole before its parts, the worst."""
    return (
        *is_aside(condition),
        ORDER.index(condition.kind),
        condition.subject != "",
        -condition.value / (condition.limit or 1.0),
        condition.subject,
    )


_OURS = {IncidentKind.MAINTENANCE_OVERDUE, IncidentKind.DIGEST_OVERDUE}


def absorbs(cause: Condition, other: Condition) -> bool:
    """Whether `other` follows from `cause`. A part of the whole does too.

    No worker lives: queues fall behind, jobs stay stuck, nothing periodic runs. Of one queue: it
    falls behind. Where that is the queue of our own tasks, or they wait there behind others: those
    that were not tried are overdue; without a rescue jobs stay stuck. A stuck job that holds a
    lock: the queue waits. Many failures of a queue go with the errors in it, which lead them.
    """
    if other.kind is IncidentKind.DIGEST_OVERDUE and other.facts.get("error"):
        return False  # a worker tried, and Slack did not take it
    match cause.kind:
        case IncidentKind.NO_WORKER if not cause.subject:
            return other.kind in _NEED_A_WORKER or other.kind is cause.kind
        case IncidentKind.NO_WORKER:
            is_within = other.queues and set(cause.queues).issuperset(other.queues)
            return _is_idle(cause, other) or bool(other.kind in _NEED_A_WORKER and is_within)
        case IncidentKind.QUEUE_BEHIND:
            return _is_idle(cause, other)
        case IncidentKind.MAINTENANCE_OVERDUE if cause.subject == "rescue":
            is_same = other.kind in _OURS and _was_not_tried(cause) and _was_not_tried(other)
            return other.kind is IncidentKind.JOBS_STUCK or (is_same and other.key != cause.key)
        case IncidentKind.JOBS_STUCK:
            holder = other.facts.get("holder")
            is_locked = other.kind is IncidentKind.QUEUE_BEHIND and holder is not None
            return is_locked and holder in cause.facts.get("job_ids", ())
        case IncidentKind.FAILURES_HIGH:
            return other.kind is IncidentKind.GROUP and cause.queues[0] in other.queues
    return False


def _is_idle(queue: Condition, other: Condition) -> bool:
    """Whether it is the queue of our own tasks, and the other one of those that never began."""
    if not queue.facts.get("own"):
        return False
    if queue.kind is IncidentKind.NO_WORKER and other.kind is IncidentKind.JOBS_STUCK:
        return True
    return other.kind in _OURS and _was_not_tried(other)


def _was_not_tried(own: Condition) -> bool:
    """A run that failed has a reason of its own."""
    return own.facts.get("job_id") is None and not own.facts.get("error")
