"""What ended within the last day: whole hours are noted by the rescue, the rest is counted."""

from __future__ import annotations

import asyncio
import itertools
import logging
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.fleet import Fleet
from tests.support.history import hours

from jobs_maint.actions import ALL_QUEUES, Actor, QueueScope, RescueStalled
from jobs_maint.database import open_pool, transaction
from jobs_maint.operations import hours as hours_module
from jobs_maint.operations.hours import (
    Ended,
    count_ended,
    count_ended_lately,
    list_unnoted_hours,
    note_hour,
)
from jobs_maint.operations.rescue import noting
from jobs_maint.operations.stats.queues import get_stats
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings

NOW = datetime(2026, 11, 23, 14, 20, tzinfo=UTC)
"""The last day began yesterday at 14:20; its first whole hour at 15:00; that of 12:00 is over for
more than an hour."""
YESTERDAY = NOW - timedelta(days=1)
TICK = timedelta(microseconds=1)
NONE = Ended()
ENDS = """
    WITH job AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES (%(queue)s, %(task)s)
        RETURNING id
    )
    INSERT INTO procrastinate_events (job_id, type, at)
    SELECT id, type, at FROM job, (VALUES
        ('deferred'::procrastinate_job_event_type, %(at)s - interval '90 s'),
        (%(kind)s::text::procrastinate_job_event_type, %(at)s)) AS event (type, at)"""


@pytest.fixture
async def end(conn):
    """A job that was deferred 90 s before this time, when it ended or was put back."""
    # Procrastinate's trigger would say that it was deferred now.
    await conn.execute("ALTER TABLE procrastinate_jobs DISABLE TRIGGER USER")

    async def end_job(at, kind="succeeded", queue="email", task="app.task"):
        await conn.execute(ENDS, {"queue": queue, "task": task, "kind": kind, "at": at})

    return end_job


@pytest.fixture
async def reader(database_url):
    async with open_pool(database_url, max_size=1) as pool, pool.connection() as conn:
        await conn.set_autocommit(True)
        yield conn


@pytest.fixture
def fleet(pool, conn, make_job) -> Fleet:
    return Fleet(pool, conn, make_job)


async def ask(reader, queue=None, now=NOW):
    async with transaction(reader, snapshot=True):
        return await count_ended_lately(reader, queue, now)


async def note_all(reader, now=NOW):
    async with transaction(reader):
        noted = await list_unnoted_hours(reader, now)
        for hour in noted:
            await note_hour(reader, hour)
    return noted


async def rescue(pool):
    return await perform(pool, Actor.task("it"), RescueStalled(), settings=MaintSettings())


async def test_an_hour_is_noted_when_it_has_been_over_for_an_hour(reader):
    noted = await note_all(reader)
    assert noted == [NOW.replace(hour=15, minute=0) - hours(24) + hours(n) for n in range(22)]
    assert noted[-1] == NOW.replace(hour=12, minute=0)
    assert await note_all(reader) == []
    assert await note_all(reader, NOW + timedelta(minutes=39)) == []
    assert await note_all(reader, NOW + timedelta(minutes=40)) == [NOW.replace(hour=13, minute=0)]


@pytest.mark.parametrize("few", [0, 20, 500], ids="{} looked up".format)
async def test_the_answer_is_the_same_with_notes_without_them_and_with_gaps(
    few, reader, end, conn, monkeypatch
):
    """Every edge of every hour of 26, in two queues, three types, and a task of ours.

    With few to be looked up one by one, most are found between the bounds of their ids.
    """
    monkeypatch.setattr(hours_module, "FEW", few)
    midnight = NOW.replace(hour=0, minute=0)
    edges = [midnight - hours(11) + hours(n) for n in range(27)]
    kinds = itertools.cycle(["succeeded", "failed", "succeeded", "deferred_for_retry", "cancelled"])
    for at in edges:
        for moment in (at - TICK, at, at + TICK):
            await end(moment, next(kinds), queue="email" if at.hour % 2 else "reports")
    for moment in (YESTERDAY, YESTERDAY + TICK, NOW - hours(1), NOW - hours(1) + TICK, NOW):
        await end(moment)
    await end(NOW - hours(5), task="jobs_maint:rescue_stalled_jobs")
    counted = {queue: await ask(reader, queue) for queue in (None, "email", "reports")}
    for kind in ("succeeded", "failed", "deferred_for_retry"):
        row = await conn.execute(
            "SELECT count(*), count(*) FILTER (WHERE at > %(now)s - interval '1 hour')"
            " FROM procrastinate_events e JOIN procrastinate_jobs j ON j.id = e.job_id"
            " WHERE e.type = %(kind)s::text::procrastinate_job_event_type"
            " AND j.task_name = 'app.task'"
            " AND e.at > %(now)s - interval '1 day' AND e.at <= %(now)s",
            {"now": NOW, "kind": kind},
        )
        of_all = [ended for (_, found), ended in counted[None].items() if found == kind]
        assert await row.fetchone() == (
            sum(ended.last_day for ended in of_all),
            sum(ended.last_hour for ended in of_all),
        )
    assert {queue for queue, _ in counted["email"]} == {"email"}

    noted = await note_all(reader)
    for gone in ([], noted[:1], noted[3:4], noted[8:11], noted[-1:], noted[::2]):
        await conn.execute("DELETE FROM jobs_maint_hours WHERE hour = ANY (%s)", (gone,))
        for queue, before in counted.items():
            found = await ask(reader, queue)
            assert {group: ended for group, ended in found.items() if ended != NONE} == before


