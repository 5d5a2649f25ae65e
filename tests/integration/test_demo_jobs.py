"""The demo's jobs: its past, and a flood of mails that may not stop those who work meanwhile."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from demo.team_app import tasks
from demo.team_app.app import app
from demo.team_app.seed import make_newsletter, make_past_days
from procrastinate import PsycopgConnector


async def test_a_flood_is_written_beside_an_act_on_other_jobs(conn, database_url):
    insert = "INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('email', 'a.b')"
    async with conn.transaction():  # an act that has not ended
        await conn.execute(insert)
        async with asyncio.timeout(60):
            await make_newsletter(database_url, 3, after=timedelta())
    found = await conn.execute(
        "SELECT j.queue_name, count(DISTINCT j.id), count(e.id) FROM procrastinate_jobs j"
        " LEFT JOIN procrastinate_events e ON e.job_id = j.id GROUP BY 1 ORDER BY 1"
    )
    assert await found.fetchall() == [("email", 1, 1), ("newsletter", 3, 6)]


async def test_webhooks_run_before_the_flood(conn, database_url):
    """So that they fail at once where the guide says that their jobs fail."""
    await make_newsletter(database_url, 3, after=timedelta())
    with app.replace_connector(PsycopgConnector(conninfo=database_url)) as team:
        async with team.open_async():
            jobs = [
                await tasks.send_email.defer_async(address="a@shop.example"),
                await tasks.deliver_webhook.defer_async(url="https://x.example", event_id=7),
                await tasks.sync_inventory.defer_async(warehouse="Lyon"),
            ]
    found = await conn.execute("SELECT procrastinate_register_worker_v1()")
    (worker,) = await found.fetchone()
    taken = []
    for _ in range(6):
        found = await conn.execute("SELECT (procrastinate_fetch_job_v2(NULL, %s)).id", (worker,))
        taken += await found.fetchone()
    assert taken[:2] == jobs[1:]
    assert taken[-1] == jobs[0]


async def test_each_error_of_the_past_has_its_traceback(conn, database_url):
    await make_past_days(database_url)
    found = await conn.execute(
        "SELECT f.exception_type, count(t.body LIKE 'Traceback %tasks.py%' OR NULL)"
        " FROM jobs_maint_failures f LEFT JOIN jobs_maint_tracebacks t ON t.hash = f.traceback_hash"
        " GROUP BY 1 ORDER BY 1"
    )
    assert await found.fetchall() == [("SMTPRecipientsRefused", 18), ("ValueError", 6)]
