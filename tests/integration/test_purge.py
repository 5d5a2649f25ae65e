"""The purge: six old jobs, six young ones; exactly the young remain."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool
from tests.support.history import days
from tests.support.locks import wait_for_sleeping, wait_for_waiting

from jobs_maint.actions import Actor, PurgeFinished
from jobs_maint.database import transaction
from jobs_maint.errors import DatabaseUnavailable
from jobs_maint.operations.purge import batches as purge
from jobs_maint.operations.purge.bound import find_bound
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings
from jobs_maint.sql import load_queries

NIGHT = Actor.task("jobs_maint:purge_finished_jobs")


async def run_purge(pool, action=None, **settings):
    return await perform(pool, NIGHT, action or PurgeFinished(), settings=MaintSettings(**settings))


async def list_ids(conn) -> set[int]:
    found = await conn.execute("SELECT id FROM procrastinate_jobs")
    return {row[0] for row in await found.fetchall()}


async def test_exactly_the_old_finished_jobs_go_each_by_its_own_retention(pool, make_job, conn):
    old = [
        await make_job(status=status, finished_ago=days(age))
        for status, age in [
            ("succeeded", 31), ("succeeded", 400), ("failed", 91),
            ("cancelled", 31), ("aborted", 31), ("succeeded", 30.1),
        ]
    ]  # fmt: skip
    young = [
        await make_job(status=status, deferred_ago=days(200), finished_ago=days(age))
        for status, age in [
            ("succeeded", 29), ("failed", 89), ("cancelled", 29),
            ("aborted", 29), ("todo", 500), ("doing", 500),
        ]
    ]  # fmt: skip
    dry = await run_purge(pool, PurgeFinished(dry_run=True))
    assert await list_ids(conn) == {*old, *young}
    report = await run_purge(pool)
    assert await list_ids(conn) == set(young)
    assert report.deleted == dry.deleted == {
        "succeeded": 3, "failed": 1, "cancelled": 1, "aborted": 1,
    }  # fmt: skip
    assert (report.total, report.finished) == (6, True)
    again = await run_purge(pool)
    assert (again.total, again.batches) == (0, 0)


async def test_a_job_scheduled_far_ahead_and_cancelled_long_ago_is_old(pool, make_job, conn):
    """Its `scheduled` event lies in the future; the built-in purge keeps such a job for ever."""
    job = await make_job(status="cancelled", scheduled_in=days(365), finished_ago=days(100))
    assert (await make_job.events(job)).count("scheduled") > 0
    assert (await run_purge(pool)).total == 1


async def test_a_job_put_back_by_its_first_worker_counts_from_its_last_event(pool, make_job, conn):
    """`finish_job` on a waiting job writes `cancelled`; there is no event of the final status."""
    job = await make_job(status="todo", deferred_ago=days(50))
    await conn.execute("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = %s", (job,))
    assert (await make_job.events(job))[-1] == "cancelled"
    assert (await run_purge(pool)).total == 0
    await conn.execute("UPDATE procrastinate_events SET at = at - interval '31 days'")
    assert (await run_purge(pool)).total == 1


async def test_never_keeps(pool, make_job, conn):
    await make_job(status="succeeded", finished_ago=days(4000))
    await make_job(status="failed", finished_ago=days(4000))
    report = await run_purge(pool, keep_failed=None)
    assert report.deleted == {"succeeded": 1}


async def test_many_jobs_go_in_batches_and_a_slice_resumes_where_it_stopped(pool, conn):
    await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT 'email', 'app.mail', 'succeeded' FROM generate_series(1, 9000)"
    )
    await conn.execute(
        "INSERT INTO procrastinate_events (job_id, type, at)"
        " SELECT id, 'succeeded', now() - interval '40 days' FROM procrastinate_jobs"
    )
    retention = purge.Retention({"succeeded": days(30)}, audit=None)
    batches = 0

    async def after_two(conn, counts):
        nonlocal batches
        batches += 1
        return batches < 2

    first = await purge.purge_finished_jobs(pool, retention, on_batch=after_two)
    assert (first.finished, first.batches) == (False, 2)
    assert 0 < first.total < 9000
    assert first.resume_after["succeeded"] > 0
    second = await purge.purge_finished_jobs(pool, retention, resume_after=first.resume_after)
    assert (second.finished, first.total + second.total) == (True, 9000)


async def test_no_time_at_all_deletes_nothing_and_says_it_is_not_finished(pool, make_job):
    await make_job(status="succeeded", finished_ago=days(40))
    report = await run_purge(pool, PurgeFinished(time_limit=timedelta(0)))
    assert (report.total, report.finished) == (0, False)


@pytest.mark.parametrize("behind_a_young_one", [False, True])
async def test_a_row_somebody_holds_is_left_and_told_and_the_rest_goes(
    pool, make_job, database_url, behind_a_young_one
):
    if behind_a_young_one:
        await make_job(status="succeeded", finished_ago=days(1))
    held = await make_job(status="succeeded", finished_ago=days(40))
    await make_job(status="succeeded", finished_ago=days(40))
    async with await psycopg.AsyncConnection.connect(
        database_url, application_name="psql of bo"
    ) as other:
        await other.execute("SELECT 1 FROM procrastinate_jobs WHERE id = %s FOR UPDATE", (held,))
        report = await run_purge(pool)
        (group,) = report.refused
        assert (report.total, group.count, group.sample) == (1, 1, (held,))
        [user] = await (await other.execute("SELECT current_user")).fetchone()
        named = rf"\(process {other.info.backend_pid} \(psql of bo, user {user}, open for .+ s\)\);"
        assert re.search(f"another session holds their rows {named} run the same", group.reason)
    assert (await run_purge(pool)).total == 1


async def test_rows_that_a_search_of_a_worker_holds_lead_to_doctor(
    pool, conn, make_job, database_url
):
    held = await make_job(status="succeeded", finished_ago=days(40))
    await make_job()
    await conn.execute(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " PERFORM pg_advisory_xact_lock(4712); RETURN NEW; END $$;"
        "CREATE TRIGGER wait BEFORE UPDATE ON procrastinate_jobs FOR EACH ROW"
        " EXECUTE FUNCTION wait();"
        "SELECT pg_advisory_lock(4712)"
    )
    async with await psycopg.AsyncConnection.connect(database_url) as other:
        await other.execute("SELECT 1 FROM procrastinate_jobs WHERE id = %s FOR UPDATE", (held,))
        fetching = asyncio.create_task(
            other.execute("SELECT id FROM procrastinate_fetch_job_v2(NULL, NULL)")
        )
        await wait_for_waiting(conn)
        try:
            (group,) = (await run_purge(pool)).refused
        finally:
            await conn.execute("SELECT pg_advisory_unlock(4712)")
            await fetching
    assert group.reason.startswith("another session holds their rows (process ")
    assert (
        ", a worker that searches for its next job: see doctor, for admins)); run" in group.reason
    )


async def test_what_was_refused_behind_younger_jobs_goes_the_same_night_when_it_may(
    pool, make_job, conn
):
    await make_job(status="succeeded", finished_ago=days(1))
    late = await make_job(status="succeeded", finished_ago=days(40))
    await conn.execute("CREATE TABLE invoices (job_id bigint REFERENCES procrastinate_jobs)")
    await conn.execute("INSERT INTO invoices VALUES (%s)", (late,))
    assert ((await run_purge(pool)).kept, late in await list_ids(conn)) == (1, True)
    await conn.execute("DROP TABLE invoices")
    assert (await run_purge(pool)).total == 1


async def test_our_own_tables_are_trimmed_but_not_what_belongs_to_a_kept_job(pool, make_job, conn):
    kept = await make_job(status="failed", finished_ago=days(80), deferred_ago=days(100))
    await conn.execute(
        "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,"
        " message, fingerprint, will_retry, traceback_hash)"
        " SELECT id, 1, 'q', 't', now() - interval '95 days', 'error', 'm', 'f', true, hash"
        " FROM (VALUES (%s, 'aa'::bytea), (99999, 'bb')) AS v (id, hash)",
        (kept,),
    )
    await conn.execute(
        "INSERT INTO jobs_maint_tracebacks (hash, body, last_seen_at) VALUES"
        " ('aa', 'kept', now() - interval '95 days'), ('bb', 'gone', now() - interval '95 days'),"
        " ('cc', 'young', now())"
    )
    await conn.execute(
        "INSERT INTO jobs_maint_audit (actor_kind, actor_id, word, action, outcome, started_at)"
        " VALUES ('shell', 'a', 'retry', 'retry 1', 'done', now() - interval '401 days')"
    )
    await conn.execute(
        "INSERT INTO jobs_maint_requests (key, taken_at) VALUES ('old', now() - interval '2 days')"
    )
    await conn.execute(
        "INSERT INTO jobs_maint_incidents (kind, subject, state, since, opened_at, seen_at, value,"
        " worst, value_limit, revised_at, resolved_at)"
        " SELECT 'queue_behind', 'q', state, at, at, at, 1, 1, 1, at, ended FROM (VALUES"
        " ('open', now() - interval '500 days', NULL),"
        " ('resolved', now(), now() - interval '399 days'),"
        " ('resolved', now(), now() - interval '401 days')) AS v (state, at, ended)"
    )
    report = await run_purge(pool)
    assert report.trimmed == {
        "jobs_maint_failures": 1, "jobs_maint_tracebacks": 1, "jobs_maint_incidents": 1,
        "jobs_maint_audit": 1, "jobs_maint_requests": 1,
    }  # fmt: skip
    bodies = await (await conn.execute("SELECT body FROM jobs_maint_tracebacks")).fetchall()
    assert sorted(bodies) == [("kept",), ("young",)]


async def test_a_purge_is_audited_with_its_counts(pool, make_job, conn):
    await make_job(status="succeeded", finished_ago=days(40))
    await run_purge(pool)
    rows = await (
        await conn.execute("SELECT actor_id, word, outcome, counts FROM jobs_maint_audit")
    ).fetchall()
    assert rows == [(NIGHT.id, "purge", "done", {"succeeded": 1})]
    assert await (await conn.execute("SELECT * FROM jobs_maint_runs")).fetchall() == []


async def test_a_purge_whose_process_died_is_marked_interrupted_by_the_next(pool, make_job, conn):
    await conn.execute(
        "WITH run AS (INSERT INTO jobs_maint_audit (actor_kind, actor_id, word, action, outcome,"
        " counts) VALUES ('task', 't', 'purge', 'purge', 'started', '{\"succeeded\": 7}')"
        " RETURNING id)"
        " INSERT INTO jobs_maint_runs (audit_id, lease_until)"
        " SELECT id, now() - interval '1 second' FROM run"
    )
    await run_purge(pool)
    rows = await (
        await conn.execute("SELECT outcome, counts FROM jobs_maint_audit ORDER BY id")
    ).fetchall()
    assert rows == [("interrupted", {"succeeded": 7}), ("done", {})]


@pytest.mark.parametrize("boundary", [0, 1, 7, 50])
async def test_the_bound_is_the_last_job_deferred_before_the_cut_off(
    pool, make_job, conn, boundary
):
    """Whatever the gaps in the ids, the search finds the same id as looking at all of them."""
    for i in range(50):
        await make_job(
            status="succeeded", finished_ago=days(1), deferred_ago=days(40 if i < boundary else 5)
        )
    await conn.execute("DELETE FROM procrastinate_jobs WHERE id % 3 = 1")
    cutoff = (await (await conn.execute("SELECT now() - interval '30 days'")).fetchone())[0]
    expected = await conn.execute(
        "SELECT max(job_id) FROM procrastinate_events WHERE type = 'deferred' AND at < %s",
        (cutoff,),
    )
    (last,) = await expected.fetchone()
    first = min(await list_ids(conn))
    found = await find_bound(conn, cutoff)
    assert found == (last if last is not None else first - 1)


async def test_a_purge_of_an_empty_table_does_nothing(pool):
    assert (await run_purge(pool)).total == 0


@pytest.fixture
def by_twos(monkeypatch):
    """Batches of two rows."""
    for name in ("FIRST_BATCH", "SMALLEST_BATCH", "LARGEST_BATCH"):
        monkeypatch.setattr(purge, name, 2)


async def make_old(make_job, *tasks: str) -> list[int]:
    return [await make_job(status="succeeded", task=task, finished_ago=days(40)) for task in tasks]


async def on_delete(conn, what: str, *, deferred: bool = False) -> None:
    """Run this PL/pgSQL when a job of the task `bad` is deleted.

    The function has a name of Procrastinate's: what one of the team's raises is of its row alone.
    """
    await conn.execute(
        "CREATE FUNCTION procrastinate_trip() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {what}; RETURN NULL; END $$"
    )
    kind = "CONSTRAINT TRIGGER" if deferred else "TRIGGER"
    when = "DEFERRABLE INITIALLY DEFERRED" if deferred else ""
    await conn.execute(
        f"CREATE {kind} trip AFTER DELETE ON procrastinate_jobs {when} FOR EACH ROW"
        " WHEN (old.task_name = 'bad') EXECUTE FUNCTION procrastinate_trip()"
    )


async def list_audit(conn) -> list[tuple]:
    found = await conn.execute("SELECT outcome, counts FROM jobs_maint_audit ORDER BY id")
    return await found.fetchall()


@pytest.mark.parametrize("deferred", [False, True])
async def test_a_purge_that_breaks_is_audited_once_with_what_was_committed(
    pool, make_job, conn, by_twos, deferred
):
    """Also when it breaks at the commit of a batch: that batch is rolled back and not counted."""
    jobs = await make_old(make_job, "ok", "ok", "ok", "bad")
    await on_delete(conn, "RAISE disk_full", deferred=deferred)
    with pytest.raises(DatabaseUnavailable, match="disk"):
        await run_purge(pool)
    assert await list_ids(conn) == set(jobs[2:])
    assert await list_audit(conn) == [("failed", {"succeeded": 2})]


async def test_a_purge_whose_connection_is_ended_keeps_its_committed_batches(
    pool, make_job, conn, by_twos
):
    jobs = await make_old(make_job, "ok", "ok", "bad", "ok")
    await on_delete(conn, "PERFORM pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(DatabaseUnavailable, match="was lost"):
        await run_purge(pool)
    assert await list_ids(conn) == set(jobs[2:])
    assert await list_audit(conn) == [("failed", {"succeeded": 2})]
    assert await (await conn.execute("SELECT * FROM jobs_maint_runs")).fetchall() == []


async def test_a_purge_that_is_cancelled_is_audited_as_interrupted(pool, make_job, conn, by_twos):
    jobs = await make_old(make_job, "ok", "ok", "bad", "ok")
    await on_delete(conn, "PERFORM pg_sleep(60)")
    running = asyncio.create_task(run_purge(pool))
    await wait_for_sleeping(conn)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await list_ids(conn) == set(jobs[2:])
    assert await list_audit(conn) == [("interrupted", {"succeeded": 2})]


async def test_a_purge_that_was_taken_for_dead_ends_and_its_last_batch_is_counted(
    pool, make_job, conn, by_twos
):
    jobs = await make_old(make_job, "ok", "ok", "bad", "ok", "ok", "ok")
    await on_delete(
        conn,
        "DELETE FROM jobs_maint_runs; UPDATE jobs_maint_audit SET outcome = 'interrupted'",
    )
    report = await run_purge(pool)
    assert (report.total, report.finished) == (4, False)
    assert await list_ids(conn) == set(jobs[4:])
    assert await list_audit(conn) == [("partly", {"succeeded": 4})], "it knows better"


async def test_a_batch_is_found_by_a_plan_for_its_values_in_a_pool_that_prepares(
    make_job, database_url
):
    """A plan for any values would read what is kept before the bound."""
    old = await make_job(status="succeeded", finished_ago=days(40))
    kwargs = {"prepare_threshold": 0}
    async with AsyncConnectionPool(database_url, min_size=1, max_size=1, kwargs=kwargs) as pool:
        for _ in range(2):
            await run_purge(pool)
        async with pool.connection() as conn:
            found = await conn.execute("SELECT statement FROM pg_prepared_statements")
            prepared = " ".join(row[0] for row in await found.fetchall())
    assert await make_job.status(old) is None
    assert "procrastinate_jobs" not in prepared


async def test_a_job_that_ends_again_while_the_purge_waits_for_it_fails_the_batch(
    make_job, conn, database_url
):
    """The waiting statement sees its old events only; that its snapshot is older saves the job."""
    again = await make_job(status="succeeded", finished_ago=days(40))
    (cutoff,) = await (await conn.execute("SELECT now() - interval '30 days'")).fetchone()
    batch = {"after": 0, "last": again, "status": "succeeded", "cutoff": cutoff, "queue": None}
    batch["proven"] = again
    async with (
        await psycopg.AsyncConnection.connect(database_url) as worker,
        await psycopg.AsyncConnection.connect(database_url) as purging,
    ):
        for status in ("todo", "doing", "succeeded"):
            await worker.execute(
                "UPDATE procrastinate_jobs SET status = %s WHERE id = %s", (status, again)
            )

        async def delete():
            async with transaction(purging, snapshot=True):
                await purging.execute(load_queries("purge")["delete_batch"], batch)

        waiting = asyncio.create_task(delete())
        await wait_for_waiting(conn)
        await worker.commit()
        with pytest.raises(psycopg.errors.SerializationFailure):
            await waiting
    assert await list_ids(conn) == {again}


async def test_a_job_that_ended_again_after_the_look_at_it_is_not_deleted(make_job, conn):
    """The first statement's snapshot may be older than its locks; the second one looks again."""
    old, young, waiting = (
        await make_job(status="succeeded", finished_ago=days(40)),
        await make_job(status="succeeded", finished_ago=days(1)),
        await make_job(status="todo", finished_ago=days(40)),
    )
    (cutoff,) = await (await conn.execute("SELECT now() - interval '30 days'")).fetchone()
    await conn.execute(
        load_queries("purge")["delete_locked_batch"],
        {"ids": [old, young, waiting], "status": "succeeded", "cutoff": cutoff, "proven": 0},
    )
    assert await list_ids(conn) == {young, waiting}


