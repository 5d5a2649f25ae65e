"""Behind a real PgBouncer in transaction mode, whose one session everybody shares."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import psycopg_pool
import pytest
from tests.conftest import Server
from tests.support.debian import pgbouncer
from tests.support.duties import do_every_duty
from tests.support.forkserver import SOURCES
from tests.support.processes import Process, Processes
from tests.support.runbook import ROOT, read_blocks
from tests.support.waiting import wait_until

from jobs_maint.actions import (
    Actor,
    ApplySchema,
    CheckSchema,
    PurgeFinished,
    RescueStalled,
    RetryJobs,
    RunDoctor,
    ShowStats,
)
from jobs_maint.database import mapped_errors, open_pool
from jobs_maint.errors import DatabaseUnavailable
from jobs_maint.operations.doctor.examine import Situation, examine
from jobs_maint.operations.schema import applying
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings

pytestmark = pytest.mark.environments

ANA = Actor.shell("ana", "host")


async def ask(pool, action):
    return await perform(pool, ANA, action, settings=MaintSettings())


@pytest.fixture(scope="module")
def proxy(server: Server) -> Iterator[Server]:
    with pgbouncer(server) as found:
        yield found


def behind(proxy: Server, url: str) -> str:
    return proxy.url(url.rpartition("/")[2].partition("?")[0])


def look_at_session(url: str) -> tuple[list[str], int]:
    """Settings of the shared session that are not as it began, and advisory locks.

    Encoding and application name are the client's own: PgBouncer sets them for each.
    """
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as conn:
        changed = conn.execute(
            "SELECT name || ' = ' || setting FROM pg_settings"
            " WHERE source = 'session' AND setting <> reset_val"
            " AND name NOT IN ('client_encoding', 'application_name')"
        ).fetchall()
        locks = conn.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchone()
        prepared = conn.execute("SELECT name FROM pg_prepared_statements").fetchall()
    assert locks is not None
    return [name for (name,) in changed + prepared], locks[0]


async def test_an_apply_leaves_nothing_on_the_shared_session(proxy, bare_database_url):
    url = behind(proxy, bare_database_url)
    async with open_pool(url) as pool:
        first = await ask(pool, ApplySchema())
        assert first.problems == ()
        assert (await ask(pool, CheckSchema())).pending == ()
    assert look_at_session(url) == ([], 0)
    async with open_pool(bare_database_url) as direct:
        again = await applying.apply_schema(direct, lock_wait=timedelta(seconds=0))
    assert again.applied == ()


async def test_two_applies_at_once_behind_the_proxy_do_each_step_once(server, bare_database_url):
    with pgbouncer(server, default_pool_size=4) as proxy:
        url = behind(proxy, bare_database_url)
        async with open_pool(url) as one, open_pool(url) as two:
            reports = await asyncio.gather(*(ask(pool, ApplySchema()) for pool in (one, two) * 2))
            assert (await ask(one, CheckSchema())).pending == ()
    applied = [name for report in reports for name in report.applied]
    assert sorted(applied) == sorted(set(applied))
    assert [report.problems for report in reports] == [()] * 4
    with psycopg.connect(bare_database_url) as conn:
        left = conn.execute(
            "SELECT relname FROM pg_class WHERE relname LIKE 'jobs\\_maint\\_old%'"
            " UNION ALL SELECT name FROM jobs_maint_migrations WHERE number < 1"
        )
        assert left.fetchall() == []


APP = """
import os
import procrastinate
import jobs_maint

{connector}
jobs_maint.register(app)


@app.task(name="sends", queue="mail")
async def sends():
    pass


@app.task(name="breaks", queue="mail")
async def breaks():
    raise ValueError("broken")
