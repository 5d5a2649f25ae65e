"""Signed requests that are meant for another workspace, organisation or app."""

import asyncio
import json
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

import pytest
from tests.acceptance.test_bot_http import requests_taken
from tests.support.bots import bot_settings, open_bot, settle
from tests.support.waiting import until

from local_slack.sample import ADMIN, OPS

HOME = {"team_id": "T0LOCAL", "api_app_id": "A0LOCAL"}
FOREIGN = [
    {"team_id": "T0OTHER"},
    {"team_id": "T0LOCAL", "enterprise_id": "E0OTHER"},
    {"enterprise_id": "E0OTHER"},
    {"api_app_id": "A0OTHER"},
    {"api_app_id": "A0OTHER", "team_id": "T0LOCAL"},
    {"team_id": "T0LOCAL"},
    {"team_id": "T0LOCAL", "api_app_id": ""},
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


def as_submission(fields):
    """What "Share here" in the details of a job sends."""
    return as_view(fields, "view_submission", {"words": "status 1", "channel": OPS})


def as_view(fields, kind, notes):
    payload = {
        "type": kind,
        "user": {"id": ADMIN, "username": "ada", "team_id": "T0LOCAL"},
        "team": {"id": fields["team_id"]} if "team_id" in fields else None,
        "enterprise": {"id": fields["enterprise_id"]} if "enterprise_id" in fields else None,
        "api_app_id": fields.get("api_app_id"),
        "view": {
            "id": "V1", "type": "modal", "callback_id": "jobs_share",
            "app_installed_team_id": "T0LOCAL", "state": {"values": {}},
            "private_metadata": json.dumps(notes),
        },
    }  # fmt: skip
    return urlencode({"payload": json.dumps(payload)})


@pytest.mark.parametrize("build", [as_command, as_click, as_submission])
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


async def test_what_another_workspace_or_app_closes_is_not_for_this_bot_either(pool):
    async with open_bot(pool) as (slack, _):
        for fields, status in ((HOME, 200), *((one, 401) for one in FOREIGN)):
            closed = as_view(fields, "view_closed", {})
            assert (await slack.post_raw(closed)).status == status, fields


@pytest.mark.parametrize("build", [as_command, as_submission])
async def test_over_socket_mode_a_foreign_request_runs_nothing_either(pool, conn, build, caplog):
    def send(envelope, fields):
        sent = dict(parse_qsl(build(fields)))
        payload = json.loads(sent["payload"]) if "payload" in sent else sent
        kind = "interactive" if "payload" in sent else "slash_commands"
        return slack._sockets.send(kind, payload, envelope, timeout=9, takes_answer=True)

    async with open_bot(pool, mode="socket") as (slack, bot):
        for i, fields in enumerate(FOREIGN, start=1):
            unanswered = asyncio.create_task(send(f"foreign-{i}", fields))
            await until(lambda: caplog.text.count("chatbot.request_foreign") == i)  # noqa: B023
            assert bot.work.in_flight == 0
            unanswered.cancel()
        assert await requests_taken(conn) == 0
        await send("home", HOME)
        await settle(bot)
        assert await requests_taken(conn) == 1


async def test_a_click_by_somebody_of_another_workspace_runs_nothing(pool, conn):
    async with open_bot(pool) as (slack, bot):
        assert (await slack.post_raw(as_click(HOME, user_team="T0OTHER"))).status == 401
        assert await requests_taken(conn) == 0
        assert bot.work.in_flight == 0


async def test_a_command_that_names_no_workspace_runs_nothing(pool, conn):
    async with open_bot(pool) as (slack, _):
        for team in ({}, {"team_id": ""}):
            assert (
                await slack.post_raw(as_command({**team, "api_app_id": "A0LOCAL"}))
            ).status == 401
        assert await requests_taken(conn) == 0


async def test_other_workspaces_of_the_same_organisation_are_served(pool):
    async with open_bot(pool) as (_, bot):
        who = replace(await bot.identify(), enterprise_id="E0OURS")
    app = {"api_app_id": "A0LOCAL"}
    assert who.find_foreign({"team_id": "T0SECOND", "enterprise_id": "E0OURS", **app}) is None
    assert who.find_foreign({"team": None, "enterprise": {"id": "E0OURS"}, **app}) is None
    assert who.find_foreign({"team_id": "T0SECOND", "enterprise_id": "E0OTHER"}) is not None
    assert who.find_foreign({"team_id": "T0SECOND"}) is not None


async def test_the_app_is_known_by_its_token_or_by_slack(pool):
    async with open_bot(pool) as (slack, bot):
        assert (await bot.identify()).app_id == "A0LOCAL"
        settings = bot_settings(slack, slack_app_token="xapp-1-A0TOKEN-123-abc")
        assert settings.find_app_id() == "A0TOKEN"
