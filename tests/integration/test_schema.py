"""Applying the schema: alone, twice, by two at once, in another schema, on old tables."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import procrastinate
import psycopg
import pytest
from psycopg import sql
from tests.support.server import Server

import jobs_maint
from jobs_maint import upstream
from jobs_maint.actions import (
    Actor,
    ApplySchema,
    CheckSchema,
    DropSchema,
    GetJob,
    ListErrors,
    ListFailed,
    ListIncidents,
    ListStuck,
    ListWorkers,
    PreviewDropSchema,
    RetryJobs,
    RunDoctor,
    ShowAudit,
    ShowDigest,
    ShowSchemaSql,
    ShowStats,
)
from jobs_maint.database import check_schema, open_pool
from jobs_maint.errors import DatabaseUnavailable, InvalidSettings, SchemaMismatch
from jobs_maint.operations.schema import applying as schema
from jobs_maint.operations.schema.declared import canonical, list_columns, list_own_indexes
from jobs_maint.operations.schema.indexes import list_indexes
from jobs_maint.operations.schema.places import TABLES
from jobs_maint.perform import perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings
from jobs_maint.sql import list_migrations, load_queries

INDEXES = tuple(name for name, _ in list_indexes())
ANA = Actor.shell("ana", "host")


async def ask(pool, action):
    return await perform(pool, ANA, action, settings=MaintSettings())


async def list_tables(url: str) -> list[tuple[str, str]]:
    async with await psycopg.AsyncConnection.connect(url) as conn:
        found = await conn.execute(
            "SELECT schemaname, tablename FROM pg_tables"
            " WHERE tablename LIKE 'jobs\\_maint%' OR tablename LIKE 'procrastinate%' ORDER BY 1, 2"
        )
        return await found.fetchall()


async def test_apply_makes_procrastinates_tables_and_ours_and_again_does_nothing(
    bare_database_url,
):
    async with open_pool(bare_database_url) as pool:
        before = await ask(pool, CheckSchema())
        assert before.procrastinate is False
        with pytest.raises(SchemaMismatch, match="jobs-maint schema apply"):
            await check_schema(pool)
        first = await ask(pool, ApplySchema())
        second = await ask(pool, ApplySchema())
        await check_schema(pool)
    assert first.applied == before.pending
    assert second.applied == ()
    assert len(await list_tables(bare_database_url)) == 4 + len(TABLES)


async def test_two_applies_at_once_both_succeed_and_each_step_is_done_once(bare_database_url):
    async with open_pool(bare_database_url) as one, open_pool(bare_database_url) as two:
        reports = await asyncio.gather(*(ask(pool, ApplySchema()) for pool in (one, two) * 2))
    applied = [name for report in reports for name in report.applied]
    assert sorted(applied) == sorted(set(applied))
    assert len(applied) == 1 + len(list_migrations()) + len(INDEXES)


async def test_an_index_whose_build_was_interrupted_is_built_anew(database_url):
    async with open_pool(database_url) as pool:
        async with pool.connection() as conn:
            await conn.execute(
                "UPDATE pg_index SET indisvalid = false"
                " WHERE indexrelid = 'jobs_maint_purgeable_idx'::regclass"
            )
        assert (await ask(pool, CheckSchema())).pending == ("jobs_maint_purgeable_idx",)
        assert (await ask(pool, ApplySchema())).applied == ("jobs_maint_purgeable_idx",)
        assert (await ask(pool, CheckSchema())).pending == ()


async def test_a_build_that_waits_for_somebodys_transaction_says_whose(database_url):
    async with await psycopg.AsyncConnection.connect(
        database_url, application_name="a long report"
    ) as holder:
        await holder.execute("DROP INDEX jobs_maint_purgeable_idx")
        await holder.commit()
        await holder.execute("LOCK TABLE procrastinate_jobs IN ROW EXCLUSIVE MODE")
        async with open_pool(database_url) as pool:
            report = await schema.apply_schema(pool, build_wait=timedelta(seconds=0.5))
            assert report.applied == ()
            assert "a long report" in report.problems[0]
            await holder.rollback()
            assert (await schema.apply_schema(pool)).applied == ("jobs_maint_purgeable_idx",)


async def test_settings_that_change_what_the_catalogue_prints_change_no_comparison(
    database_url, make_job
):
    await make_job(deferred_ago=timedelta(days=1_001, seconds=7))
    odd = ["quote_all_identifiers=on", "extra_float_digits=-15", "standard_conforming_strings=off"]
    odd += ["IntervalStyle=sql_standard", "DateStyle=German", "bytea_output=escape"]
    options = "%20".join(f"-c{one.replace('=', '%3D')}" for one in odd)
    async with open_pool(f"{database_url}&options={options}") as pool:
        assert (await ask(pool, CheckSchema())).pending == ()
        assert (await ask(pool, ApplySchema())).applied == ()
        findings = {found.check: found for found in (await ask(pool, RunDoctor())).findings}
        [queue] = (await ask(pool, ShowStats())).queues
    assert [findings[name].level for name in ("schema", "indexes", "procrastinate_schema")] == [
        "ok"
    ] * 3
    assert timedelta(seconds=queue.oldest_ready_seconds).days == 1_001


async def test_an_index_for_which_there_is_no_room_is_named_and_the_rest_is_applied(
    database_url, conn
):
    await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT 'q', 't', 'succeeded' FROM generate_series(1, 20000);"
        "DROP INDEX jobs_maint_purgeable_idx, jobs_maint_own_idx"
    )
    little = "-ctemp_file_limit%3D1%20-cmaintenance_work_mem%3D64"
    async with open_pool(f"{database_url}&options={little}") as pool:
        report = await ask(pool, ApplySchema())
    assert report.applied == ("jobs_maint_own_idx",)
    [problem] = report.problems
    assert problem.startswith("jobs_maint_purgeable_idx was not built: the database reported: temp")
    assert report.problems[0].endswith("then run schema apply again")


async def test_without_the_indexes_everything_else_is_applied(bare_database_url):
    async with open_pool(bare_database_url) as pool:
        await ask(pool, ApplySchema(indexes=False))
        assert (await ask(pool, CheckSchema())).pending == INDEXES


async def test_an_apply_that_waits_too_long_says_for_whom(bare_database_url):
    async with await psycopg.AsyncConnection.connect(
        bare_database_url, autocommit=True, application_name="the other one"
    ) as holder:
        await holder.execute("SELECT pg_advisory_lock(7310598, hashtext('public'))")
        async with open_pool(bare_database_url) as pool:
            with pytest.raises(DatabaseUnavailable, match="the other one"):
                await schema.apply_schema(pool, lock_wait=timedelta(seconds=0.3))


async def test_the_tables_go_beside_procrastinates_on_the_search_path(bare_database_url):
    async with await psycopg.AsyncConnection.connect(bare_database_url, autocommit=True) as conn:
        await conn.execute("CREATE SCHEMA jobs")
    url = f"{bare_database_url}&options=-csearch_path%3Djobs"
    async with open_pool(url) as pool:
        await ask(pool, ApplySchema())
        assert (await ask(pool, ListFailed())).total == 0
    assert {name for name, _ in await list_tables(bare_database_url)} == {"jobs"}


@pytest.mark.parametrize("name", ["team", "Jobs", "S 2", 'o"dd \\x'])
async def test_the_address_that_is_advised_finds_tables_in_any_schema(bare_database_url, name):
    async with await psycopg.AsyncConnection.connect(bare_database_url, autocommit=True) as conn:
        place = sql.Identifier(name)
        await conn.execute(sql.SQL("CREATE SCHEMA {}").format(place))
        await conn.execute(sql.SQL("SET search_path = {}").format(place))
        path = (await (await conn.execute("SHOW search_path")).fetchone())[0]
        await conn.execute(
            sql.SQL("ALTER DATABASE {} SET search_path = {}").format(
                sql.Identifier(conn.info.dbname), place
            )
        )
        async with open_pool(bare_database_url) as pool:
            await ask(pool, ApplySchema())
        await conn.execute(
            sql.SQL("ALTER DATABASE {} RESET search_path").format(sql.Identifier(conn.info.dbname))
        )
    async with open_pool(bare_database_url) as pool:
        with pytest.raises(SchemaMismatch) as caught:
            await ask(pool, ShowStats())
    option = re.search(r"\?(options=\S+) to JOB_QUEUE", str(caught.value))[1]
    async with open_pool(f"{bare_database_url}&{option}") as pool:
        assert (await ask(pool, ShowStats())).queues == ()
        async with pool.connection() as conn:
            shown = await (await conn.execute("SHOW search_path")).fetchone()
    assert shown == (path,)


async def test_no_second_set_is_made_where_nobody_chose_a_schema(bare_database_url):
    async with await psycopg.AsyncConnection.connect(bare_database_url, autocommit=True) as conn:
        await conn.execute("CREATE SCHEMA team")
    async with open_pool(f"{bare_database_url}&options=-csearch_path%3Dteam") as pool:
        await ask(pool, ApplySchema())
    async with open_pool(bare_database_url) as pool:
        with pytest.raises(
            SchemaMismatch, match=r"in the schema team.*Nothing was changed"
        ) as found:
            await ask(pool, ApplySchema())
        with pytest.raises(SchemaMismatch) as same:
            await ask(pool, CheckSchema())
        assert str(same.value) == str(found.value)
    assert {name for name, _ in await list_tables(bare_database_url)} == {"team"}
    option = re.findall(r"\?(options=\S+?)[. ]", str(found.value))[-1]
    async with open_pool(f"{bare_database_url}&{option}") as pool:  # it is meant so
        status = await ask(pool, CheckSchema())
        place = "Procrastinate's tables are in the schema team, which is not on the search path."
        assert status.elsewhere.startswith(place)
        assert place in render_text(status)
        assert (await ask(pool, ApplySchema())).applied == status.pending
        assert (await ask(pool, CheckSchema())).elsewhere is None
    assert {name for name, _ in await list_tables(bare_database_url)} == {"team", "public"}


async def test_the_advised_search_path_names_no_schema_twice(bare_database_url):
    async with await psycopg.AsyncConnection.connect(bare_database_url, autocommit=True) as conn:
        await conn.execute("CREATE SCHEMA team")
    async with open_pool(bare_database_url) as pool:
        await ask(pool, ApplySchema())
    async with open_pool(f"{bare_database_url}&options=-csearch_path%3Dteam") as pool:
        with pytest.raises(SchemaMismatch, match="SET search_path = public; or add"):
            await ask(pool, ShowStats())


async def test_of_several_schemas_off_the_search_path_none_is_chosen_for_the_team(
    bare_database_url,
):
    """Each option leads to the schema that it is given for, and only to that."""
    options = {"B b": "-csearch_path%3D%22B%5C%20b%22", "a": "-csearch_path%3Da"}
    async with await psycopg.AsyncConnection.connect(bare_database_url, autocommit=True) as conn:
        for schema, option in options.items():
            await conn.execute(f'CREATE SCHEMA "{schema}"')
            async with open_pool(f"{bare_database_url}&options={option}") as pool:
                await ask(pool, ApplySchema())
    path = "the search path reaches none of them."
    ways = ", ".join(f"?options={option} for {schema}" for schema, option in options.items())
    fix = f"Add the schema of your app to JOB_QUEUE_DATABASE_URL: {ways}."
    async with open_pool(bare_database_url) as pool:
        for action, which in {
            CheckSchema(): "Procrastinate's tables",
            ApplySchema(): "Procrastinate's tables",
            ShowStats(): "Procrastinate's tables",
            PreviewDropSchema(): "Tables of ours",
            DropSchema(): "Tables of ours",
        }.items():
            with pytest.raises(SchemaMismatch) as caught:
                await ask(pool, action)
            told = str(caught.value)
            assert told.startswith(f"{which} are in the schemas B b, a; {path}"), action
            assert fix in told, action
        doctor = await find_findings(pool)
        for check in ("procrastinate_schema", "schema"):
            assert path in doctor[check].sentence
            assert doctor[check].fix == fix


async def run_script(url: str, sql: str) -> None:
    """As psql does with a file: every statement, whatever became of the one before."""
    failed = []
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        for statement in sql.split(";\n\n"):
            try:
                await conn.execute(statement)
            except psycopg.Error as exc:
                failed.append(exc.diag.message_primary)
    if failed:
        raise RuntimeError(failed[0])


async def find_findings(pool) -> dict:
    return {found.check: found for found in (await ask(pool, RunDoctor())).findings}


async def test_ours_without_procrastinates_are_completed_and_a_part_of_its_tables_is_refused(
    bare_database_url,
):
    """Ours stand in a schema that is not the first one, where Procrastinate's must go too."""
    async with await psycopg.AsyncConnection.connect(bare_database_url, autocommit=True) as conn:
        await conn.execute("CREATE SCHEMA first; CREATE SCHEMA jobs; SET search_path = jobs")
        await conn.execute(load_queries("schema")["create_migrations"])
        for done in list_migrations():
            await conn.execute(done.text)
            await conn.execute(
                "INSERT INTO jobs_maint_migrations VALUES (%s, %s)", (done.number, done.name)
            )
        url = f"{bare_database_url}&options=-csearch_path%3Dfirst,jobs"
        async with open_pool(url) as pool:
            report = await ask(pool, PreviewDropSchema())
            assert {table.name for table in report.tables} == set(TABLES)
            assert (await find_findings(pool))["procrastinate_schema"].fix.startswith("Run `jobs-m")
            pending = (await ask(pool, CheckSchema())).pending
            assert pending == (schema.PROCRASTINATE, *INDEXES)
            assert (await ask(pool, ApplySchema())).applied == pending
            assert (await ask(pool, CheckSchema())).pending == ()
            assert {place for place, _ in await list_tables(url)} == {"jobs"}
            for table, left in (
                ("events", "no procrastinate_events"),
                ("jobs", "no procrastinate_jobs be"),
            ):
                await conn.execute(f"DROP TABLE procrastinate_{table} CASCADE")
                for action in (ApplySchema(), CheckSchema()):
                    with pytest.raises(SchemaMismatch, match=rf"schema jobs are .*{left}.*Restore"):
                        await ask(pool, action)
                assert left in (await find_findings(pool))["procrastinate_schema"].sentence
            assert (await ask(pool, DropSchema())).dropped
            assert (await ask(pool, PreviewDropSchema())).empty


