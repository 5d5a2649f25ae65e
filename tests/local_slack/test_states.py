"""Faults, and a workspace that changes while the app runs, over the Web API and response_urls."""

import asyncio
import contextlib

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from local_slack import Limits, LocalSlack, LocalSlackControl
from local_slack.responses import Origin
from local_slack.sample import (
    ADMIN,
    ALL_SCOPES,
    BOT,
    OPERATOR,
    OPS,
    RANDOM,
    VIEWER,
    build_sample_config,
)

TABLE = {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]}
DIVIDER = {"type": "divider"}


@contextlib.asynccontextmanager
async def workspace(**config):
    async with LocalSlack.start(build_sample_config(**config)) as slack:
        yield slack, AsyncWebClient("xoxb-local", base_url=slack.api_url, retry_handlers=[])


def response_url(slack):
    origin = Origin(VIEWER, OPS, slack._workspace.clock(), command="/jobs")
    return slack.url + slack._responses.open(origin)


async def refusal_of(call):
    with pytest.raises(SlackApiError) as caught:
        await call
    return caught.value.response


async def test_a_reset_breaks_the_connection_off_and_accepts_nothing():
    async with workspace() as (slack, client), aiohttp.ClientSession() as http:
        slack.set_fault("reset", method="chat.postMessage")
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.chat_postMessage(channel=OPS, text="lost")
        slack.set_fault("reset", method="response_url")
        with pytest.raises(aiohttp.ClientConnectionError):
            await http.post(response_url(slack), json={"text": "lost"})
        await client.chat_postMessage(channel=OPS, text="later")

    assert [m.text for m in slack.messages(OPS)] == ["later"]
    assert [(call.error, call.status) for call in slack.calls()][:2] == [("reset", 0)] * 2
    assert slack.breaches == []


async def test_a_timeout_never_answers_and_accepts_nothing():
    async with workspace() as (slack, _), aiohttp.ClientSession() as http:
        hasty = AsyncWebClient("xoxb-local", base_url=slack.api_url, timeout=0.2, retry_handlers=[])
        slack.set_fault("timeout", method="chat.postMessage")
        with pytest.raises(asyncio.TimeoutError):
            await hasty.chat_postMessage(channel=OPS, text="lost")
        slack.set_fault("timeout", method="response_url")
        with pytest.raises(asyncio.TimeoutError):
            await http.post(
                response_url(slack),
                json={"text": "lost"},
                timeout=aiohttp.ClientTimeout(total=0.2),
            )

    assert slack.messages(OPS) == []
    assert slack.breaches == []


async def test_garbage_is_a_200_that_is_no_json_and_accepts_nothing():
    async with workspace() as (slack, client), aiohttp.ClientSession() as http:
        slack.set_fault("garbage", times=2)
        answer = await refusal_of(client.chat_postMessage(channel=OPS, text="lost"))
        async with http.post(response_url(slack), json={"text": "lost"}) as response:
            assert (response.status, response.content_type) == (200, "text/html")

    assert answer.status_code == 200
    assert slack.messages(OPS) == []
    assert slack.breaches == []


async def test_the_fault_invalid_blocks_meets_what_has_blocks_and_is_no_breach():
    async with workspace() as (slack, client), aiohttp.ClientSession() as http:
        slack.set_fault("invalid_blocks")
        await client.chat_postMessage(channel=OPS, text="without")
        answer = await refusal_of(
            client.chat_postMessage(channel=OPS, text="with", blocks=[DIVIDER])
        )
        slack.set_fault("invalid_blocks", method="response_url")
        body = {"text": "with", "blocks": [DIVIDER]}
        async with http.post(response_url(slack), json=body) as response:
            assert response.status == 400
            assert (await response.json())["error"] == "invalid_blocks"

    assert answer["error"] == "invalid_blocks"
    assert answer["response_metadata"]["messages"] == [
        "[ERROR] unsupported type [json-pointer:/blocks/0/type]"
    ]
    assert [m.text for m in slack.messages(OPS)] == ["without"]
    assert slack.breaches == []


