"""The team's web app, with the Procrastinate worker in its lifespan.

    uvicorn demo.team_app.api:api

With `JOB_QUEUE_ENABLED=false` it starts without touching the jobs database.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

import procrastinate
from fastapi import FastAPI, HTTPException, Response, status

from demo.team_app import tasks
from demo.team_app.app import app as job_queue

DRAIN_SECONDS = 30.0


def is_job_queue_enabled() -> bool:
    return os.environ.get("JOB_QUEUE_ENABLED", "true").strip().lower() not in {
        "0",
        "false",
        "no",
        "off",
    }


@contextlib.asynccontextmanager
async def run_worker(api: FastAPI) -> AsyncIterator[None]:
    """The worker lives as long as the web app; what runs at shutdown gets `DRAIN_SECONDS`."""
    api.state.worker = None
    if not is_job_queue_enabled():
        yield
        return
    async with job_queue.open_async():
        worker = asyncio.create_task(
            job_queue.run_worker_async(
                concurrency=4,
                install_signal_handlers=False,  # the web server has its own
                shutdown_graceful_timeout=DRAIN_SECONDS,
            ),
            name="job-worker",
        )
        api.state.worker = worker
        try:
            yield
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)


api = FastAPI(title="Sample shop", lifespan=run_worker)


async def defer(task: procrastinate.tasks.Task[Any, Any, Any], **args: Any) -> dict[str, int]:
    if not is_job_queue_enabled():
        raise HTTPException(
            status.HTTP_503_SERVICE_UNAVAILABLE,
            "the job queue is switched off (JOB_QUEUE_ENABLED=false)",
        )
    return {"job_id": await task.defer_async(**args)}


@api.post("/signups", status_code=status.HTTP_202_ACCEPTED)
async def sign_up(address: str, failures: int = 0) -> dict[str, int]:
    return await defer(tasks.send_email, address=address, failures=failures)


@api.post("/orders/{order_id}/webhooks", status_code=status.HTTP_202_ACCEPTED)
async def notify_partner(order_id: int, url: str, failures: int = 0) -> dict[str, int]:
    return await defer(tasks.deliver_webhook, url=url, event_id=order_id, failures=failures)


@api.post("/reports/{report_id}", status_code=status.HTTP_202_ACCEPTED)
async def request_report(report_id: int, rows: int = 1_000, failures: int = 0) -> dict[str, int]:
    return await defer(tasks.build_report, report_id=report_id, rows=rows, failures=failures)


@api.post("/ledgers/{month}", status_code=status.HTTP_202_ACCEPTED)
async def request_ledger(month: str, seconds: float = 600.0) -> dict[str, int]:
    return await defer(tasks.export_ledger, month=month, seconds=seconds)


@api.get("/health")
async def get_health(response: Response) -> dict[str, str]:
    """503 once the worker has ended: the process is to be replaced."""
    worker: asyncio.Task[None] | None = api.state.worker
    if worker is None:
        return {"status": "ok", "worker": "off"}
    if not worker.done():
        return {"status": "ok", "worker": "running"}
    response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    error = None if worker.cancelled() else worker.exception()
    return {"status": "failing", "worker": f"ended: {error!r}" if error else "ended"}
