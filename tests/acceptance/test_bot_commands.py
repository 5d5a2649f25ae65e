"""The same commands over signed HTTP and over Socket Mode, on a real database."""

import json

import psycopg
import pytest
from tests.support.bots import ask, open_bot, settle
from tests.support.history import minutes

from local_slack.sample import ADMIN, GUEST, OPERATOR, OPS, VIEWER
from local_slack.text import as_text

BOTH = pytest.mark.parametrize("mode", ["http", "socket"])


async def audit_rows(conn: psycopg.AsyncConnection, outcome: str) -> list[tuple]:
    found = await conn.execute(
        "SELECT actor_id, word, outcome FROM jobs_maint_audit WHERE outcome = %s", (outcome,)
    )
    return [tuple(row) for row in await found.fetchall()]


@BOTH
async def test_a_viewer_asks_for_stats_and_everybody_in_the_channel_sees_them(pool, make_job, mode):
    await make_job(status="failed", queue="webhook", finished_ago=minutes(5))
    async with open_bot(pool, mode=mode) as (slack, bot):
        [answer] = await ask(slack, bot, VIEWER, OPS, "/jobs stats")
        assert not answer.ephemeral
        assert answer in slack.messages(OPS, ADMIN)
        assert "1 job failed in the last hour" in as_text(answer).splitlines()[0]
        assert "webhook: 1 failed in the last hour; in 24 hours 1 failed" in answer.text
        assert slack.breaches == []


@BOTH
async def test_failed_shows_each_job_with_its_error_and_harmless_text(pool, make_job, mode):
    nasty = "<!channel> </script> ```x``` \u202etxt.exe"
    job_id = await make_job(status="failed", task="app.send", error=nasty)
    async with open_bot(pool, mode=mode) as (slack, bot):
        [answer] = await ask(slack, bot, VIEWER, OPS, "/jobs failed")
        shown = as_text(answer)
        assert "send  in default" in shown
        assert f"job `{job_id}` · " in shown
        assert "ValueError: <!channel> </script>" in shown
        assert "<!channel>" not in answer.text
        assert "\u202e" not in answer.text + shown
        assert slack.breaches == []


@BOTH
async def test_a_viewer_is_refused_privately_told_whom_to_ask_and_audited(
    pool, conn, make_job, mode
):
    job_id = await make_job(status="failed")
    async with open_bot(pool, mode=mode) as (slack, bot):
        [answer] = await ask(slack, bot, VIEWER, OPS, f"/jobs retry {job_id}")
        assert answer.ephemeral
        shown = as_text(answer)
        assert shown.startswith(
            "⛔ You may not retry jobs. This requires the role operator; your role is"
        )
        assert f"Ask @{ADMIN} or anyone in @S0OPERATORS." in shown
        assert await make_job.status(job_id) == "failed"
        assert await audit_rows(conn, "refused") == [(VIEWER, "retry", "refused")]


@BOTH
async def test_an_operator_by_user_group_retries_and_the_channel_is_told(
    pool, conn, make_job, mode
):
    job_id = await make_job(status="failed", queue="email", task="app.send")
    async with open_bot(pool, mode=mode) as (slack, bot):
        [answer] = await ask(slack, bot, OPERATOR, OPS, f"/jobs retry {job_id}")
        assert not answer.ephemeral
        assert as_text(answer).startswith(f"✅ Job {job_id} retried by @{OPERATOR}.")
        assert await make_job.status(job_id) == "todo"
        assert await audit_rows(conn, "done") == [(OPERATOR, "retry", "done")]


async def test_details_with_arguments_are_shown_to_the_one_who_asked_only(pool, make_job):
    job_id = await make_job(status="failed", args={"password": "hunter2", "order": 17})
    async with open_bot(pool) as (slack, bot):
        [answer] = await ask(slack, bot, VIEWER, OPS, f"/jobs status {job_id}")
        assert answer.ephemeral
        assert '"order": 17' in answer.text
        assert "hunter2" not in answer.text + as_text(answer)
        assert answer not in slack.messages(OPS, ADMIN)


async def test_private_answers_a_read_only_to_the_one_who_asked(pool, make_job):
    await make_job()
    async with open_bot(pool) as (slack, bot):
        # A phone turns the two dashes into one long one.
        [answer] = await ask(slack, bot, VIEWER, OPS, "/jobs stats —private")
        assert answer.ephemeral


