"""Modals of the local Slack against a real Bolt app, over signed HTTP and over Socket Mode."""

import asyncio
import contextlib
import logging
import time

import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from local_slack import ControlError, Limits, LocalSlack, LocalSlackControl, as_text
from local_slack.sample import OPERATOR, OPS, VIEWER, build_sample_config

both_modes = pytest.mark.parametrize("mode", ["http", "socket"])


class Clock:
    def __init__(self):
        self.now = time.time()

    def __call__(self):
        return self.now


def plain(text):
    return {"type": "plain_text", "text": text}


def entry(block_id, **fields):
    element = {"type": "plain_text_input", "action_id": f"{block_id}_text", "max_length": 20}
    return {
        "type": "input",
        "block_id": block_id,
        "label": plain("Why"),
        "element": element,
        **fields,
    }


BUTTON = {"type": "button", "action_id": "more", "text": plain("More"), "value": "page-2"}
MODAL = {
    "type": "modal",
    "callback_id": "retry",
    "title": plain("Retry 37 jobs"),
    "submit": plain("Retry"),
    "close": plain("Not now"),
    "private_metadata": "selection-1",
    "blocks": [
        {"type": "section", "text": {"type": "mrkdwn", "text": "37 jobs of *webhook*"}},
        entry("reason"),
        {"type": "actions", "block_id": "buttons", "elements": [BUTTON]},
    ],
}
DETAILS = {
    "type": "modal",
    "callback_id": "details",
    "title": plain("Job 7"),
    "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "failed"}}],
}


class Bot:
    """A Bolt app that opens `MODAL` on a command and acks a submit with `answer`."""

    def __init__(self, slack):
        self.client = AsyncWebClient("xoxb-local", base_url=slack.api_url)
        self.app = AsyncApp(
            client=self.client,
            signing_secret="local-signing-secret",
            logger=logging.getLogger("bot"),
        )
        self.got = []
        self.opened = []
        self.modal = MODAL
        self.answer = {}
        self.slow = asyncio.Event()
        self.slow.set()
        self.app.command("/jobs")(self.on_command)
        self.app.action("more")(self.on_click)
        self.app.view("retry")(self.on_submit)
        self.app.view_closed("retry")(self.on_close)

    async def on_command(self, ack, body):
        await ack()
        self.got.append(body)
        answer = await self.client.views_open(trigger_id=body["trigger_id"], view=self.modal)
        self.opened.append(answer["view"])

    async def on_click(self, ack, body):
        await ack()
        self.got.append(body)
        await self.client.views_push(trigger_id=body["trigger_id"], view=DETAILS)

    async def on_submit(self, ack, body):
        self.got.append(body)
        await self.slow.wait()
        await ack(**self.answer)

    async def on_close(self, ack, body):
        self.got.append(body)
        await ack()


@contextlib.asynccontextmanager
async def talk(mode="http", clock=None, limits=None):
    config = build_sample_config(mode=mode, limits=limits)
    async with LocalSlack.start(config, clock=clock or time.time) as slack:
        bot = Bot(slack)
        async with serve_http(slack, bot) if mode == "http" else serve_socket(slack, bot):
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
    handler = AsyncSocketModeHandler(bot.app, "xapp-local", web_client=bot.client)
    await handler.connect_async()
    try:
        await slack.wait_for_connection(30)
        yield
    finally:
        bot.slow.set()
        await handler.close_async()


async def open_modal(slack, user=VIEWER):
    assert (await slack.command(user, OPS, "/jobs retry --all")).acked
    return await slack.wait_for_view(user, timeout=30)


async def refusal_of(call):
    with pytest.raises(SlackApiError) as caught:
        await call
    return caught.value.response


@both_modes
async def test_a_command_opens_a_modal_that_its_user_alone_sees(mode):
    async with talk(mode) as (slack, bot):
        view = await open_modal(slack)

        assert (view.title, view.submit, view.close) == ("Retry 37 jobs", "Retry", "Not now")
        assert (view.callback_id, view.private_metadata, view.depth) == ("retry", "selection-1", 1)
        assert slack.view(OPERATOR) is None
        assert as_text(view).splitlines() == [
            "Retry 37 jobs",
            "=============",
            "37 jobs of *webhook*",
            "Why: [plain_text_input]",
            "[More]",
            "[Not now] [Retry]",
        ]
    assert bot.opened[0]["id"] == bot.opened[0]["root_view_id"] == view.id
    assert bot.opened[0]["hash"] == view.hash
    assert slack.breaches == []


