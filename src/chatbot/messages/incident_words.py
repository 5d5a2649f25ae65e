"""What each kind of incident is called, what to do about it, and where to look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from chatbot.messages.alike import list_ids
from chatbot.messages.parts import Line, code
from chatbot.messages.words import count, cut, first_lines, short_task
from jobs_maint.durations import format_age
from jobs_maint.models import (
    Condition,
    HistoryEntry,
    Incident,
    IncidentKind,
    Why,
    say_messages,
)
from jobs_maint.render import find_red, is_good, safe_word, say_failures, say_past, say_reason

__all__ = [
    "Kind",
    "capital",
    "find_last",
    "has_same_cause",
    "has_size",
    "quote_error",
    "say_advice",
    "say_end",
    "say_kind",
    "say_sized",
    "say_worst",
    "tell_name",
    "tell_which",
]

LONG_PAUSE = 1_800.0
"""Seconds without a failure that are told as such."""


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
        "Start a worker. Jobs wait until then; none is lost.",
    ),
    IncidentKind.QUEUE_BEHIND: Kind(
        "{0} is behind",
        "{0} has caught up",
        "Its workers are too few, or busy with long jobs: see what they run.",
    ),
    IncidentKind.FAILURES_HIGH: Kind(
        "many jobs of {0} fail",
        "{0} has fewer failures again",
        "See the errors. Retry the jobs once the cause is gone.",
    ),
    IncidentKind.GROUP: Kind(
        "the error {0} goes on",
        "{0} has stopped",
        "Retry the jobs only once the cause is gone: until then they fail again.",
    ),
    IncidentKind.JOBS_STUCK: Kind(
        "jobs are stuck",
        "No job is stuck any more",
        "The list of stuck jobs says when the rescue acts on each, or what keeps it.",
    ),
    IncidentKind.TICK_MISSED: Kind(
        "{0} was not started when it was due",
        "{0} is started again",
        "Only a worker whose app has this task starts it: see whether one is alive.",
    ),
    IncidentKind.MAINTENANCE_OVERDUE: Kind(
        "the {0} is overdue",
        "The {0} has run",
        "Doctor (for admins) says what keeps it.",
    ),
    IncidentKind.DIGEST_OVERDUE: Kind(
        "the {0} digest is overdue",
        "The {0} digest was sent",
        "Until it is sent, ask for failures with errors. Doctor (for admins) says what keeps it.",
    ),
    IncidentKind.RECORDER_SILENT: Kind(
        "errors of the worker {0} are not recorded",
        "Errors of the worker {0} are recorded again",
        "It runs its jobs, but how they fail is not stored: errors and digests lack the reasons."
        " Restart it if this lasts for more than 15 min.",
    ),
}
_OF_A_QUEUE = Kind(
    "no worker listens to {0}",
    "A worker listens to {0} again",
    "Start a worker that listens to {0}. Jobs wait until then; none is lost.",
)
_URGENCY = {
    "purge": "This can wait until the morning: old jobs only stay longer.",
    "rescue": "Until it runs, jobs of workers that died stay stuck.",
}
_FAILED = "Its last run failed; that job says why."
_NOBODY = "No worker runs its jobs: start one that listens to {0}."


def say_kind(what: Incident | Condition | HistoryEntry) -> Kind:
    """The words of its kind, with its subject in them."""
    kind = _KINDS[what.kind]
    if what.kind is IncidentKind.NO_WORKER and what.subject:
        kind = _OF_A_QUEUE
    if isinstance(what, Incident) and what.kind is IncidentKind.MAINTENANCE_OVERDUE:
        advice = _FAILED if what.facts.get("job_id") else kind.advice
        kind = replace(kind, advice=f"{_URGENCY.get(what.subject, '')} {advice}".strip())
    if isinstance(what, Incident) and what.facts.get("lock"):
        kind = replace(kind, advice=_say_lock(what.facts))
    elif isinstance(what, Incident) and what.facts.get("has_worker") is False:
        kind = replace(kind, advice=_NOBODY)
    name = _name(what)
    return Kind(*(text.format(name) for text in (kind.named, kind.over, kind.advice)))


def say_advice(incident: Incident) -> str:
    """What to do about it; where no job is failed now, what it waits for."""
    what = find_red(incident) or incident
    if not what.standing.none_failed:
        return say_kind(what).advice
    few = f"fewer than {count(round(what.limit), 'job')} of {_name(what)} failed in 15 min"
    if what.kind is IncidentKind.GROUP:
        few = f"no error has {count(round(what.limit), 'failure')} in an hour"
    now = "Nothing is left to retry."
    if what.standing.failed_otherwise:
        now = "Look at the other error before you retry them again."
    return f"{now} It ends by itself once {few}."


def _say_lock(facts: Mapping[str, Any]) -> str:
    """Braces of the lock's name are no fields."""
    lock = cut(safe_word(str(facts["lock"])), 80).replace("{", "{{").replace("}", "}}")
    job, see = facts.get("holder"), "See whether it hangs"
    who = f"Job {job}"
    if job is None:
        who, see = "A job that your role does not reach", "It may hang"
    return f"{who} runs and holds the lock {lock}. {see}; more workers do not help."


