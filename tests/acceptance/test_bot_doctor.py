"""`jobs-chatbot doctor`: the core's findings and Slack's, as a real process on the local Slack."""

import asyncio
import json
import sys

import pytest
from tests.support.bots import bot_settings, open_slack
from tests.support.processes import Process, environment

from chatbot.setup.sample_messages import all_messages, all_views
from chatbot.setup.slack_checks import check_slack
from chatbot.setup.validation import validate_samples
from chatbot.slack.client import SlackClient
from local_slack.sample import (
    ADMIN,
    ALL_SCOPES,
    ARCHIVED,
    OPS,
    RANDOM,
    SECRET,
    SHARED,
    build_sample_config,
)

ROLES = {
    "viewer": {"users": ["*"]},
    "operator": [
        {"usergroups": ["S0OPERATORS"], "queues": ["email*"], "channels": [OPS]},
        {"users": ["U0VIEWER"], "queues": ["reports"]},
    ],
    "admin": {"users": [ADMIN]},
}


def digest(name, channel):
    return {"name": name, "channel": channel, "cron": "0 9 * * *"}


async def run(slack, database_url, *words, **settings):
    given = {
        "JOB_QUEUE_DATABASE_URL": database_url,
        "SLACK_API_URL": slack.api_url,
        "SLACK_BOT_TOKEN": "xoxb-local",
        "SLACK_SIGNING_SECRET": "local-signing-secret",
        "CHATBOT_ROLES": json.dumps(ROLES),
        **settings,
    }
    process = Process([sys.executable, "-m", "chatbot", "doctor", *words], environment(**given))
    try:
        code = await asyncio.to_thread(process.wait, 60)
        assert "Traceback" not in process.output, process.output
        for secret in ("xoxb-local", "xapp-local", "local-signing-secret"):
            assert secret not in process.output
        return code, process.output
    finally:
        process.close()


async def findings(app=None, team=None, **settings):
    """Slack's half alone: check → finding."""
    # It asks for what may not be granted: that is how it finds out.
    config = build_sample_config(team=team, **(app or {}))
    async with open_slack(config, provokes=["missing_scope"]) as slack:
        values = bot_settings(slack, **{"roles": json.dumps(ROLES), **settings})
        client = SlackClient(values)
        try:
            return {one.check: one for one in await check_slack(values, client.web)}
        finally:
            await client.close()


async def test_a_sound_set_up_has_the_cores_findings_slacks_and_the_roles(database_url):
    async with open_slack() as slack:
        code, text = await run(slack, database_url, COLUMNS="120")
        assert code == 0
        lines = text.splitlines()
        assert lines[0] == "Roles"
        assert lines[2].split() == ["admin", ADMIN, "–", "all", "all"]
        assert lines[3].split() == ["operator", "–", "S0OPERATORS", "(1)", "email*", OPS]
        assert lines[4].split() == ["operator", "U0VIEWER", "–", "reports", "all"]
        assert lines[5].split() == ["viewer", "*", "–", "all", "all"]
        assert "checks are fine." in lines[-1]
        assert "slack_" not in text
        assert slack.calls("chat.postMessage") == []
        assert slack.breaches == []


async def test_as_json_it_has_every_finding_and_the_roles(database_url):
    async with open_slack() as slack:
        code, text = await run(slack, database_url, "--json")
        found = json.loads(text)
        assert (code, found["kind"]) == (0, "doctor")
        checks = {one["check"]: one["level"] for one in found["findings"]}
        assert {"postgresql", "schema", "locks"} <= set(checks)
        for check in ("token", "mode", "roles", "scopes", f"channel:{OPS}", "group:S0OPERATORS"):
            assert checks[f"slack_{check}"] == "ok", check
        assert found["roles"][1] == {
            "role": "operator",
            "users": [],
            "usergroups": {"S0OPERATORS": 1},
            "queues": ["email*"],
            "channels": [OPS],
        }


@pytest.mark.parametrize(
    ("settings", "check", "sentence"),
    [
        ({"SLACK_BOT_TOKEN": ""}, "slack_token", "SLACK_BOT_TOKEN is not set"),
        ({"SLACK_BOT_TOKEN": "xoxb-wrong"}, "slack_token", "is not accepted by Slack"),
        ({"SLACK_API_URL": "http://127.0.0.1:1/api/"}, "slack_token", "Slack cannot be reached"),
        ({"SLACK_SIGNING_SECRET": ""}, "slack_mode", "neither SLACK_APP_TOKEN nor"),
        ({"SLACK_APP_TOKEN": "xapp-wrong"}, "slack_app_token", "is not accepted by Slack"),
        ({"JOB_QUEUE_DATABASE_URL": "postgresql://127.0.0.1:1/jobs"}, "postgresql", "127.0.0.1:1"),
        ({"JOB_QUEUE_DATABASE_URL": ""}, "postgresql", "JOB_QUEUE_DATABASE_URL is not set"),
    ],
)
async def test_half_of_the_set_up_missing_is_an_error_and_the_other_half_is_told(
    database_url, settings, check, sentence
):
    async with open_slack(provokes=["invalid_auth"]) as slack:
        code, text = await run(slack, database_url, "--json", **settings)
        assert code == 1
        found = {one["check"]: one for one in json.loads(text)["findings"]}
        assert found[check]["level"] == "error"
        assert sentence.lower() in found[check]["sentence"].lower()
        assert found[check]["fix"]
        other = "slack_roles" if check == "postgresql" else "schema"
        assert found[other]["level"] == "ok"


