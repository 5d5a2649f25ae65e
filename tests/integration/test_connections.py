"""The core on connections as teams have them: other settings, fewer rights, a proxy's limits."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from datetime import UTC, datetime, timedelta

import psycopg
import psycopg_pool
import pytest
from psycopg.rows import dict_row, namedtuple_row
from tests.support.history import days, hours
from tests.support.server import Server
from tests.support.waiting import until, wait_for_row

from jobs_maint.actions import (
    Actor,
    ApplySchema,
    GetJob,
    ListFailed,
    PurgeFinished,
    RescueStalled,
    RetryJobs,
    ShowStats,
)
from jobs_maint.database import mapped_errors, open_pool, transaction
from jobs_maint.database.login import find_refusal
from jobs_maint.errors import DatabaseUnavailable, JobsMaintError, SchemaMismatch
from jobs_maint.operations.doctor.examine import Situation, examine
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "host")
SETTINGS = MaintSettings()
SECOND = timedelta(seconds=1)


async def ask(pool, action):
    return await perform(pool, ANA, action, settings=SETTINGS)


async def configure_strictly(conn: psycopg.AsyncConnection) -> None:
    await conn.set_isolation_level(psycopg.IsolationLevel.SERIALIZABLE)


async def test_the_first_request_after_a_long_outage_is_answered_at_once(database_url, server):
    """The pool does not sit out a pause that grew while the database was away."""
    name = database_url.rpartition("/")[2].partition("?")[0]
    async with open_pool(database_url) as pool:
        await ask(pool, ShowStats())
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        server.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        pool.timeout = 0.1
        with pytest.raises(DatabaseUnavailable):
            await ask(pool, ShowStats())
        await until(lambda: pool.get_stats()["pool_size"] == 0, what="the end of its tries")
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        pool.timeout = 15
        await ask(pool, ShowStats())


@pytest.mark.parametrize(
    "pool_options",
    [
        {"kwargs": {"autocommit": True}},
        {"kwargs": {"row_factory": dict_row}},
        {"kwargs": {"row_factory": namedtuple_row}},
        {"kwargs": {"prepare_threshold": None, "cursor_factory": psycopg.AsyncClientCursor}},
        {"kwargs": {"prepare_threshold": 0}},
        {"configure": configure_strictly},
    ],
    ids=["autocommit", "dict rows", "named rows", "client cursors", "prepares all", "serializable"],
)
async def test_the_teams_pool_may_be_of_any_kind(database_url, make_job, pool_options):
    failed = await make_job(status="failed", finished_ago=days(1))
    await make_job(status="succeeded", finished_ago=days(40))
    await make_job(status="doing", deferred_ago=hours(9))
    async with psycopg_pool.AsyncConnectionPool(
        database_url, min_size=1, max_size=2, open=False, **pool_options
    ) as pool:
        assert (await ask(pool, ListFailed())).total == 1
        assert (await ask(pool, GetJob(failed))).job_id == failed
        assert [item.code for item in (await ask(pool, RetryJobs((failed,)))).items] == ["put_back"]
        assert (await ask(pool, RescueStalled())).suspects == 1
        assert (await ask(pool, PurgeFinished())).total == 1
        assert (await ask(pool, ShowStats())).queues[0].ready == 1


async def test_a_transaction_has_its_own_limits_and_isolation(database_url):
    async with psycopg_pool.AsyncConnectionPool(
        database_url, min_size=1, max_size=1, open=False, configure=configure_strictly
    ) as pool:
        async with pool.connection() as conn, transaction(conn):
            found = [
                (await (await conn.execute(f"SHOW {name}")).fetchone())[0]
                for name in ("transaction_isolation", "lock_timeout", "statement_timeout")
            ]
        async with pool.connection() as conn:
            after = await (await conn.execute("SHOW lock_timeout")).fetchone()
    assert found == ["read committed", "5s", "1min"]
    assert after == ("0",)


async def test_times_are_utc_whatever_the_server_is_set_to(database_url, make_job, conn):
    job = await make_job(status="cancelled", scheduled_in=hours(30))
    await conn.execute(
        "UPDATE procrastinate_jobs SET scheduled_at = '2999-07-01 12:00:00+00' WHERE id = %s",
        (job,),
    )
    url = f"{database_url}&options=-cTimeZone%3DAsia/Kolkata%20-cDateStyle%3DGerman"
    async with open_pool(url) as pool:
        report = await ask(pool, RetryJobs((job,)))
        details = await ask(pool, GetJob(job))
    assert "2999-07-01 12:00 UTC" in report.items[0].reason
    assert details.as_of.utcoffset() == timedelta(0)
    assert {event.at.utcoffset() for event in details.events} == {timedelta(0)}


async def test_two_sessions_in_a_deadlock_are_told_apart_from_a_lost_connection(pool):
    locked = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> None:
        with mapped_errors():
            async with pool.connection() as conn, transaction(conn):
                await conn.execute("SELECT pg_advisory_xact_lock(%s)", (first,))
                await locked.wait()
                await conn.execute("SELECT pg_advisory_xact_lock(%s)", (second,))

    results = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)
    (error,) = [result for result in results if result is not None]
    assert isinstance(error, DatabaseUnavailable)
    assert "at the same time; this step changed nothing" in str(error)


async def test_a_query_that_somebody_cancels_is_not_said_to_be_slow(pool, conn):
    async def sleep() -> None:
        with mapped_errors():
            async with pool.connection() as own, transaction(own):
                await own.execute("SELECT pg_sleep(60)")

    sleeping = asyncio.create_task(sleep())
    cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    await wait_for_row(conn, cancel)
    with pytest.raises(DatabaseUnavailable, match="was cancelled on the database server"):
        await sleeping


async def test_a_server_that_is_silent_on_an_open_connection_is_given_up(database_url, monkeypatch):
    """Its own limit of a statement cannot end what is frozen."""
    for module in ("transactions", "connecting"):
        monkeypatch.setattr(f"jobs_maint.database.{module}.SILENCE", 0.9)
    frozen: list[int] = []
    try:
        async with open_pool(database_url) as pool:
            async with pool.connection() as conn:
                frozen.append(conn.info.backend_pid)
                os.kill(frozen[0], signal.SIGSTOP)
                with pytest.raises(DatabaseUnavailable, match="was lost; only"), mapped_errors():
                    async with transaction(conn, statement_timeout=SECOND):
                        await conn.execute("SELECT 1")
            async with pool.connection() as conn:
                frozen.append(conn.info.backend_pid)
            os.kill(frozen[1], signal.SIGSTOP)  # while it waits in the pool
            assert (await ask(pool, ListFailed())).total == 0
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)


async def test_a_search_path_without_a_schema_is_one_sentence(bare_database_url):
    url = f"{bare_database_url}&options=-csearch_path%3Dnowhere"
    async with open_pool(url) as pool:
        with pytest.raises(SchemaMismatch, match="search path"):
            await ask(pool, ApplySchema())


async def test_an_apply_goes_to_the_users_own_schema_where_there_is_one(
    bare_database_url, server: Server
):
    """The default search path begins with "$user"."""
    with psycopg.connect(bare_database_url, autocommit=True) as conn:
        conn.execute("CREATE SCHEMA postgres")
    async with open_pool(bare_database_url) as pool:
        await ask(pool, ApplySchema())
        assert (await ask(pool, ApplySchema())).applied == ()
        assert (await ask(pool, ListFailed())).total == 0
    with psycopg.connect(bare_database_url, autocommit=True) as conn:
        schemas = conn.execute(
            "SELECT DISTINCT schemaname FROM pg_tables"
            " WHERE tablename LIKE 'jobs\\_maint%' OR tablename LIKE 'procrastinate%'"
        )
        assert schemas.fetchall() == [("postgres",)]


async def test_a_role_without_the_right_is_told_which_and_nothing_is_changed(
    database_url, bare_database_url, make_job, server: Server
):
    failed = await make_job(status="failed")
    server.execute("DROP ROLE IF EXISTS reader")
    server.execute("CREATE ROLE reader LOGIN")
    name = database_url.rpartition("/")[2].partition("?")[0]
    server.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", name)
    try:
        async with open_pool(database_url.replace("postgres@", "reader@")) as pool:
            assert (await ask(pool, ListFailed())).total == 1
            for action in (RetryJobs((failed,)), PurgeFinished(), RescueStalled()):
                with pytest.raises(DatabaseUnavailable, match=r"user reader lacks .*: GRANT "):
                    await ask(pool, action)
        async with open_pool(bare_database_url.replace("postgres@", "reader@")) as pool:
            with pytest.raises(DatabaseUnavailable, match="denied for schema public"):
                await ask(pool, ApplySchema())
        assert await make_job.status(failed) == "failed"
    finally:
        server.execute("DROP OWNED BY reader", name)
        server.execute("DROP ROLE reader")


async def test_a_read_only_database_is_told_and_reads_go_on(database_url, make_job):
    failed = await make_job(status="failed")
    url = f"{database_url}&options=-cdefault_transaction_read_only%3Don"
    async with open_pool(url) as pool:
        assert (await ask(pool, ListFailed())).total == 1
        for action in (RetryJobs((failed,)), PurgeFinished(), RescueStalled()):
            with pytest.raises(DatabaseUnavailable, match="are read-only by default"):
                await ask(pool, action)
    assert await make_job.status(failed) == "failed"


async def test_an_act_that_cannot_be_audited_is_not_done(pool, make_job, conn):
    failed = await make_job(status="failed")
    old = await make_job(status="succeeded", finished_ago=days(40))
    await conn.execute("ALTER TABLE jobs_maint_audit ADD CHECK (false) NOT VALID")
    for action in (RetryJobs((failed,)), PurgeFinished()):
        with pytest.raises(JobsMaintError, match="jobs_maint_audit"):
            await ask(pool, action)
    assert [await make_job.status(job) for job in (failed, old)] == ["failed", "succeeded"]


async def test_five_hundred_ids_with_repetitions_are_put_back_once_each(pool, make_job, conn):
    jobs = [await make_job(status="failed") for _ in range(5)]
    report = await ask(pool, RetryJobs(tuple(jobs * 100)))
    assert [item.job_id for item in report.items] == jobs
    retried = await conn.execute(
        "SELECT job_id FROM procrastinate_events WHERE type = 'retried' ORDER BY 1"
    )
    assert await retried.fetchall() == [(job,) for job in jobs]


async def connect_as(url, name):
    return await psycopg.AsyncConnection.connect(url, application_name=name)


async def test_who_locks_a_table_is_named_and_nobody_who_only_changes_rows(
    pool, make_job, database_url
):
    job = await make_job(status="failed")
    async with (
        await connect_as(database_url, "a worker") as worker,
        await connect_as(database_url, "psql of bo") as bo,
    ):
        await worker.execute("UPDATE jobs_maint_audit SET error = NULL")
        await bo.execute("LOCK TABLE procrastinate_jobs")
        for action in (ShowStats(), RetryJobs((job,))):
            with pytest.raises(DatabaseUnavailable) as told:
                await ask(pool, action)
            expected = rf"for more than 5 s: process {bo.info.backend_pid} \(psql of bo, user \w+, "
            assert re.search(f"{expected}open for", str(told.value))
    assert await make_job.status(job) == "failed"


async def test_of_several_who_hold_rows_the_one_that_holds_this_one_is_named(
    pool, make_job, database_url
):
    jobs = [await make_job(status="failed") for _ in range(2)]
    async with (
        await connect_as(database_url, "first") as first,
        await connect_as(database_url, "second") as second,
    ):
        for holder, job in zip((first, second), jobs, strict=True):
            await holder.execute("SELECT FROM procrastinate_jobs WHERE id = %s FOR UPDATE", (job,))
        with pytest.raises(DatabaseUnavailable) as told:
            await ask(pool, RetryJobs((jobs[1],)))
        assert f": process {second.info.backend_pid} (second, user " in str(told.value)
        assert "first" not in str(told.value)


async def test_a_role_that_sees_no_other_sessions_is_told_the_process(
    server, make_job, database_url
):
    job = await make_job(status="failed")
    server.execute("CREATE ROLE blind LOGIN")
    name = re.search(r"/(test_\w+)\?", database_url)[1]
    server.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO blind", name)
    server.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO blind", name)
    try:
        async with (
            await connect_as(database_url, "psql of bo") as bo,
            open_pool(database_url.replace("postgres@", "blind@")) as pool,
        ):
            await bo.execute("LOCK TABLE procrastinate_jobs")
            with pytest.raises(DatabaseUnavailable) as told:
                await ask(pool, RetryJobs((job,)))
            assert f": process {bo.info.backend_pid} (" in str(told.value)
    finally:
        server.execute("DROP OWNED BY blind", name)
        server.execute("DROP ROLE blind")


def connect_when_free(url: str) -> psycopg.Connection:
    """The server notices a moment later that the connection before has ended."""
    for _ in range(100):
        if find_refusal(url) is None:
            try:
                return psycopg.connect(url)
            except psycopg.OperationalError:
                pass
        time.sleep(0.05)
    return psycopg.connect(url)


async def test_full_connection_slots_are_told_as_that_by_their_code(server: Server, database_url):
    """The server's words may be in any language; the pool of a team says only that time is up."""
    name = server.new_name()
    server.execute(f"CREATE ROLE {name} LOGIN")
    url = psycopg.conninfo.make_conninfo(database_url, user=name)
    assert find_refusal(url) is None
    assert find_refusal(psycopg.conninfo.make_conninfo(url, dbname="nowhere")) == "3D000"
    server.execute(f"ALTER ROLE {name} CONNECTION LIMIT 1")
    try:
        with connect_when_free(url):
            assert find_refusal(url) == "53300"
            with pytest.raises(DatabaseUnavailable, match=r"All connection slots .* are taken"):
                async with open_pool(url):
                    pass
            pool = psycopg_pool.AsyncConnectionPool(
                url, min_size=0, max_size=1, timeout=0.2, open=False
            )
            async with pool:
                with pytest.raises(DatabaseUnavailable, match=r"All connection slots .* are taken"):
                    await ask(pool, ShowStats())
                here = Situation(SETTINGS, lambda: datetime.now(UTC), "3.10.0")
                with (
                    pytest.raises(DatabaseUnavailable, match=r"All connection slots .* are taken"),
                    mapped_errors(),
                ):
                    await examine(pool, here, patience=timedelta(seconds=0.2))
    finally:
        server.execute(f"DROP ROLE {name}")


@pytest.mark.parametrize(
    ("answer", "options", "says"),
    [
        (b"N", "sslmode=require", "server does not support SSL, but SSL was required"),
        (b"S", "sslmode=verify-full&sslrootcert=/nowhere",
         'root certificate file "/nowhere" does not exist. Either provide the file, '),
    ],
)  # fmt: skip
async def test_where_encryption_fails_the_hint_is_about_that_and_the_words_stand_once(
    answer, options, says
):
    async def take(reader, writer):
        if await reader.read(8):
            writer.write(answer)
            await reader.read(1)
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        place = f"127.0.0.1:{port}"
        with pytest.raises(DatabaseUnavailable) as told:
            async with open_pool(f"postgresql://ana:secret@{place}/jobs?{options}"):
                pass
    said = str(told.value)
    assert said.startswith(f"No connection of ana to the database 'jobs' at {place}: {says}"), said
    assert said.endswith(". Check sslmode and its certificates in JOB_QUEUE_DATABASE_URL.")
    assert "connection to server" not in said
