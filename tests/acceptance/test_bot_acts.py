"""Sets of jobs in Slack: shown first, confirmed once by who asked, told in one message."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
from urllib.parse import urlencode

import pytest
from tests.support.bots import ROLES, ask, no_sleep, open_bot, open_slack, serve_replica, settle
from tests.support.fleet import Fleet
from tests.support.locks import wait_for_waiting
from tests.support.waiting import until

from chatbot.handling.lost_runs import tell_lost_runs
from chatbot.inbound.slack_request import SlackRequest
from chatbot.messages.marking import Mark
from chatbot.messages.packer import pack
from chatbot.messages.parts import Button, buttons, paragraph
from chatbot.runtime.awake import Awake
from jobs_maint.operations.failures.memory import collect_groups
from local_slack.sample import (
    ADMIN,
    GUEST,
    OPERATOR,
    OPS,
    RANDOM,
    SECRET,
    VIEWER,
    build_sample_config,
)
from local_slack.text import as_text

BOTH = pytest.mark.parametrize("mode", ["http", "socket"])


async def make_failed(conn, number, queue="webhook"):
    await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT %s, 'app.send', 'failed' FROM generate_series(1, %s)",
        (queue, number),
    )


async def count(conn, status):
    found = await conn.execute(
        "SELECT count(*) FROM procrastinate_jobs WHERE status = %s", (status,)
    )
    return (await found.fetchone())[0]


async def audited(conn):
    found = await conn.execute(
        "SELECT actor_id, word, outcome FROM jobs_maint_audit ORDER BY started_at, id"
    )
    return [tuple(row) for row in await found.fetchall()]


def find_buttons(message):
    return [
        element["text"]["text"]
        for block in message.blocks
        if block["type"] == "actions"
        for element in block["elements"]
    ]


async def click(slack, bot, user, message, button):
    """What the user who clicked sees newly of it, besides the message itself."""
    before = len(slack.messages(message.channel, user))
    result = await slack.click(user, message.channel, message.ts, button)
    assert (result.acked, result.error_shown) == (True, None)
    await settle(bot)
    return slack.messages(message.channel, user)[before:]


async def press(slack, bot, user, channel, action_id, value, *, seen_by=None, seen_in=None, **more):
    """A click that is signed, though nobody could make it."""
    payload = {
        "type": "block_actions",
        "team": {"id": "T0LOCAL"},
        "api_app_id": "A0LOCAL",
        "user": {"id": user, "username": "somebody"},
        "channel": {"id": channel},
        "container": {"type": "message", "message_ts": "1.1", "channel_id": channel},
        "actions": [{"type": "button", "action_id": action_id, "value": value}],
        "trigger_id": secrets.token_hex(8),
        **more,
    }
    before = len(slack.messages(seen_in or channel, seen_by or user))
    answer = await slack.post_raw(urlencode({"payload": json.dumps(payload)}))
    await settle(bot)
    assert answer.status == 200
    return slack.messages(seen_in or channel, seen_by or user)[before:]


def now(slack, message):
    """The message as everybody sees it now."""
    [same] = [one for one in slack.messages(message.channel) if one.ts == message.ts]
    return same


@BOTH
async def test_exactly_what_was_shown_runs_once_and_its_message_tells_the_outcome(pool, conn, mode):
    await make_failed(conn, 3)
    async with open_bot(pool, mode=mode) as (slack, bot):
        [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all webhook")
        assert not preview.ephemeral
        assert as_text(preview).splitlines()[0].endswith("Retry 3 failed jobs of webhook?")
        assert find_buttons(preview) == ["Retry 3 jobs", "Not now"]
        await make_failed(conn, 2)  # later failures are not in the set
        assert await click(slack, bot, OPERATOR, preview, "Retry 3 jobs") == []
        after = now(slack, preview)
        assert as_text(after).startswith(f"✅ 3 jobs of webhook retried by @{OPERATOR}")
        assert find_buttons(after) == ["Preview retry of 2"]
        assert "2 more failed since the preview." in as_text(after)
        assert "No worker is alive: they wait until one starts." in as_text(after)
        assert after.text.startswith("✅ 3 jobs of webhook retried")
        assert (await count(conn, "todo"), await count(conn, "failed")) == (3, 2)
        assert await audited(conn) == [
            (OPERATOR, "retry", "previewed"),
            (OPERATOR, "retry", "done"),
        ]
        assert slack.breaches == []


async def test_two_clicks_in_the_same_moment_run_it_once(pool, conn):
    await make_failed(conn, 2)
    async with open_bot(pool) as (slack, bot):
        [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all")
        await asyncio.gather(
            *(slack.click(OPERATOR, OPS, preview.ts, "Retry 2 jobs") for _ in range(4))
        )
        await settle(bot)
        assert as_text(now(slack, preview)).startswith("✅ 2 jobs of webhook retried")
        private = [m for m in slack.messages(OPS, OPERATOR) if m.ephemeral]
        assert len(private) == 3
        assert all("already confirmed" in as_text(m) for m in private)
        outcomes = [outcome for _, _, outcome in await audited(conn)]
        assert sorted(outcomes) == ["done", "expired", "expired", "expired", "previewed"]


async def test_nobody_else_confirms_and_the_message_stays_as_it_is(pool, conn):
    await make_failed(conn, 2)
    async with open_bot(pool) as (slack, bot):
        [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all")
        for user in (ADMIN, VIEWER):
            for button in ("Retry 2 jobs", "Not now"):
                [refusal] = await click(slack, bot, user, preview, button)
                assert refusal.ephemeral
                if user == VIEWER and button == "Retry 2 jobs":
                    assert "This requires the role operator" in as_text(refusal)
                else:
                    assert "Only the person who asked" in as_text(refusal)
        assert now(slack, preview) == preview
        assert await count(conn, "failed") == 2
        await click(slack, bot, OPERATOR, preview, "Retry 2 jobs")
        assert await count(conn, "todo") == 2


@BOTH
async def test_not_now_ends_the_preview_for_good(pool, conn, mode):
    await make_failed(conn, 2)
    async with open_bot(pool, mode=mode) as (slack, bot):
        [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all")
        assert await click(slack, bot, OPERATOR, preview, "Not now") == []
        after = now(slack, preview)
        assert "Retry 2 jobs" not in find_buttons(after)
        assert "Dismissed by" in as_text(after)
        assert await count(conn, "failed") == 2
        assert slack.breaches == []


async def test_after_ten_minutes_the_message_says_so_and_offers_a_new_preview(pool, conn):
    await make_failed(conn, 2)
    async with open_bot(pool) as (slack, bot):
        for button in ("Retry 2 jobs", "Not now"):
            [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all webhook")
            await conn.execute("UPDATE jobs_maint_selections SET expires_at = now()")
            await click(slack, bot, OPERATOR, preview, button)
            after = now(slack, preview)
            assert find_buttons(after) == ["New preview"]
            assert await count(conn, "failed") == 2
        [again] = await click(slack, bot, OPERATOR, after, "New preview")
        await click(slack, bot, OPERATOR, again, "Retry 2 jobs")
        assert await count(conn, "todo") == 2


async def test_who_lost_the_role_between_preview_and_confirm_is_refused(pool, conn):
    await make_failed(conn, 2)
    clock = [1_000_000.0]
    async with open_bot(pool, mode="socket", clock=lambda: clock[0]) as (slack, bot):
        [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all")
        slack.set_members("S0OPERATORS", [ADMIN])
        clock[0] += 61
        [refusal] = await click(slack, bot, OPERATOR, preview, "Retry 2 jobs")
        assert as_text(refusal).startswith("⛔ You may not retry these jobs.")
        assert await count(conn, "failed") == 2
        # With the role back, the same preview still works: it was not used up.
        slack.set_members("S0OPERATORS", [OPERATOR])
        clock[0] += 61
        await click(slack, bot, OPERATOR, preview, "Retry 2 jobs")
        assert await count(conn, "todo") == 2


async def test_whom_a_refused_confirm_names_reaches_the_queue_and_has_the_role(pool, conn):
    await make_failed(conn, 2)
    roles = {
        "operator": [{"users": [VIEWER], "queues": ["mail"]}, {"users": [GUEST]}],
        "admin": [{"usergroups": ["S0OPERATORS"]}, {"users": [ADMIN]}],
    }
    clock = [1_000_000.0]
    async with open_bot(
        pool, mode="socket", clock=lambda: clock[0], settings={"roles": json.dumps(roles)}
    ) as (
        slack,
        bot,
    ):
        for word, button, named in (
            ("retry --all webhook", "Retry 2 jobs", (GUEST, ADMIN)),
            ("discard --all webhook", "Discard 2 jobs", (ADMIN,)),
        ):
            [preview] = await ask(slack, bot, OPERATOR, OPS, f"/jobs {word}")
            slack.set_members("S0OPERATORS", [VIEWER])
            clock[0] += 61
            [refusal] = await click(slack, bot, OPERATOR, preview, button)
            assert re.findall("<@(.+?)>", refusal.text) == list(named), refusal.text
            slack.set_members("S0OPERATORS", [OPERATOR])
            clock[0] += 61
        assert await count(conn, "failed") == 2


async def test_an_admin_by_user_group_confirms_what_takes_an_admin(pool, conn):
    await make_failed(conn, 2)
    roles = {"operator": {"users": [ADMIN]}, "admin": {"usergroups": ["S0ADMINS"]}}
    async with open_bot(pool, settings={"roles": json.dumps(roles)}) as (slack, bot):
        [preview] = await ask(slack, bot, ADMIN, OPS, "/jobs discard --all webhook")
        await click(slack, bot, ADMIN, preview, find_buttons(preview)[0])
        assert await count(conn, "cancelled") == 2


async def test_another_replica_confirms_what_the_first_one_showed(pool, conn):
    await make_failed(conn, 2)
    async with open_bot(pool) as (slack, bot):
        [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all")
        async with serve_replica(slack, pool) as other:
            await click(slack, other, OPERATOR, preview, "Retry 2 jobs")
            assert as_text(now(slack, preview)).startswith("✅ 2 jobs of webhook retried")
        assert await count(conn, "todo") == 2


@pytest.mark.parametrize(
    "value", ["", "nothing", "x" * 2000, "' OR true --", "\u202e <!channel>", "0 retry --all"]
)
@pytest.mark.parametrize("button", ["confirm", "dismiss", "stop"])
async def test_a_forged_button_changes_nothing_and_is_answered(pool, conn, button, value):
    await make_failed(conn, 2)
    async with open_bot(pool) as (slack, bot):
        [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all")
        there = {"type": "message", "message_ts": preview.ts, "channel_id": OPS}
        forged = (f"jobs_{button}:{value}", value)
        await press(slack, bot, OPERATOR, OPS, *forged, container=there)
        assert await count(conn, "failed") == 2


async def test_stop_of_a_run_in_a_process_that_may_be_gone_says_where_its_end_is_told(pool, conn):
    await make_failed(conn, 2)
    async with open_bot(pool) as (slack, bot):
        [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all")
        await conn.execute("UPDATE jobs_maint_audit SET outcome = 'started'")
        found = await conn.execute(
            "INSERT INTO jobs_maint_runs (audit_id, lease_until, channel, ts, total)"
            " SELECT max(id), now() + interval '1 minute', %s, %s, 2 FROM jobs_maint_audit"
            " RETURNING audit_id",
            (OPS, preview.ts),
        )
        (run,) = await found.fetchone()
        [told] = await press(slack, bot, OPERATOR, OPS, f"jobs_stop:{run}", str(run))
        assert told.ephemeral
        assert told.text.startswith("Another process of the bot runs this and was asked to stop.")
        assert (OPERATOR, "stop", "done") in await audited(conn)


async def test_a_stop_that_comes_late_is_told_in_a_sentence_where_the_end_stands(pool):
    async with open_bot(pool) as (slack, bot):
        [told] = await press(slack, bot, OPERATOR, OPS, "jobs_stop:1", "1")
        assert as_text(told, 200) == (
            "🟡 This had ended before Stop was pressed. The message that has the button says how, "
            "or will within a minute."
        )


# --- undo, purge, dry run -------------------------------------------------------------------------


async def test_a_cancel_is_undone_by_the_button_of_its_outcome(pool, conn):
    await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name) SELECT 'email', 'app.mail'"
        " FROM generate_series(1, 3)"
    )
    async with open_bot(pool) as (slack, bot):
        [preview] = await ask(slack, bot, ADMIN, OPS, "/jobs cancel --all email")
        await click(slack, bot, ADMIN, preview, "Cancel 3 jobs")
        assert await count(conn, "cancelled") == 3
        after = now(slack, preview)
        [undo] = [name for name in find_buttons(after) if name == "Put 3 jobs back"]
        [second] = await click(slack, bot, ADMIN, after, undo)
        assert as_text(second).startswith("Put 3 cancelled jobs back into email?")
        assert find_buttons(second) == [undo, "Not now"]
        await click(slack, bot, ADMIN, second, undo)
        assert await count(conn, "todo") == 3
        assert as_text(now(slack, second)).startswith("✅ 3 jobs put back into email by")
        assert find_buttons(now(slack, after)) == []
        assert f"3 put back by @{ADMIN}" in as_text(now(slack, after))


async def test_two_people_who_each_put_back_a_part_are_both_told(pool, conn):
    await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name) SELECT 'email', 'app.mail'"
        " FROM generate_series(1, 3)"
    )

    # Without events: one that was cancelled again after a preview is left as it is.
    await conn.execute("SET session_replication_role = replica")

    async def set_first(status):
        await conn.execute(
            "UPDATE procrastinate_jobs SET status = %s"
            " WHERE id = (SELECT min(id) FROM procrastinate_jobs)",
            (status,),
        )

    async with open_bot(pool) as (slack, bot):
        [preview] = await ask(slack, bot, ADMIN, OPS, "/jobs cancel --all email")
        await click(slack, bot, ADMIN, preview, "Cancel 3 jobs")
        after = now(slack, preview)
        [ana] = await click(slack, bot, OPERATOR, after, "Put 3 jobs back")
        [ada] = await click(slack, bot, ADMIN, after, "Put 3 jobs back")
        await set_first("todo")
        await click(slack, bot, OPERATOR, ana, "Put 3 jobs back")
        await set_first("cancelled")
        await click(slack, bot, ADMIN, ada, "Put 3 jobs back")
        shown = as_text(now(slack, after))
        assert f"2 of 3 put back by @{OPERATOR}" in shown
        assert f" · 1 of 3 put back by @{ADMIN}" in shown
        assert find_buttons(now(slack, after)) == []


async def test_what_one_who_reaches_a_part_leaves_keeps_its_button(pool, conn):
    await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name)"
        " SELECT unnest(ARRAY['web', 'web', 'mail', 'mail']), 'app.send'"
    )
    roles = {**ROLES, "operator": {"users": [OPERATOR], "queues": ["mail"]}}
    async with open_bot(pool, settings={"roles": json.dumps(roles)}) as (slack, bot):
        [preview] = await ask(slack, bot, ADMIN, OPS, "/jobs cancel --all --task send")
        await click(slack, bot, ADMIN, preview, "Cancel 4 jobs")
        after = now(slack, preview)
        [mine] = await click(slack, bot, OPERATOR, after, "Put 4 jobs back")
        await click(slack, bot, OPERATOR, mine, "Put 2 jobs back")
        assert f"2 put back by @{OPERATOR}" in as_text(now(slack, after))
        assert find_buttons(now(slack, after)) == ["Put 2 jobs back"]
        [rest] = await click(slack, bot, ADMIN, now(slack, after), "Put 2 jobs back")
        await click(slack, bot, ADMIN, rest, "Put 2 jobs back")
        assert await count(conn, "todo") == 4
        assert find_buttons(now(slack, after)) == []
        assert as_text(now(slack, after)).count(f"2 put back by @{OPERATOR}") == 1
        assert f"2 put back by @{ADMIN}" in as_text(now(slack, after))


async def test_a_button_whose_label_names_no_number_tells_each_who_used_it_once(pool, conn):
    roles = {**ROLES, "operator": {"users": [OPERATOR], "queues": ["mail"]}}
    async with open_bot(pool, settings={"roles": json.dumps(roles)}) as (slack, bot):
        label = "Preview retry"  # as in the message of an incident
        offered = pack([paragraph(["Failing."]), buttons(Button(label, "retry --all"))])
        await bot.slack.posting.post(OPS, offered)
        [message] = slack.messages(OPS)
        for times in (1, 2, 3):
            await make_failed(conn, times, "mail")
            [preview] = await click(slack, bot, OPERATOR, now(slack, message), label)
            await click(slack, bot, OPERATOR, preview, f"Retry {times} job{'s' * (times > 1)}")
            label = "Preview the rest"
            assert find_buttons(now(slack, message)) == [label]
            assert as_text(now(slack, message)).lower().count("retried by") == times


async def test_a_button_that_is_used_up_is_not_told_of_what_is_typed_later(pool, conn):
    words = "retry --all mail"
    async with open_bot(pool) as (slack, bot):
        offered = pack([paragraph(["Stopped."]), buttons(Button("Preview the rest", words))])
        await bot.slack.posting.post(OPS, offered)
        [message] = slack.messages(OPS)
        await make_failed(conn, 2, "mail")
        [rest] = await click(slack, bot, OPERATOR, message, "Preview the rest")
        await click(slack, bot, OPERATOR, rest, "Retry 2 jobs")
        after = now(slack, message)
        assert find_buttons(after) == []
        assert f"2 retried by @{OPERATOR}" in as_text(after)
        await make_failed(conn, 3, "mail")
        [other] = await ask(slack, bot, ADMIN, OPS, f"/jobs {words}")
        await click(slack, bot, ADMIN, other, "Retry 3 jobs")
        assert now(slack, message).text == after.text


async def test_a_private_message_too_says_by_whom_its_button_was_used(pool, conn, make_job):
    jobs = [await make_job(status="failed", queue="webhook") for _ in range(2)]
    async with open_bot(pool) as (slack, bot):
        [status, other] = [
            (await ask(slack, bot, OPERATOR, OPS, f"/jobs status {job}"))[0] for job in jobs
        ]
        assert status.ephemeral
        [told] = await click(slack, bot, OPERATOR, status, f"Retry job {jobs[0]}")
        assert not told.ephemeral
        [marked] = [one for one in slack.messages(OPS, OPERATOR) if one.ts == status.ts]
        assert as_text(marked).startswith(as_text(status).splitlines()[0])
        assert f"Retried by @{OPERATOR}" in as_text(marked)
        assert f"Retry job {jobs[0]}" not in find_buttons(marked)
        [same] = [one for one in slack.messages(OPS, OPERATOR) if one.ts == other.ts]
        assert same.text == other.text
        assert slack.breaches == []


async def test_a_mark_leaves_the_address_of_a_click_a_use_for_the_outcome(pool, make_job):
    job = await make_job(status="failed", queue="webhook")
    async with open_bot(pool) as (slack, bot):
        [status] = await ask(slack, bot, OPERATOR, OPS, f"/jobs status {job}")
        await click(slack, bot, OPERATOR, status, f"Retry job {job}")
        rows = [block.get("elements", ()) for block in status.blocks]
        words = next(one["value"] for row in rows for one in row if "value" in one)
        for _ in range(6):
            await bot.services.origins.tell_done(OPS, words, Mark((["By ana"],)))
        used = [call for call in slack.calls("response_url") if call.arguments["replace_original"]]
        assert len(used) == 4


async def test_a_mark_is_not_lost_where_its_message_is_clicked_while_another_is_marked(pool):
    async with open_bot(pool) as (slack, bot):
        origins, seen = bot.services.origins, []
        for _ in range(2):
            offered = [buttons(Button(words, words)) for words in ("retry 1", "retry 2")]
            await bot.slack.posting.post(OPS, pack([paragraph(["Both failed."]), *offered]))
        for one in slack.messages(OPS):
            there = {"text": one.text, "blocks": one.blocks}
            seen.append(SlackRequest("", OPERATOR, "", OPS, "", None, ts=one.ts, message=there))
            origins.remember(seen[-1])
        async with origins.replaced(OPS, seen[0].ts):
            telling = asyncio.create_task(origins.tell_done(OPS, "retry 1", Mark((["By ana"],))))
            await asyncio.sleep(0)  # it waits for the first message
            origins.remember(seen[1])
        await telling
        assert find_buttons(slack.messages(OPS)[1]) == ["retry 2"]


async def test_a_purge_shows_what_it_deletes_and_deletes_it(pool, conn, make_job):
    from tests.support.history import days

    for number in range(3):
        await make_job(status="succeeded", finished_ago=days(40 + number))
    kept = await make_job(status="succeeded", finished_ago=days(2))
    async with open_bot(pool) as (slack, bot):
        [refusal] = await ask(slack, bot, OPERATOR, OPS, "/jobs purge")
        assert "This requires the role admin" in as_text(refusal)
        [preview] = await ask(slack, bot, ADMIN, OPS, "/jobs purge")
        assert await count(conn, "succeeded") == 4
        await click(slack, bot, ADMIN, preview, find_buttons(preview)[0])
        assert await make_job.status(kept) == "succeeded"
        assert await count(conn, "succeeded") == 1
        assert "3" in as_text(now(slack, preview)).splitlines()[0]
        assert slack.breaches == []


async def test_a_dry_run_has_no_buttons_and_yes_is_for_the_shell_only(pool, conn):
    await make_failed(conn, 2)
    async with open_bot(pool) as (slack, bot):
        [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all --dry-run")
        assert find_buttons(preview) == []
        [refusal] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all --yes")
        assert "no option --yes" in as_text(refusal)
        assert await count(conn, "failed") == 2
        [audit] = await ask(slack, bot, ADMIN, OPS, "/jobs audit")
        assert "retry --all --dry-run  dry run, 2 jobs" in as_text(audit, 300)
        assert "U0OPERATOR (otto)" in as_text(audit, 300)


async def test_of_two_equal_previews_only_the_newer_one_can_be_confirmed(pool, conn):
    await make_failed(conn, 2)
    async with open_bot(pool) as (slack, bot):
        [first] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all")
        [other] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all webhook")
        [admins] = await ask(slack, bot, ADMIN, OPS, "/jobs retry --all")
        await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all --dry-run")
        await make_failed(conn, 1)
        [second] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all")
        for button in ("Retry 2 jobs", "Not now"):
            assert await click(slack, bot, OPERATOR, first, button) == []
            assert as_text(now(slack, first)).splitlines()[0] == (
                "🟡 Replaced by a newer preview. This one changed nothing."
            )
            twice = "/jobs retry --all --status failed,aborted"
            [first] = await ask(slack, bot, OPERATOR, OPS, twice)
            await ask(slack, bot, OPERATOR, OPS, twice)
        assert await count(conn, "failed") == 3
        await click(slack, bot, OPERATOR, second, "Retry 3 jobs")
        assert await count(conn, "todo") == 3
        # Other words and other people's previews stay as they were.
        for user, message in ((OPERATOR, other), (ADMIN, admins)):
            await click(slack, bot, user, message, "Retry 2 jobs")
            assert "2 skipped: the status changed" in as_text(now(slack, message), 300)
        assert slack.breaches == []


# --- what became of it, and where it came from ----------------------------------------------------


async def end(conn, status, *jobs):
    for job in jobs:
        for step in ("doing", status):
            await conn.execute(
                "UPDATE procrastinate_jobs SET status = %s WHERE id = %s", (step, job)
            )
        if status == "failed":
            await conn.execute(
                "INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name,"
                " failed_at, kind, exception_type, message, fingerprint, will_retry)"
                " VALUES (%s, 2, 'webhook', 'app.send', now(), 'error', 'httpx.ConnectTimeout',"
                " 'again', '1:x', false)",
                (job,),
            )


@BOTH
async def test_a_group_is_retried_as_shown_its_button_says_by_whom_and_its_outcome_how_it_went(
    pool, conn, make_job, mode
):
    alike = [
        await make_job(status="failed", queue="webhook", task="app.send", error="timed out")
        for _ in range(3)
    ]
    other = await make_job(status="failed", queue="webhook", task="app.send", error="refused")
    async with open_bot(pool, mode=mode) as (slack, bot):
        [listed] = await ask(slack, bot, VIEWER, OPS, "/jobs failed")
        assert as_text(listed, 200).splitlines()[0] == (
            "🔴 4 failed send jobs, 3 of them with one error."
        )
        assert find_buttons(listed) == [
            "Preview retry of 3", "Details", f"Retry job {other}", "Details",
        ]  # fmt: skip
        late = await make_job(status="failed", queue="webhook", task="app.send", error="timed out")
        [preview] = await click(slack, bot, OPERATOR, listed, "Preview retry of 3")
        assert find_buttons(preview) == ["Retry 3 jobs", "Not now"]
        assert find_buttons(now(slack, listed)) == find_buttons(listed)
        await click(slack, bot, OPERATOR, preview, "Retry 3 jobs")
        assert [await make_job.status(job) for job in (*alike, late)] == [*["todo"] * 3, "failed"]
        # The two clicks of one list do not undo each other's mark.
        [single] = await click(slack, bot, ADMIN, listed, f"Retry job {other}")
        assert as_text(single).startswith(f"✅ Job {other} retried by @{ADMIN}.")
        assert find_buttons(now(slack, listed)) == ["Details", "Details"]
        for mark in (f"3 retried by @{OPERATOR}", f"Retried by @{ADMIN}"):
            assert mark in as_text(now(slack, listed))

        follow = bot.services.follow_ups
        before = now(slack, preview).text
        await follow.look(float("inf"))
        assert now(slack, preview).text == before, "nothing has ended yet"
        await end(conn, "succeeded", *alike[:2])
        await end(conn, "failed", alike[2], other)
        await follow.look(float("inf"))
        told = now(slack, preview)
        assert told.text.startswith(
            "🔴 3 jobs of webhook retried: 2 succeeded, 1 failed again (ConnectTimeout)."
        )
        assert find_buttons(told) == [f"Retry job {alike[2]}", "Details"]
        told = now(slack, single)
        assert told.text.startswith(f"🔴 Job {other} failed again (ConnectTimeout).")
        assert find_buttons(told) == [f"Retry job {other}", "Details"]
        # All has been told: nothing is followed any more.
        edits = len(slack.calls("chat.update"))
        await follow.look(float("inf"))
        assert len(slack.calls("chat.update")) == edits


async def test_who_is_on_a_group_is_said_by_the_message_whose_button_it_was_and_by_the_next(
    pool, conn, make_job
):
    for _ in range(2):
        await make_job(status="failed", queue="webhook", task="app.send", error="timed out")
    await collect_groups(conn)
    async with open_bot(pool) as (slack, bot):
        [listed] = await ask(slack, bot, VIEWER, OPS, "/jobs errors")
        row = ["Show 2 failures", "Preview retry of 2", "I'm on it", "Mute for 24 h"]
        assert find_buttons(listed) == row
        [refusal] = await click(slack, bot, VIEWER, listed, "I'm on it")
        assert refusal.text.startswith("⛔ You may not take errors")
        [mine] = await click(slack, bot, OPERATOR, listed, "I'm on it")
        assert mine.ephemeral, "everybody sees it in the message itself"
        assert find_buttons(now(slack, listed)) == [*row[:2], row[3]]
        assert f"@{OPERATOR} is on it" in as_text(now(slack, listed))
        await click(slack, bot, ADMIN, listed, "Mute for 24 h")
        assert find_buttons(now(slack, listed)) == row[:2]
        assert f"Muted by @{ADMIN} until" in as_text(now(slack, listed))
        [anew] = await ask(slack, bot, VIEWER, OPS, "/jobs errors")
        assert find_buttons(anew) == row[:2]
        assert "otto is on it · muted until" in as_text(anew)
        assert f"@{OPERATOR}" not in as_text(anew)  # nobody is notified because somebody asks
    done = [entry[:2] for entry in await audited(conn) if entry[2] == "done"]
    assert done == [(OPERATOR, "take"), (ADMIN, "mute")]


async def test_what_is_taken_back_is_taken_back_in_the_message_too(pool, conn, make_job):
    for _ in range(2):
        await make_job(status="failed", queue="webhook", task="app.send", error="timed out")
    await collect_groups(conn)
    async with open_bot(pool) as (slack, bot):
        [listed] = await ask(slack, bot, VIEWER, OPS, "/jobs errors")
        row = find_buttons(listed)
        answers = {}
        for label, undo in (("I'm on it", "Give it back"), ("Mute for 24 h", "End the mute")):
            [answers[undo]] = await click(slack, bot, OPERATOR, now(slack, listed), label)
        public = [one.ts for one in slack.messages(OPS) if not one.ephemeral]
        assert find_buttons(now(slack, listed)) == row[:2]
        for undo, left in (("Give it back", row[:3]), ("End the mute", row)):
            await slack.click(OPERATOR, OPS, answers[undo].ts, undo)
            await settle(bot)
            assert find_buttons(now(slack, listed)) == left
            [said] = [one for one in slack.messages(OPS, OPERATOR) if one.ts == answers[undo].ts]
            assert undo not in find_buttons(said), "it is not true any more"
        assert "Muted by" not in as_text(now(slack, listed))
        assert [one.ts for one in slack.messages(OPS) if not one.ephemeral] == public
        # What is typed is told to everybody, and is taken back in the message all the same.
        await click(slack, bot, OPERATOR, now(slack, listed), "Mute for 24 h")
        name = (await (await conn.execute("SELECT name FROM jobs_maint_groups")).fetchone())[0]
        [told] = await ask(slack, bot, ADMIN, OPS, f"/jobs mute {name} --off")
        assert not told.ephemeral
        assert find_buttons(now(slack, listed)) == row
        assert slack.breaches == []


async def test_a_typed_retry_that_fails_again_is_told_anew_and_one_that_succeeds_is_not(
    pool, conn, make_job
):
    jobs = [await make_job(status="failed", queue="webhook") for _ in range(2)]
    async with open_bot(pool) as (slack, bot):
        for job in jobs:
            await ask(slack, bot, OPERATOR, OPS, f"/jobs retry {job}")
        before = len(slack.messages(OPS))
        await end(conn, "succeeded", jobs[0])
        await end(conn, "failed", jobs[1])
        await bot.services.follow_ups.look(float("inf"))
        [told] = slack.messages(OPS)[before:]
        assert told.text.startswith(f"🔴 Job {jobs[1]} failed again (ConnectTimeout).")
        assert not told.ephemeral


async def test_what_becomes_of_a_job_that_was_rescued_is_told_as_of_one_that_was_retried(
    pool, conn, make_job
):
    fleet = Fleet(pool, conn, make_job)
    [job] = await fleet.lose({"queue": "webhook"})
    await fleet.observe()
    await conn.execute("UPDATE jobs_maint_workers SET queues = '{maintenance}'")
    async with open_bot(pool) as (slack, bot):
        [answer] = await ask(slack, bot, OPERATOR, OPS, f"/jobs rescue {job}")
        assert answer.text.startswith(f"✅ Job {job} put back"), answer.text
        assert "No live worker listens to webhook: it waits until one does." in answer.text
        before = len(slack.messages(OPS))
        await end(conn, "failed", job)
        await bot.services.follow_ups.look(float("inf"))
        [told] = slack.messages(OPS)[before:]
        assert told.text.startswith(f"🔴 Job {job} failed again (ConnectTimeout).")
        assert "put back by" in told.text


async def test_what_becomes_of_a_retry_is_told_to_one_where_others_read_the_channel_by_now(
    pool, conn, make_job
):
    typed, pressed = [await make_job(status="failed", queue="webhook") for _ in range(2)]
    clock = [1_000_000.0]
    async with open_bot(pool, mode="socket", clock=lambda: clock[0]) as (slack, bot):
        await ask(slack, bot, OPERATOR, OPS, f"/jobs retry {typed}")
        [listed] = await ask(slack, bot, VIEWER, OPS, "/jobs failed")
        [single] = await click(slack, bot, OPERATOR, listed, f"Retry job {pressed}")
        assert not single.ephemeral
        slack.set_ext_shared(OPS)
        clock[0] += 2.1
        await end(conn, "failed", typed, pressed)
        before = len(slack.messages(OPS))
        seen = len(slack.messages(OPS, OPERATOR))
        await bot.services.follow_ups.look(float("inf"))
        assert [one for one in slack.messages(OPS)[before:] if not one.ephemeral] == []
        assert now(slack, single).text.startswith(f"Only <@{OPERATOR}> sees the outcome: this ")
        told = slack.messages(OPS, OPERATOR)[seen:]
        for job in (typed, pressed):
            [one] = [one for one in told if f"Job {job} failed again" in one.text]
            assert one.ephemeral
            assert "Only you see this: this channel is shared" in one.text


# --- long work ------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def held(database_url, offset=0):
    """The row of one job is held, so that the run stands still in the batch that has it."""
    import psycopg

    async with await psycopg.AsyncConnection.connect(database_url) as holder:
        await holder.execute(
            "SELECT id FROM procrastinate_jobs WHERE id = (SELECT id FROM procrastinate_jobs"
            " ORDER BY id OFFSET %s LIMIT 1) FOR UPDATE",
            (offset,),
        )
        yield
        await holder.rollback()


async def wait_for_progress(slack, message, done):
    """The button that the message offers when it shows so many done."""
    seen = await slack.wait_for_message(
        message.channel,
        lambda one: one.ts == message.ts and f": {done} done" in one.text,
        timeout=30,
    )
    [name] = find_buttons(seen)
    return name


@BOTH
async def test_a_long_run_tells_how_far_it_is_and_another_operator_stops_it(
    pool, conn, database_url, mode
):
    await make_failed(conn, 1_200)
    async with open_bot(pool, mode=mode) as (slack, bot):
        [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all webhook")
        async with held(database_url, offset=600):
            await slack.click(OPERATOR, OPS, preview.ts, "Retry 1,200 jobs")
            assert await wait_for_progress(slack, preview, "500") == "Stop"
            await slack.click(ADMIN, OPS, preview.ts, "Stop")
            await slack.wait_for_message(
                OPS, lambda m: m.ts == preview.ts and "Stopping after this" in m.text, timeout=30
            )
        await settle(bot)
        after = now(slack, preview)
        assert as_text(after, 200).splitlines()[0] == (
            f"🟡 Stopped: 1,000 webhook jobs retried by @{OPERATOR}, 200 stay failed. "
            f"Stopped by @{ADMIN}."
        )
        # The message itself said that it stops: nothing private can come after the outcome.
        assert [m for m in slack.messages(OPS, ADMIN) if m.ephemeral] == []
        assert (await count(conn, "todo"), await count(conn, "failed")) == (1_000, 200)
        [rest] = await click(slack, bot, OPERATOR, after, "Preview the rest")
        await end(conn, "failed", 1)
        await bot.services.follow_ups.look(float("inf"))
        await click(slack, bot, OPERATOR, rest, "Retry 200 jobs")
        assert await count(conn, "todo") == 1_199
        # What was told of the first part is not put back to how it was when its button was pressed.
        assert now(slack, preview).text.startswith(
            "🔴 1,000 jobs of webhook retried: 1 failed again (ConnectTimeout), 999 still to end."
        )
        assert slack.breaches == []


@pytest.mark.parametrize(
    ("user", "channel", "private"), [(OPERATOR, RANDOM, False), (ADMIN, SECRET, True)]
)
async def test_where_the_bot_is_no_member_the_click_s_own_address_is_used(
    pool, conn, user, channel, private
):
    await make_failed(conn, 2)
    async with open_bot(pool) as (slack, bot):
        [preview] = await ask(slack, bot, user, channel, "/jobs retry --all")
        assert preview.ephemeral is private
        assert find_buttons(preview) == ["Retry 2 jobs", "Not now"]
        assert await click(slack, bot, user, preview, "Retry 2 jobs") == []
        assert await count(conn, "todo") == 2
        after = now(slack, preview)
        assert after.text.startswith("✅ 2 jobs of webhook retried")
        assert find_buttons(after) == []
        assert slack.breaches == []


async def test_a_long_run_without_a_message_of_ours_is_told_at_start_half_and_end(
    pool, conn, database_url
):
    await make_failed(conn, 2_000)
    async with open_bot(pool) as (slack, bot):
        [preview] = await ask(slack, bot, ADMIN, SECRET, "/jobs retry --all")
        for offset, done in ((0, "0"), (1_100, "1,000")):
            async with held(database_url, offset=offset):
                if not offset:
                    await slack.click(ADMIN, SECRET, preview.ts, "Retry 2,000 jobs")
                await wait_for_progress(slack, preview, done)
        await settle(bot)
        assert now(slack, preview).text.startswith("✅ 2,000 jobs of webhook retried")
        assert len(slack.calls("response_url")) <= 4
        assert slack.breaches == []


async def test_a_run_that_goes_on_after_its_bot_was_suspended_tells_only_how_it_ended(
    pool, conn, database_url
):
    await make_failed(conn, 1_200)
    async with open_bot(pool, settings={"audit_channel": RANDOM}) as (slack, bot):
        slack.add_bot(RANDOM)
        [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all webhook")
        async with held(database_url, offset=600):
            await slack.click(OPERATOR, OPS, preview.ts, "Retry 1,200 jobs")
            await wait_for_progress(slack, preview, "500")
            await conn.execute("UPDATE jobs_maint_runs SET lease_until = now() - interval '1 s'")
            assert await tell_lost_runs(bot.services) == 0
        await settle(bot)
        told = [one.text.splitlines()[0] for one in slack.messages(RANDOM)]
        assert [one.startswith("🟡 Stopped: 1,000 webhook jobs retried") for one in told] == [True]
        assert as_text(now(slack, preview)).startswith("🟡 Stopped: 1,000 webhook jobs retried")


async def test_a_run_whose_bot_died_is_told_once_with_a_preview_of_the_rest(
    pool, conn, database_url
):
    await make_failed(conn, 1_200)
    settings = {"audit_channel": RANDOM}
    async with open_bot(pool, settings=settings) as (slack, bot):
        slack.add_bot(RANDOM)
        [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all webhook")
        async with held(database_url, offset=600):
            await slack.click(OPERATOR, OPS, preview.ts, "Retry 1,200 jobs")
            await wait_for_progress(slack, preview, "500")
            await bot.close(0)  # the process ends in the middle
        # What the dying process could say does not count: it might have been SIGKILL.
        await conn.execute(
            "INSERT INTO jobs_maint_runs (audit_id, lease_until, channel, ts, total)"
            " SELECT max(id), now() - interval '1 second', %s, %s, 1200 FROM jobs_maint_audit"
            " ON CONFLICT (audit_id) DO UPDATE SET lease_until = now() - interval '1 second'",
            (OPS, preview.ts),
        )
        await conn.execute(
            "UPDATE jobs_maint_audit SET outcome = 'started' WHERE word = 'retry'"
            " AND outcome = 'interrupted'"
        )
        async with (
            serve_replica(slack, pool, settings) as other,
            serve_replica(slack, pool, settings) as third,
        ):
            told = await asyncio.gather(
                tell_lost_runs(other.services), tell_lost_runs(third.services)
            )
            assert sorted(told) == [0, 1]
            after = now(slack, preview)
            assert "500 of 1,200" in as_text(after)
            lost = [m.text for m in slack.messages(RANDOM) if m.text.startswith("🟡 Interrupted")]
            assert [f"<@{OPERATOR}> in <#{OPS}>" in one for one in lost] == [True]
            assert (OPERATOR, "retry", "interrupted") in await audited(conn)
            [rest] = await click(slack, third, OPERATOR, after, "Preview the rest")
            await click(slack, third, OPERATOR, rest, "Retry 700 jobs")
            assert await count(conn, "todo") == 1_200


async def test_a_bot_killed_in_a_bulk_retry_does_nothing_twice_and_the_next_one_says_so(
    processes, conn, database_url
):
    await make_failed(conn, 1_200)
    async with open_slack(build_sample_config(mode="socket")) as slack:

        def start():
            return processes.start(
                "-m", "chatbot", SLACK_API_URL=slack.api_url, CHATBOT_PORT="0",
                CHATBOT_ROLES=json.dumps(ROLES), SLACK_BOT_TOKEN="xoxb-local",
                SLACK_APP_TOKEN="xapp-local",
            )  # fmt: skip

        first = start()
        await slack.wait_for_connection(timeout=30)
        await slack.command(OPERATOR, OPS, "/jobs retry --all webhook")
        preview = await slack.wait_for_message(OPS, lambda m: "Not now" in find_buttons(m), 30)
        async with held(database_url, offset=600):
            await slack.click(OPERATOR, OPS, preview.ts, "Retry 1,200 jobs")
            await wait_for_progress(slack, preview, "500")
            first.kill()
        assert await audited(conn) == [
            (OPERATOR, "retry", "previewed"),
            (OPERATOR, "retry", "started"),
        ]
        assert await count(conn, "todo") == 500
        await conn.execute("UPDATE jobs_maint_runs SET lease_until = now() - interval '1 second'")
        start()
        after = await slack.wait_for_message(
            OPS, lambda m: m.ts == preview.ts and "500 of 1,200" in m.text, timeout=60
        )
        assert find_buttons(after) == ["Preview the rest"]
        assert (OPERATOR, "retry", "interrupted") in await audited(conn)
        assert await count(conn, "todo") == 500
        retried = await conn.execute(
            "SELECT count(*), count(DISTINCT job_id) FROM procrastinate_events"
            " WHERE type = 'retried'"
        )
        assert len(set(await retried.fetchone())) == 1
        assert slack.breaches == []


# --- Slack fails ----------------------------------------------------------------------------------

FAULTS = ("429", "500", "reset", "garbage", "invalid_blocks", "accepted_but_lost", "timeout")


async def test_however_slack_takes_the_last_edit_the_act_runs_once_and_its_outcome_is_told(
    pool, conn
):
    async with open_bot(pool, sleep=no_sleep, timeout=1) as (slack, bot):
        for number, fault in enumerate(FAULTS, 1):
            await make_failed(conn, 2)
            [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all webhook")
            slack.set_fault(fault, method="chat.update", times=30, retry_after=99)
            await click(slack, bot, OPERATOR, preview, "Retry 2 jobs")
            slack.clear_faults()
            after = now(slack, preview)
            assert after.text.startswith("✅ 2 jobs of webhook retried"), fault
            assert "Retry 2 jobs" not in find_buttons(after), fault
            assert await count(conn, "todo") == 2 * number
            done = [row for row in await audited(conn) if row[2] == "done"]
            assert len(done) == number, fault


async def test_with_every_way_to_tell_it_blocked_an_act_runs_once_and_the_audit_has_it(pool, conn):
    async with open_bot(pool, sleep=no_sleep) as (slack, bot):
        for number, fault in enumerate(("429", "500", "reset", "garbage"), 1):
            await make_failed(conn, 2)
            [preview] = await ask(slack, bot, ADMIN, OPS, "/jobs retry --all webhook")
            slack.set_fault(fault, times=999, retry_after=99)
            await slack.click(ADMIN, OPS, preview.ts, "Retry 2 jobs")
            await settle(bot)
            slack.clear_faults()
            assert await count(conn, "todo") == 2 * number
            done = [row for row in await audited(conn) if row[2] == "done"]
            assert len(done) == number, fault
            [told] = await click(slack, bot, ADMIN, preview, "Retry 2 jobs")
            assert "already confirmed" in told.text


async def test_a_second_press_says_what_became_of_the_first(pool, conn, database_url):
    await make_failed(conn, 3)
    async with open_bot(pool, sleep=no_sleep) as (slack, bot):
        [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all webhook")
        async with held(database_url):
            await slack.click(OPERATOR, OPS, preview.ts, "Retry 3 jobs")
            await wait_for_waiting(conn)
            await slack.click(OPERATOR, OPS, preview.ts, "Retry 3 jobs")
            during = await slack.wait_for_message(
                OPS, lambda one: one.ephemeral and "already confirmed" in one.text, as_user=OPERATOR
            )
            slack.set_fault("429", times=999, retry_after=99)
        await settle(bot)
        slack.clear_faults()
        [after] = await click(slack, bot, OPERATOR, preview, "Retry 3 jobs")
        found = await conn.execute("SELECT id FROM jobs_maint_audit WHERE outcome = 'done'")
        [(request,)] = await found.fetchall()
        for told, became in (
            (during, f" and still runs: request {request}; it runs only once."),
            (after, f": 3 jobs retried, request {request}; it runs only once."),
        ):
            assert told.text.splitlines()[0].endswith(became)
            assert "nothing was changed" not in told.text


async def test_however_slack_takes_a_preview_it_is_seen_and_confirmed_once(pool, conn):
    faults = [fault for fault in FAULTS if fault != "invalid_blocks"]
    async with open_bot(pool, sleep=no_sleep, timeout=1) as (slack, bot):
        for number, fault in enumerate(faults, 1):
            await make_failed(conn, 2)
            slack.set_fault(fault, method="response_url", times=3, retry_after=99)
            previews = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all webhook")
            slack.clear_faults()
            # An answer that got lost may have come all the same: rather twice than never.
            assert len(previews) == (2 if fault == "accepted_but_lost" else 1), fault
            for preview in previews:
                assert find_buttons(preview) == ["Retry 2 jobs", "Not now"], fault
                await click(slack, bot, OPERATOR, preview, "Retry 2 jobs")
            assert await count(conn, "todo") == 2 * number
            done = [row for row in await audited(conn) if row[2] == "done"]
            assert len(done) == number, fault


async def test_however_slack_takes_the_answer_of_an_act_it_was_done_once(pool, conn, make_job):
    async with open_bot(pool, sleep=no_sleep, timeout=1) as (slack, bot):
        for fault in FAULTS:
            job = await make_job(status="failed")
            slack.set_fault(fault, method="response_url", times=3, retry_after=99)
            answers = await ask(slack, bot, OPERATOR, OPS, f"/jobs retry {job}")
            slack.clear_faults()
            assert answers, fault
            assert {one.text.splitlines()[0] for one in answers} == {
                f"✅ Job {job} retried by <@{OPERATOR}>."
            }
            repeats = ["This may be a repeat: " in one.text for one in answers]
            unsure = fault in {"accepted_but_lost", "timeout", "reset", "garbage"}
            assert repeats[-1] is unsure, fault
            assert not any(repeats[:-1]), fault
            assert await make_job.status(job) == "todo"
        assert [row[2] for row in await audited(conn)] == ["done"] * len(FAULTS)


@pytest.mark.parametrize("fault", ["500", "reset", "429"])
async def test_a_hiccup_of_slack_does_not_lose_the_answer_of_an_act(pool, make_job, fault):
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    async with open_bot(pool, sleep=sleep) as (slack, bot):
        for place in (OPS, RANDOM):  # in the second one the bot is no member
            job = await make_job(status="failed")
            slack.set_fault(fault, method="response_url", retry_after=99)
            slack.set_fault(fault, method="chat.postEphemeral", channel=OPS, retry_after=20)
            [answer] = await ask(slack, bot, OPERATOR, place, f"/jobs retry {job}")
            assert answer.text.startswith(f"✅ Job {job} retried by")
            slack.clear_faults()
        assert not slack.messages(slack.open_dm(OPERATOR))
    if fault != "429":  # which the call itself waits for
        assert waited.count(1.0) == 1


async def test_what_only_a_direct_message_can_tell_is_told_there(pool, make_job):
    async with open_bot(pool, sleep=no_sleep) as (slack, bot):
        job = await make_job(status="failed")
        for method in ("response_url", "chat.postEphemeral"):
            slack.set_fault("500", method=method, times=99)
        assert not await ask(slack, bot, OPERATOR, OPS, f"/jobs retry {job}")
        [told] = slack.messages(slack.open_dm(OPERATOR))
        assert told.text.startswith(f"✅ Job {job} retried by")
        assert f"You asked this in <#{OPS}>." in told.text


@pytest.mark.parametrize(
    ("place", "broken"), [(OPS, ["chat.postEphemeral"]), (RANDOM, [])], ids=["there", "no member"]
)
async def test_an_act_on_one_job_that_nobody_could_be_told_is_told_later(
    pool, conn, make_job, place, broken
):
    settings = {"roles": json.dumps({**ROLES, "operator": {"users": [OPERATOR]}})}
    async with open_bot(pool, sleep=no_sleep, settings=settings) as (slack, bot):
        job = await make_job(status="failed")
        for method in ("response_url", "chat.postMessage", *broken):
            slack.set_fault("500", method=method, times=99)
        assert not await ask(slack, bot, OPERATOR, place, f"/jobs retry {job}")
        slack.clear_faults()
        assert await make_job.status(job) == "todo"
        assert await tell_lost_runs(bot.services) == 0  # it may still be on its way
        await conn.execute("UPDATE jobs_maint_runs SET lease_until = now() - interval '1 second'")
        assert await tell_lost_runs(bot.services) == 1
        there = place if place == OPS else slack.open_dm(OPERATOR)
        assert slack.messages(there)[-1].text.startswith(f"✅ Job {job} retried.")
        assert await tell_lost_runs(bot.services) == 0


async def test_an_audit_channel_that_cannot_be_told_is_said_to_the_one_who_acted(
    pool, conn, make_job
):
    settings = {"audit_channel": RANDOM}
    async with open_bot(pool, sleep=no_sleep, settings=settings) as (slack, bot):
        slack.add_bot(RANDOM)

        async def retry_with(fault):
            job = await make_job(status="failed")
            slack.set_fault(fault, method="chat.postMessage", times=30, retry_after=99)
            answers = await ask(slack, bot, OPERATOR, OPS, f"/jobs retry {job}")
            slack.clear_faults()
            assert answers[0].text.startswith(f"✅ Job {job} retried"), fault
            assert answers[-1].ephemeral, fault
            said = f"The audit channel was not told of /jobs retry {job}: "
            assert answers[-1].text.startswith(said), fault

        for fault in ("500", "reset", "garbage"):
            await retry_with(fault)
        before = len(slack.messages(RANDOM))
        await make_failed(conn, 2)
        [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all webhook")
        # A question is no act, and its buttons are for one person in one place.
        assert slack.messages(RANDOM)[before:] == []
        slack.set_fault("accepted_but_lost", method="chat.postMessage")
        await click(slack, bot, OPERATOR, preview, "Retry 2 jobs")
        [outcome] = [one.text for one in slack.messages(RANDOM)[before:]]
        assert outcome.startswith("✅ 2 jobs of webhook retried")
        assert f"<@{OPERATOR}> in <#{OPS}>" in outcome
        assert outcome.count("/jobs retry --all webhook") == 1
        # Last, as a pause that Slack asks for holds for what comes after.
        await retry_with("429")


@BOTH
async def test_progress_that_slack_does_not_take_stops_no_act(pool, conn, database_url, mode):
    await make_failed(conn, 1_200)
    async with open_bot(pool, mode=mode) as (slack, bot):
        [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all webhook")
        slack.set_fault("reset", method="chat.update", times=1)
        async with held(database_url, offset=600):
            await slack.click(OPERATOR, OPS, preview.ts, "Retry 1,200 jobs")
            await until(lambda: slack.calls("chat.update"), "an edit")
        await settle(bot)
        assert now(slack, preview).text.startswith("✅ 1,200 jobs of webhook retried")
        assert await count(conn, "todo") == 1_200


@pytest.mark.parametrize("word", ["retry", "cancel", "discard"])
async def test_an_act_that_breaks_in_its_middle_says_what_it_did_and_offers_the_undo_and_the_rest(
    pool, conn, word
):
    await make_failed(conn, 1_200)
    before, after_it = "failed", {"retry": "todo"}.get(word, "cancelled")
    if word == "cancel":
        before = "todo"
        await conn.execute("UPDATE procrastinate_jobs SET status = 'todo'")
    await conn.execute(
        "CREATE FUNCTION procrastinate_breaks() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN IF NEW.id = 700 THEN"
        "  RAISE EXCEPTION 'no such luck' USING ERRCODE = 'disk_full'; END IF;"
        " RETURN NEW; END $$;"
        " CREATE TRIGGER breaks BEFORE UPDATE ON procrastinate_jobs FOR EACH ROW"
        " EXECUTE FUNCTION procrastinate_breaks()"
    )
    async with open_bot(pool, settings={"audit_channel": RANDOM}) as (slack, bot):
        slack.add_bot(RANDOM)
        [preview] = await ask(slack, bot, ADMIN, OPS, f"/jobs {word} --all webhook")
        await click(slack, bot, ADMIN, preview, f"{word.capitalize()} 1,200 jobs")
        after = now(slack, preview)
        assert after.text.startswith("🔴 Stopped by an error after 500 of 1,200 jobs.")
        done = {"retry": "retried", "cancel": "cancelled", "discard": "discarded"}[word]
        assert f"\n500 {done}. Completed work is kept" in after.text
        undo = ["Put 500 jobs back"] * (word != "retry")
        assert find_buttons(after) == ["Preview the rest", *undo]
        assert slack.messages(RANDOM)[-1].text.startswith("🔴 Stopped by an error after 500")
        assert (await count(conn, after_it), await count(conn, before)) == (500, 700)
        assert (await audited(conn))[-1] == (ADMIN, word, "failed")
        if not undo:
            return
        [back] = await click(slack, bot, ADMIN, after, *undo)
        assert as_text(back).startswith("Put 500 cancelled jobs back into webhook?")
        await click(slack, bot, ADMIN, back, *undo)
        assert await count(conn, "cancelled") == 0


# --- buttons that are old, forged, or pressed elsewhere -------------------------------------------


def find_value(message, action_id):
    [value] = [
        element["value"]
        for block in message.blocks
        if block["type"] == "actions"
        for element in block["elements"]
        if element["action_id"].startswith(action_id)
    ]
    return value


async def test_whom_a_refusal_names_may_do_it_in_this_channel(pool):
    """A button has no command that could be typed in another one."""
    grants = {
        "operator": [{"users": [OPERATOR]}, {"users": [VIEWER], "channels": [RANDOM]}],
        "viewer": {"users": ["*"]},
    }
    async with open_bot(pool, settings={"roles": json.dumps(grants)}) as (slack, bot):
        stop = ("jobs_stop:1", "1")
        for user in (ADMIN, VIEWER):
            [told] = await press(slack, bot, user, OPS, *stop)
            assert told.text.startswith("⛔ You may not stop a run")
            assert f"Ask <@{OPERATOR}>." in told.text
            assert "run the command there" not in told.text
    only_there = {**grants, "operator": [{"users": [VIEWER], "channels": [RANDOM]}]}
    async with open_bot(pool, settings={"roles": json.dumps(only_there)}) as (slack, bot):
        [told] = await press(slack, bot, ADMIN, OPS, *stop)
        assert "Nobody holds the role operator in this channel; whoever runs the bot" in told.text


async def test_a_button_with_the_value_of_another_kind_does_nothing_but_say_so(
    pool, conn, make_job
):
    job = await make_job(status="failed")
    await make_failed(conn, 2)
    async with open_bot(pool, sleep=no_sleep) as (slack, bot):
        [preview] = await ask(slack, bot, ADMIN, OPS, "/jobs retry --all webhook")
        key = find_value(preview, "jobs_confirm:")
        before = await audited(conn)
        for action_id, value in (
            ("jobs_share:x", f"retry {job}"),
            ("jobs_share:x", "stats"),
            ("jobs_refresh:x", f"retry {job}"),
            ("jobs_page:2", f"discard {job}"),
            ("jobs_run:x", key),
            ("jobs_run:x", "\ud800 \udfff"),
            ("jobs_stop:x", key),
            ("jobs_stop:x", "1"),
            ("jobs_confirm:x", f"retry {job}"),
            ("jobs_dismiss:x", f"retry {job}"),
            ("jobs_undo:x", f"retry {job}"),
        ):
            told = await press(slack, bot, ADMIN, OPS, action_id, value)
            assert told, (action_id, value)
            for message in told:
                assert message.ephemeral, (action_id, value)
                assert message.text.startswith("🟡 "), (action_id, value, message.text)
        assert await make_job.status(job) == "failed"
        assert await count(conn, "failed") == 3
        assert {row[2] for row in (await audited(conn))[len(before) :]} <= {"expired"}
        await click(slack, bot, ADMIN, preview, "Retry 2 jobs")
        assert await count(conn, "todo") == 2


async def test_a_preview_is_no_use_to_another_person_in_another_channel_or_after_they_left(
    pool, conn
):
    await make_failed(conn, 2)
    roles = {"operator": [{"users": [OPERATOR], "channels": [OPS]}, {"users": [ADMIN]}]}
    async with open_bot(pool, sleep=no_sleep, settings={"roles": json.dumps(roles)}) as (
        slack,
        bot,
    ):
        slack.add_bot(RANDOM)
        [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all webhook")
        value = find_value(preview, "jobs_confirm:")
        for user, place, expected in (
            (ADMIN, OPS, "Only the person who asked"),
            (OPERATOR, RANDOM, "You may not"),
        ):
            [told] = await press(slack, bot, user, place, "jobs_confirm:x", value)
            assert told.ephemeral
            assert expected in told.text
        # Who left the workspace: nobody is there to be told, the audit has it.
        await press(slack, bot, "U0GONE", OPS, "jobs_confirm:x", value, seen_by=ADMIN)
        assert (await audited(conn))[-1] == ("U0GONE", "retry", "refused")
        assert await count(conn, "failed") == 2
        await click(slack, bot, OPERATOR, preview, "Retry 2 jobs")
        assert await count(conn, "todo") == 2


async def test_a_preview_whose_channel_or_message_is_gone_when_it_is_confirmed_still_tells(
    pool, conn
):
    async with open_bot(pool, sleep=no_sleep) as (slack, bot):
        place = slack.open_dm(OPERATOR)
        for number, change in enumerate(("message", "bot", "archived", "channel"), 1):
            await make_failed(conn, 2)
            [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all webhook")
            if change == "bot":
                slack.remove_bot(OPS)
            elif change == "archived":
                slack.add_bot(OPS)
                slack.set_archived(OPS)
            elif change == "channel":
                slack.delete_channel(OPS)
            ts = "1.1" if change == "message" else preview.ts
            container = {"type": "message", "message_ts": ts, "channel_id": OPS}
            told = await press(
                slack, bot, OPERATOR, OPS, "jobs_confirm:x", find_value(preview, "jobs_confirm:"),
                container=container, seen_in=OPS if change == "message" else place,
            )  # fmt: skip
            assert len(told) == 1, change
            assert told[0].text.startswith("✅ 2 jobs of webhook retried"), change
            assert await count(conn, "todo") == 2 * number, change
            if change == "archived":
                slack.set_archived(OPS, archived=False)


async def test_two_people_press_everything_in_the_same_moment_and_each_act_is_done_once(
    pool, conn, make_job
):
    job = await make_job(status="failed")
    await make_failed(conn, 2)
    async with open_bot(pool) as (slack, bot):
        [listed] = await ask(slack, bot, ADMIN, OPS, "/jobs failed --task task")
        [preview] = await ask(slack, bot, ADMIN, OPS, "/jobs discard --all webhook")
        buttons = [(listed, f"Retry job {job}"), *((preview, one) for one in find_buttons(preview))]
        await asyncio.gather(
            *(
                slack.click(user, OPS, message.ts, button)
                for user in (ADMIN, OPERATOR, ADMIN)
                for message, button in buttons
            )
        )
        await settle(bot)
        assert await make_job.status(job) == "todo"
        rows = await audited(conn)
        assert rows.count((ADMIN, "retry", "done")) + rows.count((OPERATOR, "retry", "done")) == 1
        # Either it was confirmed or put away, never both.
        discarded = await count(conn, "cancelled")
        assert discarded in {0, 2}
        assert [row[2] for row in rows if row[1] == "discard"].count("done") == discarded // 2


async def test_what_came_while_the_bot_was_suspended_changes_nothing(pool, conn):
    """Slack had told the person that it failed, who may have done something else since."""
    await make_failed(conn, 2)
    async with open_bot(pool) as (slack, bot):
        clock = 0.0
        bot.awake = Awake(lambda: clock)
        [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all webhook")
        bot.awake.note()
        clock += 67.0
        [refused] = await click(slack, bot, OPERATOR, preview, "Retry 2 jobs")
        assert "suspended for 67 s" in as_text(refused)
        [refused] = await ask(slack, bot, OPERATOR, OPS, "/jobs discard 1")
        assert "nothing was\ndone. Ask again." in as_text(refused)
        [stats] = await ask(slack, bot, OPERATOR, OPS, "/jobs stats")
        assert "No worker is live" in as_text(stats)
        assert await count(conn, "failed") == 2
        clock += 3.0
        await click(slack, bot, OPERATOR, preview, "Retry 2 jobs")
        assert await count(conn, "todo") == 2
