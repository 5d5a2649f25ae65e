"""The name of a group of errors or of an incident, typed where something else is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jobs_maint.actions.failures import ListFailed
from jobs_maint.actions.groups import read_group_name
from jobs_maint.actions.incidents import GetIncident, read_incident_name

__all__ = ["Named", "find_named"]

_DASHED = re.compile(r"#?[a-zA-Z][-\u2010-\u2015]")
"""Without the dash it may be the name of a queue as well."""
_GROUP = re.compile(r"E-[0-9a-f]{4,16}")


@dataclass(frozen=True, slots=True)
class Named:
    """`line`: what shows it. `group`: its name if it is a group of errors."""

    what: str
    line: str
    group: str | None = None


def find_named(text: str) -> Named | None:
    """`E-4f2a` or `I-7`, however it was typed; None where it may mean something else."""
    if not _DASHED.match(text):
        return None
    name = read_group_name(text)
    if name is not None and _GROUP.fullmatch(name):
        return Named("a group of errors", ListFailed(group=name).words(), name)
    number = read_incident_name(text)
    return None if number is None else Named("an incident", GetIncident(number).words())
