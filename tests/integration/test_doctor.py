"""The doctor on real databases: no tables, no rights, no time, no answer; then check by check."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import re
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.types.json import Jsonb
from tests.support.history import days, hours, minutes
from tests.support.waiting import until, wait_for_row

from chatbot.messages.details import render_details
from chatbot.messages.stats import render_stats
from chatbot.messages.workers import render_workers
from jobs_maint import cli, upstream
from jobs_maint.actions import (
    Actor,
    GetJob,
    Grant,
    ListStuck,
    ListWorkers,
    PurgeFinished,
    RescueStalled,
    RetryJobs,
    Role,
    RunDoctor,
    ShowStats,
)
from jobs_maint.database import describe_database, mapped_errors, open_pool
from jobs_maint.errors import DatabaseUnavailable, NotPermitted
from jobs_maint.operations.doctor import database as doctor_database
from jobs_maint.operations.doctor import examine as doctor
from jobs_maint.operations.doctor import waiting
from jobs_maint.operations.doctor import workers as doctor_workers
from jobs_maint.operations.doctor.database import judge_postgresql
from jobs_maint.operations.doctor.examine import CHECKS, Situation, examine
from jobs_maint.operations.doctor.maintenance import judge_schedule
from jobs_maint.perform import perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "host")
SETTINGS = MaintSettings()
HERE = Situation(
    settings=SETTINGS,
    clock=lambda: datetime.now(UTC),
    procrastinate_version=upstream.procrastinate_version(),
)
RESCUE = "jobs_maint:rescue_stalled_jobs"
PURGE = "jobs_maint:purge_finished_jobs"


async def look(pool, **situation):
    """The findings by the name of their check."""
    report = await examine(pool, dataclasses.replace(HERE, **situation))
    assert [f.check for f in report.findings if "not checked" in f.sentence] == []
    return {finding.check: finding for finding in report.findings}


async def level(pool, check, **situation):
    return (await look(pool, **situation))[check].level


async def ask_workers(pool):
    return (await perform(pool, ANA, ListWorkers(), settings=SETTINGS)).workers


def settings(**changed):
    return MaintSettings(**changed)


@pytest.fixture
def worker(conn):
    """Make a worker: its heartbeat, and its beat unless `recorder` is False."""

    async def make(
        *, recorder=True, queues=None, delete_jobs="never", job_ids=(), beat_ago=timedelta(),
        heartbeat_ago=timedelta(),
    ):  # fmt: skip
        found = await conn.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - %s) RETURNING id",
            (heartbeat_ago,),
        )
        (worker_id,) = await found.fetchone()
        if recorder:
            await conn.execute(
                "INSERT INTO jobs_maint_workers (worker_id, host, pid, queues, recorder_version,"
                " delete_jobs, beat_seconds, job_ids, beat_at)"
                " VALUES (%s, 'web-1', 7, %s, '1', %s, 10, %s::bigint[], now() - %s)",
                (worker_id, queues, delete_jobs, list(job_ids), beat_ago),
            )
        return worker_id

    return make


@asynccontextmanager
async def opened_anew(url, **options):
    """A pool whose connections were opened after the database was altered."""
    async with open_pool(url, **options) as pool:
        yield pool


async def wait_for_finding(pool, check):
    while (finding := (await look(pool))[check]).level == "ok":
        await asyncio.sleep(0.05)
    return finding


async def set_for_database(conn, setting):
    await conn.execute(f"ALTER DATABASE {conn.info.dbname} SET {setting}")


# --- as a whole -----------------------------------------------------------------------------------


async def test_a_sound_set_up_is_fine_in_every_check(pool, make_job, worker):
    await worker()
    for task in (RESCUE, PURGE):
        await make_job(queue="maintenance", task=task, status="succeeded")
    await make_job(status="failed")
    report = await perform(pool, ANA, RunDoctor(), settings=SETTINGS)
    assert [f for f in report.findings if f.level != "ok"] == []
    assert sorted(f.check for f in report.findings) == sorted(check.name for check in CHECKS)
    assert report.exit_code == 0


NOT_THERE = "This was not checked: it needs tables of {} that are not there."


async def test_without_any_table_it_answers_and_says_what_to_run(bare_database_url):
    async with open_pool(bare_database_url) as pool:
        report = await perform(pool, ANA, RunDoctor(), settings=SETTINGS)
    errors = {f.check: f for f in report.findings if f.level == "error"}
    assert set(errors) == {"procrastinate_schema", "schema"}
    assert all("jobs-maint schema apply" in finding.fix for finding in errors.values())
    name = describe_database(bare_database_url)
    assert all(name in finding.sentence for finding in errors.values())
    assert report.exit_code == 1
    assert [f.check for f in report.findings[:2]] == ["procrastinate_schema", "schema"]
    left_out = {f.check for f in report.findings if "not checked" in f.sentence}
    assert left_out == {check.name for check in CHECKS if check.needs}
    found = {f.check: f.sentence for f in report.findings}
    assert found["indexes"] == NOT_THERE.format("Procrastinate")
    assert found["workers"] == NOT_THERE.format("procrastinate-ops")


async def test_with_procrastinates_tables_only_what_needs_ours_is_left_out(bare_database_url):
    async with open_pool(bare_database_url) as pool:
        async with pool.connection() as conn:
            await conn.execute(upstream.schema_sql())
        report = await examine(pool, HERE)
    found = {finding.check: finding.level for finding in report.findings}
    assert found["procrastinate_schema"] == "ok"
    assert found["schema"] == "error"
    assert found["indexes"] == "warning"
    assert found["worker_rows"] == "ok"
    left_out = {f.check: f.sentence for f in report.findings if "not checked" in f.sentence}
    assert left_out == {
        check.name: NOT_THERE.format("procrastinate-ops")
        for check in CHECKS
        if check.needs == "ours"
    }


async def test_a_role_without_rights_gets_an_answer_and_the_rights_it_names_are_enough(
    server, pool, conn, make_job, database_url
):
    name = f"weak_{os.getpid()}"
    await conn.execute(f"CREATE ROLE {name} LOGIN")
    await conn.execute("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC")
    await make_job(status="succeeded", finished_ago=days(40))
    job = await make_job(status="failed")
    try:
        async with open_pool(database_url.replace("postgres@", f"{name}@")) as weak:
            report = await examine(weak, HERE)
            found = {finding.check: finding for finding in report.findings}
            assert found["privileges"].level == "error"
            assert f"user {name} lacks" in found["privileges"].sentence
            assert "SELECT, UPDATE, DELETE on procrastinate_jobs" in found["privileges"].sentence
            assert "lacks a privilege" in found["locks"].sentence
            assert (found["locks"].level, found["clock"].level) == ("warning", "ok")
            await conn.execute(found["privileges"].fix)
            assert await level(weak, "privileges") == "ok"
            report = await perform(weak, ANA, RetryJobs((job,)), settings=SETTINGS)
            assert len(report.done) == 1
            purged = await perform(weak, ANA, PurgeFinished(), settings=SETTINGS)
            assert purged.total == 1
            await perform(weak, ANA, RescueStalled(), settings=SETTINGS)
    finally:
        await conn.execute(f"DROP OWNED BY {name}")
        await conn.execute(f"DROP ROLE {name}")


async def test_a_role_that_lacks_one_right_is_told_that_one(conn, database_url):
    name = f"weak_{os.getpid()}"
    await conn.execute(f"CREATE ROLE {name} LOGIN")
    await conn.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}")
    await conn.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {name}")
    await conn.execute(f"REVOKE DELETE ON procrastinate_jobs FROM {name}")
    try:
        async with open_pool(database_url.replace("postgres@", f"{name}@")) as weak:
            finding = (await look(weak))["privileges"]
            assert "lacks privileges: DELETE on procrastinate_jobs." in finding.sentence
            assert finding.fix == f"GRANT DELETE ON procrastinate_jobs TO {name};"
            await conn.execute(finding.fix)
            await conn.execute("ALTER TABLE procrastinate_jobs ENABLE ROW LEVEL SECURITY")
            finding = (await look(weak))["privileges"]
        assert finding.level == "warning"
        assert f"may hide rows of procrastinate_jobs from {name}" in finding.sentence
    finally:
        await conn.execute(f"DROP OWNED BY {name}")
        await conn.execute(f"DROP ROLE {name}")


async def shadow(conn, function):
    """Let a function of ours be found before PostgreSQL's own."""
    await conn.execute("CREATE SCHEMA shadow")
    await conn.execute(f"CREATE FUNCTION shadow.{function} LANGUAGE plpgsql")
    await set_for_database(conn, "search_path = shadow, pg_catalog, public")


