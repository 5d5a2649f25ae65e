"""Says in a worker's row which failures wait in the memory of its process.

In the settings it told, as `unstored`: another place would need a migration.
"""

from __future__ import annotations

import time
from typing import Any

import psycopg

from jobs_maint.database import fit
from jobs_maint.recorder.backlog import Backlog
from jobs_maint.recorder.connection import short_transaction
from jobs_maint.sql import load_queries

__all__ = ["tell_unstored"]

NEW = 10.0
"""Seconds: until then a failure is on its way."""


def tell_unstored(
    conn: psycopg.Connection[Any], worker_id: int, backlog: Backlog, reason: str, *, told: bool
) -> bool:
    """Returns whether the row says so now; `told`: whether it did before.

    Older tables have no place for it.
    """
    waiting, dropped, oldest = backlog.measure()
    late = time.monotonic() - oldest
    is_late = bool(dropped or (waiting and late >= NEW))
    if not (is_late or told):
        return False
    params = {"worker_id": worker_id, "waiting": waiting, "dropped": dropped, "late": late,
              "reason": reason}  # fmt: skip
    name = "note_unstored" if is_late else "clear_unstored"
    given = params if is_late else {"worker_id": worker_id}
    try:
        with short_transaction(conn):
            conn.execute(load_queries("beat")[name], fit(conn, given))
    except psycopg.ProgrammingError:
        return False
    return is_late
