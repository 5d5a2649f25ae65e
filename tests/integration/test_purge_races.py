"""The purge beside sessions that change, lock or delete the same jobs, in every order."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager

import psycopg
import pytest
from tests.support.history import JobFactory, days
from tests.support.locks import wait_for_sleeping, wait_for_waiting
from tests.support.purges import hold_deletes, release_deletes
from tests.support.server import running_server
from tests.support.waiting import until

from jobs_maint.actions import Actor, PurgeFinished, RetryJobs
from jobs_maint.database import open_pool
from jobs_maint.errors import DatabaseUnavailable
from jobs_maint.operations.purge import batches as purge
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings

NIGHT = Actor.task("jobs_maint:purge_finished_jobs")
ANA = Actor.shell("ana", "host")
SET = "UPDATE procrastinate_jobs SET status = '{}' WHERE id = %s"
UNTRIGGERED = "SET LOCAL session_replication_role = replica"  # else it waits as the purge does
AGAIN = tuple(SET.format(status) for status in ("todo", "doing", "failed"))


async def run_purge(pool, action=None, actor=NIGHT):
    return await perform(pool, actor, action or PurgeFinished(), settings=MaintSettings())


async def list_ids(conn) -> set[int]:
    found = await conn.execute("SELECT id FROM procrastinate_jobs")
    return {row[0] for row in await found.fetchall()}


async def count_in_audit(conn) -> int:
    query = "SELECT coalesce((counts ->> 'failed')::int, 0) FROM jobs_maint_audit WHERE word = %s"
    return (await (await conn.execute(f"{query} ORDER BY id DESC", ("purge",))).fetchone())[0]


async def hold_at_the_first_row(conn) -> None:
    """The purge waits in the middle of a batch: its first job is locked, not yet deleted."""
    await hold_deletes(conn, row="first")


@asynccontextmanager
async def purge_between_its_look_and_its_deletes(pool, conn, hold):
    """The statement has its snapshot; what the others do now, it does not see."""
    await hold(conn)
    running = asyncio.create_task(run_purge(pool))
    await wait_for_sleeping(conn)
    try:
        yield running
    finally:
        await release_deletes(conn)


@pytest.mark.parametrize("hold", [hold_deletes, hold_at_the_first_row])
@pytest.mark.parametrize(
    ("meanwhile", "stays", "counted"),
    [
        pytest.param(AGAIN, True, 1, id="put-back-and-ended-again"),
        pytest.param(AGAIN[:1], True, 1, id="put-back"),
        pytest.param(AGAIN[:2], True, 1, id="put-back-and-taken"),
        pytest.param(
            ("SELECT procrastinate_retry_job_v2(%s, now(), NULL, NULL, NULL)",), True, 1,
            id="put-back-by-procrastinate",
        ),
        pytest.param(
            ("UPDATE procrastinate_jobs SET priority = priority WHERE id = %s",), False, 2,
            id="written-without-a-change",
        ),
        pytest.param((UNTRIGGERED, "DELETE FROM procrastinate_jobs WHERE id = %s"), False, 1,
                     id="deleted"),
        pytest.param(
            ("SELECT 1 FROM procrastinate_jobs WHERE id = %s FOR UPDATE",), False, 2, id="locked"
        ),
    ],
)  # fmt: skip
async def test_what_was_changed_since_the_look_stays_and_only_what_went_is_counted(
    pool, make_job, conn, hold, meanwhile, stays, counted
):
    await make_job(status="failed", task="first", finished_ago=days(100))
    job = await make_job(status="failed", finished_ago=days(100))
    async with (
        purge_between_its_look_and_its_deletes(pool, conn, hold) as running,
        conn.transaction(),
    ):
        for statement in meanwhile:
            await conn.execute(statement, (job,) if "%s" in statement else ())
    report = await running
    assert await list_ids(conn) == ({job} if stays else set())
    assert report.deleted == {"failed": counted}
    assert await count_in_audit(conn) == counted


@pytest.mark.parametrize("hold", [hold_deletes, hold_at_the_first_row])
async def test_what_somebody_changed_and_took_back_goes(pool, make_job, conn, hold):
    await make_job(status="failed", task="first", finished_ago=days(100))
    job = await make_job(status="failed", finished_ago=days(100))
    async with (
        purge_between_its_look_and_its_deletes(pool, conn, hold) as running,
        conn.transaction(force_rollback=True),
    ):
        for statement in AGAIN:
            await conn.execute(statement, (job,))
    assert (await running).deleted == {"failed": 2}


async def test_a_vacuum_that_freezes_the_rows_meanwhile_changes_nothing(pool, make_job, conn):
    await make_job(status="failed", task="first", finished_ago=days(100))
    job, again = [await make_job(status="failed", finished_ago=days(100)) for _ in "12"]
    async with purge_between_its_look_and_its_deletes(pool, conn, hold_deletes) as running:
        async with conn.transaction():
            for statement in AGAIN:
                await conn.execute(statement, (again,))
        await conn.execute("VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) procrastinate_jobs")
    assert (await running).deleted == {"failed": 2}
    assert job not in await list_ids(conn)
    assert await list_ids(conn) == {again}


async def test_a_rewrite_of_the_table_waits_for_the_batch(pool, make_job, conn, database_url):
    """It moves every row; the places that a batch looked up would be those of other jobs."""
    old = [await make_job(status="failed", task="first", finished_ago=days(100))]
    young = [await make_job(status="failed", deferred_ago=days(200)) for _ in "12"]
    old.append(await make_job(status="failed", finished_ago=days(100)))
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as rewriter:
        async with purge_between_its_look_and_its_deletes(pool, conn, hold_at_the_first_row) as run:
            rewrite = asyncio.create_task(rewriter.execute("VACUUM FULL procrastinate_jobs"))
            await wait_for_waiting(conn)
        await rewrite
    assert (await run).deleted == {"failed": len(old)}
    assert await list_ids(conn) == set(young)


async def test_a_rewrite_between_two_batches_changes_nothing(
    pool, make_job, conn, database_url, monkeypatch
):
    for name in ("FIRST_BATCH", "SMALLEST_BATCH", "LARGEST_BATCH"):
        monkeypatch.setattr(purge, name, 2)
    jobs = []
    for _ in range(4):
        await make_job(status="failed", finished_ago=days(100))
        jobs.append(await make_job(status="failed", deferred_ago=days(200)))
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as rewriter:
        rewrites = 0

        class Pool:
            """The test's pool; before each transaction of the purge the table is rewritten."""

            @asynccontextmanager
            async def connection(self):
                nonlocal rewrites
                rewrites += 1
                await rewriter.execute("VACUUM FULL procrastinate_jobs")
                async with pool.connection() as opened:
                    yield opened

        report = await purge.purge_finished_jobs(
            Pool(), purge.Retention({"failed": days(90)}, audit=None), trim=False
        )
    assert (report.deleted, rewrites > 3) == ({"failed": 4}, True)
    assert await list_ids(conn) == set(jobs)


