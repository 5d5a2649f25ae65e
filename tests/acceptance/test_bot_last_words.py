"""What Slack said last is kept: reasons, pauses, and what was wrong with a request."""

import pytest
from tests.acceptance.test_bot_http import COMMAND
from tests.support.bots import bot_settings, no_sleep, open_bot, open_slack
from tests.support.waiting import until

from chatbot.setup.slack_checks import check_slack
from chatbot.slack.client import SlackClient
from chatbot.slack.errors import SlackUnavailable
from chatbot.slack.pacing import NotBefore
from chatbot.slack.refusals import compare_clocks


@pytest.mark.parametrize("reason", ["link_disabled", "too_many_websockets"])
async def test_slack_s_reason_for_ending_the_connection_is_logged(pool, reason, caplog):
    async with open_bot(pool, mode="socket") as (slack, _):
        await slack.disconnect(reason)
        await until(lambda: "chatbot.connection_lost" in caplog.text)
        await slack.wait_for_connection()
    assert f"({reason})" in caplog.text
    assert "the connection broke" not in caplog.text


async def test_a_new_reason_of_the_same_outage_is_logged_too(pool, caplog):
    async with open_bot(pool, mode="socket", sleep=no_sleep) as (slack, _):
        slack.set_fault("429", method="apps.connections.open", times=1, retry_after=31)
        slack.set_fault("500", method="apps.connections.open", times=3)
        await slack.disconnect("link_disabled")
        await until(lambda: caplog.text.count("chatbot.connection_lost") >= 2)
    assert "Slack asks to wait 31 s" in caplog.text


async def test_a_pause_that_slack_asked_for_outlives_the_call_that_gave_up():
    async with open_slack() as slack:
        seconds = [1_000.0]
        not_before = NotBefore(lambda: seconds[0])

        def connect():
            return SlackClient(bot_settings(slack), sleep=no_sleep, not_before=not_before)

        first, second = connect(), connect()
        slack.set_fault("429", method="usergroups.users.list", retry_after=120)
        with pytest.raises(SlackUnavailable, match="asks to wait 120 s") as caught:
            await first.web.list_group_members("S0OPERATORS")
        assert caught.value.pause == 120
        for client in (first, second):
            with pytest.raises(SlackUnavailable, match="asks to wait 120 s more"):
                await client.web.list_group_members("S0OPERATORS")
            # Other methods are not held.
            assert (await client.web.auth_test()).team_id == "T0LOCAL"
        seconds[0] += 121
        assert await second.web.list_group_members("S0OPERATORS")
        assert len(slack.calls("usergroups.users.list")) == 2
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


async def test_a_wrong_path_leaves_one_clear_line(pool, caplog):
    async with open_bot(pool) as (slack, _):
        right = slack._delivery.request_url
        slack.set_request_url(right.replace("/slack/events", "/slack/command\u202e"))
        assert (await slack.post_raw(COMMAND)).status == 404
    assert "reason=wrong_path path=/slack/command" in caplog.text
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
