"""What the page itself does: texts exact, blocks named, forms, lost connections, many messages."""

import contextlib
import logging
from dataclasses import replace

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import expect
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from tests.support.draw import all_drawn
from tests.support.keys import Keys

from local_slack import ControlError, Limits, Page, Panel, Step, Switch, serve
from local_slack.blocks import check_blocks
from local_slack.config import Channel, User
from local_slack.messages import Message
from local_slack.sample import ADMIN, BOT, OPERATOR, OPS, RANDOM, VIEWER, build_sample_config

pytestmark = pytest.mark.asyncio(loop_scope="session")
CONFIG = build_sample_config(mode="socket")


@pytest_asyncio.fixture(loop_scope="session")
async def slack():
    """A local Slack without an app."""
    async with serve(CONFIG, say=print) as running:
        yield running


def post(slack, blocks, **fields):
    """A message of the bot; blocks that Slack would refuse are posted as they are."""
    workspace = slack._workspace
    message = Message(workspace.next_ts(), OPS, BOT, "plain text", blocks, **fields)
    return workspace.add(message)


def rich(*elements, kind="rich_text_section"):
    return {
        "type": "rich_text",
        "block_id": "b",
        "elements": [{"type": kind, "elements": elements}],
    }


def plain(text):
    return {"type": "plain_text", "text": text}


def last(tab):
    return tab.locator(".message").last


NASTY = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "12:30:45 and __init__.py and snake_case_name and :nosuch: and *",
    "# not a heading",
    "a  b\n   c",
    "\u05e9\u05dc\u05d5\u05dd (123) \u0645\u0631\u062d\u0628\u0627",
    "&lt;b&gt; &amp;amp; 5 < 6 && 7 > 6",
]


async def test_texts_are_exact_wherever_they_stand(slack, visit):
    tab = await visit(slack.page_url)
    for text in NASTY:
        for kind in ("rich_text_section", "rich_text_preformatted"):
            post(slack, [rich({"type": "text", "text": text}, kind=kind)])
            shown = last(tab).locator(".rich > *")
            await expect(shown).to_have_js_property("textContent", text)
        cell = {"type": "raw_text", "text": text}
        post(slack, [{"type": "table", "block_id": "t", "rows": [[cell], [cell]]}])
        await expect(last(tab).locator("td")).to_have_js_property("textContent", text)
        button = {"type": "button", "action_id": "a", "text": plain(text)}
        post(slack, [{"type": "actions", "block_id": "t", "elements": [button]}])
        await expect(last(tab).locator(".button")).to_have_js_property("textContent", text)
    for text, shown in {
        "12:30:45 __init__ a_b_c &lt;img onerror=1&gt; &amp;lt;": (
            "12:30:45 __init__ a_b_c <img onerror=1> &lt;"
        ),
        "*bold* _it_ ~no~ `&lt;b&gt;` :tada: :nosuch:": "bold it no <b> 🎉 :nosuch:",
        '`a`: `b`; "`c`" ‘`d`’ `e`:`f`': 'a: b; "c" ‘d’ e:f',
        "at <!date^4102444800^{date_num}|-> <!date^1^{date_pretty}|->": "at 2100-01-01 Jan 1, 1970",
        "<@U0OTHER> <@U0VIEWER> <#C0OPS> <!subteam^S0ADMINS> <!here>": (
            "@U0OTHER @vera #ops @admins @here"
        ),
        "<!date^1795731395^{date_num} {time}|then> <!date^1^{nosuch}|then>": (
            "2026-11-26 11:16 PM then"
        ),
        "<https://e.example/?a=1&amp;b=2|link> <javascript:alert(1)|no>": (
            "link <javascript:alert(1)|no>"
        ),
    }.items():
        block = {"type": "section", "block_id": "s", "text": {"type": "mrkdwn", "text": text}}
        post(slack, [block])
        paragraph = last(tab).locator(".paragraph")
        await expect(paragraph).to_have_js_property("textContent", shown)
    assert await tab.locator("img, .message script").count() == 0
    assert await tab.locator("a[href^='https://e.example/?a=1&b=2']").count() == 1