async def test_any_span_of_a_digest_is_the_same_with_notes_and_without(reader, end):
    kinds = itertools.cycle(["succeeded", "succeeded", "failed", "deferred_for_retry"])
    for n in range(60):
        queue = ("email", "email-eu", "reports")[n % 3]
        await end(NOW - timedelta(minutes=29 * n), next(kinds), queue=queue)
    spans = [
        (YESTERDAY, NOW),
        (NOW - hours(7), NOW - hours(2)),
        (NOW - hours(10) - timedelta(minutes=20), NOW - hours(3) - timedelta(minutes=20)),
        (NOW - timedelta(minutes=50), NOW),
    ]
    scopes = [ALL_QUEUES, QueueScope(("email*",)), QueueScope(("reports",))]

    async def count_all():
        async with transaction(reader, snapshot=True):
            return [await count_ended(reader, *span, scope) for span in spans for scope in scopes]

    before = await count_all()
    assert sum(before[0].values()) == 50
    everything, mail, reports = (sum(one.values()) for one in before[:3])
    assert mail + reports == everything
    assert len(await note_all(reader)) == 22
    assert await count_all() == before


async def test_a_noted_hour_is_not_counted_again(reader, end, conn):
    """So that a worker that deletes its jobs later, and a purge, take nothing from the day."""
    for _ in range(3):
        await end(NOW - hours(5))
    await end(NOW - timedelta(minutes=5))
    await note_all(reader)
    await conn.execute("DELETE FROM procrastinate_jobs")
    assert await ask(reader) == {("email", "succeeded"): Ended(last_hour=0, last_day=3)}


async def test_what_is_older_than_a_day_is_counted_neither_from_notes(reader, end):
    await end(NOW - hours(20))
    await note_all(reader)
    assert await ask(reader, now=NOW + hours(4) - TICK) == {
        ("email", "succeeded"): Ended(last_day=1)
    }
    assert await ask(reader, now=NOW + hours(4)) == {}


async def test_a_rescue_notes_the_hours_and_two_at_once_note_each_of_them_once(pool, conn):
    async def count():
        return (await (await conn.execute("SELECT count(*) FROM jobs_maint_hours")).fetchone())[0]

    await asyncio.gather(rescue(pool), rescue(pool))
    assert await count() in (22, 23)  # as the hour has just begun or not


async def test_a_rescue_that_may_not_note_says_so_and_rescues(fleet, make_job, conn, caplog):
    (job,) = await fleet.lose()
    await conn.execute("DELETE FROM jobs_maint_hours")
    await conn.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE insufficient_privilege USING MESSAGE = 'not this table'; END $$;"
        " CREATE TRIGGER refuse BEFORE INSERT ON jobs_maint_hours EXECUTE FUNCTION refuse()"
    )
    with caplog.at_level(logging.WARNING, "jobs_maint"):
        report = await fleet.tick()
    assert [item.code for item in report.items] == ["put_back"]
    assert await make_job.status(job) == "todo"
    (told,) = [r for r in caplog.records if r.event == "jobs_maint.hours_not_noted"]
    assert "not this table" in told.fields["reason"]


@pytest.mark.parametrize("gone", ["TABLE jobs_maint_hours", "INDEX jobs_maint_events_at_idx"])
async def test_where_hours_cannot_be_noted_the_day_is_counted(
    gone, reader, end, conn, pool, caplog
):
    """Without the index each hour would read all events; the table comes with `schema apply`."""
    await end(NOW - hours(5))
    await end(NOW - timedelta(minutes=5))
    await note_all(reader)
    await conn.execute(f"DROP {gone}")
    with caplog.at_level(logging.WARNING, "jobs_maint"):
        await rescue(pool)
    assert caplog.records == []
    assert await ask(reader) == {("email", "succeeded"): Ended(last_hour=1, last_day=2)}
    assert await note_all(reader) == []


async def test_a_rescue_notes_for_some_seconds_and_the_next_one_goes_on(pool, conn, monkeypatch):
    monkeypatch.setattr(noting, "SECONDS", 0.0)
    await rescue(pool)
    count = "SELECT count(*) FROM jobs_maint_hours"
    assert await (await conn.execute(count)).fetchone() == (0,)
    monkeypatch.setattr(noting, "SECONDS", 10.0)
    await rescue(pool)
    assert (await (await conn.execute(count)).fetchone())[0] in (22, 23)


async def test_notes_of_days_that_are_over_are_dropped(reader, conn):
    await note_all(reader, NOW - timedelta(days=3))
    await note_all(reader, NOW)
    left = await conn.execute("SELECT min(hour) > %s, count(*) FROM jobs_maint_hours", (YESTERDAY,))
    assert await left.fetchone() == (True, 22)


async def test_a_queue_whose_jobs_are_all_gone_is_no_queue(pool, reader, make_job, conn):
    """As `stats QUEUE` says, which looks where the jobs are."""
    await make_job(status="succeeded", queue="email", finished_ago=hours(5))
    await make_job(status="succeeded", queue="reports", finished_ago=hours(5))
    await rescue(pool)
    await conn.execute("DELETE FROM procrastinate_jobs WHERE queue_name = 'reports'")
    async with transaction(reader, snapshot=True):
        report = await get_stats(reader, queue=None, settings=MaintSettings())
    assert [(q.queue, q.done_last_day) for q in report.queues] == [("email", 1)]