@pytest.mark.parametrize("statements", [AGAIN, AGAIN[:1]], ids=["ended-again", "put-back"])
async def test_a_job_whose_change_is_not_committed_yet_is_passed_over(
    pool, make_job, conn, database_url, statements
):
    before, job, after = [await make_job(status="failed", finished_ago=days(100)) for _ in "123"]
    async with await psycopg.AsyncConnection.connect(database_url) as person:
        for statement in statements:
            await person.execute(statement, (job,))
        report = await run_purge(pool)
        assert report.deleted == {"failed": 2}
        assert await list_ids(conn) == {job}
        await person.commit()
    assert (await run_purge(pool)).total == 0, "it is young now, or waits"
    assert before < job < after
    assert await list_ids(conn) == {job}


async def test_who_puts_a_job_back_while_its_batch_deletes_it_is_told_that_it_is_gone(
    pool, make_job, conn
):
    job = await make_job(status="failed", finished_ago=days(100))
    await make_job(status="failed", task="first", finished_ago=days(100))
    async with purge_between_its_look_and_its_deletes(pool, conn, hold_at_the_first_row) as running:
        retry = asyncio.create_task(perform(pool, ANA, RetryJobs((job,)), settings=MaintSettings()))
        await wait_for_waiting(conn)
    assert (await running).deleted == {"failed": 2}
    (item,) = (await retry).items
    assert (item.outcome, item.code) == ("skipped", "not_found")


@pytest.fixture
def own_url():
    """A database of a server that may crash."""
    with running_server(wal_writer_delay="10s") as server:
        yield server.url(server.create("ours_template"))


async def test_whatever_a_crash_of_the_server_takes_the_audit_tells_what_is_gone(
    own_url, monkeypatch
):
    """Batches are committed without waiting for the disk: jobs and counts are lost together."""
    for name in ("FIRST_BATCH", "SMALLEST_BATCH", "LARGEST_BATCH"):
        monkeypatch.setattr(purge, name, 2)
    await crash_in_mid_purge(own_url)


async def connect_again(url: str) -> psycopg.AsyncConnection | None:
    try:
        return await psycopg.AsyncConnection.connect(url, autocommit=True)
    except psycopg.OperationalError:
        return None


async def crash_in_mid_purge(url: str) -> None:
    async with open_pool(url, max_size=3) as pool:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
            make_job = JobFactory(conn)
            for task in [*["app.task"] * 10, "first", *["app.task"] * 5]:
                await make_job(status="failed", task=task, finished_ago=days(100))
            await hold_at_the_first_row(conn)
            running = asyncio.create_task(run_purge(pool))
            (pid,) = await wait_for_sleeping(conn)
            assert len(await list_ids(conn)) == 6, "five batches of two are committed"
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(DatabaseUnavailable):
                await running
        async with await until(lambda: connect_again(url), "the server's return") as conn:
            left = await list_ids(conn)
            assert len(left) + await count_in_audit(conn) == 16
            await release_deletes(conn)
            await conn.execute("UPDATE jobs_maint_runs SET lease_until = now() - interval '1 s'")
            assert (await run_purge(pool)).total == len(left)
            counts = "SELECT sum((counts ->> 'failed')::int)::int FROM jobs_maint_audit"
            assert (await (await conn.execute(counts)).fetchone())[0] == 16
