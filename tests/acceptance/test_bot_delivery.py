"""How a message reaches Slack when Slack, the channel or the answer fails."""

import asyncio
import io
import json
import logging
import traceback

import pytest
from aiohttp import web
from tests.acceptance.test_bot_client import HELLO, Clock
from tests.support.bots import bot_settings, open_slack
from tests.support.waiting import until

from chatbot.messages import Message
from chatbot.messages.parts import Button, buttons, paragraph, table
from chatbot.slack import refusals as slack_errors
from chatbot.slack.client import SlackClient
from chatbot.slack.editing import Target
from chatbot.slack.errors import SlackRefused, SlackUnavailable
from chatbot.slack.posting import MAY_BE_A_REPEAT
from jobs_maint.errors import JobsMaintError
from local_slack.sample import (
    ALL_SCOPES,
    ARCHIVED,
    OPS,
    RANDOM,
    VIEWER,
    build_sample_config,
)

CHART = {
    "type": "data_visualization",
    "title": "Failures",
    "chart": {
        "type": "bar",
        "axis_config": {"categories": ["08"]},
        "series": [{"name": "failed", "data": [{"label": "08", "value": 3}]}],
    },
}
WORDS = paragraph(["37 jobs failed."]).blocks[0]
TABLE = table(["Queue", "Failed"], [["email", "9"]], []).blocks[0]
RICH = Message("37 jobs failed, all of it in words.", [WORDS, CHART, TABLE])
UNKNOWN = ("500", "accepted_but_lost", "garbage", "reset")
"""Faults after which nobody knows whether Slack took the post."""


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


def kinds(message):
    return [block["type"] for block in message.blocks]


def list_tried(slack, method):
    return [[b["type"] for b in call.arguments["blocks"]] for call in slack.calls(method)]


# --- what nobody knows ----------------------------------------------------------------------------


@pytest.mark.parametrize("fault", UNKNOWN)
async def test_a_post_without_an_answer_is_looked_up_and_stands_there_once(slack, client, fault):
    slack.set_fault(fault, method="chat.postMessage")
    posted = await client.posting.post(OPS, HELLO)
    [message] = slack.messages(OPS)
    assert (posted.channel, posted.ts, message.text) == (OPS, message.ts, "hello")
    assert len(slack.calls("chat.postMessage")) == (1 if fault == "accepted_but_lost" else 2)
    assert slack.breaches == []


async def test_two_equal_posts_are_told_apart_by_a_key_of_their_own(slack, client):
    first = await client.posting.post(OPS, HELLO)
    slack.set_fault("500", method="chat.postMessage")
    second = await client.posting.post(OPS, HELLO)
    assert second.ts != first.ts
    one, other = [message.metadata for message in slack.messages(OPS)]
    assert one["event_type"] == other["event_type"] == "jobs_message"
    assert one["event_payload"]["key"] != other["event_payload"]["key"]


async def test_metadata_of_the_caller_stay_as_they_are_and_find_the_message(slack, client):
    own = {"event_type": "run", "event_payload": {"run": 7}}
    slack.set_fault("accepted_but_lost", method="chat.postMessage")
    posted = await client.posting.post(OPS, HELLO, metadata=own)
    [message] = slack.messages(OPS)
    assert (message.metadata, message.ts) == (own, posted.ts)


async def test_a_repeat_whose_answer_is_lost_too_is_found(slack, client):
    slack.set_fault("500", method="chat.postMessage")
    slack.set_fault("accepted_but_lost", method="chat.postMessage")
    posted = await client.posting.post(OPS, HELLO)
    [message] = slack.messages(OPS)
    assert message.ts == posted.ts


async def test_a_post_that_twice_nobody_knows_of_is_given_up(slack, client):
    slack.set_fault("500", method="chat.postMessage", times=2)
    with pytest.raises(SlackUnavailable, match="status 500"):
        await client.posting.post(OPS, HELLO)
    assert len(slack.calls("chat.postMessage")) == 2


async def test_while_the_history_does_not_answer_either_nothing_is_posted_again(slack, client):
    slack.set_fault("accepted_but_lost", method="chat.postMessage")
    slack.set_fault("500", method="conversations.history", times=9)
    with pytest.raises(SlackUnavailable, match=r"did not answer chat\.postMessage"):
        await client.posting.post(OPS, HELLO)
    assert len(slack.messages(OPS)) == 1