@both_modes
async def test_a_submit_brings_what_was_typed_and_an_empty_ack_closes_the_modal(mode):
    async with talk(mode) as (slack, bot):
        opened = await open_modal(slack)
        result = await slack.submit_view(VIEWER, {"reason": "deployed a fix"})

        assert (result.acked, result.error_shown) == (True, None)
        assert slack.view(VIEWER) is None
    body = bot.got[-1]
    assert (body["type"], body["user"]["id"]) == ("view_submission", VIEWER)
    assert (body["view"]["id"], body["view"]["private_metadata"]) == (opened.id, "selection-1")
    assert body["view"]["state"]["values"] == {
        "reason": {"reason_text": {"type": "plain_text_input", "value": "deployed a fix"}}
    }
    assert body["response_urls"] == []
    assert not {"channel", "message", "response_url"} & set(body)
    assert slack.breaches == []


@both_modes
async def test_errors_stand_at_their_inputs_and_the_modal_stays(mode):
    async with talk(mode) as (slack, bot):
        await open_modal(slack)
        bot.answer = {"response_action": "errors", "errors": {"reason": "Say more"}}
        result = await slack.submit_view(VIEWER, {"reason_text": "x"})
        view = slack.view(VIEWER)

        assert result.acked
        assert view.errors == {"reason": "Say more"}
        assert "! Say more" in as_text(view)
        assert view.values["reason"]["reason_text"]["value"] == "x"
        bot.answer = {}
        await slack.submit_view(VIEWER, {"reason": "because"})
        assert slack.view(VIEWER) is None
    assert slack.breaches == []


@both_modes
async def test_the_ack_of_a_submit_can_update_push_and_clear(mode):
    async with talk(mode) as (slack, bot):
        first = await open_modal(slack)
        bot.answer = {"response_action": "update", "view": {**MODAL, "title": plain("Sure?")}}
        await slack.submit_view(VIEWER, {"reason": "kept"})
        updated = slack.view(VIEWER)
        bot.answer = {"response_action": "push", "view": MODAL}
        await slack.submit_view(VIEWER)
        pushed = slack.view(VIEWER)
        bot.answer = {"response_action": "clear"}
        await slack.submit_view(VIEWER, {"reason": "x"})

        assert slack.view(VIEWER) is None
    assert (updated.id, updated.title, updated.hash == first.hash) == (first.id, "Sure?", False)
    assert updated.values["reason"]["reason_text"]["value"] == "kept"
    assert (pushed.depth, pushed.values["reason"]["reason_text"]["value"]) == (2, None)
    assert slack.breaches == []


@both_modes
async def test_a_button_in_a_modal_comes_with_the_view_and_without_a_channel(mode):
    async with talk(mode) as (slack, bot):
        opened = await open_modal(slack)
        await slack.click_in_view(VIEWER, "More", value="page-2")
        pushed = await slack.wait_for_view(VIEWER, lambda view: view.depth == 2, timeout=30)
        await slack.close_view(VIEWER)

        assert slack.view(VIEWER) == opened
    body = bot.got[-1]
    assert pushed.title == "Job 7"
    assert body["container"] == {"type": "view", "view_id": opened.id}
    assert body["view"]["private_metadata"] == "selection-1"
    assert (body["actions"][0]["value"], body["actions"][0]["block_id"]) == ("page-2", "buttons")
    assert not {"channel", "message", "response_url"} & set(body)
    assert slack.breaches == []


@both_modes
async def test_a_close_is_told_where_the_view_asks_for_it(mode):
    async with talk(mode) as (slack, bot):
        await open_modal(slack)
        untold = await slack.close_view(VIEWER)
        bot.modal = {**MODAL, "notify_on_close": True}
        await open_modal(slack)
        told = await slack.close_view(VIEWER)

        assert slack.view(VIEWER) is None
    body = bot.got[-1]
    assert (untold, told.acked) == (None, True)
    assert (body["type"], body["is_cleared"]) == ("view_closed", False)
    assert body["view"]["private_metadata"] == "selection-1"
    assert slack.breaches == []


