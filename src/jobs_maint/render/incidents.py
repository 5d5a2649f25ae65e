"""`incidents` for people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from jobs_maint.durations import format_age, format_span
from jobs_maint.models import (
    Condition,
    Incident,
    IncidentKind,
    IncidentReport,
    IncidentsReport,
)
from jobs_maint.render.acted import say_acted
from jobs_maint.render.conditions import (
    count_more,
    find_shared_mute,
    find_sign,
    list_parts,
    list_takers,
    say_condition,
    say_past,
    say_past_why,
    say_reason,
    say_settled,
    say_since,
    say_unheard,
    say_unwatched,
    say_watched,
)
from jobs_maint.render.coverage import safe_reach
from jobs_maint.render.levels import judge_incidents, sort_incidents
from jobs_maint.render.page import Page, Pages, clock
from jobs_maint.render.safe import safe_line, safe_word, type_queue
from jobs_maint.render.unlike import say_tasks
from jobs_maint.render.verdict import count_noun

__all__ = ["PAGES"]

MOST_FOLDED = 10
WATCH_LATE = 120.0
"""Seconds after which the list may be out of date."""


def _headline(report: IncidentsReport, page: Page) -> None:
    reach = safe_reach(report.limited_to_queues)
    if report.open:
        is_open = "is" if len(report.open) == 1 else "are"
        number = count_noun(len(report.open), "incident")
        page.line(f"{number} {is_open} open{reach}.", f"bold {judge_incidents(report.open)}")
    elif report.watched_at is None:
        page.line("No bot has watched this database yet, so nothing is known.", "bold yellow")
    elif report.paused:
        page.line(f"No incident is open{reach}, and a planned pause is on.", "bold yellow")
    else:
        unsure = report.hidden_incidents or len(report.unwatched) == len(IncidentKind)
        page.line(f"No incident is open{reach}.", "bold yellow" if unsure else "bold green")
    is_calm = not report.open and report.watched_at is not None
    if is_calm and (watched := say_watched(report.unwatched)):
        page.line(watched)


def render_incidents(report: IncidentsReport, page: Page) -> None:
    _headline(report, page)
    for one in sort_incidents(report.open):
        page.line()
        _show(one, report.as_of, page)
    if report.recent:
        page.line()
        page.line(f"Over in the last {format_span(report.since_seconds)}", "bold")
        for one in report.recent:
            page.line(_over(one, report.as_of), indent=2)
    page.line()
    if report.hidden_incidents:
        hidden = count_noun(report.hidden_incidents, "incident")
        page.line(f"{hidden} in other queues not shown: your role does not reach them.")
    if report.watched_at is None:
        page.line("jobs-chatbot run watches; without it, see jobs-maint stats and doctor.")
        return
    if report.open and (unwatched := say_unwatched(report.unwatched)):
        page.line(unwatched)
    if report.paused:
        page.line("During the planned pause nothing becomes an incident: see jobs-maint stats.")
    silent = (report.as_of - report.watched_at).total_seconds()
    if silent > WATCH_LATE:
        page.line(
            f"No bot has watched for {format_age(silent)}: this may be out of date. Check that "
            "jobs-chatbot runs.",
            "bold yellow",
        )


def _show(one: Incident, as_of: datetime, page: Page) -> None:
    said = say_condition(one) if one.calm_since is None else say_past_why(one)
    page.line(f"{one.name}  {safe_line(said)}.", "bold")
    if said := one.standing.say_standing():
        page.line(said, indent=2)
    if one.calm_since is not None:
        calm = clock(one.calm_since, as_of)
        page.line(f"Calm since {calm} UTC, still watched: it comes and goes.", indent=2)
    notes = list(_say_begin(one, as_of))
    if (last := one.facts.get("last_at")) and not one.unlike:
        notes.append(f"last failure {clock(datetime.fromisoformat(str(last)), as_of)}")
    if one.spells > 1:
        notes.append(f"came {one.spells} times")
    if one.taken_by:
        notes.append(f"taken by {safe_word(one.taken_by)}")
    above, until = one.facts.get("muted_above"), one.muted_until
    if above or (until and until > as_of):
        notes.append(_say_mute(one.lead, one, as_of, None if above else until))
    page.line(f"{'; '.join(notes)}.", indent=2)
    _show_parts(one, as_of, page)
    page.line(f"jobs-maint {_see(one)}", indent=2)


def _show_parts(one: Incident, as_of: datetime, page: Page) -> None:
    if one.unlike:
        if tasks := say_tasks(one.unlike):
            page.line(tasks, indent=2)
        if not one.is_one_error:
            page.line(f"One of them: {_tell_part(one.lead, one, as_of)}", indent=2)
    for part in list_parts(one)[:MOST_FOLDED]:
        page.line(f"Also: {_tell_part(part, one, as_of)}", indent=2)
    if more := count_more(one, MOST_FOLDED):
        page.line(f"And {more:,} more.", indent=2)


def _say_begin(one: Incident, as_of: datetime) -> Iterator[str]:
    """When it came first, where it was over meanwhile, and when what it misses was heard last."""
    sign = find_sign(one)
    if one.spells > 1:
        yield f"first {clock(one.told_since, as_of)} UTC, {_lasted(one.told_since, as_of)} ago"
    if sign is not None or one.spells < 2:
        since = sign or one.told_since
        lasts = f"{clock(since, as_of)} UTC, {_lasted(since, as_of)}"
        yield f"{say_since(one)} {lasts}{say_unheard(one)}"


def _lasted(since: datetime, as_of: datetime) -> str:
    return format_age((as_of - since).total_seconds())


def _see(what: Incident) -> str:
    """The words that show more of it."""
    several = any(one.kind is what.kind for one in what.folded)
    queue = type_queue(None if several else next(iter(what.queues), what.subject))
    if what.kind is IncidentKind.QUEUE_BEHIND and what.facts.get("holder"):
        return f"status {int(what.facts['holder'])}"
    if what.kind is IncidentKind.QUEUE_BEHIND:
        return f"stats{queue}"
    if what.kind is IncidentKind.FAILURES_HIGH:
        return f"errors --since 1h{queue}"
    words = {
        IncidentKind.NO_WORKER: f"stats{queue}" if what.subject else "stats",
        IncidentKind.GROUP: "errors --since 1h",
        IncidentKind.JOBS_STUCK: "stuck",
        IncidentKind.RECORDER_SILENT: "workers",
    }
    return words.get(what.kind, "doctor")


def _tell_part(one: Condition, incident: Incident, as_of: datetime) -> str:
    return f"{safe_line(say_condition(one))}{_name(one)}{_marks(one, incident, as_of)}."


def _name(one: Condition) -> str:
    """What tells errors of one task apart."""
    return f" ({safe_word(one.subject)})" if one.kind is IncidentKind.GROUP else ""


def _say_mute(
    part: Condition, incident: Incident, as_of: datetime, until: datetime | None = None
) -> str:
    """By whom, until when, and what ends it."""
    facts, by = part.facts, incident.find_muter(part)
    said, above = f"muted by {safe_word(by)}" if by else "muted", facts.get("muted_above")
    if until is None and (text := facts.get("muted_until")):
        until = datetime.fromisoformat(str(text))
    ends = [f"until {clock(until, as_of)}"] if until is not None else []
    if above is not None:
        ends.append(f"until it fails more than {count_noun(int(above), 'time')} an hour")
    said = " ".join([said, ", or ".join(ends)]).rstrip()
    name = facts.get("muted_as") or part.subject
    name = str(name) if part.kind is IncidentKind.GROUP else incident.name
    return f"{said} (jobs-maint mute {safe_word(name)} --off ends that)"


def _marks(one: Condition, incident: Incident, as_of: datetime) -> str:
    """Of one of several groups of errors."""
    by = one.facts.get("taken_by")
    who = f"; taken by {safe_word(str(by))}" if by else ""
    settled = say_settled(one)
    muted = f"; {_say_mute(one, incident, as_of)}" if one.is_muted else ""
    if name := find_shared_mute(one, incident):
        muted = f"; muted as {safe_word(name)}"
    return f"{f', {settled}' if settled else ''}{who}{muted}"


def _over(one: Incident, as_of: datetime) -> str:
    ended = one.resolved_at or one.seen_at
    span = format_age(((one.ended_at or ended) - one.began_at).total_seconds())
    lasted = f"came {one.spells} times in {span}" if one.spells > 1 else f"lasted {span}"
    why = say_reason(one.kind, one.why)
    reason = f"; {why}" if why else ""
    said = safe_line(say_past(one))
    return f"{clock(ended, as_of)}  {one.name}  {said}; {lasted}{reason}."


def _show_alone(one: Incident, as_of: datetime, page: Page) -> None:
    """With its history: what happened, to what and by whom."""
    if one.state == "open":
        _show(one, as_of, page)
    else:
        page.line(_over(one, as_of), "bold")
    for part in one.past:
        page.line(f"Over before: {safe_line(say_past_why(part))}.", indent=2)
    page.line()
    for entry in one.history:
        what = safe_word(f"{entry.kind} {entry.subject}".strip())
        who = f" by {safe_word(entry.by)}" if entry.by else ""
        who += f", who took {safe_word(entry.whom)} off" if entry.whom else ""
        page.line(f"{clock(entry.at, as_of)}  {entry.what}{who}  {what}", indent=2)


def render_incident(report: IncidentReport, page: Page) -> None:
    one = report.incident
    if report.done == "shown":
        _show_alone(one, report.as_of, page)
        return
    others = [(by, name) for by, name in list_takers(one) if by != one.taken_by]
    until = f" until {clock(one.muted_until, report.as_of)} UTC" if one.muted_until else ""
    whole = safe_word(report.whole) if report.whole else ""
    told = {
        "taken": f"{one.name} is taken by {safe_word(one.taken_by or '')}.",
        "dropped": f"{one.name} was given back"
        f"{'' if others or whole else '; nobody is on it now'}.",
        "muted": f"{one.name} is muted{until}: nothing is posted about it, even if it ends and "
        "comes again.",
        "unmuted": f"{one.name} is not muted any more."
        if not whole
        else f"The mute of {one.name} alone is ended; all errors of this kind ({whole}) are still "
        f"muted{until}.",
    }
    if report.had_since is not None:
        since = clock(report.had_since, report.as_of)
        told["taken"] = f"You have been on {one.name} since {since} UTC."
    page.line(told[report.done], "bold")
    if acted := say_acted(report):
        page.line(acted)
    if whom := one.history[-1].whom if one.history else None:
        page.line(f"You took {safe_word(whom)} off.")
    elif report.before and report.before != one.taken_by:
        page.line(f"Before that, {safe_word(report.before)} was on it.")
    if whole and report.done == "dropped":
        page.line(f"{safe_word(one.taken_by or '')} is still on all errors of this kind ({whole}).")
    if report.done in {"dropped", "taken"}:
        for by, name in others:
            page.line(f"{safe_word(by)} is still on its error {name}.")
    said = say_condition(one) if one.state == "open" else f"Over: {say_past_why(one)}"
    page.line(f"{safe_line(said)}.", indent=2)
    if report.done == "taken":
        page.line(f"Undo: jobs-maint take {one.name} --drop")


PAGES: Pages = {IncidentsReport: render_incidents, IncidentReport: render_incident}
