"""A team's app for the fault tests: `python -m tests.support.queue_app '{"queues": ["slow"]}'`.

Each run of a job is noted in the table `test_runs` by a connection of its own, so that "ran once"
can be counted whatever became of the worker. The JSON is given to `run_worker_async`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys

import procrastinate
import psycopg
from procrastinate import JobContext, RetryStrategy

import jobs_maint

URL = os.environ.get("JOB_QUEUE_DATABASE_URL", "")
os.environ["PGAPPNAME"] = f"queue-app-{os.getpid()}"
app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=URL, min_size=1, max_size=4)
)
if os.environ.get("TEST_REGISTER", "true") == "true":
    jobs_maint.register(app)

HOSTILE = {
    "nul": "before\0after",
    "mention": "<!channel> </script> `code` ```block```",
    "emoji": "🔥 \u202eright to left\u202c",
    "surrogate": "lone \ud800 surrogate",
    "huge": "x" * 1_000_000,
}


def note(context: JobContext, step: str) -> None:
    with psycopg.connect(URL, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO test_runs (job_id, attempt, step, pid) VALUES (%s, %s, %s, %s)",
            (context.job.id, context.job.attempts, step, os.getpid()),
        )


HELD = "SELECT pg_advisory_lock_shared(%s)"
"""Returns when the test has released the job: see `Queue.hold`."""


def block(context: JobContext) -> None:
    with psycopg.connect(URL, autocommit=True) as conn:
        conn.execute(HELD, (context.job.id,))


@app.task(name="lasts", queue="slow", pass_context=True)
async def lasts(context: JobContext, *, only_first: bool = False) -> None:
    """Waits until it is released; `only_first`: a later attempt ends at once."""
    note(context, "start")
    if not (only_first and context.job.attempts):
        async with await psycopg.AsyncConnection.connect(URL, autocommit=True) as conn:
            await conn.execute(HELD, (context.job.id,))
    note(context, "end")


@app.task(name="lasts_or_retries", queue="slow", pass_context=True, retry=3)
async def lasts_or_retries(context: JobContext) -> None:
    await lasts.func(context)


@app.task(name="blocks", queue="slow", pass_context=True)
async def blocks(context: JobContext) -> None:
    """Blocks the event loop, as CPU-bound code in an async task does: no heartbeat meanwhile."""
    note(context, "start")
    block(context)
    note(context, "end")


@app.task(name="blocks_asking", queue="slow", pass_context=True)
async def blocks_asking(context: JobContext) -> None:
    """Blocks the event loop once the commit of this worker's next fetch waits for a lock."""
    asks = (
        "SELECT 1 FROM pg_stat_activity"
        " WHERE application_name = current_setting('application_name')"
        " AND wait_event_type = 'Lock' AND query ILIKE 'commit%'"
    )
    note(context, "start")
    with psycopg.connect(URL, autocommit=True) as conn:
        while not conn.execute(asks).fetchone():
            await asyncio.sleep(0.05)
    note(context, "blocks")
    block(context)
    note(context, "end")


@app.task(name="kills", queue="deadly", pass_context=True)
async def kills(context: JobContext) -> None:
    """Kills every worker that takes it, as a job does that needs more memory than there is."""
    note(context, "start")
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="fails", queue="failing")
async def fails(*, kind: str) -> None:
    raise ValueError(HOSTILE[kind])


@app.task(name="fails_in_a_thread", queue="failing")
def fails_in_a_thread() -> None:
    raise ValueError("a sync task")


@app.task(name="storm", queue="storm")
async def storm(*, number: int) -> None:
    raise ConnectionError(f"request {number} to host-{number % 7} failed: 'timed out'")


@app.task(name="twice", queue="failing", retry=RetryStrategy(max_attempts=1))
async def twice(*, number: int) -> None:
    raise RuntimeError(f"try {number}")


@app.task(name="quick", queue="quick")
async def quick() -> None:
    return None


async def work(options: dict[str, object]) -> None:
    async with app.open_async():
        await app.run_worker_async(**options)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    # Started as a script the module would be known as __main__: tasks are found by their names.
    asyncio.run(work(json.loads(sys.argv[1] if len(sys.argv) > 1 else "{}")))
