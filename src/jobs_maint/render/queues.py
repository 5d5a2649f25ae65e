"""What tables of queues share: counts, some of which are estimates, and the oldest ready job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jobs_maint.durations import format_age
from jobs_maint.models import QueueStats
from jobs_maint.render.page import Column, number

__all__ = ["ESTIMATES", "counts_of", "say_oldest"]

ESTIMATES = "≈: estimated from a sample of the table; the other numbers are exact."


def say_oldest(queue: QueueStats) -> str:
    """How long the oldest ready job has been so; without events nothing tells."""
    if queue.oldest_ready_seconds is None:
        return "unknown" if queue.ready else "–"
    return format_age(queue.oldest_ready_seconds)


def counts_of(
    header: str,
    queues: Sequence[QueueStats],
    field: str,
    estimated: Mapping[str, Sequence[str]],
    keep: int,
) -> Column:
    """`estimated`: by queue, the fields that are; `keep`: as of Column."""
    cells = [
        f"{'≈' if field in estimated.get(queue.queue, ()) else ''}{number(getattr(queue, field))}"
        for queue in queues
    ]
    return Column(header, cells, keep, right=True)
