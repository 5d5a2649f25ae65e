"""When the failures of a window were: twelve equal parts, whose counts add up."""

from datetime import timedelta

import pytest
from tests.support.history import hours, minutes

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