NO_FRAME = """
window.requestAnimationFrame = () => 0;
const wait = window.setTimeout;
window.setTimeout = (work, ms, ...more) => ms > 1000 ? wait(work, ms, ...more) : 0;
"""
"""A tab in the background, or a machine so busy that no frame is drawn for long."""


async def test_what_comes_before_the_first_frame_is_drawn(slack, visit):
    post(slack, [rich({"type": "text", "text": "three jobs failed"})])
    tab = await visit(slack.page_url, script=NO_FRAME)
    await expect(last(tab)).to_contain_text("three jobs failed")


async def test_what_the_page_cannot_draw_is_named_and_the_rest_of_the_message_is_there(
    slack, visit
):
    tab = await visit(slack.page_url)
    number = {"type": "raw_number", "value": 7, "text": "7.0"}
    rows = [[{"type": "raw_text", "text": "n"}], [number], [{"type": "video"}]]
    post(
        slack,
        [
            {"type": "table", "block_id": "1", "rows": rows},
            {"type": "carousel", "block_id": "2", "elements": []},
            {"type": "section", "block_id": "3"},
            {"type": "rich_text", "block_id": "4"},
            rich({"type": "hologram"}, {"type": "text", "text": "after"}),
            {"type": "markdown", "block_id": "7", "text": "**as** it was"},
            {**MODAL["blocks"][0], "label": plain("Why, in a message")},
            {**MODAL["blocks"][1], "dispatch_action": True, "element": MENU},
            {"type": "actions", "block_id": "5", "elements": [{"type": "workflow_button"}]},
            {
                "type": "data_visualization",
                "block_id": "6",
                "title": "t",
                "chart": {"type": "radar"},
            },
        ],
    )
    named = ["carousel", "rich_text", "hologram", "markdown", "plain_text_input"]
    named += ["workflow_button", "radar", "video"]
    await expect(last(tab).locator(".unknown")).to_have_text(
        [f"Slack would show a {one} here" for one in named]
    )
    await expect(last(tab).locator("td").first).to_have_text("7.0")
    for text in ("after", "**as** it was", "Why, in a message"):
        await expect(last(tab)).to_contain_text(text)
    await expect(last(tab).get_by_label("Pick one")).to_be_visible()
    # What was edited is marked where Slack marks it: texts, not blocks.
    post(slack, [], edited_ts="1")
    await expect(last(tab)).to_contain_text("(edited)")
    post(slack, [rich({"type": "text", "text": "new"})], edited_ts="1")
    await expect(last(tab)).to_contain_text("new")
    await expect(last(tab)).not_to_contain_text("(edited)")


