"""What Slack said last is kept: reasons, pauses, and what was wrong with a request."""

import re

import pytest
from tests.acceptance.test_bot_http import COMMAND
from tests.acceptance.test_bot_socket_mode import open_link
from tests.support.bots import bot_settings, no_sleep, open_bot, open_slack
from tests.support.processes import ROOT
from tests.support.waiting import until

from chatbot.setup.slack_checks import check_slack
from chatbot.slack.client import SlackClient
from chatbot.slack.errors import SlackUnavailable
from chatbot.slack.pacing import NotBefore
from chatbot.slack.refusals import compare_clocks
from local_slack.sample import OPS


def check_explained(*words):
    """What the log says has a row in the set-up guide, in the runbook and in the list of events."""
    for page in ("how-to/set-up-slack", "runbooks/job-queue", "reference/log-events"):
        lines = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8").split("\n")
        rows = [line for line in lines if line.startswith("|")]
        for word in words:
            named = (word, f"`{word.removeprefix('reason=')}`")  # where several stand in one row
            assert any(one in row for row in rows for one in named), (page, word)


@pytest.mark.parametrize("reason", ["link_disabled", "too_many_websockets"])
async def test_slack_s_reason_for_ending_the_connection_is_logged(pool, reason, caplog):
    async with open_bot(pool, mode="socket") as (slack, _):
        await slack.disconnect(reason)
        await until(lambda: "chatbot.connection_lost" in caplog.text)
        await slack.wait_for_connection()
    assert f"({reason})" in caplog.text
    check_explained(f"`{reason}`")
    assert "the connection broke" not in caplog.text


async def test_the_pause_that_slack_asks_for_comes_before_the_next_try_to_connect(pool):
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)
        await no_sleep(seconds)

    async with open_link(pool, sleep=sleep) as (slack, link):
        slack.set_fault("429", method="apps.connections.open", retry_after=120)
        await slack.disconnect("link_disabled")
        await until(lambda: "wait 120 s" in (link.problem or ""))
        await until(lambda: pauses)
        assert pauses[0] == 120
        # The link's sleep lasts no time here, so its own tries are held by what Slack said.
        await until(lambda: len(pauses) > 3)
        assert all(100 < pause <= 120 for pause in pauses)
        assert len(slack.calls("apps.connections.open")) == 2


async def test_a_new_reason_of_the_same_outage_is_logged_too(pool, caplog):
    async with open_bot(pool, mode="socket", sleep=no_sleep) as (slack, _):
        slack.set_fault("429", method="apps.connections.open", times=1, retry_after=31)
        slack.set_fault("500", method="apps.connections.open", times=3)
        await slack.disconnect("link_disabled")
        await until(lambda: caplog.text.count("chatbot.connection_lost") >= 2)
    assert "Slack asks to wait 31 s" in caplog.text


@pytest.mark.parametrize(
    ("method", "ask"),
    [
        ("usergroups.users.list", lambda web: web.list_group_members("S0OPERATORS")),
        ("auth.test", lambda web: web.auth_test()),
    ],
)
async def test_a_pause_that_slack_asked_for_outlives_the_call_that_gave_up(method, ask):
    async with open_slack() as slack:
        seconds = [1_000.0]
        not_before = NotBefore(lambda: seconds[0])

        def connect():
            return SlackClient(bot_settings(slack), sleep=no_sleep, not_before=not_before)

        first, second = connect(), connect()
        slack.set_fault("429", method=method, retry_after=120)
        with pytest.raises(SlackUnavailable, match="asks to wait 120 s") as caught:
            await ask(first.web)
        assert caught.value.pause == 120
        for client in (first, second):
            with pytest.raises(SlackUnavailable, match="asks to wait 120 s more"):
                await ask(client.web)
            # Other methods are not held.
            assert (await client.web.get_channel(OPS))["id"] == OPS
        seconds[0] += 121
        assert await ask(second.web)
        assert len(slack.calls(method)) == 2
        for client in (first, second):
            await client.close()


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({"age": 365.0}, "reason=stale by=36"),
        ({"age": -361.0}, "reason=stale by=-36"),
        ({"secret": "of another app"}, "reason=forged: SLACK_SIGNING_SECRET is of another app"),
    ],
)
async def test_a_wrong_clock_and_a_changed_body_leave_one_clear_line(pool, sent, says, caplog):
    async with open_bot(pool) as (slack, _):
        assert (await slack.post_raw(COMMAND, **sent)).status == 401
    lines = [one for one in caplog.messages if "chatbot.request_refused" in one]
    assert len(lines) == 1
    assert says in lines[0]
    check_explained(*re.findall(r"reason=\w+", lines[0]))


async def test_a_wrong_path_leaves_one_clear_line(pool, caplog):
    async with open_bot(pool) as (slack, _):
        right = slack._delivery.request_url
        slack.set_request_url(right.replace("/slack/events", "/slack/command\u202e"))
        assert (await slack.post_raw(COMMAND)).status == 404
    assert "reason=wrong_path path=/slack/command" in caplog.text
    check_explained("reason=wrong_path")
    assert "\u202e" not in caplog.text


def test_the_clock_is_compared_with_slack_s_date():
    date = "Thu, 26 Nov 2026 20:00:00 GMT"
    assert compare_clocks(date, 1795723200.0 + 361) == 361
    assert compare_clocks(None, 0.0) is None
    assert compare_clocks("soon", 0.0) is None


@pytest.mark.parametrize(("ahead", "level"), [(5, "ok"), (-90, "warning"), (361, "error")])
async def test_doctor_tells_how_far_the_clock_is_off(ahead, level, monkeypatch):
    async with open_slack() as slack:
        settings = bot_settings(slack)
        client = SlackClient(settings)
        monkeypatch.setattr("chatbot.slack.web_api.compare_clocks", lambda *_: float(ahead))
        found = await check_slack(settings, client.web)
        await client.close()
    assert [one.level for one in found if one.check == "slack_clock"] == [level]