async def test_somebody_without_a_role_gets_nothing_but_help(pool, make_job):
    await make_job()
    async with open_bot(pool) as (slack, bot):
        for word in ("stats", "failed", "status 1", "retry 1"):
            [answer] = await ask(slack, bot, GUEST, OPS, f"/jobs {word}")
            assert answer.ephemeral
            assert as_text(answer).startswith("⛔ You may not"), word
        [answer] = await ask(slack, bot, GUEST, OPS, "/jobs help")
        assert "You have no role here" in as_text(answer)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("stast", "did you mean 'stats'?"),
        ("retry abc", "'abc' is not a job id"),
        ("retry 99999999999999999999", "is not a possible job id"),
        ("retry 4711 —private", "has no option --private"),
        ("failed --sinse 1h", "did you mean --since?"),
        ("schema apply", "is not a known command"),
        ("status 4711", "4711"),
    ],
)
async def test_a_bad_command_gets_one_private_sentence_that_says_what_to_do(pool, typed, expected):
    async with open_bot(pool) as (slack, bot):
        [answer] = await ask(slack, bot, ADMIN, OPS, f"/jobs {typed}")
        assert answer.ephemeral
        assert expected in as_text(answer)
        assert as_text(answer).startswith("🟡 ")


async def test_the_suggested_command_runs_at_a_click(pool, make_job):
    await make_job()
    async with open_bot(pool) as (slack, bot):
        [typo] = await ask(slack, bot, VIEWER, OPS, "/jobs stast")
        await slack.click(VIEWER, OPS, typo.ts, "Run /jobs stats")
        await settle(bot)
        assert "default: 1 ready" in slack.messages(OPS, VIEWER)[-1].text


@BOTH
async def test_buttons_check_the_permission_of_the_one_who_clicks(pool, make_job, mode):
    job_id = await make_job(status="failed")
    async with open_bot(pool, mode=mode) as (slack, bot):
        [answer] = await ask(slack, bot, OPERATOR, OPS, "/jobs failed")
        await slack.click(VIEWER, OPS, answer.ts, f"Retry job {job_id}")
        await settle(bot)
        assert slack.messages(OPS, VIEWER)[-1].text.startswith("⛔ You may not retry jobs.")
        assert await make_job.status(job_id) == "failed"
        await slack.click(OPERATOR, OPS, answer.ts, f"Retry job {job_id}")
        await settle(bot)
        assert await make_job.status(job_id) == "todo"
        assert slack.breaches == []


async def test_refresh_puts_the_new_numbers_in_place_of_the_old(pool, make_job):
    await make_job(queue="email")
    async with open_bot(pool) as (slack, bot):
        [answer] = await ask(slack, bot, VIEWER, OPS, "/jobs stats")
        await make_job(queue="webhook")
        count = len(slack.messages(OPS))
        await slack.click(VIEWER, OPS, answer.ts, "Refresh")
        await settle(bot)
        [now] = [m for m in slack.messages(OPS) if m.ts == answer.ts]
        assert "webhook" in now.text
        assert now.edited
        assert len(slack.messages(OPS)) == count
        assert slack.breaches == []


async def test_refresh_by_a_narrower_grant_leaves_a_message_that_shows_more(pool, make_job):
    await make_job(queue="email")
    for _ in range(2):
        await make_job(queue="webhook", status="failed", error="refused")
    roles = {"operator": {"users": [OPERATOR]}, "viewer": {"users": [VIEWER], "queues": ["email"]}}
    async with open_bot(pool, settings={"roles": json.dumps(roles)}) as (slack, bot):
        [wide] = await ask(slack, bot, OPERATOR, OPS, "/jobs stats")
        await slack.click(VIEWER, OPS, wide.ts, "Refresh")
        await settle(bot)
        mine = slack.messages(OPS, VIEWER)[-1]
        assert mine.ephemeral
        assert "email" in mine.text
        assert "webhook" not in mine.text
        assert "Only you see this: the message has queues beyond your role." in mine.text
        [same] = [m for m in slack.messages(OPS) if m.ts == wide.ts]
        assert (same.text, same.edited) == (wide.text, False)
        # A digest's button says how many failed; the others would read an answer about less.
        await slack.click(VIEWER, OPS, wide.ts, "Show 2 failures")
        await settle(bot)
        mine = slack.messages(OPS, VIEWER)[-1]
        assert mine.ephemeral
        assert mine.text.startswith(
            "🟡 No job in the queues you reach (email) failed in the last hour."
        )
        # What shows no more than the grant reaches is refreshed in place, also by the others.
        [narrow] = await ask(slack, bot, VIEWER, OPS, "/jobs stats")
        for who in (VIEWER, OPERATOR):
            count = len(slack.messages(OPS, who))
            await slack.click(who, OPS, narrow.ts, "Refresh")
            await settle(bot)
            assert len(slack.messages(OPS, who)) == count
        assert slack.breaches == []


@BOTH
async def test_a_request_that_comes_twice_runs_once(pool, conn, make_job, mode):
    job_id = await make_job(status="failed")
    async with open_bot(pool, mode=mode) as (slack, bot):
        result = await slack.command(OPERATOR, OPS, f"/jobs retry {job_id}")
        await settle(bot)
        again = await slack.replay(result.request_id)
        await settle(bot)
        assert again.acked
        assert len(await audit_rows(conn, "done")) == 1
        assert len([m for m in slack.messages(OPS, OPERATOR) if m.kind == "message"]) == 1