@pytest.mark.parametrize("dark", [False, True])
async def test_every_message_of_the_product_fits_a_desk_and_a_phone(slack, visit, dark):
    for one in all_drawn():
        if one.blocks:
            post(slack, check_blocks(one.blocks), ephemeral_to=VIEWER if one.private else None)
    post(slack, [rich({"type": "text", "text": "x" * 3_000})])
    for digits in range(1, 12):
        command = f"`{' '.join(['4' * digits] * 30)}`"
        post(slack, [{"type": "context", "elements": [{"type": "mrkdwn", "text": command}]}])
        printed = f"/jobs retry {'4' * digits} --all E-e310 --since 1d1h --reset-attempts --dry-run"
        for kind in ("mrkdwn", "plain_text"):
            text = f"`{printed}`" if kind == "mrkdwn" else printed
            post(slack, [{"type": "context", "elements": [{"type": kind, "text": text}]}])
    tab = await visit(slack.page_url, dark=dark)
    await tab.get_by_role("button", name="Inspector").click()
    for width in (1280, 390):
        await tab.set_viewport_size({"width": width, "height": 844})
        await expect(tab.locator(".message").first).to_be_attached()
        assert await tab.evaluate(
            "[document.documentElement, ...document.querySelectorAll('.messages, .pane, .body')]"
            ".filter(node => node.scrollWidth > node.clientWidth + 1).length"
        ) == 0  # fmt: skip
        if width == 390:
            await tab.get_by_role("button", name="Close the inspector").click()
        await expect(tab.locator(".whole").last).to_be_visible()
        assert await tab.evaluate(  # each line of a command that is wrapped stays in its place
            "[...document.querySelectorAll('.message code')].filter(node => [...node"
            ".getClientRects()].some(one => one.right"
            " > node.closest('.context, .rich').getBoundingClientRect().right + 2)).length"
        ) == 0  # fmt: skip
        # No line ends within an option or a name, and what is copied is what was printed.
        assert await tab.evaluate(
            "[...document.querySelectorAll('.whole')].map(node => node.getClientRects().length)"
            ".reduce((most, lines) => Math.max(most, lines), 0)"
        ) == 1  # fmt: skip
        shown = await tab.locator(".context").all_inner_texts()
        assert shown.count(printed) == 2
        if width == 390:
            await tab.get_by_role("button", name="Channels").click()
            await expect(tab.get_by_role("button", name="random")).to_be_in_viewport()
            await tab.keyboard.press("Escape")
            await expect(tab.get_by_role("button", name="random")).to_be_hidden()
    assert await tab.locator(".unknown").count() == 0


async def test_a_lost_connection_is_told_and_what_was_missed_is_there_when_it_is_back(visit):
    page = Page()
    async with serve(CONFIG, page, say=print) as slack:
        slack.post_as_user(VIEWER, OPS, "before")
        port = int(slack.url.rpartition(":")[2])
        tab = await visit(slack.page_url, VIEWER, offline=True)
        await expect(last(tab)).to_contain_text("before")
    await expect(tab.get_by_role("alert").first).to_contain_text("is lost. Trying again")
    composer = tab.get_by_label("Message #ops")
    await composer.fill("unsent")
    await composer.press("Enter")
    await expect(tab.locator(".said")).to_have_text("There is no connection; nothing was sent.")
    await expect(composer).to_have_value("unsent")
    async with serve(CONFIG, page, port=port, say=print) as slack:
        slack.post_as_user(VIEWER, OPS, "missed")
        await expect(last(tab)).to_contain_text("missed")
        await expect(tab.locator(".lost")).to_have_count(0)
        await composer.press("Enter")
        await expect(last(tab)).to_contain_text("unsent")
    async with serve(CONFIG, Page(), port=port, say=print):
        await expect(tab.locator(".lost")).to_contain_text("Open the URL that the terminal printed")


async def test_of_ten_thousand_messages_the_newest_are_drawn_and_older_ones_on_demand(slack, visit):
    for number in range(10_000):
        slack._workspace.add(Message(slack._workspace.next_ts(), OPS, VIEWER, f"message {number}"))
    tab = await visit(slack.page_url, VIEWER)
    messages = tab.locator(".message")
    await expect(messages).to_have_count(150)
    await expect(messages.last).to_be_in_viewport()
    await expect(messages.last).to_contain_text("message 9999")
    await tab.get_by_role("button", name="Show older messages").click()
    await expect(messages).to_have_count(300)
    # What was in sight stays in sight, and what comes in below is offered.
    await expect(messages.nth(150)).to_be_in_viewport()
    slack.post_as_user(OPERATOR, OPS, "the newest")
    await tab.get_by_role("button", name="New messages").click()
    await expect(messages.last).to_be_in_viewport()
    for number in range(20):
        slack.post_as_user(OPERATOR, OPS, f"drop {number}")
    await expect(messages.last).to_contain_text("drop 19")
    assert await messages.count() < 300
    for number in range(1_000):
        slack.post_as_user(OPERATOR, OPS, f"flood {number}")
    await expect(messages.last).to_contain_text("flood 999")
    await expect(messages).to_have_count(150)
    slack.post_as_user(OPERATOR, RANDOM, "elsewhere")
    await expect(tab.get_by_role("button", name="random")).to_contain_text("1")


