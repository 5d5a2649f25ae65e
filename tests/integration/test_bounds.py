"""Answers about huge jobs: the work is bounded, and the event loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from tests.support.held import a_loop_that_is_never_held, cpu_time_within

from chatbot.messages.result import render_result
from jobs_maint.actions import (
    Actor,
    BulkVerb,
    ConfirmSelection,
    GetJob,
    JobFilter,
    ListErrors,
    ListFailed,
    PreviewBulk,
    ShowDigest,
)
from jobs_maint.operations.jobs import errors
from jobs_maint.perform import perform
from jobs_maint.redaction import redact_text
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "host")
MOST_SHOWN = 500_000
"""Characters in one answer, and so the work of hiding what is secret in it."""
MANY = 30_000
IN_TIME = 1.0
"""Seconds for the status of any job."""


async def ask(pool, action):
    """The report; its message is made in a step of the loop too."""
    report = await perform(pool, ANA, action, settings=MaintSettings())
    await asyncio.sleep(0)
    json.dumps(render_result(report, "/jobs", by="U0ANA").blocks)
    return report


async def see_in_time(pool, job):
    with cpu_time_within(IN_TIME):
        return await ask(pool, GetJob(job))


async def test_a_job_with_5000_attempts_is_shown_with_the_newest(pool, make_job, conn, monkeypatch):
    job = await make_job(status="failed", recorded=False, deferred_ago=timedelta(hours=2))
    await conn.execute("INSERT INTO jobs_maint_tracebacks (hash, body) "
        "SELECT decode(md5(n::text), 'hex'),"
        " repeat('  File \"/app/x.py\", line ' || n || ', in f: password=hunter2' || chr(10), 600)"
        " FROM generate_series(1, 50) AS n")  # fmt: skip
    await conn.execute(
        "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,"
        " exception_type, message, traceback_hash, fingerprint, will_retry)"
        " SELECT %s, n, 'q', 't', now() - make_interval(secs => 5000 - n), 'error', 'ValueError',"
        " n || repeat(' token=hunter2 it broke', 150), "
        "decode(md5((n %% 50 + 1)::text), 'hex'), 'f', true"
        " FROM generate_series(1, 5000) AS n",
        (job,),
    )
    await conn.execute(
        "INSERT INTO procrastinate_events (job_id, type, at) SELECT %s, 'started', now()"
        " FROM generate_series(1, 5000)", (job,),
    )  # fmt: skip
    with a_loop_that_is_never_held(monkeypatch):
        report = await see_in_time(pool, job)
    assert [run.attempt for run in report.failures] == list(range(4951, 5001))
    assert [run.traceback is not None for run in report.failures[-6:]] == [False, *[True] * 5]
    assert report.failures[0].traceback_left_out
    assert (report.failures_not_shown, len(report.events)) == (4950, 200)
    assert report.events_not_shown > 4_700
    assert "hunter2" not in str(report)
    assert len(str(report)) < MOST_SHOWN


async def test_20_mb_of_arguments_are_shown_by_their_heads(pool, conn, make_job, monkeypatch):
    job = await make_job(args={"id": 7, "password": "hunter2"})
    await conn.execute(
        "UPDATE procrastinate_jobs SET args = args || jsonb_build_object("
        " 'body', repeat('token=hunter2 ', 750000), 'rows',"
        " (SELECT jsonb_agg(jsonb_build_object('secret', 'hunter2', 'n', n))"
        "  FROM generate_series(1, 200000) AS n))"
        " WHERE id = %s", (job,),
    )  # fmt: skip
    with a_loop_that_is_never_held(monkeypatch):
        report = await see_in_time(pool, job)
    assert report.args["id"] == 7
    assert report.args_cut
    assert report.args_bytes > 15_000_000
    assert "hunter2" not in str(report)
    assert len(str(report)) < 20_000


@pytest.mark.parametrize(
    ("args", "begins"),
    [
        ("(SELECT jsonb_agg(n) FROM generate_series(0, 300000) AS n)", "[0, 1, 2, "),
        ("to_jsonb(repeat('token=hunter2 ', 750000))", "token=[redacted]"),
    ],
)
async def test_long_arguments_that_are_no_object_are_shown_by_their_head(
    pool, conn, make_job, args, begins
):
    job = await make_job()
    await conn.execute(f"UPDATE procrastinate_jobs SET args = {args} WHERE id = {job}")
    report = await ask(pool, GetJob(job))
    assert report.args_cut
    assert str(report.args).startswith(begins)
    assert len(str(report)) < 20_000
    assert "hunter2" not in str(report)


async def test_where_arguments_are_cut_no_half_of_a_secret_is_left(pool, make_job):
    url = "postgres://app:Tr0ub4dorAndMoreWords@db/jobs"
    note = f"{'x' * 969} {url}"
    job = await make_job(args={"note": note, "list": [note], "body": "y " * 40_000})
    report = await ask(pool, GetJob(job))
    assert report.args_cut
    assert "xxx ..." in report.args["note"]
    assert "Tr0ub" not in str(report)


@pytest.mark.parametrize("levels", [900, 3_000])
async def test_deep_arguments_are_shown_as_far_as_anybody_reads(pool, conn, make_job, levels):
    job = await make_job()
    deep = '{"a":' * levels + '"password=hunter2"' + "}" * levels
    await conn.execute("UPDATE procrastinate_jobs SET args = %s WHERE id = %s", (deep, job))
    report = await ask(pool, GetJob(job))
    assert "nested deeper than is shown" in json.dumps(report.args)
    assert "hunter2" not in json.dumps(report.args)


async def test_a_number_with_more_digits_than_python_reads_is_shown(pool, conn, make_job):
    job = await make_job()
    await conn.execute(
        'UPDATE procrastinate_jobs SET args = \'{"n": 1e4400, "s": 7}\' WHERE id = %s', (job,)
    )
    report = await ask(pool, GetJob(job))
    assert report.args["s"] == 7
    assert str(report.args["n"]).startswith("1000000")


async def test_20000_unlike_failures_are_grouped_in_the_database(pool, conn, make_job, monkeypatch):
    job = await make_job(status="failed", task="app.send", recorded=False)
    await conn.execute(
        "INSERT INTO procrastinate_events (job_id, type, at) SELECT %s - n, 'failed', now() -"
        " interval '1 minute' FROM generate_series(0, 0) AS n", (job,),
    )  # fmt: skip
    await conn.execute(
        "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,"
        " exception_type, message, fingerprint, will_retry)"
        " SELECT 1000000 + n, 1, 'q', 'app.send', now() - interval '5 minutes', 'error',"
        " 'ValueError', n || repeat(' password=hunter2', 200), 'f' || n, false"
        " FROM generate_series(1, 20000) AS n"
    )
    with a_loop_that_is_never_held(monkeypatch):
        report = await ask(pool, ListErrors(since=timedelta(hours=1)))
        digest = await ask(pool, ShowDigest(since=timedelta(hours=1)))
    largest = report.groups[0]
    assert largest.count == 20_000
    assert largest.message.startswith("20,000 different messages, e.g. ")
    assert "hunter2" not in str(report)
    assert (set(digest.groups), digest.failed) == (set(report.groups), report.failed)
    assert digest.failures_not_shown == digest.failed - sum(g.count for g in digest.groups)
    assert sum(digest.slots) == digest.failed
    assert len(str(digest)) < MOST_SHOWN


async def test_sets_of_tens_of_thousands_leave_the_loop_alone(pool, conn, monkeypatch):
    """Rows are read in parts, ids are sent as one text, and texts alike are looked at once."""
    await conn.execute("SET session_replication_role = replica")  # without triggers
    await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status, queueing_lock) SELECT"
        " 'q', 't', 'failed', 'lock ' || (n %% 20000) FROM generate_series(1, %s) AS n", (MANY,),
    )  # fmt: skip
    await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock)"
        " VALUES ('q', 't', 'lock 7')"
    )
    await conn.execute(
        "INSERT INTO procrastinate_events (job_id, type, at) SELECT id, 'failed', now() FROM"
        " procrastinate_jobs WHERE status = 'failed' ORDER BY id LIMIT 15000"
    )
    await conn.execute("SET session_replication_role = origin")
    await conn.execute(
        "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, kind, message,"
        " exception_type, fingerprint, will_retry) SELECT job_id, 1, 'q', 't', 'error',"
        " 'order ' || job_id || ' token=hunter2 timed out', 'ValueError', 'f', false"
        " FROM procrastinate_events WHERE type = 'failed'"
    )
    await conn.execute("ANALYZE")
    looked_at = []

    def look(text, rules):
        looked_at.append(text)
        return redact_text(text, rules)

    monkeypatch.setattr(errors, "redact_text", look)
    with a_loop_that_is_never_held(monkeypatch):
        recent = await ask(pool, ListFailed(since=timedelta(hours=1)))
        alike = await ask(pool, ListFailed(error="timed out"))
        hidden = await ask(pool, ListFailed(error="hunter"))
        shown = await ask(pool, PreviewBulk(BulkVerb.DISCARD, JobFilter(error="timed out")))
        whole = await ask(pool, PreviewBulk(BulkVerb.RETRY, JobFilter()))
        gone = await ask(pool, ConfirmSelection(shown.key))
    assert (recent.total, alike.total, hidden.total, shown.count) == (15_000, 15_000, 0, 15_000)
    assert len(looked_at) < 20
    assert gone.done == 15_000
    assert (whole.count, {skip.count for skip in whole.skips}) == (MANY, {2, MANY - 20_001})


async def test_a_filter_by_error_over_unlike_errors_leaves_the_loop_alone(
    pool, conn, make_job, monkeypatch
):
    for n in range(40):
        await make_job(status="failed", error=f"{n} " + "a=b token=hunter2 " * 200)
    with a_loop_that_is_never_held(monkeypatch):
        report = await ask(pool, ListFailed(error="a=b"))
        none = await ask(pool, ListFailed(error="hunter2"))
    assert (report.total, none.total) == (40, 0)
