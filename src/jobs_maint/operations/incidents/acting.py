"""What people and the bot's messages say of an incident: taken, muted, told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg.types.json import Jsonb

from jobs_maint.actions import (
    HoldIncident,
    MuteGroup,
    MuteIncident,
    NoteIncidentTold,
    TakeGroup,
    TakeIncident,
)
from jobs_maint.call import Call, record_act, require_every_queue, write
from jobs_maint.database import Conn, fetch_all, fetch_one, transaction
from jobs_maint.durations import format_time
from jobs_maint.errors import InvalidRequest
from jobs_maint.models import Condition, HistoryEntry, Incident, IncidentKind, IncidentReport
from jobs_maint.operations.failures.acting import (
    find_taken_off,
    find_whole,
    is_on,
    refuse_others,
)
from jobs_maint.operations.incidents.marks import add_marks, add_standing
from jobs_maint.operations.incidents.reach import limit_to, reaches_all, refuse_unknown
from jobs_maint.operations.incidents.stored import as_json, read_incident, redact
from jobs_maint.operations.incidents.watching import LEASE_SECONDS
from jobs_maint.quoting import few
from jobs_maint.sql import load_queries

__all__ = ["hold_incident", "mute_incident", "note_told", "take_incident"]

Done = Literal["taken", "dropped", "muted", "unmuted"]
LONGEST_MUTE = timedelta(days=90)
LONGEST_ERROR = 1_000


async def take_incident(call: Call[TakeIncident]) -> IncidentReport:
    def change(one: Incident, now: datetime) -> tuple[Done, Incident]:
        if one.state != "open":
            raise _refuse_over(one, "take" if not call.action.drop else "give back", call)
        if call.action.drop and one.taken_by is None:
            raise _refuse_drop(one, call)
        if call.action.drop:
            refuse_others(call, one.name, one.taken_by)
        if one.kind is IncidentKind.GROUP and not (call.action.drop and is_on(call, one.taken_by)):
            _require_error(call, one)
        if call.action.drop:
            return "dropped", replace(one, taken_by=None, taken_at=None)
        if is_on(call, one.taken_by):
            return "taken", one
        return "taken", replace(one, taken_by=call.actor.label, taken_at=now)

    return await _act(call, change)


def _require_error(call: Call[TakeIncident], one: Incident) -> None:
    """Whoever is on an incident is on the error that leads it, in all queues where that occurs."""
    names = [
        part.subject
        for part in one.folded
        if part.kind is IncidentKind.GROUP and all(map(call.scope.covers, part.queues))
    ]
    leads = all(map(call.scope.covers, one.queues))
    if names and not leads:
        words = TakeGroup(names[0], drop=call.action.drop).words()
        what = "give back" if call.action.drop else "take"
        which = "the error" if len(names) == 1 else "one of the errors"
        raise InvalidRequest(
            f"{one.name} begins with an error of queues that your role does not reach; "
            f"to {what} {which} that it reaches, type: {words}",
            suggestion=words,
        )
    require_every_queue(call, leads)


async def mute_incident(call: Call[MuteIncident]) -> IncidentReport:
    span = call.action.span

    def change(one: Incident, now: datetime) -> tuple[Done, Incident]:
        if one.state != "open" and (span is not None or not _is_muted(one, now)):
            raise _refuse_over(one, "mute", call)
        if span is None:
            return "unmuted", replace(one, muted_until=None)
        return "muted", replace(one, muted_until=now + span)

    if span is not None and span > LONGEST_MUTE:
        raise InvalidRequest("an incident can be muted for at most 90 days")
    return await _act(call, change, whole=True)


def _require_whole(call: Call[Any], one: Incident) -> None:
    """Whoever reaches an error of it alone can mute that, and end its mute."""
    reached = reaches_all(call.scope, one)
    off = call.action.span is None
    names = [
        part.subject
        for part in (one.lead, *one.folded)
        if part.kind is one.kind is IncidentKind.GROUP
        and all(map(call.scope.covers, part.queues))
        and (part.is_muted or not off)
    ]
    if names and not reached:
        words = MuteGroup(names[0], call.action.span).words()
        what = "end the mute of" if off else "mute"
        which = "the error" if len(names) == 1 else "one of the errors"
        raise InvalidRequest(
            f"{one.name} is also about errors of queues that your role does not reach; to {what} "
            f"{which} that it reaches, type: {words}",
            suggestion=words,
        )
    require_every_queue(call, reached)


Change = Callable[[Incident, datetime], tuple[Done, Incident]]


async def _act(call: Call[Any], change: Change, *, whole: bool = False) -> IncidentReport:
    """`whole`: the role must reach all that the incident concerns, not only a part of it."""
    begun = time.monotonic()
    queries, number = load_queries("incidents"), call.action.incident_id
    async with call.pool.connection() as conn, transaction(conn):
        rows = await fetch_all(conn, queries["lock_incident"], {"incident_id": number})
        found = await add_marks(conn, map(read_incident, rows))
        if not (seen := limit_to(call.scope, found)):
            raise refuse_unknown(number, call.scope)
        if seen[0].state != found[0].state:  # what is left of it is out of reach
            raise _refuse_over(seen[0], call.action.word, call)
        if whole:
            _require_whole(call, found[0])
        # Not when this began: it may have waited for what somebody else did to it.
        now = (await fetch_one(conn, queries["get_time_now"]))["now"]
        done, changed = change(found[0], now)
        before = found[0].taken_by
        rest = await _find_whole(conn, changed, done)
        entry = HistoryEntry(
            now, done, changed.kind, changed.subject, changed.value, call.actor.label,
            whom=find_taken_off(call, done, before),
        )  # fmt: skip
        entries = [entry] + [
            replace(entry, kind=one.kind, subject=one.subject, value=one.value)
            for one in changed.folded
            if one.kind is IncidentKind.GROUP and _acts_on(call, one, done, before)
        ]
        kept = _keep(changed, done, rest)
        params = {
            "incident_id": number,
            "taken_by": kept.taken_by,
            "taken_at": kept.taken_at,
            "muted_until": kept.muted_until,
            "outdated": ["muted_until", "muted_above"] if done in {"muted", "unmuted"} else [],
            "entries": Jsonb(list(map(as_json, entries))),
        }
        same = changed is found[0] and done == "taken"  # pressed twice
        if not same:
            rows = await fetch_all(conn, queries["act_on_incident"], params)
        await _mark_groups(conn, call, changed, done, before)
        elapsed = time.monotonic() - begun
        await record_act(conn, call, elapsed_seconds=elapsed)
        there = await add_marks(conn, [redact(read_incident(rows[0]), call.rules)])
        limited = limit_to(call.scope, there)
        [shown] = await add_standing(conn, limited, call.scope.like_patterns)
    who = before if done in {"taken", "dropped"} else None
    since, name = shown.taken_at if same else None, rest["name"] if rest is not None else None
    return IncidentReport(now, shown, done, who, since, name)


def _acts_on(call: Call[Any], part: Condition, done: Done, before: str | None) -> bool:
    """Taken or given back is only what nobody was on but whoever was on the incident."""
    if done in {"muted", "unmuted"}:
        return True
    reached = all(map(call.scope.covers, part.queues))
    return reached and part.facts.get("taken_by") == before


async def _find_whole(conn: Conn, one: Incident, done: Done) -> dict[str, Any] | None:
    """What its error is still taken or muted as, once nothing is said of that alone."""
    if one.kind is not IncidentKind.GROUP or done not in {"dropped", "unmuted"}:
        return None
    rows = await fetch_all(conn, load_queries("groups")["lock_group"], {"name": one.subject})
    return await find_whole(conn, rows[0], done, one.name) if rows else None


def _keep(one: Incident, done: Done, whole: Mapping[str, Any] | None) -> Incident:
    """As it is said of all errors of its kind."""
    if whole is None:
        return one
    if done == "dropped":
        return replace(one, taken_by=whole["taken_by"], taken_at=whole["taken_at"])
    by_rate = whole["muted_above"] is not None
    return replace(one, muted_until=None if by_rate else whole["muted_until"])


def _is_muted(one: Incident, now: datetime) -> bool:
    return one.muted_until is not None and one.muted_until > now


def _refuse_over(one: Incident, what: str, call: Call[Any]) -> InvalidRequest:
    if one.is_merged and (whole := one.history[-1].by):
        number = int(whole.partition("-")[2])
        words = replace(call.action, incident_id=number).words()
        return InvalidRequest(f"{one.name} is part of {whole} now; type: {words}", suggestion=words)
    ended = f"ended at {format_time(one.resolved_at)}" if one.resolved_at else "is over"
    return InvalidRequest(f"{one.name} {ended}, so there is nothing to {what}")


def _refuse_drop(one: Incident, call: Call[Any]) -> InvalidRequest:
    """Nobody took it; somebody may be on an error that is part of it."""
    nothing = f"nobody has taken {one.name}, so there is nothing to give back"
    [shown] = limit_to(call.scope, [one])
    parts = (part for part in (shown.lead, *shown.folded) if part.kind is IncidentKind.GROUP)
    names = [part.subject for part in parts if part.facts.get("taken_by")]
    if not names:
        return InvalidRequest(nothing)
    words = TakeGroup(names[0], drop=True).words()
    return InvalidRequest(
        f"{nothing}; of its errors, {few(names)} {'is' if len(names) == 1 else 'are'} "
        f"taken: {words}",
        suggestion=words,
    )


async def _mark_groups(
    conn: Conn, call: Call[Any], one: Incident, done: Done, before: str | None
) -> None:
    """Whoever is on an incident is on its groups of errors, and what mutes it mutes them."""
    names = [
        part.subject
        for part in (one.lead, *one.folded)
        if part.kind is IncidentKind.GROUP and all(map(call.scope.covers, part.queues))
    ]
    if not names:
        return
    queries = load_queries("groups")
    if done in {"taken", "dropped"}:
        who = {"names": names, "lead": one.subject, "before": before, "taken_by": one.taken_by}
        await fetch_all(conn, queries["take_groups"], who)
    else:
        until = {"names": names, "until": one.muted_until}
        await fetch_all(conn, queries["mute_groups"], until)


async def hold_incident(call: Call[HoldIncident]) -> bool:
    """Also keeps the watch for another lease: many messages take longer than one."""
    asked = call.action

    async def hold(conn: Conn) -> bool:
        queries = load_queries("incidents")
        mine = {"holder": asked.holder, "seconds": LEASE_SECONDS}
        if not await fetch_all(conn, queries["keep_watch"], mine):
            return False
        params = {
            "incident_id": asked.incident_id, "key": asked.key, "channel": asked.channel,
            "instead_of": asked.instead_of, "gone": asked.gone,
        }  # fmt: skip
        return bool(await fetch_all(conn, queries["hold_incident"], params))

    return await write(call, hold)


async def note_told(call: Call[NoteIncidentTold]) -> bool:
    asked = call.action
    params = {
        "incident_id": asked.incident_id,
        "revision": asked.revision,
        "entries": asked.entries,
        "channel": asked.channel,
        "ts": asked.ts,
        "error": asked.error[:LONGEST_ERROR] if asked.error else None,
        "key": asked.key,
    }

    async def note(conn: Conn) -> bool:
        return bool(await fetch_all(conn, load_queries("incidents")["note_told"], params))

    return await write(call, note)
