"""One purge at a time on a database: who comes second is told who works, and changes nothing."""

from __future__ import annotations

import asyncio

import procrastinate
import psycopg
import pytest
from psycopg import errors as pg
from tests.support.history import days
from tests.support.locks import wait_for_sleeping
from tests.support.purges import hold_deletes, release_deletes
from tests.support.waiting import until, wait_for_row

import jobs_maint
from jobs_maint import audit
from jobs_maint.actions import Actor, ConfirmSelection, PreviewPurge, PurgeFinished
from jobs_maint.database import transaction
from jobs_maint.errors import AlreadyRunning
from jobs_maint.operations.purge import turn
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings
from jobs_maint.sql import load_queries

NIGHT = Actor.task("jobs_maint:purge_finished_jobs")
ANA = Actor.shell("ana", "host")
TASK = "jobs_maint:purge_finished_jobs"


async def ask(pool, action, actor=ANA):
    return await perform(pool, actor, action, settings=MaintSettings())


async def count_jobs(conn) -> int:
    return (await (await conn.execute("SELECT count(*) FROM procrastinate_jobs")).fetchone())[0]


async def open_by_hand(conn, *, lease: str = "1 minute") -> int:
    """A purge of somebody else, two minutes old, that deleted 1,207 jobs so far."""
    found = await conn.execute(
        "WITH run AS (INSERT INTO jobs_maint_audit (actor_kind, actor_id, actor_name, word, action,"
        " outcome, counts, started_at) VALUES ('shell', 'bo@other', 'bo', 'purge',"
        " 'purge --older-than 7d', 'started',"
        ' \'{"succeeded": 1200, "failed": 7, "jobs_maint_audit": 50}\','
        " now() - interval '2 minutes') RETURNING id)"
        " INSERT INTO jobs_maint_runs (audit_id, lease_until)"
        " SELECT id, now() + %s::interval FROM run RETURNING audit_id",
        (lease,),
    )
    return (await found.fetchone())[0]


async def test_of_many_that_begin_in_one_instant_one_purges_and_the_others_are_told(
    pool, make_job, conn
):
    for _ in range(10):
        await make_job(status="succeeded", finished_ago=days(40))
    await hold_deletes(conn)
    purges = [asyncio.create_task(ask(pool, PurgeFinished())) for _ in range(5)]
    await until(lambda: sum(purge.done() for purge in purges) == 4, "the end of four purges")
    assert await count_jobs(conn) == 10
    await release_deletes(conn)
    ends = await asyncio.gather(*purges, return_exceptions=True)
    refused = [end for end in ends if isinstance(end, AlreadyRunning)]
    assert len(refused) == 4
    assert all("ana@host in the shell started it at" in str(end) for end in refused)
    assert [end.total for end in ends if not isinstance(end, BaseException)] == [10]
    found = await conn.execute("SELECT outcome, count(*) FROM jobs_maint_audit GROUP BY 1")
    assert dict(await found.fetchall()) == {"done": 1, "refused": 4}


async def test_who_comes_second_learns_who_works_since_when_and_how_far(pool, make_job, conn):
    job = await make_job(status="succeeded", finished_ago=days(40))
    shown = await ask(pool, PreviewPurge())
    request = await open_by_hand(conn)
    with pytest.raises(AlreadyRunning) as caught:
        await ask(pool, ConfirmSelection(shown.key))
    assert caught.value.exit_code == 4
    said = str(caught.value)
    assert said.startswith("A purge is already running: bo@other in the shell started it at 2")
    assert f"(request {request}), and it has deleted 1,207 jobs so far" in said
    assert "nothing was changed" in said
    assert await make_job.status(job) == "succeeded"
    asked = "SELECT word, action FROM jobs_maint_audit WHERE outcome = 'refused'"
    assert await (await conn.execute(asked)).fetchall() == [("purge", shown.words)]
    await conn.execute("DELETE FROM jobs_maint_runs")
    assert (await ask(pool, ConfirmSelection(shown.key))).total == 1, "the preview was not used up"


async def test_one_queue_waits_for_the_other_too(pool, make_job, conn):
    await make_job(status="succeeded", queue="email", finished_ago=days(40))
    shown = await ask(pool, PreviewPurge(queue="email"))
    await open_by_hand(conn)
    with pytest.raises(AlreadyRunning, match="Only one purge can run at a time"):
        await ask(pool, ConfirmSelection(shown.key))


async def test_a_purge_whose_process_died_does_not_hold_the_turn(pool, make_job, conn):
    await make_job(status="succeeded", finished_ago=days(40))
    await open_by_hand(conn, lease="-1 second")
    assert (await ask(pool, PurgeFinished(), NIGHT)).total == 1