async def test_a_block_that_is_not_rolled_out_is_refused_at_run_time_without_a_breach():
    async with workspace() as (slack, client), aiohttp.ClientSession() as http:
        post = {"channel": OPS, "text": "x", "blocks": [TABLE]}
        await client.chat_postMessage(**post)
        slack.set_unsupported_blocks(["table", "data_visualization"])
        answer = await refusal_of(client.chat_postMessage(**post))
        async with http.post(response_url(slack), json={"blocks": [TABLE]}) as response:
            assert (await response.json())["error"] == "invalid_blocks"
        assert slack.breaches == []
        broken = {"type": "section"}
        await refusal_of(client.chat_postMessage(channel=OPS, text="x", blocks=[TABLE, broken]))

    assert answer["response_metadata"]["messages"] == [
        "[ERROR] unsupported type: table [json-pointer:/blocks/0/type]"
    ]
    assert [breach.kind for breach in slack.breaches] == ["invalid_blocks"]
    assert len(slack.messages(OPS)) == 1


async def test_a_bot_that_was_removed_from_a_channel_can_neither_write_nor_read_there():
    async with workspace() as (slack, client):
        posted = await client.chat_postMessage(channel=OPS, text="x")
        slack.remove_bot(OPS)
        refused = [
            client.chat_postMessage(channel=OPS, text="x"),
            client.chat_postEphemeral(channel=OPS, user=VIEWER, text="x"),
            client.chat_update(channel=OPS, ts=posted["ts"], text="x"),
            client.conversations_history(channel=OPS),
        ]
        assert [(await refusal_of(call))["error"] for call in refused] == ["not_in_channel"] * 4
        info = await client.conversations_info(channel=OPS)
        slack.add_bot(OPS)
        slack.add_bot(RANDOM)
        await client.chat_postMessage(channel=RANDOM, text="here too")
        await client.chat_update(channel=OPS, ts=posted["ts"], text="back")

    assert info["channel"]["is_member"] is False
    assert [m.text for m in slack.messages(OPS)] == ["back"]
    assert slack.breaches == []


async def test_a_channel_that_is_archived_takes_nothing_more():
    async with workspace() as (slack, client), aiohttp.ClientSession() as http:
        posted = await client.chat_postMessage(channel=OPS, text="x")
        slack.set_archived(OPS)
        post = await refusal_of(client.chat_postMessage(channel=OPS, text="y"))
        private = await refusal_of(client.chat_postEphemeral(channel=OPS, user=VIEWER, text="y"))
        update = await refusal_of(client.chat_update(channel=OPS, ts=posted["ts"], text="y"))
        async with http.post(response_url(slack), json={"text": "y"}) as response:
            assert (response.status, (await response.json())["error"]) == (
                410,
                "channel_is_archived",
            )
        slack.set_archived(OPS, False)
        await client.chat_postMessage(channel=OPS, text="again")

    errors = [one["error"] for one in (post, private, update)]
    assert errors == ["is_archived", "is_archived", "is_inactive"]
    assert [m.text for m in slack.messages(OPS)] == ["x", "again"]
    assert slack.breaches == []


async def test_a_channel_that_was_deleted_is_not_found():
    async with workspace() as (slack, client), aiohttp.ClientSession() as http:
        slack.delete_channel(OPS)
        answer = await refusal_of(client.chat_postMessage(channel=OPS, text="y"))
        async with http.post(response_url(slack), json={"text": "y"}) as response:
            assert response.status == 404

    assert answer["error"] == "channel_not_found"
    assert slack.breaches == []


async def test_a_channel_can_be_shared_with_another_company():
    async with workspace() as (slack, client):
        slack.set_ext_shared(OPS)
        info = await client.conversations_info(channel=OPS)

    assert info["channel"]["is_ext_shared"] is True


async def test_scopes_that_are_taken_away_are_missing_and_every_answer_says_which_are_left():
    async with workspace() as (slack, client):
        slack.set_scopes(["commands", "chat:write"])
        answer = await refusal_of(client.users_info(user=VIEWER))
        slack.set_fault("429", method="auth.test")
        limited = await refusal_of(client.auth_test())
        slack.set_scopes(ALL_SCOPES)
        allowed = await client.users_info(user=VIEWER)

    assert (answer["error"], answer["needed"]) == ("missing_scope", "users:read")
    assert answer["provided"] == "commands,chat:write"
    for one in (answer, limited):
        assert one.headers["x-oauth-scopes"] == "commands,chat:write"
    assert allowed.headers["x-oauth-scopes"] == ",".join(ALL_SCOPES)
    assert slack.breaches == []