@pytest.mark.parametrize("known", [True, False])
async def test_where_the_history_is_not_granted_the_repeat_says_that_it_may_be_one(clock, known):
    config = build_sample_config(bot_scopes=("commands", "chat:write"))
    async with open_slack(config, provokes=["missing_scope"]) as slack:
        client = SlackClient(bot_settings(slack), clock=clock, sleep=clock.sleep)
        if known:
            await client.web.auth_test()
        slack.set_fault("accepted_but_lost", method="chat.postMessage")
        posted = await client.posting.post(OPS, HELLO)
        first, second = slack.messages(OPS)
        assert first.text == "hello"
        assert second.text == f"hello\n{MAY_BE_A_REPEAT}"
        assert second.ts == posted.ts
        # Scopes that Slack told are not tried.
        assert len(slack.calls("conversations.history")) == (0 if known else 1)


async def test_where_the_bot_is_no_member_the_repeat_says_that_it_may_be_one(clock):
    config = build_sample_config(bot_scopes=(*ALL_SCOPES, "chat:write.public"))
    async with open_slack(config) as slack:
        client = SlackClient(bot_settings(slack), clock=clock, sleep=clock.sleep)
        slack.set_fault("500", method="chat.postMessage")
        await client.posting.post(RANDOM, HELLO)
        [message] = slack.messages(RANDOM)
        assert MAY_BE_A_REPEAT in message.text
        assert slack.breaches == []


# --- edits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", UNKNOWN)
async def test_an_edit_without_an_answer_is_made_again(slack, client, fault):
    posted = await client.posting.post(OPS, HELLO)
    slack.set_fault(fault, method="chat.update")
    await client.posting.update(posted.channel, posted.ts, Message("goodbye", [WORDS]))
    [message] = slack.messages(OPS)
    assert (message.text, kinds(message), message.edited) == ("goodbye", ["rich_text"], True)


async def test_an_edit_waits_as_long_as_slack_asks_and_a_message_that_is_gone_is_told(
    slack, client, clock
):
    posted = await client.posting.post(OPS, HELLO)
    slack.set_fault("429", method="chat.update", retry_after=7)
    await client.posting.update(posted.channel, posted.ts, Message("goodbye", []))
    assert clock.slept == [7.0]
    with pytest.raises(SlackRefused, match="ask again to get a new one") as caught:
        await client.posting.update(OPS, "1.000100", HELLO)
    assert caught.value.reason == "message_not_found"


async def test_a_text_too_long_for_an_edit_is_cut_at_a_line_and_says_so(slack, client):
    posted = await client.posting.post(OPS, HELLO)
    text = "\n".join(f"job {i} failed" for i in range(1_000))
    await client.posting.update(posted.channel, posted.ts, Message(text, [WORDS]))
    [message] = slack.messages(OPS)
    assert message.text.endswith("more lines, not in this text")
    assert slack.breaches == []


# --- blocks that are not taken --------------------------------------------------------------------


@pytest.mark.parametrize("unsupported", ["data_visualization", "table", "rich_text"])
@pytest.mark.parametrize("way", ["post", "ephemeral", "update"])
async def test_what_the_workspace_does_not_take_arrives_once_as_text(
    clock, caplog, way, unsupported
):
    config = build_sample_config(team={"unsupported_blocks": (unsupported,)})
    async with open_slack(config) as slack:
        client = SlackClient(bot_settings(slack), clock=clock, sleep=clock.sleep)
        method = await send(client, way)
        [message] = slack.messages(OPS)
        assert (message.text, kinds(message)) == (RICH.text, [])
        assert list_tried(slack, method) == [kinds(RICH), []]
        told = f"chatbot.blocks_refused reason=invalid_blocks kinds={unsupported}\n"
        assert caplog.text.count(told) == 1
        assert slack.breaches == []


async def test_sentences_are_tried_before_the_text_alone(slack, client, caplog):
    words = {"type": "section", "text": {"type": "mrkdwn", "text": "email: 3 ready"}}
    button = {
        "type": "actions",
        "elements": [{"type": "button", "text": {"type": "plain_text", "text": "Refresh"}}],
    }
    table = next(block for block in RICH.blocks if block["type"] == "table")
    stats = Message("email: 3 ready", [table, button], {"table": (words,)})
    slack.set_unsupported_blocks(["table"])
    await client.posting.post(OPS, stats)
    slack.set_unsupported_blocks(["table", "section"])
    await client.posting.post(OPS, stats)
    tried = [["table", "actions"], ["section", "actions"]]
    assert list_tried(slack, "chat.postMessage") == [*tried, *tried, []]
    assert [kinds(message) for message in slack.messages(OPS)] == [["section", "actions"], []]
    assert caplog.text.count("chatbot.blocks_refused reason=invalid_blocks kinds=table\n") == 2
    assert slack.breaches == []


