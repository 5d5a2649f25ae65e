"""`register(app)`: purge and rescue as periodic tasks on the team's own workers, and the recorder.

The tasks are shells without logic: they say when, `perform` says how.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

from procrastinate import App, Blueprint, JobContext
from procrastinate.exceptions import AlreadyEnqueued

from jobs_maint import upstream
from jobs_maint.actions import Actor, PurgeFinished, RescueStalled
from jobs_maint.database import Pool, open_pool, parse_url
from jobs_maint.errors import AlreadyRunning, InvalidSettings, JobsMaintError
from jobs_maint.events import emit
from jobs_maint.perform import Watch, perform
from jobs_maint.recorder import Recorder
from jobs_maint.settings import MaintSettings
from jobs_maint.upstream import DIGEST, mark_times

__all__ = [
    "DIGEST",
    "IN_MEMORY",
    "build_blueprint",
    "check_app",
    "check_settings",
    "check_worker_address",
    "claim_name",
    "jobs_pool",
    "mark_times",
    "our_task",
    "register",
]

S = TypeVar("S")

IN_MEMORY = "nothing is done: this app's jobs are in memory (InMemoryConnector)"
SLICE = timedelta(seconds=30)
"""In between, a worker with concurrency 1 runs the team's jobs, and SIGTERM is not delayed."""
AGAIN = 60
"""Seconds before a slice that found another purge running tries again; they count as used."""
FIRST = 100
LAST = -100
"""Priorities: a rescue behind a backlog would come too late; the purge can wait behind one."""


def register(app: App, settings: MaintSettings | None = None) -> None:
    """Add purge, rescue and the recorder to the team's app. Reads no database, needs no URL.

    Replaces `app.worker_defaults` with a copy that has the recorder first: `worker_middleware`
    passed to `run_worker` replaces the defaults, and the recorder with them. Raises
    InvalidSettings, having changed nothing, for what is no app or no settings, for invalid
    settings, and when the app is already registered.
    """
    caller = "jobs_maint.register(app)"
    check_app(app, caller)
    settings = check_settings(settings, MaintSettings, caller) or MaintSettings.load()
    check_worker_address(settings)
    claim_name(app, upstream.RESCUE, caller)
    app.add_tasks_from(build_blueprint(settings), namespace="jobs_maint")
    defaults = dict(app.worker_defaults)
    defaults["worker_middleware"] = [
        Recorder(settings),
        *(app.worker_defaults.get("worker_middleware") or []),
    ]
    app.worker_defaults = defaults  # type: ignore[assignment]  # a TypedDict, copied
    queues = app.worker_defaults.get("queues")
    # Looking into an iterator would use it up.
    if isinstance(queues, Collection) and settings.queue not in queues:
        emit(
            "jobs_maint.queue_unheard",
            logging.WARNING,
            queue=settings.queue,
            hint=f"no worker of this app listens to {settings.queue!r} by default; "
            "add it to a worker's queues or set JOBS_MAINT_QUEUE",
        )


def check_app(app: object, caller: str) -> None:
    """Raises InvalidSettings for what is no app, and for an app whose middleware is no list."""
    if not isinstance(app, App):
        raise InvalidSettings(
            f"{caller} was given {_name(app)}; give it the procrastinate.App that your workers run"
        )
    defaults: object = app.worker_defaults
    if not isinstance(defaults, Mapping):
        raise InvalidSettings(
            f"worker_defaults of this app is {_name(defaults)}; make it a dictionary"
        )
    middleware: object = defaults.get("worker_middleware")
    if middleware is None:
        return
    what = _name(middleware)
    if isinstance(middleware, Iterable) and not isinstance(middleware, str | bytes | Mapping):
        # Looking into an iterator would use it up.
        members = middleware if isinstance(middleware, Collection) else ()
        if (wrong := next((one for one in members if not callable(one)), middleware)) is middleware:
            return
        what = f"a list with {_name(wrong)}"
    raise InvalidSettings(
        f"worker_middleware in the worker_defaults of this app is {what}; make it a list of "
        "middleware functions"
    )


def _name(given: object) -> str:
    return "None" if given is None else f"an object of type {type(given).__name__}"


def check_settings(given: S | None, wanted: type[S], caller: str) -> S | None:
    """What was given. Raises InvalidSettings for what is of another kind."""
    if given is None or isinstance(given, wanted):
        return given
    raise InvalidSettings(
        f"{caller} was given {_name(given)} as settings; give it {wanted.__name__}, or nothing: "
        "it then reads the environment"
    )


def check_worker_address(settings: MaintSettings) -> None:
    """Raises InvalidSettings for an address that can be none; whether somebody answers is later."""
    if settings.worker_database_url is not None:
        parse_url(settings.require_worker_database_url(), "JOBS_MAINT_WORKER_DATABASE_URL")


