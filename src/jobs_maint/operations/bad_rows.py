"""One row that the database refuses to change must not stop the others.

A foreign key of the team, a check of theirs or a trigger that raises may refuse any of the rows
that an act is about. The act is then done again without those.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg import sql

from jobs_maint.database import (
    LOCK_TIMEOUT,
    Conn,
    fetch_all,
    is_connection_lost,
    limit_lock_waits,
    note_holders,
)
from jobs_maint.fingerprint import normalise
from jobs_maint.models import ItemOutcome, ItemResult, SkipGroup
from jobs_maint.redaction import redact_text
from jobs_maint.sql import load_queries

__all__ = [
    "KEPT",
    "MOST_REASONS",
    "Change",
    "Postponed",
    "Refusals",
    "change_rows",
    "describe_refusal",
    "is_refusal",
    "refuse_row",
    "wait_less",
]

Change = Callable[[Sequence[int]], Awaitable[list[dict[str, Any]]]]

Sift = Callable[[Conn, Sequence[int], Change], Awaitable[dict[int, psycopg.Error]]]

_NOT_OF_A_ROW = ("08", "25", "40", "53", "57", "58")
"""Classes of errors: connection, transaction state, races, resources, operator, system."""
_STATEMENT = "42"
"""A missing right or table: of all rows, unless some could be changed without it."""
_CALL = re.compile(r"""([\w."$]+\([^()]*\))""")
_RACES = (pg.LockNotAvailable, pg.DeadlockDetected, pg.SerializationFailure)
"""Another session is at what the row needs, such as a row of the team's that refers to it."""
HELD = timedelta(milliseconds=100)
"""How long each further row waits for a lock, once one has waited `LOCK_TIMEOUT`."""
MOST_HELD = 40
"""So many tries may end in a race; the rows that are left then count as held."""
KEPT = "a trigger of the database kept it as it was; see the triggers of procrastinate_jobs"
MOST_REASONS = 10
SAMPLE = 5


def is_refusal(exc: psycopg.Error) -> bool:
    """Whether the error may be of single rows, not of the connection, the moment or the server."""
    state = exc.sqlstate
    return (
        state is not None
        and not state.startswith(_NOT_OF_A_ROW)
        and not isinstance(exc, pg.LockNotAvailable)
    )


async def wait_less(conn: Conn, exc: psycopg.Error) -> None:
    """After a wait for a lock: note who holds it, and let this transaction wait briefly only."""
    if isinstance(exc, pg.LockNotAvailable):
        await note_holders(conn, exc, LOCK_TIMEOUT)
        await limit_lock_waits(conn, HELD)


@dataclass(slots=True)
class _Races:
    """How many tries met another session. Only the first lock is waited for long."""

    met: int = 0
    holders: list[str] | None = None

    async def meet(self, conn: Conn, exc: psycopg.Error) -> None:
        self.met += 1
        if self.holders is None and isinstance(exc, pg.LockNotAvailable):
            await wait_less(conn, exc)
            self.holders = getattr(exc, "__notes__", [])
        else:
            for note in self.holders or ():
                exc.add_note(note)


async def change_rows(
    conn: Conn, ids: Sequence[int], change: Change, sift: Sift | None = None
) -> tuple[list[dict[str, Any]], dict[int, psycopg.Error]]:
    """What `change` returns for all rows but the refused ones, and why each of those was.

    `sift` finds the refused ones of many rows at once, as far as it can.

    Each try is a savepoint. Where it fails, the rows that the violated foreign key names are left
    out at once; for all else halves are tried, the larger parts first, so that a few bad rows cost
    a few tries. Our transactions check deferred constraints at each statement, so a key that would
    only raise at the commit is met here. Raises what is no matter of single rows, such as a missing
    right, and the lock that many rows wait for where none could be changed.
    """
    parts, done = deque([list(ids)] if ids else []), []
    refused: dict[int, psycopg.Error] = {}
    races = _Races()
    while parts:
        part = parts.popleft()
        try:
            async with conn.transaction():
                done += await change(part)
        except psycopg.Error as exc:
            if conn.closed:
                raise
            if isinstance(exc, _RACES):
                await races.meet(conn, exc)
            elif not is_refusal(exc):
                raise
            if races.met >= MOST_HELD:
                refused |= dict.fromkeys((*part, *chain.from_iterable(parts)), exc)
                break
            held = set(part) if len(part) == 1 else await _find_held(conn, part, exc)
            refused |= dict.fromkeys(sorted(held), exc)
            if not held and sift is not None and not isinstance(exc, _RACES):
                found = await sift(conn, part, change)
                refused |= found
                held = set(found)
            left = [row for row in part if row not in held]
            half = len(left) if held else len(left) // 2
            parts += [rows for rows in (left[:half], left[half:]) if rows]
    if races.met:
        await limit_lock_waits(conn, LOCK_TIMEOUT)
    first = next(iter(refused.values()), None)
    of_all = races.met >= MOST_HELD or (first and (first.sqlstate or "").startswith(_STATEMENT))
    if first is not None and not done and of_all:
        raise first
    return done, refused


async def _find_held(conn: Conn, ids: Sequence[int], exc: psycopg.Error) -> set[int]:
    """The jobs that the violated foreign key still names; empty where that is not to be seen."""
    schema, table = exc.diag.schema_name or "", exc.diag.table_name or ""
    if not isinstance(exc, pg.ForeignKeyViolation | pg.RestrictViolation):
        return set()
    params = {"schema": schema, "table": table, "name": exc.diag.constraint_name}
    with suppress(psycopg.Error):  # no right to read that table
        async with conn.transaction():
            found = await fetch_all(conn, load_queries("jobs")["find_key"], params)
            if found:
                query = sql.SQL(
                    "SELECT DISTINCT {column} AS id FROM {table} WHERE {column} = ANY (%(ids)s)"
                ).format(
                    column=sql.Identifier(found[0]["column"]),
                    table=sql.Identifier(schema, table),
                )
                return {row["id"] for row in await fetch_all(conn, query, {"ids": list(ids)})}
    return set()


def describe_refusal(exc: psycopg.Error) -> str:
    """A phrase: which key, constraint or function of which table refused, and what to do."""
    diag = exc.diag
    lines = (diag.message_primary or str(exc)).strip().splitlines()
    said = redact_text(lines[0])[:300] if lines else type(exc).__name__
    table = ".".join(filter(None, (diag.schema_name, diag.table_name)))
    ours = (diag.table_name or "").startswith("procrastinate_")
    if isinstance(exc, _RACES):
        who = "".join(f" ({note})" for note in getattr(exc, "__notes__", ()))
        return f"another session holds what it needs{who}; try again when that is done"
    if isinstance(exc, pg.ForeignKeyViolation | pg.RestrictViolation) and table and not ours:
        return (
            f"the foreign key {diag.constraint_name} of table {table} forbids it; give that key ON "
            f"DELETE CASCADE or ON DELETE SET NULL, or delete those rows of {table} first"
        )
    if diag.constraint_name and table:
        return (
            f"the constraint {diag.constraint_name} of table {table} refuses it ({said}); change "
            "that constraint or the row"
        )
    if diag.column_name and table:
        return (
            f"the column {diag.column_name} of table {table} refuses it ({said}); let the column "
            "be empty, or make its foreign key ON DELETE CASCADE"
        )
    if found := _CALL.search(diag.context or ""):
        return (
            f"the database function {found[1]} refuses it ({said}); change that function or what "
            "it checks"
        )
    return f"the database refused: {said}"


def refuse_row(
    job_id: int, exc: psycopg.Error | None, queue: str | None = None, task: str | None = None
) -> ItemResult:
    """The outcome of a locked row that did not change; without an error no row was touched."""
    reason = KEPT if exc is None else describe_refusal(exc)
    return ItemResult(job_id, ItemOutcome.FAILED, "error", reason, queue, task)


class Refusals:
    """Counts by reason over many batches; beyond ten reasons the rest is one group.

    Reasons that differ in ids and the like are one, told in the words of the first.
    """

    def __init__(self) -> None:
        self._groups: dict[str, tuple[int, tuple[int, ...]]] = {}
        self._words: dict[str, str] = {}

    @property
    def count(self) -> int:
        return sum(count for count, _ in self._groups.values())

    def add(self, reason: str, ids: Sequence[int], more: int = 0) -> None:
        """`more`: how many there are, where `ids` is a sample."""
        key = normalise(reason)
        reason = self._words.get(key, reason)
        if reason not in self._groups and len(self._groups) >= MOST_REASONS:
            reason = "the database refused, for other reasons"
        else:
            self._words[key] = reason
        count, sample = self._groups.get(reason, (0, ()))
        self._groups[reason] = count + (more or len(ids)), (*sample, *ids)[:SAMPLE]

    def add_errors(self, refused: Mapping[int, psycopg.Error]) -> None:
        alike: dict[psycopg.Error, list[int]] = {}
        for job_id, exc in refused.items():
            alike.setdefault(exc, []).append(job_id)
        for exc, ids in alike.items():
            self.add(describe_refusal(exc), ids)

    def list_groups(self, code: str = "error") -> tuple[SkipGroup, ...]:
        found = sorted(self._groups.items(), key=lambda group: -group[1][0])
        return tuple(SkipGroup(code, reason, *counted) for reason, counted in found)


class Postponed:
    """The first error of several steps, raised when the others are done."""

    def __init__(self) -> None:
        self._error: psycopg.Error | None = None

    @contextmanager
    def step(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as exc:
            if is_connection_lost(exc):
                raise
            self._error = self._error or exc

    def throw(self) -> None:
        if self._error is not None:
            raise self._error
