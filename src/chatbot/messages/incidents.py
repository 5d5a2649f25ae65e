"""The incidents of now and lately, and the answer to whoever takes or mutes one."""

from __future__ import annotations

from datetime import datetime, timedelta

from chatbot.messages.incident import (
    offer_buttons,
    render_details_of,
    tell_begin,
    tell_folded,
    tell_standing,
    tell_verdict,
)
from chatbot.messages.incident_end import say_over
from chatbot.messages.incident_marks import tell_mute, tell_who
from chatbot.messages.message import Message, Messages
from chatbot.messages.packer import pack
from chatbot.messages.parts import (
    Button,
    Line,
    Part,
    bold,
    buttons,
    code,
    context,
    divider,
    paragraph,
    when,
)
from chatbot.messages.people import name_actor, tell_given_back
from chatbot.messages.remembered import GIVE_BACK, TAKE
from chatbot.messages.runbooks import NO_RUNBOOKS, Runbooks
from chatbot.messages.words import DOTS, all_well, count, say_span
from jobs_maint.actions import ListIncidents, MuteIncident, TakeIncident
from jobs_maint.models import Incident, IncidentKind, IncidentReport, IncidentsReport
from jobs_maint.render import (
    judge_incidents,
    list_takers,
    say_acted,
    say_reach,
    say_unwatched,
    say_watched,
    sort_incidents,
)

__all__ = ["MESSAGES", "render_incidents", "render_taken"]

MOST_PAST = 10
MOST_OTHERS = 5
UNWATCHED = timedelta(minutes=2)


def render_incidents(report: IncidentsReport, runbooks: Runbooks = NO_RUNBOOKS) -> Message:
    lines: list[Line] = [_headline(report)]
    if not report.open and report.watched_at is None:
        lines.append(
            ["jobs-chatbot run watches, unless CHATBOT_INCIDENTS is off; the local one does not."]
        )
    if report.paused:
        lines.append(["During a planned pause nothing becomes an incident; stats says how it is."])
    items = [_item(one, report.as_of, runbooks) for one in sort_incidents(report.open)]
    span = say_span(report.since_seconds)[0]
    past = [_tell_past(one, report.as_of) for one in report.recent[:MOST_PAST]]
    tail: list[Part] = []
    if past:
        left = len(report.recent) - len(past)
        over = [bold(f"Over in the last {span}")]
        more: list[Line] = [[f"and {left:,} more"]] if left else []
        tail = [divider(), paragraph(over, *past, *more)]
    tail += [
        _notes(report),
        buttons(
            Button(
                "Refresh",
                ListIncidents(timedelta(seconds=report.since_seconds)).words(),
                refresh=True,
            )
        ),
    ]
    return pack([paragraph(*lines)], items, _count_left, tail)


def _count_left(left: int) -> Part:
    return context([f"{count(left, 'more incident')}, not shown"])


def _headline(report: IncidentsReport) -> Line:
    reach = say_reach(report.limited_to_queues)
    if report.open:
        level = judge_incidents(report.open)
        dot = all_well(report.limited_to_queues) if level == "green" else f"{DOTS[level]} "
        return [dot, bold(f"{count(len(report.open), 'incident')} now{reach}.")]
    if report.watched_at is None:
        return ["🟡 ", bold("No bot has watched these jobs yet.")]
    watched = say_watched(report.unwatched)
    then = [f" {watched}"] if watched else []
    if report.paused:
        return ["🟡 ", bold(f"No incident now{reach}, and a planned pause is on."), *then]
    unsure = report.hidden_incidents or len(report.unwatched) == len(IncidentKind)
    dot = all_well(report.limited_to_queues, sure=not unsure)
    return [dot, bold(f"No incident now{reach}."), *then]


def _item(incident: Incident, as_of: datetime, runbooks: Runbooks) -> list[Part]:
    head = bold(f"{incident.name}  {tell_verdict(incident)}.")
    lines: list[Line] = [[head, *tell_standing(incident)]]
    if incident.calm_since is not None:
        calm = when(incident.calm_since, as_of)
        lines.append(["Calm since ", calm, ", still watched: it comes and goes."])
    lines += [tell_begin(incident, as_of), *tell_folded(incident, as_of)]
    if incident.taken_by is not None:  # else the button says so, until somebody presses it
        lines.append(tell_who(incident, as_of))
    if muted := tell_mute(incident, as_of):
        lines.append(muted)
    return [divider(), paragraph(*lines), buttons(*offer_buttons(incident, as_of, runbooks))]


