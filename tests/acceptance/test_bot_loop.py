"""The event loop that answers everybody is never held for long, whatever one answer is about."""

from __future__ import annotations

from datetime import timedelta

from tests.acceptance.test_bot_digests import HOURLY, list_digests, open_app, tick, work
from tests.support.bots import ask
from tests.support.fleet import Fleet
from tests.support.held import a_loop_that_is_never_held, make_much
from tests.support.watched import open_watch, roots

from local_slack.sample import ADMIN, OPS
from local_slack.text import as_text

WORDS = (
    "stats", "errors", "failed", "stuck", "workers", "incidents", "digest", "audit --limit 1000",
    "doctor", "status {deep}", "purge --older-than 1m", "retry --all",
)  # fmt: skip


async def test_no_word_and_no_watch_holds_the_loop_though_there_is_much_of_everything(
    pool, conn, make_job, monkeypatch
):
    await make_much(conn)
    deep = await make_job(status="failed", error="password=hunter2 " * 400)
    args = '{"a":[' * 900 + '"password=hunter2"' + "]}" * 900
    await conn.execute("UPDATE procrastinate_jobs SET args = %s WHERE id = %s", (args, deep))
    fleet = Fleet(pool, conn, make_job)
    async with open_watch(pool) as (slack, bot, watch):
        for _ in range(3):
            with a_loop_that_is_never_held(monkeypatch):
                await watch.pass_once()
        assert "No worker is alive" in as_text(roots(slack)[0])
        for words in WORDS:
            with a_loop_that_is_never_held(monkeypatch):
                [answer] = await ask(slack, bot, ADMIN, OPS, f"/jobs {words.format(deep=deep)}")
            assert "hunter2" not in as_text(answer)
            assert "Something went wrong" not in as_text(answer)
        await fleet.tick()
        await fleet.pass_time(timedelta(hours=1))
        await fleet.observe()
        with a_loop_that_is_never_held(monkeypatch):
            [answer] = await ask(slack, bot, ADMIN, OPS, "/jobs rescue")
        assert "500 jobs put back" in as_text(answer)


async def test_a_digest_of_much_leaves_the_loop_to_the_jobs_of_its_worker(
    database_url, conn, monkeypatch
):
    await make_much(conn)
    async with open_app(database_url, HOURLY) as (slack, app):
        await tick(app)
        with a_loop_that_is_never_held(monkeypatch):
            await work(app)
        [message] = list_digests(slack)
        assert "1,500 failures" in as_text(message)
