"""The team's app behind the runbook; its argument is JSON for `run_worker_async`."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import procrastinate

import jobs_maint

app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(
        conninfo=os.environ.get("JOB_QUEUE_DATABASE_URL", ""), min_size=1, max_size=4
    )
)
jobs_maint.register(app)


@app.task(name="shop.send_receipt", queue="email")
async def send_receipt(*, order: int = 0) -> None:
    if order < 0:
        raise ValueError(f"no such order: {order}")


@app.task(name="shop.post_hook", queue="webhook")
async def post_hook(*, url: str = "") -> None:
    return None


async def work(options: dict[str, object]) -> None:
    async with app.open_async():
        await app.run_worker_async(**options)


if __name__ == "__main__":
    asyncio.run(work(json.loads(sys.argv[1] if len(sys.argv) > 1 else "{}")))
