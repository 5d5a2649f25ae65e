"""How long the oldest ready job has waited, behind many that were put back a moment ago."""

from __future__ import annotations

import pytest
from tests.integration.test_incidents import opened
from tests.support.fleet import Fleet

from jobs_maint.actions import (
    Actor,
    BulkVerb,
    ConfirmSelection,
    JobFilter,
    Limits,
    PreviewBulk,
    ShowStats,
)
from jobs_maint.models import IncidentKind
from jobs_maint.perform import perform

ANA = Actor.shell("ana", "host")
FILL = """
    WITH jobs AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, status, attempts)
        SELECT 'mail', 'app.mail', status::procrastinate_job_status, 1
        FROM (SELECT CASE WHEN n <= %s THEN 'failed' ELSE 'todo' END AS status
              FROM generate_series(1, %s) AS n) AS wanted
        RETURNING id, status
    )
    INSERT INTO procrastinate_events (job_id, type, at)
    SELECT id, type::procrastinate_job_event_type, now() - interval '40 min'
    FROM jobs CROSS JOIN unnest(ARRAY['deferred', 'failed']) AS type
    WHERE type = 'deferred' OR status = 'failed'"""


async def put_back(pool, conn, failed, waiting):
    """So many that failed are retried, in front of those that have waited for 40 minutes."""
    await conn.execute("ALTER TABLE procrastinate_jobs DISABLE TRIGGER USER")
    await conn.execute(FILL, (failed, failed + waiting))
    await conn.execute("ALTER TABLE procrastinate_jobs ENABLE TRIGGER USER")
    wanted = JobFilter(statuses=("failed",), queue="mail")
    shown = await perform(pool, ANA, PreviewBulk(BulkVerb.RETRY, wanted))
    assert (await perform(pool, ANA, ConfirmSelection(shown.key))).done == failed


@pytest.mark.parametrize("indexed", [True, False])
async def test_a_retry_of_thousands_does_not_hide_who_waits_behind_them(pool, conn, indexed):
    await put_back(pool, conn, 1_500, 300)
    if not indexed:
        await conn.execute("DROP INDEX jobs_maint_waiting_idx")
    [queue] = (await perform(pool, ANA, ShowStats())).queues
    assert queue.ready == 1_800
    assert queue.oldest_ready_seconds == pytest.approx(2_400, abs=60)


async def test_the_watch_sees_a_queue_behind_whose_first_jobs_were_just_put_back(
    pool, conn, make_job
):
    await Fleet(pool, conn, make_job).start_worker()
    await put_back(pool, conn, 400, 300)
    behind = Limits(kinds=frozenset({IncidentKind.QUEUE_BEHIND}))
    assert await opened(pool, behind) == {("queue_behind", "mail"): set()}
