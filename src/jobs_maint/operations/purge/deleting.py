"""One batch of a purge: its jobs deleted, what the database does not let go told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg

from jobs_maint.database import (
    LOCK_TIMEOUT,
    STATEMENT_TIMEOUT,
    Conn,
    Pool,
    fetch_all,
    fetch_one,
    find_holder,
    find_lockers,
    fit,
    transaction,
)
from jobs_maint.operations.bad_rows import Postponed, change_rows
from jobs_maint.operations.held_rows import find_held
from jobs_maint.operations.purge.late import BEFORE_ALL, Surveyed
from jobs_maint.operations.purge.sifting import find_refused
from jobs_maint.operations.refusals import KEPT, Refusals
from jobs_maint.sql import load_queries

__all__ = ["Batch", "OnBatch", "Progress", "delete_batch"]

HELD_ROW = timedelta(milliseconds=50)
"""How long a batch waits for a locked row before it is repeated without the locked rows."""

OnBatch = Callable[[Conn, Mapping[str, int]], Awaitable[bool]]
"""Called in each batch's transaction with the counts so far; False ends the run."""
NO_EVENTS = (
    "they have no events, so nothing tells how old they are; they go once a job deferred after "
    "them is old enough"
)


@dataclass(slots=True)
class Progress:
    deleted: Counter[str] = field(default_factory=Counter)
    trimmed: Counter[str] = field(default_factory=Counter)
    resume_after: dict[str, int] = field(default_factory=dict)
    refusals: Refusals = field(default_factory=Refusals)
    careful: bool = False
    """A batch was refused: from then on each finds its bad rows at once."""
    policed: bool = False
    """A row-level security policy may keep rows from our role."""
    postponed: Postponed = field(default_factory=Postponed)
    undated: Refusals = field(default_factory=Refusals)
    surveyed_at: datetime | None = None
    slow: int = 0
    """Rows that each used up the time of a statement."""
    batches: int = 0
    stopped: bool = False

    def after(self, status: str) -> int:
        return self.resume_after.get(status, BEFORE_ALL)

    def add_undated(self, sample: Sequence[int], count: int) -> None:
        self.undated.add(NO_EVENTS, sample, count)

    def recall(self, done: Surveyed) -> None:
        """What another purge of this night found."""
        self.surveyed_at = min(filter(None, (self.surveyed_at, done.at)), default=None)
        if done.undated:
            self.add_undated(done.sample, done.undated)

    def counts(self) -> dict[str, int]:
        return {**self.deleted, **self.trimmed}


@dataclass(frozen=True, slots=True)
class Batch:
    looked_at: int
    last: int | None
    go_on: bool


async def delete_batch(
    pool: Pool,
    params: dict[str, Any],
    progress: Progress,
    on_batch: OnBatch | None,
    *,
    careful: bool,
    patience: timedelta = STATEMENT_TIMEOUT,
) -> Batch:
    """Delete in one snapshot: a changed row is an error, a locked one is waited for briefly.

    A finished job is almost never changed or locked, and locking each row costs a tenth of the
    purge. `careful`: lock the free rows, look once more, and delete all that the database allows.
    `patience`: how long one statement may take.
    """
    queries = load_queries("purge")
    status, go_on = params["status"], True
    refused: dict[int, psycopg.Error] = {}
    kept: list[int] = []
    held: list[int] = []
    holder = ""
    async with (
        pool.connection() as conn,
        transaction(
            conn,
            lock_timeout=LOCK_TIMEOUT if careful else HELD_ROW,
            statement_timeout=patience,
            snapshot=not careful,
        ),
    ):
        if careful:
            old = await fetch_all(conn, queries["list_finished_batch"], params)
            last = old[-1]["id"] if old else None
            given = {**params, "ids": [row["id"] for row in old]}
            ids = [row["id"] for row in await fetch_all(conn, queries["lock_finished"], given)]
            looked_at = len(old)
            if len(ids) < looked_at:
                rest = {**params, "ids": sorted({*given["ids"]} - {*ids})}
                left = await fetch_all(conn, queries["list_left"], rest)
                held = sorted(await find_held(conn, [row["id"] for row in left]))
                lockers = await find_lockers(conn, held)
                holder = await find_holder(conn, HELD_ROW, lockers) if held else ""

            async def delete(part: Sequence[int]) -> list[dict[str, Any]]:
                return await fetch_all(
                    conn, queries["delete_locked_batch"], {**params, "ids": list(part)}
                )

            gone, refused = await change_rows(conn, ids, delete, find_refused)
            deleted = sum(row["deleted"] for row in gone)
            known = {*refused, *held}
            if deleted + len(known) < looked_at:
                rest = {**params, "ids": [i for i in given["ids"] if i not in known]}
                kept = [row["id"] for row in await fetch_all(conn, queries["list_kept"], rest)]
        else:
            found = await fetch_one(conn, queries["find_batch"], params)
            looked_at, last = found["looked_at"], found["last"]
            values = fit(conn, {**params, "last": last})
            cursor = await conn.execute(queries["delete_batch"], values, prepare=False)
            deleted = cursor.rowcount
            if progress.policed and looked_at:
                spared = await fetch_all(conn, queries["list_spared"], {**params, "last": last})
                kept = [row["id"] for row in spared]
        counted = progress.deleted + Counter({status: deleted})
        if looked_at and on_batch is not None:
            go_on = await on_batch(conn, {**counted, **progress.trimmed})
    progress.deleted = counted
    progress.refusals.add_errors(refused)
    if kept:
        progress.refusals.add(KEPT, kept)
    if held:
        who = f" ({holder})" if holder else ""
        reason = f"another session holds their rows{who}; run the same again when that is done"
        progress.refusals.add(reason, held)
    progress.batches += bool(deleted)
    return Batch(looked_at, last, go_on)
