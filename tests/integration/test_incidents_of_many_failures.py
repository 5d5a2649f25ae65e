"""Many failures of a queue beside the error that they are of: one message, which stays true."""

from __future__ import annotations

import pytest
from tests.support.fleet import Fleet
from tests.support.history import minutes

from chatbot.messages.incident import render_incident
from jobs_maint.actions import Actor, Grant, Limits, ListIncidents, Role, WatchIncidents
from jobs_maint.models import IncidentKind
from jobs_maint.perform import perform
from jobs_maint.render import render_text

BOT, ANA = Actor.task("chatbot"), Actor("slack", "U0ADA", "ada", "C1", (Grant(Role.ADMIN),))
BOTH = frozenset({IncidentKind.GROUP, IncidentKind.FAILURES_HIGH})
SUCCEED = "UPDATE procrastinate_jobs SET status = 'succeeded' WHERE status = 'failed'"


async def see(pool, kinds=BOTH):
    for _ in range(2):
        report = await perform(pool, BOT, WatchIncidents("bot", Limits(kinds, group=3, few=3)))
    [one] = report.open
    return one


@pytest.fixture
async def fail(pool, conn, make_job):
    """Where no failure is usual."""
    await Fleet(pool, conn, make_job).start_worker()
    await conn.execute(
        "INSERT INTO jobs_maint_rates SELECT at - make_interval(days => ago), '{}' FROM"
        " date_bin('15 min', now(), '2020-01-01') AS at, generate_series(1, 7) AS ago"
    )

    async def fail(ago):
        for _ in range(4):
            await make_job(status="failed", queue="web", task="app.hook", finished_ago=ago)

    return fail


async def test_an_error_leads_the_many_failures_that_it_makes(pool, conn, fail):
    await fail(minutes(40))
    before = await see(pool)
    await fail(minutes(1))
    one = await see(pool)
    assert [part.kind for part in one.folded] == [IncidentKind.FAILURES_HIGH]
    assert (one.key, one.told_since) == (before.key, before.told_since)
    message = render_incident(one, one.seen_at)
    assert ", for 40 min" in message.text
    said = "4 failures of web in 15 min; usual at this time: 0"
    assert f"With the same cause: {said}.\n" in message.text
    assert "Preview retry" in str(message.blocks)

    await conn.execute(SUCCEED)
    one = await see(pool)
    assert one.key == before.key
    told = render_incident(one, one.seen_at).text
    shell = render_text(await perform(pool, ANA, ListIncidents()), width=200)
    assert told.startswith("🟢")
    assert all(f"{said}, all have succeeded since." in text for text in (told, shell))
    assert "Retry the jobs" not in told
    assert "to retry. It ends by itself once no error has 3 failures in an hour.\n" in told


async def test_many_failures_without_a_new_error_say_what_became_of_their_jobs(pool, conn, fail):
    await fail(minutes(1))
    kinds = frozenset({IncidentKind.FAILURES_HIGH})
    one = await see(pool, kinds)
    told = render_incident(one, one.seen_at).text
    assert told.startswith("🔴")
    assert "Retry the jobs once the cause is gone." in told
    await conn.execute(SUCCEED)
    one = await see(pool, kinds)
    told = render_incident(one, one.seen_at).text
    assert told.startswith("🟢 4 failures of web in 15 min; usual at this time: 0. All jobs have")
    assert "It ends by itself once fewer than 3 jobs of web failed in 15 min." in told
    assert "Retry the jobs" not in told
    await conn.execute("UPDATE procrastinate_events SET at = at - interval '20 min'")
    await perform(pool, BOT, WatchIncidents("bot", Limits(kinds, few=3)))
    report = await perform(pool, BOT, WatchIncidents("bot", Limits(kinds, few=3)))
    [over] = report.resolved
    assert "stay failed" not in render_incident(over, over.seen_at).text


async def test_an_error_that_shows_later_leads_the_many_failures(pool, fail):
    await fail(minutes(1))
    first = await see(pool, frozenset({IncidentKind.FAILURES_HIGH}))
    assert first.kind is IncidentKind.FAILURES_HIGH
    await see(pool)
    one = await see(pool)
    assert (one.id, one.kind) == (first.id, IncidentKind.GROUP)


async def test_failures_of_another_error_lead_once_the_jobs_of_the_first_succeeded(
    pool, conn, fail, make_job
):
    await fail(minutes(1))
    for _ in range(4):
        await make_job(status="failed", queue="web", task="app.old", recorded=False)
    assert (await see(pool)).kind is IncidentKind.GROUP
    await conn.execute(f"{SUCCEED} AND task_name = 'app.hook'")
    one = await see(pool)
    assert one.kind is IncidentKind.FAILURES_HIGH
    told = render_incident(one, one.seen_at).text
    assert told.startswith("🔴 8 failures of web in 15 min; usual at this time: 0. 4 of the jobs ")
    assert f"({one.folded[0].subject}), all have succeeded since." in told
    assert "See the errors. Retry the jobs" in told
