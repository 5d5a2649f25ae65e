"""One action on its way to the database: who asked, for what, with which settings."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from jobs_maint import audit
from jobs_maint.actions import EVERY_QUEUE, Action, Actor, QueueScope
from jobs_maint.database import Conn, Pool, mapped_errors, transaction
from jobs_maint.errors import JobsMaintError, NotPermitted
from jobs_maint.events import emit
from jobs_maint.models import ItemOutcome, ItemResult, RunEnd, SoFar, count_items
from jobs_maint.redaction import Rules
from jobs_maint.settings import MaintSettings

__all__ = [
    "Call",
    "Guard",
    "Handlers",
    "Watch",
    "close_broken",
    "close_run",
    "describe_error",
    "open_run",
    "read",
    "record_act",
    "record_items",
    "require_every_queue",
    "write",
]

A = TypeVar("A", bound=Action[Any])
T = TypeVar("T")

Guard = Callable[[Conn], Awaitable[Any]]
"""Runs in the transaction that opens a run, and raises when the run must not begin."""


class Watch:
    """How a front end follows a long act, and stops it between two batches."""

    def __init__(
        self,
        on_progress: Callable[[int, int | None], None] | None = None,
        *,
        must_stop: Callable[[], bool] | None = None,
        on_open: Callable[[int, int | None], None] | None = None,
        place: tuple[str, str | None] | None = None,
    ) -> None:
        """`on_progress` gets the number done and the total (None: unknown).

        `must_stop` is called after each batch and stops the act as `stop()` does. `on_open` gets
        the audit id and the total before the first batch; `place` is the channel and ts of the
        message that reports the act, and keeps the act until CloseRun says that it was told.
        It counts for actors from Slack only: no other process can tell anybody else.
        """
        self.place = place
        self._on_open = on_open
        self._on_progress = on_progress
        self._must_stop = must_stop
        self._stopped = False
        self.audit_id: int | None = None
        self.so_far = SoFar()
        self._before = self.so_far
        self.certain = True
        """False when an act broke off and the database could not be asked how far it came."""
        self.unwritten: RunEnd | None = None
        """How a long act ended, where the database could not be told."""

    @property
    def stop_requested(self) -> bool:
        return self._stopped or (self._must_stop is not None and self._must_stop())

    def stop(self) -> None:
        self._stopped = True

    def opened(self, audit_id: int, total: int | None) -> None:
        self.audit_id = audit_id
        if self._on_open is not None:
            self._on_open(audit_id, total)

    def tell(self, so_far: SoFar, total: int | None) -> None:
        """In the transaction of a batch, the last thing before its commit."""
        self._before, self.so_far = self.so_far, so_far
        if self._on_progress is not None:
            self._on_progress(so_far.done, total)

    def tell_end(self, counts: Mapping[str, int] | None) -> None:
        """What is stored of an act that broke off; the last commit may have gone either way."""
        self.certain = counts is not None
        if counts is not None:
            fitting = (one for one in (self.so_far, self._before) if one.counts == counts)
            self.tell(next(fitting, SoFar(sum(counts.values()), counts)), None)


@dataclass(slots=True)
class Call(Generic[A]):
    pool: Pool
    actor: Actor
    action: A
    scope: QueueScope
    settings: MaintSettings
    watch: Watch = field(default_factory=Watch)
    audited: bool = False
    """Whether the audit already has a row for this call."""

    @property
    def place(self) -> tuple[str, str | None] | None:
        """Where another bot tells the act when this process does not."""
        return self.watch.place if self.actor.kind == "slack" else None

    @property
    def rules(self) -> Rules:
        """What is hidden in what is shown."""
        return Rules.of(self.settings.redact, pii=self.settings.redact_pii)


Handlers = Mapping[type[Action[Any]], Callable[[Call[Any]], Awaitable[Any]]]
"""Action class → the function that does it, for one duty."""


def describe_error(exc: BaseException) -> tuple[str, str]:
    """Code and sentence, as shown to whoever asked."""
    try:
        with mapped_errors():
            raise exc  # noqa: TRY301  the one map of errors describes it
    except JobsMaintError as ours:
        return ours.code, str(ours)
    except BaseException as other:  # noqa: BLE001  described here, raised by the caller
        return type(other).__name__, str(other)


async def open_run(
    call: Call[Any],
    action: Action[Any],
    total: int | None = None,
    *,
    guard: Guard | None = None,
) -> audit.Run:
    """Write the audit row of a long act, committed as `started` before any work is done.

    `guard` raises, in the same transaction, when the act must not begin.
    """
    await audit.interrupt_lost_runs(call.pool)
    run = audit.Run(call.pool, call.actor, action)
    await run.open(total=total, place=call.place, guard=guard)
    call.audited = True
    call.watch.opened(run.require_id(), total)
    return run


async def close_run(call: Call[Any], run: audit.Run, end: RunEnd) -> Mapping[str, int] | None:
    """Write the end of a run, and its counts as they then stand.

    Where the database is gone the watch keeps it, for CloseRun; otherwise the run is marked
    interrupted by the next process.
    """
    call.watch.unwritten = end
    counts = await audit.close(call.pool, run.require_id(), end)
    call.watch.unwritten = None
    return counts


async def close_broken(
    call: Call[Any], run: audit.Run, exc: BaseException, elapsed_seconds: float
) -> None:
    """Close a run that failed, and tell what the database holds of it.

    A database that is gone must not hide the error.
    """
    outcome = "failed" if isinstance(exc, Exception) else "interrupted"
    error = describe_error(exc)
    counts = None
    call.watch.tell_end(None)
    try:
        counts = await close_run(call, run, RunEnd(outcome, None, elapsed_seconds, error))
    except Exception as second:  # noqa: BLE001
        emit("jobs_maint.audit_failed", logging.ERROR, error=type(second).__name__, code=error[0])
    call.watch.tell_end(counts)


async def read(call: Call[Any], operation: Callable[[Conn], Awaitable[T]]) -> T:
    """Run a read in one snapshot: everything an answer shows comes from the same moment."""
    async with call.pool.connection() as conn, transaction(conn, snapshot=True):
        return await operation(conn)


async def write(call: Call[Any], operation: Callable[[Conn], Awaitable[T]]) -> T:
    async with call.pool.connection() as conn, transaction(conn):
        return await operation(conn)


def require_every_queue(call: Call[Any], in_reach: bool) -> None:
    """Raises NotPermitted unless all that is acted on is in reach."""
    if not in_reach:
        raise NotPermitted(
            f"You may not {call.action.verb} that concern more than "
            f"{', '.join(call.scope.globs or ())}: this requires the role {call.action.role} on "
            "every queue.",
            needs=call.action.role,
            has=call.actor.role,
            queues=(EVERY_QUEUE,),
        )


async def record_items(
    conn: Conn, call: Call[Any], items: Sequence[ItemResult], elapsed_seconds: float
) -> int:
    """The number of the request in the audit."""
    counts = count_items(call.action.word, items)
    done = sum(item.outcome is ItemOutcome.DONE for item in items)
    outcome = "done" if done == len(items) else "partly" if done else "refused"
    error = None
    if outcome == "refused":
        broken = [item for item in items if item.outcome is ItemOutcome.FAILED]
        outcome = "failed" if broken else outcome
        error = ((broken or items)[0].code, (broken or items)[0].reason)
    return await record_act(
        conn, call, outcome,
        counts=counts, items=items, error=error, elapsed_seconds=elapsed_seconds,
    )  # fmt: skip


async def record_act(conn: Conn, call: Call[Any], outcome: str = "done", **fields: Any) -> int:
    """Record what this transaction does; where it changed something, that has to be told.

    The number of the request in the audit.
    """
    audit_id = await audit.record(conn, call.actor, call.action, outcome, **fields)
    if outcome in {"done", "partly"} and call.place is not None:
        await audit.keep_untold(conn, audit_id, call.place[0])
        call.watch.opened(audit_id, None)
    return audit_id
