"""The bot killed at the worst moment, and its database restarted: nothing is done twice, nothing
that was done is lost, and who waits is told."""

from __future__ import annotations

import asyncio
import contextlib
import json

import psycopg
import pytest
from tests.acceptance.test_bot_acts import (
    audited,
    click,
    count,
    find_buttons,
    make_failed,
    now,
)
from tests.support.bots import ROLES, ask, open_bot, open_slack, settle
from tests.support.history import days
from tests.support.locks import wait_for_waiting
from tests.support.own_server import open_own_server
from tests.support.waiting import until

from chatbot.handling.lost_runs import tell_lost_runs
from jobs_maint.actions import (
    Actor,
    BulkVerb,
    ConfirmSelection,
    JobFilter,
    PreviewBulk,
    PreviewPurge,
    RescueStalled,
    RetryJobs,
)
from jobs_maint.database import open_pool
from jobs_maint.errors import DatabaseUnavailable
from jobs_maint.perform import Watch, perform
from jobs_maint.settings import MaintSettings
from local_slack.sample import ADMIN, OPERATOR, OPS, RANDOM, build_sample_config

pytestmark = pytest.mark.environments

SOCKET = {"SLACK_BOT_TOKEN": "xoxb-local", "SLACK_APP_TOKEN": "xapp-local"}


@contextlib.asynccontextmanager
async def look(url):
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        yield conn


@contextlib.asynccontextmanager
async def blocked(database_url, statement):
    """What this statement locks stays locked; `yield` waits until somebody stands before it."""
    holder = await psycopg.AsyncConnection.connect(database_url)

    async def somebody_waits():
        async with look(database_url) as conn:
            await wait_for_waiting(conn)

    try:
        await holder.execute(statement)
        yield somebody_waits
    finally:
        await holder.close()


# --- the bot is killed ----------------------------------------------------------------------------


@pytest.fixture
async def fleet(processes):
    """A local Slack, and bots as processes that connect to it."""
    async with open_slack(build_sample_config(mode="socket")) as slack:
        slack.add_bot(RANDOM)
        there = []

        async def start():
            before = slack.connections
            process = processes.start(
                "-m", "chatbot", SLACK_API_URL=slack.api_url, CHATBOT_PORT="0",
                CHATBOT_ROLES=json.dumps(ROLES), CHATBOT_AUDIT_CHANNEL=RANDOM, **SOCKET,
            )  # fmt: skip
            there.append(process)
            await until(
                lambda: slack.connections > before or process.popen.poll() is not None,
                "the bot's connection",
                timeout=60,
            )
            assert process.popen.poll() is None, process.output
            return process

        yield slack, start
        # While Slack is there: a bot that finds it gone would knock at a closing door.
        await kill(slack, there[-1])


async def kill(slack, process):
    process.kill()
    await until(lambda: not slack.connections, "the end of the connections")


async def answer_to(slack, user, text, begin):
    await slack.command(user, OPS, text)
    return await slack.wait_for_message(OPS, lambda m: m.text.startswith(begin), 30, as_user=user)


async def test_killed_between_the_acknowledgement_and_the_work_nothing_is_done_then_or_later(
    fleet, conn, make_job, database_url
):
    slack, start = fleet
    job = await make_job(status="failed")
    first = await start()
    async with blocked(database_url, "SELECT * FROM procrastinate_jobs FOR UPDATE") as somebody:
        asked = await slack.command(OPERATOR, OPS, f"/jobs retry {job}")
        assert asked.acked
        await somebody()
        await kill(slack, first)
    assert await make_job.status(job) == "failed"
    assert await audited(conn) == []
    found = await conn.execute("SELECT count(*) FROM jobs_maint_requests")
    assert (await found.fetchone())[0] == 1
    await start()
    # Delivered again, it stays taken; typed again, it is another request.
    assert (await slack.replay(asked.request_id)).acked
    await answer_to(slack, OPERATOR, f"/jobs retry {job}", f"✅ Job {job} retried")
    assert await audited(conn) == [(OPERATOR, "retry", "done")]
    assert len([m for m in slack.messages(OPS, OPERATOR) if m.kind == "message"]) == 1


