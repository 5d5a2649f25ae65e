"""The only place that knows Procrastinate's internals, and which versions are supported.

Relies on these facts (3.10): the psycopg connector's `pool`; the pool's conninfo and kwargs; the
notification channels and payload; `worker_middleware` in `App.worker_defaults`; the worker's
`_stop_event`, `_running_jobs`, `_job_semaphore` and `_loop`, and its task `worker loop`, which
awaits `_shutdown`. Procrastinate is imported inside the functions that need it: the shell rarely
does, and each command would wait.
"""

# ruff: noqa: PLC0415  see above

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString, TypeVar

if TYPE_CHECKING:
    import psycopg_pool
    from procrastinate import App
    from procrastinate.worker import Worker

F = TypeVar("F", bound=Callable[..., Any])

__all__ = [
    "DIGEST",
    "MOST_ATTEMPTS",
    "OUR_TASKS",
    "PURGE",
    "RESCUE",
    "STOPPING",
    "Notification",
    "app_pool",
    "ask_params",
    "build_notifications",
    "call_at_end",
    "configure_function",
    "find_foreign_tasks",
    "held_job_ids",
    "is_fetching",
    "is_in_memory",
    "is_ours",
    "is_queueing_lock",
    "is_stopping",
    "list_aliases",
    "list_crons",
    "mark_ours",
    "mark_times",
    "plain_params",
    "procrastinate_version",
    "schema_sql",
    "takes_jobs",
]

RESCUE = "jobs_maint:rescue_stalled_jobs"
PURGE = "jobs_maint:purge_finished_jobs"
DIGEST = "chatbot:send_digest"
OUR_TASKS = [RESCUE, PURGE, DIGEST]
"""Exact names: a team may have namespaces `chatbot` and `jobs_maint` of its own. Stats, sets and
digests leave these tasks out; the SQL names them too, as a condition of an index."""
MOST_ATTEMPTS = 2**31 - 1
"""More the column `attempts` does not hold, and Procrastinate counts up when a run ends."""

_MARK = "__procrastinate_ops__"
_TIMES = "__procrastinate_ops_times__"

_QUEUEING_LOCK = "procrastinate_jobs_queueing_lock_idx"
"""The unique index on the queueing locks of waiting jobs; a version follows."""

LONGEST_CHANNEL = 63
"""pg_notify refuses channel names of 64 bytes or more."""


@dataclass(frozen=True, slots=True)
class Notification:
    channel: str
    payload: str


STOPPING = "jobs_maint_stopping"
"""Key of a job's `additional_context`: a function that returns whether its worker is stopping."""


def is_stopping(worker: Worker) -> bool:
    """Whether the worker is waiting for its jobs: asked to stop, or after an error of its own.

    From any thread. A worker that could not ask for a job, as its database was away, takes no other
    one and ends, but nobody set its event.
    """
    return worker._stop_event.is_set() or _is_shutting_down(worker)  # noqa: SLF001  no public way


def _is_shutting_down(worker: Worker) -> bool:
    task = _find_worker_loop(worker)
    awaits = getattr(task.get_coro(), "cr_await", None) if task is not None else None
    return getattr(awaits, "__name__", "") == "_shutdown"


def call_at_end(worker: Worker, tell: Callable[[], None]) -> None:
    """Call it once the worker has removed its row, in its event loop, before `run` returns.

    From the worker's event loop only.
    """
    if (task := _find_worker_loop(worker)) is not None:
        task.add_done_callback(lambda _: tell())


def _find_worker_loop(worker: Worker) -> asyncio.Task[Any] | None:
    """The task that fetches jobs and at the end waits for them; None once it is done."""
    loop = worker._loop  # noqa: SLF001
    for task in asyncio.all_tasks(loop) if loop is not None else ():
        if task.get_name() == "worker loop":
            frame = getattr(task.get_coro(), "cr_frame", None)
            if frame is not None and frame.f_locals.get("self") is worker:
                return task
    return None


def mark_ours(function: F) -> F:
    """The function of a task of ours: its name alone does not tell."""
    setattr(function, _MARK, True)
    return function


def is_ours(app: App, name: str) -> bool:
    """Whether the app's task of this name is there, and is ours."""
    task = app.tasks.get(name)
    return task is not None and getattr(task.func, _MARK, False)


def find_foreign_tasks(app: App) -> list[str]:
    """Tasks of the team (or aliases of them) that have the name of one of ours."""
    return [name for name in OUR_TASKS if name in app.tasks and not is_ours(app, name)]


def is_queueing_lock(exc: Exception | None) -> bool:
    """Whether PostgreSQL refused because another waiting job holds the queueing lock."""
    constraint = getattr(getattr(exc, "diag", None), "constraint_name", None) or ""
    return constraint.startswith(_QUEUEING_LOCK)


def is_fetching(worker: Worker) -> bool:
    """Whether the worker may have asked for a job and not read the answer; from any thread.

    A worker takes a slot before it asks, and holds it until the job has ended. So one slot more
    than jobs is an open question; the database may have given the job to this worker already.
    """
    taken = worker.concurrency - worker._job_semaphore._value  # noqa: SLF001
    return taken > len(worker._running_jobs)  # noqa: SLF001


