"""Commands too long, broken bodies, people of other organisations: nothing wrong is done."""

import asyncio
import json
import logging
import re
from urllib.parse import quote

import psycopg
import pytest
from tests.support.bots import ask, no_sleep, open_bot, settle
from tests.support.locks import wait_for_waiting

from chatbot.inbound.slack_request import LONGEST_TEXT
from local_slack.sample import ADMIN, GUEST, OPERATOR, OPS, RANDOM, SECRET, VIEWER
from local_slack.text import as_text

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def test_a_command_that_is_too_long_does_nothing_instead_of_taking_half_an_id(pool, make_job):
    jobs = [await make_job(status="failed") for _ in range(12)]
    async with open_bot(pool) as (slack, bot):
        text = "retry".ljust(LONGEST_TEXT - 1) + str(jobs[-1])
        [answer] = await ask(slack, bot, ADMIN, OPS, f"/jobs {text}")
        assert answer.ephemeral
        assert "longer than 4,000 characters; none of it was run" in as_text(answer)
        assert {await make_job.status(job) for job in jobs} == {"failed"}


async def test_a_body_that_is_not_what_its_headers_say_is_a_forgery_and_leaves_no_traceback(
    pool, caplog
):
    caplog.set_level(logging.DEBUG)
    async with open_bot(pool) as (slack, _):
        for encoding in ("gzip", "deflate", "br", "nonsense"):
            headers = {**FORM, "Content-Encoding": encoding}
            answer = await slack.post_raw("needle-in-the-body", secret="wrong", headers=headers)
            assert answer.status == 401, encoding
    assert "Traceback" not in caplog.text
    assert "needle-in-the-body" not in caplog.text


ROLES = {
    "viewer": {"users": ["*"]},
    "operator": [
        {"users": [OPERATOR], "queues": ["email*"]},
        {"users": [VIEWER], "channels": [RANDOM]},
    ],
}


async def test_who_is_refused_for_a_queue_is_told_of_others_and_not_of_themselves(pool, make_job):
    job_id = await make_job(status="failed", queue="webhook")
    async with open_bot(pool, settings={"roles": json.dumps(ROLES)}) as (slack, bot):
        [answer] = await ask(slack, bot, OPERATOR, OPS, f"/jobs retry {job_id}")
        assert "Nobody holds a role that reaches it in this channel; whoever runs" in answer.text
        [answer] = await ask(slack, bot, OPERATOR, RANDOM, f"/jobs retry {job_id}")
        assert f"Ask @{VIEWER}." in as_text(answer)
    alone = json.dumps({"operator": ROLES["operator"][0]})
    async with open_bot(pool, settings={"roles": alone}) as (slack, bot):
        [answer] = await ask(slack, bot, OPERATOR, OPS, f"/jobs retry {job_id}")
        assert "Nobody holds a role that reaches it; whoever runs the bot" in answer.text


async def test_who_holds_the_role_in_another_channel_is_told_where_to_type_it(pool, make_job):
    job_id = await make_job(status="failed")
    async with open_bot(pool, settings={"roles": json.dumps(ROLES)}) as (slack, bot):
        [answer] = await ask(slack, bot, VIEWER, OPS, f"/jobs retry {job_id}")
        assert f"You hold operator in <#{RANDOM}>; run the command there." in answer.text.replace(
            "*", ""
        )
        assert await make_job.status(job_id) == "failed"
        [answer] = await ask(slack, bot, VIEWER, RANDOM, f"/jobs retry {job_id}")
        assert answer.text.startswith("✅ ")