MODAL = {
    "type": "modal",
    "callback_id": "form",
    "notify_on_close": True,
    "title": plain("Silence a queue"),
    "submit": plain("Silence"),
    "blocks": [
        {
            "type": "input",
            "block_id": "why",
            "label": plain("Why"),
            "element": {"type": "plain_text_input", "action_id": "why", "min_length": 3},
        },
        {
            "type": "input",
            "block_id": "queue",
            "label": plain("Queue"),
            "element": {
                "type": "static_select",
                "action_id": "queue",
                "options": [{"text": plain(one), "value": one} for one in ("email", "webhook")],
            },
        },
        {
            "type": "input",
            "block_id": "how",
            "label": plain("How"),
            "optional": True,
            "element": {
                "type": "checkboxes",
                "action_id": "how",
                "options": [{"text": plain(one), "value": one} for one in ("quietly", "now")],
            },
        },
    ],
}
DONE = {**MODAL, "title": plain("Sure?"), "blocks": [{"type": "divider"}], "submit": plain("Yes")}
MENU = {
    "type": "static_select",
    "action_id": "menu",
    "placeholder": plain("Pick one"),
    "options": [{"text": plain(one), "value": one} for one in ("red", "green")],
}
SURE = {
    "type": "button",
    "action_id": "wipe",
    "text": plain("Wipe"),
    "style": "danger",
    "confirm": {
        "title": plain("Wipe all?"),
        "text": plain("This cannot be undone."),
        "confirm": plain("Wipe all"),
        "deny": plain("Not now"),
        "style": "danger",
    },
}


@contextlib.asynccontextmanager
async def form_app(slack):
    """A Bolt app that opens `MODAL` on a command, refuses the first submit, and notes all."""
    got = []
    client = AsyncWebClient(CONFIG.app.bot_token, base_url=slack.api_url)
    app = AsyncApp(client=client, signing_secret="x", logger=logging.getLogger("form"))

    @app.command("/jobs")
    async def on_command(ack, body):
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=MODAL)

    @app.action("menu")
    @app.action("wipe")
    async def on_action(ack, body):
        await ack()
        action = body["actions"][0]
        got.append((action["action_id"], action.get("selected_option", {}).get("value")))

    @app.view("form")
    async def on_submit(ack, body):
        values = body["view"]["state"]["values"]
        got.append(values)
        if not values:
            await ack(response_action="clear")
        elif values["why"]["why"]["value"] == "because":
            await ack(response_action="errors", errors={"why": "Say more."})
        else:
            await ack(response_action="push", view=DONE)

    @app.view_closed("form")
    async def on_close(ack):
        got.append("closed")
        await ack()

    handler = AsyncSocketModeHandler(app, CONFIG.app.app_token, web_client=client)
    await handler.connect_async()
    try:
        await slack.wait_for_connection(30)
        yield got
    finally:
        await handler.close_async()