async def send(client, way):
    if way == "post":
        await client.posting.post(OPS, RICH)
        return "chat.postMessage"
    if way == "ephemeral":
        await client.posting.post_ephemeral(OPS, VIEWER, RICH)
        return "chat.postEphemeral"
    posted = await client.posting.post(OPS, HELLO)
    await client.posting.update(posted.channel, posted.ts, RICH)
    return "chat.update"


async def test_where_slack_names_no_kind_all_are_logged_and_the_next_message_is_sent_whole(
    slack, client, caplog
):
    slack.set_fault("invalid_blocks", method="chat.postMessage")
    await client.posting.post(OPS, RICH)
    await client.posting.post(OPS, RICH)
    assert list_tried(slack, "chat.postMessage") == [kinds(RICH), [], kinds(RICH)]
    assert [message.text for message in slack.messages(OPS)] == [RICH.text] * 2
    assert caplog.text.count("kinds=data_visualization,rich_text,table\n") == 1


async def test_where_slack_refuses_the_text_too_that_refusal_is_told(slack, client):
    posted = await client.posting.post(OPS, HELLO)
    slack.set_fault("invalid_blocks", method="chat.update")
    slack.set_fault("500", method="chat.update", times=9)
    with pytest.raises(SlackUnavailable, match="status 500"):
        await client.posting.update(OPS, posted.ts, RICH)


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("not_in_channel", "invite it there with /invite"),
        ("is_archived", "name another one in the settings"),
        ("channel_not_found", "check the ID, and invite the bot"),
        ("invalid_blocks", "please report it"),
        ("restricted_action", "ask a workspace admin"),
        ("restricted_action_read_only_channel", "ask a workspace admin"),
        ("msg_too_long", "ask for less"),
        ("no_text", "please report it"),
        ("message_not_found", "ask again to get a new one"),
        ("messages_tab_disabled", "turn on the Messages Tab"),
        ("user_not_in_channel", "must join it"),
    ],
)
def test_each_refusal_has_a_sentence_that_says_what_to_do(reason, words):
    told = slack_errors.explain("chat.postMessage", reason, {})
    assert told.startswith(f"Slack refused chat.postMessage ({reason}): ")
    assert words in told


async def test_the_last_problem_of_each_channel_is_kept_with_its_time_for_doctor(slack, client):
    for _ in range(2):
        with pytest.raises(SlackRefused):
            await client.posting.post(ARCHIVED, HELLO)
    slack.set_fault("500", method="chat.postEphemeral")
    with pytest.raises(SlackUnavailable):
        await client.posting.post_ephemeral(OPS, VIEWER, HELLO)
    unavailable, archived = client.posting.problems.list_problems()
    assert (archived.channel, archived.reason, archived.count) == (ARCHIVED, "is_archived", 2)
    assert "the channel is archived" in archived.text
    assert archived.at <= unavailable.at
    assert (unavailable.channel, unavailable.delivered_at) == (OPS, None)
    await client.posting.post(OPS, HELLO)
    archived, unavailable = client.posting.problems.list_problems()
    assert unavailable.delivered_at >= unavailable.at


async def test_problems_of_many_channels_do_not_fill_the_memory(client):
    for i in range(250):
        with pytest.raises(SlackRefused):
            await client.posting.post(f"C0NONE{i}", HELLO)
    problems = client.posting.problems.list_problems()
    assert len(problems) == 200
    assert "C0NONE249" in {problem.channel for problem in problems}


# --- response_url ---------------------------------------------------------------------------------


class Listener:
    """An app that acknowledges all and keeps the address to answer to."""

    def __init__(self, slack):
        self._slack = slack
        self.urls = []

    async def take(self, request):
        form = await request.post()
        payload = json.loads(form["payload"]) if "payload" in form else form
        self.urls.append(payload["response_url"])
        return web.Response()

    async def command(self, channel=OPS):
        result = await self._slack.command(VIEWER, channel, "/jobs stats")
        assert result.acked
        return self.urls[-1]

    async def click(self, ts):
        result = await self._slack.click(VIEWER, OPS, ts, "jobs_run:stats")
        assert result.acked
        return self.urls[-1]