async def test_a_check_that_takes_too_long_is_a_warning_and_the_others_still_run(
    conn, database_url
):
    await shadow(
        conn,
        "has_table_privilege(oid, text) RETURNS boolean AS"
        " $$ BEGIN PERFORM pg_sleep(5); RETURN true; END $$",
    )
    async with opened_anew(database_url) as pool:
        report = await examine(pool, HERE, patience=timedelta(seconds=0.5))
    found = {finding.check: finding for finding in report.findings}
    assert found["privileges"].level == "warning"
    assert "took longer than 0.5 s" in found["privileges"].sentence
    assert [f.check for f in report.findings if "not checked" in f.sentence] == ["privileges"]


async def test_a_check_whose_connection_is_lost_is_a_warning_and_the_others_still_run(
    conn, database_url
):
    await shadow(
        conn,
        "has_table_privilege(oid, text) RETURNS boolean AS"
        " $$ BEGIN RETURN pg_terminate_backend(pg_backend_pid()); END $$",
    )
    async with opened_anew(database_url) as pool:
        report = await examine(pool, HERE)
    not_checked = [f for f in report.findings if "not checked" in f.sentence]
    assert [f.check for f in not_checked] == ["privileges"]
    assert "connection to the jobs database was lost" in not_checked[0].sentence


async def test_a_locked_table_does_not_hold_it_up(pool, conn, database_url, monkeypatch):
    monkeypatch.setattr(doctor, "LOCK_TIMEOUT", timedelta(milliseconds=50))
    async with await psycopg.AsyncConnection.connect(database_url) as holder:
        await holder.execute("LOCK TABLE procrastinate_events")
        report = await examine(pool, HERE)
    found = {finding.check: finding for finding in report.findings}
    assert "another session holds a lock" in found["recorder"].sentence
    assert found["recorder"].level == "warning"
    assert found["schema"].level == "ok"


async def test_where_no_check_can_run_it_fails_as_other_words_do(server):
    name = server.create("ours_template")
    async with open_pool(server.url(name)) as pool:
        server.drop(name)
        no_connection = pytest.raises(DatabaseUnavailable, match=r"does not exist\. User, password")
        with no_connection, mapped_errors():
            await examine(pool, HERE, patience=timedelta(seconds=0.3))


async def test_it_changes_nothing_and_is_not_audited(pool, conn):
    await look(pool)
    await perform(pool, ANA, RunDoctor(), settings=SETTINGS)
    found = await conn.execute("SELECT count(*) FROM jobs_maint_audit")
    assert await found.fetchone() == (0,)


async def test_a_grant_limited_to_some_queues_is_not_enough(pool):
    bo = Actor("slack", "U1", "bo", "C1", (Grant(Role.ADMIN, queues=("email*",)),))
    with pytest.raises(NotPermitted, match="every queue"):
        await perform(pool, bo, RunDoctor(), settings=SETTINGS)


def test_in_the_shell_an_error_ends_with_1_and_a_warning_with_0(
    database_url, bare_database_url, monkeypatch, capsys
):
    monkeypatch.setenv("JOB_QUEUE_DATABASE_URL", bare_database_url)
    assert cli.main(["doctor"]) == 1
    assert capsys.readouterr().out.startswith("ERROR Procrastinate's tables")
    monkeypatch.setenv("JOB_QUEUE_DATABASE_URL", database_url)
    with psycopg.connect(database_url) as conn:  # nothing is due yet
        conn.execute("UPDATE jobs_maint_migrations SET applied_at = now()")
    assert cli.main(["doctor", "--json"]) == 0
    assert '"kind": "doctor"' in capsys.readouterr().out


# --- server and machine ---------------------------------------------------------------------------


async def test_a_version_of_postgresql_that_nobody_tested_is_a_note_and_an_old_one_an_error(pool):
    assert await level(pool, "postgresql") == "ok"
    assert judge_postgresql(13, "13.1").level == "ok"
    assert judge_postgresql(12, "12.20").level == "error"
    assert judge_postgresql(99, "99beta1").level == "note"


async def test_transactions_that_are_read_only_by_default_are_an_error(pool, conn, database_url):
    assert await level(pool, "read_only") == "ok"
    await set_for_database(conn, "default_transaction_read_only = on")
    async with opened_anew(database_url) as anew:
        assert await level(anew, "read_only") == "error"


async def test_a_standby_is_an_error(conn, database_url):
    await shadow(conn, "pg_is_in_recovery() RETURNS boolean AS $$ BEGIN RETURN true; END $$")
    async with opened_anew(database_url) as pool:
        finding = (await look(pool))["read_only"]
    assert finding.level == "error"
    assert "to the primary" in finding.fix


async def test_another_isolation_default_is_a_warning(pool, conn, database_url):
    assert await level(pool, "isolation") == "ok"
    await set_for_database(conn, "default_transaction_isolation = 'repeatable read'")
    async with opened_anew(database_url) as anew:
        finding = (await look(anew))["isolation"]
    assert finding.level == "warning"
    assert "REPEATABLE READ" in finding.sentence


@pytest.mark.parametrize(
    ("off", "expected", "says"),
    [
        (timedelta(seconds=2), "ok", "agree"),
        (timedelta(seconds=20), "warning", "20 s ahead of the database's"),
        (-timedelta(seconds=20), "warning", "20 s behind the database's"),
        (timedelta(hours=2), "error", "2 h ahead of"),
        (-timedelta(seconds=90), "error", "90 s behind"),
    ],
)
async def test_the_clocks_of_here_and_there_are_compared(pool, off, expected, says):
    finding = (await look(pool, clock=lambda: datetime.now(UTC) + off))["clock"]
    assert finding.level == expected
    assert says in finding.sentence


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"HTTPS_PROXY": "http://ana:secret@proxy.corp:3128"}, "through proxy.corp:3128, and"),
        ({"http_proxy": "proxy.corp"}, "http_proxy is set"),
        ({"HTTPS_PROXY": "", "HTTP_PROXY": "http://[::1"}, "through a proxy, and"),
    ],
)
async def test_a_proxy_is_a_note_that_shows_no_login(pool, environ, says):
    finding = (await look(pool, environ=environ))["proxy"]
    assert finding.level == "note"
    assert says in finding.sentence
    assert "secret" not in finding.sentence + finding.fix


async def test_no_proxy_is_fine_and_so_is_one_for_other_protocols(pool):
    assert await level(pool, "proxy", environ={"NO_PROXY": "*", "FTP_PROXY": "x"}) == "ok"


async def test_many_jobs_that_each_end_of_a_worker_would_read_are_a_warning(
    pool, conn, make_job, worker
):
    worker_id = await worker()
    for status in ("succeeded", "failed", "doing", "todo"):
        await make_job(status=status, worker_id=worker_id)
    finding = await doctor_database.check_worker_rows(conn, HERE, many=4)
    assert finding.level == "warning"
    assert "all 4 jobs, of which 0 finished ones" in finding.sentence  # the factory clears them
    await conn.execute("UPDATE procrastinate_jobs SET worker_id = %s", (worker_id,))
    finding = await doctor_database.check_worker_rows(conn, HERE, many=4)
    assert "3 finished ones" in finding.sentence
    assert (await doctor_database.check_worker_rows(conn, HERE, many=5)).level == "ok"


async def test_the_index_that_is_proposed_serves_the_end_of_a_worker(conn, make_job):
    await make_job()
    finding = await doctor_database.check_worker_rows(conn, HERE, many=1)
    await conn.execute(finding.fix.split(";")[0])
    assert (await doctor_database.check_worker_rows(conn, HERE, many=1)).level == "ok"
    await conn.execute("SET enable_seqscan = off")
    await conn.execute("SET plan_cache_mode = force_generic_plan")
    await conn.execute(
        "PREPARE fk (bigint) AS UPDATE ONLY procrastinate_jobs SET worker_id = NULL"
        " WHERE $1 OPERATOR(pg_catalog.=) worker_id"
    )
    plan = await (await conn.execute("EXPLAIN EXECUTE fk (1)")).fetchall()
    await conn.execute("RESET ALL")
    assert "procrastinate_jobs_worker_id_idx" in str(plan)