async def test_a_refusal_names_only_people_and_channels_whose_grant_reaches_the_queue(
    pool, make_job
):
    hook = await make_job(status="failed", queue="webhook", error="boom")
    mail = await make_job(status="failed", queue="email", error="boom too")
    grants = {
        "viewer": {"users": [VIEWER]},
        "operator": [
            {"users": [OPERATOR], "queues": ["email"]},
            {"users": [VIEWER], "queues": ["email"], "channels": [RANDOM]},
        ],
    }
    with_admin = {**grants, "admin": {"users": [ADMIN]}}
    async with open_bot(pool, settings={"roles": json.dumps(with_admin)}) as (slack, bot):
        for words in (f"retry {hook}", f"retry {hook} {mail}", "retry --all webhook",
                      f"take {hook}", f"discard {hook}"):  # fmt: skip
            [answer] = await ask(slack, bot, VIEWER, OPS, f"/jobs {words}")
            assert f"Ask @{ADMIN}.\n" in as_text(answer), words
        for words in (f"retry {mail}", "retry --all email"):
            [answer] = await ask(slack, bot, VIEWER, OPS, f"/jobs {words}")
            assert f"You hold operator on email in <#{RANDOM}>" in answer.text, words
        [answer] = await ask(slack, bot, VIEWER, OPS, "/jobs retry --request 1")
        assert f"Ask @{ADMIN}.\n" in as_text(answer), "of whose queues nobody has looked up"
        [answer] = await ask(slack, bot, GUEST, OPS, f"/jobs retry {hook}")
        assert f"Ask @{ADMIN}.\n" in as_text(answer), "without a role one learns of no queue"
    async with open_bot(pool, settings={"roles": json.dumps(grants)}) as (slack, bot):
        [answer] = await ask(slack, bot, VIEWER, OPS, f"/jobs retry {hook}")
        assert "Nobody holds the role operator on its queue;" in answer.text
        [answer] = await ask(slack, bot, GUEST, OPS, f"/jobs retry {hook}")
        assert f"Ask @{OPERATOR}" in as_text(answer), "as of any job"


async def test_while_slack_does_not_say_who_is_a_member_nobody_is_told_to_have_no_role(
    pool, make_job
):
    await make_job()
    settings = {"roles": json.dumps(ROLES)}
    async with open_bot(pool, settings=settings, sleep=no_sleep) as (slack, bot):
        slack.set_fault("429", method="users.info", times=9, retry_after=99)
        [answer] = await ask(slack, bot, ADMIN, OPS, "/jobs stats")
        assert as_text(answer).startswith("⛔ You may not see the queues now. Slack did not say")
        assert "no role" not in answer.text
        [answer] = await ask(slack, bot, ADMIN, OPS, "/jobs help")
        assert as_text(answer).startswith("Your role is not known now.\n")


async def test_in_a_private_channel_without_the_bot_the_answer_says_to_invite_it(pool, make_job):
    job_id = await make_job(status="failed")
    async with open_bot(pool) as (slack, bot):
        [answer] = await ask(slack, bot, ADMIN, SECRET, f"/jobs retry {job_id}")
        assert answer.ephemeral
        assert (
            "the bot is not in this channel. Add it with /invite to share answers here."
            in answer.text
        )
        assert "channel_not_found" not in answer.text


async def test_where_the_bot_may_not_post_a_lost_answer_is_tried_again(pool, make_job):
    job_id = await make_job(status="failed")
    async with open_bot(pool) as (slack, bot):
        slack.set_fault("500", method="response_url")
        [answer] = await ask(slack, bot, ADMIN, SECRET, f"/jobs retry {job_id}")
        assert answer.text.startswith("✅ ")


async def test_a_database_that_goes_away_during_an_act_is_a_sentence_and_then_all_is_well(
    pool, conn, database_url, make_job
):
    job_id = await make_job(status="failed")
    async with (
        open_bot(pool) as (slack, bot),
        await psycopg.AsyncConnection.connect(database_url) as other,
    ):
        await other.execute("SELECT * FROM procrastinate_jobs FOR UPDATE")
        await slack.command(ADMIN, OPS, f"/jobs retry {job_id}")
        [waiting] = await wait_for_waiting(conn)
        await conn.execute("SELECT pg_terminate_backend(%s)", (waiting,))
        await settle(bot)
        [answer] = slack.messages(OPS, ADMIN)
        assert answer.ephemeral
        assert answer.text.startswith("🔴 The connection to the jobs database was lost;")
        assert "psycopg" not in answer.text
        await other.rollback()
        assert await make_job.status(job_id) == "failed"
        [answer] = await ask(slack, bot, ADMIN, OPS, f"/jobs retry {job_id}")
        assert answer.text.startswith("✅ ")