async def test_the_least_and_the_largest_ids_go_and_a_job_without_events_between_them(
    pool, make_job, conn
):
    jobs = await make_old(make_job, "ok", "ok", "ok", "ok")
    odd = [-(2**63), -7, 2**31 + 5, 2**63 - 1]
    for job, new in zip(jobs, odd, strict=True):
        await conn.execute(
            "WITH job AS (INSERT INTO procrastinate_jobs (id, queue_name, task_name, status)"
            " VALUES (%s, 'q', 'app.task', 'succeeded'))"
            " INSERT INTO procrastinate_events (job_id, type, at)"
            " VALUES (%s, 'succeeded', now() - interval '40 days')",
            (new, new),
        )
        await conn.execute("DELETE FROM procrastinate_jobs WHERE id = %s", (job,))
    bare = await make_job(status="succeeded", finished_ago=days(40))
    await conn.execute("DELETE FROM procrastinate_events WHERE job_id = %s", (bare,))
    assert (await run_purge(pool)).total == 5
    assert await list_ids(conn) == set()


async def test_a_job_that_a_periodic_task_deferred_goes_and_the_task_keeps_its_place(
    pool, make_job, conn
):
    (job,) = await make_old(make_job, "app.nightly")
    await conn.execute(
        "INSERT INTO procrastinate_periodic_defers (task_name, defer_timestamp, job_id)"
        " VALUES ('app.nightly', 1700000000, %s)",
        (job,),
    )
    assert (await run_purge(pool)).total == 1
    left = await conn.execute("SELECT defer_timestamp, job_id FROM procrastinate_periodic_defers")
    assert await left.fetchall() == [(1700000000, None)]


async def test_a_purge_that_is_asked_to_stop_ends_after_its_batch(pool, make_job, conn, by_twos):
    jobs = await make_old(make_job, "ok", "bad", "ok", "ok")
    await on_delete(conn, "UPDATE jobs_maint_runs SET stop_requested = true")
    report = await run_purge(pool)
    assert (report.total, report.finished) == (2, False)
    assert await list_ids(conn) == set(jobs[2:])
    assert await list_audit(conn) == [("partly", {"succeeded": 2})]


async def test_of_old_digest_windows_the_last_one_of_each_name_stays(pool, conn):
    """The next window begins where it ended."""
    await conn.execute(
        "INSERT INTO jobs_maint_digests (name, since, until, state)"
        " SELECT name, now() - make_interval(days => n + 1), now() - make_interval(days => n),"
        " 'sent' FROM unnest(ARRAY['ops', 'web']) AS name, generate_series(91, 93) AS n"
    )
    await run_purge(pool)
    left = await conn.execute(
        "SELECT name, extract(day FROM now() - until)::int FROM jobs_maint_digests ORDER BY name"
    )
    assert await left.fetchall() == [("ops", 91), ("web", 91)]
