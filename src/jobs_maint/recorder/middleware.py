"""The worker middleware: outermost, always re-raises, no statement for a job that succeeds."""

from __future__ import annotations

import asyncio
import atexit
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
from procrastinate.job_context import AbortReason

from jobs_maint import upstream
from jobs_maint.database import normalise_url
from jobs_maint.events import emit
from jobs_maint.recorder.failure import (
    MESSAGE_BYTES,
    Failure,
    build_fingerprint,
    describe_message,
    describe_traceback,
    describe_type,
)
from jobs_maint.recorder.running import RunningWorker
from jobs_maint.recorder.thread import RecorderThread

if TYPE_CHECKING:
    from procrastinate import JobContext
    from procrastinate.worker import Worker

    from jobs_maint.settings import MaintSettings

__all__ = ["Recorder"]

WRITE_TIMEOUT = 2.0
"""Seconds a failed job waits for its record to be written; then it ends without."""


@dataclass(slots=True)
class Link:
    """The workers of this process on one database, and the thread that reports them there."""

    source: object
    """What identifies the database: the app's pool. Kept, so that no other gets its id()."""
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
        self._off = False
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._links: dict[int, Link] = {}

    async def __call__(
        self, call_next: Callable[[], Awaitable[Any]], context: JobContext, worker: Worker
    ) -> Any:
        job_id, worker_id = context.job.id, worker.worker_id
        link: Link | None = None
        try:
            try:
                if upstream.is_ours(context.app, context.job.task_name):
                    stopping = functools.partial(upstream.is_stopping, worker)
                    context.additional_context[upstream.STOPPING] = stopping
                link = self._note_start(context, worker)
                if link is not None and link.living_thread is None:
                    await self._start_thread(context, link)
            except Exception as exc:  # noqa: BLE001  the team's job must run, whatever fails here
                emit("jobs_maint.recorder_failed", logging.ERROR, error=repr(exc)[:300])
            return await call_next()
        except BaseException as exc:
            if link is not None:
                await self._note_failure(context, exc, link)
            raise
        finally:
            if link is not None and worker_id is not None and job_id is not None:
                with self._lock:
                    running = link.workers.get(worker_id)
                    if running is not None:
                        running.jobs.pop(job_id, None)

    def _note_start(self, context: JobContext, worker: Worker) -> Link | None:
        worker_id, job_id = worker.worker_id, context.job.id
        if self._off or worker_id is None or job_id is None:
            return None
        if self._pid != os.getpid():  # forked: locks and threads of the parent mean nothing here
            self._begin()
        source = upstream.app_pool(context.app)
        with self._lock:
            link = self._links.setdefault(id(source), Link(source))
            running = link.workers.get(worker_id)
            if running is None:
                running = link.workers[worker_id] = RunningWorker(
                    worker_id,
                    list(worker.queues) if worker.queues is not None else None,
                    worker.delete_jobs.value,
                    weakref.ref(worker),
                )
            running.jobs[job_id] = time.monotonic()
            return link

    async def _start_thread(self, context: JobContext, link: Link) -> None:
        params = await upstream.connection_params(context.app)
        if params is None:
            url = self._settings.database_url
            if url is None:
                self._off = True
                emit(
                    "jobs_maint.recorder_off",
                    logging.WARNING,
                    reason="this connector has no psycopg pool; set JOB_QUEUE_DATABASE_URL",
                )
                return
            params = normalise_url(url.get_secret_value()), {}
        with self._lock:
            if link.living_thread is not None:
                return
            link.thread = RecorderThread(
                *params,
                beat=self._settings.beat,
                list_workers=functools.partial(self._list_workers, link),
                retire=functools.partial(self._retire, link),
            )
            link.thread.start()
        atexit.unregister(self._stop)
        atexit.register(self._stop)

    def _list_workers(self, link: Link) -> list[RunningWorker]:
        """A copy of the workers as they are now; ended ones are dropped after being listed once."""
        with self._lock:
            workers = [
                RunningWorker(w.worker_id, w.queues, w.delete_jobs, w.ref, dict(w.jobs))
                for w in link.workers.values()
            ]
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

    def _stop(self) -> None:
        """At the end of the process: say goodbye, so that no worker looks lost after a deploy."""
        with self._lock:
            threads = [t for link in self._links.values() if (t := link.living_thread) is not None]
        for thread in threads:
            thread.stop()
        for thread in threads:
            thread.join(timeout=WRITE_TIMEOUT)

    async def _note_failure(self, context: JobContext, exc: BaseException, link: Link) -> None:
        """Never raises; a cancellation while it waits ends the wait but not the job's outcome."""
        try:
            thread = link.living_thread
            if thread is None:
                return
            failure = self._describe(context, exc, thread)
            stored = thread.store(failure)
            if stored is None:
                return
            done, _ = await asyncio.wait({asyncio.wrap_future(stored)}, timeout=WRITE_TIMEOUT)
            if not done:
                emit("jobs_maint.record_delayed", logging.WARNING, job_id=context.job.id)
        except asyncio.CancelledError:
            emit("jobs_maint.record_delayed", logging.WARNING, job_id=context.job.id)
        except Exception as broken:  # noqa: BLE001
            emit("jobs_maint.recorder_failed", logging.ERROR, error=repr(broken)[:300])

    def _describe(self, context: JobContext, exc: BaseException, thread: RecorderThread) -> Failure:
        job = context.job
        message = describe_message(exc, MESSAGE_BYTES)
        fingerprint = build_fingerprint(job.task_name, type(exc), message)
        aborted = isinstance(exc, exceptions.JobAborted | asyncio.CancelledError)
        return Failure(
            job_id=job.id or 0,
            attempt=job.attempts + 1,
            queue_name=job.queue,
            task_name=job.task_name,
            kind="aborted" if aborted else "error",
            exception_type=describe_type(exc),
            message=message,
            fingerprint=fingerprint,
            will_retry=_will_retry(context, exc),
            traceback=None if thread.has_enough_of(fingerprint) else describe_traceback(exc),
        )


def _will_retry(context: JobContext, exc: BaseException) -> bool:
    """The decision that the worker makes after us, made the same way."""
    reason = context.abort_reason()
    if isinstance(exc, exceptions.JobAborted) and reason is not AbortReason.SHUTDOWN:
        return False
    if (
        reason is AbortReason.USER_REQUEST
    ):  # the database refuses to retry a job with an abort request
        return False
    try:
        return context.task.get_retry_exception(exception=exc, job=context.job) is not None
    except Exception:  # noqa: BLE001  the team's own strategy may fail; the worker reports it
        return False
