"""Which conditions have one cause, so that they are one incident."""

from __future__ import annotations

from jobs_maint.models import Condition, IncidentKind

__all__ = ["ORDER", "absorbs", "rank"]

ORDER = (
    IncidentKind.NO_WORKER,
    IncidentKind.MAINTENANCE_OVERDUE,
    IncidentKind.FAILURES_HIGH,
    IncidentKind.QUEUE_BEHIND,
    IncidentKind.GROUP,
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


def rank(condition: Condition) -> tuple[int, bool, float, str]:
    """To sort by: the cause first, the whole before its parts, the worst first."""
    return (
        ORDER.index(condition.kind),
        condition.subject != "",
        -condition.value / (condition.limit or 1.0),
        condition.subject,
    )


def absorbs(cause: Condition, other: Condition) -> bool:
    """Whether `other` follows from `cause`. A part of the whole does too."""
    if other.kind is IncidentKind.DIGEST_OVERDUE and other.facts.get("error"):
        return False  # a worker tried, and Slack did not take it
    if cause.kind is IncidentKind.NO_WORKER and other.kind in _NEED_A_WORKER:
        return not cause.subject or not set(cause.queues).isdisjoint(other.queues)
    if cause.kind is other.kind:
        return cause.subject == "" != other.subject
    if cause.kind is IncidentKind.MAINTENANCE_OVERDUE:
        return cause.subject == "rescue" and other.kind is IncidentKind.JOBS_STUCK
    if cause.kind is IncidentKind.FAILURES_HIGH:
        return other.kind is IncidentKind.GROUP and cause.queues[0] in other.queues
    return False
