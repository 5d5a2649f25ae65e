"""The worker middleware: outermost, always re-raises, no statement for a job that succeeds."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import logging
import os
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from procrastinate import exceptions

from jobs_maint import upstream
from jobs_maint.database import normalise_url
from jobs_maint.events import emit
from jobs_maint.recorder.connection import connect
from jobs_maint.recorder.failure import build_failure
from jobs_maint.recorder.retrying import RetryAnswer, ask_retry
from jobs_maint.recorder.running import RunningWorker
from jobs_maint.recorder.sources import PoolSource
from jobs_maint.recorder.thread import RecorderThread
from jobs_maint.told_settings import tell

if TYPE_CHECKING:
    from procrastinate import App, JobContext
    from procrastinate.worker import Worker

    from jobs_maint.settings import MaintSettings

__all__ = ["Recorder"]

ANNOUNCE_TIMEOUT = 1.0
"""Seconds that a worker's first jobs wait at most for its first beat, usually a few milliseconds: a
job that kills its process at once is then known to have run there."""
WRITE_TIMEOUT = 2.0
"""Seconds a failed job waits for its record to be written; then it ends without."""
PART_TIMEOUT = 0.25
"""Seconds that the event loop of a worker that has ended is held at most, usually a few
milliseconds: a web server ends its process at once, and a test drops its database."""


@dataclass(slots=True)
class Link:
    """The workers of this process on one database, and the thread that reports them there."""

    source: object
    """The app's pool or connector, for its database. Kept, so that no other gets its id()."""
    workers: dict[int, RunningWorker] = field(default_factory=dict)
    thread: RecorderThread | None = None

    @property
    def living_thread(self) -> RecorderThread | None:
        thread = self.thread
        return thread if thread is not None and thread.is_alive() else None


