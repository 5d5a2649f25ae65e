"""Signed requests that are meant for another workspace, organisation or app."""

import json
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from tests.acceptance.test_bot_http import requests_taken
from tests.support.bots import bot_settings, open_bot, settle

from local_slack.sample import ADMIN, OPS

HOME = {"team_id": "T0LOCAL", "api_app_id": "A0LOCAL"}
FOREIGN = [
    {"team_id": "T0OTHER"},
    {"team_id": "T0LOCAL", "enterprise_id": "E0OTHER"},
    {"enterprise_id": "E0OTHER"},
    {"api_app_id": "A0OTHER"},
    {"api_app_id": "A0OTHER", "team_id": "T0LOCAL"},
]


def as_command(fields):
    words = {"command": "/jobs", "text": "retry 1", "user_id": ADMIN, "channel_id": OPS}
    return urlencode({**words, "trigger_id": "1.2.3", **fields})


def as_click(fields, user_team="T0LOCAL"):
    payload = {
        "type": "block_actions",
        "user": {"id": ADMIN, "username": "ada", "team_id": user_team},
        "team": {"id": fields["team_id"]} if "team_id" in fields else None,
        "enterprise": {"id": fields["enterprise_id"]} if "enterprise_id" in fields else None,
        "api_app_id": fields.get("api_app_id"),
        "channel": {"id": OPS},
        "container": {"type": "message", "channel_id": OPS, "message_ts": "1.1"},
        "trigger_id": "1.2.3",
        "actions": [{"action_id": "jobs_run:retry 1", "value": "retry 1", "type": "button"}],
    }
    return urlencode({"payload": json.dumps(payload)})


@pytest.mark.parametrize("build", [as_command, as_click])
async def test_a_signed_request_of_another_workspace_or_app_runs_nothing(
    pool, conn, make_job, build, caplog
):
    job = await make_job(status="failed")
    async with open_bot(pool) as (slack, bot):
        for fields in FOREIGN:
            answer = await slack.post_raw(build(fields))
            await settle(bot)
            assert answer.status == 401, fields
        assert await requests_taken(conn) == 0
        assert caplog.text.count("chatbot.request_foreign") == len(FOREIGN)
        assert (await slack.post_raw(build(HOME))).status == 200
        await settle(bot)
        assert await requests_taken(conn) == 1
    assert await make_job.status(job) in {"failed", "todo"}


async def test_a_click_by_somebody_of_another_workspace_runs_nothing(pool, conn):
    async with open_bot(pool) as (slack, bot):
        assert (await slack.post_raw(as_click(HOME, user_team="T0OTHER"))).status == 401
        assert await requests_taken(conn) == 0
        assert bot.work.in_flight == 0


async def test_other_workspaces_of_the_same_organisation_are_served(pool):
    async with open_bot(pool) as (_, bot):
        who = replace(await bot.identify(), enterprise_id="E0OURS")
    assert who.find_foreign({"team_id": "T0SECOND", "enterprise_id": "E0OURS"}) is None
    assert who.find_foreign({"team": None, "enterprise": {"id": "E0OURS"}}) is None
    assert who.find_foreign({"team_id": "T0SECOND", "enterprise_id": "E0OTHER"}) is not None
    assert who.find_foreign({"team_id": "T0SECOND"}) is not None


async def test_the_app_is_known_by_its_token_or_by_slack(pool):
    async with open_bot(pool) as (slack, bot):
        assert (await bot.identify()).app_id == "A0LOCAL"
        settings = bot_settings(slack, slack_app_token="xapp-1-A0TOKEN-123-abc")
        assert settings.find_app_id() == "A0TOKEN"
