"""Where an answer may go, and what happens when Slack or the database fails."""

import json
import logging
import re

import psycopg
from psycopg_pool import AsyncConnectionPool
from tests.support.bots import ask, no_sleep, open_bot, settle
from tests.support.history import minutes

from jobs_maint.database import describe_database
from local_slack.sample import ADMIN, GUEST, OPERATOR, OPS, RANDOM, SHARED, VIEWER
from local_slack.text import as_text


async def test_nothing_goes_to_a_channel_that_is_shared_with_another_organisation(pool, make_job):
    await make_job()
    async with open_bot(pool) as (slack, bot):
        [answer] = await ask(slack, bot, VIEWER, SHARED, "/jobs stats")
        assert answer.ephemeral
        assert "shared with another organisation" in answer.text


async def test_a_channel_that_becomes_shared_gets_no_answer_from_then_on(pool, make_job):
    await make_job()
    clock = [1_000_000.0]
    async with open_bot(pool, mode="socket", clock=lambda: clock[0], sleep=no_sleep) as (
        slack,
        bot,
    ):
        for shared in (False, True, False):
            slack.set_ext_shared(OPS, shared)
            clock[0] += 2.1
            *_, answer = await ask(slack, bot, VIEWER, OPS, "/jobs stats")
            assert answer.ephemeral is shared
        clock[0] += 2.1
        slack.set_fault("500", method="conversations.info", times=3)
        *_, answer = await ask(slack, bot, VIEWER, OPS, "/jobs stats")
        assert answer.ephemeral
        assert "the bot cannot tell whether outsiders can read this channel" in answer.text


async def test_the_outcome_of_what_was_begun_before_a_channel_was_shared_is_told_to_one(
    pool, make_job
):
    jobs = [await make_job(status="failed", queue="webhook") for _ in range(2)]
    clock = [1_000_000.0]
    async with open_bot(pool, mode="socket", clock=lambda: clock[0], sleep=no_sleep) as (
        slack,
        bot,
    ):
        [preview] = await ask(slack, bot, OPERATOR, OPS, f"/jobs retry {jobs[0]} {jobs[1]}")
        assert not preview.ephemeral
        slack.set_ext_shared(OPS)
        clock[0] += 2.1
        assert (await slack.click(OPERATOR, OPS, preview.ts, "Retry 2 jobs")).acked
        await settle(bot)
        [left] = [one for one in slack.messages(OPS) if one.ts == preview.ts]
        assert left.text == (
            f"Only <@{OPERATOR}> sees the outcome: this channel is shared with another "
            "organisation."
        )
        *_, told = slack.messages(OPS, OPERATOR)
        assert told.ephemeral
        assert "2 jobs" in told.text
        assert "Only you see this: this channel is shared" in told.text
        assert await make_job.status(jobs[0]) == "todo"


async def test_without_the_scope_to_tell_whether_a_channel_is_shared_answers_stay_private(
    pool, make_job
):
    await make_job()
    scopes = ("commands", "chat:write", "usergroups:read")
    async with open_bot(pool, bot_scopes=scopes, provokes=["missing_scope"]) as (slack, bot):
        [answer] = await ask(slack, bot, VIEWER, OPS, "/jobs stats")
        assert answer.ephemeral
        assert "channels:read" in answer.text


async def test_acts_are_told_in_the_audit_channel_too(pool, make_job, conn):
    job_id = await make_job(status="failed")
    await make_job(status="failed")
    others = " ".join(str(job_id + n) for n in range(1, 118))
    async with open_bot(pool, settings={"audit_channel": OPS}) as (slack, bot):
        await ask(slack, bot, OPERATOR, RANDOM, f"/jobs retry {job_id}")
        [told] = slack.messages(OPS)
        assert told.text.startswith(f"✅ Job {job_id} retried by <@{OPERATOR}>.")
        assert f"/jobs retry {job_id}" in told.text
        assert f"<@{OPERATOR}> in <#{RANDOM}>" in told.text
        # What is done from the message itself, and marked there, would stay live in the copy.
        assert "actions" not in {block["type"] for block in told.blocks}
        [preview] = await ask(slack, bot, OPERATOR, RANDOM, f"/jobs retry {others}")
        await slack.click(OPERATOR, RANDOM, preview.ts, "Retry 1 job")
        await settle(bot)
        [_, told] = slack.messages(OPS)
        assert told.text.count(f"/jobs retry {job_id + 1} ") == 1
        assert f" {job_id + 10} … and 107 more" in told.text
        assert str(job_id + 60) not in told.text
        [audited] = await ask(slack, bot, ADMIN, OPS, "/jobs audit")
        assert "… and 107 more" in audited.text
    stored = await conn.execute("SELECT action FROM jobs_maint_audit ORDER BY id DESC LIMIT 1")
    assert await stored.fetchone() == (f"retry {others}",)