async def test_a_person_can_be_written_to_directly():
    async with workspace(limits=Limits(burst=9)) as (slack, client):
        opened = await client.conversations_open(users=ADMIN, return_im=True)
        again = await client.conversations_open(users=[ADMIN])
        await client.chat_postMessage(channel=opened["channel"]["id"], text="by channel")
        posted = await client.chat_postMessage(channel=ADMIN, text="by person")
        history = await client.conversations_history(channel=posted["channel"])
        info = await client.conversations_info(channel=posted["channel"])

        assert slack.open_dm(ADMIN) == posted["channel"] == opened["channel"]["id"]
        assert [m.text for m in slack.messages(posted["channel"], as_user=ADMIN)] == [
            "by channel",
            "by person",
        ]
    assert (opened["channel"]["user"], again["already_open"]) == (ADMIN, True)
    assert [message["text"] for message in history["messages"]] == ["by person", "by channel"]
    assert info["channel"]["is_im"] is True
    assert slack.breaches == []


async def test_direct_messages_need_their_own_scopes():
    scopes = [one for one in ALL_SCOPES if not one.startswith("im:")]
    async with workspace(bot_scopes=tuple(scopes)) as (slack, client):
        opened = await refusal_of(client.conversations_open(users=VIEWER))
        posted = await client.chat_postMessage(channel=VIEWER, text="x")
        history = await refusal_of(client.conversations_history(channel=posted["channel"]))

    assert (opened["needed"], history["needed"]) == ("im:write", "im:history")
    assert [breach.kind for breach in slack.breaches] == ["missing_scope"] * 2


@pytest.mark.parametrize(
    ("users", "error"),
    [
        ("", "users_list_not_supplied"),
        ("U9", "user_not_found"),
        (BOT, "user_not_found"),
        (f"{VIEWER},{ADMIN}", "too_many_users"),
    ],
)
async def test_a_direct_message_is_with_one_person(users, error):
    async with workspace() as (_, client):
        assert (await refusal_of(client.conversations_open(users=users)))["error"] == error


async def test_a_permalink_leads_to_a_message():
    async with workspace() as (slack, client):
        posted = await client.chat_postMessage(channel=OPS, text="x")
        link = await client.chat_getPermalink(channel=OPS, message_ts=posted["ts"])
        none = await refusal_of(client.chat_getPermalink(channel=OPS, message_ts="1.0"))

    digits = posted["ts"].replace(".", "")
    assert link["permalink"] == f"https://local.slack.com/archives/{OPS}/p{digits}"
    assert none["error"] == "message_not_found"
    assert slack.breaches == []


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({"event_type": "", "event_payload": {}}, "invalid_metadata_format"),
        ({"event_type": "a", "event_payload": []}, "invalid_metadata_format"),
        ({"event_type": "a", "event_payload": {}, "more": 1}, "invalid_metadata_format"),
        ({"event_type": "a", "event_payload": {"x": "y" * 17_000}}, "metadata_too_large"),
    ],
)
async def test_metadata_that_slack_would_not_keep_is_refused(metadata, error):
    async with workspace() as (slack, client):
        call = client.chat_postMessage(channel=OPS, text="x", metadata=metadata)
        assert (await refusal_of(call))["error"] == error

    assert [breach.kind for breach in slack.breaches] == [error]


async def test_the_workspace_is_switched_from_another_process_too():
    async with workspace() as (slack, client), LocalSlackControl(slack.url) as control:
        await control.set_scopes(["chat:write"])
        await control.set_unsupported_blocks(["table"])
        await control.remove_bot(OPS)
        await control.add_bot(RANDOM)
        await control.set_ext_shared(RANDOM)
        await control.set_archived(RANDOM)
        answer = await refusal_of(client.chat_postMessage(channel=RANDOM, text="x"))
        await control.delete_channel(RANDOM)
        gone = await refusal_of(client.chat_postMessage(channel=RANDOM, text="x"))
        direct = await control.open_dm(OPERATOR)
        table = await refusal_of(client.chat_postMessage(channel=direct, text="x", blocks=[TABLE]))
        outside = await refusal_of(client.chat_postMessage(channel=OPS, text="x"))

    errors = [one["error"] for one in (answer, gone, table, outside)]
    assert errors == ["is_archived", "channel_not_found", "invalid_blocks", "not_in_channel"]
    assert slack.breaches == []


def test_every_verb_is_there_in_process_and_from_another_process():
    def verbs(cls):
        return {name for name in dir(cls) if not name.startswith("_")}

    inner = {"start", "changes", "commands_sent", "page", "page_url", "wait_for_change"}
    in_process = verbs(LocalSlack) - inner
    assert in_process == verbs(LocalSlackControl)
