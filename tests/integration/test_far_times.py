"""Jobs at `infinity` and in the year 10000, which a datetime cannot hold."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.history import days, hours

from chatbot.messages.result import render_result
from jobs_maint import actions
from jobs_maint.actions import Actor, BulkVerb, JobFilter
from jobs_maint.database import fetch_one, transaction
from jobs_maint.durations import format_time
from jobs_maint.perform import perform
from jobs_maint.render import render_json, render_text
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "host")
FAR = {
    "infinity": "infinity",
    "-infinity": "-infinity",
    "10000-01-01 00:00:00+00": "after 9999",
    "0044-03-15 00:00:00+00 BC": "before the year 1",
}
READS = (
    actions.ShowStats(),
    actions.ShowStats(queue="far"),
    actions.ListFailed(),
    actions.ListErrors(),
    actions.ListStuck(),
    actions.ListWorkers(),
    actions.ShowDigest(),
    actions.RunDoctor(),
    actions.PreviewPurge(),
)


async def do(pool, action):
    return await perform(pool, ANA, action, settings=MaintSettings())


async def check_answer(pool, action):
    """It is given, as JSON, text and message; the doctor's with every check."""
    report = await do(pool, action)
    assert render_json(report)
    assert render_text(report, width=120, styled=False)
    assert render_result(report, "/jobs", by="U0ANA").blocks
    if isinstance(action, actions.RunDoctor):
        assert [f for f in report.findings if "not checked" in f.sentence] == []


@pytest.fixture(params=FAR)
async def far_jobs(request, make_job, conn):
    """One job of each status, scheduled at such a time and with such events, beside plain ones."""
    ids = {}
    for status in ("todo", "doing", "failed", "cancelled", "succeeded", "aborted"):
        lock = "lock" if status == "todo" else None
        ids[status] = await make_job(status=status, queue="far", scheduled_in=hours(1), lock=lock)
        await make_job(status=status, queue="far", lock=lock)
    await conn.execute(
        "UPDATE procrastinate_jobs SET scheduled_at = %s::timestamptz"
        " WHERE scheduled_at IS NOT NULL",
        (request.param,),
    )
    await conn.execute(
        "UPDATE procrastinate_events SET at = %s::timestamptz WHERE job_id = ANY (%s)",
        (request.param, list(ids.values())),
    )
    return request.param, ids


async def test_such_a_time_is_loaded_shown_and_sent_back_as_it_is(pool):
    async with pool.connection() as conn, transaction(conn):
        for text, label in FAR.items():
            row = await fetch_one(conn, "SELECT %(at)s::timestamptz AS at", {"at": text})
            at = row["at"]
            assert (str(at), f"{at:%Y}", at.isoformat(), format_time(at)) == (text, *[label] * 3)
            same = await fetch_one(
                conn, "SELECT %(at)s = %(text)s::timestamptz AS same", {"at": at, "text": text}
            )
            assert same["same"]
            assert copy.deepcopy(at).text == text
            assert (at + timedelta(days=1), at - timedelta(days=1)) == (at, at)
            assert (at > datetime.now(UTC)) == (not text.endswith("BC") and text[0] != "-")


async def test_every_report_and_message_is_given_beside_such_jobs(pool, far_jobs):
    text, ids = far_jobs
    for action in READS:
        await check_answer(pool, action)
    for job_id in ids.values():
        report = await do(pool, actions.GetJob(job_id))
        assert FAR[text] in render_text(report, width=120, styled=False)
        assert FAR[text] in render_json(report)
        assert FAR[text] in str(render_result(report, "/jobs", by="U0ANA").blocks)


async def test_such_jobs_are_cancelled_discarded_and_retried_one_by_one(pool, far_jobs, make_job):
    _, ids = far_jobs
    assert (await do(pool, actions.CancelJobs((ids["todo"], ids["doing"])))).skipped == ()
    assert (await do(pool, actions.DiscardJobs((ids["failed"], ids["aborted"])))).skipped == ()
    back = tuple(ids[status] for status in ("todo", "failed", "aborted", "cancelled"))
    assert (await do(pool, actions.RetryJobs(back))).skipped == ()
    assert {await make_job.status(job_id) for job_id in back} == {"todo"}


@pytest.mark.parametrize(
    ("verb", "statuses", "expected"),
    [
        (BulkVerb.RETRY, ("failed", "cancelled", "aborted"), 6),
        (BulkVerb.CANCEL, ("todo",), 2),
        (BulkVerb.DISCARD, ("failed", "aborted"), 4),
    ],
)
async def test_a_set_with_such_jobs_is_previewed_and_done(pool, far_jobs, verb, statuses, expected):
    wanted = JobFilter(statuses=statuses, queue="far")
    preview = await do(pool, actions.PreviewBulk(verb, wanted))
    report = await do(pool, actions.ConfirmSelection(preview.key))
    assert (report.done, report.failures) == (expected, ())


async def test_old_jobs_scheduled_at_such_a_time_are_purged(pool, make_job, conn):
    for text in FAR:
        job_id = await make_job(status="cancelled", finished_ago=days(40), scheduled_in=hours(1))
        for table, column, key in (
            ("procrastinate_jobs", "scheduled_at", "id"),
            ("procrastinate_events", "at", "type = 'scheduled' AND job_id"),
        ):
            await conn.execute(
                f"UPDATE {table} SET {column} = %s::timestamptz WHERE {key} = %s", (text, job_id)
            )
    report = await do(pool, actions.PurgeFinished())
    assert report.deleted == {"cancelled": len(FAR)}


async def test_where_all_ids_lie_at_the_least_one_every_question_is_answered(pool, make_job, conn):
    """The worker has run nothing yet: what it ran last is looked for below the newest id."""
    job = await make_job(status="failed")
    await conn.execute(
        "INSERT INTO procrastinate_jobs (id, queue_name, task_name, status)"
        " VALUES (%s, 'far', 'app.task', 'failed')",
        (-(2**63),),
    )
    await conn.execute("UPDATE procrastinate_events SET job_id = %s", (-(2**63),))
    await conn.execute("DELETE FROM procrastinate_jobs WHERE id = %s", (job,))
    await conn.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
    for action in READS:
        await do(pool, action)


ODD_ARGS = ("null", "true", '"s"', "[1]", "1e400", "[" * 900 + "]" * 900)


async def test_what_procrastinate_s_own_columns_may_hold_is_answered(pool, make_job, conn):
    """Arguments that are no object, and the columns that may be NULL."""
    jobs = [await make_job(status="failed") for _ in ODD_ARGS]
    for job_id, args in zip(jobs, ODD_ARGS, strict=True):
        await conn.execute("UPDATE procrastinate_jobs SET args = %s WHERE id = %s", (args, job_id))
    await conn.execute("UPDATE procrastinate_events SET type = NULL WHERE job_id = %s", (jobs[0],))
    await conn.execute("UPDATE procrastinate_events SET at = NULL WHERE job_id = %s", (jobs[1],))
    await conn.execute(
        "INSERT INTO procrastinate_periodic_defers (task_name, defer_timestamp, job_id)"
        " VALUES ('app.task', NULL, %s)",
        (jobs[0],),
    )
    for action in (*READS[:1], *READS[2:], *(actions.GetJob(job_id) for job_id in jobs)):
        report = await do(pool, action)
        assert render_text(report, width=100)
        assert render_json(report)
        render_result(report, "/jobs", by="U0ANA")
