"""A Procrastinate worker of this process, as the recorder knows it."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from jobs_maint import upstream

__all__ = ["UNREAD", "RunningWorker"]

UNREAD = 0
"""In the place of a job's id in a beat: the worker has asked for a job and has not read the answer,
so it may hold a job whose id it does not know. No job has this id. It needs no column of its own:
a worker must be able to beat before the schema is upgraded."""

OPEN_FOR = 0.2
"""Seconds."""
MOST_LEFT = 100


@dataclass(slots=True)
class RunningWorker:
    """One Procrastinate worker of this process. `jobs`: id → start (monotonic seconds)."""

    worker_id: int
    queues: list[str] | None
    delete_jobs: str
    ref: weakref.ReferenceType[Any]
    crons: list[tuple[str, ...]] = field(default_factory=list)
    """What its app runs by the clock, as of `upstream.list_crons`."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Those that its maintenance goes by, as they are stored."""
    jobs: dict[int, float] = field(default_factory=dict)
    takes_jobs: bool = True
    """False: it is ending, and only waits for the jobs that it holds."""
    begun: int = 0
    """Jobs begun so far."""
    announced: Future[None] | None = None
    """Its first beat, which its first jobs wait for."""
    left: deque[int] = field(default_factory=lambda: deque(maxlen=MOST_LEFT))
    """The last jobs that it held and holds no more: whether their end is stored is unknown."""
    _named: set[int] = field(default_factory=set)
    _held: dict[int, float] = field(default_factory=dict)
    _asked: tuple[int, float] | None = None

    @property
    def ended(self) -> bool:
        worker = self.ref()
        return not self.jobs and (worker is None or worker.worker_id != self.worker_id)

    def look(self, now: float) -> RunningWorker:
        """A copy whose `jobs` are all that the worker holds at this time (monotonic seconds).

        Also those it fetched and has not begun, and those whose end is not stored. An answer counts
        as unread when it was open before too and no job has begun since: the event loop is blocked,
        or the network is. A worker in good order reads it within milliseconds.
        """
        worker = self.ref()
        held: dict[int, float] = {}
        asked, takes_jobs = None, True
        if worker is not None and worker.worker_id == self.worker_id:
            takes_jobs = upstream.takes_jobs(worker)
            # In this order: an answer that is read between the two is among the jobs.
            if upstream.is_fetching(worker):
                asked = self.begun, now
            held = {job: self._held.get(job, now) for job in upstream.held_job_ids(worker)}
        jobs = {**held, **self.jobs}
        if asked is not None and self._asked is not None and asked[0] == self._asked[0]:
            asked = self._asked
            if now - asked[1] >= OPEN_FOR:
                jobs[UNREAD] = asked[1]
        self._held, self._asked = held, asked
        self.left.extend(self._named - jobs.keys())
        self._named = set(jobs) - {UNREAD}
        return RunningWorker(
            self.worker_id,
            self.queues,
            self.delete_jobs,
            self.ref,
            self.crons,
            self.settings,
            jobs,
            takes_jobs,
            left=deque(self.left),
        )