async def test_the_printed_sql_goes_beside_procrastinates_or_refuses_and_leaves_nothing(
    bare_database_url,
):
    sql = (await perform(None, ANA, ShowSchemaSql(), settings=MaintSettings())).sql
    url = f"{bare_database_url}&options=-csearch_path%3Dteam,%22o'dd%22,public"
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        await conn.execute('CREATE SCHEMA team; CREATE SCHEMA "o\'dd"')
        with pytest.raises(RuntimeError, match=r"not on the search path \(team,.*nothing was ch"):
            await run_script(url, sql)
        assert await list_tables(url) == []
        await conn.execute(f"""SET search_path = "o'dd"; {upstream.schema_sql()}""")
        await run_script(url, sql)
        async with open_pool(url) as pool:
            assert {place for place, _ in await list_tables(url)} == {"o'dd"}
            assert (await ask(pool, CheckSchema())).pending == ()
            for table in TABLES:
                await conn.execute(f"ALTER TABLE {table} SET SCHEMA team")
            with pytest.raises(RuntimeError, match=r"in the schema team, and Procrastinate's in "):
                await run_script(url, sql)
            for action in (ApplySchema(), CheckSchema()):
                with pytest.raises(SchemaMismatch, match=r"in the schema team.* Nothing was chan"):
                    await ask(pool, action)
            assert len((await ask(pool, PreviewDropSchema())).tables) == len(TABLES)
            finding = (await find_findings(pool))["schema"]
            assert finding.level == "error"
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as by_hand:
                await by_hand.execute(finding.fix.partition(": ")[2])
            assert (await ask(pool, CheckSchema())).pending == ()
            assert {place for place, _ in await list_tables(url)} == {"o'dd"}
            await conn.execute('CREATE TABLE team.jobs_maint_audit (LIKE "o\'dd".jobs_maint_audit)')
            with pytest.raises(SchemaMismatch, match=r"hidden by those in the schema team"):
                await ask(pool, ApplySchema())
            await conn.execute("DROP TABLE team.jobs_maint_audit, jobs_maint_selections")
            assert "are missing" in (await find_findings(pool))["schema"].sentence
            await run_script(url, sql)
            assert (await find_findings(pool))["schema"].level == "ok"


