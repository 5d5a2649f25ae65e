"""`take`, `mute` and `incidents`: what they name, and the action that they make of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from jobs_maint.actions import (
    Action,
    GetIncident,
    ListIncidents,
    MuteGroup,
    MuteIncident,
    TakeGroup,
    TakeIncident,
    read_group_name,
    read_incident_name,
)
from jobs_maint.errors import InvalidRequest
from jobs_maint.grammar.params import MARKS, JobIds, Window, one_id, refuse_named
from jobs_maint.quoting import in_quotes

__all__ = [
    "INCIDENTS_PARAMS",
    "MUTE_PARAMS",
    "TAKE_PARAMS",
    "build_incidents",
    "build_mute",
    "build_take",
]

DAY = timedelta(hours=24)
MOST_AN_HOUR = 1_000_000


if TYPE_CHECKING:
    _RateType = click.ParamType[int]
else:  # older releases of click have no generic ParamType
    _RateType = click.ParamType


class Rate(_RateType):
    """So many an hour: `50/h`, or `50`."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"([0-9]{1,7})(?: ?/ ?h)?", str(value).strip())
        if found is None or not 0 < int(found[1]) <= MOST_AN_HOUR:
            text = f"{in_quotes(str(value))} is not a rate; write how many an hour, such as 50/h"
            self.fail(text, param, ctx)
        return int(found[1])


@dataclass(frozen=True, slots=True)
class Incident:
    number: int


INCIDENTS_PARAMS = (
    click.Argument(["incident"], required=False, metavar="INCIDENT"),
    click.Option(
        ["--since"], type=Window(), help="How far back to list those that are over (default 24h)."
    ),
)
TAKE_PARAMS = (
    click.Argument(["target"], required=False, metavar="ID|GROUP|INCIDENT"),
    click.Option(["--drop"], is_flag=True, help="Give it back: nobody is on it any more."),
)
MUTE_PARAMS = (
    click.Argument(["target"], required=False, metavar="GROUP|INCIDENT"),
    click.Option(
        ["--for", "span"], type=Window(), help="How long (default 24h, unless --above is given)."
    ),
    click.Option(
        ["--above"],
        type=Rate(),
        help="Until the group fails more often an hour; with --for, whichever comes first.",
    ),
    click.Option(["--off"], is_flag=True, help="End the mute."),
)


def _read_target(word: str, target: str | None) -> str | int | Incident:
    """The one place that knows what can be taken or muted."""
    text = (target or "").strip().strip(MARKS)
    if name := read_group_name(text):
        return name
    if number := read_incident_name(text):
        return Incident(number)
    if re.fullmatch(r"#?[0-9]+", text):
        return one_id([JobIds().convert(text, None, None)], word)
    if not text:
        raise InvalidRequest(
            f"{word} takes the name of a group or of an incident; e.g. {word} E-4f2a"
        )
    raise InvalidRequest(
        f"{in_quotes(text)} is not the name of a group or of an incident; `errors` and `incidents` "
        "show names such as E-4f2a and I-7",
        leads_to="errors",
    )


def build_incidents(*, incident: str | None, since: timedelta | None) -> Action[Any]:
    if incident is None:
        return ListIncidents(since or DAY)
    number = read_incident_name(incident.strip().strip(MARKS))
    if number is None:
        refuse_named(incident, "an incident")
        raise InvalidRequest(
            f"{in_quotes(incident)} is not the name of an incident, such as I-7; `incidents` alone "
            "lists them",
            leads_to="incidents",
        )
    if since is not None:
        raise InvalidRequest(
            f"incidents takes an incident or --since, not both; `incidents I-{number}` shows it, "
            "however old it is",
            suggestion=f"incidents I-{number}",
        )
    return GetIncident(number)


def build_take(*, target: str | None, drop: bool) -> Action[Any]:
    found = _read_target("take", target)
    if isinstance(found, Incident):
        return TakeIncident(found.number, drop)
    return TakeGroup(found, drop)


def build_mute(
    *, target: str | None, span: timedelta | None, above: int | None, off: bool
) -> Action[Any]:
    found = _read_target("mute", target)
    if off and (span is not None or above is not None):
        raise InvalidRequest("mute --off takes neither --for nor --above: the mute ends now")
    if isinstance(found, Incident):
        if above is not None:
            raise InvalidRequest(
                "--above is for groups of errors; an incident is muted --for a span"
            )
        return MuteIncident(found.number, None if off else span or DAY)
    if off:
        return MuteGroup(found)
    return MuteGroup(found, DAY if span is None and above is None else span, above)