@pytest.fixture
async def listener(slack):
    made = Listener(slack)
    app = web.Application()
    app.router.add_post("/", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.set_request_url(f"http://127.0.0.1:{runner.addresses[0][1]}/")
    yield made
    await runner.cleanup()


async def respond(client, url, text="hello", channel=OPS):
    await client.answering.respond(
        url, Message(text, []), channel=channel, user=VIEWER, in_channel=True
    )


async def test_the_sixth_answer_of_a_command_comes_privately_and_slack_is_not_asked(
    slack, client, listener
):
    url = await listener.command()
    for i in range(6):
        await respond(client, url, f"answer {i}")
    answers = [m for m in slack.messages(OPS, VIEWER) if m.kind == "message"]
    assert [m.ephemeral for m in answers] == [False] * 5 + [True]
    assert len(slack.calls("response_url")) == 5
    assert slack.breaches == []


async def test_after_half_an_hour_the_answer_comes_privately(slack, client, listener, clock):
    url = await listener.command()
    await respond(client, url)
    clock.now += 1_800
    await respond(client, url)
    assert [m.ephemeral for m in slack.messages(OPS) if m.kind == "message"] == [False, True]
    assert len(slack.calls("response_url")) == 1


async def test_where_nothing_else_is_left_the_answer_is_a_direct_message(slack, client, listener):
    url = await listener.command(RANDOM)  # the bot is not in there
    for _ in range(6):
        await respond(client, url, channel=RANDOM)
    [told] = slack.messages(slack.open_dm(VIEWER))
    assert told.text == f"hello\nYou asked this in <#{RANDOM}>."
    assert slack.breaches == []


async def test_when_the_direct_message_fails_too_it_may_work_later(slack, client):
    slack.set_fault("500", method="chat.postMessage", times=2)
    with pytest.raises(SlackUnavailable, match="status 500"):
        await respond(client, None, channel=RANDOM)


async def test_when_slack_refuses_the_direct_message_too_the_first_refusal_is_told(slack, client):
    with pytest.raises(SlackRefused, match="not_in_channel"):
        await client.answering.respond(
            None, Message("hello", []), channel=RANDOM, user="U0NOBODY", in_channel=False
        )


@pytest.mark.parametrize("fault", ["500", "accepted_but_lost", "garbage", "reset"])
async def test_an_answer_that_slack_did_not_take_for_sure_comes_privately(
    slack, client, listener, fault
):
    url = await listener.command()
    slack.set_fault(fault, method="response_url")
    await respond(client, url)
    assert slack.messages(OPS, VIEWER)[-1].ephemeral


async def test_what_may_have_been_taken_counts_as_a_use_and_a_refusal_does_not(
    slack, client, listener
):
    url = await listener.command()
    slack.set_fault("invalid_blocks", method="response_url")
    await client.answering.use_response_url(url, RICH, in_channel=False)
    assert client.answering.count_left(url) == 4
    slack.set_fault("reset", method="response_url")
    assert await client.answering.use_response_url(url, HELLO, in_channel=False) == 0
    assert client.answering.count_left(url) == 3


async def test_by_a_response_url_too_what_is_not_taken_arrives_once_as_text(
    slack, client, listener
):
    url = await listener.command()
    slack.set_unsupported_blocks(["data_visualization"])
    await client.answering.respond(url, RICH, channel=OPS, user=VIEWER, in_channel=True)
    [answer] = [m for m in slack.messages(OPS) if m.kind == "message"]
    assert (answer.text, kinds(answer)) == (RICH.text, [])
    assert slack.breaches == []


# --- edits of long runs ---------------------------------------------------------------------------


class SteppedClock:
    """Time stands still; whoever sleeps wakes when the test has passed that much time."""

    def __init__(self):
        self.now = 0.0
        self._sleepers = []

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        woken = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, woken))
        await woken

    @property
    def waiting(self):
        return sum(not woken.done() for _, woken in self._sleepers)

    def advance(self, seconds):
        self.now += seconds
        for at, woken in self._sleepers:
            if at <= self.now and not woken.done():
                woken.set_result(None)


@pytest.fixture
def steps():
    return SteppedClock()


@pytest.fixture
async def stepped(slack, steps):
    made = SlackClient(bot_settings(slack), clock=steps, sleep=steps.sleep)
    yield made
    await made.close()