def say_end(what: Incident | Condition | HistoryEntry, why: Why) -> str:
    """That it is over, without a full stop; where it is not good again, why it is over."""
    kind, reason = say_kind(what), say_reason(what.kind, why)
    if not reason:
        if why == "ran":
            return f"A worker has run the jobs of {_name(what)}"
        return capital(what, _say_fewer(what, why) or kind.over)
    if is_good(what.kind, why):
        return f"{_name(what)} is no longer behind: {reason}"
    if isinstance(what, HistoryEntry):
        what = Condition(what.kind, what.subject, what.value, 0)
    return f"{capital(what, say_past(what))}, but {reason}"


def _say_fewer(what: Incident | Condition | HistoryEntry, why: Why) -> str:
    """Of failures, how many there are still; empty where that is not known."""
    name = _name(what)
    facts: Mapping[str, Any] = {} if isinstance(what, HistoryEntry) else what.facts
    left, rare = facts.get("left"), f"{name} has become rare"
    if left is None or isinstance(what, HistoryEntry):
        return rare if why == "less" else ""
    if what.kind is IncidentKind.FAILURES_HIGH:
        usual = round(float(facts.get("usual") or 0))
        return f"{name} has fewer failures again: {left or 'none'} in 15 min, usual {usual:,}"
    last, ended = find_last(what), find_end(what)
    pause = (ended - last).total_seconds() if last and ended else 0
    if pause >= LONG_PAUSE:
        return f"{name} has stopped: no failure for {format_age(pause)}"
    if not left:
        return f"{name} has stopped: no failure in the last hour"
    return f"{rare}: {count(left, 'failure')} in the last hour, {what.limit:,g} are too many"


def find_last(what: Incident | Condition) -> datetime | None:
    """The last failure of an error, as far as that is known."""
    last = what.facts.get("last_at")
    return datetime.fromisoformat(str(last)) if last else None


def find_end(what: Incident | Condition) -> datetime | None:
    return what.over_at if isinstance(what, Condition) else what.ended_at


def say_sized(what: Incident | Condition | HistoryEntry, value: float, now: str = "") -> str:
    """Within a sentence, what it is and how bad: `email is 31 min behind`."""
    name, kind = _name(what), what.kind
    if kind is IncidentKind.QUEUE_BEHIND:
        return f"{name} is {now}{format_age(value)} behind"
    if kind is IncidentKind.FAILURES_HIGH:
        return f"{now}{say_failures(what, value)} of {name} in 15 min"
    if kind is IncidentKind.GROUP:
        return f"the error {name}, {now}{say_failures(what, value)} in an hour"
    return f"{say_kind(what).named}, {now}for {format_age(value)}"


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
    return incident.kind.is_count or incident.kind is IncidentKind.QUEUE_BEHIND


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


def has_same_cause(part: Incident | Condition | HistoryEntry, incident: Incident) -> bool:
    """Whether that is certain: what is of one kind only came together.

    So did a queue that is behind, or a job that is stuck, while no worker listens to another queue.
    """
    if incident.kind is IncidentKind.NO_WORKER and incident.queues:
        if part.kind is IncidentKind.QUEUE_BEHIND:
            return part.subject in incident.queues
        if part.kind is IncidentKind.JOBS_STUCK:
            queues = None if isinstance(part, HistoryEntry) else part.queues
            return queues is not None and set(incident.queues).issuperset(queues)
    return part.kind is not incident.kind


def tell_name(part: Condition | HistoryEntry) -> Line:
    """What tells errors of one task apart, and what one types to ask for them."""
    return [" (", code(part.subject), ")"] if part.kind is IncidentKind.GROUP else []


def say_worst(incident: Incident) -> str:
    """`up to 23 min behind`, `up to 37 failures in an hour`."""
    if incident.kind is IncidentKind.QUEUE_BEHIND:
        return f"up to {format_age(incident.worst)} behind"
    span = "an hour" if incident.kind is IncidentKind.GROUP else "15 min"
    return f"{say_failures(incident, incident.worst, up_to='up to ')} in {span}"


def quote_error(incident: Incident) -> str:
    """Of a group, the error; of what could not be sent, why. At most two lines."""
    facts = incident.facts
    text = str(facts.get("message") or facts.get("error") or "")[:8_000]
    if incident.unlike and incident.unlike.errors == 1:
        text = say_messages(incident.unlike.groups, text)
    name = str(facts.get("exception_type") or "")[:400].rpartition(".")[2]
    if name and not text.startswith(name):
        text = f"{name}: {text}" if text else name
    return first_lines(text)


def capital(what: Incident | Condition | HistoryEntry, text: str) -> str:
    """As a sentence begins; names of queues and tasks stay as they are typed."""
    if text.startswith(_name(what).removesuffix("…")):
        return text
    return f"{text[0].upper()}{text[1:]}"
