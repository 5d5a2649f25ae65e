"""Incidents as rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb

from jobs_maint.models import Condition, HistoryEntry, Incident, IncidentKind, Told
from jobs_maint.operations.incidents.cases import FLAPPING, Case, Key
from jobs_maint.operations.incidents.measured import Memory
from jobs_maint.operations.incidents.steps import calm
from jobs_maint.redaction import Rules, redact_text

__all__ = [
    "as_json",
    "read_case",
    "read_incident",
    "read_memory",
    "read_told",
    "redact",
    "write_case",
    "write_memory",
]


TEXTS = {"message", "error"}
"""Facts that are texts of the team's errors."""


def read_incident(row: Mapping[str, Any]) -> Incident:
    parts = [*map(_read_condition, row["folded"])]
    found = Incident(
        id=row["id"],
        kind=IncidentKind(row["kind"]),
        subject=row["subject"],
        state=row["state"],
        since=row["since"],
        opened_at=row["opened_at"],
        seen_at=row["seen_at"],
        resolved_at=row["resolved_at"],
        value=row["value"],
        worst=row["worst"],
        limit=row["value_limit"],
        queues=tuple(row["queues"]),
        facts=row["facts"],
        folded=tuple(one for one in parts if one.over_at is None),
        past=tuple(one for one in parts if one.over_at is not None),
        times=row["times"],
        flapping=row["times"] >= FLAPPING,
        taken_by=row["taken_by"],
        taken_at=row["taken_at"],
        muted_until=row["muted_until"],
        history=tuple(map(_read_entry, row["history"])),
    )
    return calm(found, _read_absent(row), row["revised_at"])


def _read_absent(row: Mapping[str, Any]) -> dict[Key, datetime]:
    return {
        (IncidentKind(kind), subject): datetime.fromisoformat(at)
        for kind, subject, at in row["absent"]
    }


def read_case(row: Mapping[str, Any]) -> Case:
    return Case(read_incident(row), row["revision"], row["revised_at"], _read_absent(row))


def write_case(case: Case, *, new: bool = False) -> dict[str, Any]:
    """The columns that a pass writes; what people and messages say of it stays, but when `new`."""
    one = case.incident
    absent = [[kind, subject, at.isoformat()] for (kind, subject), at in case.absent.items()]
    found = {
        "kind": one.kind,
        "subject": one.subject,
        "state": one.state,
        "since": one.since,
        "seen_at": one.seen_at,
        "resolved_at": one.resolved_at,
        "value": one.value,
        "worst": one.worst,
        "value_limit": one.limit,
        "queues": list(one.queues),
        "facts": Jsonb(dict(one.facts)),
        "folded": Jsonb(list(map(as_json, (*one.folded, *one.past)))),
        "absent": Jsonb(absent),
        "times": one.times,
        "history": Jsonb(list(map(as_json, one.history))),
        "revision": case.revision,
        "revised_at": case.revised_at,
    }
    if new:
        acts = ("opened_at", "taken_by", "taken_at", "muted_until")
        return {**found, **{name: getattr(one, name) for name in acts}}
    return {**found, "id": one.id}


def read_memory(stored: Mapping[str, Any]) -> tuple[Memory, frozenset[Key]]:
    """And what the last pass saw for the first time."""

    def at(text: str | None) -> datetime | None:
        return datetime.fromisoformat(text) if text else None

    begin, end = map(at, stored.get("noted", (None, None)))
    memory = Memory(
        worker_at=at(stored.get("worker_at")),
        resumed_at=at(stored.get("resumed_at")),
        digests={
            name: datetime.fromisoformat(text) for name, text in stored.get("digests", {}).items()
        },
        noted=(begin, end) if begin and end else None,
        known_from=at(stored.get("known_from")),
        paused=stored.get("paused", False),
        heard={
            name: datetime.fromisoformat(text) for name, text in stored.get("heard", {}).items()
        },
        heard_all=at(stored.get("heard_all")),
        kinds=frozenset(map(IncidentKind, stored["kinds"])) if "kinds" in stored else None,
    )
    pending = ((IncidentKind(kind), subject) for kind, subject in stored.get("pending", ()))
    return memory, frozenset(pending)


def write_memory(memory: Memory, pending: Iterable[Key]) -> dict[str, Any]:
    return {
        "worker_at": memory.worker_at.isoformat() if memory.worker_at else None,
        "resumed_at": memory.resumed_at.isoformat() if memory.resumed_at else None,
        "digests": {name: at.isoformat() for name, at in memory.digests.items()},
        "noted": [at.isoformat() for at in memory.noted or ()] or [None, None],
        "known_from": memory.known_from.isoformat() if memory.known_from else None,
        "paused": memory.paused,
        "heard_all": memory.heard_all.isoformat() if memory.heard_all else None,
        "heard": {name: at.isoformat() for name, at in memory.heard.items()},
        **({"kinds": sorted(memory.kinds)} if memory.kinds is not None else {}),
        "pending": sorted([kind, subject] for kind, subject in pending),
    }


def read_told(row: Mapping[str, Any]) -> Told | None:
    """None where no post was begun yet."""
    if row["key"] is None:
        return None
    return Told(
        channel=row["channel"],
        key=row["key"],
        ts=row["ts"],
        posts=row["posts"],
        revision=row["told_revision"],
        entries=row["told_entries"],
        error=row["told_error"],
    )


def as_json(value: Condition | HistoryEntry) -> dict[str, Any]:
    """As it is stored."""
    found = {name: getattr(value, name) for name in value.__slots__}
    for name, one in found.items():
        if isinstance(one, datetime):
            found[name] = one.astimezone(UTC).isoformat()
        elif isinstance(one, Mapping):
            found[name] = dict(one)
    return found


def _read_condition(stored: Mapping[str, Any]) -> Condition:
    since, over_at = stored["since"], stored.get("over_at")
    return Condition(
        **{
            **stored,
            "kind": IncidentKind(stored["kind"]),
            "since": datetime.fromisoformat(since) if since else None,
            "over_at": datetime.fromisoformat(over_at) if over_at else None,
            "queues": tuple(stored["queues"]),
        }
    )


def _read_entry(stored: Mapping[str, Any]) -> HistoryEntry:
    at, since = datetime.fromisoformat(stored["at"]), stored.get("since")
    return HistoryEntry(
        **{
            **stored,
            "kind": IncidentKind(stored["kind"]),
            "at": at,
            "since": datetime.fromisoformat(since) if since else None,
        }
    )


def redact(one: Incident, rules: Rules) -> Incident:
    """Without secrets in the texts of the team's."""
    return replace(
        one,
        facts=_redact_facts(one.facts, rules),
        folded=tuple(_redact_part(other, rules) for other in one.folded),
        past=tuple(_redact_part(other, rules) for other in one.past),
    )


def _redact_part(part: Condition, rules: Rules) -> Condition:
    return replace(part, facts=_redact_facts(part.facts, rules))


def _redact_facts(facts: Mapping[str, Any], rules: Rules) -> dict[str, Any]:
    return {
        name: redact_text(value, rules) if name in TEXTS and isinstance(value, str) else value
        for name, value in facts.items()
    }
