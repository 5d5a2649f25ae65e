"""What one reads in Slack, on a real database: each word's message, where its buttons lead."""

import asyncio
import re

import psycopg
import pytest
from tests.support.bots import ask, open_bot, settle
from tests.support.history import hours, minutes
from tests.support.locks import list_waiting, wait_for_waiting

from jobs_maint.actions import Actor
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings
from local_slack.sample import ADMIN, OPS, VIEWER
from local_slack.text import as_text


def button(answer, label):
    """The words of a button."""
    [words] = [
        element["value"]
        for block in answer.blocks
        if block["type"] == "actions"
        for element in block["elements"]
        if element["text"]["text"] == label
    ]
    return words


async def fail_a_lot(make_job):
    for i in range(23):
        await make_job(
            status="failed", queue="webhook", task="app.send", finished_ago=minutes(i + 1),
            error="order 88123 timed out",
        )  # fmt: skip
    for i in range(2):
        await make_job(
            status="failed", queue="webhook", task="app.send", finished_ago=minutes(i + 1),
            error="key 'k' is missing", exception_type="KeyError",
        )  # fmt: skip
    await make_job(status="failed", queue="email", task="app.mail", recorded=False)
    await make_job(status="failed", queue="email", task="app.mail", finished_ago=hours(30))


async def test_people_who_ask_at_once_are_answered_by_one_look_at_the_database(
    pool, conn, make_job, database_url
):
    await make_job(status="failed", queue="webhook")
    await conn.execute("INSERT INTO jobs_maint_collected DEFAULT VALUES ON CONFLICT DO NOTHING")
    async with (
        open_bot(pool) as (slack, bot),
        await psycopg.AsyncConnection.connect(database_url) as other,
    ):
        await other.execute("SELECT FROM jobs_maint_collected FOR UPDATE")  # no failures counted
        await other.execute("LOCK TABLE jobs_maint_failures")  # read after the counts
        for _ in range(3):
            await slack.command(ADMIN, OPS, "/jobs stats")
        await wait_for_waiting(conn)
        await make_job(queue="later")
        await slack.command(VIEWER, OPS, "/jobs stats")
        async with asyncio.timeout(60):
            while not bot._answers._shared._next:  # the last one has joined nobody that runs
                await asyncio.sleep(0.01)
        assert len(await list_waiting(conn)) == 1
        await other.rollback()
        await settle(bot)
        answers = [m for m in slack.messages(OPS, ADMIN) if m.kind != "command"]
    assert len(answers) == 4
    assert "later" in answers[-1].text, "who asked after a change is shown it"
    assert "later" not in answers[0].text


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("errors --since 1h", "🔴 26 failures in the last hour, 23 of them for one of 2 new"),
        ("digest", "🔴 26 failures in the last 24 hours, up from 1 the day before."),
        ("stuck", "🟡 No job is running."),
        ("workers", "🔴 No worker is registered."),
        ("audit", "No requests in the last 7 days."),
        ("doctor", "🔴 The set-up is broken"),
    ],
)
async def test_each_word_says_first_what_matters(pool, conn, make_job, words, first):
    await fail_a_lot(make_job)
    # What failed before our tables were there does not count against the recorder.
    await conn.execute("UPDATE jobs_maint_migrations SET applied_at = now() - interval '2 days'")
    async with open_bot(pool) as (slack, bot):
        [answer] = await ask(slack, bot, ADMIN, OPS, f"/jobs {words}")
        assert as_text(answer, 200).startswith(first)
        assert answer.text.startswith(first)


async def test_the_buttons_of_a_group_find_exactly_its_jobs(pool, conn, make_job):
    await fail_a_lot(make_job)
    async with open_bot(pool) as (slack, bot):
        [groups] = await ask(slack, bot, VIEWER, OPS, "/jobs errors --since 1h")
        for number in (23, 2):
            words = button(groups, f"Show {number} failures")
            [shown] = await ask(slack, bot, VIEWER, OPS, f"/jobs {words}")
            first = as_text(shown, 300).splitlines()[0]
            name = words.partition("--group ")[2].split()[0]
            assert first == f"🔴 {number} send jobs failed with the error {name} in the last hour."
            assert button(shown, f"Preview retry of {number}") == button(
                groups, f"Preview retry of {number}"
            )
        await conn.execute(
            "UPDATE procrastinate_jobs SET status = 'todo' WHERE id IN (SELECT job_id"
            " FROM jobs_maint_failures WHERE exception_type = 'KeyError' OR job_id = 1)"
        )
        [groups] = await ask(slack, bot, VIEWER, OPS, "/jobs errors --since 1h")
        labels = [
            element["text"]["text"]
            for block in groups.blocks
            if block["type"] == "actions"
            for element in block["elements"]
            if element["text"]["text"] not in {"I'm on it", "Mute for 24 h"}
        ]
        assert labels == [
            "Show 22 failed jobs", "Preview retry of 22", "Details", "Details", "Retry job 26"
        ]  # fmt: skip
        assert "22 failed now, 1 retried since" in groups.text
        assert "job 25 · retried since" in groups.text.replace("`", "")


async def test_the_preview_of_a_group_is_of_exactly_its_jobs(pool, make_job):
    await fail_a_lot(make_job)
    async with open_bot(pool) as (slack, bot):
        [groups] = await ask(slack, bot, VIEWER, OPS, "/jobs errors --since 1h")
    asked = parse_words(split_text(button(groups, "Preview retry of 23")), "slack").action
    preview = await perform(pool, Actor.shell("ana", "here"), asked, settings=MaintSettings())
    assert preview.count == 23
    assert {group.task for group in preview.groups} == {"app.send"}


async def test_numbers_and_buttons_agree_once_all_were_retried(pool, conn, make_job):
    jobs = [await make_job(status="failed", queue="webhook") for _ in range(3)]
    await make_job()
    async with open_bot(pool) as (slack, bot):
        [stats] = await ask(slack, bot, VIEWER, OPS, "/jobs stats")
        assert button(stats, "Show 3 failures").startswith("failed --since 1h --until ")
        await conn.execute("UPDATE procrastinate_jobs SET status = 'todo' WHERE status = 'failed'")
        [stats] = await ask(slack, bot, VIEWER, OPS, "/jobs stats")
        assert "3 jobs failed in the last hour, all retried since." in stats.text
        assert "Show" not in as_text(stats)
        [listed] = await ask(slack, bot, VIEWER, OPS, "/jobs failed --since 1h")
        assert listed.text.startswith("🟡 3 jobs failed in the last hour, all retried since.")
        [errors] = await ask(slack, bot, VIEWER, OPS, "/jobs errors --since 1h")
        assert "[Details]" in as_text(errors)
        assert "Preview" not in as_text(errors)
    assert len(jobs) == 3


async def test_failed_groups_are_bounded_and_those_left_out_are_counted(pool, make_job):
    for i in range(12):
        await make_job(status="failed", queue="webhook", task=f"app.task{i:02}")
    async with open_bot(pool) as (slack, bot):
        [answer] = await ask(slack, bot, VIEWER, OPS, "/jobs failed --since 1h")
        assert "12 jobs failed in the last hour, with 12 different errors." in answer.text
        assert "1–10 of 12 groups" in as_text(answer)
        words = button(answer, "Show more groups")
        assert re.fullmatch(r"failed --since 1h --until 20\S+Z", words)
