"""Removing what is ours: nothing of it stays, nothing else goes."""

from __future__ import annotations

import re
from datetime import timedelta

import psycopg
import pytest
from tests.support.fleet import Fleet

from jobs_maint.actions import (
    Actor,
    ApplySchema,
    CheckSchema,
    ConfirmSelection,
    DropSchema,
    PreviewDropSchema,
    PreviewRescue,
    RunDoctor,
)
from jobs_maint.database import open_pool
from jobs_maint.errors import AlreadyRunning, ChangeRefused, SchemaMismatch
from jobs_maint.operations.schema import dropping
from jobs_maint.operations.schema.places import TABLES
from jobs_maint.perform import perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings
from jobs_maint.upstream import DIGEST, PURGE, RESCUE, schema_sql

ANA = Actor.shell("ana", "host")

CATALOGUE = """
SELECT 'class', relname::text, relkind::text FROM pg_class
WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT 'type', typname::text, typtype::text FROM pg_type
WHERE typnamespace = 'public'::regnamespace
UNION ALL SELECT 'function', proname::text, pronargs::text FROM pg_proc
WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'constraint', conname::text, contype::text FROM pg_constraint
WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'trigger', tgname::text, tgenabled::text FROM pg_trigger
ORDER BY 1, 2, 3
"""
OUR_JOBS = (
    "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args)"
    f" SELECT 'default', t, 0, '{{}}' FROM unnest(ARRAY['{RESCUE}', '{PURGE}', '{DIGEST}']) t,"
    " generate_series(1, 1200);"
    "INSERT INTO procrastinate_periodic_defers (task_name, defer_timestamp, job_id)"
    f" (SELECT task_name, id, id FROM procrastinate_jobs WHERE task_name = '{PURGE}' LIMIT 7)"
    " UNION ALL"
    f" (SELECT task_name, id, id FROM procrastinate_jobs WHERE task_name = '{DIGEST}' LIMIT 2);"
    "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args)"
    " VALUES ('default', 'jobs_maint_like:rescue', 0, '{}'), ('mail', 'send', 0, '{}'),"
    " ('default', 'chatbot:send_letter', 0, '{}')"
)


async def ask(pool, action):
    return await perform(pool, ANA, action, settings=MaintSettings())


async def fetch(url: str, statement: str) -> list[tuple]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        found = await conn.execute(statement)
        return await found.fetchall() if found.description else []


async def test_after_a_drop_the_database_is_as_it_was_before_and_the_teams_jobs_are_there(
    bare_database_url,
):
    url = bare_database_url
    await fetch(url, schema_sql("UTF8"))
    before = await fetch(url, CATALOGUE)
    async with open_pool(url) as pool:
        await ask(pool, ApplySchema())
        await fetch(url, OUR_JOBS)
        shown = await ask(pool, PreviewDropSchema())
        assert (shown.dropped, shown.jobs, shown.periodic) == (False, 3600, 9)
        assert [table.name for table in shown.tables] == sorted(TABLES)
        assert await fetch(url, CATALOGUE) != before
        done = await ask(pool, DropSchema())
        assert (done.dropped, done.problems, done.jobs) == (True, (), 3600)
        assert await fetch(url, CATALOGUE) == before
        left = await fetch(url, "SELECT task_name FROM procrastinate_jobs ORDER BY 1")
        assert left == [("chatbot:send_letter",), ("jobs_maint_like:rescue",), ("send",)]
        assert await fetch(url, "SELECT count(*) FROM procrastinate_periodic_defers") == [(0,)]
        assert (await ask(pool, PreviewDropSchema())).empty
        assert (await ask(pool, DropSchema())).empty
        await ask(pool, ApplySchema())


async def test_jobs_of_dead_workers_are_told_while_something_knows_them(pool, conn, make_job):
    assert (await ask(pool, PreviewDropSchema())).stuck_jobs == 0
    for task in ("app.pay", "app.mail", RESCUE):
        await make_job(status="doing", task=task)
    shown = await ask(pool, PreviewDropSchema())
    assert shown.stuck_jobs == 2
    assert (
        "2 running jobs have no live worker. Without our tables nobody knows that, and nobody puts"
        " them back: see `jobs-maint stuck`, and run `jobs-maint rescue --force ID` for each first."
    ) in render_text(shown, width=500)
    done = render_text(await ask(pool, DropSchema()), width=500)
    assert "2 running jobs have no live worker and stay in doing." in done