def _tell_past(incident: Incident, as_of: datetime) -> Line:
    at = incident.resolved_at or as_of
    return [when(at, as_of), f"  {incident.name}  {say_over(incident)}"]


def _notes(report: IncidentsReport) -> Part:
    notes: list[Line] = [["as of ", when(report.as_of, report.as_of)]]
    if report.watched_at is not None and report.as_of - report.watched_at > UNWATCHED:
        notes.append(["no bot has watched since ", when(report.watched_at, report.as_of)])
    if report.open and (unwatched := say_unwatched(report.unwatched)):
        notes.append([unwatched[0].lower() + unwatched[1:-1]])
    if report.hidden_incidents:
        hidden = count(report.hidden_incidents, "more incident")
        notes.append([f"{hidden} of queues that your role does not reach"])
    return context(*notes)


def render_taken(report: IncidentReport, by: str) -> Message:
    """The answer to somebody who typed it; a button changes only the message it is on."""
    one = report.incident
    done = {
        "dropped": "was given back",
        "unmuted": "is not muted any more",
    }.get(report.done, f"is {report.done}")
    was_dropped = report.done == "dropped"
    who = tell_given_back(by, report.before) if was_dropped else [" by ", name_actor(by)]
    if report.done == "unmuted":
        who = [": ", name_actor(by), " ended the mute"]
    is_left = report.done == "unmuted" and report.whole is not None
    if is_left:
        done = "is not muted alone any more"
    line: Line = ["✅ ", bold(f"{one.name} {done}"), *who]
    if report.done == "muted" and one.muted_until is not None:
        line = [*line, " until ", when(one.muted_until, report.as_of)]
    if report.had_since is not None:
        line = ["✅ ", bold(f"{one.name} has been taken"), *who]
        line += [" since ", when(report.had_since, report.as_of)]
    is_over = one.state == "resolved"
    lines: list[Line] = [[*line, "."], [say_over(one) if is_over else f"{tell_verdict(one)}."]]
    if report.done == "muted":
        lines.append(["Until then nothing is posted about it, even if it ends and comes again."])
    others = _tell_others(report, by) if report.done in {"dropped", "taken"} else []
    lines[1:1] = others
    if (
        report.before
        and report.done != "dropped"
        and report.before != one.taken_by
        and name_actor(report.before) != name_actor(by)
    ):
        lines.insert(1, ["Before that, ", name_actor(report.before), " was on it."])
    if is_left:
        lines.insert(1, [f"All errors of this kind ({report.whole}) are still muted."])
    if report.whole and one.taken_by and was_dropped:
        still = f" is still on all errors of this kind ({report.whole})."
        lines.insert(1, [name_actor(one.taken_by), still])
    elif was_dropped and not others:
        lines.insert(1, ["Nobody is on it now."])
    acted = say_acted(report)
    lines[1:1] = [[acted]] * bool(acted)
    return pack([paragraph(*lines), buttons(*_offer_undo(report))])


def _offer_undo(report: IncidentReport) -> list[Button]:
    """One that is over is neither taken nor given back."""
    one = report.incident
    if report.done == "muted":
        return [Button("End the mute", MuteIncident(one.id, None).words())]
    if report.done == "unmuted" or one.state == "resolved":
        return []
    drop = report.done == "taken"
    return [Button(GIVE_BACK if drop else TAKE, TakeIncident(one.id, drop=drop).words())]


def _tell_others(report: IncidentReport, by: str) -> list[Line]:
    """Who is on errors of it that were not taken, or are not given back, with the whole."""
    lines: list[Line] = [
        [name_actor(who), " is still on its error ", code(name), "."]
        for who, name in list_takers(report.incident)
        if report.done == "dropped" or name_actor(who) != name_actor(by)
    ]
    more = len(lines) - MOST_OTHERS
    return [*lines[:MOST_OTHERS], *([[f"And {more:,} more."]] if more > 0 else [])]


MESSAGES: Messages = {
    IncidentsReport: lambda report, wanted: render_incidents(report, wanted.runbooks),
    IncidentReport: lambda report, wanted: (
        render_details_of(report.incident, report.as_of, wanted.runbooks, by=wanted.by)
        if report.done == "shown"
        else render_taken(report, wanted.by)
    ),
}