def takes_jobs(worker: Worker) -> bool:
    """Whether the worker may still take jobs; from any thread.

    A stop is asked for first: a worker that is stopping asks for no other job.
    """
    return not is_stopping(worker) or is_fetching(worker)


def held_job_ids(worker: Worker) -> frozenset[int]:
    """Jobs the worker has fetched and whose end is not stored yet; from any thread.

    The middleware knows fewer: a fetched job begins only when the event loop comes to it, and its
    end is stored after the middleware has returned.
    """
    while True:
        try:
            contexts = list(worker._running_jobs.values())  # noqa: SLF001
        except RuntimeError:  # the loop's thread changed it meanwhile
            continue
        return frozenset(c.job.id for c in contexts if c.job.id is not None)


def list_aliases(app: App) -> tuple[tuple[str, ...], ...]:
    """All names of each task that has several."""
    names: dict[int, list[str]] = {}
    for name, task in app.tasks.items():
        names.setdefault(id(task), []).append(name)
    return tuple(tuple(several) for several in names.values() if len(several) > 1)


def mark_times(function: Callable[..., Any], times: Mapping[str, tuple[str, str]]) -> None:
    """By periodic id, the cron and time zone that a task of ours goes by; its own cron wakes it."""
    setattr(function, _TIMES, times)


def list_crons(app: App) -> list[tuple[str, ...]]:
    """Task, periodic id and cron of each periodic task of the app, and what `mark_times` noted."""
    tasks = app.periodic_registry.periodic_tasks
    return sorted(
        (*key, one.cron, *getattr(one.task.func, _TIMES, {}).get(key[1], ()))
        for key, one in tasks.items()
    )


def procrastinate_version() -> str:
    import importlib.metadata

    return importlib.metadata.version("procrastinate")


def schema_sql(encoding: str = "UTF8") -> LiteralString:
    """Procrastinate's own schema, of the installed version, for a database of this encoding.

    Its comments hold a dash that only a UTF-8 database takes.
    """
    from procrastinate.schema import SchemaManager

    text = SchemaManager.get_schema()
    if encoding == "UTF8":
        return text
    return re.sub(r"--.*$", lambda comment: _to_ascii(comment[0]), text, flags=re.MULTILINE)


def _to_ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode("ascii")


def app_pool(app: App) -> psycopg_pool.AsyncConnectionPool[Any] | None:
    """The pool the running app uses; None for connectors without a psycopg pool.

    Call it when a job runs, never earlier: `replace_connector` and Django swap connectors.
    Raises AppNotOpen when the app is not open.
    """
    from procrastinate import PsycopgConnector

    connector = app.connector
    if isinstance(connector, PsycopgConnector):
        return connector.pool
    return None


def is_in_memory(app: App) -> bool:
    """Whether the app's jobs are in no database at all, as in a team's unit tests."""
    from procrastinate.testing import InMemoryConnector

    return isinstance(app.connector, InMemoryConnector)


def plain_params(
    pool: psycopg_pool.AsyncConnectionPool[Any],
) -> tuple[str, dict[str, Any]] | None:
    """The pool's conninfo and keyword arguments; None where it has a function for one of them."""
    conninfo, kwargs = pool.conninfo, pool.kwargs
    if callable(conninfo) or callable(kwargs):
        return None
    return conninfo or "", dict(kwargs or {})


async def ask_params(
    pool: psycopg_pool.AsyncConnectionPool[Any],
) -> tuple[str, dict[str, Any]]:
    """What the pool would take for its next connection, in its own event loop."""
    return str(await _ask(pool.conninfo) or ""), dict(await _ask(pool.kwargs) or {})


async def _ask(given: Any) -> Any:
    """A value, or what a function (async or not) in its place returns."""
    value = given() if callable(given) else given
    return await value if inspect.isawaitable(value) else value


def configure_function(
    pool: psycopg_pool.AsyncConnectionPool[Any],
) -> Callable[[Any], Awaitable[None]] | None:
    """What the pool calls with each new connection; the pool shows it to nobody."""
    return getattr(pool, "_configure", None)


def build_notifications(jobs: Iterable[tuple[int, str]]) -> list[Notification]:
    """Messages that wake workers for waiting jobs: one per queue, one for all-queue workers.

    `jobs` are (id, queue name). A queue whose channel name is too long is left out: its workers
    find the job at their next poll.
    """
    newest = {queue: job_id for job_id, queue in jobs}
    if not newest:
        return []
    found = [
        Notification(f"procrastinate_queue_v1#{queue}", _payload(job_id))
        for queue, job_id in newest.items()
    ]
    found.append(Notification("procrastinate_any_queue_v1", _payload(max(newest.values()))))
    return [n for n in found if len(n.channel.encode()) <= LONGEST_CHANNEL]


def _payload(job_id: int) -> str:
    return json.dumps({"type": "job_inserted", "job_id": job_id})
