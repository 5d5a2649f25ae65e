"""A task that nothing was found of: whether it was misspelt, and what was meant."""

from __future__ import annotations

import pytest

from jobs_maint.actions import (
    Actor,
    BulkVerb,
    Grant,
    JobFilter,
    ListErrors,
    ListFailed,
    PreviewBulk,
    Role,
    ShowStats,
)
from jobs_maint.errors import InvalidRequest
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "host")
TASK = "team.tasks.deliver_webhook"


async def ask(pool, action, actor=ANA):
    return await perform(pool, actor, action, settings=MaintSettings())


def list_ways(task):
    """Those that take a part of the name, and those that take a glob for all of it."""
    sets = [PreviewBulk(verb, JobFilter(task=task)) for verb in BulkVerb]
    of_globs = [PreviewBulk(verb, JobFilter(tasks=(task,))) for verb in BulkVerb]
    lists = [ListErrors(tasks=(task,)), ListFailed(tasks=(task,))]
    return [ListFailed(task=task), *sets], [*lists, *of_globs]


async def test_a_misspelt_task_is_answered_by_the_one_that_was_meant(pool, make_job):
    await make_job(status="failed", task=TASK)
    await make_job(status="succeeded", task="team.tasks.send_mail")
    for typed in (
        "deliver_webhok",
        "Deliver_Webhok",
        "team.tasks.deliver_webhok",
        "deliver_webho?k",
    ):
        for action in (way for ways in list_ways(typed) for way in ways):
            with pytest.raises(InvalidRequest, match=rf"; did you mean '{TASK}'\?$"):
                await ask(pool, action)
    for action in list_ways("team.tsks.*")[1]:
        with pytest.raises(InvalidRequest, match=r"; did you mean 'team\.tasks\."):
            await ask(pool, action)


async def test_a_task_that_is_known_or_like_no_other_may_just_have_no_such_job(pool, make_job):
    await make_job(status="failed", task=TASK)
    await make_job(status="succeeded", task="team.tasks.send_mail")
    for typed in ("send_mail", "nightly_report"):
        assert (await ask(pool, ListFailed(task=typed))).total == 0
        wanted = JobFilter(task=typed, statuses=("failed",))
        assert (await ask(pool, PreviewBulk(BulkVerb.RETRY, wanted))).count == 0
    assert (await ask(pool, ListErrors(tasks=("*.send_*",)))).failed == 0


async def test_a_task_is_known_by_its_errors_when_its_jobs_are_gone(pool, make_job, conn):
    await make_job(status="failed", task=TASK, error="refused")
    await ask(pool, ShowStats())
    await conn.execute("DELETE FROM procrastinate_jobs")
    assert (await ask(pool, ListFailed(task="deliver_webhook"))).total == 0
    with pytest.raises(InvalidRequest, match=rf"; did you mean '{TASK}'\?$"):
        await ask(pool, ListFailed(task="deliver_webhok"))


async def test_a_limited_role_is_not_told_of_tasks_in_other_queues(pool, make_job):
    await make_job(status="failed", task=TASK, queue="webhook")
    bob = Actor("slack", "U0BOB", grants=(Grant(Role.VIEWER, queues=("email",)),))
    assert (await ask(pool, ListFailed(task="deliver_webhok"), bob)).total == 0
