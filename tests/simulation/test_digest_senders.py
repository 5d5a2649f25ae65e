"""Single senders of a digest and what befalls them, point by point."""

from __future__ import annotations

import pytest
from tests.simulation.senders import HOUR, Fate, send
from tests.simulation.world import open_world, read_messages

from chatbot.digests.tasks import NOT_DUE
from jobs_maint.operations.doctor.maintenance import check_digests
from local_slack.sample import ALL_SCOPES, OPS

HOURLY = {"name": "ops", "channel": OPS, "cron": "0 * * * *"}
NO_HISTORY = tuple(scope for scope in ALL_SCOPES if "history" not in scope)


@pytest.fixture
async def world(database_url, monkeypatch):
    provokes = ("missing_scope", "is_archived")
    async with open_world(database_url, monkeypatch, HOURLY, provokes=provokes) as opened:
        await opened.fail_jobs(0, ages=[600])
        yield opened


async def states(world):
    found = await world.driver.execute("SELECT state FROM jobs_maint_digests ORDER BY id")
    return [state for (state,) in await found.fetchall()]


async def test_a_sender_that_dies_after_its_post_is_found_by_the_next_among_other_messages(world):
    assert await send(world, "ops", Fate(die_after_post=True)) == "killed"
    assert await states(world) == ["sending"]
    for i in range(250):
        world.slack.post_as_user("U0ADMIN", OPS, f"chatter {i}")
    assert await send(world, "ops") == NOT_DUE
    assert await states(world) == ["sent"]


async def test_a_sender_that_dies_before_its_post_is_waited_for_and_then_replaced(world):
    assert await send(world, "ops", Fate(die_before_post=True)) == "killed"
    assert "another worker is sending" in await send(world, "ops", tries=1)
    await world.advance(360)
    assert "did not come back" in (await check_digests(world.driver, None)).sentence
    assert await send(world, "ops") == "sent"
    assert (await check_digests(world.driver, None)).level == "ok"
    [told] = read_messages(world.slack)
    assert (told.counted, told.repeat) == (1, False)


async def test_what_may_be_there_twice_says_so(world):
    """The app may not look into the channel."""
    world.slack.set_scopes(NO_HISTORY)
    assert await send(world, "ops", Fate(die_after_post=True)) == "killed"
    await world.advance(360)
    assert await send(world, "ops") == "sent"
    assert await send(world, "ops") == NOT_DUE
    assert [told.repeat for told in read_messages(world.slack)] == [False, True]


async def test_a_sender_that_was_taken_for_dead_does_not_post(world):
    sleeper = await world.start(send(world, "ops", fate := Fate(suspend=0)), fate)
    await world.advance(360)
    assert await send(world, "ops") == "sent"
    fate.woken.set()
    assert await sleeper == NOT_DUE
    assert len(read_messages(world.slack)) == 1


async def test_one_that_posts_all_the_same_says_that_it_is_a_repeat(world):
    """Suspended between its last look at the window and the post."""
    sleeper = await world.start(send(world, "ops", fate := Fate(suspend_before_post=True)), fate)
    await world.advance(360)
    assert await send(world, "ops") == "sent"
    fate.woken.set()
    assert await sleeper == "sent"
    assert [told.repeat for told in read_messages(world.slack)] == [False, True]
    assert await states(world) == ["sent", "sent"]
    await world.advance(HOUR)
    assert await send(world, "ops") == "sent"


async def test_one_that_posts_before_its_successor_leaves_nothing_to_it(world):
    """The successor has opened the same window and asks about the channel, its seventh point."""
    sleeper = await world.start(send(world, "ops", fate := Fate(suspend_before_post=True)), fate)
    await world.advance(360)
    second = await world.start(send(world, "ops", other := Fate(suspend=6)), other)
    assert await states(world) == ["failed", "sending"]
    fate.woken.set()
    assert await sleeper == "sent"
    other.woken.set()
    assert await second == NOT_DUE
    assert [told.repeat for told in read_messages(world.slack)] == [False]


async def test_that_slack_took_a_digest_is_stored_when_the_database_is_back(world):
    assert await send(world, "ops", Fate(restart_after_post=True)) == "sent"
    assert await states(world) == ["sent"]
    assert len(read_messages(world.slack)) == 1


@pytest.mark.parametrize(
    "fate",
    [
        {"die_before_post": True, "at_post": 1},
        {"die_after_post": True, "at_post": 1},
        {"die_after_post": True, "at_post": 0},
    ],
)
async def test_whoever_sends_next_completes_the_thread_and_posts_nothing_twice(world, fate):
    assert await send(world, "ops", Fate(**fate)) == "killed"
    await world.advance(360)
    assert await send(world, "ops") == NOT_DUE
    [told] = read_messages(world.slack)
    assert told.named == (0,)
    assert [key for key, _ in told.thread] == [f"{told.key}.{number}" for number in (1, 2)]
    assert not any(repeat for _, repeat in told.thread)
    assert await send(world, "ops") == NOT_DUE
    assert len(read_messages(world.slack)[0].thread) == 2


async def test_slacks_failures_at_a_reply_are_retried_and_leave_one_digest(world):
    world.slack.set_fault("429", method="chat.postMessage", channel=OPS, retry_after=90)
    assert await send(world, "ops") == "sent"
    await world.advance(HOUR)
    sleeper = await world.start(
        send(world, "ops", fate := Fate(suspend_before_post=True, at_post=1)), fate
    )
    world.slack.set_fault("500", method="chat.postMessage", times=3)
    fate.woken.set()
    assert await sleeper == NOT_DUE
    assert [len(told.thread) for told in read_messages(world.slack)] == [2, 1]


async def test_a_thread_that_slack_refuses_is_given_up(world):
    sleeper = await world.start(
        send(world, "ops", fate := Fate(suspend_before_post=True, at_post=1)), fate
    )
    world.slack.set_archived(OPS, True)
    fate.woken.set()
    assert await sleeper == "sent"
    world.slack.set_archived(OPS, False)
    assert await send(world, "ops") == NOT_DUE
    [told] = read_messages(world.slack)
    assert told.thread == ()


async def test_a_reply_that_comes_late_of_a_sender_that_dies_is_marked_by_a_later_one(world):
    sleeper = await world.start(
        send(world, "ops", fate := Fate(suspend_before_post=True, die_after_post=True, at_post=1)),
        fate,
    )
    await world.advance(360)
    assert await send(world, "ops") == NOT_DUE
    fate.woken.set()
    assert await sleeper == "killed"
    [told] = read_messages(world.slack)
    assert [repeat for _, repeat in told.thread] == [False, False, False]
    await world.advance(1_000)
    assert await send(world, "ops") == NOT_DUE
    [told] = read_messages(world.slack)
    assert [repeat for _, repeat in told.thread] == [False, False, True]
    assert await send(world, "ops") == NOT_DUE


async def test_a_reply_that_comes_late_says_that_it_is_a_repeat(world):
    sleeper = await world.start(
        send(world, "ops", fate := Fate(suspend_before_post=True, at_post=1)), fate
    )
    await world.advance(360)
    assert await send(world, "ops") == NOT_DUE
    fate.woken.set()
    assert await sleeper == "sent"
    [told] = read_messages(world.slack)
    assert [(key[-1], repeat) for key, repeat in told.thread] == [
        ("1", False), ("2", False), ("1", True),
    ]  # fmt: skip