async def test_two_deployments_on_one_search_path_have_tables_of_their_own(bare_database_url):
    async with await psycopg.AsyncConnection.connect(bare_database_url, autocommit=True) as conn:
        await conn.execute("CREATE SCHEMA one; CREATE SCHEMA two")
    async with open_pool(f"{bare_database_url}&options=-csearch_path%3Dtwo") as pool:
        await ask(pool, ApplySchema())
    url = f"{bare_database_url}&options=-csearch_path%3Done,two"
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        await conn.execute(upstream.schema_sql())
    async with open_pool(url) as pool:
        assert (await ask(pool, PreviewDropSchema())).empty
        assert "those in the schema two" in (await find_findings(pool))["schema"].sentence
        await ask(pool, ApplySchema())
        assert (await find_findings(pool))["schema"].level == "ok"
        dropped = await ask(pool, DropSchema())
        assert ({table.schema for table in dropped.tables}, dropped.elsewhere) == (
            {"one"},
            ("two",),
        )
    assert len(await list_tables(url)) == 4 + 4 + len(TABLES)


async def test_a_query_without_our_tables_names_the_command(bare_database_url):
    async with open_pool(bare_database_url) as pool:
        await ask(pool, ApplySchema())
        async with pool.connection() as conn:
            await conn.execute("DROP TABLE jobs_maint_failures")
        with pytest.raises(SchemaMismatch, match=r"jobs_maint_failures.*schema apply"):
            await ask(pool, ListFailed())


