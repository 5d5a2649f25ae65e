"""The local Slack against a real Bolt app, over signed HTTP and over Socket Mode."""

import asyncio
import contextlib
import json
import logging
import socket
import time
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from local_slack import ControlError, Limits, LocalSlack
from local_slack.sample import ARCHIVED, OPERATOR, OPS, RANDOM, VIEWER, build_sample_config

BUTTON = {
    "type": "button",
    "text": {"type": "plain_text", "text": "Retry 37 jobs"},
    "action_id": "retry",
    "value": "selection-1",
}
BUTTONS = [{"type": "actions", "elements": [BUTTON]}]
FAST = Limits(ack_seconds=0.2)


class Clock:
    def __init__(self):
        self.now = time.time()

    def __call__(self):
        return self.now


class Bot:
    """A Bolt app that keeps what it got."""

    def __init__(self, slack):
        client = AsyncWebClient("xoxb-local", base_url=slack.api_url)
        self.app = AsyncApp(
            client=client,
            signing_secret="local-signing-secret",
            logger=logging.getLogger("bot"),
        )
        self.got = []
        self.slow = asyncio.Event()
        self.app.command("/jobs")(self.on_command)
        self.app.action("retry")(self.on_click)

    async def on_command(self, ack, body, respond):
        self.got.append(body)
        match body.get("text", ""):
            case "silent":
                await ack()
            case "text":
                await ack("told you")
            case "public":
                await ack(text="for all", response_type="in_channel")
            case "wrong type":
                await ack(text="x", response_type="loud")
            case "bad blocks":
                await ack(text="x", blocks=[{"type": "alert"}])
            case "slow":
                await self.slow.wait()
                await ack()
            case "respond":
                await ack()
                await respond("undeclared")
                await respond("declared", response_type="in_channel")
            case "buttons":
                await ack()
                await respond("b", blocks=BUTTONS, response_type="ephemeral")
            case "crash":
                raise RuntimeError
            case _:
                await ack()

    async def on_click(self, ack, body, respond):
        self.got.append(body)
        await ack()
        await respond("done", replace_original=True)


@contextlib.asynccontextmanager
async def talk(mode="http", clock=None, limits=None):
    config = build_sample_config(mode=mode, limits=limits)
    async with LocalSlack.start(config, clock=clock or time.time) as slack:
        bot = Bot(slack)
        serve = serve_http if mode == "http" else serve_socket
        async with serve(slack, bot):
            yield slack, bot