async def test_killed_before_a_confirmed_act_began_its_preview_can_be_confirmed_again(
    fleet, conn, database_url
):
    slack, start = fleet
    await make_failed(conn, 3)
    first = await start()
    preview = await answer_to(slack, OPERATOR, "/jobs retry --all", "Retry 3 failed jobs")
    async with blocked(database_url, "LOCK jobs_maint_runs IN EXCLUSIVE MODE") as somebody:
        await slack.click(OPERATOR, OPS, preview.ts, "Retry 3 jobs")
        await somebody()
        await kill(slack, first)
    assert await audited(conn) == [(OPERATOR, "retry", "previewed")]
    await start()
    await slack.click(OPERATOR, OPS, preview.ts, "Retry 3 jobs")
    await slack.wait_for_message(OPS, lambda m: m.text.startswith("✅ 3 jobs of webhook"), 30)
    assert await count(conn, "todo") == 3
    assert await audited(conn) == [(OPERATOR, "retry", "previewed"), (OPERATOR, "retry", "done")]


async def test_killed_before_slack_took_the_outcome_the_next_bot_tells_what_was_done_once(
    fleet, conn, make_job
):
    slack, start = fleet
    await make_failed(conn, 3)
    job = await make_job(status="failed", queue="email")
    first = await start()
    preview = await answer_to(slack, OPERATOR, "/jobs retry --all webhook", "Retry 3 failed jobs")
    for method in ("chat.update", "response_url"):
        slack.set_fault("hang", method=method)
    await slack.click(OPERATOR, OPS, preview.ts, "Retry 3 jobs")
    await slack.command(OPERATOR, OPS, f"/jobs retry {job}")
    await until(lambda: not slack._faults.waiting, "both answers on their way")
    await kill(slack, first)
    slack.clear_faults()
    before = [m.ts for m in slack.messages(OPS)]
    assert (await count(conn, "todo"), slack.messages(RANDOM)) == (4, [])
    await conn.execute("UPDATE jobs_maint_runs SET lease_until = now() - interval '1 second'")
    await start()
    await slack.wait_for_message(OPS, lambda m: m.text.startswith(f"✅ Job {job} retried."), 60)
    await until(lambda: len(slack.messages(RANDOM)) == 2, "the audit channel")

    async def is_forgotten():
        found = await conn.execute("SELECT count(*) FROM jobs_maint_runs")
        return await found.fetchone() == (0,)

    await until(is_forgotten, "the end of both")
    [edited] = [m for m in slack.messages(OPS) if m.ts == preview.ts]
    assert edited.text.startswith("✅ 3 jobs of webhook retried.")
    assert len([m for m in slack.messages(OPS) if m.ts not in before]) == 1
    told = sorted(m.text.splitlines()[0] for m in slack.messages(RANDOM))
    assert told == ["✅ 3 jobs of webhook retried.", f"✅ Job {job} retried."]
    assert await audited(conn) == [
        (OPERATOR, "retry", "previewed"),
        (OPERATOR, "retry", "done"),
        (OPERATOR, "retry", "done"),
    ]


HALT = """
CREATE FUNCTION halt() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN coalesce(NEW, OLD); END $$;
CREATE TRIGGER halt BEFORE UPDATE OR DELETE ON procrastinate_jobs
FOR EACH ROW WHEN (OLD.id = 1100) EXECUTE FUNCTION halt()
"""
"""What changes or deletes this job waits for the lock."""


@pytest.mark.parametrize("word", ["cancel --all email", "purge"])
async def test_killed_in_a_large_act_what_was_committed_stays_and_the_next_bot_says_how_far(
    fleet, conn, database_url, word
):
    slack, start = fleet
    await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name)"
        " SELECT 'email', 'app.mail' FROM generate_series(1, 1200)"
    )
    if word == "purge":
        for status in ("doing", "succeeded"):
            await conn.execute("UPDATE procrastinate_jobs SET status = %s", (status,))
        await conn.execute("UPDATE procrastinate_events SET at = at - %s", (days(40),))
    await conn.execute(HALT)
    first = await start()
    begin = "Delete 1,200" if word == "purge" else "Cancel 1,200"
    preview = await answer_to(slack, ADMIN, f"/jobs {word}", begin)
    async with blocked(database_url, "SELECT pg_advisory_lock(1)") as somebody:
        await slack.click(ADMIN, OPS, preview.ts, find_buttons(preview)[0])
        await somebody()
        await kill(slack, first)
    verb = word.split()[0]
    assert (await audited(conn))[-1] == (ADMIN, verb, "started")
    left = await count(conn, "succeeded" if word == "purge" else "todo")
    assert 0 < left < 1_200
    await conn.execute("UPDATE jobs_maint_runs SET lease_until = now() - interval '1 second'")
    await conn.execute("DROP TRIGGER halt ON procrastinate_jobs")
    await start()
    after = await slack.wait_for_message(
        OPS, lambda m: m.ts == preview.ts and f"after {1200 - left:,} of 1,200" in m.text, 60
    )
    assert after.text.startswith("🟡 Interrupted after")
    assert (await audited(conn))[-1] == (ADMIN, verb, "interrupted")
    await slack.click(ADMIN, OPS, preview.ts, "Preview the rest")
    rest = await slack.wait_for_message(OPS, lambda m: f" {left:,} " in m.text.split("?")[0], 30)
    await slack.click(ADMIN, OPS, rest.ts, find_buttons(rest)[0])
    await slack.wait_for_message(OPS, lambda m: m.ts == rest.ts and m.text.startswith("✅ "), 30)
    assert await count(conn, "succeeded" if word == "purge" else "todo") == 0
    if word != "purge":
        found = await conn.execute(
            "SELECT count(*), count(DISTINCT job_id) FROM procrastinate_events"
            " WHERE type = 'cancelled'"
        )
        assert tuple(await found.fetchone()) == (1_200, 1_200)


