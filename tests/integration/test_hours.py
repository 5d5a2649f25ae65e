"""What ended within the last day: whole hours are noted by the rescue, the rest is counted."""

from __future__ import annotations

import asyncio
import itertools
import logging
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.history import hours

from jobs_maint.actions import Actor, RescueStalled
from jobs_maint.database import open_pool, transaction
from jobs_maint.operations.hours import Ended, count_ended_lately, list_unnoted_hours, note_hour
from jobs_maint.operations.purge import Retention, purge_finished_jobs
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
    SELECT id, %(kind)s::text::procrastinate_job_event_type, %(at)s FROM job"""


@pytest.fixture
def end(conn):
    """A job that ended at this time, or was put back."""

    async def end_job(at, kind="succeeded", queue="email", task="app.task"):
        await conn.execute(ENDS, {"queue": queue, "task": task, "kind": kind, "at": at})

    return end_job


@pytest.fixture
async def reader(database_url):
    async with open_pool(database_url, max_size=1) as pool, pool.connection() as conn:
        await conn.set_autocommit(True)
        yield conn


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


async def test_the_answer_is_the_same_with_notes_without_them_and_with_gaps(reader, end, conn):
    """Every edge of every hour of 26, in two queues, three types, and a task of ours."""
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


async def test_a_rescue_that_may_not_note_says_so_and_rescues(pool, conn, caplog):
    await conn.execute("DROP TABLE jobs_maint_hours")
    with caplog.at_level(logging.WARNING, "jobs_maint"):
        report = await rescue(pool)
    assert report.suspects == 0
    (told,) = [r for r in caplog.records if r.event == "jobs_maint.hours_not_noted"]
    assert "jobs_maint_hours" in told.fields["reason"]


async def test_notes_of_days_that_are_over_are_trimmed(pool, reader, conn):
    await note_all(reader, NOW - timedelta(days=2))
    await note_all(reader, NOW)
    report = await purge_finished_jobs(pool, Retention({}, None), now=NOW)
    assert report.trimmed == {"jobs_maint_hours": 22}
    left = await conn.execute("SELECT min(hour) > %s FROM jobs_maint_hours", (YESTERDAY,))
    assert await left.fetchone() == (True,)
