"""Old jobs whose ids lie after younger ones, as an import or a restore leaves them.

The walk of a purge ends where ids reach jobs that are too young. What lies behind is surveyed in
cells of the range of ids, without changing it; only a part with old jobs is walked. A large table
is surveyed in turns, a share of its cells a day, so that the cost of a night has a bound. The audit
row of a purge says what it surveyed, and the next purges of that night do not look again.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from jobs_maint.database import Conn, Pool, fetch_all, fetch_one, transaction
from jobs_maint.operations.session import switch_jit_off
from jobs_maint.sql import load_queries

__all__ = [
    "BEFORE_ALL",
    "NIGHT",
    "PERSON",
    "Part",
    "Survey",
    "Surveyed",
    "Turn",
    "choose_turn",
    "find_surveyed",
    "survey",
]

NIGHT = 300_000
PERSON = 1_000_000
"""Jobs that are surveyed in one run, at about 10 µs each; a person waits, but wants to know all."""
CELL = 50_000
"""Jobs in a cell, about, and at most in one statement."""


ONCE = timedelta(hours=20)
"""A survey is not repeated for so long: once a night, also where a night begins a little early."""
BEFORE_ALL = -(2**63) - 1
"""Less than any id: each `id > after` takes all jobs."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The cells of one day: those whose number is `number` modulo `turns`."""

    size: int
    turns: int
    number: int
    first_id: int
    last_id: int

    def cells(self, after: int) -> Iterator[tuple[int, int]]:
        """Pieces of the ids after this one, as (after, last)."""
        low, high = max(after, self.first_id - 1), self.last_id
        first, last = low // self.size, high // self.size
        start = first + (self.number - first) % self.turns
        for cell in range(start, last + 1, self.turns):
            yield max(low, cell * self.size - 1), min(high, (cell + 1) * self.size - 1)


@dataclass(frozen=True, slots=True)
class Survey:
    """Which jobs are looked at."""

    status: str
    seconds: float
    """The age from which a job was old."""
    queue: str | None
    turns: int
    turn: int


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A survey that was completed: an item of the audit row of its purge."""

    survey: Survey
    undated: int
    sample: tuple[int, ...]
    at: datetime | None = None
    """When its purge began."""

    def item(self) -> dict[str, Any]:
        found = {"undated": self.undated, "sample": self.sample}
        return {"outcome": "surveyed", **asdict(self.survey), **found}

    def covers(self, wanted: Survey, after: int) -> bool:
        """Without turns it looked at all jobs. Of what it counted up to `after` some may go now."""
        is_there = not self.sample or self.sample[0] > after
        return is_there and self.survey in (wanted, replace(wanted, turns=1, turn=0))


@dataclass(frozen=True, slots=True)
class Part:
    """What a survey found after one id up to another. `undated`: their age is not known."""

    after: int
    last: int
    late: int
    undated: int
    sample: tuple[int, ...]


async def find_surveyed(conn: Conn, now: datetime) -> list[Surveyed]:
    """The surveys of this night, the newest first."""
    rows = await fetch_all(conn, load_queries("purge")["find_surveyed"], {"since": now - ONCE})
    names = [field.name for field in fields(Survey)]
    return [
        Surveyed(
            Survey(**{name: row["item"][name] for name in names}),
            row["item"]["undated"],
            tuple(row["item"]["sample"]),
            row["at"],
        )
        for row in rows
    ]


async def choose_turn(conn: Conn, now: datetime, most: int) -> Turn:
    """The turn of this day for about `most` jobs.

    Cells are a power of two of ids, so that they stay where they are while the table grows.
    """
    found = await fetch_one(conn, load_queries("purge")["find_extent"])
    if found["last_id"] is None:
        return Turn(CELL, 1, 0, 0, -1)
    ids = found["last_id"] - found["first_id"] + 1
    rows = min(found["rows"], ids)
    size = 2 ** math.ceil(math.log2(CELL * max(1.0, ids / rows)))
    turns = max(1, math.ceil(rows / most))
    return Turn(size, turns, now.toordinal() % turns, found["first_id"], found["last_id"])


async def survey(
    pool: Pool, walk: dict[str, Any], cells: Iterator[tuple[int, int]]
) -> AsyncIterator[Part]:
    """Look at the finished jobs of one status in these cells, a statement and a part at a time."""
    query = load_queries("purge")["survey"]
    for start, last in cells:
        after: int | None = start
        while after is not None:
            async with pool.connection() as conn, transaction(conn):
                await switch_jit_off(conn)
                params = {**walk, "after": after, "last": last, "limit": CELL}
                found = await fetch_one(conn, query, params)
            upto = found["last"] if found["looked_at"] >= CELL else last
            yield Part(after, upto, found["late"], found["undated"], tuple(found["sample"] or ()))
            after = upto if upto < last else None