# --- the database is restarted --------------------------------------------------------------------


@pytest.fixture(scope="module")
def own_server():
    with open_own_server() as own:
        # A commit that does not wait for the disk is lost in the crash, not by chance.
        for setting in ("wal_writer_delay = '10s'", "wal_writer_flush_after = '1GB'"):
            own.execute(f"ALTER SYSTEM SET {setting}")
        own.execute("SELECT pg_reload_conf()")
        yield own


@pytest.mark.parametrize(("mode", "how"), [("http", "immediate"), ("socket", "fast")])
async def test_the_database_restarts_under_a_command_and_the_next_one_works(own_server, mode, how):
    url = own_server.url(own_server.create_lasting("ours_template"))
    async with look(url) as conn:
        await make_failed(conn, 1)
    async with open_pool(url) as pool, open_bot(pool, mode=mode) as (slack, bot):
        async with blocked(url, "SELECT * FROM procrastinate_jobs FOR UPDATE") as somebody:
            await slack.command(OPERATOR, OPS, "/jobs retry 1")
            await somebody()
            await own_server.restart(how)
            await settle(bot)
        [told] = slack.messages(OPS, OPERATOR)
        assert told.ephemeral
        assert told.text.startswith("🔴 The connection to the jobs database was lost;")
        async with look(url) as conn:
            assert await count(conn, "failed") == 1
        [answer] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry 1")
        assert answer.text.startswith("✅ Job 1 retried")