KEEPING = (
    "REFERENCES procrastinate_jobs",
    "REFERENCES procrastinate_jobs ON DELETE RESTRICT",
    "REFERENCES procrastinate_jobs DEFERRABLE",
    "REFERENCES procrastinate_jobs DEFERRABLE INITIALLY DEFERRED",
    "NOT NULL REFERENCES procrastinate_jobs ON DELETE SET NULL",
    "DEFAULT 7 REFERENCES procrastinate_jobs ON DELETE SET DEFAULT",
)


@pytest.mark.parametrize("key", KEEPING)
async def test_a_key_that_keeps_jobs_is_found_before_the_purge_and_its_fix_lets_them_go(
    pool, conn, make_job, key
):
    job_id = await make_job(status="succeeded", finished_ago=days(40))
    await conn.execute(f'CREATE TABLE "Bills" ("jobId" bigint {key})')
    may_wait = "SELECT condeferrable, condeferred FROM pg_constraint WHERE conname LIKE 'Bills%'"
    before = await (await conn.execute(may_wait)).fetchall()
    finding = (await look(pool))["foreign_keys"]
    assert finding.level == "warning"
    assert 'public."Bills"' in finding.sentence
    await conn.execute('INSERT INTO "Bills" VALUES (%s)', (job_id,))
    await conn.execute(finding.fix.split(" Or ")[0])
    assert await (await conn.execute(may_wait)).fetchall() == before
    assert await level(pool, "foreign_keys") == "ok"
    report = await perform(pool, ANA, PurgeFinished(), settings=SETTINGS)
    assert (report.total, report.refused) == (1, ())


async def test_a_key_onto_rows_that_go_with_a_job_is_found_and_one_that_lets_go_is_not(pool, conn):
    await conn.execute(
        "CREATE TABLE bills (id bigint PRIMARY KEY,"
        " job_id bigint REFERENCES procrastinate_jobs ON DELETE CASCADE);"
        "CREATE TABLE notes (job_id bigint REFERENCES procrastinate_jobs ON DELETE SET NULL)"
    )
    assert await level(pool, "foreign_keys") == "ok"
    await conn.execute("CREATE TABLE lines (bill_id bigint REFERENCES bills)")
    assert "lines_bill_id_fkey of public.lines" in (await look(pool))["foreign_keys"].sentence


async def test_a_key_without_an_index_on_a_large_table_is_found(pool, conn):
    await conn.execute(
        "CREATE TABLE bills (job_id bigint REFERENCES procrastinate_jobs ON DELETE CASCADE);"
        "INSERT INTO bills SELECT NULL FROM generate_series(1, 60000)"
    )
    finding = (await look(pool))["foreign_keys"]
    assert "whole table" in finding.sentence
    await conn.execute(finding.fix)
    assert await level(pool, "foreign_keys") == "ok"


async def test_a_large_table_is_sampled_not_read(pool, conn, monkeypatch):
    await conn.execute("ALTER TABLE procrastinate_jobs DISABLE TRIGGER USER")
    await conn.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
    await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status, worker_id)"
        " SELECT 'email', 'app.task', 'succeeded', (SELECT max(id) FROM procrastinate_workers)"
        " FROM generate_series(1, 30000)"
    )
    monkeypatch.setattr(doctor_database, "SAMPLE_PAGES", 100)
    finding = await doctor_database.check_worker_rows(conn, HERE, many=5_000)
    assert finding.level == "warning"
    assert "all ≈ " in finding.sentence
    number = int(finding.sentence.split("≈ ")[1].split(" ")[0].replace(",", ""))
    assert 15_000 < number < 60_000


# --- schema ---------------------------------------------------------------------------------------


async def test_an_unknown_version_of_procrastinate_is_an_error(pool):
    assert await level(pool, "procrastinate", procrastinate_version="3.11.2") == "ok"
    for version in ("3.9.0", "4.0.0", "unknown"):
        assert await level(pool, "procrastinate", procrastinate_version=version) == "error"


@pytest.mark.parametrize(
    ("statement", "expected", "names"),
    [
        ("SELECT 1", "ok", ""),
        ("DROP FUNCTION procrastinate_prune_stalled_workers_v1", "error", "prune_stalled_workers"),
        ("ALTER TABLE procrastinate_jobs DISABLE TRIGGER USER", "error", "trigger"),
        ("DROP INDEX procrastinate_events_job_id_fkey_v1", "warning", "index procrastinate_events"),
    ],
)
async def test_procrastinates_tables_must_be_those_of_the_installed_version(
    pool, conn, statement, expected, names
):
    await conn.execute(statement)
    finding = (await look(pool))["procrastinate_schema"]
    assert finding.level == expected
    assert names in finding.sentence


async def test_tables_that_the_search_path_does_not_reach_are_found(conn, database_url):
    await conn.execute("CREATE SCHEMA jobs")
    await conn.execute("ALTER TABLE procrastinate_jobs SET SCHEMA jobs")
    async with open_pool(database_url) as pool:
        found = {f.check: f for f in (await examine(pool, HERE)).findings}
    assert "schema jobs, which is not on the search path" in found["procrastinate_schema"].sentence
    assert "this user does not see the tables" in found["workers"].sentence


async def test_a_schema_that_the_user_may_not_use_is_named(conn, database_url):
    name = f"weak_{os.getpid()}"
    await conn.execute(f"CREATE ROLE {name} LOGIN")
    await conn.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    try:
        async with open_pool(database_url.replace("postgres@", f"{name}@")) as pool:
            found = {f.check: f for f in (await examine(pool, HERE)).findings}
        for check in ("procrastinate_schema", "schema"):
            assert found[check].fix == f"GRANT USAGE ON SCHEMA public TO {name};"
            assert found[check].level == "error"
        told = " ".join(f"{one.sentence} {one.fix}" for one in found.values())
        assert "schema apply" not in told
        assert "missing" not in told
        assert found["privileges"].level == "warning"
    finally:
        await conn.execute(f"DROP ROLE {name}")


@pytest.mark.parametrize(
    ("statement", "expected", "says"),
    [
        ("SELECT 1", "ok", "current"),
        ("DELETE FROM jobs_maint_migrations WHERE number = 2", "error", "0002_bulk"),
        ("INSERT INTO jobs_maint_migrations VALUES (99, '0099_x')", "warning", "newer (0099)"),
        ("DROP TABLE jobs_maint_runs", "error", "jobs_maint_runs"),
    ],
)
async def test_our_tables_must_be_current(pool, conn, statement, expected, says):
    await conn.execute(statement)
    found = {f.check: f for f in (await examine(pool, HERE)).findings}
    assert found["schema"].level == expected
    assert says in found["schema"].sentence


async def test_a_missing_index_is_a_warning(pool, conn):
    assert await level(pool, "indexes") == "ok"
    await conn.execute("DROP INDEX jobs_maint_purgeable_idx")
    finding = (await look(pool))["indexes"]
    assert finding.level == "warning"
    assert "jobs_maint_purgeable_idx" in finding.sentence


# --- workers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("trace", ["heartbeat", "beat", "settings", "job"])
async def test_where_no_worker_ever_was_it_says_how_to_start_one(
    pool, conn, make_job, worker, trace
):
    """Afterwards it is the log of the last one that says why there is none."""
    finding = (await look(pool))["workers"]
    assert finding.level == "warning"
    assert finding.sentence == (
        "No worker is live, and none has ever reported to this database; no job is ready to run."
    )
    assert "`python -m procrastinate --app=MODULE.app worker`" in finding.fix
    assert "last one" not in finding.fix
    await make_job()
    finding = (await look(pool))["workers"]
    assert finding.level == "error"
    assert finding.sentence.endswith("to this database; jobs ready to run: 1.")
    match trace:
        case "heartbeat" | "beat":
            long = hours(1)
            await worker(recorder=trace == "beat", heartbeat_ago=long, beat_ago=long)
            if trace == "beat":
                await conn.execute("DELETE FROM procrastinate_workers")
        case "settings":
            await conn.execute(
                "INSERT INTO jobs_maint_settings (worker_id, settings) VALUES (7, %s)",
                (Jsonb({"queue": "maintenance"}),),
            )
        case "job":
            await make_job(status="succeeded", finished_ago=hours(1))
    finding = (await look(pool))["workers"]
    assert finding.sentence == "No worker is live; jobs ready to run: 1."
    assert finding.fix == "Start a worker; the log of the last one may say why."


