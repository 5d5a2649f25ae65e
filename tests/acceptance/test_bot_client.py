"""How the client waits, and what it never sends twice."""

import asyncio

import pytest
from tests.support.bots import bot_settings, open_slack

from chatbot.messages import Message
from chatbot.runtime.work import Work
from chatbot.slack.client import SlackClient
from chatbot.slack.errors import SlackRefused, SlackUnavailable
from chatbot.slack.pacing import Pacer
from jobs_maint.errors import InvalidSettings
from local_slack.sample import ARCHIVED, OPS, SECRET, VIEWER, build_sample_config

HELLO = Message("hello", [])


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self):
        self.now = 0.0
        self.slept = []

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
async def slack():
    async with open_slack() as started:
        yield started


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def client(slack, clock):
    made = SlackClient(bot_settings(slack), clock=clock, sleep=clock.sleep)
    yield made
    await made.close()


async def test_a_429_is_waited_for_as_long_as_slack_asks(slack, client, clock):
    slack.set_fault("429", method="chat.postMessage", retry_after=7)
    await client.posting.post(OPS, HELLO)
    assert clock.slept == [7.0]
    assert len(slack.messages(OPS)) == 1


async def test_a_429_that_asks_for_too_long_is_an_error_at_once(slack, client, clock):
    slack.set_fault("429", method="chat.postMessage", retry_after=31)
    with pytest.raises(SlackUnavailable, match="asks to wait 31 s"):
        await client.posting.post(OPS, HELLO)
    assert clock.slept == []


async def test_a_429_that_does_not_end_is_given_up_after_three_tries(slack, client, clock):
    slack.set_fault("429", method="chat.postMessage", times=9, retry_after=20)
    with pytest.raises(SlackUnavailable, match="asks to wait"):
        await client.posting.post(OPS, HELLO)
    assert clock.slept == [20.0, 20.0]


async def test_a_read_answered_500_is_asked_again(slack, client):
    slack.set_fault("500", method="auth.test", times=2)
    assert (await client.web.auth_test()).user_id == "U0BOT"


async def test_posts_to_one_channel_are_a_second_apart_and_slack_is_content(clock):
    async with open_slack(clock=clock) as slack:
        client = SlackClient(bot_settings(slack), clock=clock, sleep=clock.sleep)
        for _ in range(10):
            await client.posting.post(OPS, HELLO)
        assert clock.slept == [1.0] * 9
        assert slack.breaches == []


async def test_turns_of_one_channel_come_one_by_one_and_others_do_not_wait():
    clock = Clock()
    pacer = Pacer(clock, clock.sleep)
    order = []

    async def post(channel, name):
        async with pacer.turn(channel):
            order.append(name)

    await asyncio.gather(post("C1", "a"), post("C1", "b"), post("C2", "c"))
    assert order == ["a", "c", "b"]
    assert clock.slept == [1.0]


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        (ARCHIVED, "is_archived): the channel is archived"),
        (SECRET, "channel_not_found"),
        ("C0NONE", "check the ID, and invite the bot"),
    ],
)
async def test_a_refusal_is_a_sentence_that_says_what_to_do(client, channel, words):
    with pytest.raises(SlackRefused) as caught:
        await client.posting.post(channel, HELLO)
    assert words in str(caught.value)


async def test_a_missing_scope_is_named():
    config = build_sample_config(bot_scopes=("commands", "chat:write"))
    async with open_slack(config, provokes=["missing_scope"]) as slack:
        client = SlackClient(bot_settings(slack))
        with pytest.raises(SlackRefused, match="lacks the scope usergroups:read"):
            await client.web.list_group_members("S0OPERATORS")


async def test_a_wrong_token_is_a_setting_and_is_not_shown(slack):
    client = SlackClient(bot_settings(slack, slack_bot_token="xoxb-wrong-one"))
    with pytest.raises(InvalidSettings) as caught:
        await client.web.auth_test()
    assert "SLACK_BOT_TOKEN is not accepted by Slack (invalid_auth)" in str(caught.value)
    assert "wrong-one" not in str(caught.value)
    assert [breach.kind for breach in slack.breaches] == ["invalid_auth"]
    slack.clear_breaches()


async def test_a_proxy_of_the_environment_is_not_used_for_this_machine(slack, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    client = SlackClient(bot_settings(slack))
    assert (await client.web.auth_test()).team_id == "T0LOCAL"
    far = SlackClient(bot_settings(slack, slack_api_url="https://slack.com/api/"))
    assert far.web.sdk.proxy == "http://127.0.0.1:9"


async def test_nobody_listening_is_tried_again_even_for_a_post(slack, clock):
    settings = bot_settings(slack, slack_api_url="http://127.0.0.1:1/api/")
    client = SlackClient(settings, clock=clock, sleep=clock.sleep)
    with pytest.raises(SlackUnavailable, match="cannot be reached"):
        await client.posting.post(OPS, HELLO)
    assert len(clock.slept) == 2


async def test_links_are_not_unfurled_and_the_type_of_an_answer_is_declared(slack, client):
    await client.posting.post(OPS, HELLO)
    url = slack.url + "/response/T0LOCAL/none"
    await client.answering.respond(url, HELLO, channel=OPS, user=VIEWER, in_channel=True)
    [post] = slack.calls("chat.postMessage")
    assert post.arguments["unfurl_links"] is False
    # The address was none: the answer came privately instead.
    [private] = slack.calls("chat.postEphemeral")
    assert private.arguments["user"] == VIEWER
    slack.clear_breaches()


async def test_work_in_flight_is_finished_and_what_is_late_is_cancelled(caplog):
    work = Work()
    done = []

    async def quick():
        await asyncio.sleep(0)
        done.append("quick")

    async def endless():
        try:
            await asyncio.Event().wait()
        finally:
            done.append("cancelled")

    async def broken():
        raise RuntimeError("it broke")

    for one in (quick, broken, endless):
        work.start(one())
    assert await work.drain(0.05) == 1
    assert done == ["quick", "cancelled"]
    assert "chatbot.work_failed error=RuntimeError" in caplog.text
    assert work.in_flight == 0