@contextlib.asynccontextmanager
async def serve_http(slack, bot):
    runner = web.AppRunner(bot.app.web_app("/slack/events", port=0), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.set_request_url(f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events")
    try:
        yield
    finally:
        bot.slow.set()
        await runner.cleanup()


@contextlib.asynccontextmanager
async def serve_socket(slack, bot):
    handler = AsyncSocketModeHandler(bot.app, "xapp-local", web_client=bot.app.client)
    await handler.connect_async()
    try:
        await slack.wait_for_connection()
        yield
    finally:
        bot.slow.set()
        await handler.close_async()


both_modes = pytest.mark.parametrize("mode", ["http", "socket"])


@both_modes
async def test_a_command_reaches_the_app_with_slacks_fields(mode):
    async with talk(mode) as (slack, bot):
        result = await slack.command(VIEWER, OPS, "/jobs silent")

    body = bot.got[0]
    assert (result.acked, result.status, result.error_shown) == (True, 200, None)
    assert (body["command"], body["text"]) == ("/jobs", "silent")
    assert (body["user_id"], body["channel_id"], body["team_id"]) == (VIEWER, OPS, "T0LOCAL")
    assert (body["user_name"], body["channel_name"], body["api_app_id"]) == (
        "vera",
        "ops",
        "A0LOCAL",
    )
    assert body["response_url"].startswith(slack.url)
    assert body["trigger_id"]
    assert slack.messages(OPS) == []
    assert slack.breaches == []


@both_modes
async def test_the_text_of_an_ack_is_shown_to_the_user_only(mode):
    async with talk(mode) as (slack, _):
        await slack.command(VIEWER, OPS, "/jobs text")

    assert [(m.text, m.ephemeral) for m in slack.messages(OPS, as_user=VIEWER)] == [
        ("told you", True)
    ]
    assert slack.messages(OPS, as_user=OPERATOR) == []


@both_modes
async def test_an_in_channel_ack_shows_the_typed_command_to_all(mode):
    async with talk(mode) as (slack, _):
        await slack.command(VIEWER, OPS, "/jobs public")

    seen = slack.messages(OPS, as_user=OPERATOR)
    assert [(m.kind, m.user, m.text) for m in seen] == [
        ("command", VIEWER, "/jobs public"),
        ("message", "U0BOT", "for all"),
    ]


@both_modes
async def test_an_undeclared_response_type_is_ephemeral(mode):
    async with talk(mode) as (slack, _):
        await slack.command(VIEWER, OPS, "/jobs respond")
        await slack.wait_for_message(OPS, lambda m: m.text == "declared")

    assert [m.text for m in slack.messages(OPS, as_user=VIEWER)] == [
        "undeclared",
        "/jobs respond",
        "declared",
    ]
    assert [m.text for m in slack.messages(OPS, as_user=OPERATOR)] == ["/jobs respond", "declared"]
    assert slack.breaches == []


@both_modes
async def test_a_late_ack_shows_operation_timeout_to_the_user_and_is_a_breach(mode):
    async with talk(mode, limits=FAST) as (slack, bot):
        result = await slack.command(VIEWER, OPS, "/jobs slow")
        bot.slow.set()

        assert (result.acked, result.error_shown) == (False, "operation_timeout")
        assert 0.2 <= result.seconds < 2
        assert [breach.kind for breach in slack.breaches] == ["late_ack"]
        (shown,) = slack.messages(OPS, as_user=VIEWER)
        assert shown.text == '/jobs failed with the error "operation_timeout"'
        assert (shown.kind, shown.ephemeral) == ("error", True)


@both_modes
@pytest.mark.parametrize("words", ["wrong type", "bad blocks"])
async def test_a_malformed_ack_is_shown_as_an_error_and_is_a_breach(mode, words):
    async with talk(mode) as (slack, _):
        result = await slack.command(VIEWER, OPS, f"/jobs {words}")

    assert result.error_shown == "invalid_command_response"
    assert [breach.kind for breach in slack.breaches] == ["malformed_ack"]
    assert [m.kind for m in slack.messages(OPS)] == ["error"]


async def test_an_ack_that_is_not_200_fails_the_command_and_is_a_breach():
    async with talk() as (slack, _):
        result = await slack.command(VIEWER, OPS, "/jobs crash")

    assert (result.acked, result.status, result.error_shown) == (False, 500, "dispatch_failed")
    assert [breach.kind for breach in slack.breaches] == ["ack_status"]


@both_modes
async def test_an_app_that_does_not_run_fails_the_command_without_a_breach(mode):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/slack/events"
        async with LocalSlack.start(build_sample_config(mode=mode, request_url=url)) as slack:
            result = await slack.command(VIEWER, OPS, "/jobs stats")

    assert (result.acked, result.error_shown) == (False, "dispatch_failed")
    assert slack.breaches == []


@both_modes
async def test_a_button_can_be_clicked_by_its_id_or_text_and_replaces_the_message(mode):
    async with talk(mode) as (slack, bot):
        for button in ("retry", "Retry 37 jobs"):
            posted = await bot.app.client.chat_postMessage(channel=OPS, text="b", blocks=BUTTONS)
            result = await slack.click(OPERATOR, OPS, posted["ts"], button)
            assert result.acked
            await slack.wait_for_message(
                OPS, lambda m, ts=posted["ts"]: m.ts == ts and m.text == "done" and m.edited
            )

    body = bot.got[0]
    assert body["type"] == "block_actions"
    assert body["user"]["id"] == OPERATOR
    assert body["channel"] == {"id": OPS, "name": "ops"}
    assert body["container"]["is_ephemeral"] is False
    assert body["message"]["text"] == "b"
    (action,) = body["actions"]
    assert (action["action_id"], action["value"]) == ("retry", "selection-1")
    assert action["block_id"]
    assert action["action_ts"]
    assert slack.breaches == []


async def test_a_button_in_a_thread_names_the_thread_and_only_an_answer_to_all_goes_there():
    async with talk() as (slack, bot):
        post = bot.app.client.chat_postMessage
        root = (await post(channel=OPS, text="b", blocks=BUTTONS))["ts"]
        await slack.click(OPERATOR, OPS, root, "retry")
        root = (await post(channel=OPS, text="b", blocks=BUTTONS))["ts"]
        reply = (await post(channel=OPS, text="b", blocks=BUTTONS, thread_ts=root))["ts"]
        await slack.click(OPERATOR, OPS, reply, "retry")
        await slack.click(OPERATOR, OPS, root, "retry")
        hook = AsyncWebhookClient(bot.got[1]["response_url"])
        for kind in ("in_channel", "ephemeral"):
            await hook.send_dict({"text": kind, "response_type": kind, "thread_ts": root})

    assert [body["container"].get("thread_ts") for body in bot.got] == [None, root, root]
    assert [body["message"].get("thread_ts") for body in bot.got] == [None, root, root]
    told = {m.text: m.thread_ts for m in slack.messages(OPS, as_user=OPERATOR)}
    assert (told["in_channel"], told["ephemeral"]) == (root, None)


@both_modes
async def test_a_button_of_an_ephemeral_message_works_for_its_user_only(mode):
    async with talk(mode) as (slack, bot):
        await slack.command(VIEWER, OPS, "/jobs buttons")
        message = await slack.wait_for_message(OPS, lambda m: m.text == "b", as_user=VIEWER)
        with pytest.raises(ControlError, match="U0OPERATOR cannot see a message"):
            await slack.click(OPERATOR, OPS, message.ts, "retry")
        await slack.click(VIEWER, OPS, message.ts, "retry")
        done = await slack.wait_for_message(OPS, lambda m: m.text == "done", as_user=VIEWER)

    assert (done.ts, done.ephemeral, done.blocks) == (message.ts, True, [])
    assert bot.got[1]["container"]["is_ephemeral"] is True
    assert "message" not in bot.got[1]
    assert slack.messages(OPS, as_user=OPERATOR) == []


@both_modes
async def test_a_request_can_be_delivered_again_byte_for_byte(mode):
    async with talk(mode) as (slack, bot):
        first = await slack.command(VIEWER, OPS, "/jobs silent")
        again = await slack.replay(first.request_id)

    assert again.acked
    assert bot.got[0] == bot.got[1]


async def test_only_what_a_user_could_do_is_done():
    async with talk() as (slack, bot):
        posted = await bot.app.client.chat_postMessage(
            channel=OPS,
            text="b",
            blocks=[
                {"type": "actions", "elements": [{**BUTTON, "action_id": f"retry-{i}"}]}
                for i in range(2)
            ],
        )
        refused = [
            (slack.command("U9", OPS, "/jobs"), "there is no user U9"),
            (slack.command("U0BOT", OPS, "/jobs"), "there is no user U0BOT"),
            (slack.command(VIEWER, "C9", "/jobs"), "there is no channel C9"),
            (slack.command("U0ADMIN", RANDOM, "/jobs"), "U0ADMIN is not in #random"),
            (slack.command(VIEWER, ARCHIVED, "/jobs"), "#old is archived"),
            (slack.command(VIEWER, OPS, "/job stats"), "/job is not a valid command"),
            (slack.click(VIEWER, OPS, "1.0", "retry"), "U0VIEWER cannot see a message 1.0"),
            (slack.click(VIEWER, OPS, posted["ts"], "undo"), "there is no button 'undo'"),
            (
                slack.click(VIEWER, OPS, posted["ts"], "Retry 37 jobs"),
                "2 buttons are 'Retry 37 jobs'",
            ),
        ]
        for act, sentence in refused:
            with pytest.raises(ControlError, match=sentence):
                await act

    assert bot.got == []


async def test_a_forged_or_stale_request_is_refused_by_the_app():
    body = urlencode({"command": "/jobs", "text": "silent"})
    async with talk() as (slack, bot):
        good = await slack.post_raw(body)
        forged = await slack.post_raw(body, secret="guessed")
        stale = await slack.post_raw(body, age=301)
        unsigned = await slack.post_raw(body, headers={"X-Slack-Signature": ""})

    assert [one.status for one in (good, forged, stale, unsigned)] == [200, 401, 401, 401]
    assert len(bot.got) == 1
    assert slack.breaches == []


async def response_url_of(slack, bot):
    await slack.command(VIEWER, OPS, "/jobs silent")
    return AsyncWebhookClient(bot.got[-1]["response_url"])


async def test_a_response_url_works_five_times():
    async with talk() as (slack, bot):
        hook = await response_url_of(slack, bot)
        answers = [await hook.send(text=f"{i}") for i in range(6)]

    assert [one.status_code for one in answers] == [200] * 5 + [404]
    assert json.loads(answers[5].body)["error"] == "used_url"
    assert [breach.kind for breach in slack.breaches] == ["used_url"]
    assert len(slack.messages(OPS)) == 5


async def test_a_response_url_works_for_thirty_minutes():
    clock = Clock()
    async with talk(clock=clock) as (slack, bot):
        hook = await response_url_of(slack, bot)
        clock.now += 1800
        in_time = await hook.send(text="in time")
        clock.now += 1
        late = await hook.send(text="late")

    assert (in_time.status_code, late.status_code) == (200, 404)
    assert json.loads(late.body)["error"] == "expired_url"
    assert [m.text for m in slack.messages(OPS)] == ["in time"]


async def test_a_response_url_checks_what_it_is_given():
    async with talk() as (slack, bot):
        hook = await response_url_of(slack, bot)
        await hook.send(response_type="ephemeral")
        await hook.send(text="x", response_type="loud")
        await hook.send(blocks=[{"type": "alert"}])
        async with (
            aiohttp.ClientSession() as http,
            http.post(hook.url, data=b"{") as response,
        ):
            assert response.status == 400
        unknown = await AsyncWebhookClient(f"{slack.url}/response/T0LOCAL/x").send(text="x")

    assert unknown.status_code == 404
    assert [breach.kind for breach in slack.breaches] == [
        "no_text",
        "invalid_response_type",
        "invalid_blocks",
        "invalid_payload",
        "invalid_url",
    ]
    assert slack.messages(OPS) == []


async def test_a_typed_command_cannot_be_replaced_and_a_message_keeps_its_kind():
    async with talk() as (slack, bot):
        hook = await response_url_of(slack, bot)
        await hook.send(text="new", replace_original=True)
        posted = await bot.app.client.chat_postMessage(channel=OPS, text="b", blocks=BUTTONS)
        await slack.click(VIEWER, OPS, posted["ts"], "retry")
        await slack.wait_for_message(OPS, lambda m: m.text == "done")
        click_hook = AsyncWebhookClient(bot.got[-1]["response_url"])
        await click_hook.send(text="mine", replace_original=True, response_type="ephemeral")

    assert [breach.kind for breach in slack.breaches] == ["no_original", "response_type_changed"]
    assert [(m.text, m.ephemeral) for m in slack.messages(OPS)] == [("new", True), ("mine", False)]


async def test_a_clicked_message_can_be_deleted():
    async with talk() as (slack, bot):
        posted = await bot.app.client.chat_postMessage(channel=OPS, text="b", blocks=BUTTONS)
        await slack.click(VIEWER, OPS, posted["ts"], "retry")
        await slack.wait_for_message(OPS, lambda m: m.text == "done")
        await AsyncWebhookClient(bot.got[-1]["response_url"]).send(delete_original=True)

    assert slack.messages(OPS) == []


async def test_a_fault_of_the_response_url_is_no_breach():
    async with talk() as (slack, bot):
        hook = await response_url_of(slack, bot)
        slack.set_fault("500", method="response_url")
        failed = await hook.send(text="x")
        worked = await hook.send(text="y")

    assert (failed.status_code, worked.status_code) == (500, 200)
    assert [m.text for m in slack.messages(OPS)] == ["y"]
    assert slack.breaches == []


async def test_mentions_are_escaped_where_the_app_asks_for_it():
    config = build_sample_config(should_escape=True)
    async with LocalSlack.start(config) as slack:
        bot = Bot(slack)
        async with serve_http(slack, bot):
            await slack.command(VIEWER, OPS, "/jobs audit @otto in #ops a<b @nobody")

    text = bot.got[0]["text"]
    assert text == f"audit <@{OPERATOR}|otto> in <#{OPS}|ops> a&lt;b @nobody"


async def open_socket(slack, http):
    client = AsyncWebClient(base_url=slack.api_url)
    url = (await client.apps_connections_open(app_token="xapp-local"))["url"]
    link = await http.ws_connect(url)
    assert (await link.receive_json(timeout=30))["type"] == "hello"
    return url, link


async def test_envelopes_go_to_any_open_connection_and_are_acked_by_id():
    async with (
        LocalSlack.start(build_sample_config(mode="socket")) as slack,
        aiohttp.ClientSession() as http,
    ):
        links = [(await open_socket(slack, http))[1] for _ in range(2)]
        assert slack.connections == 2
        for link in (links[1], links[0]):
            command = asyncio.create_task(slack.command(VIEWER, OPS, "/jobs"))
            envelope = await link.receive_json(timeout=30)
            await link.send_json({"envelope_id": envelope["envelope_id"]})
            result = await command
            assert result.request_id == envelope["envelope_id"]

    assert envelope["type"] == "slash_commands"
    assert envelope["accepts_response_payload"] is True
    assert slack.breaches == []


async def test_wrong_acks_and_urls_of_socket_mode_are_breaches():
    async with (
        LocalSlack.start(build_sample_config(mode="socket")) as slack,
        aiohttp.ClientSession() as http,
    ):
        url, link = await open_socket(slack, http)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await http.ws_connect(url)
        await link.send_str("ok")
        await link.send_json({"envelope_id": "never-sent"})
        command = asyncio.create_task(slack.command(VIEWER, OPS, "/jobs"))
        envelope = await link.receive_json(timeout=30)
        for _ in range(2):
            await link.send_json({"envelope_id": envelope["envelope_id"]})
        await command
        await link.close()

    assert [breach.kind for breach in slack.breaches] == [
        "invalid_ticket",
        "malformed_ack",
        "unknown_envelope",
        "duplicate_ack",
    ]


async def test_an_in_channel_ack_without_text_shows_the_typed_command_alone():
    """Bolt cannot send this: it leaves the response_type of an empty ack out."""
    async with (
        LocalSlack.start(build_sample_config(mode="socket")) as slack,
        aiohttp.ClientSession() as http,
    ):
        _, link = await open_socket(slack, http)
        command = asyncio.create_task(slack.command(VIEWER, OPS, "/jobs stats"))
        envelope_id = (await link.receive_json(timeout=30))["envelope_id"]
        await link.send_json(
            {"envelope_id": envelope_id, "payload": {"response_type": "in_channel"}}
        )
        await command
        await link.close()

    assert [m.text for m in slack.messages(OPS, as_user=OPERATOR)] == ["/jobs stats"]


async def test_a_warned_connection_still_gets_envelopes_and_a_dismissed_one_none():
    async with (
        LocalSlack.start(build_sample_config(mode="socket")) as slack,
        aiohttp.ClientSession() as http,
    ):
        _, link = await open_socket(slack, http)
        await slack.disconnect("warning")
        assert (await link.receive_json(timeout=30))["reason"] == "warning"
        assert slack.connections == 1
        await slack.disconnect()
        assert (await link.receive_json(timeout=30))["reason"] == "refresh_requested"
        result = await slack.command(VIEWER, OPS, "/jobs stats")
        closed = await link.receive(timeout=30)

    assert result.error_shown == "dispatch_failed"
    assert closed.type is aiohttp.WSMsgType.CLOSE


async def test_the_ack_of_a_click_cannot_carry_a_body():
    async with (
        LocalSlack.start(build_sample_config(mode="socket")) as slack,
        aiohttp.ClientSession() as http,
    ):
        _, link = await open_socket(slack, http)
        client = AsyncWebClient("xoxb-local", base_url=slack.api_url)
        posted = await client.chat_postMessage(channel=OPS, text="b", blocks=BUTTONS)
        click = asyncio.create_task(slack.click(VIEWER, OPS, posted["ts"], "retry"))
        envelope = await link.receive_json(timeout=30)
        await link.send_json({"envelope_id": envelope["envelope_id"], "payload": {"text": "lost"}})
        await click
        await link.close()

    assert (envelope["type"], envelope["accepts_response_payload"]) == ("interactive", False)
    assert [breach.kind for breach in slack.breaches] == ["ack_body_ignored"]
    assert [m.text for m in slack.messages(OPS)] == ["b"]


async def test_bolt_comes_back_after_a_disconnect():
    async with talk("socket") as (slack, bot):
        await slack.disconnect("refresh_requested")
        assert slack.connections == 0
        await slack.wait_for_connection()
        result = await slack.command(VIEWER, OPS, "/jobs silent")

    assert result.acked
    assert len(bot.got) == 1
    assert slack.breaches == []