async def test_of_ready_jobs_without_a_worker_it_is_said_how_many_are_ours(pool, make_job):
    """`stats`, which does not count ours, says that no job waits."""
    for task in (RESCUE, PURGE):
        await make_job(queue="maintenance", task=task)
    finding = (await look(pool))["workers"]
    assert finding.sentence.endswith("; jobs ready to run: 2, all of our own tasks.")
    await make_job()
    finding = (await look(pool))["workers"]
    assert finding.level == "error"
    assert finding.sentence.endswith("jobs ready to run: 3, 2 of them of our own tasks.")


async def test_no_worker_is_a_warning_and_with_ready_jobs_an_error(pool, make_job, worker):
    assert await level(pool, "workers") == "warning"
    await make_job(scheduled_in=hours(1))
    assert await level(pool, "workers") == "warning"
    await make_job()
    finding = (await look(pool))["workers"]
    assert (finding.level, "ready to run: 1." in finding.sentence) == ("error", True)
    await worker()
    assert await level(pool, "workers") == "ok"


async def test_a_worker_that_ran_no_job_yet_need_not_beat(pool, worker):
    await worker(recorder=False)
    finding = (await look(pool))["workers"]
    assert finding.level == "ok"
    assert "1 with no job so far" in finding.sentence


@pytest.mark.parametrize("status", ["doing", "succeeded"])
async def test_a_live_worker_that_ran_a_job_and_never_beat_has_no_recorder(
    pool, conn, make_job, worker, status
):
    silent = await worker(recorder=False)
    job = await make_job(status=status, worker_id=silent, deferred_ago=minutes(2))
    await conn.execute("UPDATE procrastinate_jobs SET worker_id = %s WHERE id = %s", (silent, job))
    finding = (await look(pool))["workers"]
    assert finding.level == "error"
    assert f"1 of 1 live workers run jobs without a recorder (worker {silent})" in finding.sentence
    assert "jobs_maint.register(app)" in finding.fix
    await worker()
    assert await level(pool, "workers") == "warning"


async def test_a_worker_that_just_began_its_first_job_is_given_time(pool, make_job, worker):
    new = await worker(recorder=False)
    await make_job(status="doing", worker_id=new)
    assert await level(pool, "workers") == "ok"


async def test_right_after_a_kill_it_says_silent_and_maybe_dead(pool, conn, worker):
    """Not that its recorder stopped: its heartbeat did not go on either."""
    await worker()
    dead = await worker(
        beat_ago=timedelta(seconds=12), heartbeat_ago=timedelta(seconds=14), job_ids=[1]
    )
    await conn.execute(
        "UPDATE jobs_maint_workers SET beat_seconds = 1 WHERE worker_id = %s", (dead,)
    )
    finding = (await look(pool))["workers"]
    assert finding.level == "warning"
    assert re.fullmatch(
        rf"Worker {dead} \(web-1 pid 7\) has been silent for \d\d s and may be dead\. "
        r"1 other worker is live\.",
        finding.sentence,
    )


async def test_a_worker_that_holds_a_job_and_is_silent_is_a_warning(pool, make_job, worker):
    dead = await worker(beat_ago=minutes(3), heartbeat_ago=minutes(3))
    await make_job(status="doing", worker_id=dead)
    await worker()
    finding = (await look(pool))["workers"]
    assert finding.level == "warning"
    assert f"Worker {dead} (web-1 pid 7) has been silent for 3 min" in finding.sentence


SILENT = r"Worker {} \(web-1 pid 7\) has been silent for {} and may be dead{}\."


@pytest.mark.parametrize("seconds", [45, 180])
@pytest.mark.parametrize("holds", [False, True])
async def test_where_none_lives_everything_names_the_silent_one_and_says_no_more_than_it_knows(
    pool, make_job, worker, seconds, holds
):
    """It may be stopped or cut off: nothing says that it ended."""
    ago = timedelta(seconds=seconds)
    silent = await worker(beat_ago=ago, heartbeat_ago=ago)
    had = ""
    if holds:
        job = await make_job(status="doing", worker_id=silent, deferred_ago=minutes(9))
        had = f"; it had job {job}"
        details = await perform(pool, ANA, GetJob(job))
        for told in (render_text(details), render_details(details).text):
            whole = " ".join(told.split())
            assert re.search(r"web-1 pid 7, silent for [\w ]+: it may be dead", whole), told
    said = SILENT.format(silent, r"(4\d s|3 min)", had)
    finding = (await look(pool))["workers"]
    assert finding.level == "warning"
    assert re.fullmatch(rf"No worker is live; no job is ready to run\. {said}", finding.sentence)
    start = "Start another worker if nothing restarts it."
    assert finding.fix.startswith(start)
    assert ("`jobs-maint stuck` shows its jobs" in finding.fix) == holds == (finding.fix != start)
    assert "ended" not in finding.fix
    stats = await perform(pool, ANA, ShowStats())
    workers = await perform(pool, ANA, ListWorkers())
    for told in (
        render_text(stats),
        render_stats(stats, "/jobs").text,
        render_text(workers),
        render_workers(workers).text,
    ):
        assert re.search(said, " ".join(told.split())), told
    await make_job()
    finding = (await look(pool))["workers"]
    assert finding.level == "error"
    assert re.fullmatch(rf"No worker is live; jobs ready to run: 1\. {said}", finding.sentence)
    await worker()
    assert (await perform(pool, ANA, ShowStats())).silent_workers == ()


async def test_where_those_that_live_are_stopping_the_silent_one_is_named_too(
    pool, make_job, worker
):
    silent = await worker(beat_ago=minutes(3), heartbeat_ago=minutes(3))
    job = await make_job(status="doing", worker_id=silent, deferred_ago=minutes(9))
    await worker(queues=[])
    sentence = (await look(pool))["workers"].sentence
    assert sentence.startswith("No worker listens, 1 is stopping")
    assert re.search(SILENT.format(silent, "3 min", f"; it had job {job}"), sentence), sentence


async def test_several_silent_workers_are_counted_and_those_with_jobs_come_first(
    pool, make_job, worker
):
    holder = await worker(beat_ago=minutes(9), heartbeat_ago=minutes(9))
    job = await make_job(status="doing", worker_id=holder, deferred_ago=minutes(20))
    others = [await worker(beat_ago=minutes(n), heartbeat_ago=minutes(n)) for n in (5, 4, 3)]
    finding = (await look(pool))["workers"]
    assert "the jobs of those that are dead" in finding.fix
    assert finding.sentence.endswith(
        "4 workers are silent and may be dead: "
        f"worker {holder} (web-1 pid 7) for 9 min, it had job {job}; "
        f"worker {others[2]} (web-1 pid 7) for 3 min; worker {others[1]} (web-1 pid 7) for 4 min; "
        "and 1 more."
    )


async def test_where_it_says_the_jobs_of_a_silent_worker_are_they_are(pool, conn, make_job, worker):
    """Also once Procrastinate has forgotten the worker: then no job has it any more."""
    await worker()
    dead = await worker(beat_ago=minutes(3), heartbeat_ago=minutes(3))
    job = await make_job(status="doing", worker_id=dead, deferred_ago=minutes(5))
    await conn.execute(
        "UPDATE jobs_maint_workers SET job_ids = %s WHERE worker_id = %s", ([job], dead)
    )
    for forgotten in (False, True):
        if forgotten:
            await conn.execute("DELETE FROM procrastinate_workers WHERE id = %s", (dead,))
        finding = (await look(pool))["workers"]
        assert "`jobs-maint stuck` shows its jobs" in finding.fix
        there = await perform(pool, ANA, ListStuck())
        assert [one.job_id for one in (*there.stuck, *there.silent)] == [job]


async def test_a_worker_that_was_restarted_after_a_kill_leaves_no_warning(pool, conn, worker):
    for _ in range(3):
        await worker(beat_ago=minutes(3), heartbeat_ago=minutes(3))
    found = await ask_workers(pool)
    assert [row.live for row in found] == [False] * 3
    await worker()
    assert await level(pool, "workers") == "ok"
    assert [row.live for row in await ask_workers(pool)] == [True]