async def test_an_act_that_is_stopped_with_the_process_is_undone_and_says_so(
    pool, conn, database_url, make_job
):
    job_id = await make_job(status="failed")
    async with (
        open_bot(pool) as (slack, bot),
        await psycopg.AsyncConnection.connect(database_url) as other,
    ):
        await other.execute("SELECT * FROM procrastinate_jobs FOR UPDATE")
        await slack.command(ADMIN, OPS, f"/jobs retry {job_id}")
        await wait_for_waiting(conn)
        assert await bot.work.drain(0) == 1
        [answer] = slack.messages(OPS, ADMIN)
        assert answer.text.startswith("🔴 The bot was stopped before it could answer.")
        await other.rollback()
        assert await make_job.status(job_id) == "failed"


async def test_two_replicas_with_one_request_do_it_once(pool, conn, make_job):
    job_id = await make_job(status="failed")
    body = (
        f"command=%2Fjobs&text=retry+{job_id}&user_id={ADMIN}&channel_id={OPS}&trigger_id=1.2.3"
        "&team_id=T0LOCAL&api_app_id=A0LOCAL"
    )
    async with open_bot(pool) as (one, first), open_bot(pool) as (two, second):
        answers = await asyncio.gather(*(slack.post_raw(body) for slack in (one, two) * 3))
        assert {answer.status for answer in answers} == {200}
        await settle(first)
        await settle(second)
    found = await conn.execute("SELECT outcome FROM jobs_maint_audit WHERE word = 'retry'")
    assert [row[0] for row in await found.fetchall()] == ["done"]


async def test_a_button_that_two_people_press_acts_once_and_tells_the_second_why_not(
    pool, make_job
):
    job_id = await make_job(status="failed")
    roles = json.dumps({"operator": {"users": [ADMIN, OPERATOR]}})
    async with open_bot(pool, settings={"roles": roles}) as (slack, bot):
        [listed] = await ask(slack, bot, ADMIN, OPS, "/jobs failed")
        label = f"Retry job {job_id}"
        await asyncio.gather(*(slack.click(u, OPS, listed.ts, label) for u in (ADMIN, OPERATOR)))
        await settle(bot)
        told = sorted(
            one.text.splitlines()[0]
            for one in slack.messages(OPS)
            if one.ts != listed.ts and "etried" in one.text
        )
        assert len(told) == 2
        assert re.match(rf"✅ Job {job_id} retried by ", told[0])
        assert "was not retried: it is already waiting" in told[1]


def click_on(value):
    """A signed click whose words are none of ours."""
    return {
        "type": "block_actions",
        "team": {"id": "T0LOCAL"},
        "api_app_id": "A0LOCAL",
        "trigger_id": value[:20],
        "user": {"id": ADMIN},
        "channel": {"id": OPS},
        "actions": [{"type": "button", "action_id": "jobs_run:x", "value": value}],
    }


async def test_a_button_with_forged_words_or_of_a_job_that_is_gone_does_no_harm(
    pool, conn, make_job
):
    job_id = await make_job(status="failed")
    async with open_bot(pool, sleep=no_sleep) as (slack, bot):
        [listed] = await ask(slack, bot, ADMIN, OPS, "/jobs failed")
        label = f"Retry job {job_id}"
        for value in ("schema apply", f"retry {job_id} --yes", "x" * 5_000, "status 1 --reveal"):
            answer = await slack.post_raw(f"payload={quote(json.dumps(click_on(value)))}")
            await settle(bot)
            assert answer.status == 200
            assert slack.messages(OPS, ADMIN)[-1].text.startswith("🟡 "), value[:40]
        assert await make_job.status(job_id) == "failed"
        await conn.execute("DELETE FROM procrastinate_jobs")
        await slack.click(ADMIN, OPS, listed.ts, label)
        await settle(bot)
        assert "there is no such job; it may have been purged" in slack.messages(OPS)[-1].text


@pytest.mark.parametrize("word", ["retry", "cancel", "discard"])
async def test_about_a_job_that_does_not_exist_there_is_nothing_to_open(pool, make_job, word):
    job_id = await make_job(status="succeeded")
    async with open_bot(pool) as (slack, bot):
        [answer] = await ask(slack, bot, OPERATOR, OPS, f"/jobs {word} {job_id}")
        assert "Details" in str(answer.blocks)
        [answer] = await ask(slack, bot, OPERATOR, OPS, f"/jobs {word} {job_id + 7}")
        assert "there is no such job" in answer.text
        assert "actions" not in {block["type"] for block in answer.blocks}