async def test_with_the_keyboard_alone_forms_menus_confirmations_and_the_inspector(slack, visit):
    async with form_app(slack) as got:
        tab = await visit(slack.page_url, ADMIN)
        keys = Keys(tab)
        inspect = tab.get_by_role("button", name="Inspector")
        await keys.to(inspect)
        await keys.press("Enter")
        post(slack, [{"type": "actions", "block_id": "a", "elements": [MENU, SURE]}])
        await keys.choose(last(tab).get_by_label("Pick one"), "gr")
        wipe = last(tab).get_by_role("button", name="Wipe")
        await keys.to(wipe)
        await keys.press("Enter")
        dialog = tab.get_by_role("dialog")
        await expect(dialog.get_by_role("button", name="Not now")).to_be_focused()
        await keys.press("Enter")
        await expect(wipe).to_be_focused()
        await keys.press("Space")
        await keys.to(dialog.get_by_role("button", name="Wipe all"))
        await keys.press("Enter")
        await expect(dialog).to_have_count(0)

        composer = tab.get_by_label("Message #ops")
        await keys.to(composer)
        await keys.type("/jobs form")
        await keys.press("Enter")
        submit = dialog.get_by_role("button", name="Silence")
        await expect(submit).to_be_visible()
        await keys.to(submit)
        await keys.press("Enter")
        await expect(dialog.locator(".error")).to_have_text(
            ["Please complete this required field."] * 2
        )
        why = dialog.get_by_label("Why")
        await keys.to(why)
        await keys.type("because")
        await keys.choose(dialog.get_by_label("Queue"), "web")
        await keys.to(dialog.get_by_label("now"))
        await keys.press("Space")
        await keys.to(why)
        await keys.press("Enter")  # as in any form
        await expect(dialog.locator(".error")).to_have_text("Say more.")
        await expect(why).to_have_value("because")
        await expect(why).to_be_focused()
        await keys.press("Control+A")
        await keys.type("it floods the log")
        await keys.to(submit)
        await keys.press("Space")
        await expect(dialog.get_by_role("heading")).to_have_text("Sure?")
        await keys.press("Escape")
        await expect(dialog.get_by_role("heading")).to_have_text("Silence a queue")
        await keys.to(submit)
        await keys.press("Enter")
        await expect(dialog.get_by_role("heading")).to_have_text("Sure?")
        await keys.to(dialog.get_by_role("button", name="Yes"))
        await keys.press("Enter")
        await expect(dialog).to_have_count(0)
        await expect(composer).to_be_focused()

        first, second = got[:2]
        assert (first, second) == (("menu", "green"), ("wipe", None))
        assert got[2]["how"]["how"]["selected_options"][0]["value"] == "now"
        assert got[3]["why"]["why"]["value"] == "it floods the log"
        assert got[4:] == ["closed", got[3], {}]
        inspector = tab.get_by_label("Inspector", exact=True)
        await expect(inspector).to_contain_text("No breach of Slack's rules.")
        for shown in ("press green", "press Wipe", "/jobs form", "acked in", "views.open"):
            await expect(inspector).to_contain_text(shown)
        await keys.to(inspector.locator(".entry", has_text="views.open").locator("summary"))
        await keys.press("Enter")
        await expect(inspector).to_contain_text('"callback_id": "form"')
        await keys.back_to(inspector.get_by_role("button", name="Close the inspector"))
        await keys.press("Enter")
        await expect(inspector).to_have_count(0)

        # Another channel, and another person.
        await keys.to(tab.get_by_role("button", name="partners"))
        await keys.press("Enter")
        await expect(tab.get_by_role("heading", level=1)).to_contain_text("#partners")
        act_as = tab.get_by_label("Act as")
        await keys.choose(act_as, "vera")
        await expect(act_as).to_have_value(VIEWER)
        await expect(act_as).to_be_focused()
        await tab.set_viewport_size({"width": 390, "height": 844})
        await keys.back_to(tab.get_by_role("button", name="Channels"))
        await keys.press("Enter")
        await keys.to(tab.get_by_role("button", name="ops"))
        await keys.press("Enter")
        await expect(tab.get_by_role("heading", level=1)).to_have_text("#ops")
        await keys.to(composer)
    assert slack.breaches == []


