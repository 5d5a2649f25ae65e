"""What is told of one job is of one moment, however many statements it takes to read it."""

import asyncio

import psycopg
from tests.support.locks import wait_for_waiting

from jobs_maint.actions import Actor, GetJob
from jobs_maint.perform import perform

ME = Actor.shell("me", "here")
FAIL = (
    "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,"
    " exception_type, message, fingerprint, will_retry)"
    " VALUES (%s, 1, 'q', 'app.task', now(), 'error', 'KeyError', 'it broke', '1:x', false)"
)


async def test_state_timeline_and_errors_are_of_one_moment(pool, make_job, conn, database_url):
    job = await make_job(status="doing")
    async with await psycopg.AsyncConnection.connect(database_url) as blocking:
        await blocking.execute("LOCK TABLE jobs_maint_failures IN ACCESS EXCLUSIVE MODE")
        reading = asyncio.create_task(perform(pool, ME, GetJob(job)))
        await wait_for_waiting(conn)  # its state is read, its errors are not
        await blocking.execute(FAIL, (job,))
        await blocking.execute("SELECT procrastinate_finish_job_v1(%s, 'failed', false)", (job,))
        await blocking.commit()
        seen = await reading
    assert (seen.status, seen.failures) == ("doing", ())
    after = await perform(pool, ME, GetJob(job))
    assert (after.status, len(after.failures)) == ("failed", 1)
