"""The page on database rights: its statements are run, and they are enough and no more."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.support.bots import ask as ask_bot
from tests.support.fleet import Fleet
from tests.support.history import JobFactory, days, minutes
from tests.support.processes import Processes
from tests.support.server import Server
from tests.support.waiting import until
from tests.support.watched import open_watch, press, roots, see

from jobs_maint import upstream
from jobs_maint.actions import (
    Actor,
    ApplySchema,
    CheckSchema,
    DropSchema,
    ListErrors,
    ListFailed,
    PreviewDropSchema,
    PurgeFinished,
    RescueStalled,
    RetryJobs,
    RunDoctor,
    ShowAudit,
    ShowSchemaSql,
    ShowStats,
)
from jobs_maint.database import check_schema, open_pool
from jobs_maint.errors import DatabaseUnavailable, SchemaMismatch
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings
from local_slack.sample import OPERATOR, OPS

PAGE = Path(__file__).parents[2] / "docs/how-to/database-rights.md"
ANA = Actor.shell("ana", "host")


def statements(title: str) -> str:
    """The SQL of the page's section of this title."""
    section = PAGE.read_text("utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]
    [found] = re.findall(r"^```sql\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return found


async def ask(pool, action):
    return await perform(pool, ANA, action, settings=MaintSettings())


@pytest.fixture
def roles(server: Server, bare_database_url: str) -> Iterator[dict[str, str]]:
    """The addresses of the page's roles, under names of this process; neither has any right."""
    urls = {}
    for role in ("jobs_owner", "jobs_app"):
        name = f"{role}_{os.getpid()}"
        server.execute(f"CREATE ROLE {name} LOGIN")
        urls[role] = bare_database_url.replace("postgres@", f"{name}@")
    yield urls
    database = bare_database_url.rpartition("/")[2].partition("?")[0]
    for role in urls:
        server.execute(f"DROP OWNED BY {role}_{os.getpid()} CASCADE", database)
        server.execute(f"DROP ROLE {role}_{os.getpid()}")


def run(url: str, sql: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(re.sub(r"\b(jobs_owner|jobs_app)\b", rf"\1_{os.getpid()}", sql).encode())


async def follow_page(roles: dict[str, str], url: str) -> None:
    run(url, statements("The owner"))
    async with open_pool(roles["jobs_owner"]) as owner:
        await ask(owner, ApplySchema())
    run(roles["jobs_owner"], statements("Workers, bot and shell"))


async def test_with_the_rights_of_the_page_all_works_as_a_role_that_owns_nothing(
    roles, bare_database_url
):
    await follow_page(roles, bare_database_url)
    processes = Processes(roles["jobs_app"])
    try:
        async with (
            open_pool(roles["jobs_app"]) as pool,
            await psycopg.AsyncConnection.connect(roles["jobs_app"], autocommit=True) as conn,
        ):
            make_job = JobFactory(conn)
            await make_job(status="succeeded", finished_ago=days(40))
            failed = await make_job(status="failed")
            assert (await ask(pool, CheckSchema())).pending == ()
            assert (await ask(pool, ListFailed())).total == 1
            assert len((await ask(pool, RetryJobs((failed,)))).done) == 1
            assert (await ask(pool, PurgeFinished())).total == 1
            await ask(pool, RescueStalled())
            assert (await ask(pool, ShowStats())).queues
            assert (await ask(pool, ShowAudit())).entries
            privileges = {f.check: f for f in (await ask(pool, RunDoctor())).findings}["privileges"]
            assert privileges.level == "ok", privileges
            processes.start("-m", "tests.support.queue_app", '{"queues": ["failing"]}')
            await make_job(queue="failing", task="fails", args={"kind": "mention"})

            async def recorded() -> bool:
                return bool((await ask(pool, ListErrors())).groups)

            await until(recorded, "a recorded failure")
            run(bare_database_url, "DROP INDEX jobs_maint_waiting_idx")
            with pytest.raises(DatabaseUnavailable, match="does not own"):
                await ask(pool, ApplySchema())
    finally:
        processes.kill_all()


async def test_whoever_may_not_drop_the_tables_is_told_who_can(roles, server, bare_database_url):
    """No GRANT lets anybody drop what belongs to another role."""
    owner, app = (f"{role}_{os.getpid()}" for role in ("jobs_owner", "jobs_app"))
    await follow_page(roles, bare_database_url)

    async def refuse() -> str:
        async with open_pool(roles["jobs_app"]) as pool:
            told = []
            for action in (PreviewDropSchema(), DropSchema()):
                with pytest.raises(DatabaseUnavailable) as refused:
                    await ask(pool, action)
                told.append(str(refused.value))
        assert told[0] == told[1]
        assert "GRANT" not in told[0]
        return told[0].partition(" The answer came from")[0]

    can = f"Run `jobs-maint schema drop` as the owner {owner}, a member of that role"
    for rights in ("", "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM jobs_app"):
        run(bare_database_url, rights)
        told = await refuse()
        assert told.startswith(f"The database user {app} does not own the table ")
        assert told.endswith(f"nothing was changed. {can} or a superuser.")
    member = f"jobs_member_{os.getpid()}"
    server.execute(f"ALTER ROLE {owner} NOLOGIN")
    server.execute(f"CREATE ROLE {member} LOGIN IN ROLE {owner}")
    try:
        assert (await refuse()).endswith(f"{can} ({member}) or a superuser.")
        run(bare_database_url, "REVOKE USAGE ON SCHEMA public FROM jobs_app, PUBLIC")
        assert (await refuse()).endswith(f"{can} ({member}) or a superuser.")
        # To drop what one owns takes no right to create.
        run(bare_database_url, "REVOKE CREATE ON SCHEMA public FROM jobs_owner")
        async with open_pool(roles["jobs_app"].replace(app, member)) as pool:
            assert (await ask(pool, DropSchema())).dropped
    finally:
        server.execute(f"DROP ROLE {member}")


async def test_with_the_rights_of_the_page_the_bot_watches_acts_takes_and_mutes(
    roles, bare_database_url
):
    await follow_page(roles, bare_database_url)
    async with (
        open_pool(roles["jobs_app"]) as pool,
        await psycopg.AsyncConnection.connect(roles["jobs_app"], autocommit=True) as conn,
    ):
        make_job = JobFactory(conn)
        failed = [await make_job(status="failed", error="no route") for _ in range(2)]
        await make_job()
        fleet = Fleet(pool, conn, make_job)
        await fleet.start_worker()
        await fleet.fall_silent(minutes(3))
        async with open_watch(pool) as (slack, bot, watch):
            await see(watch)
            [message] = roots(slack)
            assert message.text.startswith("🔴 No worker is alive"), message.text
            await press(slack, bot, message.ts, "I'm on it")
            [errors] = await ask_bot(slack, bot, OPERATOR, OPS, "/jobs errors")
            await press(slack, bot, errors.ts, "Mute for 24 h")
            [preview] = await ask_bot(slack, bot, OPERATOR, OPS, "/jobs retry --all")
            await press(slack, bot, preview.ts, "Retry 2 jobs")
            await ask_bot(slack, bot, OPERATOR, OPS, "/jobs digest")
        assert [await make_job.status(one) for one in failed] == ["todo"] * 2
        rows = await (
            await conn.execute("SELECT word, outcome FROM jobs_maint_audit ORDER BY id")
        ).fetchall()
        assert {("take", "done"), ("mute", "done"), ("retry", "done")} <= set(rows), rows


async def test_whoever_may_not_look_learns_which_right_is_missing_and_the_grant(
    roles, bare_database_url
):
    app = f"jobs_app_{os.getpid()}"
    path = "&options=-csearch_path%3Dteam"
    run(bare_database_url, "CREATE SCHEMA team")
    async with open_pool(bare_database_url + path) as owner:
        await ask(owner, ApplySchema())

    async def refused(url: str, kind: type[Exception], stats: str, started: str) -> None:
        async with open_pool(url) as pool:
            with pytest.raises(kind, match=stats):
                await ask(pool, ShowStats())
            with pytest.raises(kind, match=started):
                await check_schema(pool)
            if "SCHEMA" in started:  # these look at the catalogue alone
                for action in (CheckSchema(), ApplySchema()):
                    with pytest.raises(kind, match=started):
                        await ask(pool, action)

    run(bare_database_url, "CREATE SCHEMA empty")
    empty = roles["jobs_app"] + "&options=-csearch_path%3Dempty"
    async with open_pool(empty) as pool:
        for action in (CheckSchema(), ApplySchema()):
            with pytest.raises(
                DatabaseUnavailable, match=f"GRANT USAGE, CREATE ON SCHEMA empty TO {app};"
            ):
                await ask(pool, action)
    grant = f"GRANT USAGE ON SCHEMA team TO {app};"
    await refused(roles["jobs_app"] + path, DatabaseUnavailable, grant, grant)
    run(bare_database_url, grant)
    await refused(
        roles["jobs_app"] + path,
        DatabaseUnavailable,
        f"GRANT SELECT, UPDATE, DELETE ON procrastinate_jobs TO {app};",
        f"GRANT SELECT ON procrastinate_workers, jobs_maint_migrations TO {app};",
    )
    elsewhere = "in the schema team, which is not on the search path"
    await refused(roles["jobs_app"], SchemaMismatch, elsewhere, elsewhere)


def owners(url: str) -> set[str]:
    """Who owns our tables and their sequences, as the page calls them."""
    with psycopg.connect(url) as conn:
        rows = conn.execute(
            "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class"
            " WHERE relname LIKE 'jobs\\_maint\\_%' AND relkind IN ('r', 'S')"
        ).fetchall()
    return {row[0].removesuffix(f"_{os.getpid()}") for row in rows}


async def make_jobs_tables(roles: dict[str, str], url: str) -> None:
    """Procrastinate's own, by the owner."""
    run(url, statements("The owner"))
    run(roles["jobs_owner"], upstream.schema_sql())


MEMBER = "GRANT jobs_owner TO jobs_app"


@pytest.mark.parametrize("who", ["superuser", "member", "sql"])
async def test_our_tables_belong_to_the_owner_of_the_jobs_whoever_applies(
    roles, bare_database_url, who
):
    await make_jobs_tables(roles, bare_database_url)
    run(bare_database_url, f"{MEMBER}; GRANT CREATE ON SCHEMA public TO jobs_app")
    url = roles["jobs_app"] if who == "member" else bare_database_url
    for begin in ("", "DROP TABLE jobs_maint_settings, jobs_maint_migrations"):
        run(bare_database_url, begin)
        async with open_pool(url) as pool:
            if who == "sql":
                run(url, (await ask(pool, ShowSchemaSql())).sql.partition("COMMIT;")[0] + "COMMIT;")
            else:
                await ask(pool, ApplySchema())
        assert owners(bare_database_url) == {"jobs_owner"}
    async with open_pool(roles["jobs_owner"]) as pool:
        await ask(pool, ShowStats())
        assert (await ask(pool, DropSchema())).dropped


async def test_an_owner_without_the_right_to_create_is_named_with_the_grant(
    roles, bare_database_url
):
    await make_jobs_tables(roles, bare_database_url)
    run(bare_database_url, f"{MEMBER}; GRANT CREATE ON SCHEMA public TO jobs_app")
    run(bare_database_url, "REVOKE CREATE ON SCHEMA public FROM jobs_owner")
    async with open_pool(roles["jobs_app"]) as pool:
        grant = f"GRANT CREATE ON SCHEMA public TO jobs_owner_{os.getpid()};"
        with pytest.raises(DatabaseUnavailable, match=grant):
            await ask(pool, ApplySchema())
    assert owners(bare_database_url) == set()
    async with open_pool(bare_database_url) as pool:
        await ask(pool, ApplySchema())
    assert owners(bare_database_url) == {"jobs_owner"}


async def test_tables_that_belong_to_another_role_are_told_and_given_to_the_owner(
    roles, bare_database_url
):
    await follow_page(roles, bare_database_url)
    owner = f"jobs_owner_{os.getpid()}"
    run(bare_database_url, "ALTER TABLE jobs_maint_audit OWNER TO postgres")
    run(bare_database_url, "ALTER TABLE jobs_maint_watch OWNER TO postgres")
    told = (
        f"Tables of procrastinate-ops belong to postgres, and Procrastinate's to {owner}: "
        "jobs_maint_audit, jobs_maint_watch."
    )
    async with open_pool(roles["jobs_owner"]) as pool:
        status = await ask(pool, CheckSchema())
        assert (status.pending, status.trouble) == ((), f"{told} {GIVE} {owner}.")
        finding = {f.check: f for f in (await ask(pool, RunDoctor())).findings}["schema"]
        assert (finding.level, finding.fix) == ("warning", f"{GIVE} {owner}.")
        assert (await ask(pool, ApplySchema())).trouble == status.trouble
        with pytest.raises(DatabaseUnavailable, match=f"that own them: {owner}, postgres"):
            await ask(pool, DropSchema())
    async with open_pool(bare_database_url) as pool:
        given = (f"{owner} as the owner of jobs_maint_audit, jobs_maint_watch",)
        assert (await ask(pool, CheckSchema())).pending == given
        report = await ask(pool, ApplySchema())
        assert (report.applied, report.trouble) == (given, None)
        assert (await ask(pool, ApplySchema())).applied == ()
    assert owners(bare_database_url) == {"jobs_owner"}


GIVE = "Run `jobs-maint schema apply` as a superuser or a member of both roles; it gives them to"
