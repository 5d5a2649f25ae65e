"""What comes in over HTTP: only what Slack signed within five minutes runs anything."""

import asyncio
import logging
import time

import aiohttp
import pytest
from tests.support.bots import no_sleep, open_bot, settle

from chatbot.inbound.http import LARGEST_BODY
from local_slack.sample import OPERATOR, OPS

COMMAND = (
    f"command=%2Fjobs&text=retry+1&user_id={OPERATOR}&channel_id={OPS}&trigger_id=1.2.3"
    "&team_id=T0LOCAL&api_app_id=A0LOCAL"
)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def requests_taken(conn) -> int:
    found = await conn.execute("SELECT count(*) FROM jobs_maint_requests")
    (count,) = await found.fetchone()
    return count


@pytest.mark.parametrize(
    ("what", "sent"),
    [
        ("signed with another secret", {"secret": "another secret"}),
        ("six minutes old", {"age": 360.0}),
        ("from six minutes ahead", {"age": -360.0}),
        ("without a signature", {"headers": {"X-Slack-Signature": ""}}),
        ("without a timestamp", {"headers": {"X-Slack-Request-Timestamp": ""}}),
        ("a timestamp that is no number", {"headers": {"X-Slack-Request-Timestamp": "soon"}}),
        ("a timestamp with a fraction", {"headers": {"X-Slack-Request-Timestamp": "1.5"}}),
        ("an endless timestamp", {"headers": {"X-Slack-Request-Timestamp": "9" * 5_000}}),
        ("a signature that is not ASCII", {"headers": {"X-Slack-Signature": "v0=ключ"}}),
        ("a signature of another length", {"headers": {"X-Slack-Signature": "v0=abc"}}),
    ],
)
async def test_a_request_that_slack_did_not_sign_now_is_answered_401_and_runs_nothing(
    pool, conn, make_job, what, sent
):
    await make_job(status="failed")
    async with open_bot(pool) as (slack, bot):
        answer = await slack.post_raw(COMMAND, **sent)
        await settle(bot)
        assert answer.status == 401, what
        assert await requests_taken(conn) == 0


async def test_the_same_request_rightly_signed_runs(pool, conn):
    async with open_bot(pool) as (slack, bot):
        answer = await slack.post_raw(COMMAND)
        await settle(bot)
        assert answer.status == 200
        assert await requests_taken(conn) == 1


async def test_a_replay_is_acknowledged_and_runs_nothing(pool, conn, caplog):
    caplog.set_level(logging.INFO)
    async with open_bot(pool) as (slack, bot):
        for _ in range(3):
            assert (await slack.post_raw(COMMAND)).status == 200
            await settle(bot)
        assert await requests_taken(conn) == 1
        assert caplog.text.count("chatbot.request_repeated") == 2


async def test_the_age_of_a_signature_is_judged_by_the_clock_that_was_given(pool, conn):
    async with open_bot(pool, clock=lambda: time.time() + 301) as (slack, _):
        assert (await slack.post_raw(COMMAND)).status == 401


async def test_a_body_that_is_too_large_is_answered_413(pool):
    async with open_bot(pool) as (slack, _):
        assert (await slack.post_raw("text=" + "x" * LARGEST_BODY)).status == 413


async def test_an_ssl_check_is_answered_200_and_runs_nothing(pool, conn):
    async with open_bot(pool) as (slack, bot):
        answer = await slack.post_raw(f"{COMMAND}&ssl_check=1", secret="not Slack's")
        await settle(bot)
        assert answer.status == 200
        assert await requests_taken(conn) == 0


async def test_text_that_only_mentions_ssl_check_is_no_ssl_check(pool):
    async with open_bot(pool) as (slack, _):
        answer = await slack.post_raw("text=ssl_check%3D1", secret="not Slack's")
        assert answer.status == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 401),
        ("payload=%7Bbroken", 400),
        ("payload=[]", 400),
        ("command=%2Fjobs&team_id=T0LOCAL&api_app_id=A0LOCAL", 200),
        ("%00&team_id=T0LOCAL&api_app_id=A0LOCAL", 404),
    ],
)
async def test_a_signed_body_that_makes_no_sense_does_no_harm(pool, body, status, caplog):
    caplog.set_level(logging.DEBUG)
    async with open_bot(pool) as (slack, bot):
        answer = await slack.post_raw(body)
        await settle(bot)
        assert answer.status == status
        assert "broken" not in caplog.text
        assert (await slack.post_raw(COMMAND)).status == 200


async def test_another_slash_command_of_the_same_app_is_told_the_right_name(pool):
    async with open_bot(pool, commands=("/jobs", "/work")) as (slack, _):
        result = await slack.command(OPERATOR, OPS, "/work stats")
        assert result.acked
        [answer] = [m for m in slack.messages(OPS, OPERATOR) if m.kind == "message"]
        assert answer.ephemeral
        assert "listens to /jobs, not to /work" in answer.text


async def test_healthz_and_readyz_tell_whether_requests_can_be_served(pool, conn):
    now = time.time()
    shift = [0.0]
    async with open_bot(pool, clock=lambda: now + shift[0], sleep=no_sleep) as (slack, _):
        base = slack._delivery.request_url.removesuffix("/slack/events")
        async with aiohttp.ClientSession() as session:

            async def get(path):
                async with session.get(base + path) as answer:
                    return answer.status, await answer.text()

            assert await get("/healthz") == (200, "ok")
            assert await get("/readyz") == (200, "ready")
            shift[0] = 61.0
            slack.set_fault("500", method="auth.test", times=3)
            status, why = await get("/readyz")
            assert status == 503
            assert "Slack answered auth.test with status 500" in why
            # A failure is kept for a moment, however many ask.
            assert await get("/readyz") == (503, why)
            shift[0] += 3.0
            assert await get("/readyz") == (200, "ready")
            await conn.execute("DROP TABLE jobs_maint_audit CASCADE")
            await conn.execute("ALTER TABLE procrastinate_jobs RENAME TO gone")
            status, why = await get("/readyz")
            assert status == 503
            assert "schema apply" in why
            assert "jobs_maint" not in why
            assert "procrastinate" not in why
            assert await get("/healthz") == (200, "ok")


async def test_readyz_answers_in_time_where_the_database_does_not(pool, conn, monkeypatch):
    monkeypatch.setattr("chatbot.bot.LONGEST_LOOK", 0.2)
    async with open_bot(pool) as (_, bot), asyncio.timeout(20):
        await conn.execute("BEGIN; LOCK TABLE jobs_maint_migrations IN ACCESS EXCLUSIVE MODE")
        try:
            async with asyncio.timeout(3):  # the lock is waited for 5 s
                assert "did not answer within" in await bot.is_ready()
        finally:
            await conn.execute("ROLLBACK")
        while await bot.is_ready() is not None:
            await asyncio.sleep(0.1)


async def test_those_who_ask_readyz_while_the_database_is_slow_share_one_look(pool, conn):
    async with open_bot(pool) as (_, bot), asyncio.timeout(20):
        looked = pool.get_stats()["requests_num"]
        await conn.execute("BEGIN; LOCK TABLE jobs_maint_migrations IN ACCESS EXCLUSIVE MODE")
        try:
            asking = [asyncio.create_task(bot.is_ready()) for _ in range(5)]
            await asyncio.sleep(0)  # each of them asks
        finally:
            await conn.execute("ROLLBACK")
        assert await asyncio.gather(*asking) == [None] * 5
        assert pool.get_stats()["requests_num"] - looked == 1
