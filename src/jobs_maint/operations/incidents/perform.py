"""`incidents`, and the watch of the bots."""

from __future__ import annotations

from jobs_maint.actions import (
    GetIncident,
    HoldIncident,
    ListIncidents,
    ListTold,
    MuteIncident,
    NoteIncidentTold,
    TakeIncident,
    WatchIncidents,
)
from jobs_maint.call import Call, Handlers, read
from jobs_maint.database import Conn, fetch_all
from jobs_maint.models import Incident, IncidentKind, IncidentReport, IncidentsReport, Told
from jobs_maint.operations.incidents.acting import (
    hold_incident,
    mute_incident,
    note_told,
    take_incident,
)
from jobs_maint.operations.incidents.marks import add_marks, add_standing
from jobs_maint.operations.incidents.measured import Memory
from jobs_maint.operations.incidents.reach import limit_to, reaches_all, refuse_unknown
from jobs_maint.operations.incidents.stored import (
    read_incident,
    read_memory,
    read_told,
    redact,
)
from jobs_maint.operations.incidents.watching import watch_incidents
from jobs_maint.operations.session import get_time
from jobs_maint.sql import load_queries

__all__ = ["HANDLERS"]


async def list_incidents(call: Call[ListIncidents]) -> IncidentsReport:
    since = call.action.since

    async def look(conn: Conn) -> IncidentsReport:
        queries = load_queries("incidents")
        as_of = await get_time(conn)
        watch = await fetch_all(conn, queries["get_watch"])
        rows = await fetch_all(conn, queries["list_open"])
        past = await fetch_all(conn, queries["list_resolved"], {"since": as_of - since})
        all_open, all_past = (
            [redact(read_incident(row), call.rules) for row in found] for found in (rows, past)
        )
        all_open = await add_marks(conn, all_open)
        all_past = [one for one in all_past if not one.is_merged]
        memory = read_memory(watch[0]["memory"])[0] if watch else Memory()
        limited = limit_to(call.scope, [*all_open, *all_past])
        there = [one for one in limited if one.state == "open"]
        shown = tuple(await add_standing(conn, there, call.scope.like_patterns))
        recent = tuple(one for one in limited if one.state != "open")
        return IncidentsReport(
            as_of=as_of,
            open=shown,
            recent=recent,
            since_seconds=since.total_seconds(),
            watched_at=watch[0]["watched_at"] if watch else None,
            paused=memory.paused,
            unwatched=tuple(
                kind
                for kind in IncidentKind
                if memory.kinds is not None and kind not in memory.kinds
            ),
            limited_to_queues=call.scope.globs,
            hidden_incidents=len(all_open) + len(all_past) - len(limited),
            narrowed=tuple(one.id for one in all_open if not reaches_all(call.scope, one)),
        )

    return await read(call, look)


async def get_incident(call: Call[GetIncident]) -> IncidentReport:
    number = call.action.incident_id

    async def look(conn: Conn) -> IncidentReport:
        rows = await fetch_all(
            conn, load_queries("incidents")["get_incident"], {"incident_id": number}
        )
        there = [redact(read_incident(row), call.rules) for row in rows]
        whole = await add_marks(conn, there)
        found = limit_to(call.scope, whole)
        if not found:
            raise refuse_unknown(number, call.scope)
        [shown] = await add_standing(conn, found, call.scope.like_patterns)
        narrowed = not reaches_all(call.scope, whole[0])
        return IncidentReport(await get_time(conn), shown, "shown", narrowed=narrowed)

    return await read(call, look)


async def list_told(call: Call[ListTold]) -> tuple[tuple[Incident, Told], ...]:
    async def look(conn: Conn) -> tuple[tuple[Incident, Told], ...]:
        query = load_queries("incidents")["list_told"]
        rows = await fetch_all(conn, query, {"mark": call.action.mark})
        there = ((redact(read_incident(row), call.rules), read_told(row)) for row in rows)
        return tuple((incident, told) for incident, told in there if told is not None)

    return await read(call, look)


HANDLERS: Handlers = {
    GetIncident: get_incident,
    ListIncidents: list_incidents,
    ListTold: list_told,
    WatchIncidents: watch_incidents,
    TakeIncident: take_incident,
    MuteIncident: mute_incident,
    HoldIncident: hold_incident,
    NoteIncidentTold: note_told,
}