def list_edits(slack):
    return [call.arguments["text"] for call in slack.calls("chat.update")]


async def make_target(slack):
    """A message of the bot, made without the pace of a channel."""
    posted = await SlackClient(bot_settings(slack), sleep=Clock().sleep).posting.post(OPS, HELLO)
    return Target(posted.channel, posted.ts)


async def test_newer_progress_supersedes_what_waits_and_a_message_is_edited_every_3_s(
    slack, stepped, steps
):
    target = await make_target(slack)
    await stepped.editing.show(target, Message("1 done", []))
    await until(lambda: len(list_edits(slack)) == 1)
    for i in range(2, 50):
        await stepped.editing.show(target, Message(f"{i} done", []))
    await until(lambda: steps.waiting == 1)
    steps.advance(2.9)
    assert steps.waiting == 1
    steps.advance(0.1)
    await until(lambda: len(list_edits(slack)) == 2)
    assert list_edits(slack) == ["1 done", "49 done"]


async def test_the_end_does_not_wait_for_a_turn_and_nothing_comes_after_it(slack, stepped, steps):
    target = await make_target(slack)
    await stepped.editing.show(target, Message("1 done", []))
    await until(lambda: len(list_edits(slack)) == 1)
    await stepped.editing.show(target, Message("2 done", []))
    await until(lambda: steps.waiting == 1)
    await stepped.editing.finish(target, Message("all done", []))
    await stepped.editing.show(target, Message("3 done", []))
    assert steps.waiting == 0
    await stepped.web.auth_test()  # whatever was to be sent before is sent by now
    assert list_edits(slack) == ["1 done", "all done"]
    assert slack.messages(OPS)[0].text == "all done"


async def test_all_runs_share_one_budget_and_ends_have_what_is_kept_for_them(slack, stepped, steps):
    target = await make_target(slack)
    targets = [Target(OPS, target.ts, user=f"run {i}") for i in range(60)]
    for one in targets:
        await stepped.editing.show(one, Message("progress", []))
    await until(lambda: steps.waiting == 1 and len(list_edits(slack)) == 40)
    for one in targets[:10]:
        await stepped.editing.finish(one, Message("end", []))
    assert list_edits(slack).count("end") == 10
    assert list_edits(slack).count("progress") == 40
    assert slack.breaches == []


async def test_within_any_minute_slack_sees_no_more_edits_than_it_takes(clock):
    async with open_slack(clock=clock) as slack:
        client = SlackClient(bot_settings(slack), clock=clock, sleep=clock.sleep)
        posted = await client.posting.post(OPS, HELLO)
        for i in range(120):
            await client.editing.finish(Target(OPS, posted.ts, user=str(i)), Message(f"{i}", []))
        assert len(list_edits(slack)) == 120
        assert slack.breaches == []
        assert clock.now >= 120


async def test_a_429_of_progress_is_waited_for_and_the_newest_state_is_shown_then(
    slack, stepped, steps
):
    target = await make_target(slack)
    slack.set_fault("429", method="chat.update", retry_after=20)
    await stepped.editing.show(target, Message("1 done", []))
    await until(lambda: steps.waiting == 1)
    await stepped.editing.show(target, Message("2 done", []))
    steps.advance(3)
    await until(lambda: steps.waiting == 1)
    assert len(slack.calls("chat.update")) == 1
    steps.advance(17)
    await until(lambda: len(slack.calls("chat.update")) == 2)
    assert slack.calls("chat.update")[1].arguments["text"] == "2 done"


async def test_progress_that_fails_is_logged_once_a_run_and_the_end_raises(
    slack, stepped, steps, caplog
):
    target = await make_target(slack)
    slack.set_fault("500", method="chat.update", times=2)
    await stepped.editing.show(target, Message("1 done", []))
    await until(lambda: "chatbot.progress_not_shown" in caplog.text)
    await stepped.editing.show(target, Message("2 done", []))
    await until(lambda: steps.waiting == 1)
    steps.advance(3)
    await until(lambda: len(slack.calls("chat.update")) == 2)
    slack.set_archived(OPS)
    with pytest.raises(SlackRefused, match=r"archived|frozen"):
        await stepped.editing.finish(target, Message("all done", []))
    assert caplog.text.count("chatbot.progress_not_shown") == 1