async def test_settings_that_make_no_sense_end_it_with_78(database_url):
    async with open_slack() as slack:
        code, text = await run(slack, database_url, CHATBOT_ROLES="{")
        assert code == 78
        assert text.startswith("jobs-chatbot: CHATBOT_ROLES: it is not valid JSON")


@pytest.mark.parametrize(
    ("missing", "level", "consequence"),
    [
        ("chat:write", "error", "these fail"),
        ("users:read", "error", "that grant applies to nobody"),
        ("usergroups:read", "error", "apply to nobody"),
        ("channels:read", "warning", "shown only to the asker"),
        ("groups:history", "note", "such a message is sent again and may appear twice"),
    ],
)
async def test_each_missing_scope_says_what_does_not_work_without_it(missing, level, consequence):
    left = tuple(scope for scope in ALL_SCOPES if scope != missing)
    found = await findings({"bot_scopes": left})
    one = found[f"slack_scope:{missing}"]
    assert one.level == level
    assert missing in one.sentence
    assert consequence in one.sentence
    assert "reinstall the app" in one.fix
    assert [check for check in found if check.startswith("slack_scope")] == [one.check]


async def test_a_scope_that_no_setting_needs_is_a_note_when_it_is_missing():
    left = tuple(scope for scope in ALL_SCOPES if scope not in {"users:read", "usergroups:read"})
    found = await findings({"bot_scopes": left}, roles=json.dumps({"admin": {"users": [ADMIN]}}))
    assert found["slack_scope:users:read"].level == "note"
    assert found["slack_scope:usergroups:read"].level == "note"


@pytest.mark.parametrize(
    ("channel", "level", "sentence"),
    [
        (OPS, "ok", "#ops"),
        (RANDOM, "error", "The bot is not in C0RANDOM (#random"),
        (SHARED, "error", "shared with another organisation: nothing is posted there"),
        (ARCHIVED, "error", "is archived"),
        (SECRET, "error", "channel_not_found"),
        ("C0NOWHERE", "error", "channel_not_found"),
    ],
)
async def test_a_channel_that_the_bot_has_to_post_in_is_looked_at(channel, level, sentence):
    found = await findings(digests=json.dumps([digest("daily", channel)]))
    one = found[f"slack_channel:{channel}"]
    assert one.level == level
    assert sentence in one.sentence
    assert "the digest daily" in one.sentence
    same = await findings(audit_channel=channel)
    assert same[one.check].level == level
    assert "CHATBOT_AUDIT_CHANNEL" in same[one.check].sentence


@pytest.mark.parametrize(
    ("channel", "level"),
    [(OPS, "ok"), (RANDOM, "ok"), (SHARED, "note"), (ARCHIVED, "warning"), (SECRET, "warning")],
)
async def test_a_channel_of_a_grant_need_not_have_the_bot_in_it(channel, level):
    roles = json.dumps({"operator": {"users": [ADMIN], "channels": [channel]}})
    found = await findings(roles=roles)
    assert found[f"slack_channel:{channel}"].level == level


async def test_without_the_scope_a_channel_is_not_checked_and_that_is_said():
    left = tuple(scope for scope in ALL_SCOPES if scope != "channels:read")
    found = await findings({"bot_scopes": left}, audit_channel=OPS)
    assert found[f"slack_channel:{OPS}"].level == "warning"
    assert "was not checked" in found[f"slack_channel:{OPS}"].sentence


async def test_user_groups_that_count_for_nobody_are_errors():
    roles = json.dumps({"operator": {"usergroups": ["S0NOBODY"]}})
    one = (await findings(roles=roles))["slack_group:S0NOBODY"]
    assert one.level == "error"
    assert "apply to nobody" in one.sentence
    one = (await findings(team={"plan_upgrade_required": True}))["slack_group:S0OPERATORS"]
    assert one.level == "error"
    assert "plan_upgrade_required" in one.sentence


