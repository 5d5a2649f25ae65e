"""The team's tasks, on the queues `email`, `webhook` and `reports`.

`failures` says how many attempts fail before one succeeds. It is compared with the attempts that
the database has counted, so it holds across processes and restarts: a job with `failures=1` fails,
and succeeds when a person retries it. `ALWAYS` never succeeds.
"""

from __future__ import annotations

import asyncio
import os
import smtplib
import time
from pathlib import Path

from procrastinate import JobContext, RetryStrategy

from demo.team_app.app import app

ALWAYS = 1_000_000
PARTNERS_FIRST = 1
"""Priority: what partners wait for runs before a newsletter."""
PARTNER_ANSWERS_IN = 1.0


class ConnectTimeout(Exception):
    """What an HTTP client raises when the other side does not answer."""


class RateLimited(Exception):
    """The other side asks to come back later."""


def attempts_so_far(context: JobContext) -> int:
    return context.job.attempts if context.job else 0


def get_webhook_timeout() -> float:
    """Seconds, from the file that each deploy of the team's configuration replaces."""
    path = os.environ.get("SHOP_WEBHOOK_TIMEOUT")
    return float(Path(path).read_text(encoding="utf-8")) if path else 10.0


def refuse(address: str) -> smtplib.SMTPRecipientsRefused:
    return smtplib.SMTPRecipientsRefused(
        {address: (550, f"5.1.1 <{address}>: Recipient address rejected".encode())}
    )


@app.task(queue="email", pass_context=True)
async def send_email(
    context: JobContext,
    *,
    address: str,
    template: str = "welcome",
    seconds: float = 0.05,
    failures: int = 0,
) -> str:
    """Succeeds, or is refused by the mail server (`SMTPRecipientsRefused`)."""
    await asyncio.sleep(seconds)
    if attempts_so_far(context) < failures:
        raise refuse(address)
    return f"{template} sent to {address}"


@app.task(queue="webhook", priority=PARTNERS_FIRST, pass_context=True)
async def deliver_webhook(
    context: JobContext,
    *,
    url: str,
    event_id: int,
    api_key: str | None = None,
    seconds: float = 0.05,
    failures: int = 0,
) -> str:
    """Succeeds, or times out (`ConnectTimeout`). No automatic retry: a person decides.

    A deploy may set the time-out so low that it always does.
    """
    await asyncio.sleep(seconds)
    attempts = attempts_so_far(context)
    timeout = get_webhook_timeout()
    if attempts < failures or timeout < PARTNER_ANSWERS_IN:
        raise ConnectTimeout(
            f"timed out after {timeout} s: POST {url}/events/{event_id}"
            f" (connection {4_700 + attempts})"
        )
    return f"event {event_id} delivered{' with a key' if api_key else ''}"


@app.task(
    queue="webhook",
    priority=PARTNERS_FIRST,
    pass_context=True,
    retry=RetryStrategy(max_attempts=5, wait=1),
)
async def sync_inventory(context: JobContext, *, warehouse: str, failures: int = 2) -> str:
    """Is rate limited, is retried by Procrastinate a second later, and succeeds in the end."""
    attempts = attempts_so_far(context)
    if attempts < failures:
        raise RateLimited(f"429 from inventory API for {warehouse}: retry after {attempts + 1} s")
    return f"{warehouse} in sync after {attempts + 1} attempts"


@app.task(queue="reports", pass_context=True)
def build_report(
    context: JobContext,
    *,
    report_id: int,
    rows: int = 1_000,
    seconds: float = 0.05,
    failures: int = 0,
) -> str:
    """Runs in a thread. Succeeds, or needs too much memory (`MemoryError`)."""
    time.sleep(seconds)
    if attempts_so_far(context) < failures:
        raise MemoryError(f"report {report_id} needs {rows / 200_000:.1f} GiB for {rows} rows")
    return f"report {report_id}: {rows} rows"


@app.task(queue="reports")
async def import_prices(*, line: int, price: str) -> float:
    """Fails for ever on a price that is not a number: a `ValueError` with a cause."""
    try:
        return float(price)
    except ValueError as exc:
        raise ValueError(f"line {line} of prices.csv: {price!r} is not a price") from exc


@app.task(queue="reports", pass_context=True)
async def export_ledger(
    context: JobContext, *, month: str, seconds: float = 600.0, every_time: bool = False
) -> str:
    """Hangs for `seconds` when it runs first, and finishes at once on a later attempt.

    So a job that was lost with its worker can be rescued and finish. `every_time` hangs always.
    """
    attempts = attempts_so_far(context)
    if every_time or attempts == 0:
        await asyncio.sleep(seconds)
    return f"ledger of {month} exported on attempt {attempts + 1}"