async def test_the_audit_channel_is_not_told_why_only_the_asker_sees_the_answer(pool, make_job):
    job_id = await make_job(status="failed")
    async with open_bot(pool, settings={"audit_channel": OPS}) as (slack, bot):
        [answer] = await ask(slack, bot, OPERATOR, SHARED, f"/jobs retry {job_id}")
        assert "Only you see this: this channel is shared" in answer.text
        [told] = slack.messages(OPS)
        assert told.text.startswith(f"✅ Job {job_id} retried by <@{OPERATOR}>.")
        assert "Only you see this" not in told.text


async def test_an_act_is_refused_while_slack_does_not_say_who_is_in_the_group(pool, make_job):
    job_id = await make_job(status="failed")
    async with open_bot(pool, sleep=no_sleep) as (slack, bot):
        slack.set_fault("500", method="usergroups.users.list", times=9)
        [answer] = await ask(slack, bot, OPERATOR, OPS, f"/jobs retry {job_id}")
        assert answer.ephemeral
        first, second, reason, _ = answer.text.splitlines()
        assert first == (
            "⛔ You may not retry jobs now. Slack did not say whether you hold a role that allows "
            "it; nothing was changed."
        )
        assert second == f"Try again in a minute, or ask <@{ADMIN}>."
        assert "status 500" in reason
        assert await make_job.status(job_id) == "failed"


async def test_what_will_not_pass_by_itself_is_said_to_be_for_whoever_runs_the_bot(pool, make_job):
    job_id = await make_job(status="failed")
    async with open_bot(pool, team={"plan_upgrade_required": True}) as (slack, bot):
        [answer] = await ask(slack, bot, OPERATOR, OPS, f"/jobs retry {job_id}")
        _, second, reason, _ = answer.text.splitlines()
        assert second == f"Whoever runs the bot can fix this, or ask <@{ADMIN}>."
        assert "the workspace's plan does not include user groups" in reason


async def test_who_is_certain_to_hold_the_role_does_not_wait_for_slack(pool, make_job):
    job_id = await make_job(status="failed")
    async with open_bot(pool) as (slack, bot):
        slack.set_fault("hang", method="usergroups.users.list", times=9)
        for user, text in ((VIEWER, "stats"), (ADMIN, f"retry {job_id}")):
            [answer] = await ask(slack, bot, user, OPS, f"/jobs {text}")
            assert not answer.ephemeral
        assert slack.calls("usergroups.users.list") == []


async def test_an_answer_whose_response_url_fails_still_reaches_the_one_who_asked(pool, make_job):
    await make_job()
    async with open_bot(pool) as (slack, bot):
        slack.set_fault("500", method="response_url")
        [answer] = await ask(slack, bot, VIEWER, OPS, "/jobs stats")
        assert answer.ephemeral
        assert "default: 1 ready" in answer.text


async def test_a_table_that_slack_does_not_know_yet_is_sentences_and_its_buttons_work(
    pool, make_job
):
    await make_job(queue="email", deferred_ago=minutes(14))
    async with open_bot(pool, team={"unsupported_blocks": ("table",)}) as (slack, bot):
        [answer] = await ask(slack, bot, VIEWER, OPS, "/jobs stats")
        assert not answer.ephemeral
        told = "email: oldest waits 14 min, 1 ready"
        assert told in answer.text
        assert told in as_text(answer)
        assert (await slack.click(VIEWER, OPS, answer.ts, "Refresh")).acked
        await settle(bot)
        [again] = [one for one in slack.messages(OPS) if one.kind == "message"]
        assert (again.ts, again.edited) == (answer.ts, True)
        assert told in as_text(again)


