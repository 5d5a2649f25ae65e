"""Workers that fell silent: which, since when, and what they had."""

from __future__ import annotations

from collections.abc import Sequence

from jobs_maint.durations import format_age
from jobs_maint.models.rescue import WorkerView
from jobs_maint.quoting import few_jobs

__all__ = ["say_silent"]

MOST_SILENT = 3
"""Workers that a sentence names."""
LONGEST_HOST = 60


def say_silent(workers: Sequence[WorkerView]) -> str:
    """`Worker 3 (web-1 pid 7) has been silent for 42 s and may be dead; it had job 17.`"""
    if len(workers) == 1:
        (one,) = workers
        had = f"; it had {_jobs(one)}" if one.jobs else ""
        return (
            f"Worker {_name(one)} has been silent for {format_age(one.seen_seconds)} and may be "
            f"dead{had}."
        )
    ordered = sorted(workers, key=lambda worker: (not worker.jobs, worker.seen_seconds))
    told = [
        f"worker {_name(one)} for {format_age(one.seen_seconds)}"
        f"{f', it had {_jobs(one)}' if one.jobs else ''}"
        for one in ordered[:MOST_SILENT]
    ]
    if (more := len(workers) - MOST_SILENT) > 0:
        told.append(f"and {more:,} more")
    return f"{len(workers):,} workers are silent and may be dead: {'; '.join(told)}."


def _name(worker: WorkerView) -> str:
    if worker.host is None:
        return str(worker.worker_id)
    host = worker.host
    if len(host) > LONGEST_HOST:
        host = f"{host[: LONGEST_HOST - 1]}…"
    return f"{worker.worker_id} ({host} pid {worker.pid})"


def _jobs(worker: WorkerView) -> str:
    return few_jobs([job.job_id for job in worker.jobs])
