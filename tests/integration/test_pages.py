"""Pages of `errors` and `failed`: one answer, whichever page of it is read and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.history import hours, minutes

from chatbot.messages.result import render_result
from jobs_maint.actions import Actor, ListErrors, ListFailed
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings
from local_slack.text import render_blocks

ANA = Actor.shell("ana", "here")
DAY, HALF_AN_HOUR = hours(24), minutes(30)


async def ask(pool, action):
    return await perform(pool, ANA, action, settings=MaintSettings())


async def turn(pool, report, page=1):
    """This page, and the report that its button asks for, with the number of its page."""
    message = render_result(report, "/jobs", by="U0ANA", page=page)
    for block in message.blocks:
        for element in block.get("elements", []):
            if element.get("action_id", "").startswith("jobs_page:"):
                action = parse_words(split_text(element["value"]), "slack").action
                if isinstance(action, ListFailed):
                    action = replace(action, grouped=True)
                then = int(element["action_id"].partition(":")[2])
                return message, (await ask(pool, action), then)
    return message, None


async def read_all(pool, action):
    """Each page, by pressing the button of the one before."""
    after, pages = (await ask(pool, action), 1), []
    while after:
        message, after = await turn(pool, *after)
        pages.append(render_blocks(message.blocks, 10_000).splitlines())
        assert len(pages) < 20
    return pages


@pytest.fixture
async def many(make_job):
    """25 groups: the largest without a record, a new one among the smallest, one that is gone."""
    for i in range(24):
        alike = {"status": "failed", "queue": "webhook", "task": f"app.t{i:02}"}
        for _ in range(1 + (i < 4) + (i < 2)):
            await make_job(**alike, recorded=i > 0, finished_ago=hours(2))
        if i != 20:
            await make_job(**alike, recorded=i > 0, finished_ago=hours(25))
    await make_job(status="failed", queue="webhook", task="app.gone", finished_ago=hours(25))


@pytest.mark.parametrize("limit", [1, 3, 9, 10, 20, 500])
async def test_errors_say_the_same_on_every_page(pool, many, limit):
    """A later page is of a list that has more groups."""
    pages = await read_all(pool, ListErrors(since=DAY, limit=limit))
    first = (
        "🔴 30 failures in the last 24 hours, for 23 reasons; 3 without a recorded error.",
        "Up from 24 the day before.",
    )
    assert {tuple(page[:2]) for page in pages} == {first}
    assert len(pages) >= 3
    assert any("21–24 of 24 groups" in line for line in pages[-1])


@pytest.mark.parametrize("limit", [1, 3, 20, 500])
async def test_failed_says_the_same_on_every_page(pool, make_job, limit):
    """Also whether all are of one task, and when the newest failed, which is in a small group."""
    for i in range(12):
        for _ in range(1 + (i < 4)):
            await make_job(
                status="failed", queue="webhook", task="app.send", error=f"{'x' * i} broke",
                finished_ago=minutes(5 if i == 11 else 90),
            )  # fmt: skip
    pages = await read_all(pool, ListFailed(limit=limit, grouped=True))
    first = (
        "🔴 16 failed send jobs, with 12 different errors.",
        "The newest failed 5 min ago.",
    )
    assert {
        tuple([line.replace(" of these", "") for line in page if not line.startswith("Until")][:2])
        for page in pages
    } == {first}
    assert len(pages) >= 2


@pytest.mark.parametrize(
    "action", [ListErrors(since=DAY, limit=10), ListFailed(grouped=True, limit=10)]
)
async def test_a_page_that_is_asked_for_later_is_of_the_same_span(pool, many, make_job, action):
    for _ in range(5):
        await make_job(status="failed", queue="new", task="app.later", finished_ago=minutes(5))
    now = await ask(pool, action)
    then = replace(await ask(pool, replace(action, until=now.as_of - HALF_AN_HOUR)), until=None)
    then = replace(then, as_of=now.as_of - HALF_AN_HOUR)
    shown, (later, page) = await turn(pool, then)
    assert "later" in render_result(now, "/jobs", by="U0ANA").text
    assert timedelta() <= later.until - then.as_of < timedelta(seconds=1)
    assert {one.task for one in then.groups} < {one.task for one in later.groups}
    assert "app.later" not in {one.task for one in later.groups}
    message = render_result(later, "/jobs", by="U0ANA", page=page)
    assert "of 24 groups" in message.text or "of 25 groups" in message.text
    assert "failures in 24 hours" in message.text or "Until " in message.text
    said = [one.text.splitlines()[0].partition(" in ")[0] for one in (shown, message)]
    assert said[0] == said[1]


async def test_a_page_that_is_asked_for_at_once_is_not_in_the_future(pool, many):
    """Its words name the end of the span to the second, which may be up to one second ahead."""
    now = await ask(pool, ListErrors(since=DAY))
    at_once = await ask(pool, ListErrors(since=DAY, until=now.as_of + minutes(0.01)))
    assert (at_once.until_in_future, at_once.since_seconds) == (False, 86_400.0)
