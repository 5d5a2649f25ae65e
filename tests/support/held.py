"""Watchdogs over the event loop and the CPU, and more of everything than any team has."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

HELD = 0.05
"""Seconds of CPU in one step of the event loop, which nothing else interrupts."""
_COUNTED = 0.008
"""Seconds of CPU in which a fast machine counts to 300,000; a slower one has more for a step."""


def _find_slowness() -> float:
    """How many times as long as a fast machine this one takes just now; at least 1."""
    begun, total = time.thread_time(), 0
    for n in range(300_000):
        total += n
    return max(1.0, (time.thread_time() - begun) / _COUNTED)


@contextmanager
def cpu_time_within(seconds: float) -> Iterator[None]:
    """Fails when this process takes more CPU than `seconds` of a fast machine."""
    slowness, begun = _find_slowness(), time.process_time()
    yield
    took = time.process_time() - begun
    limit = seconds * max(slowness, _find_slowness())
    assert took < limit, f"{took:.2f} s of {limit:.2f}"


@contextmanager
def a_loop_that_is_never_held(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails when one step takes too long, by its CPU time: other processes add nothing to that."""
    steps, slowness = [], _find_slowness()
    run = asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        begun = time.thread_time()
        run(handle)
        steps.append((time.thread_time() - begun, repr(handle)))

    gc.collect()
    gc.disable()  # over all that the tests before have left behind
    try:
        with monkeypatch.context() as patched:
            patched.setattr(asyncio.Handle, "_run", timed)
            yield
    finally:
        gc.enable()
    longest, which = max(steps)
    limit = HELD * max(slowness, _find_slowness())
    assert longest < limit, f"{longest * 1000:.0f} ms of {limit * 1000:.0f} in {which}"


_NAMES = "'team/queue-' || n % 1499, 'app.task_' || n % 300"
_MUCH = f"""
SET session_replication_role = replica;  -- without triggers
INSERT INTO procrastinate_jobs (queue_name, task_name, status, attempts)
    SELECT {_NAMES}, (ARRAY['todo', 'failed', 'succeeded', 'cancelled', 'aborted']
        )[1 + n % 5]::procrastinate_job_status, 1 FROM generate_series(1, 7500) AS n;
INSERT INTO procrastinate_jobs (queue_name, task_name, status, attempts, worker_id)
    SELECT {_NAMES}, 'doing', 1, 1 + n % 100 FROM generate_series(1, 2500) AS n;
INSERT INTO procrastinate_events (job_id, type, at) SELECT id, CASE status
        WHEN 'todo' THEN 'deferred' WHEN 'doing' THEN 'started' ELSE status::text
    END::procrastinate_job_event_type, now() - interval '20 minutes' FROM procrastinate_jobs;
SET session_replication_role = origin;
INSERT INTO procrastinate_workers (id, last_heartbeat) OVERRIDING SYSTEM VALUE
    SELECT n, now() - interval '10 minutes' FROM generate_series(1, 100) AS n;
INSERT INTO jobs_maint_workers (worker_id, host, pid, queues, recorder_version, delete_jobs,
        beat_seconds, job_ids, beat_at)
    SELECT worker_id, 'host-' || worker_id, 7, array_agg(queue_name), '1', 'never', 10,
        array_agg(id), now() - interval '10 minutes'
    FROM procrastinate_jobs WHERE status = 'doing' GROUP BY worker_id;
INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,
        exception_type, message, fingerprint, will_retry)
    SELECT id, 1, queue_name, task_name, now() - interval '20 minutes', 'error', 'ValueError',
        repeat('order ' || id || ' token=hunter2 timed out ', 60), 'f' || id, false
    FROM procrastinate_jobs WHERE status = 'failed';
INSERT INTO jobs_maint_audit (actor_kind, actor_id, actor_name, word, action, outcome, error)
    SELECT 'slack', 'U0' || n, repeat('x', 80), 'retry',
        'retry --all --error ' || repeat('token=hunter2 ', 30), 'failed',
        repeat('password=hunter2 ', 30)
    FROM generate_series(1, 1500) AS n;
ANALYZE;
"""


async def make_much(conn: psycopg.AsyncConnection) -> None:
    """Thousands of queues and jobs of every status, many of lost workers; long audit rows."""
    await conn.execute(_MUCH)
