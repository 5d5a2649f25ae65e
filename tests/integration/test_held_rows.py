"""Who holds a row: told for certain, or as a guess; PostgreSQL 15 with German messages."""

from __future__ import annotations

import psycopg
import pytest
from tests.support.history import JobFactory, days

from jobs_maint.actions import (
    Actor,
    BulkVerb,
    ConfirmSelection,
    JobFilter,
    PreviewBulk,
    PurgeFinished,
    RetryJobs,
    RunDoctor,
)
from jobs_maint.database import open_pool
from jobs_maint.errors import DatabaseUnavailable
from jobs_maint.operations.doctor import waiting
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings

pytestmark = pytest.mark.environments

ANA = Actor.shell("ana", "host")
PREPARED = "the prepared transaction 'left behind' (user postgres, open for "


async def do(pool, action):
    return await perform(pool, ANA, action, settings=MaintSettings())


async def test_a_prepared_transaction_is_named_and_not_a_session_that_holds_another_row(
    german_url, monkeypatch
):
    async with open_pool(german_url) as pool, pool.connection() as conn:
        await conn.set_autocommit(True)
        make_job = JobFactory(conn)
        held, other, free = [await make_job(status="failed") for _ in range(3)]
        old = [await make_job(status="succeeded", finished_ago=days(60)) for _ in range(3)]
        async with (
            await psycopg.AsyncConnection.connect(german_url) as gone,
            await psycopg.AsyncConnection.connect(
                german_url, application_name="innocent"
            ) as innocent,
        ):
            await innocent.execute(
                "SELECT FROM procrastinate_jobs WHERE id = %s FOR UPDATE", (other,)
            )
            await gone.execute(
                "SELECT FROM procrastinate_jobs WHERE id = ANY (%s) FOR UPDATE", ([held, old[1]],)
            )
            await gone.execute("PREPARE TRANSACTION 'left behind'")
            with pytest.raises(DatabaseUnavailable) as refused:
                await do(pool, RetryJobs((held,)))
            assert f": {PREPARED}" in str(refused.value)
            assert "COMMIT PREPARED or ROLLBACK PREPARED ends it" in str(refused.value)
            assert "innocent" not in str(refused.value)
            with pytest.raises(DatabaseUnavailable) as refused:
                await do(pool, RetryJobs((other,)))
            assert f": process {innocent.info.backend_pid} (innocent" in str(refused.value)
            report = await do(pool, PurgeFinished())
            [group] = report.refused
            assert (report.total, group.sample) == (2, (old[1],))
            assert PREPARED in group.reason
            assert "innocent" not in group.reason
            await innocent.rollback()
            shown = await do(pool, PreviewBulk(BulkVerb.RETRY, JobFilter(statuses=("failed",))))
            report = await do(pool, ConfirmSelection(shown.key))
            [group] = report.skips
            assert (report.done, group.sample) == (2, (held,))
            assert PREPARED in group.say_skipped()
            assert await make_job.status(free) == "todo"
        monkeypatch.setattr(waiting, "LEFT_BEHIND", 1.0)
        [found] = [f for f in (await do(pool, RunDoctor())).findings if f.check == "locks"]
        assert found.level == "warning"
        assert found.sentence.startswith("The prepared transaction 'left behind' of postgres has ")
        assert "ROLLBACK PREPARED 'left behind';" in found.fix


async def test_a_prepared_transaction_does_not_hide_a_lock_that_nobody_will_free(
    german_url, monkeypatch
):
    monkeypatch.setattr(waiting, "LEFT_BEHIND", 0.0)
    async with open_pool(german_url) as pool, pool.connection() as conn:
        await conn.set_autocommit(True)
        make_job = JobFactory(conn)
        stuck = await make_job(status="doing", lock="account 7")
        await make_job(lock="account 7")
        async with await psycopg.AsyncConnection.connect(german_url) as gone:
            await gone.execute("SELECT FROM procrastinate_jobs FOR UPDATE")
            await gone.execute("PREPARE TRANSACTION 'left behind'")
        [found] = [f for f in (await do(pool, RunDoctor())).findings if f.check == "locks"]
    assert found.level == "error"
    assert f"job {stuck} has it, but no live worker reports that job. The prepared transaction" in (
        found.sentence
    )
    assert "`jobs-maint rescue` puts the job back" in found.fix
    assert "ROLLBACK PREPARED 'left behind';" in found.fix


async def test_a_session_that_may_hold_what_is_needed_is_named_with_doubt(german_url):
    async with open_pool(german_url) as pool, pool.connection() as conn:
        await conn.set_autocommit(True)
        job, third, other = [await JobFactory(conn)(status="failed") for _ in range(3)]
        async with (
            await psycopg.AsyncConnection.connect(german_url) as first,
            await psycopg.AsyncConnection.connect(german_url) as second,
        ):
            hold = "SELECT FROM procrastinate_jobs WHERE id = %s FOR UPDATE"
            await first.execute(hold, (job,))
            await second.execute(hold, (third,))
            await conn.execute(
                "CREATE FUNCTION give_up() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE 'busy' USING ERRCODE = '55P03'; END $$;"
                "CREATE TRIGGER give_up BEFORE INSERT ON jobs_maint_audit"
                " FOR EACH ROW EXECUTE FUNCTION give_up();"
                "SELECT pg_sleep(5.1)"
            )
            with pytest.raises(DatabaseUnavailable) as refused:
                await do(pool, RetryJobs((other,)))
            assert f": probably process {first.info.backend_pid} (" in str(refused.value)
            assert "), the oldest of 2 candidates" in str(refused.value)
            await second.rollback()
            with pytest.raises(DatabaseUnavailable) as refused:
                await do(pool, RetryJobs((other,)))
            assert f": probably process {first.info.backend_pid} (" in str(refused.value)
            assert "candidates" not in str(refused.value)


async def test_a_server_that_a_trigger_cannot_reach_stops_its_row_only(german_url):
    async with open_pool(german_url) as pool, pool.connection() as conn:
        await conn.set_autocommit(True)
        make_job = JobFactory(conn)
        old = [await make_job(status="succeeded", finished_ago=days(60)) for _ in range(40)]
        await conn.execute(
            "CREATE EXTENSION dblink;"
            "CREATE FUNCTION copy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM"
            " dblink_connect('c', 'host=127.0.0.1 port=9 password=hunter22'); RETURN NULL; END $$;"
            "CREATE TRIGGER copy AFTER DELETE ON procrastinate_jobs"
            f" FOR EACH ROW WHEN (OLD.id = {old[20]}) EXECUTE FUNCTION copy()"
        )
        report = await do(pool, PurgeFinished())
        [found] = [f for f in (await do(pool, RunDoctor())).findings if f.check == "triggers"]
    assert found.level == "warning"
    assert "another server: copy of procrastinate_jobs (copy())." in found.sentence
    [group] = report.refused
    assert (report.total, group.sample) == (39, (old[20],))
    assert group.reason.startswith("the database function copy() refuses it (")
    assert "hunter22" not in group.reason