async def test_the_inspector_shows_a_breach_a_late_acknowledgement_and_a_429(visit):
    limited = replace(CONFIG, limits=Limits(ack_seconds=0.2))
    async with serve(limited, say=print) as slack, aiohttp.ClientSession() as session:
        client = AsyncWebClient(CONFIG.app.bot_token, base_url=slack.api_url)
        tab = await visit(slack.page_url, OPERATOR, offline=True)
        await tab.get_by_role("button", name="Inspector").click()
        inspector = tab.get_by_label("Inspector", exact=True)
        bad = inspector.locator(".entry.bad summary")

        opened = await client.apps_connections_open(app_token=CONFIG.app.app_token)
        async with session.ws_connect(opened["url"]):  # it takes the command and says nothing
            await slack.wait_for_connection(30)
            await tab.get_by_label("Message #ops").fill("/jobs stats")
            await tab.keyboard.press("Enter")
            await expect(bad.filter(has_text="/jobs stats")).to_contain_text("operation_timeout")
            await expect(bad.filter(has_text="late_ack")).to_contain_text("within 0.2 s")
            await expect(inspector).to_contain_text("1 breach of Slack's rules.")

        with contextlib.suppress(SlackApiError):
            await client.chat_postMessage(channel=OPS, text="x", blocks=[{"type": "divider"}] * 51)
        await expect(bad.filter(has_text="⚠")).to_contain_text(["within 0.2 s", "chat.postMessage"])
        await expect(inspector).to_contain_text("2 breaches of Slack's rules.")
        slack.set_fault("429", method="chat.update", retry_after=7)
        with contextlib.suppress(SlackApiError):
            await client.chat_update(channel=OPS, ts="1.000001", text="x")
        await expect(bad.filter(has_text="chat.update")).to_contain_text("HTTP 429")
        await expect(inspector).to_contain_text("2 breaches of Slack's rules.")


async def test_a_bot_that_is_gone_a_wrong_command_and_a_thread(slack, visit):
    tab = await visit(slack.page_url, VIEWER)
    composer = tab.get_by_label("Message #ops")
    await composer.fill("/jbos stats")
    await composer.press("Enter")
    await expect(tab.locator(".said")).to_contain_text("/jbos is not a valid command")
    await expect(composer).to_have_value("/jbos stats")
    await composer.fill("/jobs stats")
    await composer.press("Enter")
    await expect(last(tab)).to_contain_text('/jobs failed with the error "dispatch_failed"')
    await expect(last(tab)).to_contain_text("Slackbot")

    root = slack.post_as_user(OPERATOR, OPS, "a question")
    slack.post_as_user(VIEWER, OPS, "an answer", thread_ts=root.ts)
    await expect(last(tab)).to_contain_text("a question")
    await last(tab).get_by_role("button", name="1 reply").click()
    thread = tab.get_by_label("Thread", exact=True)
    await expect(thread.locator(".message")).to_have_count(2)
    await thread.get_by_label("Reply").fill("/jobs stats")
    await thread.get_by_label("Reply").press("Enter")
    await expect(thread).to_contain_text("/jobs is not supported in threads. Sorry!")
    await thread.get_by_label("Reply").fill("thanks")
    await thread.get_by_label("Reply").press("Enter")
    await expect(thread.locator(".message").last).to_contain_text("thanks")
    await expect(last(tab.locator(".messages"))).to_contain_text("2 replies")

    # Messages with the bot can be written from the first visit on.
    places = tab.get_by_role("navigation", name="Channels")
    await places.locator(".place", has_text="jobs").click()
    await tab.get_by_label("Message jobs").fill("hello")
    await tab.get_by_label("Message jobs").press("Enter")
    await expect(last(tab.locator(".messages"))).to_contain_text("hello")
    # A channel that is archived or deleted meanwhile is seen at once as well.
    slack.set_archived(OPS)
    await places.get_by_role("button", name="# ops").click()
    await expect(tab.locator(".archived")).to_be_visible()
    slack.delete_channel(OPS)
    await expect(places.get_by_role("button", name="# ops")).to_have_count(0)


