"""`python -m tests.support.nights FOLDER [NAME…]`: lives of incidents as a phone shows them.

Each is played by the real operations in simulated time; whatever the channel says is drawn.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path

from psycopg.types.json import Jsonb

from tests.simulation.senders import send
from tests.support.drawing import LOOKS, Drawn, draw
from tests.support.history import hours, minutes
from tests.support.night import Night, open_night
from tests.support.server import Server, running_server

WEBHOOK = "team.tasks.deliver_webhook"
FAIL = """
WITH failed AS (
    SELECT g, g %% 300 AS kind, now() - random() * interval '420 s' AS at
    FROM generate_series(1, 1666) AS g
), made AS (
    INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, attempts)
    SELECT (ARRAY['email', 'webhook', 'reports'])[1 + kind %% 3], 'team.tasks.do_' || kind %% 40,
           jsonb_build_object('g', g), 'failed', 1
    FROM failed RETURNING id, queue_name, task_name, (args ->> 'g')::int AS g
), ended AS (
    INSERT INTO procrastinate_events (job_id, type, at)
    SELECT id, 'failed', at FROM made JOIN failed USING (g)
)
INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,
                                 exception_type, message, fingerprint, will_retry)
SELECT id, 1, queue_name, task_name, at, 'error',
       (ARRAY['httpx.ConnectTimeout', 'KeyError', 'DeadlockDetected'])[1 + kind %% 3],
       'case ' || kind || ' of the night', '2:' || kind, false
