"""The sentence that says what an incident is, for both front ends."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from jobs_maint.durations import format_age, is_near
from jobs_maint.models import (
    MOST_FAILURES,
    MOST_MISSED,
    Condition,
    HistoryEntry,
    Incident,
    IncidentKind,
    Why,
)
from jobs_maint.render.safe import safe_word, short_task
from jobs_maint.render.unlike import say_unlike
from jobs_maint.render.verdict import count_noun

__all__ = [
    "count_more",
    "find_shared_mute",
    "find_sign",
    "is_good",
    "is_old",
    "list_parts",
    "say_calm",
    "say_condition",
    "say_failures",
    "say_incident",
    "say_past",
    "say_past_why",
    "say_reason",
    "say_settled",
    "say_since",
    "say_times",
    "say_unheard",
    "say_unwatched",
    "say_watched",
    "say_with_end",
    "say_within",
]

OLD = 60.0
"""Seconds: the watch passes every 15 seconds while a bot lives."""
_REASONS: Mapping[Why, str] = {
    "cancelled": "its jobs were cancelled",
    "gone": "none of its jobs is ready to run any more",
    "late": "it can run again; the run that it missed is not made up for",
    "unknown": "no live worker's app has it any more",
    "ended": "the worker has ended",
    "limit": "its limit was changed",
    "off": "this is no longer watched",
}
"""Why something is over that is not good again."""
_BY_KIND: Mapping[tuple[IncidentKind, Why], str] = {
    (IncidentKind.GROUP, "gone"): "it is not remembered any more",
    (IncidentKind.MAINTENANCE_OVERDUE, "limit"): "its schedule was changed",
    (IncidentKind.DIGEST_OVERDUE, "limit"): "its schedule was changed",
}


def say_reason(kind: IncidentKind, why: Why) -> str:
    """Why it is over, where that is not because all is well; else empty."""
    return _BY_KIND.get((kind, why)) or _REASONS.get(why, "")


def is_good(kind: IncidentKind, why: Why) -> bool:
    """Whether what was bad is no more; a queue without jobs is not behind."""
    return not say_reason(kind, why) or (
        kind is IncidentKind.QUEUE_BEHIND and why in {"cancelled", "gone"}
    )


_NAMES: Mapping[IncidentKind, str] = {
    IncidentKind.NO_WORKER: "missing workers",
    IncidentKind.QUEUE_BEHIND: "queues that are behind",
    IncidentKind.FAILURES_HIGH: "many failures",
    IncidentKind.GROUP: "new errors",
    IncidentKind.JOBS_STUCK: "stuck jobs",
    IncidentKind.TICK_MISSED: "missed ticks",
    IncidentKind.MAINTENANCE_OVERDUE: "maintenance",
    IncidentKind.DIGEST_OVERDUE: "digests",
    IncidentKind.RECORDER_SILENT: "recorders",
}


_SIGNS: Mapping[IncidentKind, str] = {
    IncidentKind.NO_WORKER: "none heard since",
    IncidentKind.JOBS_STUCK: "not heard of since",
    IncidentKind.RECORDER_SILENT: "no beat since",
}
"""What is dated from the last sign of life: a worker may have lived for a beat longer."""


def say_since(one: Incident) -> str:
    """What stands before the time when it began."""
    return "jobs have waited since" if _is_unheard(one) else _SIGNS.get(one.kind, "since")


def say_unheard(one: Incident) -> str:
    """`; no worker was heard in that time`, where none is known to have been there; else empty."""
    return "; no worker was heard in that time" if _is_unheard(one) and not one.subject else ""


def _is_unheard(one: Incident) -> bool:
    return one.kind is IncidentKind.NO_WORKER and "heard_at" not in one.facts


def find_sign(one: Incident) -> datetime | None:
    """When that of it which is dated from the last sign of life gave one; None where it is calm."""
    is_on = one.is_open and one.calm_since is None
    return one.lead.since if one.kind in _SIGNS and is_on else None


def say_times(one: Incident) -> str:
    """`, came 2 times`: it was not there all the time since it began; else empty."""
    return f", came {one.spells} times" if one.spells > 1 else ""


def say_unwatched(kinds: Iterable[IncidentKind]) -> str:
    """`Not watched: new errors, stuck jobs (CHATBOT_INCIDENTS).`; empty where all kinds are."""
    names = ", ".join(_NAMES[kind] for kind in kinds)
    return f"Not watched: {names} (CHATBOT_INCIDENTS)." if names else ""


def say_watched(unwatched: Collection[IncidentKind]) -> str:
    """What is watched and what not, beside “no incident”; empty where all kinds are watched."""
    watched = ", ".join(name for kind, name in _NAMES.items() if kind not in unwatched)
    if not watched:
        return "Nothing is watched (CHATBOT_INCIDENTS)."
    return f"Watched: {watched}. {say_unwatched(unwatched)}" if unwatched else ""


def say_incident(one: Incident, until: datetime) -> str:
    """`I-7, 02:10 to 02:51 UTC: no worker was alive`, as a digest that ends at `until` says it."""
    begin, ended, times = _clock(one.told_since, until), one.ended_at, say_times(one)
    if one.resolved_at is None or ended is None:
        who = f"{safe_word(one.taken_by)} is" if one.taken_by else "nobody is"
        if one.calm_since is not None:
            calm = f"{say_calm(one)} {_clock(one.calm_since, until)} UTC, still watched"
            past = say_past_why(one)
            return f"{one.name} from {begin} UTC{times}, {calm}: {past}; {who} on it"
        said = say_with_end(one)
        if is_old(one, until):
            said = f"{said}, as of {_clock(one.seen_at, until)} UTC"
        since = "from" if times else "since"
        return f"{one.name} {since} {begin} UTC{times}: {said}; {who} on it"
    return f"{one.name}, {begin} to {_clock(ended, until)} UTC{times}: {say_past_why(one)}"


def say_calm(one: Incident) -> str:
    """To precede `calm_since`: of one that does not flap, only the watch knows since when."""
    return "calm since" if one.flapping else "calm at"


def is_old(one: Incident, until: datetime) -> bool:
    """Whether an open one was looked at too long before `until` to be told without the time."""
    is_on = one.is_open and one.calm_since is None
    return is_on and (until - one.seen_at).total_seconds() > OLD


def say_within(what: Incident | Condition) -> str:
    """Within a sentence, short; names of queues, tasks and errors stay as they are typed."""
    if what.kind is IncidentKind.QUEUE_BEHIND and not what.facts.get("lock"):
        return f"{_name(what)} is {format_age(what.value)} behind"
    said = say_condition(what)
    named = what.subject and said.startswith((_name(what), _name_task(what), _name_group(what)))
    return said if named else f"{said[:1].lower()}{said[1:]}"


def say_with_end(what: Incident | Condition) -> str:
    """As `say_within`, and of an error what became of its jobs, where none is failed now."""
    return ", ".join(filter(None, (say_within(what), say_settled(what))))


def _clock(at: datetime, until: datetime) -> str:
    """As `page.clock`, without seconds."""
    at = at.astimezone(UTC)
    return f"{at:%H:%M}" if is_near(at, until.astimezone(UTC)) else f"{at:%Y-%m-%d %H:%M}"


def say_past(what: Incident | Condition) -> str:
    """What it was at its worst, for use in a sentence after it is over."""
    subject, worst = _name(what), what.value if what.worst is None else what.worst
    match what.kind:
        case IncidentKind.NO_WORKER:
            return f"no worker listened to {subject}" if subject else "no worker was alive"
        case IncidentKind.QUEUE_BEHIND:
            return f"{subject} was up to {format_age(worst)} behind"
        case IncidentKind.FAILURES_HIGH:
            return f"{subject} had {say_failures(what, worst, up_to='up to ')} in 15 min"
        case IncidentKind.GROUP:
            return f"{_name_group(what)} had {say_failures(what, worst, up_to='up to ')} in an hour"
        case IncidentKind.JOBS_STUCK:
            return "jobs had no live worker"
        case IncidentKind.TICK_MISSED:
            return f"{_name_task(what)} was not started in time"
        case IncidentKind.MAINTENANCE_OVERDUE:
            return f"the {subject} did not run in time"
        case IncidentKind.DIGEST_OVERDUE:
            return f"the {subject} digest was not sent in time"
        case IncidentKind.RECORDER_SILENT:
            return f"errors of the worker {subject} were not recorded"


def say_past_why(what: Incident | Condition) -> str:
    """And why it is over, where that is not because all is well."""
    return "; ".join(filter(None, (say_past(what), say_reason(what.kind, what.why))))


def _name(what: Incident | Condition) -> str:
    """The team's name on one line; empty where it is about no queue in particular."""
    return safe_word(what.subject) if what.subject else ""