"""


def test_a_worker_set_up_as_the_page_says_runs_its_jobs(server, database_url, tmp_path):
    """With several sessions, of which each transaction has any."""
    [block] = read_blocks(ROOT / "docs/how-to/pgbouncer.md")
    (tmp_path / "shop.py").write_text(APP.format(connector=block.body), encoding="utf-8")
    with (
        pgbouncer(server, default_pool_size=4) as proxy,
        psycopg.connect(database_url, autocommit=True) as conn,
        working(behind(proxy, database_url), tmp_path) as worker,
    ):
        for _ in range(2):  # the second time by statements that it has sent often
            conn.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name)"
                " SELECT 'mail', CASE WHEN n % 5 = 0 THEN 'breaks' ELSE 'sends' END"
                " FROM generate_series(1, 50) AS n"
            )
            wait_until(lambda: worker.popen.poll() is not None or count(conn, "todo", "doing") == 0)
            assert worker.popen.poll() is None, worker.output
        assert (count(conn, "succeeded"), count(conn, "failed")) == (80, 20)
        recorded = conn.execute("SELECT count(*) FROM jobs_maint_failures").fetchone()
        assert recorded == (20,)
        worker.send(signal.SIGTERM)
        assert worker.wait() == 0, worker.output
        left = conn.execute("SELECT count(*) FROM jobs_maint_workers").fetchone()
        assert left == (0,)


@contextlib.contextmanager
def working(url: str, folder: Path) -> Iterator[Process]:
    processes = Processes(url)
    try:
        yield processes.start(
            "-m", "procrastinate", "--app=shop.app", "worker", "--fetch-job-polling-interval=0.2",
            PYTHONPATH=f"{SOURCES}:{folder}",
        )  # fmt: skip
    finally:
        processes.kill_all()


def count(conn: psycopg.Connection, *statuses: str) -> int:
    found = conn.execute(
        "SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'mail'"
        " AND status::text = ANY (%s)",
        (list(statuses),),
    ).fetchone()
    assert found is not None
    return found[0]


async def test_a_parameter_that_the_proxy_refuses_is_not_told_as_a_wrong_password(
    proxy, database_url
):
    url = f"{behind(proxy, database_url)}&options=-csearch_path%3Dpublic"
    with pytest.raises(DatabaseUnavailable, match="Take it out of JOB_QUEUE_DATABASE_URL") as told:
        async with open_pool(url):
            pass
    assert "PgBouncer at" in str(told.value)
    assert "ssword" not in str(told.value)


async def test_every_duty_leaves_the_shared_session_as_it_was(proxy, database_url, conn):
    url = behind(proxy, database_url)
    await do_every_duty(conn, url)
    assert look_at_session(url) == ([], 0)


async def test_a_teams_pool_that_prepares_works_behind_the_proxy(proxy, database_url, make_job):
    """PgBouncer knows no prepared statement: whatever is asked often must not become one."""
    jobs = [await make_job(status="failed") for _ in range(8)]
    url = behind(proxy, database_url)
    async with psycopg_pool.AsyncConnectionPool(url, min_size=1, max_size=2, open=False) as own:
        for job in jobs:
            await ask(own, ShowStats())
            assert len((await ask(own, RetryJobs((job,)))).done) == 1
            await ask(own, PurgeFinished())
            await ask(own, RescueStalled())
            await ask(own, RunDoctor())
    assert look_at_session(url) == ([], 0)


async def test_a_statement_timeout_behind_the_proxy_is_named_and_no_invalid_index_stays(
    proxy, server, database_url
):
    """Nothing can lift it for a build there; one that waits for somebody runs into it."""
    name = database_url.rpartition("/")[2].partition("?")[0]
    server.execute(f"ALTER DATABASE {name} SET statement_timeout = '700ms'")
    with contextlib.closing(psycopg.connect(database_url)) as holder:
        holder.execute("DROP INDEX jobs_maint_purgeable_idx")
        holder.commit()
        holder.execute("SET LOCAL idle_in_transaction_session_timeout = '2s'")
        holder.execute("LOCK TABLE procrastinate_jobs IN ROW EXCLUSIVE MODE")
        async with open_pool(behind(proxy, database_url)) as pool:
            report = await applying.apply_schema(pool, build_wait=timedelta(seconds=20))
    (problem,) = report.problems
    assert "statement_timeout of 0.7 s" in problem
    assert "direct connection" in problem
    with psycopg.connect(database_url) as conn:
        invalid = conn.execute("SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid")
        assert invalid.fetchall() == []


async def test_a_build_that_waits_behind_the_proxy_is_ended_and_says_for_whom(server, database_url):
    with pgbouncer(server, default_pool_size=3) as proxy:
        async with await psycopg.AsyncConnection.connect(
            database_url, application_name="a long report"
        ) as holder:
            await holder.execute("DROP INDEX jobs_maint_purgeable_idx")
            await holder.commit()
            await holder.execute("LOCK TABLE procrastinate_jobs IN ROW EXCLUSIVE MODE")
            async with open_pool(behind(proxy, database_url)) as pool:
                report = await applying.apply_schema(pool, build_wait=timedelta(seconds=0.5))
                assert report.applied == ()
                assert "a long report" in report.problems[0]
                await holder.rollback()
                again = await applying.apply_schema(pool)
    assert again.applied == ("jobs_maint_purgeable_idx",)


async def test_the_doctor_fails_where_others_hold_all_sessions_of_the_proxy(proxy, database_url):
    """Each check connects, and gets no answer."""
    url = behind(proxy, database_url)
    situation = Situation(MaintSettings(), lambda: datetime.now(UTC), "3.10.0")
    async with (
        open_pool(url) as pool,
        await psycopg.AsyncConnection.connect(url, prepare_threshold=None) as holder,
    ):
        await holder.execute("SELECT 1")
        with pytest.raises(DatabaseUnavailable), mapped_errors():
            await examine(pool, situation, patience=timedelta(seconds=0.1))
