"""What is measured: paired times, buffers, bytes; and how a row of the table is written."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.server import Server, Shape
from jobs_maint.database import Pool, open_pool

Timed = Callable[[], Awaitable[float]]
"""Does the work once; returns the seconds it took, per row where rows are counted."""


@dataclass(frozen=True)
class Result:
    """One row: what was found, what was aimed at. `holds` is None where there is no target."""

    case: str
    work: str
    found: str
    target: str = ""
    holds: bool | None = None
    detail: str = ""


@dataclass(frozen=True)
class Bench:
    """A run: the server, the database with the table in its steady state, its shape."""

    server: Server
    database: str
    shape: Shape

    @property
    def url(self) -> str:
        return self.server.url(self.database)

    def ask(self, query: str, params: Mapping[str, Any] | None = None) -> Any:
        """The first column of the first row."""
        with self.server.connect(self.database) as conn:
            row = conn.execute(query, params).fetchone()
        return next(iter(row.values())) if row else None

    def run(self, *statements: str) -> None:
        with self.server.connect(self.database) as conn:
            for statement in statements:
                conn.execute(statement)

    def vacuum(self) -> None:
        self.run(*(f"VACUUM procrastinate_{table}" for table in ("jobs", "events")))


def at_least(case: str, work: str, found: float, target: float, detail: str = "") -> Result:
    text = f"{found:.0f}×" if found >= 20 else f"{found:.1f}×"
    return Result(case, work, text, f"≥ {target:g}×", found >= target, detail)


def at_most(
    case: str, work: str, found: float, target: float, unit: str = "×", detail: str = ""
) -> Result:
    text = f"{found:.2f}{unit}" if unit == "×" else f"{found:,.0f}{unit}"
    return Result(case, work, text, f"≤ {target:,g}{unit}", found <= target, detail)


async def time_of(work: Awaitable[Any]) -> float:
    begun = time.perf_counter()
    await work
    return time.perf_counter() - begun


async def paired(
    works: Mapping[str, Timed], rounds: int, between: Callable[[], None] | None = None
) -> dict[str, float]:
    """Medians; in each round every work is done once, in turning order."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    names = list(works)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            taken[name].append(await works[name]())
            if between is not None:
                between()
    return {name: statistics.median(times) for name, times in taken.items()}


_READ = """
    SELECT coalesce(sum(coalesce(heap_blks_hit, 0) + coalesce(heap_blks_read, 0)
                        + coalesce(idx_blks_hit, 0) + coalesce(idx_blks_read, 0)), 0)::bigint
    FROM pg_statio_user_tables WHERE relname LIKE %(tables)s"""


async def count_buffers(
    bench: Bench, work: Callable[[Pool], Awaitable[Any]], tables: str = "%"
) -> int:
    """Buffers of tables and their indexes that the work reads, by all its statements together.

    By the server's own counters, which a session hands in when it ends at the latest: so the work
    gets a connection of its own, and nobody else is connected.
    """
    before = bench.ask(_READ, {"tables": tables})
    async with open_pool(bench.url, max_size=1) as pool:
        await work(pool)
    await asyncio.sleep(0.5)
    return int(bench.ask(_READ, {"tables": tables}) - before)


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0