async def test_the_preview_says_when_a_rescue_by_hand_acts_and_it_does(pool, conn, make_job):
    """All workers were killed 31 s ago, which is when the first drop is not refused any more."""
    fleet = Fleet(pool, conn, make_job)
    worker = await fleet.start_worker()
    jobs = [await make_job(status="doing", worker_id=worker) for _ in range(2)]
    await fleet.beat(worker, *jobs)
    await fleet.pass_time(timedelta(seconds=31))
    shown = await ask(pool, PreviewDropSchema())
    said = re.search(r"`jobs-maint rescue IDS` for them first; it acts in (\d+) s\.",
                     render_text(shown, width=500))  # fmt: skip
    wait = int(said[1])
    assert 25 <= wait <= 30
    await fleet.pass_time(timedelta(seconds=wait))
    shown = await ask(pool, PreviewDropSchema())
    assert "`jobs-maint rescue IDS` for them first." in render_text(shown, width=500)
    preview = await ask(pool, PreviewRescue(tuple(jobs)))
    assert (await ask(pool, ConfirmSelection(preview.key))).done == 2
    assert (await ask(pool, DropSchema())).stuck_jobs == 0


async def test_a_part_of_our_tables_that_tells_nothing_is_removed_too(pool, conn, make_job):
    await make_job(status="doing")
    await conn.execute("DROP TABLE jobs_maint_suspects")
    assert (await ask(pool, PreviewDropSchema())).stuck_jobs == 0
    assert (await ask(pool, DropSchema())).dropped


async def test_a_database_that_never_had_it_is_left_alone(bare_database_url):
    async with open_pool(bare_database_url) as pool:
        assert (await ask(pool, DropSchema())).empty


@pytest.mark.parametrize("ours_too", [True, False])
async def test_a_table_of_the_team_with_one_of_our_names_stays_and_stops_what_would_take_it(
    bare_database_url, ours_too
):
    async with open_pool(bare_database_url) as pool:
        if ours_too:
            await ask(pool, ApplySchema())
        async with pool.connection() as conn:
            await conn.set_autocommit(True)
            await conn.execute("DROP TABLE IF EXISTS jobs_maint_audit")
            await conn.execute("CREATE TABLE jobs_maint_audit (id int, note text)")
            before = await (await conn.execute(CATALOGUE)).fetchall()
            said = "jobs_maint_audit has the name of a table of procrastinate-ops, but is not one: "
            for action in (ApplySchema(), CheckSchema(), DropSchema(), PreviewDropSchema()):
                with pytest.raises(SchemaMismatch, match=said):
                    await ask(pool, action)
            assert await (await conn.execute(CATALOGUE)).fetchall() == before
            findings = (await ask(pool, RunDoctor())).findings
            schema = next((one for one in findings if one.check == "schema"), None)
            assert schema is not None
            assert said in schema.sentence
            await conn.execute("ALTER TABLE jobs_maint_audit RENAME TO theirs")
            await ask(pool, ApplySchema())
            assert (await ask(pool, DropSchema())).dropped
            await conn.execute("TABLE theirs")


@pytest.mark.parametrize(
    ("make", "said", "rename"),
    [
        (
            "CREATE VIEW jobs_maint_workers AS SELECT 1 AS worker_id",
            "The view jobs_maint_workers has the name of a table of procrastinate-ops",
            "ALTER VIEW jobs_maint_workers RENAME TO",
        ),
        (
            "CREATE TYPE jobs_maint_runs AS ENUM ('a')",
            "The type jobs_maint_runs has the name of a table of procrastinate-ops",
            "ALTER TYPE jobs_maint_runs RENAME TO",
        ),
        (
            "CREATE TABLE jobs_maint_events_at_idx (a int)",
            "The table jobs_maint_events_at_idx has the name of an index of procrastinate-ops",
            "ALTER TABLE jobs_maint_events_at_idx RENAME TO",
        ),
    ],
)
async def test_what_the_team_made_with_one_of_our_names_is_named_before_anything_is_changed(
    bare_database_url, make, said, rename
):
    async with open_pool(bare_database_url) as pool:
        async with pool.connection() as conn:
            await conn.execute(make)
        before = await fetch(bare_database_url, CATALOGUE)
        for action in (ApplySchema(), CheckSchema(), DropSchema()):
            with pytest.raises(SchemaMismatch, match=said) as caught:
                await ask(pool, action)
            assert f"Rename it ({rename} …)" in str(caught.value)
        assert await fetch(bare_database_url, CATALOGUE) == before
        async with pool.connection() as conn:
            await conn.execute(f"{rename} theirs")
        assert (await ask(pool, ApplySchema())).applied
        assert (await ask(pool, CheckSchema())).pending == ()