async def test_the_printed_sql_makes_the_same_tables_and_indexes(bare_database_url, server: Server):
    sql = (await perform(None, ANA, ShowSchemaSql(), settings=MaintSettings())).sql
    async with open_pool(bare_database_url) as pool:
        await ask(pool, ApplySchema())
    by_tool = server.create("bare_template")
    try:
        async with await psycopg.AsyncConnection.connect(server.url(by_tool)) as conn:
            await conn.execute(upstream.schema_sql())
            await conn.commit()
            await conn.set_autocommit(True)
            for statement in sql.split(";\n\n"):
                await conn.execute(statement)
        assert await list_tables(server.url(by_tool)) == await list_tables(bare_database_url)
        async with open_pool(server.url(by_tool)) as pool:
            assert (await ask(pool, CheckSchema())).pending == ()
    finally:
        server.drop(by_tool)


async def make_old_tables(conn: psycopg.AsyncConnection, old: int) -> None:
    """Those of the version that had so many migrations."""
    await conn.execute(upstream.schema_sql())
    await conn.execute(load_queries("schema")["create_migrations"])
    for done in list_migrations()[:old]:
        await conn.execute(done.text)
        values = (done.number, done.name)
        await conn.execute(
            "INSERT INTO jobs_maint_migrations (number, name) VALUES (%s, %s)", values
        )


