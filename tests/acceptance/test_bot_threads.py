"""Buttons in a thread: what they lead to is seen where they were pressed."""

import pytest
from tests.support.bots import ask, open_bot, settle

from chatbot.messages import Message
from local_slack.sample import ADMIN, OPERATOR, OPS, VIEWER
from local_slack.text import as_text


async def reply_with(slack, bot, words, *, thread):
    """What these words answer, as a message in that thread; returns its ts."""
    [answer] = await ask(slack, bot, ADMIN, OPS, f"/jobs {words}")
    message = Message(answer.text, answer.blocks)
    return (await bot.slack.posting.post(OPS, message, thread=thread)).ts


async def press(slack, bot, user, ts, button, channel=OPS):
    """The messages that this user sees newly."""
    before = {one.ts for one in slack.messages(channel, user)}
    result = await slack.click(user, channel, ts, button)
    assert (result.acked, result.error_shown) == (True, None)
    await settle(bot)
    return [one for one in slack.messages(channel, user) if one.ts not in before]


@pytest.mark.parametrize("mode", ["http", "socket"])
async def test_answers_acts_and_refusals_stand_in_the_thread_of_their_button(pool, make_job, mode):
    jobs = [await make_job(status="failed", queue="webhook") for _ in range(2)]
    async with open_bot(pool, mode=mode) as (slack, bot):
        root = slack.post_as_user(VIEWER, OPS, "a bad night").ts
        groups = await reply_with(slack, bot, "errors", thread=root)
        [shown] = await press(slack, bot, VIEWER, groups, "Show 2 failures")
        assert (shown.thread_ts, shown.ephemeral) == (root, False)
        [refused] = await press(slack, bot, VIEWER, groups, "Preview retry of 2")
        assert (refused.thread_ts, refused.ephemeral) == (root, True)
        assert "You may not retry these jobs" in refused.text

        [preview] = await press(slack, bot, OPERATOR, groups, "Preview retry of 2")
        assert preview.thread_ts == root
        assert await press(slack, bot, OPERATOR, preview.ts, "Retry 2 jobs") == []
        [outcome] = [one for one in slack.messages(OPS) if one.ts == preview.ts]
        assert outcome.text.startswith("✅ 2 jobs")
        assert {await make_job.status(job) for job in jobs} == {"todo"}

        job = await make_job(status="failed", queue="webhook")
        status = await reply_with(slack, bot, f"status {job}", thread=root)
        [told] = await press(slack, bot, OPERATOR, status, f"Retry job {job}")
        assert (told.thread_ts, told.ephemeral) == (root, False)
        assert told.text.startswith(f"✅ Job {job} retried")


async def test_a_modal_opened_in_a_thread_shares_and_acts_in_that_thread(pool, make_job):
    job = await make_job(status="failed", queue="webhook")
    async with open_bot(pool) as (slack, bot):
        root = slack.post_as_user(VIEWER, OPS, "a bad night").ts
        listed = await reply_with(slack, bot, "failed", thread=root)
        assert await press(slack, bot, OPERATOR, listed, "Details") == []
        before = len(slack.messages(OPS))
        await slack.click_in_view(OPERATOR, f"Retry job {job}")
        await settle(bot)
        await slack.submit_view(OPERATOR)
        await settle(bot)
        told, shared = slack.messages(OPS)[before:]
        assert (told.thread_ts, shared.thread_ts) == (root, root)
        assert as_text(told).startswith(f"✅ Job {job} retried")
        assert f"shared by @{OPERATOR}" in as_text(shared)


async def test_a_button_of_the_first_message_of_a_thread_answers_in_the_channel(pool, make_job):
    await make_job(status="failed", queue="webhook")
    async with open_bot(pool) as (slack, bot):
        [root] = await ask(slack, bot, VIEWER, OPS, "/jobs stats")
        slack.post_as_user(VIEWER, OPS, "who looks?", thread_ts=root.ts)
        [shown] = await press(slack, bot, VIEWER, root.ts, "Show 1 failure")
        assert (shown.thread_ts, shown.ephemeral) == (None, False)


async def test_what_only_one_person_sees_leads_on_within_its_thread(pool, make_job):
    job = await make_job(status="failed", queue="webhook")
    async with open_bot(pool) as (slack, bot):
        root = slack.post_as_user(VIEWER, OPS, "a bad night").ts
        [answer] = await ask(slack, bot, VIEWER, OPS, f"/jobs status {job}")
        slack.post_as_user(VIEWER, OPS, "I look", thread_ts=root)
        message = Message(answer.text, answer.blocks)
        before = {one.ts for one in slack.messages(OPS, VIEWER)}
        await bot.slack.posting.post_ephemeral(OPS, VIEWER, message, thread=root)
        [private] = [one for one in slack.messages(OPS, VIEWER) if one.ts not in before]
        assert (private.thread_ts, private.ephemeral) == (root, True)
        assert await press(slack, bot, VIEWER, private.ts, "Refresh") == []
        [shared] = await press(slack, bot, VIEWER, private.ts, "Share")
        assert (shared.thread_ts, shared.ephemeral) == (root, False)


async def test_where_the_bot_cannot_write_into_the_thread_a_private_answer_arrives_all_the_same(
    pool, make_job
):
    await make_job(status="failed", queue="webhook")
    async with open_bot(pool) as (slack, bot):
        root = slack.post_as_user(VIEWER, OPS, "a bad night").ts
        groups = await reply_with(slack, bot, "failed", thread=root)
        slack.set_fault("500", method="chat.postEphemeral")
        [refused] = await press(slack, bot, VIEWER, groups, "Retry job 1")
        assert refused.ephemeral
        assert "You may not retry jobs" in refused.text
