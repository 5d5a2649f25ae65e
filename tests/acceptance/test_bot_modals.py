"""A job's details in a modal; what one person sees is shared by a button."""

from __future__ import annotations

import json
import secrets
from urllib.parse import urlencode

import pytest
from tests.support.bots import ask, no_sleep, open_bot, settle
from tests.support.history import minutes

from local_slack.sample import ADMIN, GUEST, OPERATOR, OPS, RANDOM, SECRET, SHARED, VIEWER
from local_slack.text import as_text

BOTH = pytest.mark.parametrize("mode", ["http", "socket"])


async def fail(make_job, number=1, **values):
    return [
        await make_job(
            status="failed", queue="webhook", task="app.send",
            error="connection refused" + f" by host {n}" * (number > 1),
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
        listed = as_text(slack.messages(OPS)[before - 1])
        assert "Retry job" not in listed
        assert f"Retried by @{OPERATOR}" in listed
        assert slack.breaches == []


@pytest.mark.parametrize("broken", [[], ["chat.postEphemeral"]], ids=["there", "as a message"])
async def test_a_retry_in_the_modal_is_told_to_who_did_it_where_the_channel_takes_no_post(
    pool, make_job, broken
):
    [job] = await fail(make_job)
    async with open_bot(pool, sleep=no_sleep) as (slack, bot):
        await open_details(slack, bot, OPERATOR)
        for method in ("chat.postMessage", *broken):
            slack.set_fault("500", method=method, channel=OPS, times=99)
        await slack.click_in_view(OPERATOR, f"Retry job {job}")
        await settle(bot)
        told = slack.messages(slack.open_dm(OPERATOR) if broken else OPS, OPERATOR)[-1]
        assert told.text.startswith(f"✅ Job {job} retried by <@{OPERATOR}>")
        assert told.ephemeral != bool(broken)


async def test_who_lost_the_role_since_is_refused_in_the_modal_alone(pool, make_job):
    [job] = await fail(make_job)
    clock = [1_000_000.0]
    async with open_bot(pool, clock=lambda: clock[0], mode="socket") as (slack, bot):
        await open_details(slack, bot, OPERATOR)
        slack.set_members("S0OPERATORS", [ADMIN])
        clock[0] += 601
        await slack.click_in_view(OPERATOR, f"Retry job {job}")
        await settle(bot)
        [told] = [m for m in slack.messages(OPS, OPERATOR) if m.ephemeral]
        assert as_text(told).startswith("⛔ You may not")
        assert await make_job.status(job) == "failed"


async def test_what_one_person_reads_offers_only_what_that_person_may_do(pool, make_job):
    [job] = await fail(make_job)
    mail = await make_job(status="failed", queue="email", finished_ago=minutes(9))
    roles = {
        "viewer": {"users": ["*"]},
        "operator": {"usergroups": ["S0OPERATORS"], "queues": ["webhook"]},
        "admin": {"users": [ADMIN]},
    }
    async with open_bot(pool, settings={"roles": json.dumps(roles)}) as (slack, bot):
        for user, may in ((VIEWER, {}), (OPERATOR, {job}), (ADMIN, {job, mail})):
            for one in (job, mail):
                [answer] = await ask(slack, bot, user, OPS, f"/jobs status {one}")
                assert (f"Retry job {one}" in str(answer.blocks)) is (one in may), (user, one)
            [answer] = await ask(slack, bot, user, OPS, "/jobs failed webhook --private")
            assert (f"'retry {job} " in str(answer.blocks)) is bool(may), user
            *_, shown = await ask(slack, bot, user, OPS, "/jobs failed")
            result = await slack.click(user, OPS, shown.ts, "Details", value=f"status {job}")
            assert result.acked
            await settle(bot)
            assert (f"Retry job {job}" in as_text(slack.view(user))) is (job in may), user
        # Where Slack does not say who is in the group, nothing is left out.
    given = {"roles": json.dumps(roles)}
    async with open_bot(pool, settings=given, sleep=no_sleep) as (slack, bot):
        slack.set_fault("500", method="usergroups.users.list", times=9)
        [answer] = await ask(slack, bot, OPERATOR, OPS, f"/jobs status {job}")
        assert f"Retry job {job}" in str(answer.blocks)


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
        direct = slack.open_dm(VIEWER)
        [private] = await ask(slack, bot, VIEWER, direct, f"/jobs status {job}")
        await slack.click(VIEWER, direct, private.ts, "Share")
        await settle(bot)
        assert "only you read this conversation" in slack.messages(direct, VIEWER)[-1].text
        assert slack.breaches == []


async def test_more_brings_the_next_page(pool, make_job):
    for number in range(12):
        await make_job(status="failed", task=f"app.task{number}")
    async with open_bot(pool) as (slack, bot):
        [first] = await ask(slack, bot, VIEWER, OPS, "/jobs failed")
        number = len(slack.messages(OPS))
        await slack.click(VIEWER, OPS, first.ts, "Show more groups")
        await settle(bot)
        [second] = slack.messages(OPS)[number:]
        assert "1–10 of 12 groups" in as_text(first)
        assert "11–12 of 12 groups" in as_text(second)
        assert slack.breaches == []


# --- Slack fails, and what nobody could press -----------------------------------------------------


@pytest.mark.parametrize("method", ["views.open", "views.update"])
async def test_however_slack_takes_a_modal_the_details_are_seen(pool, make_job, method):
    [job] = await fail(make_job)
    async with open_bot(pool, sleep=no_sleep, timeout=1) as (slack, bot):
        [answer] = await ask(slack, bot, VIEWER, OPS, "/jobs failed")
        for fault in ("429", "500", "reset", "garbage", "invalid_blocks", "accepted_but_lost",
                      "timeout"):  # fmt: skip
            before = len(slack.messages(OPS, VIEWER))
            slack.set_fault(fault, method=method, times=9, retry_after=99)
            await slack.click(VIEWER, OPS, answer.ts, "Details")
            await settle(bot)
            slack.clear_faults()
            shown = [as_text(slack.view(VIEWER))] if slack.view(VIEWER) else []
            shown += [as_text(one) for one in slack.messages(OPS, VIEWER)[before:]]
            assert any("connection refused" in one and f"Job {job}" in one for one in shown), fault
            assert all(one.ephemeral for one in slack.messages(OPS, VIEWER)[before:]), fault
            if slack.view(VIEWER):
                await slack.close_view(VIEWER)


async def test_a_modal_whose_opening_was_not_answered_does_not_stay_loading(pool, make_job):
    [job] = await fail(make_job)
    async with open_bot(pool) as (slack, bot):
        [answer] = await ask(slack, bot, VIEWER, OPS, "/jobs failed")
        before = len(slack.messages(OPS, VIEWER))
        slack.set_fault("accepted_but_lost", method="views.open")
        await slack.click(VIEWER, OPS, answer.ts, "Details")
        await settle(bot)
        assert "connection refused" in as_text(slack.view(VIEWER))
        assert slack.messages(OPS, VIEWER)[before:] == []
        assert f"Retry job {job}" not in as_text(slack.view(VIEWER))


async def test_an_act_in_a_modal_that_is_closed_or_not_renewed_is_told_all_the_same(
    pool, conn, make_job
):
    first, second = await fail(make_job, 2)
    settings = {"audit_channel": RANDOM}
    async with open_bot(pool, sleep=no_sleep, settings=settings) as (slack, bot):
        slack.add_bot(RANDOM)
        [answer] = await ask(slack, bot, OPERATOR, OPS, "/jobs failed")
        for job, fault in ((first, "closed"), (second, "500")):
            await slack.click(OPERATOR, OPS, answer.ts, "Details", value=f"status {job}")
            await settle(bot)
            view = slack.view(OPERATOR)
            before = len(slack.messages(OPS))
            if fault == "closed":
                await slack.close_view(OPERATOR)
                await press_in_view(slack, bot, OPERATOR, view, "jobs_run:x", f"retry {job}")
            else:
                slack.set_fault(fault, method="views.update", times=9)
                await slack.click_in_view(OPERATOR, f"Retry job {job}")
                await settle(bot)
                slack.clear_faults()
            told = [one.text.splitlines()[0] for one in slack.messages(OPS)[before:]]
            assert told[0] == f"✅ Job {job} retried by <@{OPERATOR}>.", fault
            assert slack.messages(RANDOM)[-1].text.startswith(f"✅ Job {job} retried"), fault
            assert await make_job.status(job) == "todo"


async def test_typed_details_are_refreshed_where_they_stand(pool, make_job):
    [job] = await fail(make_job)
    async with open_bot(pool) as (slack, bot):
        [private] = await ask(slack, bot, ADMIN, OPS, f"/jobs status {job}")
        await ask(slack, bot, ADMIN, OPS, f"/jobs retry {job}")
        before = len(slack.messages(OPS, ADMIN))
        await slack.click(ADMIN, OPS, private.ts, "Refresh")
        await settle(bot)
        assert slack.view(ADMIN) is None
        assert len(slack.messages(OPS, ADMIN)) == before
        [same] = [one for one in slack.messages(OPS, ADMIN) if one.ts == private.ts]
        assert "is waiting" in same.text
        assert same.ephemeral


async def test_the_modal_is_refreshed_while_the_job_moves_on(pool, make_job, conn):
    [job] = await fail(make_job)
    async with open_bot(pool) as (slack, bot):
        view = await open_details(slack, bot, VIEWER)
        assert "is waiting" not in as_text(view)
        await conn.execute("UPDATE procrastinate_jobs SET status = 'todo' WHERE id = %s", (job,))
        before = len(slack.messages(OPS, VIEWER))
        await slack.click_in_view(VIEWER, "Refresh")
        await settle(bot)
        assert "is waiting" in as_text(slack.view(VIEWER))
        assert len(slack.messages(OPS, VIEWER)) == before
        assert slack.breaches == []


async def send(slack, bot, payload):
    home = {"team": {"id": "T0LOCAL"}, "api_app_id": "A0LOCAL"}
    payload = {"trigger_id": secrets.token_hex(8), **home, **payload}
    answer = await slack.post_raw(urlencode({"payload": json.dumps(payload)}))
    await settle(bot)
    return answer.status


async def press_in_view(slack, bot, user, view, action_id, value):
    notes = {"id": view.id, "type": "modal", "private_metadata": view.private_metadata}
    action = {"type": "button", "action_id": action_id, "value": value}
    payload = {
        "type": "block_actions",
        "user": {"id": user},
        "container": {"type": "view", "view_id": view.id},
        "view": notes,
        "actions": [action],
    }
    assert await send(slack, bot, payload) == 200


async def submit(slack, bot, user, notes, callback="jobs_share"):
    view = {"id": "V1", "type": "modal", "callback_id": callback, "private_metadata": notes}
    return await send(slack, bot, {"type": "view_submission", "user": {"id": user}, "view": view})


ROLES = {
    "viewer": [
        {"users": [VIEWER], "queues": ["email"]},
        {"users": [OPERATOR], "channels": [RANDOM]},
        {"users": [ADMIN]},
    ]
}


async def test_what_a_modal_shares_is_checked_anew_against_the_channel_it_is_for(pool, make_job):
    """Slack signs what we kept in the modal; whoever forges it gets no further than the grants."""
    [job] = await fail(make_job)
    async with open_bot(pool, sleep=no_sleep, settings={"roles": json.dumps(ROLES)}) as (
        slack,
        bot,
    ):
        slack.add_bot(RANDOM)
        words = f"status {job}"

        async def share(user, channel, words=words):
            before = {place: len(slack.messages(place)) for place in (OPS, RANDOM, SHARED)}
            notes = json.dumps({"channel": channel, "words": words})
            assert await submit(slack, bot, user, notes) == 200
            return [one for place, n in before.items() for one in slack.messages(place)[n:]]

        # A job of a queue that the person may not see; a channel where the grant does not hold.
        for user, channel in ((VIEWER, OPS), (OPERATOR, OPS)):
            [refusal] = await share(user, channel)
            assert refusal.ephemeral
            assert refusal.text.startswith("⛔ You may not see")
            assert "connection refused" not in refusal.text
        # Where people outside read it, it is not shared, whatever the modal says.
        [refusal] = await share(ADMIN, SHARED)
        assert refusal.ephemeral
        assert "another organisation" in refusal.text
        # What the bot does not say to all is not shared, and nothing is done by a share.
        for words in (f"retry {job}", "stats", "schema apply", "", "nonsense"):
            [refusal] = await share(ADMIN, OPS, words)
            assert refusal.ephemeral, words
            assert refusal.text.startswith("🟡 "), words
        assert await make_job.status(job) == "failed"
        # Where the bot is not and where nothing is, the person is told so directly.
        slack.remove_bot(RANDOM)
        for channel in (SECRET, RANDOM, "C0NOWHERE"):
            assert await share(ADMIN, channel) == [], channel
            told = slack.messages(slack.open_dm(ADMIN), ADMIN)[-1]
            assert told.text.startswith("This was not shared: ")
        slack.add_bot(RANDOM)
        [shared] = await share(OPERATOR, RANDOM)
        assert not shared.ephemeral
        assert "connection refused" in shared.text
        # Where Slack fails for another reason, nobody is told to invite the bot.
        slack.set_fault("500", method="chat.postMessage", times=9, channel=RANDOM)
        [private] = await share(OPERATOR, RANDOM)
        assert private.ephemeral
        assert "/invite" not in private.text


@BOTH
async def test_what_an_older_release_left_open_gets_no_error_of_slack_s(pool, make_job, mode):
    [job] = await fail(make_job)
    async with open_bot(pool, mode=mode) as (slack, bot):
        if mode == "http":
            for notes in ("", "[]", "null", "broken", '{"channel": 1}', '"text"'):
                assert await submit(slack, bot, ADMIN, notes, "of_old") == 200, notes
                assert await submit(slack, bot, ADMIN, notes) == 200, notes
            for kind in ("view_closed", "shortcut", "message_action"):
                view = {"id": "V1", "callback_id": "of_old", "type": "modal"}
                body = {"type": kind, "user": {"id": ADMIN}, "view": view, "callback_id": "of_old"}
                assert await send(slack, bot, body) == 200, kind
        assert await make_job.status(job) == "failed"
        await open_details(slack, bot, ADMIN)
        result = await slack.submit_view(ADMIN)
        assert (result.acked, result.error_shown) == (True, None)


async def test_a_channel_left_archived_or_shared_while_the_modal_was_open_gets_nothing(
    pool, make_job
):
    await fail(make_job)
    clock = [1_000_000.0]
    async with open_bot(pool, clock=lambda: clock[0], sleep=no_sleep, mode="socket") as (
        slack,
        bot,
    ):
        for change in (slack.set_ext_shared, slack.remove_bot, slack.set_archived):
            await open_details(slack, bot, ADMIN)
            change(OPS)
            clock[0] += 2.1
            before = len(slack.messages(OPS))
            result = await slack.submit_view(ADMIN)
            assert (result.acked, result.error_shown) == (True, None)
            await settle(bot)
            assert [one for one in slack.messages(OPS)[before:] if not one.ephemeral] == []
            slack.set_ext_shared(OPS, shared=False)
            slack.add_bot(OPS)
            clock[0] += 601
