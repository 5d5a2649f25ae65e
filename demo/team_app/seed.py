"""A believable mix of jobs, and a past for the purge to delete."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import procrastinate
import psycopg
from procrastinate.job_context import JobContext
from psycopg.types.json import Jsonb

from demo.team_app import tasks
from demo.team_app.app import app
from jobs_maint.fingerprint import build_fingerprint
from jobs_maint.recorder.failure import describe_traceback, describe_type

PARTNER = "https://hooks.partner.example/v1"


@dataclass(frozen=True, slots=True)
class SeededJobs:
    """Ids by what will become of the jobs once a worker takes them."""

    succeeding: tuple[int, ...]
    failing: tuple[int, ...]
    """Fail for good, whoever retries them."""
    failing_once: tuple[int, ...]
    """Fail, and succeed when a person retries them."""
    retrying: tuple[int, ...]
    """Fail, and succeed by Procrastinate's automatic retry."""
    waiting: tuple[int, ...]
    """Scheduled for later."""


async def defer_mix(*, scale: int = 1) -> SeededJobs:
    """Defers 20 × `scale` jobs. The app must be open."""
    succeeding: list[int] = []
    failing: list[int] = []
    failing_once: list[int] = []
    retrying: list[int] = []
    waiting: list[int] = []
    for round_ in range(scale):
        base = round_ * 100
        succeeding += [
            await tasks.send_email.defer_async(address=f"user{base + n}@shop.example")
            for n in range(6)
        ]
        succeeding += [
            await tasks.deliver_webhook.defer_async(
                url=PARTNER, event_id=88_000 + base + n, api_key="partner-key-for-nobody-to-read"
            )
            for n in range(3)
        ]
        succeeding.append(await tasks.build_report.defer_async(report_id=base + 1))
        failing_once += [
            await tasks.deliver_webhook.defer_async(
                url=PARTNER, event_id=88_213 + base + n, failures=1
            )
            for n in range(3)
        ]
        failing += [
            await tasks.send_email.defer_async(
                address=f"gone{base + n}@old.example", template="receipt", failures=tasks.ALWAYS
            )
            for n in range(2)
        ]
        failing.append(
            await tasks.build_report.defer_async(
                report_id=base + 17, rows=9_000_000, failures=tasks.ALWAYS
            )
        )
        failing.append(await tasks.import_prices.defer_async(line=base + 312, price="12,5O"))
        retrying += [
            await tasks.sync_inventory.defer_async(warehouse=name, failures=n + 1)
            for n, name in enumerate((f"Lyon-{round_}", f"Turin-{round_}"))
        ]
        waiting.append(
            await tasks.send_email.configure(schedule_in={"hours": 6}).defer_async(
                address=f"later{base}@shop.example", template="reminder"
            )
        )
    return SeededJobs(
        succeeding=tuple(succeeding),
        failing=tuple(failing),
        failing_once=tuple(failing_once),
        retrying=tuple(retrying),
        waiting=tuple(waiting),
    )


# A finished row is inserted as such: no worker is woken and no trigger writes events, so that the
# events of the past are all its own.
_INSERT_FINISHED = """
WITH job AS (
    INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, attempts)
    SELECT %(queue)s, %(task)s, %(args)s,
           %(status)s::text::procrastinate_job_status, 1
    FROM generate_series(1, %(count)s) AS n
    RETURNING id
), ended AS (
    SELECT id, now() - %(age)s::interval
                + %(spread)s::interval * (row_number() OVER (ORDER BY id)) / %(count)s AS at
    FROM job
), event AS (
    INSERT INTO procrastinate_events (job_id, type, at)
    SELECT ended.id, step.type::procrastinate_job_event_type, ended.at + step.after
    FROM ended
    CROSS JOIN (VALUES
        (1, 'deferred', interval '0'),
        (2, 'started', interval '1 second'),
        (3, %(status)s::text, interval '2 seconds')
    ) AS step (nr, type, after)
    ORDER BY ended.id, step.nr
), failure AS (
    INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,
                                     exception_type, message, traceback_hash, fingerprint,
                                     will_retry)
    SELECT id, 1, %(queue)s, %(task)s, at + interval '2 seconds', 'error',
           %(error)s::text, %(message)s::text, %(hash)s, %(fingerprint)s::text, false
    FROM ended WHERE %(error)s::text IS NOT NULL
), traceback AS (
    INSERT INTO jobs_maint_tracebacks (hash, body)
    SELECT %(hash)s, %(body)s::text WHERE %(hash)s::bytea IS NOT NULL
    ON CONFLICT DO NOTHING
)
SELECT id FROM job ORDER BY id
"""