async def test_a_view_that_clears_on_close_takes_those_under_it_along():
    async with talk() as (slack, bot):
        bot.modal = {**MODAL, "notify_on_close": True}
        await open_modal(slack)
        bot.answer = {"response_action": "push", "view": {**bot.modal, "clear_on_close": True}}
        await slack.submit_view(VIEWER, {"reason": "x"})
        await slack.close_view(VIEWER)

        assert slack.view(VIEWER) is None
    closed = [body for body in bot.got if body.get("type") == "view_closed"]
    assert [body["is_cleared"] for body in closed] == [True, True]


@both_modes
async def test_a_late_ack_of_a_submit_is_a_breach_and_the_user_sees_trouble(mode):
    async with talk(mode, limits=Limits(ack_seconds=0.3)) as (slack, bot):
        bot.slow.clear()
        await open_modal(slack)
        result = await slack.submit_view(VIEWER, {"reason": "x"})
        view = slack.view(VIEWER)
        bot.slow.set()

        assert (result.acked, result.error_shown) == (False, "operation_timeout")
        assert "operation_timeout" in view.trouble
        assert [breach.kind for breach in slack.breaches] == ["late_ack"]


BAD_ANSWERS = [
    {"response_action": "explode"},
    {"response_action": "errors", "errors": {"nowhere": "x"}},
    {"response_action": "update", "view": {**MODAL, "title": plain("x" * 25)}},
]


@both_modes
@pytest.mark.parametrize("answer", BAD_ANSWERS)
async def test_a_malformed_answer_to_a_submit_is_a_breach_and_changes_nothing(mode, answer):
    async with talk(mode) as (slack, bot):
        opened = await open_modal(slack)
        bot.answer = answer
        result = await slack.submit_view(VIEWER, {"reason": "x"})

        assert result.error_shown == "invalid_view_response"
        assert slack.view(VIEWER).hash == opened.hash
    assert [breach.kind for breach in slack.breaches] == ["malformed_ack"]


async def test_a_trigger_opens_one_modal_within_three_seconds():
    clock = Clock()
    async with talk(clock=clock) as (slack, bot):
        await open_modal(slack)
        used = bot.got[-1]["trigger_id"]
        again = await refusal_of(bot.client.views_open(trigger_id=used, view=MODAL))
        bot.answer = {"response_action": "errors", "errors": {"reason": "again"}}
        await slack.submit_view(VIEWER, {"reason": "x"})
        fresh = bot.got[-1]["trigger_id"]
        clock.now += 3.1
        late = await refusal_of(bot.client.views_push(trigger_id=fresh, view=DETAILS))
        made_up = await refusal_of(bot.client.views_open(trigger_id="1.2.abc", view=MODAL))
        missing = await refusal_of(bot.client.views_open(trigger_id="", view=MODAL))

    assert [one["error"] for one in (again, late, made_up, missing)] == [
        "exchanged_trigger_id",
        "expired_trigger_id",
        "invalid_trigger_id",
        "invalid_arguments",
    ]
    assert fresh != used
    assert [breach.kind for breach in slack.breaches] == [
        "exchanged_trigger_id",
        "expired_trigger_id",
        "invalid_trigger_id",
        "invalid_arguments",
    ]


async def test_a_modal_has_three_views_at_most():
    async with talk() as (slack, bot):
        await open_modal(slack)
        bot.answer = {"response_action": "push", "view": MODAL}
        for _ in range(2):
            await slack.submit_view(VIEWER, {"reason": "x"})
        depth = slack.view(VIEWER).depth
        result = await slack.submit_view(VIEWER, {"reason": "x"})

    assert (depth, result.error_shown) == (3, "invalid_view_response")
    assert "push_limit_reached" in slack.breaches[0].detail


async def test_a_trigger_from_outside_of_a_modal_pushes_nothing():
    async with talk() as (slack, bot):
        trigger_id = slack._modals.issue_trigger(VIEWER)
        answer = await refusal_of(bot.client.views_push(trigger_id=trigger_id, view=DETAILS))

    assert answer["error"] == "not_found"