class Recorder:
    """Records failures and sends beats for all workers of one app in one process.

    A callable with Procrastinate's worker-middleware signature. There is one thread per database:
    an app whose connector is replaced has several, one after the other. It starts with the first
    job and ends with the last worker.
    """

    def __init__(self, settings: MaintSettings) -> None:
        self._settings = settings
        self._off: object = None
        """The connector that has no database to record in."""
        self._told_off = False
        self._told_name = False
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._links: dict[int, Link] = {}
        self._threads: weakref.WeakSet[RecorderThread] = weakref.WeakSet()
        """Also those that have retired and still store what came last."""

    async def __call__(
        self, call_next: Callable[[], Awaitable[Any]], context: JobContext, worker: Worker
    ) -> Any:
        job_id, worker_id = context.job.id, worker.worker_id
        link: Link | None = None
        try:
            try:
                self._note_name(context, worker)
                if (noted := self._note_start(context, worker)) is not None:
                    link, running = noted
                    await self._announce(context, link, running)
            except Exception as exc:  # noqa: BLE001  the team's job must run, whatever fails here
                emit("jobs_maint.recorder_failed", logging.ERROR, error=repr(exc)[:300])
            result = await call_next()
        except BaseException as exc:
            if link is not None and (thread := link.living_thread) is not None:
                answer = ask_retry(context, exc)
                await self._note_failure(context, exc, thread, answer, worker)
                if answer is not None:  # nothing may be awaited until the worker asks
                    answer.hand_over()
            raise
        else:
            if link is not None and upstream.is_stopping(worker):
                await self._flush(link)
            return result
        finally:
            if link is not None and worker_id is not None and job_id is not None:
                with self._lock:
                    there = link.workers.get(worker_id)
                    if there is not None:
                        there.jobs.pop(job_id, None)

    def _note_name(self, context: JobContext, worker: Worker) -> None:
        name = context.job.task_name
        if upstream.is_ours(context.app, name):
            stopping = functools.partial(upstream.is_stopping, worker)
            context.additional_context[upstream.STOPPING] = stopping
        elif name in upstream.OUR_TASKS and not self._told_name:  # added after `register`
            self._told_name = True
            emit(
                "jobs_maint.name_taken",
                logging.ERROR,
                task=name,
                hint="a task of this app has the name of one of procrastinate-ops, and its jobs "
                "are taken for ours; rename it",
            )

    def _note_start(self, context: JobContext, worker: Worker) -> tuple[Link, RunningWorker] | None:
        worker_id, job_id = worker.worker_id, context.job.id
        if worker_id is None or job_id is None or self._off is context.app.connector:
            return None
        if self._pid != os.getpid():  # forked: locks and threads of the parent mean nothing here
            self._begin()
        pool = upstream.app_pool(context.app)
        if pool is None and not self._has_address(context.app):
            return None
        source: object = context.app.connector if pool is None else pool
        with self._lock:
            link = self._links.setdefault(id(source), Link(source))
            running = link.workers.get(worker_id)
            if running is None:
                running = link.workers[worker_id] = RunningWorker(
                    worker_id,
                    list(worker.queues) if worker.queues is not None else None,
                    worker.delete_jobs.value,
                    weakref.ref(worker),
                    upstream.list_crons(context.app),
                    tell(self._settings),
                )
                upstream.call_at_end(worker, functools.partial(self._part, link))
            running.jobs[job_id] = time.monotonic()
            running.begun += 1
            return link, running

    async def _announce(self, context: JobContext, link: Link, running: RunningWorker) -> None:
        is_first = running.begun == 1
        if link.living_thread is None:
            self._start_thread(context, link)
        if is_first and (thread := link.living_thread) is not None:
            running.announced = thread.announce()
        if running.announced is not None:
            sent = asyncio.wrap_future(running.announced)
            await asyncio.wait({sent}, timeout=ANNOUNCE_TIMEOUT)
            running.announced = None

    def _has_address(self, app: App) -> bool:
        """Whether there is a database to record in for a connector without a psycopg pool.

        Only one that was named for this purpose, and none for jobs that are in no database: what
        the environment names else may be production, and the app a unit test.
        """
        in_memory = upstream.is_in_memory(app)
        if self._settings.worker_database_url is not None and not in_memory:
            return True
        self._off = app.connector
        if not self._told_off:
            self._told_off = True
            emit(
                "jobs_maint.recorder_off",
                logging.WARNING,
                reason="this app's jobs are in memory (InMemoryConnector): nothing of ours is done"
                if in_memory
                else "this connector has no psycopg pool; set JOBS_MAINT_WORKER_DATABASE_URL",
            )
        return False

    def _start_thread(self, context: JobContext, link: Link) -> None:
        pool = upstream.app_pool(context.app)
        if pool is not None:
            open_one = PoolSource(pool, asyncio.get_running_loop()).connect
        else:
            url = normalise_url(self._settings.require_worker_database_url())
            open_one = functools.partial(connect, url, {})
        with self._lock:
            if link.living_thread is not None:
                return
            link.thread = RecorderThread(
                open_one,
                beat=self._settings.beat,
                list_workers=functools.partial(self._list_workers, link),
                retire=functools.partial(self._retire, link),
            )
            self._threads.add(link.thread)
            link.thread.start()
        atexit.unregister(self._stop)
        atexit.register(self._stop)

    def _list_workers(self, link: Link) -> list[RunningWorker]:
        """A copy of the workers as they are now; ended ones are dropped after being listed once."""
        with self._lock:
            now = time.monotonic()
            workers = [worker.look(now) for worker in link.workers.values()]
            for worker in workers:
                if worker.ended:
                    del link.workers[worker.worker_id]
            return workers

    def _retire(self, link: Link) -> bool:
        """Whether the thread may end; from then on a new worker gets a new thread."""
        with self._lock:
            if link.workers:
                return False
            link.thread = None
            self._links.pop(id(link.source), None)
            return True

    @staticmethod
    def _part(link: Link) -> None:
        """Of a worker that has just ended: nothing of it is left in the database afterwards."""
        with contextlib.suppress(Exception):
            thread = link.living_thread
            if thread is not None and (parted := thread.part()) is not None:
                parted.result(timeout=PART_TIMEOUT)

    def _stop(self) -> None:
        """At the end of the process: say goodbye, so that no worker looks lost after a deploy."""
        threads = [thread for thread in self._threads if thread.is_alive()]
        for thread in threads:
            thread.stop()
        for thread in threads:
            thread.join(timeout=WRITE_TIMEOUT)
            thread.backlog.tell_unsaved()

    async def _note_failure(
        self,
        context: JobContext,
        exc: BaseException,
        thread: RecorderThread,
        answer: RetryAnswer | None,
        worker: Worker,
    ) -> None:
        """Never raises; a cancellation while it waits ends the wait but not the job's outcome."""
        try:
            failure = build_failure(
                context.job,
                exc,
                aborted=isinstance(exc, exceptions.JobAborted | asyncio.CancelledError),
                will_retry=answer is not None and answer.will_retry,
                has_enough_of=thread.has_enough_of,
            )
            stored = thread.store(failure, at_once=upstream.is_stopping(worker))
            if stored is None:
                return
            done, _ = await asyncio.wait({asyncio.wrap_future(stored)}, timeout=WRITE_TIMEOUT)
            if not done:
                emit("jobs_maint.record_delayed", logging.WARNING, job_id=context.job.id)
        except asyncio.CancelledError:
            emit("jobs_maint.record_delayed", logging.WARNING, job_id=context.job.id)
        except Exception as broken:  # noqa: BLE001
            emit("jobs_maint.recorder_failed", logging.ERROR, error=repr(broken)[:300])

    async def _flush(self, link: Link) -> None:
        """Before the last jobs of a worker end: its process may end without asking the thread.

        Never raises: the job has succeeded, whatever ends the wait.
        """
        with contextlib.suppress(Exception, asyncio.CancelledError):
            thread = link.living_thread
            if thread is not None and (stored := thread.flush()) is not None:
                await asyncio.wait({asyncio.wrap_future(stored)}, timeout=WRITE_TIMEOUT)