async def test_the_guide_offers_commands_tells_what_happened_and_has_switches(visit):
    async def break_it(on):
        if not on:
            raise ControlError("It cannot be mended.")
        panel.tell("A deploy broke `webhook`. Ask `/jobs errors`.", user=OPERATOR)

    panel = Panel(
        "A day in minutes",
        steps=[
            Step("Look", "Send `/jobs stats`, not `jobs`.", VIEWER),
            Step("Stop it", "Press *Stop*.", ADMIN),
        ],
        end="Go on with `README.md`.",
        switches=[
            Switch("`webhook` is broken", "A deploy.", break_it),
            Switch("Kill a worker", "In the middle of a job.", break_it, on=None),
        ],
    )
    async with serve(CONFIG, Page(panel=panel), say=print) as slack:
        tab = await visit(slack.page_url, OPERATOR, offline=True)
        phone = await visit(slack.page_url, VIEWER, width=390, dark=True, offline=True)
        guide = tab.get_by_label("A day in minutes")
        await expect(guide.locator("details[open] .title")).to_have_text("Look")
        await expect(guide.locator(".try")).to_have_text(["/jobs stats"])
        await expect(guide.locator(".tag")).to_have_text(["as vera", "as ada"])
        # A command is put into the composer, as the person whose step it is.
        await guide.get_by_role("button", name="/jobs stats").click()
        composer = tab.get_by_label("Message #ops")
        await expect(composer).to_have_value("/jobs stats")
        await expect(composer).to_be_focused()
        await expect(tab.get_by_label("Act as")).to_have_value(VIEWER)
        await expect(guide.locator(".tag")).to_have_text(["as ada"])
        panel.finish(panel.steps[0])
        await expect(guide.locator("details[open] .title")).to_have_text("Stop it")
        await expect(guide.get_by_role("img", name="done")).to_have_count(1)

        opener = phone.get_by_role("button", name="Guide")
        await expect(opener.get_by_role("img")).to_have_count(0)
        # Where the guide is closed and nothing was said yet, the page points to it.
        await expect(phone.locator(".begin")).to_contain_text("Press Guide above")
        await expect(tab.locator(".begin")).not_to_contain_text("Guide")
        switch = guide.get_by_role("switch", name="webhook is broken")
        await switch.focus()
        await tab.keyboard.press("Space")
        await expect(switch).to_be_checked()
        await expect(guide.locator(".happened code")).to_have_text("webhook")
        await switch.click()
        await expect(guide.get_by_role("alert")).to_have_text("It cannot be mended.")
        await expect(switch).to_be_checked()
        button = guide.get_by_role("button", name="Kill a worker")
        await expect(button).to_have_text("Kill")
        await expect(guide.locator(".switch b")).to_have_text(
            ["webhook is broken", "Kill a worker"]
        )
        await button.click()
        await expect(guide.get_by_text("Earlier (1)")).to_be_visible()

        # On a phone the guide covers the messages until a command is taken.
        await expect(opener.get_by_role("img", name="something happened")).to_be_visible()
        await opener.click()
        assert await phone.evaluate(
            "[document.documentElement, ...document.querySelectorAll('.bar, .pane, .scroll')]"
            ".filter(node => node.scrollWidth > node.clientWidth + 1).length"
        ) == 0  # fmt: skip
        await phone.get_by_role("button", name="/jobs errors").click()
        await expect(phone.get_by_label("Message #ops")).to_have_value("/jobs errors")
        await expect(phone.get_by_label("Act as")).to_have_value(OPERATOR)
        await expect(opener.get_by_role("img")).to_have_count(0)

        # Another pane takes its place, and gives it back.
        await tab.get_by_role("button", name="Inspector").click()
        await expect(guide).to_have_count(0)
        await tab.get_by_role("button", name="Close the inspector").click()
        await guide.get_by_role("button", name="Close the guide").click()
        await expect(guide).to_have_count(0)
        await tab.get_by_role("button", name="Guide").click()
        await expect(guide).to_be_visible()

        # When all is tried it says how to go on.
        await expect(guide.locator(".end")).to_have_count(0)
        panel.finish(panel.steps[1])
        await expect(guide.locator(".end")).to_have_text("Go on with README.md.")
        await expect(guide.locator(".tag")).to_have_count(0)

        # A window that gets narrow shows the messages, and one that gets wide the guide as well.
        await tab.set_viewport_size({"width": 390, "height": 844})
        await expect(guide).to_have_count(0)
        await expect(composer).to_be_visible()
        await tab.set_viewport_size({"width": 1280, "height": 900})
        await expect(guide).to_be_visible()