@pytest.mark.parametrize(("told_ago", "silent"), [(4, 1), (6, 2)])
async def test_a_worker_that_was_replaced_stays_so_when_its_replacement_ends(
    pool, conn, worker, told_ago, silent
):
    """The replacement came after the last beat of the first one alone, or before it."""
    ids = [await worker(beat_ago=minutes(n), heartbeat_ago=minutes(n)) for n in (5, 3)]
    newer = await worker()
    await conn.execute(
        "INSERT INTO jobs_maint_settings (worker_id, settings, told_at)"
        " VALUES (%s, '{}', now() - %s) ON CONFLICT (one) DO UPDATE"
        " SET worker_id = excluded.worker_id, told_at = excluded.told_at",
        (newer, minutes(told_ago)),
    )
    await conn.execute("DELETE FROM procrastinate_workers WHERE id = %s", (newer,))
    await conn.execute("DELETE FROM jobs_maint_workers WHERE worker_id = %s", (newer,))
    left = [row.worker_id for row in await ask_workers(pool)]
    assert left == ids[2 - silent :]
    assert (await perform(pool, ANA, ShowStats())).workers.silent == len(left)


@pytest.mark.parametrize("known", [True, False])
async def test_a_job_that_was_put_back_and_runs_elsewhere_is_no_more_the_dead_workers(
    pool, conn, make_job, worker, known
):
    """Also where the row of the worker that runs it now was removed, which takes its id off it."""
    dead = await worker(beat_ago=minutes(9), heartbeat_ago=minutes(9))
    live = await worker()
    job = await make_job(status="doing", worker_id=live, attempts=1, deferred_ago=hours(1))
    names = "UPDATE jobs_maint_workers SET job_ids = %s WHERE worker_id = %s"
    await conn.execute(names, ([job], dead))
    await conn.execute(
        "INSERT INTO jobs_maint_suspects (job_id, attempt, started_at, worker_id, had_recorder)"
        " VALUES (%s, 0, now() - interval '20 minutes', %s, true)",
        (job, dead),
    )
    if not known:
        await conn.execute(names, ([job], live))
        await conn.execute("DELETE FROM procrastinate_workers WHERE id IN (%s, %s)", (live, dead))
        await conn.execute("UPDATE procrastinate_events SET at = now() WHERE type = 'started'")
        await worker()
    assert dead not in [row.worker_id for row in await ask_workers(pool)]
    assert (await perform(pool, ANA, ShowStats())).workers.silent == 0
    assert "silent" not in (await look(pool))["workers"].sentence


async def test_a_living_worker_whose_row_procrastinate_deleted_takes_no_jobs(
    pool, conn, make_job, worker
):
    """It beats on, but the next job that it fetches violates a foreign key and ends it."""
    cut_off = await worker()
    await make_job(queue="email", deferred_ago=minutes(3))
    assert (await perform(pool, ANA, ShowStats())).unserved_queues == ()
    assert await level(pool, "maintenance_queue") == "ok"
    await conn.execute("DELETE FROM procrastinate_workers")
    found = await look(pool)
    finding = found["workers"]
    assert finding.level == "error"
    told = (
        f"Worker {cut_off} takes no more jobs: Procrastinate took it for dead and deleted its row "
        "in procrastinate_workers"
    )
    assert finding.sentence.startswith(told)
    assert finding.fix.startswith("Restart that worker: its running jobs end first.")
    assert found["listening"].sentence.startswith("No live worker listens to 'email'")
    assert found["maintenance_queue"].level != "ok"
    assert (await perform(pool, ANA, ShowStats())).unserved_queues == ("email",)
    report = await perform(pool, ANA, ListWorkers())
    assert [(row.live, row.registered, row.state) for row in report.workers] == [
        (True, False, "unregistered")
    ]
    assert told in " ".join(render_text(report).split())
    shown = render_workers(report)
    assert shown.text.startswith("🟡 The only worker takes no more jobs.")
    assert f"{told}, as it does where an event loop was blocked for over 30 s." in shown.text
    await worker()
    found = await look(pool)
    assert (found["workers"].level, found["listening"].level) == ("warning", "ok")
    assert found["workers"].sentence.startswith(f"2 live. {told}")
    report = await perform(pool, ANA, ListWorkers())
    assert render_workers(report).text.startswith("🟡 1 of 2 workers takes no more jobs.")
    await worker()
    await conn.execute("DELETE FROM procrastinate_workers WHERE id = %s", (cut_off + 1,))
    finding = (await look(pool))["workers"]
    assert f"3 live. Workers {cut_off}, {cut_off + 1} take no more jobs" in finding.sentence


@pytest.mark.parametrize("case", [{"queues": []}, {"beat_ago": timedelta(seconds=14)}])
async def test_a_stopping_worker_and_one_that_may_be_dead_are_not_told_to_be_restarted(
    pool, conn, worker, case
):
    await worker(**case)
    await conn.execute("DELETE FROM procrastinate_workers")
    await worker()
    assert "takes no more jobs" not in (await look(pool))["workers"].sentence
    report = await perform(pool, ANA, ListWorkers())
    assert "unregistered" not in [row.state for row in report.workers]


async def test_a_worker_with_no_job_so_far_is_not_said_to_have_no_recorder(pool, worker):
    await worker(recorder=False)
    (row,) = await ask_workers(pool)
    assert (row.live, row.recorder, row.ran) == (True, False, False)
    text = render_text(await perform(pool, ANA, ListWorkers(), settings=MaintSettings()))
    assert "without a recorder" not in text
    assert "1 worker with no job so far" in text


async def test_a_recorder_that_stopped_is_a_warning(pool, worker):
    await worker(beat_ago=minutes(5))
    finding = (await look(pool))["workers"]
    assert finding.level == "warning"
    assert "stopped" in finding.sentence


async def test_failures_without_a_record_are_counted(pool, conn, make_job, worker):
    await conn.execute("UPDATE jobs_maint_migrations SET applied_at = now() - interval '1 hour'")
    assert await level(pool, "recorder") == "ok"
    await make_job(status="failed")
    assert await level(pool, "recorder") == "ok"
    # The recorder may have collected it for its next second.
    await make_job(status="failed", recorded=False, finished_ago=minutes(0))
    finding = (await look(pool))["recorder"]
    assert finding.level == "ok"
    assert "2, each with its error recorded, 1 of the last 10 s not yet." in finding.sentence
    job = await make_job(status="failed", recorded=False, finished_ago=minutes(1))
    finding = (await look(pool))["recorder"]
    assert finding.level == "warning"
    assert f"1 of the 3 failures in the last day has no recorded error (job {job})" in (
        finding.sentence
    )
    assert "in its worker's log say why" in finding.fix  # others were recorded
    await make_job(status="failed", recorded=False, finished_ago=minutes(2))
    await conn.execute(
        "INSERT INTO procrastinate_events (job_id, type, at)"
        " VALUES (%s, 'failed', now() - interval '30 s')",
        (job,),
    )
    finding = (await look(pool))["recorder"]
    assert (
        f"3 of the 5 failures in the last day have no recorded error (jobs {job + 1}, {job})"
        in (finding.sentence)
    )
    for number in range(2):
        await make_job(status="failed", recorded=False, finished_ago=minutes(3 + number))
    newest = ", ".join(str(job + number) for number in (3, 2, 1))
    finding = (await look(pool))["recorder"]
    assert f"5 of the 7 failures in the last day have no recorded error (jobs {newest}" in (
        finding.sentence
    )
    assert "and 1 more)" in finding.sentence


async def test_where_the_newest_events_do_not_reach_back_a_day_it_says_so(
    pool, make_job, monkeypatch
):
    monkeypatch.setattr(doctor_workers, "NEWEST_EVENTS", 2)
    await make_job(status="failed", recorded=False)
    await make_job()
    await make_job()
    assert "No job failed in the newest 2 events." in (await look(pool))["recorder"].sentence


async def test_no_record_at_all_and_no_beat_means_that_no_recorder_runs(
    pool, conn, make_job, worker
):
    await conn.execute("UPDATE jobs_maint_migrations SET applied_at = now() - interval '1 hour'")
    await make_job(status="failed", recorded=False, finished_ago=minutes(1))
    assert await level(pool, "recorder") == "error"
    await worker()
    assert await level(pool, "recorder") == "warning"