@pytest.mark.parametrize("old", [0, 1, 6, len(list_migrations()) - 1])
async def test_newer_code_on_older_tables_runs_the_jobs_and_works_or_names_the_command(
    bare_database_url, old, caplog
):
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(conninfo=bare_database_url, min_size=1)
    )
    jobs_maint.register(app, MaintSettings(rescue_cron="", purge_cron=""))

    @app.task(name="fails")
    async def fails() -> None:
        raise ValueError("no such mailbox")

    async with (
        await psycopg.AsyncConnection.connect(bare_database_url, autocommit=True) as conn,
        open_pool(bare_database_url) as pool,
    ):
        await make_old_tables(conn, old)
        async with app.open_async():
            await fails.defer_async()
            await app.run_worker_async(
                wait=False, listen_notify=False, install_signal_handlers=False
            )
        found = await conn.execute("SELECT status::text FROM procrastinate_jobs")
        assert await found.fetchall() == [("failed",)]
        recorded = 0
        if old:
            found = await conn.execute("SELECT count(*) FROM jobs_maint_failures")
            [(recorded,)] = await found.fetchall()
        assert recorded or "schema apply" in caplog.text, caplog.text
        refusals: list[str] = []
        for action in (
            ShowStats(), ListErrors(), ListFailed(), ListStuck(), ListWorkers(), GetJob(1),
            ShowDigest(), ShowAudit(), ListIncidents(), RetryJobs((1,)),
        ):  # fmt: skip
            try:
                await ask(pool, action)
            except SchemaMismatch as exc:
                refusals.append(str(exc))
        assert all("schema apply" in one for one in refusals), refusals
        findings = {f.check: f for f in (await ask(pool, RunDoctor())).findings}
        assert findings["schema"].level != "ok"


async def test_an_index_that_a_pending_step_makes_is_not_called_missing_too(bare_database_url):
    async with await psycopg.AsyncConnection.connect(bare_database_url, autocommit=True) as conn:
        await make_old_tables(conn, 11)
        for _, statement in list_indexes():
            await conn.execute(statement)
    async with open_pool(bare_database_url) as pool:
        findings = {f.check: f for f in (await ask(pool, RunDoctor())).findings}
    assert "0012_alike not applied" in findings["schema"].sentence
    assert findings["indexes"].level == "ok"


async def test_a_table_that_is_missing_in_an_older_version_is_made_again_before_the_upgrade(
    bare_database_url,
):
    async with await psycopg.AsyncConnection.connect(bare_database_url, autocommit=True) as conn:
        await make_old_tables(conn, 6)
        await conn.execute("ALTER TABLE jobs_maint_workers RENAME TO elsewhere")
        async with open_pool(bare_database_url) as pool:
            with pytest.raises(SchemaMismatch, match=r"jobs_maint_workers is called .*elsewhere"):
                await ask(pool, ApplySchema())
            await conn.execute("DROP TABLE elsewhere")
            applied = (await ask(pool, ApplySchema())).applied
            assert applied[0] == "jobs_maint_workers (was missing, is empty now)"
            assert (await ask(pool, CheckSchema())).pending == ()