class BrokenPool:
    """Takes the request, then fails in a way that nobody foresaw."""

    def __init__(self, pool):
        self._pool = pool
        self.max_size = pool.max_size
        self.uses = 0

    def connection(self):
        self.uses += 1
        if self.uses > 1:
            raise RuntimeError("nobody foresaw this")
        return self._pool.connection()


async def test_an_unexpected_error_shows_an_id_that_is_in_the_log_and_nothing_else(pool, caplog):
    async with open_bot(BrokenPool(pool)) as (slack, bot):
        [answer] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry 1")
    assert answer.ephemeral
    assert "foresaw" not in answer.text
    error_id = re.search(r"reason under (\w{8})", answer.text)[1]
    assert f"chatbot.request_failed error_id={error_id}" in caplog.text
    assert "nobody foresaw this" in caplog.text


async def test_a_database_that_is_gone_is_a_sentence_and_the_bot_goes_on(
    pool, conn, make_job, database_url
):
    await make_job()
    async with open_bot(pool) as (slack, bot):
        await conn.execute("ALTER TABLE jobs_maint_requests RENAME TO gone")
        [answer] = await ask(slack, bot, VIEWER, OPS, "/jobs stats")
        assert answer.ephemeral
        assert answer.text.startswith("🔴 ")
        assert "schema apply" in answer.text
        assert describe_database(database_url) in answer.text
        [answer] = await ask(slack, bot, GUEST, OPS, "/jobs stats")
        assert as_text(answer).startswith("⛔ You may not")
        assert describe_database(database_url) not in as_text(answer)
        await conn.execute("ALTER TABLE gone RENAME TO jobs_maint_requests")
        [answer] = await ask(slack, bot, VIEWER, OPS, "/jobs stats")
        assert not answer.ephemeral


async def test_where_the_database_is_that_is_gone_is_told_to_those_who_may_read(database_url):
    params = {**psycopg.conninfo.conninfo_to_dict(database_url), "host": "127.0.0.1", "port": 1}
    dead = psycopg.conninfo.make_conninfo("", **params)
    roles = json.dumps({"viewer": {"users": [VIEWER], "channels": [OPS]}})
    async with (
        AsyncConnectionPool(dead, open=False, timeout=0.2) as pool,
        open_bot(pool, settings={"roles": roles}) as (slack, bot),
    ):
        [answer] = await ask(slack, bot, VIEWER, OPS, "/jobs stats")
        assert "127.0.0.1:1" in answer.text
        for user, channel, word in (
            (GUEST, OPS, "stats"),
            (GUEST, OPS, "status 1"),
            (GUEST, OPS, "retry 1"),
            (VIEWER, RANDOM, "stats"),
        ):
            *_, answer = await ask(slack, bot, user, channel, f"/jobs {word}")
            assert answer.ephemeral
            assert as_text(answer).startswith("⛔ You may not"), word
            assert "127.0.0.1" not in as_text(answer)
            assert "JOB_QUEUE" not in as_text(answer)
            assert "recorded in the audit" not in as_text(answer)  # which is not there now
        *_, answer = await ask(slack, bot, GUEST, OPS, "/jobs help")
        assert "cannot use the jobs database now" in as_text(answer)
        assert "127.0.0.1" not in as_text(answer)


async def test_no_body_token_or_response_url_is_logged_at_any_level(pool, make_job, caplog):
    await make_job()
    caplog.set_level(logging.DEBUG)
    for name in ("slack_bolt", "slack_sdk", "chatbot", "aiohttp"):
        caplog.set_level(logging.DEBUG, logger=name)
    async with open_bot(pool) as (slack, bot):
        await ask(slack, bot, VIEWER, OPS, "/jobs stats needle-in-the-body")
        forged = "command=%2Fjobs&text=needle-in-the-body&user_id=U0ADMIN"
        answer = await slack.post_raw(forged, secret="wrong")
        assert answer.status == 401
    for needle in ("needle-in-the-body", "xoxb-local", "/response/", "local-signing-secret"):
        assert needle not in caplog.text