async def test_failures_before_our_tables_came_do_not_count(pool, conn, make_job):
    await make_job(status="failed", recorded=False, finished_ago=minutes(10))
    await conn.execute("UPDATE jobs_maint_migrations SET applied_at = now() - interval '1 minute'")
    assert await level(pool, "recorder") == "ok"
    await conn.execute("UPDATE jobs_maint_migrations SET applied_at = now() - interval '1 hour'")
    assert await level(pool, "recorder") == "error"


async def test_an_old_record_of_an_earlier_run_does_not_count_for_this_one(pool, conn, make_job):
    await conn.execute("UPDATE jobs_maint_migrations SET applied_at = now() - interval '1 hour'")
    job = await make_job(status="failed", finished_ago=minutes(1))
    await conn.execute("UPDATE jobs_maint_failures SET failed_at = now() - interval '2 days'")
    finding = (await look(pool))["recorder"]
    assert (finding.level, f"job {job}" in finding.sentence) == ("error", True)


@pytest.mark.parametrize("value", ["successful", "always"])
async def test_a_worker_that_deletes_finished_jobs_is_a_warning(pool, worker, value):
    await worker()
    await worker(delete_jobs=value, beat_ago=hours(1), heartbeat_ago=hours(1))
    assert await level(pool, "deleted_jobs") == "ok"
    await worker(delete_jobs=value, beat_ago=hours(1))
    finding = (await look(pool))["deleted_jobs"]
    assert finding.level == "warning"
    assert f"1 worker with delete_jobs={value}" in finding.sentence


@pytest.mark.parametrize("queues", [None, ["email", "maintenance"]])
async def test_a_worker_of_all_queues_or_of_ours_listens(pool, worker, queues):
    await worker(queues=queues)
    assert await level(pool, "maintenance_queue") == "ok"


async def test_nobody_listening_is_a_warning_and_with_waiting_jobs_an_error(pool, make_job, worker):
    await worker(queues=["email"])
    assert await level(pool, "maintenance_queue") == "warning"
    await make_job(queue="maintenance", task="app.task")
    assert await level(pool, "maintenance_queue") == "warning"
    await make_job(queue="maintenance", task=RESCUE, deferred_ago=minutes(20))
    finding = (await look(pool))["maintenance_queue"]
    assert finding.level == "error"
    assert "1 job of ours waiting there, the oldest for 20 min" in finding.sentence


async def test_a_live_worker_that_does_not_beat_may_listen(pool, worker):
    await worker(recorder=False)
    finding = (await look(pool))["maintenance_queue"]
    assert finding.level == "note"
    assert finding.fix.startswith(
        "Wait for their first job. If none of them listens, start a worker that listens to "
        "'maintenance', or add it to the queues of one"
    )


async def test_a_live_worker_that_ran_jobs_and_never_beat_is_not_waited_for(
    pool, conn, make_job, worker
):
    silent = await worker(recorder=False)
    await make_job(status="succeeded", worker_id=silent)
    await conn.execute("UPDATE procrastinate_jobs SET worker_id = %s", (silent,))
    assert (await look(pool))["maintenance_queue"].fix.startswith("If none of them listens, start")


async def test_a_live_worker_with_known_queues_does_not_count_among_those_without_a_beat(
    pool, worker
):
    await worker(queues=["email"], beat_ago=hours(1))
    assert await level(pool, "maintenance_queue") == "warning"
    await worker(recorder=False)
    finding = (await look(pool))["maintenance_queue"]
    assert finding.level == "note"
    assert finding.sentence == (
        "No known worker listens to 'maintenance'; the queues of 1 live worker without a beat are "
        "not known."
    )


async def test_a_queue_that_no_live_worker_listens_to_is_an_error_once_jobs_wait_there(
    pool, make_job, worker
):
    assert await level(pool, "listening") == "ok"
    await worker(queues=["email", "maintenance"])
    await make_job(queue="email", deferred_ago=minutes(5))
    await make_job(queue="thumbs", deferred_ago=timedelta(seconds=50))
    await make_job(queue="later", deferred_ago=minutes(5), scheduled_in=hours(1))
    assert await level(pool, "listening") == "note"
    await make_job(queue="video", deferred_ago=minutes(3))
    await make_job(queue="thumbs", task=RESCUE, deferred_ago=minutes(90))
    finding = (await look(pool))["listening"]
    assert finding.level == "error"
    assert finding.sentence == (
        "No live worker listens to 'video', where a job has waited for 3 min."
    )
    await worker(queues=None)
    assert await level(pool, "listening") == "ok"


async def test_nobody_needs_to_listen_when_nothing_of_ours_is_scheduled(pool):
    off = settings(purge_cron="", rescue_cron="")
    assert await level(pool, "maintenance_queue", settings=off) == "ok"


async def test_a_job_of_ours_that_waits_although_somebody_listens_is_a_warning(
    pool, make_job, worker
):
    await worker()
    await make_job(queue="maintenance", task=RESCUE, deferred_ago=minutes(20))
    finding = (await look(pool))["maintenance_queue"]
    assert finding.level == "warning"
    assert "waiting there for 20 min" in finding.sentence


# --- locks ----------------------------------------------------------------------------------------


async def test_workers_that_search_for_their_next_job_for_long_are_found_and_the_fix_lets_them(
    pool, conn, worker, database_url, monkeypatch
):
    monkeypatch.setattr(waiting, "SLOW_FETCH", timedelta(seconds=0.2))
    fetch = f"SELECT id FROM procrastinate_fetch_job_v2(NULL, {await worker()})"
    await conn.execute("ANALYZE procrastinate_jobs")  # while nobody has deferred anything
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as search:
        for _ in range(8):  # from the sixth on PostgreSQL keeps the plan
            await search.execute(fetch)
        assert await level(pool, "fetching") == "ok"
        await conn.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
            " SELECT 'news', 'app.mail', '{}' FROM generate_series(1, 20000)"
        )
        fetching = asyncio.create_task(search.execute(fetch))
        finding = await wait_for_finding(pool, "fetching")
        assert finding.level == "error"
        assert "1 worker has been searching" in finding.sentence
        assert "old statistics of the jobs table" in finding.sentence
        assert f"end these searches as {conn.info.user}, or as a superuser" in finding.fix
        for statement in re.findall("`(.+?)`", finding.fix):
            await conn.execute(statement)
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            await fetching
    await conn.execute("SET statement_timeout = '20s'")
    assert await (await conn.execute(fetch)).fetchone() == (1,)


async def test_who_holds_the_table_that_workers_search_is_named(
    pool, conn, worker, database_url, monkeypatch
):
    monkeypatch.setattr(waiting, "SLOW_FETCH", timedelta(seconds=0.2))
    fetch = f"SELECT id FROM procrastinate_fetch_job_v2(NULL, {await worker()})"
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as search:
        async with conn.transaction():
            await conn.execute("LOCK TABLE procrastinate_jobs IN EXCLUSIVE MODE")
            fetching = asyncio.create_task(search.execute(fetch))
            finding = await wait_for_finding(pool, "fetching")
            assert f"process {conn.info.backend_pid} of the server holds a lock" in finding.sentence
        await fetching
    assert await level(pool, "fetching") == "ok"


async def test_a_job_scheduled_for_later_that_holds_up_ready_jobs_is_named(pool, make_job):
    first = await make_job(lock="account 7", scheduled_in=hours(3))
    assert await level(pool, "locks") == "ok"
    await make_job(lock="account 7")
    await make_job(lock="account 7")
    await make_job(lock="account 7", scheduled_in=hours(1))
    await make_job(lock="account 8")
    finding = (await look(pool))["locks"]
    assert finding.level == "warning"
    assert f"'account 7' holds up 2 ready jobs: job {first} comes first" in finding.sentence
    assert f"jobs-maint cancel {first}" in finding.fix


async def test_a_job_of_higher_priority_is_not_held_up(pool, conn, make_job):
    await make_job(lock="account 7", scheduled_in=hours(3))
    ready = await make_job(lock="account 7")
    await conn.execute("UPDATE procrastinate_jobs SET priority = 5 WHERE id = %s", (ready,))
    fetched = await conn.execute("SELECT id FROM procrastinate_fetch_job_v2(NULL, NULL)")
    assert await fetched.fetchone() == (ready,)
    await conn.execute("UPDATE procrastinate_jobs SET status = 'todo' WHERE id = %s", (ready,))
    assert await level(pool, "locks") == "ok"


