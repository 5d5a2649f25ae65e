"""What the buttons of an incident's message run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from chatbot.messages.parts import Button
from chatbot.messages.words import name_queue
from jobs_maint.actions import (
    BulkVerb,
    GetIncident,
    GetJob,
    JobFilter,
    ListErrors,
    ListFailed,
    ListStuck,
    ListWorkers,
    PreviewBulk,
    RunDoctor,
    ShowStats,
    escape_glob,
)
from jobs_maint.models import Incident, IncidentKind

__all__ = ["find_buttons", "list_looks"]

HOUR = timedelta(hours=1)
LONGEST_WORDS = 1_500


def find_buttons(incident: Incident) -> list[Button]:
    """Its details, and where to look first or what retries its jobs, if that is of use."""
    found = [Button("Details", GetIncident(incident.id).words())]
    is_over = incident.state == "resolved" and not incident.standing.is_failed
    return found if is_over else [*found, *list_looks(incident)[-1:]]


def list_looks(incident: Incident) -> list[Button]:
    """Where there is more to see of what is wrong, the most telling last."""
    facts = incident.facts
    several = any(one.kind is incident.kind for one in incident.folded)
    queue = None if several else next(iter(incident.queues), incident.subject)
    doctor = Button("Run doctor", RunDoctor().words())
    workers = Button("Show workers", ListWorkers().words())
    match incident.kind:
        case IncidentKind.QUEUE_BEHIND if facts.get("holder"):
            return [_show_job(facts["holder"])]
        case IncidentKind.QUEUE_BEHIND if facts.get("lock"):
            return [_show_queue(queue)]
        case IncidentKind.NO_WORKER | IncidentKind.QUEUE_BEHIND:
            return [_show_queue(queue if incident.subject else None), workers]
        case IncidentKind.FAILURES_HIGH:
            return [Button("Show errors", ListErrors(queue, HOUR).words())]
        case IncidentKind.JOBS_STUCK:
            return [Button("Show stuck jobs", ListStuck().words())]
        case IncidentKind.MAINTENANCE_OVERDUE if facts.get("job_id"):
            return [doctor, _show_job(facts["job_id"])]
        case IncidentKind.MAINTENANCE_OVERDUE | IncidentKind.DIGEST_OVERDUE:
            return [doctor]
        case IncidentKind.GROUP if facts.get("task"):
            return _list_group(incident)
        case IncidentKind.GROUP:
            return [Button("Show errors", ListErrors(since=HOUR).words())]
        case _:
            return [workers]


def _show_job(job_id: object) -> Button:
    return Button(f"Show job {job_id}", GetJob(int(str(job_id))).words())


def _show_queue(queue: str | None) -> Button:
    label = "Show all queues" if queue is None else f"Show queue {name_queue(queue)}"
    return Button(label, ShowStats(queue).words())


def _list_group(incident: Incident) -> list[Button]:
    standing = incident.standing
    if incident.state != "resolved" and standing.failed_now == 0 == standing.failed_otherwise:
        return []
    # From its beginning on, so that none of its jobs is left out.
    lasted = (incident.resolved_at or incident.seen_at) - incident.since
    since = timedelta(hours=1 + -(-lasted // HOUR))
    unlike = incident.unlike
    tasks = tuple(map(escape_glob, unlike.jobs)) if unlike else ()
    if sum(len(task) + 10 for task in tasks) > LONGEST_WORDS:
        return [Button("Show errors", ListErrors(since=since).words())]
    which: dict[str, Any] = {"tasks": tasks} if unlike else {"group": incident.subject}
    if not standing.failed_now and standing.failed_otherwise:
        which = {"tasks": tasks or (escape_glob(str(incident.facts["task"])),)}
    shown = ListFailed(**which, since=since, until=incident.resolved_at)
    found = [Button("Show failed jobs", shown.words())]
    if incident.state == "resolved" and not standing.is_failed:
        return found
    until = incident.resolved_at
    wanted = JobFilter(statuses=BulkVerb.RETRY.statuses[:1], **which, since=since, until=until)
    return [*found, Button("Preview retry", PreviewBulk(BulkVerb.RETRY, wanted).words())]
