"""How long the oldest ready job has waited, behind many that were put back a moment ago."""

from __future__ import annotations

import pytest
from tests.integration.test_incidents import opened
from tests.support.fleet import Fleet
from tests.support.history import minutes

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
from jobs_maint.render import build_verdict

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


async def test_stats_names_the_queues_that_no_live_worker_listens_to(pool, conn, make_job):
    fleet = Fleet(pool, conn, make_job)
    await fleet.start_worker()
    await conn.execute("UPDATE jobs_maint_workers SET queues = '{mail,maintenance}'")
    await make_job(queue="mail", deferred_ago=minutes(3))
    await make_job(queue="thumbs", deferred_ago=minutes(0.8))
    report = await perform(pool, ANA, ShowStats())
    assert (report.unserved_queues, report.unheard_queues) == ((), ("thumbs",))
    verdict = build_verdict(report)
    assert "keeps up" not in verdict.second_line
    assert "No live worker listens to thumbs. 1 worker live." in verdict.second_line
    await make_job(queue="video", deferred_ago=minutes(2))
    report = await perform(pool, ANA, ShowStats())
    assert report.unserved_queues == ("video",)
    verdict = build_verdict(report)
    assert (verdict.level, verdict.headline.partition(",")[0]) == ("red", "2 queues are behind")
    assert "No live worker listens to video, thumbs. 1 worker live." in verdict.second_line
    await fleet.start_worker()  # of all queues
    report = await perform(pool, ANA, ShowStats())
    assert (report.unserved_queues, build_verdict(report).level) == ((), "yellow")


async def test_the_watch_sees_a_queue_behind_whose_first_jobs_were_just_put_back(
    pool, conn, make_job
):
    await Fleet(pool, conn, make_job).start_worker()
    await put_back(pool, conn, 400, 300)
    behind = Limits(kinds=frozenset({IncidentKind.QUEUE_BEHIND}))
    assert await opened(pool, behind) == {("queue_behind", "mail"): set()}
