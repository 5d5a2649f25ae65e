"""One request on its way: who, what, where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobs_maint import audit
from jobs_maint.actions import Actor, QueueScope
from jobs_maint.database import Conn, Pool, transaction
from jobs_maint.models import ItemOutcome, ItemResult
from jobs_maint.settings import MaintSettings

__all__ = ["Call", "Watch", "read", "record_items"]


class Watch:
    """How a front end follows a long act, and stops it between two batches."""

    def __init__(self, on_progress: Callable[[int, int | None], None] | None = None) -> None:
        """`on_progress` gets the number done and the number in all (None: not known)."""
        self._on_progress = on_progress
        self.stop_requested = False

    def stop(self) -> None:
        self.stop_requested = True

    def tell(self, done: int, total: int | None) -> None:
        if self._on_progress is not None:
            self._on_progress(done, total)


@dataclass(frozen=True, slots=True)
class Call:
    pool: Pool
    actor: Actor
    action: Any
    scope: QueueScope
    settings: MaintSettings
    watch: Watch = field(default_factory=Watch)


async def read(request: Call, operation: Callable[[Conn], Awaitable[Any]]) -> Any:
    async with request.pool.connection() as conn, transaction(conn):
        return await operation(conn)


async def record_items(
    conn: Conn, request: Call, items: Sequence[ItemResult], elapsed_seconds: float
) -> None:
    counts = dict(Counter(item.outcome.value for item in items))
    done = counts.get(ItemOutcome.DONE.value, 0)
    outcome = "done" if done == len(items) else "partly" if done else "refused"
    error = None
    if outcome == "refused":
        error = (items[0].code, items[0].reason)
    await audit.record(
        conn, request.actor, request.action, outcome,
        counts=counts, items=items, error=error, elapsed_seconds=elapsed_seconds,
    )  # fmt: skip
