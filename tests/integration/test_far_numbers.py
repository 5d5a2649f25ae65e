"""Jobs whose numbers are at the ends of their types: ids, priorities, attempts."""

from __future__ import annotations

import pytest
from tests.integration.test_far_times import READS, check_answer, do
from tests.support.history import days

from jobs_maint import actions
from jobs_maint.actions import BulkVerb, JobFilter

MOST, LAST_ID = 2**31 - 1, 2**63 - 1


@pytest.fixture
async def far_jobs(make_job, conn):
    """One job of each status beside a plain one, each with the last ids and numbers there are."""
    ids = {}
    for place, status in enumerate(("todo", "failed", "cancelled", "succeeded", "aborted")):
        await make_job(status=status, queue="far")
        job = await make_job(status=status, queue="far", finished_ago=days(400), error="no")
        ids[status] = LAST_ID - place
        for table, column in (
            ("procrastinate_events", "job_id"), ("jobs_maint_failures", "job_id"),
        ):  # fmt: skip
            await conn.execute(
                f"ALTER TABLE {table} DISABLE TRIGGER ALL;"
                f" UPDATE {table} SET {column} = {ids[status]} WHERE {column} = {job}"
            )
        await conn.execute(
            "UPDATE procrastinate_jobs SET id = %s, priority = %s, attempts = %s WHERE id = %s",
            (ids[status], MOST if place % 2 else -MOST - 1, MOST, job),
        )
    return ids


async def test_every_word_answers_beside_such_jobs(pool, far_jobs):
    for action in (*READS, *map(actions.GetJob, far_jobs.values())):
        await check_answer(pool, action)


async def test_a_retry_skips_and_names_what_could_not_end_and_resets_it_when_asked(
    pool, far_jobs, make_job
):
    far = far_jobs["failed"]
    near = await make_job(status="failed", queue="far")
    report = await do(pool, actions.RetryJobs((far, near)))
    assert [one.job_id for one in report.done] == [near]
    [told] = [one for one in report.items if one.job_id == far]
    assert "its attempts are at 2,147,483,647" in told.reason
    assert "--reset-attempts" in told.reason
    wanted = JobFilter(statuses=("failed", "cancelled", "aborted"), queue="far")
    preview = await do(pool, actions.PreviewBulk(BulkVerb.RETRY, wanted))
    report = await do(pool, actions.ConfirmSelection(preview.key))
    assert (report.done, [group.count for group in report.failures]) == (3, [3])
    assert await make_job.status(far) == "failed"
    assert (await do(pool, actions.RetryJobs((far,), reset_attempts=True))).skipped == ()
    assert await make_job.status(far) == "todo"


async def test_such_jobs_are_cancelled_discarded_and_purged(pool, far_jobs, make_job):
    assert (await do(pool, actions.CancelJobs((far_jobs["todo"],)))).skipped == ()
    assert (await do(pool, actions.DiscardJobs((far_jobs["failed"],)))).skipped == ()
    await do(pool, actions.PurgeFinished())
    assert await make_job.status(far_jobs["succeeded"]) is None
