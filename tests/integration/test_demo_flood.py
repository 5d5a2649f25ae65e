"""The demo's flood of mails: it may not stop those who work on other jobs meanwhile."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from demo.team_app.seed import make_newsletter


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
