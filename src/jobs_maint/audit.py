"""The audit trail: one row per request, in the act's own transaction where it has only one."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
import psycopg_pool
from psycopg.types.json import Jsonb

from jobs_maint.actions import Action, Actor, describe_actor
from jobs_maint.database import Conn, Pool, fetch_all, fetch_one, transaction
from jobs_maint.models import ItemResult, RunEnd
from jobs_maint.plain import escape
from jobs_maint.sql import load_queries

__all__ = [
    "LEASE_SECONDS",
    "Run",
    "claim_request",
    "close",
    "find_stopper",
    "interrupt_lost_runs",
    "keep_untold",
    "record",
    "record_alone",
]

LEASE_SECONDS = 60.0
"""A run that has shown no sign of life for this long belongs to a process that is gone."""
RENEW_SECONDS = LEASE_SECONDS / 6
_ACTING = {"Cc", "Cf", "Zl", "Zp"}
"""Categories of characters that act on others instead of showing."""
MOST_ITEMS = 1000
"""Outcomes kept in one row; the counts always cover all of them."""


async def record(
    conn: Conn,
    actor: Actor,
    action: Action[Any],
    outcome: str,
    *,
    counts: Mapping[str, int] | None = None,
    items: Sequence[ItemResult] = (),
    error: tuple[str, str] | None = None,
    elapsed_seconds: float | None = None,
) -> int:
    """Write one row in the caller's transaction; returns its id. `error` is (code, message)."""
    row = await fetch_one(
        conn,
        load_queries("audit")["insert_entry"],
        {
            "actor_kind": actor.kind,
            "actor_id": _line(actor.id),
            "actor_name": _line(actor.name),
            "channel": actor.channel,
            "word": action.word,
            "action": _line(action.words()),
            "outcome": outcome,
            "counts": Jsonb(dict(counts or {})),
            "items": Jsonb([_item(item) for item in items[:MOST_ITEMS]]),
            "error_code": error[0] if error else None,
            "error": _plain(error[1]) if error else None,
            "elapsed_seconds": elapsed_seconds,
        },
    )
    return int(row["id"])


async def record_alone(
    pool: Pool, actor: Actor, action: Action[Any], outcome: str, **fields: Any
) -> int:
    """Write one row in a transaction of its own: refusals and failures."""
    async with pool.connection() as conn, transaction(conn):
        return await record(conn, actor, action, outcome, **fields)


def _item(item: ItemResult) -> dict[str, Any]:
    found = {"id": item.job_id, "outcome": item.outcome.value, "code": item.code}
    return {**found, "reason": _plain(item.reason)} if item.reason else found


def _plain(text: str) -> str:
    """Text PostgreSQL can store: no NUL, no lone surrogate; long requests are cut."""
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text.encode("utf-8", "replace").decode("utf-8")[:10_000]


def _line(text: str) -> str:
    """The same on one line, so that it draws no row in any view of the table, psql's included."""
    return "".join(
        escape(char) if unicodedata.category(char) in _ACTING else char
        for char in _plain(text.replace("\r\n", "\n").replace("\n", "\\n"))
    )