async def test_an_update_needs_the_current_hash_and_keeps_what_was_typed():
    async with talk() as (slack, bot):
        bot.modal = {**MODAL, "external_id": "job-7"}
        opened = await open_modal(slack)
        updated = await bot.client.views_update(
            view_id=opened.id, hash=opened.hash, view={**bot.modal, "title": plain("New")}
        )
        stale = await refusal_of(
            bot.client.views_update(view_id=opened.id, hash=opened.hash, view=bot.modal)
        )
        by_name = await bot.client.views_update(external_id="job-7", view=bot.modal)
        await slack.close_view(VIEWER)
        gone = await refusal_of(bot.client.views_update(view_id=opened.id, view=MODAL))

    assert updated["view"]["title"]["text"] == "New"
    assert by_name["view"]["id"] == opened.id
    assert (stale["error"], gone["error"]) == ("hash_conflict", "not_found")
    assert slack.breaches == []


async def test_an_external_id_is_there_once():
    async with talk() as (slack, bot):
        bot.modal = {**MODAL, "external_id": "job-7"}
        await open_modal(slack)
        trigger_id = slack._modals.issue_trigger(OPERATOR)
        answer = await refusal_of(bot.client.views_open(trigger_id=trigger_id, view=bot.modal))

    assert answer["error"] == "duplicate_external_id"


async def test_a_modal_that_slack_would_not_take_is_refused_with_the_place():
    async with talk() as (slack, bot):
        trigger_id = slack._modals.issue_trigger(VIEWER)
        bad = {**MODAL, "submit": None}
        answer = await refusal_of(bot.client.views_open(trigger_id=trigger_id, view=bad))
        good = await bot.client.views_open(trigger_id=trigger_id, view=MODAL)

    assert answer["error"] == "invalid_arguments"
    assert answer["response_metadata"]["messages"] == [
        "[ERROR] submit is required when there are input blocks [json-pointer:/view/submit]"
    ]
    assert good["ok"]
    assert [breach.kind for breach in slack.breaches] == ["invalid_arguments"]


async def test_only_what_a_user_could_do_in_a_modal_is_done():
    async with talk() as (slack, bot):
        for act in (slack.submit_view, slack.close_view):
            with pytest.raises(ControlError, match="U0VIEWER has no modal open"):
                await act(VIEWER)
        await open_modal(slack)
        refused = [
            (slack.submit_view(VIEWER), "'Why' must be filled in"),
            (slack.submit_view(VIEWER, {"who": "x"}), "no input 'who'; it has: reason_text"),
            (slack.submit_view(VIEWER, {"reason": "x" * 21}), "takes 0 to 20 characters, not 21"),
            (slack.click_in_view(VIEWER, "Undo"), "there is no button 'Undo'; there are: More"),
        ]
        for act, sentence in refused:
            with pytest.raises(ControlError, match=sentence):
                await act
        await slack.click_in_view(VIEWER, "more")
        await slack.wait_for_view(VIEWER, lambda view: view.depth == 2, timeout=30)
        with pytest.raises(ControlError, match="'Job 7' has no submit button"):
            await slack.submit_view(VIEWER)

    assert [body["type"] for body in bot.got[1:]] == ["block_actions"]


async def test_modals_can_be_driven_from_another_process():
    async with talk() as (slack, bot), LocalSlackControl(slack.url) as control:
        bot.modal = {**MODAL, "notify_on_close": True}
        assert await control.view(VIEWER) is None
        await control.command(VIEWER, OPS, "/jobs")
        view = await control.wait_for_view(VIEWER, lambda view: view.submit == "Retry", 30)
        assert view == slack.view(VIEWER) == await control.view(VIEWER)
        await control.click_in_view(VIEWER, "More")
        await control.wait_for_view(VIEWER, lambda view: view.title == "Job 7", 30)
        assert await control.close_view(VIEWER) is None
        bot.answer = {"response_action": "errors", "errors": {"reason": "no"}}
        assert (await control.submit_view(VIEWER, {"reason": "x"})).acked
        assert (await control.view(VIEWER)).errors == {"reason": "no"}
        assert (await control.close_view(VIEWER)).acked
        with pytest.raises(TimeoutError, match=r"no such view within 0\.01 s; there was: nothing"):
            await control.wait_for_view(VIEWER, timeout=0.01)