FROM made JOIN failed USING (g)
"""


async def workers(night: Night) -> None:
    """The only worker dies; somebody takes and mutes it; it comes and goes; it is over."""
    await night.start_worker()
    await night.pass_time(minutes(2))
    for queue in ("email", "webhook"):
        for _ in range(20):
            await night.make_job(queue=queue)
    dead, night.alive = night.alive, []
    await night.pass_time(minutes(3))
    night.look("noticed")
    await night.pass_time(minutes(14))
    night.look("queues fall behind")
    await night.press("I'm on it")
    await night.pass_time(minutes(1))
    night.look("taken")
    await night.press("Mute for 24 h")
    await night.pass_time(minutes(2))
    night.look("muted")
    night.alive = dead
    await night.finish_jobs()
    await night.pass_time(minutes(2))
    night.look("over")
    for _ in range(3):
        night.alive = []
        await night.make_job(queue="email")
        await night.pass_time(minutes(4))
        night.alive = dead
        await night.finish_jobs()
        await night.pass_time(minutes(3))
    night.look("it came and went")
    await night.pass_time(minutes(18))
    night.look("quiet again")


async def groups(night: Night) -> None:
    """A new error and another; somebody is on them; `errors` says so."""
    await night.start_worker()
    await night.pass_time(minutes(2))

    async def fail(error: str, times: int, kind: str) -> None:
        for n in range(times):
            await night.make_job(
                queue="webhook", task=WEBHOOK, status="failed", error=error.format(n=n),
                exception_type=kind, finished_ago=timedelta(seconds=3 * n), fingerprint=f"2:{kind}",
            )  # fmt: skip

    timeout = "POST https://hooks.example.com/orders/881{n} timed out after 10 s"
    await fail(timeout, 25, "httpx.ConnectTimeout")
    await night.pass_time(minutes(1))
    night.look("a new error")
    await fail("503 Service Unavailable for order 77{n}", 40, "httpx.HTTPStatusError")
    await night.pass_time(minutes(2))
    night.look("another one")
    await night.press("I'm on it")
    await night.pass_time(minutes(1))
    night.look("taken")
    await night.ask("errors --since 1h")
    await night.press("Preview retry")
    await night.pass_time(minutes(62))
    night.look("over")


async def others(night: Night) -> None:
    """The purge, a periodic task, a queue, a recorder."""
    worker = await night.start_worker()
    crons = Jsonb([["team.tasks.send_report", "", "*/5 * * * *"]])
    await night.conn.execute(
        "UPDATE jobs_maint_workers SET crons = %s, started_at = now() - interval '3 h'", (crons,)
    )
    purge = {"queue": "maintenance", "task": "jobs_maint:purge_finished_jobs"}
    await night.make_job(status="succeeded", finished_ago=hours(26), **purge)
    await night.make_job(status="failed", finished_ago=minutes(10), **purge)
    for _ in range(5):
        await night.make_job(queue="webhook", task=WEBHOOK, deferred_ago=minutes(4))
    await night.pass_time(minutes(20))
    night.look("all that is wrong")
    await night.ask("incidents")
    await night.start_worker()
    night.alive.remove(worker)
    for _ in range(32):
        await night.conn.execute("SELECT procrastinate_update_heartbeat_v1(%s)", (worker,))
        await night.pass_time(timedelta(seconds=15))
    night.look("errors of the old worker are not recorded")
    await night.conn.execute("UPDATE jobs_maint_workers SET crons = %s", (crons,))
    await night.conn.execute(
        "INSERT INTO procrastinate_periodic_defers (task_name, defer_timestamp)"
        " VALUES ('team.tasks.send_report', extract(epoch FROM sim.now())::bigint)"
    )
    await night.make_job(status="succeeded", **purge)
    await night.finish_jobs()
    await night.pass_time(minutes(3))
    night.look("over")


async def bad(night: Night) -> None:
    """5,000 failures in 300 groups, three queues behind; the digest of it."""
    await night.start_worker()
    await night.pass_time(minutes(2))
    await night.conn.execute(
        "INSERT INTO jobs_maint_rates"
        " SELECT date_trunc('hour', now()) - d * interval '1 day' + q * interval '15 min', %s"
        " FROM generate_series(1, 14) AS d, generate_series(0, 8) AS q",
        (Jsonb({"email": 4, "webhook": 9, "reports": 1}),),
    )
    for queue in ("email", "webhook", "reports"):
        for _ in range(3):
            await night.make_job(queue=queue)
    for _ in range(3):
        await night.conn.execute(FAIL, {})
        await night.pass_time(minutes(7))
    night.look("a bad night")
    await night.press("I'm on it", 0)
    await night.pass_time(minutes(40))
    night.look("later")
    await send(night.world, "hourly")
    night.look("the digest")


async def quiet(night: Night) -> None:
    """Nothing fails; two digests say so."""
    await night.start_worker()
    for _ in range(2):
        await night.pass_time(minutes(61), every=60)
        await send(night.world, "hourly")
        await night.make_job(queue="email", status="succeeded")
    night.look("a quiet night")
    await night.ask("incidents")


async def slack(night: Night) -> None:
    """Slack is away for half an hour, in which workers come and go and a digest is due."""
    await night.start_worker()
    await night.pass_time(minutes(50), every=60)
    for _ in range(12):
        await night.make_job(queue="email")
    dead, night.alive = night.alive, []
    await night.pass_time(minutes(3))
    night.look("before Slack goes away")
    night.slack.set_fault("500", times=10_000)
    await night.pass_time(minutes(12))
    await send(night.world, "hourly", tries=1)
    night.alive = dead
    await night.pass_time(minutes(9))
    night.alive = []
    await night.pass_time(minutes(6))
    night.look("while Slack is away")
    night.slack.clear_faults()
    await night.pass_time(minutes(1))
    await send(night.world, "hourly")
    night.look("Slack is back")
    night.alive = dead
    await night.finish_jobs()
    await night.pass_time(minutes(3))
    night.look("over")


async def database(night: Night) -> None:
    """The database takes no connection for twenty minutes of an incident."""
    await night.start_worker()
    await night.pass_time(minutes(2))
    for _ in range(12):
        await night.make_job(queue="email")
    dead, night.alive = night.alive, []
    await night.pass_time(minutes(5))
    night.look("before the database goes away")
    name = night.conn.info.dbname
    night.server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    await night.conn.execute(
        "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
        " WHERE application_name = 'jobs-maint' AND datname = current_database()"
    )
    await night.pass_time(timedelta(seconds=15))
    await night.pass_time(minutes(20), watched=False)
    night.look("while it is away")
    night.server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    await night.pass_time(minutes(1))
    night.look("a minute after it is back")
    night.alive = dead
    await night.finish_jobs()
    await night.pass_time(minutes(3))
    await send(night.world, "hourly")
    night.look("over")


STORIES: Mapping[str, Callable[[Night], Awaitable[None]]] = {
    story.__name__: story for story in (workers, groups, others, bad, quiet, slack, database)
}


def main(folder: str, names: list[str]) -> None:
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)

    async def play(server: Server, name: str) -> list[Drawn]:
        async with open_night(server) as night:
            await STORIES[name](night)
            return night.drawn

    with running_server(fsync="off", log_min_messages="fatal") as server:
        for name in names or STORIES:
            path = target / f"{name}.png"
            draw(asyncio.run(play(server, name)), LOOKS[-1], path)
            print(path)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "build/nights", sys.argv[2:])
