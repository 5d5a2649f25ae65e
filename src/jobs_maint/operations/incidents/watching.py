"""One pass of the watch: claim it, measure, judge, and store what becomes of the incidents.

What is only computed runs in a thread: without workers, each of thousands of queues is bad.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

import psycopg
from psycopg.types.json import Jsonb

from jobs_maint.actions import Limits, WatchIncidents
from jobs_maint.call import Call, describe_error
from jobs_maint.database import Conn, fetch_all, fetch_one, transaction
from jobs_maint.events import emit
from jobs_maint.models import Incident, IncidentChange, IncidentKind, WatchReport
from jobs_maint.operations.failures.memory import collect_groups
from jobs_maint.operations.incidents.cases import Case, Key
from jobs_maint.operations.incidents.ends import Ends, list_jobs
from jobs_maint.operations.incidents.judging import judge
from jobs_maint.operations.incidents.life import Known, Look, advance
from jobs_maint.operations.incidents.looking import (
    look,
    look_at_groups,
    look_for_fates,
    look_for_work,
)
from jobs_maint.operations.incidents.marks import add_marks, mark_conditions
from jobs_maint.operations.incidents.measured import Measured, Memory
from jobs_maint.operations.incidents.rates import note_rates
from jobs_maint.operations.incidents.schedules import find_unsettled, is_paused
from jobs_maint.operations.incidents.stored import (
    read_case,
    read_incident,
    read_memory,
    read_told,
    redact,
    write_case,
    write_memory,
)
from jobs_maint.operations.noticing import begin_wait
from jobs_maint.redaction import Rules
from jobs_maint.sql import load_queries

__all__ = ["LEASE_SECONDS", "watch_incidents"]

LEASE_SECONDS = 45.0
"""A bot that has not passed for so long has lost the watch."""
PATIENCE = timedelta(seconds=5)
"""For each statement: a pass comes every few seconds."""
GAP = timedelta(seconds=60)
"""Longer between two passes: the bot or the database was away."""
LONG_GAP = timedelta(minutes=2)
"""Is told in the threads of what was an incident meanwhile."""
DAY = timedelta(days=1)
MOST_HEARD = 500
QUERIES = "incidents"
Rows = Sequence[Mapping[str, Any]]

ACTS = ("taken_by", "taken_at", "muted_until")


async def watch_incidents(call: Call[WatchIncidents]) -> WatchReport | None:
    asked, limits = call.action, call.action.limits
    mine = {"holder": asked.holder, "seconds": LEASE_SECONDS}
    queries, settings = load_queries(QUERIES), call.settings
    async with call.pool.connection() as conn:
        seen = None
        async with transaction(conn, statement_timeout=PATIENCE, snapshot=True):
            if await fetch_all(conn, queries["find_own_watch"], mine):
                seen = await look(conn, limits, settings)
        if seen is None:
            async with transaction(conn, statement_timeout=PATIENCE):
                if not await fetch_all(conn, queries["claim_watch"], mine):
                    return None
            async with transaction(conn, statement_timeout=PATIENCE, snapshot=True):
                seen = await look(conn, limits, settings)
        measured, blind = seen
        if measured.uncollected and await _collect(conn):
            async with transaction(conn, statement_timeout=PATIENCE):
                measured = replace(measured, **await look_at_groups(conn, limits))
        async with transaction(conn, statement_timeout=PATIENCE):
            kept = await fetch_all(conn, queries["keep_watch"], mine)
            if not kept:
                return None
            memory, pending = read_memory(kept[0]["memory"])
            watched_at = kept[0]["watched_at"]
            memory = _remember(memory, measured, watched_at, limits)
            with suppress(psycopg.Error):  # what it tells is only more exact
                async with conn.transaction():
                    memory = await look_for_work(conn, measured, memory)
            try:
                async with conn.transaction():
                    memory = await note_rates(conn, measured.now, memory)
            except psycopg.Error as exc:
                blind[IncidentKind.FAILURES_HIGH] = describe_error(exc)[1]
            if blind and kept[0]["complete"]:
                _tell_blind(blind)
            sound = limits.kinds.difference(blind)
            wanted = replace(limits, kinds=sound)
            conditions = await asyncio.to_thread(judge, measured, wanted, memory)
            memory = replace(memory, paused=is_paused(measured.now, limits))
            saw = Look(
                measured.now, conditions, place=limits.find_place,
                unwatched=_find_gap(watched_at, measured.now),
                paused=memory.paused,
                unsettled=find_unsettled(measured.now, memory),
            )  # fmt: skip
            ends = Ends(measured, limits, sound)
            quiet = timedelta(seconds=limits.quiet)
            cases, pending = await _live(conn, saw, ends, pending, quiet)
            stored = Jsonb(write_memory(memory, pending))
            params = {"memory": stored, "complete": not blind, "at": measured.now}
            await fetch_all(conn, queries["note_pass"], params)
            rows = await fetch_all(conn, queries["list_untold"])
            untold = await add_marks(conn, map(read_incident, rows))
        await begin_wait(conn, watched_at, measured.now)
    return await asyncio.to_thread(
        _report, rows, untold, measured.now, cases, call.rules, complete=not blind
    )


async def _collect(conn: Conn) -> bool:
    """Count the failures since the last pass into their groups; the rescue does so, too."""
    try:
        await collect_groups(conn)
    except psycopg.Error:
        if conn.closed:
            raise
        return False
    return True


def _tell_blind(blind: Mapping[IncidentKind, str]) -> None:
    kinds = ",".join(sorted(blind))
    reason = next(iter(blind.values()))
    emit("jobs_maint.watch_incomplete", logging.WARNING, kinds=kinds, reason=reason)


def _remember(
    memory: Memory, measured: Measured, watched_at: datetime | None, limits: Limits
) -> Memory:
    now = measured.now
    signs = [at for at in (memory.worker_at, measured.fleet.seen_at) if at is not None]
    return replace(
        memory,
        worker_at=max(signs, default=None),
        resumed_at=now if watched_at and now - watched_at > GAP else memory.resumed_at,
        digests={plan.name: memory.digests.get(plan.name, now) for plan in measured.plans},
        kinds=limits.kinds,
        heard=_hear(memory, measured),
        heard_all=measured.fleet.all_at or memory.heard_all,
    )


def _hear(memory: Memory, measured: Measured) -> dict[str, datetime]:
    """The newest of the queues that somebody listens to, or did within the last day."""
    fleet, now = measured.fleet, measured.now
    heard = {name: at for name, at in memory.heard.items() if now - at < DAY}
    if fleet.live and fleet.queues is not None:
        heard |= fleet.queues
    newest = sorted(heard.items(), key=lambda item: item[1], reverse=True)
    return dict(newest[:MOST_HEARD])


def _find_gap(watched_at: datetime | None, now: datetime) -> timedelta:
    """For how long nobody looked, if that is worth telling."""
    span = now - watched_at if watched_at else timedelta()
    return span if span > LONG_GAP else timedelta()


async def _live(
    conn: Conn, saw: Look, ends: Ends, pending: frozenset[Key], quiet: timedelta
) -> tuple[list[Case], frozenset[Key]]:
    """The cases after this pass, stored; those that changed first had their rows locked.

    What people said since the pass looked is said of the errors in them, too.
    """
    queries = load_queries(QUERIES)
    rows = await fetch_all(conn, queries["lock_open"])
    saw = replace(saw, conditions=await mark_conditions(conn, saw.conditions))
    past, muted = [], []
    if saw.conditions:
        past = await fetch_all(conn, queries["list_resolved"], {"since": saw.now - quiet})
        muted = await fetch_all(conn, queries["list_muted"])
    known = await asyncio.to_thread(_read_known, rows, past, pending, muted)
    ends = await _look_after(conn, ends, known, {condition.key for condition in saw.conditions})
    saw = replace(saw, end=ends.find, update=ends.update)
    cases, left = await asyncio.to_thread(advance, known, saw, quiet)
    before = {case.incident.id: case for case in (*known.open, *known.recent)}
    stored = []
    # What ends first: another may take its place as the open one of its kind and subject.
    for case in sorted(cases, key=lambda case: case.is_open):
        if not case.incident.id:
            columns = await asyncio.to_thread(write_case, case, new=True)
            row = await fetch_one(conn, queries["insert_incident"], columns)
            stored.append(replace(case, incident=replace(case.incident, id=row["id"])))
        else:
            if case != before[case.incident.id]:
                columns = await asyncio.to_thread(write_case, case)
                await fetch_all(conn, queries["update_incident"], columns)
                one, was = case.incident, before[case.incident.id].incident
                marks = {name: getattr(one, name) for name in ACTS}
                if marks != {name: getattr(was, name) for name in ACTS}:
                    await fetch_all(conn, queries["mark_incident"], {**marks, "id": one.id})
            stored.append(case)
    return stored, left


def _read_known(rows: Rows, past: Rows, pending: frozenset[Key], muted: Rows) -> Known:
    return Known(
        tuple(map(read_case, rows)),
        tuple(map(read_case, past)),
        pending,
        {(IncidentKind(row["kind"]), row["subject"]): row["until"] for row in muted},
    )


async def _look_after(conn: Conn, ends: Ends, known: Known, found: Collection[Key]) -> Ends:
    """With what became of the jobs of queues that are not found to wait any more."""
    missed = [one for case in known.open for one in case.conditions if one.key not in found]
    return replace(ends, jobs=await look_for_fates(conn, list_jobs(missed)))


def _report(
    rows: Rows,
    untold: Sequence[Incident],
    now: datetime,
    cases: Sequence[Case],
    rules: Rules,
    *,
    complete: bool,
) -> WatchReport:
    pairs = zip(rows, untold, strict=True)
    changes = (_tell_change(row, redact(one, rules)) for row, one in pairs)
    shown = [(case, redact(case.incident, rules)) for case in cases]
    return WatchReport(
        as_of=now,
        changes=tuple(change for change in changes if change is not None),
        open=tuple(one for case, one in shown if case.is_open),
        complete=complete,
        opened=tuple(one for case, one in shown if case.is_open and case.began == now),
        resolved=tuple(one for case, one in shown if not case.is_open),
    )


def _tell_change(row: Mapping[str, Any], incident: Incident) -> IncidentChange | None:
    told = read_told(row)
    posted = told is not None and told.ts is not None
    if not posted and incident.history[-1].what == "merged":
        return None  # the other one tells it
    due: Literal["post", "edit", "resolve"] = "post"
    if posted:
        due = "edit" if incident.state == "open" else "resolve"
    return IncidentChange(incident, row["revision"], due, told)