async def test_after_a_refusal_progress_of_that_run_is_not_tried_again(
    slack, stepped, steps, caplog
):
    gone = Target(OPS, "1.000100")
    await stepped.editing.show(gone, Message("1 done", []))
    await until(lambda: "chatbot.progress_not_shown" in caplog.text)
    await stepped.editing.show(gone, Message("2 done", []))
    assert steps.waiting == 0
    await stepped.web.auth_test()  # whatever was to be sent before is sent by now
    assert len(slack.calls("chat.update")) == 1


async def test_on_a_response_url_a_run_is_told_at_its_start_half_and_end(
    slack, stepped, steps, listener
):
    button = buttons(Button("Run", "stats")).blocks[0]
    posted = await stepped.posting.post(OPS, Message("Run?", [button]))
    url = await listener.click(posted.ts)
    target = Target(OPS, response_url=url, user=VIEWER, in_channel=True, replaces=True)
    assert url not in repr(target)
    for i in range(100):
        await stepped.editing.show(target, Message(f"{i} done", []), share=i / 100)
        if i in {10, 60}:
            uses = 1 if i == 10 else 2
            steps.advance(3)
            await until(lambda: len(slack.calls("response_url")) == uses)  # noqa: B023
    await stepped.editing.finish(target, Message("all done", []))
    texts = [call.arguments["text"] for call in slack.calls("response_url")]
    assert texts == ["0 done", "50 done", "all done"]
    [message] = slack.messages(OPS)
    assert message.text == "all done"
    assert slack.breaches == []


async def test_the_last_use_of_a_response_url_is_kept_for_the_end(slack, stepped, listener):
    url = await listener.command()
    for _ in range(4):
        await respond(stepped, url)
    target = Target(OPS, response_url=url, user=VIEWER)
    await stepped.editing.show(target, Message("0 done", []))
    await stepped.editing.finish(target, Message("all done", []))
    await stepped.editing.finish(target, Message("all done again", []))
    assert [m.text for m in slack.messages(OPS, VIEWER)[-2:]] == ["all done", "all done again"]
    assert len(slack.calls("response_url")) == 5
    assert slack.breaches == []


# --- secrets --------------------------------------------------------------------------------------


async def test_no_fault_brings_a_token_an_address_or_a_body_into_a_log_or_an_error(
    slack, listener, clock, caplog
):
    seen = io.StringIO()
    handler = logging.StreamHandler(seen)
    names = [name for name in logging.root.manager.loggerDict if isinstance(name, str)]
    levels = {name: logging.getLogger(name).level for name in ["root", *names]}
    logging.root.addHandler(handler)
    for name in levels:
        logging.getLogger(None if name == "root" else name).setLevel(logging.DEBUG)
    settings = bot_settings(slack)
    client = SlackClient(settings, clock=clock, sleep=clock.sleep, timeout=1.0)
    secret = Message("needle-in-the-body", RICH.blocks)
    try:
        url = await listener.command()
        posted = await client.posting.post(OPS, HELLO)
        acts = (
            lambda: client.posting.post(OPS, secret),
            lambda: client.answering.respond(
                url, secret, channel=OPS, user=VIEWER, in_channel=False
            ),
            lambda: client.posting.post_ephemeral(OPS, VIEWER, secret),
            lambda: client.posting.update(OPS, posted.ts, secret),
            lambda: client.editing.finish(Target(OPS, response_url=url, user=VIEWER), secret),
            lambda: client.web.open_socket("xapp-wrong-app-token"),
            lambda: client.web.get_channel(OPS),
        )
        for fault in ("429", *UNKNOWN, "invalid_blocks", "timeout"):
            # A timeout takes its second each time: the first two ways are enough for it.
            for act in acts[: 2 if fault == "timeout" else None]:
                slack.clear_faults()
                slack.set_fault(fault, times=1 if fault == "timeout" else 20, retry_after=40)
                try:
                    await act()
                except JobsMaintError:
                    seen.write(traceback.format_exc())
    finally:
        slack.clear_faults()
        slack.clear_breaches()  # of the wrong token
        await client.close()
        logging.root.removeHandler(handler)
        for name, level in levels.items():
            logging.getLogger(None if name == "root" else name).setLevel(level)
    told = seen.getvalue() + caplog.text + repr(client.posting.problems.list_problems())
    assert "chatbot.response_url_failed" in told
    assert "slack_sdk.errors" in told
    token = slack.config.app.bot_token
    for needle in ("needle-in-the-body", token, "xapp-wrong-app-token", url, "/response/"):
        assert needle not in told
