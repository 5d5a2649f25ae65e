"""One incident: its message in a channel.

The message says of itself what is wrong, since when, who is on it and what to do next.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from chatbot.messages.incident_buttons import find_buttons, list_looks
from chatbot.messages.incident_end import (
    MOST_PARTS,
    find_merged,
    say_merged,
    say_over,
    tell_calm,
    tell_end,
    tell_past,
)
from chatbot.messages.incident_marks import list_free, tell_marks, tell_mute, tell_who
from chatbot.messages.incident_thread import tell_entries
from chatbot.messages.incident_words import (
    find_last,
    has_same_cause,
    has_size,
    quote_error,
    say_advice,
    say_end,
    say_worst,
    tell_name,
    tell_which,
)
from chatbot.messages.message import Message
from chatbot.messages.packer import pack
from chatbot.messages.parts import (
    Button,
    Line,
    Part,
    Span,
    bold,
    buttons,
    code,
    context,
    paragraph,
    when,
)
from chatbot.messages.people import name_actor
from chatbot.messages.remembered import GIVE_BACK, TAKE
from chatbot.messages.runbooks import NO_RUNBOOKS, Runbooks, offer_runbook
from chatbot.messages.words import DOTS, ago, cut, defuse
from jobs_maint.actions import MuteIncident, TakeGroup, TakeIncident
from jobs_maint.durations import format_age
from jobs_maint.models import Condition, Incident, IncidentKind
from jobs_maint.render import (
    count_more,
    find_sign,
    is_good,
    judge_incident,
    list_parts,
    say_condition,
    say_since,
    say_tasks,
    say_unheard,
    say_within,
)

__all__ = [
    "offer_buttons",
    "render_details_of",
    "render_incident",
    "tell_begin",
    "tell_folded",
    "tell_standing",
    "tell_verdict",
]

DAY = timedelta(hours=24)


def render_incident(
    incident: Incident, as_of: datetime, runbooks: Runbooks = NO_RUNBOOKS
) -> Message:
    """The message in a channel, as it stands while the incident lasts and once it is over."""
    return _render(incident, as_of, buttons(*offer_buttons(incident, as_of, runbooks)))


def render_details_of(
    incident: Incident, as_of: datetime, runbooks: Runbooks, *, by: str = ""
) -> Message:
    """The same with all that happened and all that shows more of it, for `by` alone."""
    clicks = offer_buttons(incident, as_of, runbooks)[1:]
    taker = incident.taken_by if incident.state == "open" else None
    if taker is not None and name_actor(taker) == name_actor(by):
        clicks.append(Button(GIVE_BACK, TakeIncident(incident.id, drop=True).words()))
    looks = [one for one in list_looks(incident) if one not in clicks]
    story = tell_entries(incident, incident.history, as_of)
    more = [paragraph([bold("Timeline")], *story)] if story else []
    return _render(incident, as_of, buttons(*looks, *clicks), *more)


def _render(incident: Incident, as_of: datetime, *more: Part) -> Message:
    parts = [paragraph(_verdict(incident), *_lines(incident, as_of), pre=_quote(incident))]
    end = "over" if incident.state == "resolved" else "as of"
    end = "until" if find_merged(incident) else end
    # Of an open one, when its numbers were measured: somebody may have acted on it since.
    seen = as_of if incident.calm_since is not None else min(as_of, incident.seen_at)
    at = incident.resolved_at or seen
    name: list[Span | str] = [incident.name]
    if incident.kind is IncidentKind.GROUP:
        name += [" · ", code(incident.subject)]
    note = context([*name, f" · {end} ", when(at, as_of)])
    return pack([*parts, *more, note])


def _quote(incident: Incident) -> str:
    is_over = incident.state == "resolved"
    return "" if is_over and incident.kind is not IncidentKind.GROUP else quote_error(incident)


def _verdict(incident: Incident) -> Line:
    if merged := find_merged(incident):
        return ["🟡 ", bold(f"{say_merged(incident, merged)}.")]
    if incident.state == "resolved":
        alike: list[Incident | Condition] = [incident]
        alike += (one for one in incident.past if one.kind is incident.kind)
        is_well = all(is_good(one.kind, one.why) for one in alike)
        dot = "🟢 " if is_well and not incident.standing.is_failed else "🟡 "
        return [dot, bold(say_over(incident))]
    if incident.calm_since is not None:
        return ["🟡 ", bold(f"{tell_verdict(incident)}.")]
    verdict = bold(f"{tell_verdict(incident)}.")
    return [f"{DOTS[judge_incident(incident)]} ", verdict, *tell_standing(incident)]


def tell_verdict(incident: Incident) -> str:
    if incident.calm_since is not None:
        lasts = ", for now" if incident.why in {"good", "less"} else ""
        return f"{say_end(incident, incident.why)}{lasts}"
    return cut(defuse(say_condition(incident)), 300)


def tell_standing(incident: Incident) -> Line:
    """To follow the verdict: what became of the jobs that failed with an error."""
    said = incident.standing.say_standing()
    return [f" {said}"] if said else []


def _lines(incident: Incident, as_of: datetime) -> list[Line]:
    if find_merged(incident):
        return [["It is told there from now on."]]
    if incident.state == "resolved":
        lines = tell_end(incident, as_of)
        muted = tell_mute(incident, as_of)
        return [*lines, muted] if muted else lines
    if incident.calm_since is not None:
        return [tell_calm(incident, as_of), tell_who(incident, as_of)]
    lines = [tell_begin(incident, as_of), _tell_times(incident)]
    lines += [*tell_folded(incident, as_of), *tell_past(incident, as_of), tell_who(incident, as_of)]
    if muted := tell_mute(incident, as_of):
        lines.append(muted)
    return [*lines, [say_advice(incident)]]


def tell_begin(incident: Incident, as_of: datetime) -> Line:
    """How long it lasts is told of the moment of its other numbers."""
    begin, sign, since = incident.told_since, find_sign(incident), say_since(incident)
    line: list[Span | str] = []
    if incident.spells > 1:  # it was not so all the time
        line = ["First ", when(begin, as_of), f", {ago(as_of - begin)}"]
        line += [f" · {since} ", when(sign, as_of)] if sign else []
    else:
        begin = sign or begin
        lasts = f", for {format_age(min(as_of, incident.seen_at) - begin)}{say_unheard(incident)}"
        line = [f"{since[0].upper()}{since[1:]} ", when(begin, as_of), lasts]
    if incident.unlike:  # these would be of the error that leads it alone
        return [*line, *tell_which(incident), "."]
    if has_size(incident) and incident.worst > 1.1 * incident.value:
        line.append(f" · {say_worst(incident)}")
    if last := find_last(incident):
        line += [" · last failure ", when(last, as_of)]
    return [*line, *tell_which(incident), "."]


def _tell_times(incident: Incident) -> Line:
    if incident.spells < 2:
        return []
    goes = "It comes and goes: this" if incident.flapping else "It was over and is back: this"
    return [f"{goes} is the {_ordinal(incident.spells)} time."]


def _ordinal(number: int) -> str:
    tail = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10)
    return f"{number}{tail or 'th'}"


def tell_folded(incident: Incident, as_of: datetime) -> list[Line]:
    """What has the same cause, and what of the same kind came at the same time: a line each."""
    shown = list_parts(incident)[:MOST_PARTS]
    follow = [one for one in shown if has_same_cause(one, incident)]
    lines: list[Line] = []
    if incident.unlike:
        tasks = say_tasks(incident.unlike)
        lines = [[tasks]] if tasks else []
        if not incident.is_one_error:
            lines.append(_tell_part("One of them", incident.lead, incident, as_of))
    if follow:
        line: list[Span | str] = []
        for one in follow:
            line += ["; " if line else "With the same cause: "]
            line += _tell_within(one, 80, incident, as_of)
        lines.append([*line, "."])
    lines += [_tell_part("Also", one, incident, as_of) for one in shown if one not in follow]
    if more := count_more(incident, MOST_PARTS):
        lines.append([f"And {more:,} more."])
    return lines


def _tell_part(also: str, one: Condition, incident: Incident, as_of: datetime) -> Line:
    return [f"{also}: ", *_tell_within(one, 160, incident, as_of), "."]


def _tell_within(one: Condition, most: int, incident: Incident, as_of: datetime) -> Line:
    said = cut(defuse(say_within(one)), most)
    return [said, *tell_name(one), *tell_marks(one, incident, as_of)]


def offer_buttons(incident: Incident, as_of: datetime, runbooks: Runbooks) -> list[Button]:
    found = find_buttons(incident)
    mute = Button("Mute for 24 h", MuteIncident(incident.id, DAY).words())
    if tell_mute(incident, as_of):
        mute = Button("End the mute", MuteIncident(incident.id, None).words())
    if incident.state == "resolved":
        return [*found, mute] if tell_mute(incident, as_of) else found
    if incident.taken_by is None:
        found.append(Button(TAKE, TakeIncident(incident.id).words()))
    elif free := list_free(incident):  # one at a time: more than five buttons are too many
        found.append(Button(f"I'm on {free[0].subject}", TakeGroup(free[0].subject).words()))
    found.append(mute)
    task = str(incident.facts.get("task", ""))
    return [*found, *offer_runbook(runbooks, task, *incident.queues)]
