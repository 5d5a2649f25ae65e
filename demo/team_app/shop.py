"""The team's web app on a busy day, as far as its jobs go."""

from __future__ import annotations

import asyncio
import itertools
import os

from demo.team_app import tasks
from demo.team_app.app import DATABASE_URL_NAME, app
from demo.team_app.seed import PARTNER, make_past_days

PACE = 0.5
"""Seconds from one order to the next."""


async def sell() -> None:
    """Each order is confirmed by mail; of two, one is told to a partner. Ends when cancelled."""
    await make_past_days(os.environ[DATABASE_URL_NAME])
    print("the past days are written", flush=True)
    async with app.open_async():
        print("shop is open", flush=True)
        for order in itertools.count(1):
            await defer_for(order)
            await asyncio.sleep(PACE)


async def defer_for(order: int) -> None:
    await tasks.send_email.defer_async(
        address=f"user{order}@shop.example",
        template="receipt",
        failures=tasks.ALWAYS if order % 100 == 0 else 0,
    )
    if order % 2 == 0:
        await tasks.deliver_webhook.defer_async(url=PARTNER, event_id=88_000 + order)
    if order % 10 == 0:
        await tasks.build_report.defer_async(report_id=order)
    if order % 40 == 0:
        await tasks.sync_inventory.defer_async(warehouse="Lyon", failures=1)