async def test_an_empty_user_group_and_no_roles_at_all_are_warnings():
    async with open_slack() as slack:
        slack.set_members("S0OPERATORS", [])
        values = bot_settings(slack, roles=json.dumps(ROLES))
        client = SlackClient(values)
        found = {one.check: one for one in await check_slack(values, client.web)}
        await client.close()
        assert found["slack_group:S0OPERATORS"].level == "warning"
    found = await findings(roles="{}")
    assert found["slack_roles"].level == "warning"
    assert "Nobody may do anything" in found["slack_roles"].sentence


async def test_one_is_told_as_one_and_two_as_two():
    found = await findings(roles=json.dumps({"admin": {"usergroups": ["S0OPERATORS"]}}))
    assert found["slack_roles"].sentence == "CHATBOT_ROLES has 1 grant."
    assert found["slack_group:S0OPERATORS"].sentence == "S0OPERATORS has 1 member."
    found = await findings(roles=json.dumps({"admin": [{"users": [ADMIN]}, {"users": ["U0B"]}]}))
    assert found["slack_roles"].sentence == "CHATBOT_ROLES has 2 grants."


async def test_the_app_token_is_proven():
    found = await findings({"mode": "socket"})
    assert found["slack_app_token"].level == "ok"
    assert "Socket Mode" in found["slack_mode"].sentence


async def test_a_test_message_is_posted_only_when_asked_for(database_url):
    async with open_slack() as slack:
        code, _ = await run(slack, database_url, "--post", OPS)
        assert code == 0
        [message] = slack.messages(OPS)
        assert "test message" in message.text
        code, text = await run(slack, database_url, "--post", RANDOM)
        assert code == 1
        assert "The test message was not posted" in text
        assert slack.messages(RANDOM) == []
        code, text = await run(slack, database_url, "--post", "#ops")
        assert code == 2
        assert "'#ops' is not a channel ID" in text


async def test_slack_is_asked_about_a_sample_of_each_message_and_none_is_posted(database_url):
    number = len(list(all_messages())) + len(list(all_views()))
    async with open_slack() as slack:
        code, text = await run(slack, database_url, "--validate", "--json")
        told = {one["check"]: one for one in json.loads(text)["findings"]}
        taken = [one for check, one in told.items() if check.startswith("slack_blocks:")]
        assert (code, len(taken), {one["level"] for one in taken}) == (0, number, {"ok"})
        assert told["slack_blocks:stats"]["sentence"] == "Slack takes the message 'stats'."
        assert told["slack_blocks:stats"]["title"] == "Sample messages"
        assert slack.messages(OPS) == []
        assert slack.breaches == []


async def test_what_slack_refuses_of_the_samples_is_told_in_its_words():
    async with open_slack() as slack:
        client = SlackClient(bot_settings(slack))
        slack.set_unsupported_blocks(["table"])
        told = {one.check: one for one in await validate_samples(client)}
        stats = told["slack_blocks:stats"]
        assert stats.level == "note"
        assert "unsupported type: table at /blocks/3/type. Sentences are sent" in stats.sentence
        assert told["slack_blocks:errors"].level == "ok"
        slack.set_unsupported_blocks(["rich_text"])
        told = {one.check: one for one in await validate_samples(client)}
        assert told["slack_blocks:errors"].level == "error"
        assert (
            "unsupported type: rich_text at /blocks/0/type" in told["slack_blocks:errors"].sentence
        )
        # Where Slack stops answering, what was not asked is counted.
        slack.set_fault("500", method="blocks.validate", times=99)
        [left] = await validate_samples(client)
        assert (left.check, left.level) == ("slack_blocks", "warning")
        assert left.sentence.startswith("Not checked: ")
        await client.close()


async def test_where_incidents_are_told_and_whether_the_heartbeat_is_taken():
    silent = await findings()
    assert silent["bot_incidents"].level == "warning"
    assert "has no channel to tell of incidents" in silent["bot_incidents"].sentence
    assert "bot_heartbeat" not in silent
    off = await findings(incidents="off")
    assert off["bot_incidents"].level == "note"
    some = await findings(incidents=json.dumps({"channel": {"email*": OPS}}))
    assert some["bot_incidents"].level == "warning"
    assert "no worker at all, in no channel" in some["bot_incidents"].sentence
    told = {"channel": {"email*": ARCHIVED, "*": OPS}}
    url = "http://127.0.0.1:9/5e-c-r-e-t"
    found = await findings(incidents=json.dumps(told), heartbeat_url=url)
    assert found["bot_incidents"].level == "ok"
    assert found[f"slack_channel:{ARCHIVED}"].level == "error"
    assert "incidents) is archived" in found[f"slack_channel:{ARCHIVED}"].sentence
    assert found["bot_heartbeat"].level == "error"
    assert "127.0.0.1 cannot be reached" in found["bot_heartbeat"].sentence
    assert "5e-c-r-e-t" not in str(found)
