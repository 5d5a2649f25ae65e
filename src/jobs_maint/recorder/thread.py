"""The recorder's thread: one connection of its own, beats and failures.

A thread, because it must keep going while the event loop is blocked and while the worker drains;
its own connection, because a starved heartbeat in the team's pool stops a Procrastinate worker.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import timedelta
from typing import Any

import psycopg

from jobs_maint.database import is_connection_lost
from jobs_maint.events import emit
from jobs_maint.recorder import beats
from jobs_maint.recorder.backlog import Backlog
from jobs_maint.recorder.failure import Failure
from jobs_maint.recorder.running import RunningWorker
from jobs_maint.recorder.store import FailureStore, Outcome
from jobs_maint.recorder.troubles import Troubles
from jobs_maint.recorder.untold import tell_unstored

__all__ = ["RecorderThread"]

NAME_AFTER = 1.0
"""Seconds: a job that runs longer is reported in an extra beat, so that a worker killed soon after
is known to have run it. Shorter jobs cost no statement."""
MOST_IN_BATCH = 50
STORM_BATCH = 200
"""Failures of a full group are stored together, and their jobs do not wait. Once this many are
held, the next job waits until they are stored."""
RETRY_SECONDS = 5.0
"""Pause after something failed; less with a shorter beat."""
BEAT, STORE = "beat", "store"
_STOP = object()

Waiting = Future[None]


class RecorderThread(threading.Thread):
    """Sends beats for the workers in `list_workers()`, and stores failures.

    Ends when `retire` agrees: no worker is left, and none can start without starting a new thread.
    """

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection[Any]],
        *,
        beat: timedelta,
        list_workers: Callable[[], list[RunningWorker]],
        retire: Callable[[], bool],
    ) -> None:
        super().__init__(name="jobs-maint-recorder", daemon=True)
        self._connect = connect
        self._beat_seconds = beat.total_seconds()
        self._list_workers = list_workers
        self._retire = retire
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._announced: deque[Waiting] = deque()
        self._parted: deque[Waiting] = deque()
        self.backlog = Backlog()
        self._store = FailureStore()
        self._conn: psycopg.Connection[Any] | None = None
        self._named: frozenset[tuple[int, frozenset[int]]] = frozenset()
        self._last_beat = 0.0
        self._introductions = beats.Introductions()
        self._troubles = Troubles()
        self._said_late = False

    def store(self, failure: Failure, *, at_once: bool = False) -> Waiting | None:
        """Hand over a failure; returns a future to wait for, or None when there is none.

        While the database cannot be written it is held until it can; when too many are held, it is
        only counted. `at_once`: it is not collected with others.
        """
        if not self.backlog.admit(self._inbox.qsize()):
            return None
        stored: Waiting = Future()
        if (at_once or failure.traceback is not None) and not self._troubles:
            self._inbox.put((failure, stored))
            return stored
        self.backlog.hold([failure])
        if len(self.backlog) < STORM_BATCH or self._troubles:
            return None
        self._inbox.put((None, stored))
        return stored

    def flush(self) -> Waiting | None:
        """Store what is held; returns a future to wait for, or None when nothing can be stored."""
        if not len(self.backlog) or self._troubles:
            return None
        stored: Waiting = Future()
        self._inbox.put((None, stored))
        return stored

    def has_enough_of(self, fingerprint: str) -> bool:
        """Whether this process knows that the group has enough tracebacks for this hour."""
        return self._store.has_enough_of(fingerprint)

    def announce(self) -> Waiting:
        """Name a new worker in a beat at once; done when that was tried."""
        tried: Waiting = Future()
        self._announced.append(tried)
        self._inbox.put((None, Future()))
        return tried

    def part(self) -> Waiting | None:
        """Say goodbye at once for what has ended; done when that was tried.

        Where no worker is left in the process, its connection is closed by then. None where there
        is none now: to open one, the worker's event loop may have to be asked.
        """
        if self._conn is None or self._conn.closed:
            return None
        parted: Waiting = Future()
        self._parted.append(parted)
        self._inbox.put((None, Future()))
        return parted

    def stop(self) -> None:
        self._inbox.put(_STOP)

    def run(self) -> None:
        timeout, going_on, logged = 0.0, True, False  # the first job: beat at once
        while going_on:
            try:
                going_on = self._turn(timeout)
            except Exception as exc:  # noqa: BLE001  running jobs must still be reported
                if not logged:
                    emit("jobs_maint.recorder_failed", logging.ERROR, error=repr(exc)[:300])
                logged = True
            timeout = min(NAME_AFTER, self._beat_seconds / 2)
        while not self._inbox.empty():  # what came during the last turn
            self._store_all(self._collect(0.0)[0])
        self._write(last=True)
        self._disconnect()
        for parted in self._parted:
            parted.set_result(None)
        self.backlog.tell_unsaved()

    def _turn(self, timeout: float) -> bool:
        """Wait up to `timeout` for work, then do what is due; False at the end."""
        batch, stopping = self._collect(timeout)
        self._store_all(batch)
        announced = [self._announced.popleft() for _ in range(len(self._announced))]
        parting = len(self._parted)
        workers = self._list_workers()
        ended = [worker for worker in workers if worker.ended]
        alive = [worker for worker in workers if not worker.ended]
        is_due = self._beat_is_due(alive, time.monotonic(), has_new=bool(announced))
        if is_due and self._troubles.may_try(BEAT):
            self._guarded(BEAT, lambda conn: self._beat(conn, alive))
        for tried in announced:
            tried.set_result(None)
        if stopping:
            ended += [worker for worker in alive if not worker.jobs]
        if ended:
            self._guarded(BEAT, lambda conn: beats.say_goodbye(conn, ended))
        if stopping or (not alive and self._retire()):
            return False
        for _ in range(parting):
            self._parted.popleft().set_result(None)
        return True

    def _collect(self, timeout: float) -> tuple[list[tuple[Failure | None, Waiting]], bool]:
        batch: list[tuple[Failure | None, Waiting]] = []
        with contextlib.suppress(queue.Empty):
            item = self._inbox.get(timeout=timeout) if timeout else self._inbox.get_nowait()
            while item is not _STOP:
                batch.append(item)
                if len(batch) >= MOST_IN_BATCH:
                    return batch, False
                item = self._inbox.get_nowait()
            return batch, True
        return batch, False

    def _beat_is_due(self, alive: list[RunningWorker], now: float, *, has_new: bool) -> bool:
        if not alive:
            return False
        if self._troubles.has(BEAT) or self._last_beat == 0.0:
            return True
        if now - self._last_beat >= self._beat_seconds:
            return True
        named = dict(self._named)
        has_new = has_new and any(worker.worker_id not in named for worker in alive)
        if has_new or now - self._last_beat < NAME_AFTER:
            return has_new
        return any(
            worker.worker_id not in named
            or any(
                job_id not in named[worker.worker_id] and now - begun >= NAME_AFTER
                for job_id, begun in worker.jobs.items()
            )
            for worker in alive
        )

    def _store_all(self, batch: Sequence[tuple[Failure | None, Waiting]]) -> None:
        """Store these and what is held, if it is time to try."""
        self.backlog.hold([failure for failure, _ in batch if failure is not None])
        if self._troubles.may_try(STORE):
            self._write()
        for _, stored in batch:
            # Even when it failed: that was logged, and the job can do nothing about it.
            if not stored.done():
                stored.set_result(None)

    def _write(self, *, last: bool = False) -> None:
        """Store what is held, and then, if it is time, what was put aside."""
        outcome = Outcome()

        def work(conn: psycopg.Connection[Any]) -> None:
            nonlocal outcome
            outcome = self._store.write(conn, failures)

        if failures := self.backlog.take():
            if not self._guarded(STORE, work):
                self.backlog.put_back(failures, self._inbox.qsize())
                return
            self.backlog.put_back(outcome.untried, self._inbox.qsize())
            self._note(outcome, len(failures), [(failure, 1) for failure in outcome.put_off])
        if not self._troubles:
            self._write_aside(last=last)

    def _write_aside(self, *, last: bool) -> None:
        outcome = Outcome()

        def work(conn: psycopg.Connection[Any]) -> None:
            nonlocal outcome
            outcome = self._store.write_each(conn, [failure for failure, _ in aside])

        if not (aside := self.backlog.take_aside(last=last)):
            return
        if not self._guarded(STORE, work):
            self.backlog.put_aside(aside)
            return
        tries = {id(failure): tries for failure, tries in aside}
        left = [(failure, tries[id(failure)]) for failure in outcome.untried]
        left += [(failure, tries[id(failure)] + 1) for failure in outcome.put_off]
        self._note(outcome, len(aside), left)

    def _note(self, outcome: Outcome, number: int, aside: list[tuple[Failure, int]]) -> None:
        later = len(outcome.untried) + len(outcome.put_off)
        self.backlog.note_stored(number - later, outcome.refused)
        if self.backlog.put_aside(aside):
            self._store.note_refusal(outcome.error)

    def _guarded(self, what: str, work: Callable[[psycopg.Connection[Any]], None]) -> bool:
        """Do one thing with the database, or say why not."""
        try:
            self._do(work)
        except Exception as exc:  # noqa: BLE001  psycopg's, the network's, the resolver's
            self._disconnect()
            self._troubles.begin(what, exc, min(self._beat_seconds, RETRY_SECONDS))
            return False
        if self._troubles.end(what):
            dropped = self.backlog.take_dropped()
            emit("jobs_maint.recorder_recovered", logging.WARNING, unrecorded=dropped)
        return True

    def _do(self, work: Callable[[psycopg.Connection[Any]], None]) -> None:
        """Do the work, once more on a new connection when the old one was lost.

        So no record is lost to a server restart, a proxy closing connections or a deadlock.
        """
        if self._conn is not None and not self._conn.closed:
            try:
                work(self._conn)
            except psycopg.OperationalError as exc:
                if not is_connection_lost(exc) and not (exc.sqlstate or "").startswith("40"):
                    raise
                self._disconnect()
            else:
                return
        self._conn = self._connect()
        work(self._conn)

    def _disconnect(self) -> None:
        if self._conn is not None:
            with contextlib.suppress(Exception):
                self._conn.close()
            self._conn = None

    def _beat(self, conn: psycopg.Connection[Any], alive: list[RunningWorker]) -> None:
        beats.send(conn, alive, seconds=self._beat_seconds)
        self._last_beat = time.monotonic()
        self._introductions.tell(conn, alive, self._last_beat)
        self._said_late = tell_unstored(
            conn, alive[0].worker_id, self.backlog, self._troubles.reason, told=self._said_late
        )
        self._named = frozenset((w.worker_id, frozenset(w.jobs)) for w in alive)
        if not self._troubles and (count := self.backlog.take_dropped()):
            reason = self._store.take_refusal() or "too many at once"
            emit("jobs_maint.failures_unrecorded", logging.WARNING, count=count, reason=reason)
