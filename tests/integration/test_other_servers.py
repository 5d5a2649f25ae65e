"""PostgreSQL 15 with German messages; databases that are not UTF-8; roles with little."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import psycopg
import psycopg_pool
import pytest
from tests.conftest import Server
from tests.support.duties import do_every_duty
from tests.support.history import JobFactory

from jobs_maint.actions import (
    Actor,
    ApplySchema,
    BulkVerb,
    CheckSchema,
    ConfirmSelection,
    GetJob,
    JobFilter,
    ListFailed,
    PreviewBulk,
    RescueStalled,
    RetryJobs,
    RunDoctor,
    ShowStats,
)
from jobs_maint.database import mapped_errors, open_pool, transaction
from jobs_maint.errors import DatabaseUnavailable, InvalidRequest, SchemaMismatch
from jobs_maint.operations.schema import applying
from jobs_maint.perform import perform
from jobs_maint.recorder.connection import connect
from jobs_maint.recorder.failure import Failure
from jobs_maint.recorder.store import FailureStore
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings

pytestmark = pytest.mark.environments

ANA = Actor.shell("Änne →", "host")
MESSAGE = "Zahlung über 12 € fehlt → nochmal 😀"


async def ask(pool, action):
    return await perform(pool, ANA, action, settings=MaintSettings())


@pytest.fixture(params=["LATIN1", "SQL_ASCII", "EUC_JP"])
def encoded_url(server: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    name = server.new_name()
    server.execute(
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{request.param}'"
        " LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    yield server.url(name)
    server.drop(name)


@pytest.fixture
async def nobody(database_url: str, server: Server) -> AsyncIterator[str]:
    """The address for a role that may use everything and owns nothing."""
    role = f"nobody_{os.getpid()}"
    name = database_url.rpartition("/")[2].partition("?")[0]
    server.execute(f"CREATE ROLE {role} LOGIN")
    for kind in ("TABLES", "SEQUENCES"):
        server.execute(f"GRANT ALL ON ALL {kind} IN SCHEMA public TO {role}", name)
    server.execute(f"GRANT CREATE ON SCHEMA public TO {role}", name)
    yield database_url.replace("postgres@", f"{role}@")
    server.execute(f"DROP OWNED BY {role}", name)
    server.execute(f"DROP ROLE {role}")


def record(url: str, message: str = MESSAGE) -> int:
    """As the recorder does, whose thread has no event loop."""
    failure = Failure(
        7, 1, "email", "send", "error", "ValueError", message, message, "1:0", False,
        f"Traceback\n{message}",
    )  # fmt: skip
    with connect(url, {}) as conn:
        return FailureStore().write(conn, [failure]).refused


async def test_every_duty_works_on_postgresql_15_with_german_messages(german, german_url):
    async with await psycopg.AsyncConnection.connect(german_url, autocommit=True) as conn:
        with pytest.raises(psycopg.Error, match="existiert nicht"):
            await conn.execute("SELECT nothing")
        await do_every_duty(conn, german_url)


async def test_a_german_timeout_is_told_from_a_german_cancel(german_url):
    async with open_pool(german_url) as pool:
        limits = {"statement_timeout": timedelta(milliseconds=50)}
        with pytest.raises(DatabaseUnavailable, match=r"took longer than 0\.05 s"), mapped_errors():
            async with pool.connection() as conn, transaction(conn, **limits):
                await conn.execute("SELECT pg_sleep(60)")
        with pytest.raises(DatabaseUnavailable, match="on the database server"), mapped_errors():
            async with pool.connection() as conn, transaction(conn):
                await conn.execute("SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(5)")


async def test_a_german_refusal_to_connect_is_shown_in_the_servers_words(german_url):
    with pytest.raises(DatabaseUnavailable) as told:
        async with open_pool(german_url.replace("/test_", "/nothere_")):
            pass
    assert "refused the connection of postgres to the database 'nothere_" in str(told.value)
    assert "existiert nicht" in str(told.value)
    assert "\n" not in str(told.value)


async def test_a_database_of_another_encoding_takes_the_schema_and_keeps_every_text(encoded_url):
    async with (
        await psycopg.AsyncConnection.connect(
            encoded_url, autocommit=True, client_encoding="UTF8"
        ) as conn,
        open_pool(encoded_url) as pool,
    ):
        await ask(pool, ApplySchema())
        assert (await ask(pool, CheckSchema())).pending == ()
        job = await JobFactory(conn)(status="failed", queue="email")
        assert await asyncio.to_thread(record, encoded_url) == 0
        await conn.execute("UPDATE jobs_maint_failures SET job_id = %s", (job,))
        (failed,) = (await ask(pool, ListFailed(error="→ nochmal 😀"))).jobs
        details = await ask(pool, GetJob(job))
        assert len((await ask(pool, RetryJobs((job,)))).done) == 1
    kept = [MESSAGE]
    for character in "ü€→😀":
        kept += [text.replace(character, escape(character)) for text in kept]
    assert failed.message in kept
    assert details.job_id == failed.job_id == job


async def test_every_duty_works_in_a_database_of_another_encoding(encoded_url):
    async with open_pool(encoded_url) as pool:
        await ask(pool, ApplySchema())
    async with await psycopg.AsyncConnection.connect(encoded_url, autocommit=True) as conn:
        await do_every_duty(conn, encoded_url)


def escape(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode()


async def test_a_teams_pool_with_the_databases_own_encoding_works_as_well(encoded_url):
    async with open_pool(encoded_url) as pool:
        await ask(pool, ApplySchema())
    assert await asyncio.to_thread(record, encoded_url) == 0
    async with psycopg_pool.AsyncConnectionPool(
        encoded_url, min_size=1, max_size=2, open=False
    ) as own:
        assert (await ask(own, ListFailed(error="→"))).total == 0
        with pytest.raises(InvalidRequest, match="There is no queue 'grüße→'"):
            await ask(own, ShowStats(queue="grüße→"))
        async with own.connection() as conn:
            rows = await (await conn.execute("SHOW client_encoding")).fetchall()
    assert rows != [("UTF8",)]


async def test_a_role_that_owns_nothing_changes_nothing_and_is_told_the_owner(
    nobody, database_url, conn
):
    async with open_pool(nobody) as pool:
        assert (await ask(pool, ApplySchema())).applied == ()
        await conn.execute("DROP INDEX jobs_maint_purgeable_idx")
        await conn.execute("DELETE FROM jobs_maint_migrations WHERE number = 4")
        await conn.execute("DROP TABLE jobs_maint_hours")
        for indexes in (True, False):
            with pytest.raises(DatabaseUnavailable, match="as the owner postgres, a member"):
                await ask(pool, ApplySchema(indexes=indexes))
    async with open_pool(database_url) as pool:
        applied = (await ask(pool, ApplySchema())).applied
    assert applied == ("0004_hours", "jobs_maint_purgeable_idx")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            "ALTER TABLE jobs_maint_runs DROP COLUMN total",
            "the column jobs_maint_runs.total (total bigint) is missing",
        ),
        (
            "ALTER TABLE jobs_maint_runs ALTER total TYPE text",
            "jobs_maint_runs.total is text, not bigint",
        ),
        ("ALTER TABLE jobs_maint_audit ALTER started_at DROP DEFAULT", "lost its default"),
        ("ALTER TABLE jobs_maint_digests ALTER error SET NOT NULL", "may not be NULL"),
    ],
)
async def test_a_table_that_is_not_as_it_was_made_is_never_called_complete(
    pool, conn, change, words
):
    await conn.execute(change)
    await say_alike(pool, words, "Restore what is named")


async def say_alike(pool, sentence, fix):
    """What `schema apply` does not mend: the three words say the same, and nothing leads to it."""
    with pytest.raises(SchemaMismatch) as refused:
        await ask(pool, ApplySchema())
    status = await ask(pool, CheckSchema())
    found = {f.check: f for f in (await ask(pool, RunDoctor())).findings}["schema"]
    assert found.level == "error"
    for told in (str(refused.value), status.trouble, f"{found.sentence} {found.fix}"):
        assert sentence in told
        assert fix in told
    assert status.pending == ()
    assert "complete" not in render_text(status)


async def drop_copied_indexes(conn):
    rows = await conn.execute(
        "SELECT indexname FROM pg_indexes WHERE tablename = 'jobs_maint_failures'"
        " AND indexname <> (SELECT conname FROM pg_constraint WHERE contype = 'p'"
        " AND conrelid = 'jobs_maint_failures'::regclass)"
    )
    for (name,) in await rows.fetchall():
        await conn.execute(f"DROP INDEX {name}")


async def test_tables_of_a_newer_release_are_called_so_by_each_word(pool, conn):
    await conn.execute("INSERT INTO jobs_maint_migrations (number, name) VALUES (9999, 'newer')")
    await conn.execute("DROP INDEX jobs_maint_purgeable_idx")  # as the newer release may have
    report, status = await ask(pool, ApplySchema()), await ask(pool, CheckSchema())
    findings = {f.check: f for f in (await ask(pool, RunDoctor())).findings}
    told = f"{findings['schema'].sentence} {findings['schema'].fix}"
    for one in (report, status):
        assert told.startswith(one.trouble.partition(". ")[0])
        assert "newer (9999) than this release. Update procrastinate-ops" in one.trouble
        assert "complete" not in render_text(one)
    assert (report.applied, status.pending, findings["indexes"].level) == ((), (), "ok")


async def test_tables_that_somebody_dropped_are_made_again_but_not_a_newer_releases(pool, conn):
    await conn.execute("DROP TABLE jobs_maint_hours, jobs_maint_suspects")
    again = [f"jobs_maint_{name} (was missing, is empty now)" for name in ("suspects", "hours")]
    findings = {f.check: f for f in (await ask(pool, RunDoctor())).findings}
    assert "missing" in findings["schema"].sentence
    assert "`jobs-maint schema apply`" in findings["schema"].fix
    missing = "the table jobs_maint_hours is missing (it is made again, empty)"
    assert missing in (await ask(pool, CheckSchema())).pending
    await conn.execute("INSERT INTO jobs_maint_migrations (number, name) VALUES (9999, 'newer')")
    await say_alike(pool, "the table jobs_maint_hours is missing", "Update procrastinate-ops")
    await conn.execute("DELETE FROM jobs_maint_migrations WHERE number = 9999")
    assert (await ask(pool, ApplySchema())).applied == tuple(again)
    assert (await ask(pool, CheckSchema())).pending == ()
    assert (await ask(pool, ApplySchema())).applied == ()


async def test_a_lost_primary_key_is_named_with_the_statement_that_makes_it(pool, conn, make_job):
    """A restore of a part of a dump leaves tables without their keys."""
    for table, column in (("suspects", "job_id"), ("workers", "worker_id"), ("groups", "name")):
        key = f"jobs_maint_{table}"
        await conn.execute(f"ALTER TABLE {key} DROP CONSTRAINT {key}_pkey")
        add = f"ALTER TABLE {key} ADD PRIMARY KEY ({column})"
        await say_alike(pool, f"lost its primary key ({add})", "Restore what is named")
        if table == "suspects":
            await make_job(status="doing", deferred_ago=timedelta(hours=2))
            with pytest.raises(SchemaMismatch, match=r"lost its primary key.*schema apply"):
                await ask(pool, RescueStalled())
        await conn.execute(add)
    assert (await ask(pool, ApplySchema())).applied == ()


async def test_sequences_that_a_restore_left_behind_are_named_and_moved(pool, conn, make_job):
    jobs = [await make_job(status="failed") for _ in range(4)]
    for job in jobs[:3]:
        await ask(pool, RetryJobs((job,)))
    await conn.execute(
        "SELECT setval(pg_get_serial_sequence('jobs_maint_audit', 'id'), min(id), false)"
        " FROM jobs_maint_audit"
    )
    said = "the numbers of jobs_maint_audit.id begin anew below"
    assert any(said in one for one in (await ask(pool, CheckSchema())).pending)
    findings = {f.check: f for f in (await ask(pool, RunDoctor())).findings}
    assert said in findings["schema"].sentence
    assert findings["schema"].fix.startswith("Run `jobs-maint schema apply`")
    with pytest.raises(SchemaMismatch, match=r"its numbers begin anew.*schema apply"):
        await ask(pool, RetryJobs((jobs[3],)))
    [moved] = (await ask(pool, ApplySchema())).applied
    assert moved.startswith("jobs_maint_audit.id (goes on after ")
    assert (await ask(pool, RetryJobs((jobs[3],)))).items[0].outcome == "done"
    assert (await ask(pool, ApplySchema())).applied == ()


async def test_numbers_of_a_table_that_is_made_again_go_on_after_those_that_others_tell(
    pool, conn, make_job
):
    """An undo names a request by its number: it must not find what an older one did."""
    await make_job(status="failed")
    first = await ask(pool, PreviewBulk(BulkVerb.RETRY, JobFilter(queue="default")))
    done = await ask(pool, ConfirmSelection(first.key))
    await conn.execute("DROP TABLE jobs_maint_audit")
    assert len((await ask(pool, ApplySchema())).applied) == 2
    await make_job(status="failed")
    second = await ask(pool, PreviewBulk(BulkVerb.RETRY, JobFilter(queue="default")))
    assert (await ask(pool, ConfirmSelection(second.key))).audit_id > done.audit_id


async def test_a_table_of_ours_that_was_renamed_keeps_the_names_of_its_indexes_and_is_named(
    pool, conn
):
    await conn.execute("ALTER TABLE jobs_maint_failures RENAME TO kept")
    back = "ALTER TABLE kept RENAME TO jobs_maint_failures"
    await say_alike(pool, f"the table jobs_maint_failures is called kept now ({back}", "Restore")
    await conn.execute("CREATE TABLE jobs_maint_failures (LIKE kept INCLUDING ALL)")
    taken = "an index of the table kept has this name; drop that table if it"
    await drop_copied_indexes(conn)
    for _ in range(2):
        report = await ask(pool, ApplySchema())
        assert len(report.problems) == 4
        assert all(taken in problem for problem in report.problems)
    status = await ask(pool, CheckSchema())
    assert (status.pending, len(status.problems)) == ((), 4)
    findings = {f.check: f for f in (await ask(pool, RunDoctor())).findings}
    assert taken in findings["indexes"].fix
    await conn.execute("DROP TABLE kept")
    assert len((await ask(pool, ApplySchema())).applied) == 4
    assert (await ask(pool, CheckSchema())).pending == ()


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("jobs_maint_purgeable_idx", "ON procrastinate_jobs (status, id)"),
        ("jobs_maint_failed_events_idx", "ON procrastinate_events (job_id) WHERE type = 'failed'"),
        ("jobs_maint_audit_started_at_idx", "ON jobs_maint_audit (word)"),
        ("jobs_maint_failures_job_idx", None),
    ],
)
async def test_an_index_that_is_missing_or_defined_otherwise_is_built_anew(pool, conn, name, other):
    await conn.execute(f"DROP INDEX {name}")
    if other:
        await conn.execute(f"CREATE INDEX {name} {other}")
    assert (await ask(pool, CheckSchema())).pending == (name,)
    assert (await ask(pool, ApplySchema())).applied == (name,)
    assert (await ask(pool, CheckSchema())).pending == ()
    left = await conn.execute("SELECT FROM pg_class WHERE relname LIKE 'jobs\\_maint\\_old%'")
    assert await left.fetchall() == []


@pytest.mark.parametrize("setting", ["statement_timeout", "lock_timeout"])
async def test_a_time_limit_of_the_database_stops_no_build_and_stays_set(
    database_url, server, conn, setting
):
    name = database_url.rpartition("/")[2].partition("?")[0]
    await conn.execute("DROP INDEX jobs_maint_purgeable_idx")
    server.execute(f"ALTER DATABASE {name} SET {setting} = '400ms'")
    with contextlib.closing(psycopg.connect(database_url)) as holder:
        holder.execute("SET LOCAL idle_in_transaction_session_timeout = '1500ms'")
        holder.execute("LOCK TABLE procrastinate_jobs IN ROW EXCLUSIVE MODE")
        async with open_pool(database_url, max_size=3) as pool:
            report = await applying.apply_schema(pool, build_wait=timedelta(seconds=20))
            assert (report.applied, report.problems) == (("jobs_maint_purgeable_idx",), ())
            async with pool.connection() as own:
                shown = await (await own.execute(f"SHOW {setting}")).fetchone()
    assert shown == ("400ms",)


async def test_apply_waits_for_a_database_that_lets_nobody_in_yet(server: Server, jobs_maint):
    name = server.new_name()
    url = server.url(name)
    with pytest.raises(DatabaseUnavailable, match=r"does not exist.*Waited 0\.6 s"):
        async with open_pool(url, wait=timedelta(seconds=0.6)):
            pass
    waiting = asyncio.create_task(
        asyncio.to_thread(jobs_maint, "schema", "apply", "--wait", "60s", url=url)
    )
    await asyncio.to_thread(server.execute, f"CREATE DATABASE {name}")
    done = await waiting
    server.drop(name)
    assert (done.returncode, done.stderr) == (0, "")
    assert "complete" in done.stdout
