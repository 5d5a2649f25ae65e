"""One row that the database refuses to change must not stop the others.

A foreign key of the team, a check of theirs or a trigger that raises may refuse any of the rows
that an act is about. The act is then done again without those.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg import sql

from jobs_maint.database import (
    LOCK_TIMEOUT,
    RACES,
    Conn,
    fetch_all,
    find_function,
    is_connection_lost,
    is_stopped,
    limit_lock_waits,
    note_holders,
)
from jobs_maint.sql import load_queries

__all__ = [
    "Change",
    "Postponed",
    "bounded_tries",
    "change_rows",
    "is_refusal",
    "wait_less",
]

Change = Callable[[Sequence[int]], Awaitable[list[dict[str, Any]]]]

Sift = Callable[[Conn, Sequence[int], Change], Awaitable[dict[int, psycopg.Error]]]

_NOT_OF_A_ROW = ("25", "40", "53", "57014", "58")
"""Classes of errors: transaction state, races, resources, a cancelled statement, system. Raised by
a function of the team they are of the row that it was called for."""
_ELSEWHERE = ("08", *_NOT_OF_A_ROW, "57")
"""What a function may have met elsewhere, such as at another server, after seconds of waiting."""
_STATEMENT = "42"
"""A missing right or table: of all rows, unless some could be changed without it."""
HELD = timedelta(milliseconds=100)
"""How long each further row waits for a lock, once one has waited `LOCK_TIMEOUT`."""
MOST_HELD = 40
"""So many tries may end in a race; the rows that are left then count as held."""
SLOW_TRY = 0.25
"""Seconds. Where a try that fails elsewhere takes longer, single rows follow it: each of them waits
for its own failure only, where halves wait for it once a level."""
MOST_SECONDS, MOST_SECONDS_OF_RUN = 10.0, 30.0
"""So long may those tries of a step, and of a run, take that fail elsewhere: they hold the rows."""


def is_refusal(exc: psycopg.Error) -> bool:
    """Whether the error may be of single rows, not of the connection, the moment or the server."""
    if exc.sqlstate is None or isinstance(exc, RACES) or is_connection_lost(exc) or is_stopped(exc):
        return False
    return find_function(exc) is not None or not exc.sqlstate.startswith(_NOT_OF_A_ROW)


def _is_of_statement(exc: psycopg.Error) -> bool:
    """A missing right or table; not a row that a policy of row-level security forbids."""
    return (
        (exc.sqlstate or "").startswith(_STATEMENT)
        and exc.diag.source_function != "ExecWithCheckOptions"
        and not find_function(exc)
    )


def _is_elsewhere(exc: psycopg.Error) -> bool:
    return isinstance(exc, RACES) or (exc.sqlstate or "").startswith(_ELSEWHERE)


_spent: ContextVar[list[float] | None] = ContextVar("spent", default=None)


@contextmanager
def bounded_tries() -> Iterator[None]:
    """One run: what the tries of its steps take that fail elsewhere is added up."""
    token = _spent.set([0.0])
    try:
        yield
    finally:
        _spent.reset(token)


@dataclass(slots=True)
class _Elsewhere:
    """The tries that fail at what a function of the team needs: each may wait for seconds."""

    spent: list[float]
    limit: float

    @classmethod
    def begin(cls) -> _Elsewhere:
        spent = _spent.get() or [0.0]
        return cls(spent, min(spent[0] + MOST_SECONDS, MOST_SECONDS_OF_RUN))

    def is_over(self, exc: psycopg.Error, seconds: float) -> bool:
        """Whether to try no more; then the error says so."""
        if _is_elsewhere(exc) and not isinstance(exc, RACES):
            self.spent[0] += seconds
            if self.spent[0] >= self.limit:
                exc.add_note("some of them were not tried, as such failures had taken too long")
                return True
        return False


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
    races, elsewhere = _Races(), _Elsewhere.begin()
    while parts:
        part = parts.popleft()
        begun = time.monotonic()
        try:
            async with conn.transaction():
                done += await change(part)
        except psycopg.Error as exc:
            if isinstance(exc, RACES):
                await races.meet(conn, exc)
            elif not is_refusal(exc):
                raise
            took = time.monotonic() - begun
            if races.met >= MOST_HELD or elsewhere.is_over(exc, took):
                refused |= dict.fromkeys((*part, *chain.from_iterable(parts)), exc)
                break
            held = set(part) if len(part) == 1 else await _find_held(conn, part, exc)
            refused |= dict.fromkeys(sorted(held), exc)
            if not held and sift is not None and not _is_elsewhere(exc):
                found = await sift(conn, part, change)
                refused |= found
                held = set(found)
            left = [row for row in part if row not in held]
            if took > SLOW_TRY and _is_elsewhere(exc) and not isinstance(exc, RACES):
                parts += [[row] for row in left]
                continue
            half = len(left) if held else len(left) // 2
            parts += [rows for rows in (left[:half], left[half:]) if rows]
    if races.met:
        await limit_lock_waits(conn, LOCK_TIMEOUT)
    first = next(iter(refused.values()), None)
    of_all = races.met >= MOST_HELD or (first is not None and _is_of_statement(first))
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