async def test_a_running_job_of_a_dead_worker_that_holds_up_ready_jobs_is_an_error(
    pool, conn, make_job, worker
):
    stuck = await make_job(status="doing", lock="account 7")
    await make_job(lock="account 7")
    await make_job(lock="account 8", scheduled_in=hours(1))
    await make_job(lock="account 8")
    finding = (await look(pool))["locks"]
    assert finding.level == "error"
    assert f"'account 7' holds up 1 ready job: job {stuck} has it" in finding.sentence
    assert f"In total, 2 locks, of jobs {stuck}, {stuck + 2}, hold up 2 jobs." in finding.sentence
    assert "`jobs-maint rescue` puts the job back when it is due." in finding.fix
    assert f"about job {stuck + 2}, which only waits for its time" in finding.fix
    assert f"`jobs-maint cancel {stuck + 2}`" in finding.fix
    for number in range(5):
        await make_job(lock=f"order {number}", scheduled_in=hours(1))
        await make_job(lock=f"order {number}")
    assert "In total, 7 locks, of jobs " in (sentence := (await look(pool))["locks"].sentence)
    assert " and 2 more, hold up 7 jobs." in sentence
    await conn.execute("DELETE FROM procrastinate_jobs WHERE lock LIKE 'order %'")
    await worker(job_ids=[stuck])
    assert await level(pool, "locks") == "warning"


async def test_a_running_job_with_a_fresh_heartbeat_holds_nothing_up(pool, make_job, worker):
    living = await worker(recorder=False)
    await make_job(status="doing", lock="account 7", worker_id=living)
    await make_job(lock="account 7")
    assert await level(pool, "locks") == "ok"


# --- maintenance ----------------------------------------------------------------------------------


async def since(conn, span):
    await conn.execute("UPDATE jobs_maint_migrations SET applied_at = now() - %s", (span,))


@pytest.mark.parametrize(
    ("ago", "expected"), [(minutes(2), "ok"), (minutes(9), "ok"), (hours(1), "error")]
)
async def test_a_rescue_that_did_not_run_is_an_error(pool, conn, make_job, ago, expected):
    await since(conn, days(2))
    await make_job(queue="maintenance", task=RESCUE, status="succeeded", finished_ago=ago)
    assert await level(pool, "rescue") == expected


@pytest.mark.parametrize(
    ("ago", "expected"), [(hours(1), "ok"), (hours(20), "warning"), (days(4), "error")]
)
async def test_a_purge_that_missed_one_night_is_a_warning_two_are_an_error(
    pool, conn, make_job, ago, expected
):
    cron = f"{datetime.now(UTC):%M} {(datetime.now(UTC) - hours(5)):%H} * * *"
    await since(conn, days(9))
    await make_job(queue="maintenance", task=PURGE, status="succeeded", finished_ago=ago)
    finding = (await look(pool, settings=settings(purge_cron=cron)))["purge"]
    assert finding.level == expected


@pytest.mark.parametrize("check", ["rescue", "purge"])
async def test_what_never_ran_is_not_due_right_after_the_tables_came(pool, conn, check):
    await since(conn, minutes(1))
    finding = (await look(pool))[check]
    assert (finding.level, "not due yet" in finding.sentence) == ("ok", True)
    await since(conn, days(3))
    finding = (await look(pool))[check]
    assert finding.level == "error"
    assert "has never succeeded" in finding.sentence


@pytest.mark.parametrize("check", ["rescue", "purge"])
async def test_what_was_missed_before_the_first_worker_started_is_a_note_for_two_minutes(
    pool, conn, worker, check
):
    await since(conn, days(3))
    await worker()
    finding = (await look(pool))[check]
    assert finding.level == "note"
    assert re.search(r"never succeeded; the first live worker started .* ago\.$", finding.sentence)
    assert re.fullmatch(r"Wait: it is due at [\d-]+ [\d:]+ UTC \(.+\)\.", finding.fix)
    await conn.execute("UPDATE jobs_maint_workers SET started_at = now() - interval '3 minutes'")
    await worker()
    assert (await look(pool))[check].level == "error"


async def test_a_last_run_that_failed_is_told_with_its_job(pool, make_job):
    await make_job(queue="maintenance", task=RESCUE, status="succeeded", finished_ago=minutes(6))
    job = await make_job(queue="maintenance", task=RESCUE, status="failed")
    finding = (await look(pool))["rescue"]
    assert finding.level == "warning"
    assert f"jobs-maint status {job}" in finding.fix
    await make_job(queue="maintenance", task=RESCUE, status="succeeded")
    assert await level(pool, "rescue") == "ok"


async def test_an_empty_cron_is_a_note(pool, conn):
    await since(conn, days(9))
    off = settings(purge_cron="", rescue_cron="")
    found = await look(pool, settings=off)
    assert (found["purge"].level, found["rescue"].level) == ("note", "note")


async def defer_and_delete(conn, *tasks, ago=timedelta()):
    """The last tick of each, whose job a worker has deleted."""
    for task in tasks:
        await conn.execute(
            "INSERT INTO procrastinate_periodic_defers (task_name, defer_timestamp)"
            " VALUES (%s, extract(epoch FROM now() - %s)::bigint)",
            (task, ago),
        )


async def test_when_workers_delete_what_succeeded_the_audit_tells_of_the_purge(pool, conn):
    await since(conn, days(9))
    await defer_and_delete(conn, PURGE, RESCUE)
    found = await look(pool)
    assert (found["purge"].level, found["rescue"].level) == ("note", "note")
    assert "its job is deleted, so how it ended is not known" in found["rescue"].sentence
    await perform(pool, Actor.task(PURGE), PurgeFinished(), settings=SETTINGS)
    assert await level(pool, "purge") == "ok"


async def test_a_rescue_whose_jobs_were_deleted_by_workers_that_ended_has_run(pool, conn):
    await since(conn, days(9))
    await defer_and_delete(conn, RESCUE, ago=minutes(40))
    finding = (await look(pool))["rescue"]
    assert finding.level == "error"
    assert finding.sentence.startswith("The rescue last ran 40 min ago; its job is deleted")
    assert "never" not in finding.sentence


def test_a_schedule_is_read_in_utc_whatever_zone_the_session_has():
    from zoneinfo import ZoneInfo

    now = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    run = {
        "now": now.astimezone(ZoneInfo("Asia/Tokyo")),
        "succeeded_at": now - hours(8),
        "failed_at": None,
        "failed_job_id": None,
        "applied_at": now - days(30),
        "deleted_at": None,
        "started_at": None,
    }
    assert judge_schedule("purge", "0 3 * * *", run, hours(1)).level == "ok"
    assert judge_schedule("purge", "0 5 * * *", run, hours(1)).level == "warning"


async def digest(conn, name, until_ago, span, state="sent", error=None):
    await conn.execute(
        "INSERT INTO jobs_maint_digests (name, since, until, state, error)"
        " VALUES (%s, now() - %s - %s, now() - %s, %s, %s)",
        (name, until_ago, span, until_ago, state, error),
    )


async def test_digests_are_judged_by_their_own_rhythm(pool, conn):
    assert await level(pool, "digests") == "ok"
    for number in range(8, 0, -1):
        await digest(conn, "daily", hours(1) + days(number - 1), days(1))
    finding = (await look(pool))["digests"]
    assert (finding.level, finding.sentence) == ("ok", "1 digest sent on time.")
    for number in range(8, 0, -1):
        await digest(conn, "late", hours(30) + days(number - 1), days(1), "quiet")
    finding = (await look(pool))["digests"]
    assert finding.level == "warning"
    assert "digest late is late: it covers failures up to 30 h ago" in finding.sentence


async def test_a_young_digest_may_have_a_weekend_before_it(pool, conn):
    await digest(conn, "workdays", days(3), days(1))
    assert await level(pool, "digests") == "ok"


async def test_a_digest_that_slack_refused_is_told_with_the_reason(pool, conn):
    await digest(conn, "daily", hours(25), days(1))
    await digest(conn, "daily", hours(1), days(1), "failed", "channel_not_found")
    finding = (await look(pool))["digests"]
    assert finding.level == "warning"
    assert "channel_not_found" in finding.sentence
    await digest(conn, "daily", timedelta(), days(1))
    assert await level(pool, "digests") == "ok"


