"""A worker of its own process: `python -m benchmarks.worker`; also the app of the shell's row."""

from __future__ import annotations

import asyncio
import os

import procrastinate

import jobs_maint

app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=os.environ["JOB_QUEUE_DATABASE_URL"])
)
jobs_maint.register(app)


@app.task(name="bench.quick", queue="bench")
async def quick() -> None:
    return None


async def main() -> None:
    async with app.open_async():
        await app.run_worker_async(queues=["bench"], fetch_job_polling_interval=1)


if __name__ == "__main__":
    asyncio.run(main())
