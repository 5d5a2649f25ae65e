"""What a recorder says of its workers: that they live, which jobs they hold, that they end."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from jobs_maint.database import fit, is_connection_lost
from jobs_maint.events import emit
from jobs_maint.recorder.connection import short_transaction
from jobs_maint.recorder.running import UNREAD, RunningWorker
from jobs_maint.recorder.store import describe_trouble
from jobs_maint.sql import load_queries

__all__ = ["Introductions", "say_goodbye", "send"]

RECORDER_VERSION = "1"
TELL_AGAIN = 60.0
"""Seconds until what could not be told is told again."""


def send(conn: psycopg.Connection[Any], alive: Sequence[RunningWorker], *, seconds: float) -> None:
    """`seconds`: until the next one is due."""
    with short_transaction(conn):
        for worker in alive:
            params = {
                "worker_id": worker.worker_id,
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "queues": worker.queues,
                "recorder_version": RECORDER_VERSION,
                "delete_jobs": worker.delete_jobs,
                "beat_seconds": seconds,
                "job_ids": sorted(worker.jobs),
            }
            if UNREAD in worker.jobs:
                _clear_others(conn, worker)
            conn.execute(load_queries("beat")["beat"], fit(conn, params))
            if not worker.takes_jobs:
                conn.execute(
                    load_queries("beat")["stop_listening"], {"worker_id": worker.worker_id}
                )


def _clear_others(conn: psycopg.Connection[Any], worker: RunningWorker) -> None:
    found = conn.execute(
        load_queries("beat")["may_hold_others"], {"worker_id": worker.worker_id}
    ).fetchone()
    if found and found[0]:
        conn.execute(load_queries("beat")["clear_others"], fit(conn, {"queues": worker.queues}))


class Introductions:
    """Which workers have told what their app runs by the clock, and the settings it goes by.

    Older tables lack places for it: it is told again, until they are upgraded.
    """

    def __init__(self) -> None:
        self._told: set[int] = set()
        self._tried: set[int] = set()
        self._again_at = 0.0
        self._warned = False

    def tell(
        self, conn: psycopg.Connection[Any], alive: Sequence[RunningWorker], now: float
    ) -> None:
        """After the first beat, which must be possible before an upgrade. `now`: monotonic."""
        there = {worker.worker_id for worker in alive}
        self._told &= there
        self._tried &= there
        if not (there - self._tried or (there - self._told and now >= self._again_at)):
            return
        for worker in alive:
            if worker.worker_id in self._told:
                continue
            self._tried.add(worker.worker_id)
            if (trouble := _introduce(conn, worker)) is None:
                self._told.add(worker.worker_id)
                continue
            self._again_at = now + TELL_AGAIN
            if not (self._warned or is_connection_lost(trouble)):
                self._warned = True
                reason = describe_trouble(trouble)
                emit("jobs_maint.settings_untold", logging.WARNING, reason=reason)


def _introduce(conn: psycopg.Connection[Any], worker: RunningWorker) -> psycopg.Error | None:
    """As much as there are places for; returns why it was not all."""
    queries = load_queries("beat")
    given = {
        "crons": Jsonb(worker.crons),
        "settings": Jsonb(worker.settings),
        "queues": worker.queues,
    }
    told = {"worker_id": worker.worker_id, **fit(conn, given)}
    trouble: psycopg.Error | None = None
    for names in (("note_app", "note_crons"), ("note_settings",)):
        for name in names:  # the second where there is no place for all of the first
            try:
                with short_transaction(conn):
                    conn.execute(queries[name], told)
            except psycopg.DatabaseError as exc:
                trouble = exc
            else:
                break
    return trouble


def say_goodbye(conn: psycopg.Connection[Any], ended: Sequence[RunningWorker]) -> None:
    with short_transaction(conn):
        for worker in ended:
            params = {"worker_id": worker.worker_id, "left": list(worker.left)}
            conn.execute(load_queries("beat")["say_goodbye"], params)