class Run:
    """An act of many transactions: opened as `started`, counted batch by batch, then closed."""

    def __init__(self, pool: Pool, actor: Actor, action: Action[Any]) -> None:
        self._pool = pool
        self._actor = actor
        self._action = action
        self._queries = load_queries("audit")
        self.audit_id: int | None = None

    async def open(
        self,
        *,
        total: int | None = None,
        place: tuple[str, str | None] | None = None,
        guard: Callable[[Conn], Awaitable[Any]] | None = None,
    ) -> None:
        """`total`: how many jobs to go through; `place`: channel and ts of its message.

        `guard` runs first, in the same transaction, and raises when the act must not begin.
        """
        channel, ts = place or (None, None)
        async with self._pool.connection() as conn, transaction(conn):
            if guard is not None:
                await guard(conn)
            self.audit_id = await record(conn, self._actor, self._action, "started")
            await fetch_all(
                conn,
                self._queries["open_run"],
                {
                    "audit_id": self.audit_id,
                    "lease_seconds": LEASE_SECONDS,
                    "total": total,
                    "channel": channel,
                    "ts": ts,
                },
            )

    def require_id(self) -> int:
        """The id of the audit row, once the run is open."""
        if self.audit_id is None:
            raise RuntimeError("the run is not open")
        return self.audit_id

    async def advance(self, conn: Conn, counts: Mapping[str, int]) -> bool:
        """Add counts in a batch's transaction; False when the run must end (stopped or lost)."""
        rows = await fetch_all(
            conn,
            self._queries["advance_run"],
            {
                "audit_id": self.audit_id,
                "lease_seconds": LEASE_SECONDS,
                "counts": Jsonb(dict(counts)),
            },
        )
        return bool(rows) and bool(rows[0]["go_on"])

    @asynccontextmanager
    async def kept_alive(self) -> AsyncIterator[None]:
        """Renew the lease while the body runs, however long it goes without a batch."""
        beat = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            beat.cancel()
            await asyncio.wait([beat])

    async def _renew(self) -> None:
        params = {"audit_id": self.audit_id, "lease_seconds": LEASE_SECONDS}
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            # The body gets the same error and raises it; a busy pool or row is tried again.
            with suppress(psycopg.Error, psycopg_pool.PoolTimeout, psycopg_pool.PoolClosed):
                async with self._pool.connection() as conn, transaction(conn):
                    await fetch_all(conn, self._queries["renew_lease"], params)


async def close(pool: Pool, audit_id: int, end: RunEnd) -> Mapping[str, int] | None:
    """Write how the run ended, also where it was taken for interrupted meanwhile.

    Returns the counts as they stand in the audit; None when they were closed before.
    """
    async with pool.connection() as conn, transaction(conn):
        closed = await fetch_all(
            conn,
            load_queries("audit")["close_run"],
            {
                "audit_id": audit_id,
                "lease_seconds": LEASE_SECONDS,
                "outcome": end.outcome,
                "counts": None if end.counts is None else Jsonb(dict(end.counts)),
                "error_code": end.error[0] if end.error else None,
                "error": _plain(end.error[1]) if end.error else None,
                "elapsed_seconds": end.elapsed_seconds,
            },
        )
    return closed[0]["counts"] if closed else None


async def find_stopper(pool: Pool, audit_id: int) -> str:
    """Who else asked this run to stop, as the audit names them; empty for nobody."""
    async with pool.connection() as conn, transaction(conn):
        rows = await fetch_all(conn, load_queries("audit")["find_stopper"], {"audit_id": audit_id})
    return describe_actor(*rows[0].values()) if rows else ""


async def interrupt_lost_runs(pool: Pool, *, unheld: bool = True) -> None:
    """Mark runs whose process is gone; `unheld`: also those of which no run is left."""
    queries = load_queries("audit")
    async with pool.connection() as conn, transaction(conn):
        await fetch_all(conn, queries["interrupt_runs"], {"lease_seconds": LEASE_SECONDS})
        await fetch_all(conn, queries["forget_silent_runs"])
        if unheld:
            await fetch_all(conn, queries["interrupt_unheld_runs"])


async def keep_untold(conn: Conn, audit_id: int, channel: str) -> None:
    """In the act's transaction: `channel` has to be told of it, if need be by another process."""
    params = {"audit_id": audit_id, "lease_seconds": LEASE_SECONDS, "channel": channel}
    await fetch_all(conn, load_queries("audit")["keep_untold"], params)


async def claim_request(pool: Pool, key: str, *, act: bool) -> bool:
    """Claim a request; False when any replica has already taken it.

    Where nothing can be stored, each is free that changes nothing, whatever it repeats: on a
    read-only database, and on a full disk if it is no `act`.
    """
    full = () if act else (psycopg.errors.DiskFull,)
    with suppress(psycopg.errors.ReadOnlySqlTransaction, *full):
        async with pool.connection() as conn, transaction(conn):
            return bool(await fetch_all(conn, load_queries("audit")["claim_request"], {"key": key}))
    return True