async def test_where_a_column_is_missing_what_was_applied_before_is_told(bare_database_url):
    async with await psycopg.AsyncConnection.connect(bare_database_url, autocommit=True) as conn:
        await make_old_tables(conn, 11)
        await conn.execute("ALTER TABLE jobs_maint_digests DROP COLUMN error")
    async with open_pool(bare_database_url) as pool:
        with pytest.raises(SchemaMismatch, match=r"error \(.* Before that was applied: 0012_alike"):
            await ask(pool, ApplySchema())
        with pytest.raises(SchemaMismatch, match="Nothing was changed there"):
            await ask(pool, ApplySchema())


async def test_the_printed_sql_upgrades_from_each_older_version_and_changes_nothing_again(
    bare_database_url,
):
    sql = (await perform(None, ANA, ShowSchemaSql(), settings=MaintSettings())).sql
    for old in range(1, len(list_migrations())):
        url = f"{bare_database_url}&options=-csearch_path%3Dv{old}"
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
            await conn.execute(f"CREATE SCHEMA v{old}")
            await make_old_tables(conn, old)
            for statement in 2 * sql.split(";\n\n"):
                await conn.execute(statement)
        async with open_pool(url) as pool:
            assert (await ask(pool, CheckSchema())).pending == ()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (("/test_", "/nothere_"), DatabaseUnavailable, "nothere_.* does not exist"),
        (("postgres@", "stranger:hunter2@"), DatabaseUnavailable, "stranger.* does not exist"),
        (("@/", "@127.0.0.1:1/"), DatabaseUnavailable, "Nothing is listening"),
        (("@/", "@no-such-host.invalid/"), DatabaseUnavailable, "cannot be resolved"),
        (("postgresql://", "nonsense "), InvalidSettings, "not the URL"),
    ],
)
async def test_each_way_to_have_no_database_is_one_sentence_without_the_password(
    database_url, change, error, words
):
    url = database_url.replace(*change)
    if "@127" in url or "invalid" in url:
        url = url.partition("?")[0]
    with pytest.raises(error, match=words) as caught:
        async with open_pool(url):
            pass
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_wrong_password_is_told_without_showing_it(database_url, server: Server):
    """A login by password over TCP needs a server rule; the error text is libpq's own."""
    server.execute("DROP ROLE IF EXISTS locked")
    server.execute("CREATE ROLE locked NOLOGIN")
    url = database_url.replace("postgres@", "locked:hunter2@")
    with pytest.raises(DatabaseUnavailable) as caught:
        async with open_pool(url):
            pass
    assert "hunter2" not in str(caught.value)
    assert "locked" in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql+psycopg", "postgresql+asyncpg"])
async def test_other_spellings_of_the_url_are_understood(database_url, scheme):
    async with open_pool(database_url.replace("postgresql", scheme, 1)) as pool:
        assert (await ask(pool, ListFailed())).total == 0


async def test_what_is_read_from_the_migrations_is_what_postgresql_makes_of_them(conn):
    columns = await conn.execute(
        "SELECT c.relname, a.attname, a.attnotnull, a.atthasdef OR a.attidentity <> ''"
        " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"
        " AND c.relname LIKE 'jobs\\_maint\\_%' AND c.relname <> 'jobs_maint_migrations'"
    )
    read = {(c.table, c.name, c.not_null, c.filled) for c in list_columns()}
    assert set(await columns.fetchall()) == read
    made = await conn.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
        " WHERE indrelid::regclass::text LIKE 'jobs\\_maint\\_%' AND NOT indisprimary"
    )
    declared = {name: canonical(statement) for name, _, statement in list_own_indexes()}
    assert {name: canonical(text) for name, text in await made.fetchall()} == declared


def test_the_sql_of_the_schema_fits_into_a_database_of_any_encoding():
    sql = applied_sql()
    assert sql.isascii(), [line for line in sql.splitlines() if not line.isascii()]
    assert upstream.schema_sql("LATIN1").isascii()


def applied_sql() -> str:
    return "\n".join([m.text for m in list_migrations()] + [text for _, text in list_indexes()])