async def test_while_a_worker_beats_nothing_is_removed_and_it_is_named(pool, conn, database_url):
    await conn.execute(
        "INSERT INTO jobs_maint_workers (worker_id, host, pid, beat_seconds, recorder_version,"
        " delete_jobs, job_ids)"
        " VALUES (7, 'web-3', 4242, 10, '1', 'never', '{}')"
    )
    before = await fetch(database_url, CATALOGUE)
    await conn.execute("UPDATE jobs_maint_workers SET beat_at = now() - interval '20.5 seconds'")
    preview = await ask(pool, PreviewDropSchema())
    assert re.fullmatch(
        r"a worker \(process 4242 on web-3, last beat 2\d s ago\)", *preview.in_use_by
    )
    for told in (
        "Nothing can be removed yet: our tables are still used by a worker (process 4242",
        "A killed worker counts until it has missed three beats. Then try again.",
    ):
        assert told in render_text(preview, width=500)
    assert "Stop the bot" not in render_text(preview, width=500)
    with pytest.raises(AlreadyRunning, match=r"process 4242 on web-3.*jobs_maint\.register"):
        await ask(pool, DropSchema())
    assert await fetch(database_url, CATALOGUE) == before
    await conn.execute(
        "INSERT INTO jobs_maint_workers (worker_id, host, pid, beat_seconds, recorder_version,"
        " delete_jobs, job_ids)"
        " SELECT 100 + n, 'web-4', n, 10, '1', 'never', '{}' FROM generate_series(1, 14) AS n"
    )
    with pytest.raises(AlreadyRunning, match=r" ago\) and 5 more\. Take "):
        await ask(pool, DropSchema())
    await conn.execute("UPDATE jobs_maint_workers SET beat_at = now() - interval '31 seconds'")
    assert (await ask(pool, DropSchema())).dropped


async def test_live_workers_of_which_nothing_shows_a_recorder_are_told_and_stop_nothing(
    pool, conn, make_job
):
    fleet = Fleet(pool, conn, make_job)
    ran = await fleet.start_worker(beats=False)  # without a beat, so it has no recorder
    job = await make_job(status="succeeded")
    await conn.execute("UPDATE procrastinate_jobs SET worker_id = %s WHERE id = %s", (ran, job))
    dead = await fleet.start_worker(beats=False)
    await conn.execute(
        "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '31 seconds'"
        " WHERE id = %s", (dead,)
    )  # fmt: skip
    assert (await ask(pool, PreviewDropSchema())).unknown_workers == 0
    await fleet.start_worker(beats=False)
    shown = await ask(pool, PreviewDropSchema())
    assert (shown.unknown_workers, shown.in_use_by) == (1, ())
    said = (
        "1 live worker has run no job yet, so nothing shows whether it has our recorder. One that"
        " was started with jobs_maint.register(app) has to be restarted with the new code, or its"
        " next maintenance job fails."
    )
    assert said in render_text(shown, width=500)
    done = await ask(pool, DropSchema())
    assert (done.dropped, said in render_text(done, width=500)) == (True, True)


async def test_a_worker_that_lives_with_a_silent_recorder_is_named_and_a_dead_one_is_not(
    pool, conn, make_job
):
    fleet = Fleet(pool, conn, make_job)
    worker = await fleet.start_worker()
    silent = "UPDATE jobs_maint_workers SET beat_at = now() - interval '5 min' WHERE worker_id = %s"
    await conn.execute(silent, (worker,))
    [said] = (await ask(pool, PreviewDropSchema())).in_use_by
    assert "which is alive although its recorder last beat 5 min ago" in said
    with pytest.raises(AlreadyRunning, match="which is alive although"):
        await ask(pool, DropSchema())
    # One that was killed: both ended together, a moment ago by Procrastinate's heartbeat.
    both = (
        "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '5 min' WHERE id = %s"
    )
    await conn.execute(both, (worker,))
    assert (await ask(pool, PreviewDropSchema())).in_use_by == ()


async def test_while_a_bot_is_connected_nothing_is_removed(pool, database_url):
    async with (
        open_pool(database_url, application="jobs-chatbot"),
        open_pool(database_url, application="jobs-chatbot ready"),
    ):
        (bot,) = (await ask(pool, PreviewDropSchema())).in_use_by
        assert re.fullmatch(r"jobs-chatbot \(process \d+ of the database\)", bot)
        with pytest.raises(AlreadyRunning, match=r"jobs-chatbot \(process \d+ of .*Stop the bot\."):
            await ask(pool, DropSchema())


