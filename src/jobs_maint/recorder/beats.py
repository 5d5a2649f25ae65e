"""What a recorder says of its workers: that they live, which jobs they hold, that they end."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from jobs_maint.database import fit
from jobs_maint.recorder.connection import short_transaction
from jobs_maint.recorder.running import UNREAD, RunningWorker
from jobs_maint.sql import load_queries

__all__ = ["note_app", "say_goodbye", "send"]

RECORDER_VERSION = "1"


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


def note_app(conn: psycopg.Connection[Any], workers: Sequence[RunningWorker]) -> None:
    """Crons and settings of workers that beat for the first time; older tables lack places."""
    queries = load_queries("beat")
    for worker in workers:
        given = {
            "crons": Jsonb(worker.crons),
            "settings": Jsonb(worker.settings),
            "queues": worker.queues,
        }
        told = {"worker_id": worker.worker_id, **fit(conn, given)}
        with contextlib.suppress(psycopg.DatabaseError):
            try:
                with short_transaction(conn):
                    conn.execute(queries["note_app"], told)
            except (psycopg.errors.UndefinedColumn, psycopg.DataError):
                with short_transaction(conn):
                    conn.execute(queries["note_crons"], told)
        with contextlib.suppress(psycopg.DatabaseError), short_transaction(conn):
            conn.execute(queries["note_settings"], told)


def say_goodbye(conn: psycopg.Connection[Any], ended: Sequence[RunningWorker]) -> None:
    with short_transaction(conn):
        for worker in ended:
            params = {"worker_id": worker.worker_id, "left": list(worker.left)}
            conn.execute(load_queries("beat")["say_goodbye"], params)
