"""What the buttons of an incident's message run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from chatbot.messages.parts import Button
from jobs_maint.actions import (
    Action,
    BulkVerb,
    GetJob,
    JobFilter,
    ListErrors,
    ListFailed,
    ListStuck,
    ListWorkers,
    PreviewBulk,
    RunDoctor,
    ShowStats,
)
from jobs_maint.models import Incident, IncidentKind

__all__ = ["find_buttons"]

HOUR = timedelta(hours=1)


def find_buttons(incident: Incident) -> list[Button]:
    """What shows more of it and, of a group while it lasts, what retries its jobs."""
    facts = incident.facts
    several = any(one.kind is incident.kind for one in incident.folded)
    queue = None if several else next(iter(incident.queues), incident.subject)
    action: Action[Any]
    match incident.kind:
        case IncidentKind.QUEUE_BEHIND if facts.get("holder"):
            action = GetJob(int(facts["holder"]))
        case IncidentKind.NO_WORKER if not incident.subject:
            return _offer_queue(None)
        case IncidentKind.NO_WORKER | IncidentKind.QUEUE_BEHIND:
            return _offer_queue(queue)
        case IncidentKind.FAILURES_HIGH:
            action = ListErrors(queue, HOUR)
        case IncidentKind.JOBS_STUCK:
            action = ListStuck()
        case IncidentKind.MAINTENANCE_OVERDUE if facts.get("job_id"):
            action = GetJob(int(facts["job_id"]))
        case IncidentKind.MAINTENANCE_OVERDUE | IncidentKind.DIGEST_OVERDUE:
            action = RunDoctor()
        case IncidentKind.GROUP if facts.get("task"):
            return _offer_group(incident)
        case IncidentKind.GROUP:
            action = ListErrors(since=HOUR)
        case _:
            action = ListWorkers()
    return [Button("Details", action.words())]


def _offer_queue(queue: str | None) -> list[Button]:
    """Its jobs, and the workers. None: of all queues."""
    workers = Button("Show workers", ListWorkers().words())
    return [Button("Details", ShowStats(queue).words()), workers]


def _offer_group(incident: Incident) -> list[Button]:
    # From its beginning on, so that none of its jobs is left out.
    lasted = (incident.resolved_at or incident.seen_at) - incident.since
    since = timedelta(hours=1 + -(-lasted // HOUR))
    found = [Button("Details", ListFailed(group=incident.subject, since=since).words())]
    if incident.state == "resolved":
        return found
    wanted = JobFilter(statuses=BulkVerb.RETRY.statuses[:1], group=incident.subject, since=since)
    return [*found, Button("Preview retry", PreviewBulk(BulkVerb.RETRY, wanted).words())]