async def test_a_pooled_session_that_a_worker_left_its_name_on_stops_nothing(pool, database_url):
    async with open_pool(database_url, application="jobs-maint-recorder"):
        assert (await ask(pool, DropSchema())).dropped


async def test_what_of_the_team_depends_on_our_tables_is_named_and_nothing_is_begun(
    pool, conn, database_url
):
    await conn.execute(
        "CREATE VIEW team_failures AS SELECT job_id FROM jobs_maint_failures;"
        "CREATE MATERIALIZED VIEW team_digest AS SELECT count(*) FROM team_failures;"
        "CREATE TABLE team_notes (failure_id bigint CONSTRAINT of_failure REFERENCES"
        " jobs_maint_failures);"
        "CREATE TABLE team_old_audit () INHERITS (jobs_maint_audit);"
        "CREATE FUNCTION team_count() RETURNS bigint BEGIN ATOMIC"
        " SELECT count(*) FROM jobs_maint_audit; END;"
        "CREATE FUNCTION team_of(jobs_maint_hours) RETURNS int LANGUAGE sql AS 'SELECT 1';"
        "CREATE FUNCTION team_noticed() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER team_notice AFTER INSERT ON jobs_maint_audit"
        " FOR EACH ROW EXECUTE FUNCTION team_noticed()"
    )
    before = await fetch(database_url, CATALOGUE)
    named = (
        "function public.team_count()",
        "function public.team_of(public.jobs_maint_hours)",
        "table constraint of_failure on public.team_notes",
        "table public.team_old_audit",
        "view public.team_failures",
    )
    assert (await ask(pool, PreviewDropSchema())).dependents == named
    with pytest.raises(
        ChangeRefused, match=r"Nothing was removed: .*view public.team_failures dep"
    ):
        await ask(pool, DropSchema())
    assert await fetch(database_url, CATALOGUE) == before
    await conn.execute(
        "DROP VIEW team_failures CASCADE; DROP TABLE team_notes, team_old_audit;"
        "DROP FUNCTION team_count(), team_of(jobs_maint_hours)"
    )
    assert (await ask(pool, DropSchema())).dropped


async def test_a_job_of_ours_that_the_team_refers_to_stops_it_before_anything_is_gone(
    pool, conn, database_url
):
    await fetch(database_url, OUR_JOBS)
    await conn.execute(
        "CREATE TABLE team_jobs (job_id bigint CONSTRAINT of_job REFERENCES procrastinate_jobs);"
        f"INSERT INTO team_jobs SELECT min(id) FROM procrastinate_jobs WHERE task_name = '{RESCUE}'"
    )
    before = await fetch(database_url, CATALOGUE)
    with pytest.raises(ChangeRefused, match=r"foreign key of_job of table public\.team_jobs"):
        await ask(pool, DropSchema())
    assert await fetch(database_url, CATALOGUE) == before


async def test_an_index_that_must_wait_is_named_and_the_rest_is_done(pool, conn, database_url):
    async with await psycopg.AsyncConnection.connect(
        database_url, application_name="nightly-report"
    ) as other:
        await other.execute("SELECT count(*) FROM procrastinate_events")
        report = await dropping.drop_schema(pool, MaintSettings(), patience=timedelta(seconds=0.2))
        assert report.dropped
        assert report.problems
        assert all("nightly-report" in problem for problem in report.problems)
    left = await ask(pool, DropSchema())
    assert left.dropped
    assert not left.tables
    assert not left.problems
    assert (await ask(pool, PreviewDropSchema())).empty


async def test_tables_off_the_search_path_are_not_told_as_none_but_how_to_reach_them(database_url):
    async with open_pool(f"{database_url}&options=-csearch_path%3Dpg_catalog") as pool:
        for action in (PreviewDropSchema(), DropSchema()):
            with pytest.raises(SchemaMismatch) as refused:
                await ask(pool, action)
            told = str(refused.value)
            start = "Tables of ours are in the schema public, which is not on the search path. No"
            assert told.startswith(start)
            assert "?options=-csearch_path%3Dpublic to JOB_QUEUE_DATABASE_URL. The answer " in told
            assert "USAGE" not in told
    assert await fetch(database_url, "SELECT count(*) FROM jobs_maint_audit WHERE false") == [(0,)]
