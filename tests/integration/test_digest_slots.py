"""When the failures of a window were: twelve equal parts, whose counts add up."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.support.history import hours, minutes

from jobs_maint.models import end_slots
from jobs_maint.operations.digest.summary import Summing, summarise_now
from jobs_maint.operations.failures.groups import list_errors
from jobs_maint.redaction import DEFAULT
from jobs_maint.settings import MaintSettings

DAY = timedelta(hours=24)


async def summarise(conn):
    return await summarise_now(conn, Summing(MaintSettings(), DEFAULT), queue=None, since=DAY)


async def test_failures_are_counted_in_the_two_hours_they_fell_into(conn, make_job):
    for ago in (minutes(10), minutes(30), hours(5), hours(23.5), hours(30)):
        await make_job(status="failed", task="app.send", finished_ago=ago)
    await make_job(status="failed", task="app.pay", finished_ago=minutes(20))
    report = await summarise(conn)
    assert report.slots == (1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 3)
    assert sum(report.slots) == report.failed == 5
    by_task = {group.task: group.slots for group in report.groups}
    assert by_task["app.send"] == (1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2)
    assert by_task["app.pay"] == (0,) * 11 + (1,)


async def test_bars_of_minutes_are_those_of_the_clock_though_a_digest_ends_beside_one(
    conn, make_job
):
    [now] = await (await conn.execute("SELECT date_trunc('minute', now())")).fetchone()
    until = now - timedelta(minutes=2, seconds=10)
    for seconds in (1, 5, 69, 70, 71, 299):  # before its end
        ago = datetime.now(UTC) - until + timedelta(seconds=seconds)
        await make_job(status="failed", task="app.send", finished_ago=ago)
    found = await list_errors(conn, queue=None, since=minutes(5), until=until, limit=9)
    # Two of the last minute, three of the one before, one of the first.
    assert found.groups[0].slots == (1, 0, 0, 3, 2)
    assert end_slots(until) == now - timedelta(minutes=2)
    assert end_slots(until - timedelta(seconds=20)) == end_slots(until)
    assert end_slots(until - timedelta(seconds=21)) == end_slots(until) - minutes(1)
    by_now = until + timedelta(microseconds=1)
    assert end_slots(by_now) == by_now


async def test_a_group_that_is_gone_has_no_failure_in_any_part(conn, make_job):
    await make_job(status="failed", task="app.send", finished_ago=hours(30))
    report = await summarise(conn)
    assert report.groups[0].trend == "gone"
    assert report.slots == report.groups[0].slots == (0,) * 12


async def test_without_any_failure_there_are_no_parts(conn):
    assert (await summarise(conn)).slots == ()


@pytest.mark.parametrize("groups", [10, 60])
async def test_folded_groups_keep_the_sum_of_their_parts(conn, make_job, groups):
    for i in range(groups):
        letters = chr(97 + i % 26) + chr(97 + i // 26)
        await make_job(
            status="failed", task="app.send", error=f"no {letters} here", finished_ago=minutes(5)
        )
    report = await list_errors(conn, queue=None, since=DAY, limit=100)
    assert len(report.groups) == (1 if groups > 50 else groups)
    assert sum(sum(group.slots) for group in report.groups) == groups


@pytest.mark.parametrize(
    ("span", "ago", "slots"),
    [
        (minutes(60), (0.5, 4.5, 31, 59.5), (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2)),
        (minutes(61), (0.5, 60.9), (1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)),  # of 6 min, the first of 1
        (timedelta(seconds=3_607), (0.5, 60.1), (1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)),
        (minutes(5), (0.5, 1.5, 4.5), (1, 0, 0, 1, 1)),
        (timedelta(seconds=20), (0.1,), (1,)),
        (hours(8), (0.5, 61), (0, 0, 0, 0, 0, 0, 1, 1)),
    ],
)
async def test_a_short_span_has_parts_of_whole_minutes_that_end_with_it(
    conn, make_job, span, ago, slots
):
    for one in ago:
        await make_job(status="failed", task="app.send", finished_ago=minutes(one))
    how = Summing(MaintSettings(), DEFAULT)
    report = await summarise_now(conn, how, queue=None, since=span)
    assert report.slots == report.groups[0].slots == slots
    assert sum(report.slots) == report.failed == len(ago)