async def make_history(
    database_url: str,
    *,
    count: int = 200,
    age: timedelta = timedelta(days=40),
    spread: timedelta = timedelta(),
    status: str = "succeeded",
    task: procrastinate.tasks.Task = tasks.send_email,
    args: dict[str, Any] | None = None,
    error: BaseException | None = None,
) -> tuple[int, ...]:
    """Inserts `count` jobs that ended `age` ago as `status` (`succeeded` or `failed`); their ids.

    `spread`: the last of them ended that much later. `error`: recorded as that of each.
    Call it before anything else is deferred: job ids grow with time, and the past has the low ones.
    """
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        cursor = await connection.execute(
            _INSERT_FINISHED,
            {
                "queue": task.queue,
                "task": task.name,
                "status": status,
                "args": Jsonb(args or {"address": "old@shop.example"}),
                "count": count,
                "age": age,
                "spread": spread,
                **_describe(task.name, error),
            },
        )
        return tuple([row[0] async for row in cursor])


def _describe(task: str, error: BaseException | None) -> dict[str, Any]:
    """As the recorder would have written it."""
    if error is None:
        return dict.fromkeys(("error", "message", "fingerprint", "hash", "body"))
    message, name, body = str(error), describe_type(error), describe_traceback(error)
    return {
        "error": name,
        "message": message,
        "fingerprint": build_fingerprint(task, name, message),
        "hash": hashlib.sha256(body.encode()).digest()[:16],
        "body": body,
    }


async def _fail(task: procrastinate.tasks.Task, args: dict[str, Any]) -> BaseException:
    """What the task raises, with its traceback."""
    job = procrastinate.jobs.Job(
        id=None, queue=task.queue, lock=None, queueing_lock=None, task_name=task.name
    )
    context = JobContext(app=app, job=job, start_timestamp=0.0, abort_reason=lambda: None)
    try:
        await task.func(*([context] if task.pass_context else []), **args)
    except Exception as error:
        return error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
    raise AssertionError(f"{task.name} did not fail")


async def make_past_days(database_url: str) -> None:
    """The last two days of a shop where little goes wrong."""
    days = timedelta(days=2)

    async def insert(
        task: procrastinate.tasks.Task, count: int, *, status: str = "succeeded", **args: Any
    ) -> None:
        error = await _fail(task, args) if status == "failed" else None
        await make_history(
            database_url, count=count, age=days, spread=days * 0.99, status=status, task=task,
            args=args, error=error,
        )  # fmt: skip

    await insert(tasks.send_email, 2_400, address="user@shop.example")
    await insert(tasks.deliver_webhook, 1_280, url=PARTNER, event_id=87_000)
    await insert(tasks.build_report, 180, report_id=7)
    await insert(
        tasks.send_email, 18, status="failed", address="gone@old.example", failures=tasks.ALWAYS
    )
    await insert(tasks.import_prices, 6, status="failed", line=312, price="12,5O")


# Procrastinate's triggers write the events row by row and notify the workers of each, which takes
# longer than all else: one statement writes the events instead. The triggers are off in this
# session only: `ALTER TABLE … DISABLE TRIGGER` would lock the table against all others until the
# end.
_INSERT_NEWSLETTER = """
WITH job AS (
    INSERT INTO procrastinate_jobs (queue_name, task_name, args, scheduled_at)
    SELECT 'newsletter', %(task)s,
           jsonb_build_object('address', 'reader' || n || '@shop.example'), now() + %(after)s
    FROM generate_series(1, %(count)s) AS n
    RETURNING id, scheduled_at
)
INSERT INTO procrastinate_events (job_id, type, at)
SELECT id, 'deferred'::procrastinate_job_event_type, now() FROM job
UNION ALL SELECT id, 'scheduled', scheduled_at FROM job
"""


async def make_newsletter(database_url: str, count: int, *, after: timedelta) -> None:
    """Mails to send then: enough jobs that an act on all of them takes some seconds."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        values = {"task": tasks.send_email.name, "after": after, "count": count}
        await connection.execute(_INSERT_NEWSLETTER, values)
        # Planned for a small table, a worker's search for its next job would take minutes.
        await connection.execute("ANALYZE procrastinate_jobs")


async def seed(
    database_url: str, *, scale: int, history: int, age: timedelta, newsletter: int = 0
) -> SeededJobs:
    """History first (older jobs have lower ids), then the mix."""
    if history:
        await make_history(database_url, count=history, age=age)
    async with app.open_async():
        jobs = await defer_mix(scale=scale)
    if newsletter:
        await make_newsletter(database_url, newsletter, after=timedelta(days=1))
    return jobs