async def test_what_got_no_connection_says_that_nothing_was_changed_and_works_when_pressed_again(
    own_server,
):
    url = own_server.url(own_server.create_lasting("ours_template"))
    async with look(url) as conn:
        await make_failed(conn, 2)
    async with open_pool(url) as pool, open_bot(pool) as (slack, bot):
        pool.timeout, ana = 1.0, Actor.shell("ana", "host")
        [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all webhook")
        await asyncio.to_thread(own_server.control, "stop", "-m", "immediate")
        [pressed] = await click(slack, bot, OPERATOR, preview, "Retry 2 jobs")
        [typed] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry 1")
        for told, words in ((pressed, "retry --all webhook"), (typed, "retry 1")):
            assert "was free" not in told.text
            assert told.text.startswith("🔴 Nothing is listening at ")
            assert told.text.endswith(
                f"/jobs {words} · nothing was changed; try again once the database answers"
            )
        for action in (PreviewBulk(BulkVerb.RETRY, JobFilter()), RetryJobs((1,)), RescueStalled()):
            with pytest.raises(DatabaseUnavailable) as refused:
                await perform(pool, ana, action, settings=MaintSettings())
            assert refused.value.unbegun
        await own_server.restart("fast")
        pool.timeout = 60.0  # its pauses between two tries grow
        await click(slack, bot, OPERATOR, preview, "Retry 2 jobs")
        assert now(slack, preview).text.startswith("✅ 2 jobs of webhook retried")


@pytest.mark.parametrize(
    ("how", "word"), [("immediate", "discard"), ("fast", "retry"), ("away", "discard")]
)
async def test_the_database_restarts_under_a_large_act_which_says_how_far_it_came(
    own_server, how, word, caplog
):
    new, done = ("todo", "retried") if word == "retry" else ("cancelled", "discarded")
    url = own_server.url(own_server.create_lasting("ours_template"))
    async with look(url) as conn:
        await make_failed(conn, 1_200)
    async with open_pool(url) as pool, open_bot(pool) as (slack, bot):
        [preview] = await ask(slack, bot, ADMIN, OPS, f"/jobs {word} --all webhook")
        row = "SELECT * FROM procrastinate_jobs WHERE id = 700 FOR UPDATE"
        async with blocked(url, row) as somebody:
            await slack.click(ADMIN, OPS, preview.ts, f"{word.capitalize()} 1,200 jobs")
            await somebody()
            if how == "away":
                await asyncio.to_thread(own_server.control, "stop", "-m", "immediate")
                await until(lambda: "chatbot.lost_runs_unknown" in caplog.text, timeout=60)
            await own_server.restart(how if how != "away" else "fast")
            await settle(bot)
        after = now(slack, preview)
        about = "about " * (how == "away")
        assert after.text.startswith(f"🔴 Stopped by an error after {about}500 of 1,200 jobs.")
        assert "connection to the jobs database was lost" in after.text
        assert f"\n{about.capitalize()}500 {done}. Completed work is kept" in after.text
        undo = ["Put them back" if about else "Put 500 jobs back"] * (word == "discard")
        assert find_buttons(after) == ["Preview the rest", *undo]
        async with look(url) as conn:
            assert (await count(conn, new), await count(conn, "failed")) == (500, 700)

            # What could not be stored while the database was away is stored with the next look that
            # gets a connection: a pool waits longer and longer before it tries again.
            async def is_closed() -> bool:
                await tell_lost_runs(bot.services)
                return (await audited(conn))[-1][2] == "failed"

            await until(is_closed, timeout=90)
        assert now(slack, preview) == after
        [rest] = await click(slack, bot, ADMIN, after, "Preview the rest")
        await click(slack, bot, ADMIN, rest, f"{word.capitalize()} 700 jobs")
        async with look(url) as conn:
            assert await count(conn, new) == 1_200
        if undo:
            [back] = await click(slack, bot, ADMIN, after, *undo)
            await click(slack, bot, ADMIN, back, "Put 500 jobs back")
            async with look(url) as conn:
                assert (await count(conn, "todo"), await count(conn, new)) == (500, 700)


class CrashingPool:
    """Of a purge, whose server crashes before the next transaction begins once it is `due`."""

    def __init__(self, pool, server):
        self.pool, self.server, self.due = pool, server, False

    def connection(self):
        if self.due:
            self.due = False
            self.server.crash()
        return self.pool.connection()


@pytest.mark.parametrize("when", ["between two batches", "within a batch"])
async def test_the_server_crashes_in_a_purge_and_what_is_told_is_what_the_database_holds(
    own_server, when
):
    """Also where the role or database does not wait for the disk."""
    url = own_server.url(own_server.create_lasting("ours_template"))
    async with look(url) as conn:
        name = conn.info.dbname
        await conn.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        await conn.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
            " SELECT 'email', 'app.mail', 'succeeded' FROM generate_series(1, 2500)"
        )
        await conn.execute(
            "INSERT INTO procrastinate_events (job_id, type, at)"
            " SELECT id, 'succeeded', now() - interval '40 days' FROM procrastinate_jobs"
        )
        await conn.execute("CHECKPOINT")
    told = []

    def on_progress(done, _total):
        told.append(done)
        if len(told) == 2 and when == "between two batches":
            crashing.due = True
        elif len(told) == 2:
            own_server.crash()

    actor, settings = Actor.shell("ana", "host"), MaintSettings()
    async with open_pool(url) as pool:
        crashing = CrashingPool(pool, own_server)
        preview = await perform(pool, actor, PreviewPurge(), settings=settings)
        watch = Watch(on_progress)
        run = perform(
            crashing, actor, ConfirmSelection(preview.key), settings=settings, watch=watch
        )
        if when == "between two batches":
            assert (await run).total == 2_500
        else:
            with pytest.raises(DatabaseUnavailable):
                await run
    async with look(url) as conn:
        deleted = 2_500 - await count(conn, "succeeded")
        found = await conn.execute(
            "SELECT outcome, counts FROM jobs_maint_audit ORDER BY id DESC LIMIT 1"
        )
        outcome, counts = await found.fetchone()
    assert (deleted, told[-1], watch.certain) == (counts["succeeded"], deleted, True)
    assert outcome == ("done" if when == "between two batches" else "failed")
    assert deleted == (2_500 if when == "between two batches" else 1_000)
