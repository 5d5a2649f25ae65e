"""What each kind of incident is called, what to do about it, and where to look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chatbot.messages.alike import list_ids
from chatbot.messages.parts import Line, code
from chatbot.messages.words import count, cut, first_lines, short_task
from jobs_maint.durations import format_age
from jobs_maint.models import Condition, HistoryEntry, Incident, IncidentKind, Why
from jobs_maint.render import is_good, safe_word, say_reason

__all__ = [
    "Kind",
    "capital",
    "has_size",
    "quote_error",
    "say_end",
    "say_kind",
    "say_size",
    "tell_which",
]

COUNTED = {IncidentKind.FAILURES_HIGH, IncidentKind.GROUP}
"""Their value is a number of failures; that of the others is seconds."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`{0}` is the subject. `named`: within a sentence; `over`: what `after 12 min` follows."""

    named: str
    over: str
    advice: str


_KINDS: Mapping[IncidentKind, Kind] = {
    IncidentKind.NO_WORKER: Kind(
        "no worker is alive",
        "Workers are back",
        "Start a worker. The jobs wait until then; none is lost.",
    ),
    IncidentKind.QUEUE_BEHIND: Kind(
        "{0} is behind",
        "{0} has caught up",
        "Its workers are too few, or busy with long jobs: see what they run.",
    ),
    IncidentKind.FAILURES_HIGH: Kind(
        "many jobs of {0} fail",
        "{0} has fewer failures again",
        "See the errors in Details. Retry the jobs once the cause is gone.",
    ),
    IncidentKind.GROUP: Kind(
        "the error {0} goes on",
        "{0} has stopped",
        "Find the cause first: jobs retried before that fail again.",
    ),
    IncidentKind.JOBS_STUCK: Kind(
        "jobs are stuck",
        "No job is stuck any more",
        "The rescue should have put them back by now. Details show what it waits for.",
    ),
    IncidentKind.TICK_MISSED: Kind(
        "{0} was not started when it was due",
        "{0} is started again",
        "Workers start periodic tasks: see that one runs whose app has this task.",
    ),
    IncidentKind.MAINTENANCE_OVERDUE: Kind(
        "the {0} is overdue",
        "The {0} has run",
        "It is a job: see that a worker listens to its queue. Details say what is wrong.",
    ),
    IncidentKind.DIGEST_OVERDUE: Kind(
        "the digest {0} is overdue",
        "The digest {0} was sent",
        "You hear of failures late until it is sent. Details say what is wrong.",
    ),
    IncidentKind.RECORDER_SILENT: Kind(
        "errors of the worker {0} are not recorded",
        "Errors of the worker {0} are recorded again",
        "It still runs jobs. Restart it if this lasts.",
    ),
}
_OF_A_QUEUE = Kind(
    "no worker listens to {0}",
    "A worker listens to {0} again",
    "Start a worker that listens to {0}. The jobs wait until then; none is lost.",
)

_FAILED = "Details say why it failed. The next run may work, or fail alike."


_NOBODY = "No worker runs its jobs: start one that listens to {0}."


def say_kind(what: Incident | Condition | HistoryEntry) -> Kind:
    """The words of its kind, with its subject in them."""
    kind = _KINDS[what.kind]
    if what.kind is IncidentKind.NO_WORKER and what.subject:
        kind = _OF_A_QUEUE
    if isinstance(what, Incident) and what.kind is IncidentKind.MAINTENANCE_OVERDUE:
        kind = replace(kind, advice=_FAILED) if what.facts.get("job_id") else kind
    if isinstance(what, Incident) and what.facts.get("holder"):
        kind = replace(kind, advice=_say_lock(what.facts))
    elif isinstance(what, Incident) and what.facts.get("has_worker") is False:
        kind = replace(kind, advice=_NOBODY)
    name = _name(what)
    return Kind(*(text.format(name) for text in (kind.named, kind.over, kind.advice)))


def _say_lock(facts: Mapping[str, Any]) -> str:
    """Braces of the lock's name are no fields."""
    lock = cut(safe_word(str(facts["lock"])), 80).replace("{", "{{").replace("}", "}}")
    job = facts["holder"]
    return (
        f"Job {job} runs and holds the lock {lock}. See whether it hangs; more workers do not help."
    )


def say_end(what: Incident | Condition | HistoryEntry, why: Why) -> str:
    """That it is over, without a full stop; where it is not good again, why it is over."""
    kind, reason = say_kind(what), say_reason(what.kind, why)
    if not reason:
        over = {"ran": "A worker has run the jobs of {0}", "less": "{0} has become rare"}.get(why)
        return capital(over.format(_name(what)) if over else kind.over)
    if is_good(what.kind, why):
        return f"{_name(what)} is no longer behind: {reason}"
    return f"{capital(kind.named)}, but {reason}"


def _name(what: Incident | Condition | HistoryEntry) -> str:
    facts: Mapping[str, Any] = {} if isinstance(what, HistoryEntry) else what.facts
    if what.kind is IncidentKind.GROUP and facts.get("task"):
        error = short_task(str(facts.get("exception_type") or "an error"))
        return safe_word(f"{error} in {short_task(str(facts['task']))}")
    if what.kind is IncidentKind.TICK_MISSED:
        return safe_word(short_task(what.subject))
    return cut(safe_word(what.subject), 80)


def has_size(incident: Incident) -> bool:
    """Whether it can be worse at one time than at another, and not only last longer."""
    return incident.kind in COUNTED or incident.kind is IncidentKind.QUEUE_BEHIND


_WHICH = {
    IncidentKind.GROUP: "e.g. ",
    IncidentKind.MAINTENANCE_OVERDUE: "its last run failed: ",
}


def tell_which(incident: Incident) -> Line:
    """Of which jobs, where single ones are known."""
    ids, facts = list(incident.facts.get("job_ids") or ()), incident.facts
    if incident.kind is IncidentKind.JOBS_STUCK and ids:
        return [" · ", *list_ids(ids, int(facts.get("jobs", len(ids))))]
    if facts.get("job_id"):
        which = _WHICH.get(incident.kind, "the oldest is ")
        return [f" · {which}job ", code(str(facts["job_id"]))]
    return []


def say_size(kind: IncidentKind, value: float) -> str:
    """How bad: `23 min`, `37 failures`."""
    if kind in COUNTED:
        return count(round(value), "failure")
    return format_age(value)


def quote_error(incident: Incident) -> str:
    """Of a group, the error; of what could not be sent, why. At most two lines."""
    facts = incident.facts
    text = str(facts.get("message") or facts.get("error") or "")[:8_000]
    name = str(facts.get("exception_type") or "")[:400].rpartition(".")[2]
    if name and not text.startswith(name):
        text = f"{name}: {text}" if text else name
    return first_lines(text)


def capital(text: str) -> str:
    """As a sentence begins; names of queues and tasks stay as they are typed."""
    is_ours = text.partition(" ")[0] in {"no", "many", "the", "jobs", "errors"}
    return f"{text[0].upper()}{text[1:]}" if is_ours else text