def _name_task(what: Incident | Condition) -> str:
    return safe_word(short_task(str(what.facts.get("task", what.subject))))


def _name_group(what: Incident | Condition) -> str:
    error = safe_word(short_task(str(what.facts.get("exception_type") or "an error")))
    return f"{error} in {_name_task(what)}"


def list_takers(one: Incident) -> list[tuple[str, str]]:
    """Who is on which of the errors that it is about."""
    parts = (part for part in (one.lead, *one.folded) if part.kind is IncidentKind.GROUP)
    taken = ((part.facts.get("taken_by"), part.subject) for part in parts)
    return [(str(by), name) for by, name in taken if by]


def list_parts(incident: Incident) -> list[Condition]:
    """What else there is to tell: that a queue is behind is clear where no worker listens to it."""
    parts = (incident.lead, *incident.folded)
    none = {one.queues for one in parts if one.kind is IncidentKind.NO_WORKER}
    told = [
        one for one in incident.folded
        if one.kind is not IncidentKind.QUEUE_BEHIND or one.queues not in none
    ]  # fmt: skip
    return sorted(told, key=lambda one: not one.is_live)


def find_shared_mute(part: Condition, incident: Incident) -> str:
    """The name of all errors of its kind, where another part tells that these are muted."""
    name, lead, parts = part.facts.get("muted_as"), incident.lead, list_parts(incident)
    if name is None:  # it may be the whole itself
        return part.subject if lead.facts.get("muted_as") == part.subject else ""
    before = (lead, *(parts[: parts.index(part)] if part in parts else ()))
    told = {one.subject for one in parts} | {one.facts.get("muted_as") for one in before}
    return str(name) if name in told else ""