def claim_name(app: App, name: str, caller: str) -> None:
    """Raises InvalidSettings when the app has this task of ours, or a task of its own named so.

    The jobs of the latter would be taken for ours: left out of stats, and failed when their worker
    dies.
    """
    if foreign := upstream.find_foreign_tasks(app):
        raise InvalidSettings(
            f"this app has a task of its own named {foreign[0]!r}, a name of procrastinate-ops; "
            "rename yours, or give its blueprint another namespace"
        )
    if upstream.is_ours(app, name):
        raise InvalidSettings(f"{caller} was already called for this app; call it only once")


def our_task(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Of one of our tasks: known as ours, whatever its name, and idle for jobs in memory."""

    @functools.wraps(function)
    async def run(context: JobContext, *args: Any, **kwargs: Any) -> Any:
        if upstream.is_in_memory(context.app):
            return IN_MEMORY
        return await function(context, *args, **kwargs)

    return upstream.mark_ours(run)


def build_blueprint(settings: MaintSettings) -> Blueprint:
    """A fresh blueprint: one made at import would get its namespace twice on a second app."""
    blueprint = Blueprint()

    @our_task
    async def rescue_stalled_jobs(context: JobContext, timestamp: int) -> None:
        # Whoever defers it by hand may say 0.
        action = RescueStalled(upstream.list_aliases(context.app), ticked=timestamp > 0)
        async with jobs_pool(context.app, settings) as pool:
            await perform(pool, Actor.task(upstream.RESCUE), action, settings=settings)

    @our_task
    async def purge_finished_jobs(
        context: JobContext,
        timestamp: int,
        resume_after: dict[str, int] | None = None,
        seconds_used: float = 0.0,
        skipped: int = 0,
    ) -> None:
        left = settings.purge_time_limit.total_seconds() - seconds_used
        begun = time.monotonic()
        action = PurgeFinished(
            time_limit=min(SLICE, timedelta(seconds=max(left, 0.0))),
            resume_after=resume_after or {},
        )
        wait = 0
        try:
            async with jobs_pool(context.app, settings) as pool:
                report = await perform(
                    pool,
                    Actor.task(upstream.PURGE),
                    action,
                    settings=settings,
                    # A worker that was asked to stop does not wait for the whole slice.
                    watch=Watch(must_stop=context.additional_context.get(upstream.STOPPING)),
                )
        except AlreadyRunning as exc:  # started by a person or the night before: not an error
            wait, skipped = AGAIN, skipped + 1
            emit("jobs_maint.purge_skipped", times=skipped, again_seconds=wait, reason=str(exc))
        else:
            if report.finished:
                return
            resume_after = dict(report.resume_after)
        seconds_used += time.monotonic() - begun + wait
        if seconds_used >= settings.purge_time_limit.total_seconds():
            emit(
                "jobs_maint.purge_time_used",
                logging.WARNING,
                seconds=round(seconds_used),
                skipped=skipped,
            )
            return
        task: Any = context.app.tasks[upstream.PURGE]
        try:
            await task.configure(schedule_in={"seconds": wait} if wait else None).defer_async(
                timestamp=timestamp,
                resume_after=resume_after or {},
                seconds_used=seconds_used,
                skipped=skipped,
            )
        except AlreadyEnqueued:  # the next tick is already waiting and does the rest
            emit("jobs_maint.purge_continued_by_next_tick")

    for name, function, cron, priority in (
        (upstream.RESCUE, rescue_stalled_jobs, settings.rescue_cron, FIRST),
        (upstream.PURGE, purge_finished_jobs, settings.purge_cron, LAST),
    ):
        task = blueprint.task(
            name=name.partition(":")[2],
            queue=settings.queue,
            queueing_lock=name,
            priority=priority,
            pass_context=True,
        )(function)
        if cron:
            blueprint.periodic(cron=cron)(task)
    return blueprint


@asynccontextmanager
async def jobs_pool(app: App, settings: MaintSettings) -> AsyncIterator[Pool]:
    """The running app's own pool; for connectors without one, a small pool of ours.

    It takes the address that was named for this purpose, never JOB_QUEUE_DATABASE_URL: that may be
    production's, and the app a unit test. Two connections: a long act renews its lease while its
    statements run. Raises InvalidSettings without an address, and for jobs in memory.
    """
    pool = upstream.app_pool(app)
    if pool is not None:
        yield pool
        return
    if upstream.is_in_memory(app):
        raise InvalidSettings(IN_MEMORY)
    async with AsyncExitStack() as stack:
        try:
            url = settings.require_worker_database_url()
            own = await stack.enter_async_context(open_pool(url, max_size=2))
        except JobsMaintError as exc:
            # Told of the shell's setting, a person would look in the wrong place.
            told = str(exc).replace("JOB_QUEUE_DATABASE_URL", "JOBS_MAINT_WORKER_DATABASE_URL")
            raise type(exc)(told) from exc.__cause__
        yield own