async def test_a_purge_that_looks_for_long_without_a_batch_keeps_its_turn(
    pool, make_job, conn, monkeypatch
):
    monkeypatch.setattr(audit, "RENEW_SECONDS", 0.05)
    await make_job(status="succeeded", finished_ago=days(40))
    await hold_deletes(conn)
    purging = asyncio.create_task(ask(pool, PurgeFinished(), NIGHT))
    await wait_for_sleeping(conn)
    await conn.execute("UPDATE jobs_maint_runs SET lease_until = now() - interval '1 s'")
    renewed = "SELECT 1 FROM jobs_maint_runs WHERE lease_until > now() + interval '30 s'"
    await wait_for_row(conn, renewed)
    with pytest.raises(AlreadyRunning, match=f"the task {NIGHT.id} started it at"):
        await ask(pool, PurgeFinished())
    await release_deletes(conn)
    report = await purging
    assert (report.total, report.finished) == (1, True)


async def test_who_is_taken_for_dead_when_the_turn_is_taken_may_not_go_on(pool, conn):
    """Its lease may run out after the look for lost runs, and before the turn is asked for."""
    request = await open_by_hand(conn, lease="-1 second")
    async with pool.connection() as other, transaction(other):
        await turn.take_turn(other)
    outcome = "SELECT outcome FROM jobs_maint_audit WHERE id = %s"
    assert await (await conn.execute(outcome, (request,))).fetchone() == ("interrupted",)
    advance = {"audit_id": request, "lease_seconds": 60, "counts": "{}"}
    found = await conn.execute(load_queries("audit")["advance_run"], advance)
    assert await found.fetchone() == (False,)


async def test_two_whose_search_paths_differ_ask_for_the_same_turn(pool, conn, database_url):
    await conn.execute("CREATE SCHEMA ana")
    async with (
        await psycopg.AsyncConnection.connect(database_url) as first,
        await psycopg.AsyncConnection.connect(database_url) as second,
    ):
        await first.execute("SET search_path = ana, public")
        await turn.take_turn(first)
        await second.execute("SET lock_timeout = '20ms'")
        with pytest.raises(pg.LockNotAvailable):
            await turn.take_turn(second)


async def test_a_look_at_what_would_go_needs_no_turn(pool, make_job, conn):
    await make_job(status="succeeded", finished_ago=days(40))
    await open_by_hand(conn)
    assert (await ask(pool, PreviewPurge())).count == 1


@pytest.fixture
async def team_app(database_url):
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=database_url))
    jobs_maint.register(app, MaintSettings())
    async with app.open_async():
        yield app


async def run_worker(app) -> None:
    await app.run_worker_async(queues=["maintenance"], wait=False, install_signal_handlers=False)


async def list_purges(conn) -> list[tuple]:
    found = await conn.execute(
        "SELECT status::text, args, scheduled_at > now() + interval '30 seconds' AS later"
        " FROM procrastinate_jobs WHERE task_name = %s ORDER BY id",
        (TASK,),
    )
    return await found.fetchall()


async def test_the_night_skips_its_slice_and_goes_on_where_it_was_a_minute_later(
    team_app, make_job, conn, caplog
):
    old = await make_job(status="succeeded", finished_ago=days(40))
    await open_by_hand(conn)
    where = {"succeeded": old - 1}
    await team_app.configure_task(TASK).defer_async(
        timestamp=0, resume_after=where, seconds_used=100.0
    )
    caplog.set_level("INFO")
    await run_worker(team_app)
    first, second = await list_purges(conn)
    assert (first[0], second[0], second[2]) == ("succeeded", "todo", True)
    assert second[1]["resume_after"] == where
    assert 160 <= second[1]["seconds_used"] < 1800
    assert second[1]["skipped"] == 1
    (skipped,) = [
        r for r in caplog.records if getattr(r, "event", "") == "jobs_maint.purge_skipped"
    ]
    assert (skipped.levelname, skipped.fields["times"]) == ("INFO", 1)
    assert "bo@other" in skipped.fields["reason"]
    assert [r for r in caplog.records if r.name == "jobs_maint" and r.levelno > 20] == []
    rows = await (await conn.execute("SELECT actor_id FROM jobs_maint_audit")).fetchall()
    assert rows == [("bo@other",)], "the night that waits is no line of the audit"
    assert await make_job.status(old) == "succeeded"
    await conn.execute("DELETE FROM jobs_maint_runs")
    await conn.execute("UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE status = 'todo'")
    await run_worker(team_app)
    assert [row[0] for row in await list_purges(conn)] == ["succeeded", "succeeded"]
    assert await make_job.status(old) is None


async def test_a_night_that_only_waited_ends_with_its_time(team_app, make_job, conn, caplog):
    await open_by_hand(conn)
    await team_app.configure_task(TASK).defer_async(timestamp=0, seconds_used=1790.0)
    await run_worker(team_app)
    assert [row[0] for row in await list_purges(conn)] == ["succeeded"]
    events = [getattr(record, "event", "") for record in caplog.records]
    assert "jobs_maint.purge_time_used" in events
