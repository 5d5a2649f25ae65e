"""How failures reach the tables: in short transactions, whatever the server's settings."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import errors as pg

from jobs_maint.database import fit, is_connection_lost, map_error
from jobs_maint.errors import SchemaMismatch
from jobs_maint.recorder.connection import short_transaction
from jobs_maint.recorder.failure import Failure
from jobs_maint.redaction import redact_text
from jobs_maint.sql import load_queries

__all__ = ["FailureStore", "Outcome", "describe_trouble"]

KEPT_PER_HOUR = 100
"""Failures per group and hour that keep their traceback."""
MOST_GROUPS = 10_000
_OF_A_ROW = (psycopg.DataError, psycopg.IntegrityError, pg.RaiseException, UnicodeError)
"""What is wrong with one failure for good; all else may be over soon, or be wrong with all."""
EACH_SECONDS = 2.0
"""For failures one by one: beats wait meanwhile."""
MOST_TRIED = 5
"""Failures refused one by one, and none stored: then it is the table, or the database."""


@dataclass(slots=True)
class Outcome:
    """What became of failures; those that are in no list are stored or refused for good."""

    refused: int = 0
    put_off: list[Failure] = field(default_factory=list)
    """Refused by themselves, perhaps not the next time: a lock, a time limit, a trigger."""
    untried: list[Failure] = field(default_factory=list)
    error: psycopg.Error | None = None
    """Why the last one was put off."""


class FailureStore:
    """Writes failures; knows which groups have enough tracebacks for this hour."""

    def __init__(self) -> None:
        self._full: dict[str, float] = {}
        self._refusal = ""

    def note_refusal(self, exc: Exception | None) -> None:
        if exc is not None:
            self._refusal = describe_trouble(exc)

    def take_refusal(self) -> str:
        """Why PostgreSQL refused a single failure since this was asked; empty if it did not."""
        refusal, self._refusal = self._refusal, ""
        return refusal

    def has_enough_of(self, fingerprint: str) -> bool:
        """Whether this process knows that the group has enough tracebacks for this hour."""
        return self._full.get(fingerprint, 0.0) > time.monotonic()

    def write(self, conn: psycopg.Connection[Any], failures: list[Failure]) -> Outcome:
        """Store them together, or else one by one: one that is refused must not stop the others.

        Raises where none could be stored; then those that were tried stand last in `failures`.
        """
        try:
            with short_transaction(conn):
                self._insert(conn, failures)
        except _OF_A_ROW:
            pass
        except psycopg.Error as exc:
            if len(failures) == 1 or is_connection_lost(exc):
                raise
        else:
            return Outcome()
        outcome = self.write_each(conn, failures)
        if outcome.error and len(outcome.put_off) + len(outcome.untried) == len(failures):
            failures[:] = outcome.untried + outcome.put_off
            raise outcome.error
        return outcome

    def write_each(self, conn: psycopg.Connection[Any], failures: Sequence[Failure]) -> Outcome:
        """One by one, as far as the time goes. Raises, having stored none, without a connection."""
        outcome, stored = Outcome(), 0
        end = time.monotonic() + EACH_SECONDS
        with short_transaction(conn):
            conn.execute(
                "SELECT set_config('lock_timeout', '1s', true),"
                " set_config('statement_timeout', '1s', true)"
            )
            for number, failure in enumerate(failures):
                hopeless = not stored and len(outcome.put_off) == MOST_TRIED
                if hopeless or time.monotonic() > end:
                    outcome.untried = list(failures[number:])
                    break
                try:
                    done = self._insert_alone(conn, failure)
                except psycopg.Error as exc:
                    if is_connection_lost(exc):
                        raise
                    outcome.error = exc
                    outcome.put_off.append(failure)
                else:
                    stored += done
                    outcome.refused += not done
        return outcome

    def _insert_alone(self, conn: psycopg.Connection[Any], failure: Failure) -> bool:
        """Whether it could be stored; if need be with its text as ASCII."""
        for plain in (False, True):
            try:
                with conn.transaction():
                    self._insert(conn, [failure], plain=plain)
            except _OF_A_ROW as exc:
                self.note_refusal(exc)
            else:
                return True
        return False

    def _insert(
        self, conn: psycopg.Connection[Any], failures: Sequence[Failure], *, plain: bool = False
    ) -> None:
        """`plain`: their text as ASCII."""
        queries = load_queries("failures")
        room: dict[str, int] = {}
        bodies: dict[bytes, str] = {}
        rows = []
        for failure in failures:
            body = failure.traceback
            if body is not None and not self._take_room(conn, failure.fingerprint, room):
                body = None
            hashed = hashlib.sha256(body.encode()).digest()[:16] if body is not None else None
            if hashed is not None and body is not None:
                bodies[hashed] = body
            rows.append(_row(failure, hashed))
        # In the same order everywhere, so that two processes with the same texts cannot deadlock.
        for hashed in sorted(bodies):
            row = {"hash": hashed, "body": bodies[hashed]}
            conn.execute(queries["insert_traceback"], fit(conn, row, plain=plain))
        with conn.cursor() as cursor:
            cursor.executemany(
                queries["insert_failure"], [fit(conn, row, plain=plain) for row in rows]
            )

    def _take_room(
        self, conn: psycopg.Connection[Any], fingerprint: str, room: dict[str, int]
    ) -> bool:
        if fingerprint not in room:
            row = conn.execute(
                load_queries("failures")["count_kept_tracebacks"],
                {"fingerprint": fingerprint, "most": KEPT_PER_HOUR},
            ).fetchone()
            kept, seconds_left = row or (0, 0.0)
            room[fingerprint] = KEPT_PER_HOUR - kept
            if kept >= KEPT_PER_HOUR:
                if len(self._full) >= MOST_GROUPS:
                    self._full.clear()
                self._full[fingerprint] = time.monotonic() + seconds_left
        room[fingerprint] -= 1
        return room[fingerprint] >= 0


def _row(failure: Failure, hashed: bytes | None) -> dict[str, Any]:
    return {
        "job_id": failure.job_id,
        "attempt": failure.attempt,
        "queue_name": failure.queue_name,
        "task_name": failure.task_name,
        "kind": failure.kind,
        "exception_type": failure.exception_type,
        "message": failure.message if hashed else failure.short_message,
        "traceback_hash": hashed,
        "fingerprint": failure.fingerprint,
        "will_retry": failure.will_retry,
        "waited": time.monotonic() - failure.happened_at,
    }


def describe_trouble(exc: Exception) -> str:
    """The command to run where our tables are at fault, else the words of the server itself."""
    ours = map_error(exc) if isinstance(exc, psycopg.Error) else None
    if isinstance(ours, SchemaMismatch):
        return str(ours)
    if isinstance(exc, psycopg.ProgrammingError) and exc.sqlstate is None:
        return "the address of the database cannot be read"  # libpq quotes it, password and all
    words = redact_text(" ".join(str(exc)[:2_000].split()))
    return (words or repr(exc))[:300]
