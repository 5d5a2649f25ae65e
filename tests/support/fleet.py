"""Workers as rows, so that every moment of a rescue can be staged."""

from __future__ import annotations

from datetime import timedelta

from jobs_maint.actions import Actor, RescueStalled
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings
from jobs_maint.sql import load_queries
from tests.support.history import minutes

TICK = Actor.task("jobs_maint:rescue_stalled_jobs")
SOON = {"stalled_after": timedelta(minutes=5), "beat": timedelta(seconds=10)}


class Fleet:
    """Workers as rows, and a clock that is moved by dating rows back."""

    def __init__(self, pool, conn, make_job) -> None:
        self.pool, self.conn, self.make_job = pool, conn, make_job

    async def start_worker(self, *, beats: bool = True) -> int:
        found = await self.conn.execute("SELECT procrastinate_register_worker_v1()")
        (worker_id,) = await found.fetchone()
        if beats:
            await self.beat(worker_id)
        return worker_id

    async def beat(self, worker_id: int, *jobs: int) -> None:
        queries = load_queries("beat")
        if 0 in jobs:
            found = await self.conn.execute(queries["may_hold_others"], {"worker_id": worker_id})
            if (await found.fetchone())[0]:
                await self.conn.execute(queries["clear_others"], {"queues": None})
        await self.conn.execute(
            queries["beat"],
            {
                "worker_id": worker_id, "host": "host-a", "pid": 31, "queues": None,
                "recorder_version": "1", "delete_jobs": "never", "beat_seconds": 10.0,
                "job_ids": list(jobs),
            },
        )  # fmt: skip

    async def end(self, worker_id: int, *left: int) -> None:
        """It says goodbye, with jobs whose end it may not have stored; its row is pruned."""
        await self.conn.execute("DELETE FROM procrastinate_workers WHERE id = %s", (worker_id,))
        await self.conn.execute(
            load_queries("beat")["say_goodbye"], {"worker_id": worker_id, "left": list(left)}
        )

    async def heartbeat(self, worker_id: int) -> None:
        await self.conn.execute("SELECT procrastinate_update_heartbeat_v1(%s)", (worker_id,))

    async def pass_time(self, span: timedelta) -> None:
        for statement in (
            (
                "UPDATE jobs_maint_workers SET beat_at = beat_at - %s,"
                " steady_since = steady_since - %s"
            ),
            "UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - %s - %s * 0",
            (
                "UPDATE jobs_maint_suspects SET first_noticed_at = first_noticed_at - %s,"
                " started_at = started_at - %s"
            ),
            "UPDATE procrastinate_events SET at = at - %s - %s * 0",
            "UPDATE jobs_maint_failures SET failed_at = failed_at - %s - %s * 0",
        ):
            await self.conn.execute(statement, (span, span))

    async def fall_silent(self, span: timedelta) -> None:
        """No worker gives a sign of life for so long; the jobs' own times stay."""
        await self.conn.execute("UPDATE jobs_maint_workers SET beat_at = beat_at - %s", (span,))
        await self.conn.execute(
            "UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - %s", (span,)
        )

    async def observe(self) -> None:
        """The worker that runs the rescue: it has beaten for an hour."""
        await self.conn.execute(
            "INSERT INTO procrastinate_workers (id) OVERRIDING SYSTEM VALUE VALUES (0)"
            " ON CONFLICT (id) DO UPDATE SET last_heartbeat = now()"
        )
        await self.beat(0)
        await self.conn.execute(
            "UPDATE jobs_maint_workers SET steady_since = now() - interval '1 hour'"
            " WHERE worker_id = 0"
        )

    async def tick(self, *, observed: bool = True, **settings):
        if observed:
            await self.observe()
        return await perform(
            self.pool, TICK, RescueStalled(), settings=MaintSettings(**{**SOON, **settings})
        )

    async def lose(self, *jobs: dict) -> list[int]:
        """Jobs whose workers beat them once and then died; noticed, and due."""
        ids = []
        for job in jobs or ({},):
            worker = await self.start_worker()
            ids.append(await self.make_job(status="doing", worker_id=worker, **job))
            await self.beat(worker, ids[-1])
        await self.notice()
        return ids

    async def notice(self) -> None:
        await self.pass_time(minutes(2))
        report = await self.tick()
        assert (report.items, report.suspects > 0) == ((), True)
        await self.pass_time(minutes(6))

    async def take_and_die(self, job: int) -> None:
        """A new worker claims the waiting job and dies with it; noticed, and due."""
        worker = await self.start_worker()
        await self.conn.execute(
            "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s", (worker,)
        )
        await self.beat(worker, job)
        await self.notice()
