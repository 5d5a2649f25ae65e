"""The recorder's thread: one connection of its own, beats and failures.

A thread because it must go on while the event loop is blocked and while the worker drains; its own
connection because a starved heartbeat in the team's pool stops a Procrastinate worker.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import logging
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors as pg

from jobs_maint.database import map_error
from jobs_maint.events import emit
from jobs_maint.recorder.failure import STORM_MESSAGE_BYTES, Failure, cut
from jobs_maint.sql import load_queries

if TYPE_CHECKING:
    from jobs_maint.recorder.middleware import RunningWorker

__all__ = ["RecorderThread"]

RECORDER_VERSION = "1"
KEPT_PER_HOUR = 100
"""Failures of a group that keep their traceback within an hour."""
NAME_AFTER = 1.0
"""Seconds: a job that runs longer is named by an extra beat, so that a worker killed soon after is
known to have run it. Shorter jobs cost no statement."""
MOST_WAITING = 1_000
"""Failures in memory while the database is slow; beyond that they are counted, not recorded."""
MOST_IN_BATCH = 50
STORM_BATCH = 200
"""Failures of a full group are stored together, without a wait of their jobs, until so many are
there: then the next ones wait until they are stored."""
MOST_GROUPS = 10_000
CONNECTION = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
_STOP = object()


class RecorderThread(threading.Thread):
    """Beats for the workers that `list_workers` tells of, and stores failures."""

    def __init__(
        self,
        conninfo: str,
        kwargs: dict[str, Any],
        *,
        beat: timedelta,
        list_workers: Callable[[], list[RunningWorker]],
    ) -> None:
        super().__init__(name="jobs-maint-recorder", daemon=True)
        self._conninfo = conninfo
        self._kwargs = {**CONNECTION, **kwargs, "application_name": "jobs-maint-recorder"}
        self._beat_seconds = beat.total_seconds()
        self._list_workers = list_workers
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._storm: collections.deque[Failure] = collections.deque()
        self._conn: psycopg.Connection[Any] | None = None
        self._named: frozenset[tuple[int, frozenset[int]]] = frozenset()
        self._last_beat = 0.0
        self._retry_at = 0.0
        self._broken = False
        self._unrecorded = 0
        self._full: dict[str, float] = {}

    def store(self, failure: Failure) -> Future[None] | None:
        """Hand over a failure; what to wait for, or None when there is nothing to wait for.

        When too many wait, or nobody can store now, it is only counted.
        """
        if self._broken or self._inbox.qsize() + len(self._storm) >= MOST_WAITING:
            self._unrecorded += 1
            return None
        stored: Future[None] = Future()
        if failure.traceback is not None:
            self._inbox.put((failure, stored))
            return stored
        self._storm.append(failure)
        if len(self._storm) < STORM_BATCH:
            return None
        self._inbox.put((None, stored))
        return stored

    def has_enough_of(self, fingerprint: str) -> bool:
        """Whether this group kept its tracebacks of this hour already, as far as known here."""
        return self._full.get(fingerprint, 0.0) > time.monotonic()

    def stop(self) -> None:
        self._inbox.put(_STOP)

    def run(self) -> None:
        try:
            timeout = 0.0  # the first job: beat at once
            while self._turn(timeout):
                timeout = min(NAME_AFTER, self._beat_seconds / 2)
        except Exception as exc:  # noqa: BLE001  no thread of ours may print into the team's stderr
            emit("jobs_maint.recorder_failed", logging.ERROR, error=repr(exc)[:300])
        finally:
            self._disconnect()

    def _turn(self, timeout: float) -> bool:
        """Wait for work at most until the next look around; False at the end."""
        batch, stopping = self._collect(timeout)
        now = time.monotonic()
        if batch or self._storm:
            storm = [self._storm.popleft() for _ in range(len(self._storm))]
            failures = [failure for failure, _ in batch if failure is not None] + storm
            waiting = [stored for _, stored in batch]
            self._guarded(lambda conn: self._write(conn, failures), failures, waiting)
        workers = self._list_workers()
        ended = [worker for worker in workers if worker.ended]
        alive = [worker for worker in workers if not worker.ended]
        if self._beat_is_due(alive, now) and now >= self._retry_at:
            self._guarded(lambda conn: self._beat(conn, alive))
        if stopping:
            ended += [worker for worker in alive if not worker.jobs]
        if ended:
            self._guarded(lambda conn: self._say_goodbye(conn, ended))
        return bool(alive) and not stopping

    def _collect(self, timeout: float) -> tuple[list[tuple[Failure | None, Future[None]]], bool]:
        batch: list[tuple[Failure | None, Future[None]]] = []
        with contextlib.suppress(queue.Empty):
            item = self._inbox.get(timeout=timeout)
            while item is not _STOP:
                batch.append(item)
                if len(batch) >= MOST_IN_BATCH:
                    return batch, False
                item = self._inbox.get_nowait()
            return batch, True
        return batch, False

    def _beat_is_due(self, alive: list[RunningWorker], now: float) -> bool:
        if not alive:
            return False
        if self._last_beat == 0.0 or now - self._last_beat >= self._beat_seconds:
            return True
        if now - self._last_beat < NAME_AFTER:
            return False
        named = dict(self._named)
        return any(
            worker.worker_id not in named
            or any(
                job_id not in named[worker.worker_id] and now - begun >= NAME_AFTER
                for job_id, begun in worker.jobs.items()
            )
            for worker in alive
        )

    def _guarded(
        self,
        work: Callable[[psycopg.Connection[Any]], None],
        failures: Sequence[Failure] = (),
        waiting: Sequence[Future[None]] = (),
    ) -> None:
        """Do one thing with the database; trouble is logged once until it is over."""
        try:
            work(self._connect())
        except Exception as exc:  # noqa: BLE001  psycopg's, the network's, the resolver's
            self._disconnect()
            self._retry_at = time.monotonic() + min(self._beat_seconds, 5.0)
            self._unrecorded += len(failures)
            for stored in waiting:
                stored.set_exception(exc)
            if not self._broken:
                self._broken = True
                reason = map_error(exc) if isinstance(exc, psycopg.Error) else repr(exc)[:200]
                emit("jobs_maint.recorder_failed", logging.WARNING, reason=reason)
        else:
            for stored in waiting:
                stored.set_result(None)
            if self._broken:
                self._broken = False
                emit("jobs_maint.recorder_recovered", logging.WARNING, unrecorded=self._unrecorded)
                self._unrecorded = 0

    def _connect(self) -> psycopg.Connection[Any]:
        if self._conn is None or self._conn.closed:
            self._conn = psycopg.connect(self._conninfo, autocommit=True, **self._kwargs)
            # A record lost in a crash of the server is worth less than a commit's wait per failure.
            self._conn.execute("SET synchronous_commit = off")
            self._conn.execute("SET statement_timeout = '5s'")
            self._conn.execute("SET default_transaction_isolation = 'read committed'")
        return self._conn

    def _disconnect(self) -> None:
        if self._conn is not None:
            with contextlib.suppress(Exception):
                self._conn.close()
            self._conn = None

    def _beat(self, conn: psycopg.Connection[Any], alive: list[RunningWorker]) -> None:
        query = load_queries("beat")["beat"]
        for worker in alive:
            conn.execute(
                query,
                {
                    "worker_id": worker.worker_id,
                    "host": socket.gethostname(),
                    "pid": os.getpid(),
                    "queues": worker.queues,
                    "recorder_version": RECORDER_VERSION,
                    "delete_jobs": worker.delete_jobs,
                    "beat_seconds": self._beat_seconds,
                    "job_ids": sorted(worker.jobs),
                },
            )
        self._named = frozenset((w.worker_id, frozenset(w.jobs)) for w in alive)
        self._last_beat = time.monotonic()
        if self._unrecorded and not self._broken:
            emit("jobs_maint.failures_unrecorded", logging.WARNING, count=self._unrecorded)
            self._unrecorded = 0

    def _say_goodbye(self, conn: psycopg.Connection[Any], ended: list[RunningWorker]) -> None:
        for worker in ended:
            conn.execute(load_queries("beat")["say_goodbye"], {"worker_id": worker.worker_id})

    def _write(self, conn: psycopg.Connection[Any], failures: Sequence[Failure]) -> None:
        try:
            with conn.transaction():
                rows = [self._prepare(conn, failure) for failure in failures]
                with conn.cursor() as cursor:
                    cursor.executemany(load_queries("failures")["insert_failure"], rows)
        except pg.DataError:
            if len(failures) == 1:
                self._unrecorded += 1
                return
            for failure in failures:  # one that PostgreSQL refuses must not take the others along
                self._write(conn, [failure])

    def _prepare(self, conn: psycopg.Connection[Any], failure: Failure) -> dict[str, Any]:
        """The row of a failure; its traceback is stored before it, if there is still room."""
        kept = failure.traceback if self._may_keep(conn, failure) else None
        hashed = hashlib.sha256(kept.encode()).digest()[:16] if kept else None
        if kept:
            conn.execute(
                load_queries("failures")["insert_traceback"], {"hash": hashed, "body": kept}
            )
        return {
            "job_id": failure.job_id,
            "attempt": failure.attempt,
            "queue_name": failure.queue_name,
            "task_name": failure.task_name,
            "kind": failure.kind,
            "exception_type": failure.exception_type,
            "message": failure.message if kept else cut(failure.message, STORM_MESSAGE_BYTES),
            "traceback_hash": hashed,
            "fingerprint": failure.fingerprint,
            "will_retry": failure.will_retry,
        }

    def _may_keep(self, conn: psycopg.Connection[Any], failure: Failure) -> bool:
        if failure.traceback is None:
            return False
        row = conn.execute(
            load_queries("failures")["count_kept_tracebacks"],
            {"fingerprint": failure.fingerprint, "most": KEPT_PER_HOUR},
        ).fetchone()
        kept, seconds_left = row or (0, 0.0)
        if kept < KEPT_PER_HOUR:
            return True
        if len(self._full) >= MOST_GROUPS:
            self._full.clear()
        self._full[failure.fingerprint] = time.monotonic() + seconds_left
        return False
