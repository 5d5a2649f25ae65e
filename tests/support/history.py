"""One factory that can make history: `await make_job(status="failed", finished_ago=days(8))`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb


def days(number: float) -> timedelta:
    return timedelta(days=number)


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


FINAL_EVENTS = {
    "succeeded": "succeeded",
    "failed": "failed",
    "cancelled": "cancelled",
    "aborted": "aborted",
}


class JobFactory:
    """Makes jobs through Procrastinate's own triggers, then dates their events back."""

    def __init__(self, conn: psycopg.AsyncConnection[Any]) -> None:
        self._conn = conn

    async def __call__(
        self,
        *,
        status: str = "todo",
        queue: str = "default",
        task: str = "app.task",
        args: dict[str, Any] | None = None,
        attempts: int | None = None,
        finished_ago: timedelta = timedelta(),
        deferred_ago: timedelta | None = None,
        scheduled_in: timedelta | None = None,
        lock: str | None = None,
        queueing_lock: str | None = None,
        worker_id: int | None = None,
        error: str | None = None,
        exception_type: str = "ValueError",
        recorded: bool = True,
        fingerprint: str | None = None,
        abort_requested: bool = False,
    ) -> int:
        steps = {"todo": [], "cancelled": ["cancelled"]}.get(status, ["doing", status])
        if status == "doing":
            steps = ["doing"]

        async def take(step: str) -> None:
            await self._conn.execute(
                "UPDATE procrastinate_jobs SET status = %s, worker_id = %s,"
                " abort_requested = abort_requested OR %s WHERE id = %s",
                (
                    step,
                    worker_id if step == "doing" else None,
                    step == "aborted" or (abort_requested and step == "doing"),
                    job_id,
                ),
            )

        # A live worker must not take a job that is only waiting on its way to another status.
        async with self._conn.transaction():
            one = await self._conn.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, args, lock,"
                " queueing_lock, scheduled_at) VALUES (%s, %s, %s, %s, %s, now() + %s)"
                " RETURNING id",
                (queue, task, Jsonb(args or {}), lock, queueing_lock, scheduled_in),
            )
            (job_id,) = await one.fetchone() or (0,)
            for step in steps[:1]:
                await take(step)
        for step in steps[1:]:
            await take(step)
        tried = len(steps) - 1 if len(steps) > 1 else 0
        await self._conn.execute(
            "UPDATE procrastinate_jobs SET attempts = %s, abort_requested = %s WHERE id = %s",
            (
                tried if attempts is None else attempts,
                abort_requested and status == "doing",
                job_id,
            ),
        )
        await self._conn.execute(
            "UPDATE procrastinate_events SET at = at - %s"
            " WHERE job_id = %s AND type IN ('deferred', 'started')",
            (finished_ago if deferred_ago is None else deferred_ago, job_id),
        )
        await self._conn.execute(
            "UPDATE procrastinate_events SET at = at - %s"
            " WHERE job_id = %s AND type NOT IN ('deferred', 'started', 'scheduled')",
            (finished_ago, job_id),
        )
        if status == "failed" and recorded:
            await self._conn.execute(
                "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name,"
                " failed_at, kind, exception_type, message, fingerprint, will_retry)"
                " VALUES (%s, %s, %s, %s, clock_timestamp() - %s, 'error', %s, %s, %s, false)",
                (
                    job_id,
                    tried if attempts is None else attempts,
                    queue,
                    task,
                    finished_ago,
                    exception_type,
                    error or "it broke",
                    fingerprint or f"1:{exception_type}:{error or 'it broke'}",
                ),
            )
        return job_id

    async def status(self, job_id: int) -> str | None:
        found = await self._conn.execute(
            "SELECT status::text FROM procrastinate_jobs WHERE id = %s", (job_id,)
        )
        row = await found.fetchone()
        return row[0] if row else None

    async def events(self, job_id: int) -> list[str]:
        found = await self._conn.execute(
            "SELECT type::text FROM procrastinate_events WHERE job_id = %s ORDER BY id", (job_id,)
        )
        return [row[0] for row in await found.fetchall()]