def count_more(incident: Incident, most: int) -> int:
    """What is left to tell where `most` parts are told, with errors that no part is about."""
    parts = list_parts(incident)
    more = max(len(parts) - most, 0)
    if incident.unlike:
        told = sum(one.kind is IncidentKind.GROUP for one in (incident.lead, *parts))
        more += max(incident.unlike.errors - told, 0)
    return more


MOST_COUNTED = 1_000
"""Jobs of a queue that wait are not counted beyond."""


def _count_waiting(jobs: int) -> str:
    if jobs < MOST_COUNTED:
        return count_noun(jobs, "job")
    # Few jobs of other queues beside those that were not counted on tell no more.
    return f"at least {jobs // MOST_COUNTED * MOST_COUNTED:,} jobs"


def say_settled(group: Incident | Condition) -> str:
    """To follow what an error is and a comma, where none of its jobs is failed now."""
    standing = group.standing
    return standing.say_whole(several=standing.settled > 1) if standing.none_failed else ""


def say_failures(
    what: Incident | Condition | HistoryEntry, value: float, *, up_to: str = ""
) -> str:
    """`37 failures`; of more than are counted, `at least 20,000 failures`."""
    counted = count_noun(round(value), "failure")
    at_least = value >= MOST_FAILURES and what.kind is IncidentKind.GROUP
    if not isinstance(what, HistoryEntry):
        which = "at_least" if value == what.value else "worst_at_least"
        at_least = at_least or bool(what.facts.get(which))
    return f"at least {counted}" if at_least else f"{up_to}{counted}"


def _say_group(what: Incident | Condition) -> str:
    if isinstance(what, Incident) and what.unlike:
        return say_unlike(what.unlike)
    news = "is back" if what.facts.get("state") == "regressed" else "is new"
    return f"{_name_group(what)} {news}: {say_failures(what, what.value)} in the last hour"


def _say_why_behind(facts: Mapping[str, Any]) -> str:
    if facts.get("lock"):
        job = facts.get("holder")
        hidden = "held by a job in a queue that your role does not reach"
        return f": its oldest job waits for a lock {f'of job {job}' if job else hidden}"
    waiting = int(facts.get("waiting", 0))
    verb = "waits" if waiting == 1 else "wait"
    return f"; {_count_waiting(waiting)} {verb}" if waiting else ""


def say_condition(what: Incident | Condition) -> str:
    """One sentence without its full stop, on one line; markup in the team's names is left."""
    facts, subject, kind = what.facts, _name(what), what.kind
    if kind is IncidentKind.NO_WORKER:
        none = f"No worker listens to {subject}" if subject else "No worker is alive"
        waiting = int(facts.get("waiting", 0))
        return f"{none}; {_count_waiting(waiting)} {'waits' if waiting == 1 else 'wait'}"
    if kind is IncidentKind.QUEUE_BEHIND:
        return f"{subject} is {format_age(what.value)} behind{_say_why_behind(facts)}"
    if kind is IncidentKind.FAILURES_HIGH:
        usual = round(float(facts.get("usual", 0.0)))
        failed = say_failures(what, what.value)
        return (
            f"{failed[:1].upper()}{failed[1:]} of {subject} in 15 min; "
            f"usual at this time: {usual:,}"
        )
    if kind is IncidentKind.GROUP:
        return _say_group(what)
    if kind is IncidentKind.JOBS_STUCK:
        jobs = int(facts.get("jobs", 1))
        is_stuck = "job is" if jobs == 1 else "jobs are"
        return f"{jobs:,} {is_stuck} stuck: no live worker runs {'it' if jobs == 1 else 'them'}"
    if kind is IncidentKind.TICK_MISSED:
        missed, task = int(facts.get("missed", 1)), _name_task(what)
        if missed > 1:
            more = " or more" if missed >= MOST_MISSED else ""
            return f"The periodic task {task} was not started when it was due, {missed} times{more}"
        return f"The periodic task {task} was not started when it was due"
    if kind is IncidentKind.MAINTENANCE_OVERDUE:
        of_what = {"purge": " of old jobs", "rescue": " of stuck jobs"}.get(subject, "")
        return f"The {subject}{of_what} is overdue"
    if kind is IncidentKind.DIGEST_OVERDUE:
        return f"The {subject} digest is overdue"
    return f"Errors of the worker {subject} are not recorded"