@pytest.mark.parametrize("size", [(1280, 720), (1280, 900), (1280, 1080), (390, 844)])
async def test_what_a_switch_did_is_seen_without_scrolling(visit, size):
    async def break_it(on):
        if not on:
            raise ControlError("It cannot be mended.")
        panel.tell("It is broken. " * 30)

    panel = Panel(
        "A day in minutes",
        steps=[Step(f"Step {i}", "Do it. " * 40, VIEWER) for i in range(15)],
        switches=[Switch(f"Part {i}", "It breaks. " * 5, break_it) for i in range(8)],
    )
    async with serve(CONFIG, Page(panel=panel), say=print) as slack:
        tab = await visit(slack.page_url, VIEWER, width=size[0], offline=True)
        await tab.set_viewport_size({"width": size[0], "height": size[1]})
        if size[0] < 720:
            await tab.get_by_role("button", name="Guide").click()
        guide = tab.get_by_label("A day in minutes")
        switch = guide.get_by_role("switch", name="Part 7")
        await switch.click()
        await expect(guide.locator(".happened p")).to_be_in_viewport(ratio=1)
        await switch.click()
        await expect(guide.get_by_role("alert")).to_be_in_viewport(ratio=1)
        await expect(switch).to_be_in_viewport(ratio=1)
        # Whoever reads what was earlier is shown what is new, too.
        for _ in range(5):
            panel.tell("It is broken. " * 30)
        await guide.get_by_text("Earlier (5)").click()
        await guide.locator(".earlier .event").last.scroll_into_view_if_needed()
        panel.tell("Something new.")
        await expect(guide.get_by_text("Something new.")).to_be_in_viewport(ratio=1)


async def test_the_composer_says_in_one_line_how_a_command_goes_on_and_who_writes(visit):
    alone = replace(
        CONFIG, usergroups=(), users=(User(ADMIN, "ada"),),
        channels=(Channel(OPS, "ops", (ADMIN, BOT)),),
    )  # fmt: skip
    words = [
        {
            "name": "retry",
            "usage": "retry ID…|--all [QUEUE] [--task TEXT] [--since SPAN]",
            "about": "run failed jobs again, " * 20,
            "options": [{"name": "--since", "takes": "SPAN", "about": "how far back"}],
        }
    ]
    async with serve(CONFIG, Page(words=words), say=print) as slack:
        tab = await visit(slack.page_url, OPERATOR, offline=True)
        await tab.get_by_label("Message #ops").fill("/jobs retry")
        hint = tab.locator(".usage")
        await expect(hint).to_contain_text("retry ID…|--all [QUEUE] [--…]: run failed jobs again")
        for width in (1280, 390):
            await tab.set_viewport_size({"width": width, "height": 844})
            assert await hint.evaluate("node => node.getBoundingClientRect().height") < 30
        await tab.get_by_label("Message #ops").fill("/jobs retry --all --s")
        await expect(tab.locator(".offers li")).to_contain_text("how far back")
        await tab.set_viewport_size({"width": 1280, "height": 900})
        await tab.get_by_role("button", name="ada, gus").click()
        await expect(tab.get_by_role("heading", level=1)).to_have_text("ada, gus")
        await expect(tab.get_by_label("Act as")).to_be_visible()
    async with serve(alone, Page(), say=print) as slack:
        tab = await visit(slack.page_url, offline=True)
        await expect(tab.get_by_label("Message #ops")).to_be_visible()
        await expect(tab.get_by_label("Act as")).to_have_count(0)
