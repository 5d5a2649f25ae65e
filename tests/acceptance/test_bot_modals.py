"""A job's details in a modal; what one person sees is shared by a button."""

from __future__ import annotations

import pytest
from tests.support.bots import ask, open_bot, settle
from tests.support.history import minutes

from chatbot.local_slack.sample import ADMIN, GUEST, OPERATOR, OPS, SECRET, SHARED, VIEWER
from chatbot.local_slack.text import as_text

BOTH = pytest.mark.parametrize("mode", ["http", "socket"])


async def fail(make_job, number=1, **values):
    return [
        await make_job(
            status="failed", queue="webhook", task="app.send", error="connection refused",
            finished_ago=minutes(5 - n), **values,
        )
        for n in range(number)
    ]  # fmt: skip


async def open_details(slack, bot, user, channel=OPS):
    [answer] = await ask(slack, bot, user, channel, "/jobs failed")
    result = await slack.click(user, channel, answer.ts, "Details")
    assert (result.acked, result.error_shown) == (True, None)
    await settle(bot)
    return slack.view(user)


@BOTH
async def test_details_open_as_a_modal_with_the_error_first(pool, make_job, mode):
    [job] = await fail(make_job)
    async with open_bot(pool, mode=mode) as (slack, bot):
        view = await open_details(slack, bot, VIEWER)
        shown = as_text(view)
        assert f"Job {job}" in shown
        assert shown.index("connection refused") < shown.index("webhook")
        assert slack.breaches == []


@BOTH
async def test_the_modal_shares_its_job_where_it_was_opened(pool, make_job, mode):
    [job] = await fail(make_job)
    async with open_bot(pool, mode=mode) as (slack, bot):
        await open_details(slack, bot, VIEWER)
        before = len(slack.messages(OPS))
        result = await slack.submit_view(VIEWER)
        assert (result.acked, result.error_shown) == (True, None)
        await settle(bot)
        [shared] = slack.messages(OPS)[before:]
        assert not shared.ephemeral
        assert f"job {job}" in as_text(shared).lower()
        assert f"shared by @{VIEWER}" in as_text(shared)
        assert slack.view(VIEWER) is None
        assert slack.breaches == []


async def test_a_retry_in_the_modal_is_told_to_the_channel_and_the_modal_shows_the_job_anew(
    pool, make_job
):
    [job] = await fail(make_job)
    async with open_bot(pool) as (slack, bot):
        await open_details(slack, bot, OPERATOR)
        before = len(slack.messages(OPS))
        await slack.click_in_view(OPERATOR, f"Retry job {job}")
        await settle(bot)
        [told] = slack.messages(OPS)[before:]
        assert as_text(told).startswith(f"✅ Job {job} retried by @{OPERATOR}")
        assert await make_job.status(job) == "todo"
        assert "is waiting" in as_text(slack.view(OPERATOR))
        assert slack.breaches == []


async def test_a_viewer_s_retry_in_the_modal_is_refused_to_the_viewer_only(pool, make_job):
    [job] = await fail(make_job)
    async with open_bot(pool) as (slack, bot):
        await open_details(slack, bot, VIEWER)
        await slack.click_in_view(VIEWER, f"Retry job {job}")
        await settle(bot)
        [told] = [m for m in slack.messages(OPS, VIEWER) if m.ephemeral]
        assert as_text(told).startswith("⛔ You may not retry jobs.")
        assert await make_job.status(job) == "failed"


async def test_the_role_is_checked_when_the_modal_is_shared(pool, make_job, conn):
    await fail(make_job)
    clock = [1_000_000.0]
    roles = '{"viewer": {"usergroups": ["S0OPERATORS"]}}'
    settings = {"roles": roles}
    async with open_bot(pool, mode="socket", clock=lambda: clock[0], settings=settings) as (
        slack,
        bot,
    ):
        await open_details(slack, bot, OPERATOR)
        slack.set_members("S0OPERATORS", [ADMIN])
        clock[0] += 601
        before = len(slack.messages(OPS))
        await slack.submit_view(OPERATOR)
        await settle(bot)
        new = slack.messages(OPS)[before:]
        assert all(message.ephemeral for message in new)
        assert "⛔ You may not see a job." in as_text(new[-1])


async def test_a_stranger_s_click_opens_a_modal_that_says_no(pool, make_job):
    await fail(make_job)
    async with open_bot(pool) as (slack, bot):
        [answer] = await ask(slack, bot, VIEWER, OPS, "/jobs failed")
        await slack.click(GUEST, OPS, answer.ts, "Details")
        await settle(bot)
        shown = as_text(slack.view(GUEST))
        assert "⛔ You may not see a job." in shown
        assert "connection refused" not in shown


async def test_a_modal_that_slack_does_not_open_is_answered_as_a_message(pool, make_job):
    [job] = await fail(make_job)
    async with open_bot(pool) as (slack, bot):
        [answer] = await ask(slack, bot, VIEWER, OPS, "/jobs failed")
        slack.set_fault("500", method="views.open", times=10)
        await slack.click(VIEWER, OPS, answer.ts, "Details")
        await settle(bot)
        assert slack.view(VIEWER) is None
        [private] = [m for m in slack.messages(OPS, VIEWER) if m.ephemeral]
        assert f"Job {job}" in as_text(private)


async def test_typed_details_are_shared_by_their_button_but_not_with_another_organisation(
    pool, make_job
):
    [job] = await fail(make_job)
    async with open_bot(pool) as (slack, bot):
        [private] = await ask(slack, bot, VIEWER, OPS, f"/jobs status {job}")
        assert private.ephemeral
        before = len(slack.messages(OPS))
        await slack.click(VIEWER, OPS, private.ts, "Share")
        await settle(bot)
        [shared] = slack.messages(OPS)[before:]
        assert not shared.ephemeral
        assert f"shared by @{VIEWER}" in as_text(shared)
        [private] = await ask(slack, bot, VIEWER, SHARED, f"/jobs status {job}")
        await slack.click(VIEWER, SHARED, private.ts, "Share")
        await settle(bot)
        assert all(m.ephemeral for m in slack.messages(SHARED) if m.kind == "message")
        assert "another organisation" in slack.messages(SHARED, VIEWER)[-1].text
        [private] = await ask(slack, bot, ADMIN, SECRET, f"/jobs status {job}")
        await slack.click(ADMIN, SECRET, private.ts, "Share")
        await settle(bot)
        assert "bot is not in this channel" in slack.messages(SECRET, ADMIN)[-1].text
        assert slack.breaches == []


async def test_more_brings_the_next_page(pool, make_job):
    await fail(make_job, 40)
    async with open_bot(pool) as (slack, bot):
        [first] = await ask(slack, bot, VIEWER, OPS, "/jobs failed --limit 40")
        [more] = [
            element["text"]["text"]
            for block in first.blocks
            if block["type"] == "actions"
            for element in block["elements"]
            if element["action_id"].startswith("jobs_page:")
        ]
        number = len(slack.messages(OPS))
        await slack.click(VIEWER, OPS, first.ts, more)
        await settle(bot)
        [second] = slack.messages(OPS)[number:]
        assert as_text(second) != as_text(first)
        assert "of 40" in as_text(second)
        assert slack.breaches == []
