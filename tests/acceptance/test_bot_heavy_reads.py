"""Heavy reads of one viewer lock nobody out: acts, others' reads and readiness go on."""

import asyncio
import json

import pytest
from tests.support.bots import ask, no_sleep, open_bot, settle
from tests.support.waiting import until

from chatbot.handling.read_limits import ReadLimits
from chatbot.slack.pacing import MOST_OF_ONE, EditBudget
from jobs_maint.database import open_pool
from jobs_maint.errors import InvalidRequest
from local_slack.sample import ADMIN, OPERATOR, OPS, VIEWER
from local_slack.text import as_text

ROLES = json.dumps(
    {
        "viewer": {"users": [VIEWER]},
        "operator": {"users": [OPERATOR]},
        "admin": {"users": [ADMIN]},
    }
)


async def test_heavy_reads_and_previews_leave_connections_for_acts_and_readiness(
    database_url, conn, make_job
):
    job = await make_job(status="failed")
    async with (
        open_pool(database_url, max_size=4) as small,
        open_bot(small, settings={"roles": ROLES}) as (slack, bot),
    ):
        # Every read of jobs waits for this lock.
        await conn.execute("BEGIN; LOCK TABLE jobs_maint_failures IN ACCESS EXCLUSIVE MODE")
        # Each of the three may, by their own limits; together they would take the whole pool.
        await slack.command(ADMIN, OPS, "/jobs failed --limit 30")
        await slack.command(ADMIN, OPS, "/jobs retry --all --error y")
        for i in range(8):
            await slack.command(VIEWER, OPS, f"/jobs failed --limit {i + 1}")
            await slack.command(OPERATOR, OPS, f"/jobs retry --all --error x{i}")
            await slack.command(OPERATOR, OPS, f"/jobs failed --limit {i + 11}")
        try:
            async with asyncio.timeout(4):
                await until(lambda: list_refused(slack, VIEWER) and list_refused(slack, OPERATOR))
                assert await bot.is_ready() is None
                assert (await slack.command(ADMIN, OPS, f"/jobs cancel {job}")).acked
                await until(
                    lambda: any("is failed" in one.text for one in slack.messages(OPS, ADMIN))
                )
        finally:
            await conn.execute("ROLLBACK")
        await settle(bot)
        # Of a pool of four one connection is left, and one for the previews of all.
        assert (len(list_refused(slack, VIEWER)), len(list_refused(slack, OPERATOR))) == (3, 6)


async def test_so_many_people_s_questions_wait_and_no_more():
    limits = ReadLimits(2)

    async def ask_long(person):
        async with asyncio.timeout(9), limits.turn(person):
            await asyncio.Event().wait()

    asked = [asyncio.create_task(ask_long(f"U{i}")) for i in range(20) for _ in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(InvalidRequest, match="100 questions are still being answered"):
        await ask_long("U-ANOTHER")
    with pytest.raises(InvalidRequest, match="5 of your questions are still being answered"):
        await ask_long("U0")
    for one in asked:
        one.cancel()
    await asyncio.wait(asked)


def list_refused(slack, person):
    told = "questions are still being answered"
    return [one for one in slack.messages(OPS, person) if one.ephemeral and told in one.text]


async def test_not_now_costs_none_of_the_edits_that_all_share(pool, conn):
    await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT 'q', 't', 'failed' FROM generate_series(1, 3)"
    )
    async with open_bot(pool, sleep=no_sleep) as (slack, bot):
        for _ in range(3):
            [preview] = await ask(slack, bot, OPERATOR, OPS, "/jobs retry --all q")
            await slack.click(OPERATOR, OPS, preview.ts, "Not now")
            await settle(bot)
            [shown] = [one for one in slack.messages(OPS) if one.ts == preview.ts]
            assert "Not now" not in as_text(shown)
        assert slack.calls("chat.update") == []


async def test_who_causes_many_edits_waits_before_the_others_do():
    seconds, slept = [0.0], []

    async def sleep(pause):
        slept.append(pause)
        seconds[0] += pause

    budget = EditBudget(lambda: seconds[0], sleep)
    for _ in range(MOST_OF_ONE):
        await budget.take(final=True, person="U0BUSY")
    assert slept == []
    await budget.take(final=True, person="U0OTHER")
    assert slept == []
    await budget.take(final=True, person="U0BUSY")
    assert slept == [60.0]