async def test_each_digest_has_its_own_reason(pool, conn):
    for name, reason in (("a", "is_archived"), ("b", "not_in_channel"), ("c", "not_in_channel")):
        await digest(conn, name, hours(25), days(1))
        await digest(conn, name, hours(1), days(1), "failed", reason)
    finding = (await look(pool))["digests"]
    assert finding.sentence == (
        "The last attempt to send the digests a, b, c failed. a: is_archived. b, c: not_in_channel."
    )
    await conn.execute("UPDATE jobs_maint_digests SET state = 'sent'")
    finding = (await look(pool))["digests"]
    assert finding.sentence.startswith("The digests a, b, c went to the audit channel. a: is_arch")


async def test_a_digest_that_was_never_sent_is_told(pool, conn):
    await digest(conn, "daily", hours(1), days(1), "failed", "not_in_channel")
    assert "it was never sent. not_in_channel" in (await look(pool))["digests"].sentence


async def test_suspects_are_a_note_until_the_rescue_should_have_acted(pool, conn, make_job, worker):
    await worker()
    await conn.execute("UPDATE jobs_maint_workers SET steady_since = now() - interval '1 h'")
    assert await level(pool, "suspects") == "ok"
    job, other = await make_job(status="doing"), await make_job(status="doing", queue="mail")
    finding = (await look(pool))["suspects"]
    assert finding.level == "note"
    what = f"2 running jobs without a live worker (jobs {job}, {other})"
    assert finding.sentence == f"{what}, not noticed by the rescue yet."
    assert len((await perform(pool, ANA, ListStuck(), settings=SETTINGS)).stuck) == 2
    more = [await make_job(status="doing") for _ in range(4)]
    finding = (await look(pool))["suspects"]
    assert f"6 running jobs without a live worker (jobs {job}, {other}, {more[0]} and 3 more)" in (
        finding.sentence
    )
    await conn.execute("DELETE FROM procrastinate_jobs WHERE id = ANY (%s)", (more,))
    await conn.execute("UPDATE procrastinate_jobs SET status = 'failed' WHERE id = %s", (other,))
    await conn.execute(
        "INSERT INTO jobs_maint_suspects"
        " (job_id, attempt, started_at, had_recorder, first_noticed_at)"
        " SELECT job_id, 0, max(at), true, now() - interval '2 minutes'"
        " FROM procrastinate_events WHERE job_id = %s AND type = 'started' GROUP BY job_id"
        " ON CONFLICT (job_id) DO UPDATE"  # `stuck` has noticed it
        " SET first_noticed_at = excluded.first_noticed_at, had_recorder = true",
        (job,),
    )
    finding = (await look(pool))["suspects"]
    assert finding.level == "note"
    assert f"1 running job without a live worker (job {job})" in finding.sentence
    assert finding.fix.startswith("The rescue puts each back")
    idle = (await look(pool, settings=settings(rescue_cron="")))["suspects"]
    assert "The rescue is switched off" in idle.sentence
    assert "`jobs-maint rescue`" in idle.fix
    await conn.execute("UPDATE jobs_maint_suspects SET first_noticed_at = now() - interval '1 h'")
    assert await level(pool, "suspects") == "warning"
    await conn.execute("UPDATE procrastinate_jobs SET status = 'succeeded'")
    assert await level(pool, "suspects") == "ok"


async def test_an_act_whose_process_is_gone_is_a_warning(pool, conn):
    found = await conn.execute(
        "INSERT INTO jobs_maint_audit (actor_kind, actor_id, word, action, outcome)"
        " VALUES ('shell', 'ana@host', 'purge', 'purge', 'started') RETURNING id"
    )
    (audit_id,) = await found.fetchone()
    await conn.execute(
        "INSERT INTO jobs_maint_runs (audit_id, lease_until) VALUES (%s, now() + interval '1 min')",
        (audit_id,),
    )
    assert await level(pool, "audit") == "ok"
    await conn.execute("UPDATE jobs_maint_runs SET lease_until = now() - interval '1 second'")
    finding = (await look(pool))["audit"]
    assert finding.level == "warning"
    assert f"purge #{audit_id}" in finding.sentence
    await conn.execute(
        "INSERT INTO jobs_maint_audit (actor_kind, actor_id, word, action, outcome)"
        " SELECT actor_kind, actor_id, word, action, outcome FROM jobs_maint_audit,"
        " generate_series(1, 7)"
    )
    sentence = (await look(pool))["audit"].sentence
    assert sentence.startswith("8 acts cut off: purge #")
    assert " and 5 more still `started`" in sentence


# --- with a real worker ---------------------------------------------------------------------------


async def wait_for(pool, check, expected):
    async def find():
        finding = (await look(pool))[check]
        return finding if finding.level == expected else None

    return await until(find, f"{check}: {expected}")


async def defer(conn, task):
    await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
        """ VALUES ('email', %s, '{"number": 1}')""",
        (task,),
    )


async def test_a_real_worker_with_the_recorder_is_fine_in_every_check(pool, conn, processes):
    await conn.execute(
        "CREATE TABLE test_runs (id serial, job_id bigint, attempt int, step text, pid int)"
    )
    await since(conn, days(2))
    cron = {"JOBS_MAINT_RESCUE_CRON": "* * * * * */1", "JOBS_MAINT_PURGE_CRON": "* * * * * */1"}
    processes.start("-m", "tests.support.queue_app", '{"fetch_job_polling_interval": 0.2}', **cron)
    for check in ("workers", "maintenance_queue", "rescue", "purge"):
        await wait_for(pool, check, "ok")
    await defer(conn, "storm")
    await wait_for_row(conn, "SELECT 1 FROM procrastinate_jobs WHERE status = 'failed'")
    crons = {name.removeprefix("JOBS_MAINT_").lower(): value for name, value in cron.items()}
    report = await examine(pool, dataclasses.replace(HERE, settings=settings(**crons)))
    assert [f for f in report.findings if f.level != "ok"] == []


async def test_a_real_worker_without_the_recorder_is_found(pool, conn, processes):
    await conn.execute(
        "CREATE TABLE test_runs (id serial, job_id bigint, attempt int, step text, pid int)"
    )
    processes.start(
        "-m", "tests.support.queue_app", '{"fetch_job_polling_interval": 0.2}',
        TEST_REGISTER="false",
    )  # fmt: skip
    assert "1 with no job so far" in (await wait_for(pool, "workers", "ok")).sentence
    await defer(conn, "app.unknown")
    await wait_for(pool, "workers", "error")
    finding = await wait_for(pool, "recorder", "error")
    assert "the recorder is not running" in finding.sentence


async def test_the_watch_for_incidents(pool, conn):
    finding = (await look(pool))["watch"]
    assert (finding.level, finding.sentence) == ("ok", "No bot has looked for incidents yet.")
    await conn.execute(
        "INSERT INTO jobs_maint_watch (id, holder, lease_until, watched_at)"
        " VALUES (1, 'bot-1', now(), now())"
    )
    assert await level(pool, "watch") == "ok"
    await conn.execute(
        "INSERT INTO jobs_maint_incidents (kind, subject, state, since, opened_at, seen_at, value,"
        " worst, value_limit, revised_at, told_error) VALUES ('no_worker', '', 'open', now(),"
        " now(), now(), 1, 1, 1, now(), 'There is no channel C0OPS.')"
    )
    finding = (await look(pool))["watch"]
    assert finding.sentence == (
        "The message of I-1 could not be posted. There is no channel C0OPS."
    )
    await conn.execute("UPDATE jobs_maint_incidents SET ts = '17.1', channel = 'C0AUDIT'")
    assert "I-1 did not go where it should." in (await look(pool))["watch"].sentence
    await conn.execute("UPDATE jobs_maint_incidents SET told_error = NULL")
    await conn.execute("UPDATE jobs_maint_watch SET complete = false")
    assert "not complete" in (await look(pool))["watch"].sentence
    await conn.execute("UPDATE jobs_maint_watch SET watched_at = now() - interval '5 minutes'")
    assert "for 5 min: nobody is told" in (await look(pool))["watch"].sentence
