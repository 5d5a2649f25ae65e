"""The local Web API, called with the real SDK."""

import asyncio
import contextlib
import json
import time

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from local_slack import ControlError, Limits, LocalSlack
from local_slack.sample import (
    ARCHIVED,
    BOT,
    GROUP,
    OPERATOR,
    OPS,
    RANDOM,
    SECRET,
    SHARED,
    VIEWER,
    build_sample_config,
)

SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}


class Clock:
    def __init__(self):
        self.now = time.time()

    def __call__(self):
        return self.now


@contextlib.asynccontextmanager
async def workspace(clock=None, **config):
    async with LocalSlack.start(build_sample_config(**config), clock=clock or time.time) as slack:
        yield slack, AsyncWebClient("xoxb-local", base_url=slack.api_url)


async def refusal_of(call):
    with pytest.raises(SlackApiError) as caught:
        await call
    return caught.value.response


async def test_auth_test_tells_who_the_bot_is_and_its_scopes():
    async with workspace() as (slack, client):
        answer = await client.auth_test()

    assert (answer["team_id"], answer["user_id"]) == ("T0LOCAL", BOT)
    assert "usergroups:read" in answer.headers["x-oauth-scopes"]
    assert slack.breaches == []


async def test_a_posted_message_is_stored_whole_and_seen_by_members():
    metadata = {"event_type": "digest", "event_payload": {"id": 7}}
    async with workspace() as (slack, client):
        answer = await client.chat_postMessage(
            channel=OPS, text="hello", blocks=[SECTION], metadata=metadata
        )
        (seen,) = slack.messages(OPS, as_user=VIEWER)
        history = await client.conversations_history(channel=OPS, include_all_metadata=True)

    assert (seen.ts, seen.text, seen.metadata) == (answer["ts"], "hello", metadata)
    assert seen.blocks[0]["text"]["text"] == "hello"
    assert seen.blocks[0]["block_id"]
    assert history["messages"][0]["metadata"] == metadata
    assert history["messages"][0]["bot_id"] == "B0LOCAL"


async def test_time_stamps_grow_also_when_the_clock_stands():
    async with workspace(Clock()) as (_, client):
        stamps = [(await client.chat_postMessage(channel=OPS, text="x"))["ts"] for _ in range(3)]

    assert len(set(stamps)) == 3
    assert stamps == sorted(stamps)


async def test_blocks_and_metadata_are_read_from_a_form_too():
    async with workspace() as (slack, _), aiohttp.ClientSession() as http:
        form = {
            "token": "xoxb-local",
            "channel": OPS,
            "blocks": '[{"type": "divider"}]',
            "metadata": '{"event_type": "a", "event_payload": {}}',
        }
        async with http.post(slack.api_url + "chat.postMessage", data=form) as response:
            assert (await response.json())["ok"]
        async with http.post(
            slack.api_url + "chat.postMessage", data={**form, "blocks": "["}
        ) as response:
            assert (await response.json())["error"] == "invalid_blocks_format"

    assert slack.messages(OPS)[0].blocks[0]["type"] == "divider"
    assert all("token" not in call.arguments for call in slack.calls())


async def test_an_update_edits_and_keeps_what_is_not_given():
    async with workspace() as (slack, client):
        posted = await client.chat_postMessage(channel=OPS, text="one", blocks=[SECTION])
        await client.chat_update(channel=OPS, ts=posted["ts"], text="two")
        (seen,) = slack.messages(OPS)
        history = await client.conversations_history(channel=OPS)

    assert (seen.text, seen.edited, len(seen.blocks)) == ("two", True, 1)
    assert float(history["messages"][0]["edited"]["ts"]) > float(posted["ts"])


async def test_an_ephemeral_message_is_seen_by_its_user_only_and_never_in_history():
    async with workspace() as (slack, client):
        await client.chat_postEphemeral(channel=OPS, user=VIEWER, text="psst")
        history = await client.conversations_history(channel=OPS)

        assert [m.ephemeral for m in slack.messages(OPS, as_user=VIEWER)] == [True]
        assert slack.messages(OPS, as_user=OPERATOR) == []
        assert history["messages"] == []


async def test_an_ephemeral_message_in_a_thread_is_shown_only_where_somebody_replied_before():
    async with workspace() as (slack, client):
        root = slack.post_as_user(VIEWER, OPS, "first").ts
        for text in ("lost", "shown"):
            await client.chat_postEphemeral(channel=OPS, user=VIEWER, text=text, thread_ts=root)
            slack.post_as_user(OPERATOR, OPS, "a reply", thread_ts=root)

        private = [m for m in slack.messages(OPS, as_user=VIEWER) if m.ephemeral]
        assert [(m.text, m.thread_ts) for m in private] == [("shown", root)]


async def test_history_is_newest_first_and_pages():
    async with workspace(limits=Limits(burst=9)) as (_, client):
        stamps = [(await client.chat_postMessage(channel=OPS, text=t))["ts"] for t in "abc"]
        first = await client.conversations_history(channel=OPS, limit=2)
        cursor = first["response_metadata"]["next_cursor"]
        second = await client.conversations_history(channel=OPS, limit=2, cursor=cursor)
        after = await client.conversations_history(channel=OPS, oldest=stamps[1])
        until = await client.conversations_history(channel=OPS, latest=stamps[1], inclusive=True)

    assert [m["text"] for m in first["messages"]] == ["c", "b"]
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert [m["text"] for m in second["messages"]] == ["a"]
    assert [m["text"] for m in after["messages"]] == ["c"]
    assert [m["text"] for m in until["messages"]] == ["b", "a"]


async def test_replies_are_oldest_first_in_their_thread_only_and_outlive_a_deleted_message():
    async with workspace(limits=Limits(burst=9)) as (slack, client):
        first = (await client.chat_postMessage(channel=OPS, text="a"))["ts"]
        for text in "bc":
            await client.chat_postMessage(channel=OPS, text=text, thread_ts=first)
        whole = await client.conversations_replies(channel=OPS, ts=first, limit=2)
        cursor = whole["response_metadata"]["next_cursor"]
        rest = await client.conversations_replies(channel=OPS, ts=first, limit=2, cursor=cursor)
        history = await client.conversations_history(channel=OPS)
        slack.delete_message(OPS, first)
        gone = await refusal_of(client.conversations_replies(channel=OPS, ts=first))
        edit = await refusal_of(client.chat_update(channel=OPS, ts=first, text="x"))
        left = slack.messages(OPS)

    assert [m["text"] for m in whole["messages"]] == ["a", "b"]
    assert [m["text"] for m in rest["messages"]] == ["c"]
    assert [m["text"] for m in history["messages"]] == ["a"]
    assert (gone["error"], edit["error"]) == ("thread_not_found", "message_not_found")
    assert [m.text for m in left] == ["b", "c"]


async def test_channels_users_and_groups_are_told_as_they_are():
    async with workspace() as (slack, client):
        shared = (await client.conversations_info(channel=SHARED))["channel"]
        random = (await client.conversations_info(channel=RANDOM))["channel"]
        guest = (await client.users_info(user="U0GUEST"))["user"]
        slack.set_members("S0OPERATORS", [VIEWER])
        members = await client.usergroups_users_list(usergroup="S0OPERATORS")

    assert (shared["is_ext_shared"], shared["is_member"]) == (True, True)
    assert random["is_member"] is False
    assert (guest["is_restricted"], guest["deleted"]) == (True, False)
    assert members["users"] == [VIEWER]


STATES = [
    ("chat_postMessage", {"channel": "C9", "text": "x"}, "channel_not_found"),
    ("chat_postMessage", {"channel": SECRET, "text": "x"}, "channel_not_found"),
    ("chat_postMessage", {"channel": GROUP, "text": "x"}, "channel_not_found"),
    ("chat_postMessage", {"channel": RANDOM, "text": "x"}, "not_in_channel"),
    ("chat_postMessage", {"channel": ARCHIVED, "text": "x"}, "is_archived"),
    ("chat_update", {"channel": OPS, "ts": "1.0", "text": "x"}, "message_not_found"),
    ("chat_postEphemeral", {"channel": OPS, "user": "U9", "text": "x"}, "user_not_found"),
    ("conversations_history", {"channel": RANDOM}, "not_in_channel"),
    ("conversations_info", {"channel": SECRET}, "channel_not_found"),
    ("conversations_info", {"channel": GROUP}, "channel_not_found"),
    ("users_info", {"user": "U9"}, "user_not_found"),
    ("usergroups_users_list", {"usergroup": "S9"}, "no_such_subteam"),
]


@pytest.mark.parametrize(("method", "arguments", "error"), STATES)
async def test_what_the_workspace_does_not_have_is_an_error_but_no_breach(method, arguments, error):
    async with workspace() as (slack, client):
        answer = await refusal_of(getattr(client, method)(**arguments))

    assert answer["error"] == error
    assert slack.breaches == []


async def test_an_ephemeral_message_for_someone_outside_is_user_not_in_channel():
    async with workspace(bot_scopes=("chat:write", "chat:write.public")) as (_, client):
        answer = await refusal_of(
            client.chat_postEphemeral(channel=RANDOM, user="U0ADMIN", text="x")
        )

    assert answer["error"] == "user_not_in_channel"


async def test_with_chat_write_public_the_bot_posts_where_it_is_no_member():
    async with workspace(bot_scopes=("chat:write", "chat:write.public")) as (slack, client):
        await client.chat_postMessage(channel=RANDOM, text="x")

    assert [m.text for m in slack.messages(RANDOM, as_user=VIEWER)] == ["x"]


BREACHES = [
    ("chat_postMessage", {"channel": OPS}, "no_text"),
    ("chat_postMessage", {"channel": OPS, "text": "x", "blocks": [SECTION] * 51}, "invalid_blocks"),
    (
        "chat_postMessage",
        {"channel": OPS, "text": "x", "metadata": {"event_type": "a"}},
        "invalid_metadata_format",
    ),
    ("api_call", {"api_method": "chat.explode"}, "unknown_method"),
]


@pytest.mark.parametrize(("method", "arguments", "error"), BREACHES)
@pytest.mark.filterwarnings("ignore:The top-level `text` argument is missing")
async def test_what_the_bot_gets_wrong_is_an_error_and_a_breach(method, arguments, error):
    async with workspace() as (slack, client):
        answer = await refusal_of(getattr(client, method)(**arguments))

    assert answer["error"] == error
    assert [breach.kind for breach in slack.breaches] == [error]
    assert slack.messages(OPS) == []


async def test_a_users_message_cannot_be_updated():
    async with workspace() as (slack, client):
        message = slack.post_as_user(VIEWER, OPS, "mine")
        answer = await refusal_of(client.chat_update(channel=OPS, ts=message.ts, text="x"))

    assert answer["error"] == "cant_update_message"
    assert [breach.kind for breach in slack.breaches] == ["cant_update_message"]
    assert slack.messages(OPS)[0].text == "mine"


async def test_a_long_text_is_cut_when_posted_and_refused_by_its_bytes_when_updated():
    async with workspace() as (slack, client):
        posted = await client.chat_postMessage(channel=OPS, text="x" * 40_001)
        await client.chat_update(channel=OPS, ts=posted["ts"], text="é" * 2_000)
        answer = await refusal_of(
            client.chat_update(channel=OPS, ts=posted["ts"], text="é" * 2_001)
        )

    assert posted["response_metadata"]["warnings"] == ["message_truncated"]
    assert slack.messages(OPS)[0].text == "é" * 2_000
    assert answer["error"] == "msg_too_long"


async def test_blocks_validate_says_what_is_wrong_and_where_and_sends_nothing():
    bad = {"type": "section", "text": {"type": "invalid", "text": "x"}}
    too_long = {"blocks": [section_of(2_700)] * 5}
    view = {"type": "modal", "title": {"type": "plain_text", "text": "Job"}, "blocks": [SECTION]}
    async with workspace() as (slack, client):
        slack.set_unsupported_blocks(["table"])
        await client.blocks_validate(blocks=[SECTION])
        await client.blocks_validate(message={"text": "x", "blocks": [SECTION]})
        await client.blocks_validate(view=view)
        answers = [
            await refusal_of(call)
            for call in (
                client.blocks_validate(blocks=[SECTION, bad]),
                client.blocks_validate(message={"blocks": [{"type": "table"}]}),
                client.blocks_validate(view={**view, "blocks": [SECTION, bad]}),
                # The SDK writes the arguments of its own method into the address.
                client.api_call("blocks.validate", data={"message": json.dumps(too_long)}),
            )
        ]
        refused = await refusal_of(client.blocks_validate(blocks=[SECTION], view=view))
        assert slack.messages(OPS) == []
        assert [breach.kind for breach in slack.breaches] == ["invalid_arguments"]
    told = [(one["error"], one["errors"][0]["pointer"]) for one in answers]
    assert told == [
        ("invalid_blocks", "/1/text"), ("invalid_message", "/blocks/0/rows"),
        ("invalid_view", "/blocks/1/text"), ("invalid_message", "/blocks"),
    ]  # fmt: skip
    assert "must be an object of type" in answers[0]["errors"][0]["message"]
    assert "exactly one of" in refused["response_metadata"]["messages"][0]


def section_of(characters):
    return {"type": "section", "text": {"type": "mrkdwn", "text": "x" * characters}}


async def test_nobody_is_added_to_a_group_message_and_the_bot_knows_nothing_of_it():
    async with workspace(bot_scopes=("chat:write", "chat:write.public", "channels:read")) as (
        slack,
        client,
    ):
        with pytest.raises(ControlError, match="nobody is added"):
            slack.add_bot(GROUP)
        for call in (
            client.conversations_info(channel=GROUP),
            client.chat_postMessage(channel=GROUP, text="x"),
            client.chat_postEphemeral(channel=GROUP, user=OPERATOR, text="x"),
        ):
            assert (await refusal_of(call))["error"] == "channel_not_found"
        assert slack.messages(GROUP, as_user=OPERATOR) == []


@pytest.mark.parametrize(
    ("token", "error"),
    [(None, "not_authed"), ("xoxb-x", "invalid_auth"), ("xapp-local", "not_allowed_token_type")],
)
async def test_a_wrong_token_is_refused_and_never_logged(token, error):
    async with workspace() as (slack, _):
        client = AsyncWebClient(token, base_url=slack.api_url)
        answer = await refusal_of(client.chat_postMessage(channel=OPS, text="x"))

    assert answer["error"] == error
    assert [breach.kind for breach in slack.breaches] == [error]
    assert "xox" not in repr(slack.calls())


async def test_a_missing_scope_names_what_is_needed_and_provided():
    async with workspace(bot_scopes=("commands", "chat:write")) as (slack, client):
        answer = await refusal_of(client.usergroups_users_list(usergroup="S0ADMINS"))

    assert answer["error"] == "missing_scope"
    assert answer["needed"] == "usergroups:read"
    assert answer["provided"] == "commands,chat:write"
    assert [breach.kind for breach in slack.breaches] == ["missing_scope"]


async def test_a_free_plan_has_no_user_groups():
    async with workspace(team={"plan_upgrade_required": True}) as (slack, client):
        answer = await refusal_of(client.usergroups_users_list(usergroup="S0ADMINS"))

    assert answer["error"] == "plan_upgrade_required"
    assert slack.breaches == []


async def test_posting_faster_than_a_message_a_second_is_answered_429():
    clock = Clock()
    async with workspace(clock, limits=Limits(burst=2)) as (slack, client):
        for _ in range(2):
            await client.chat_postMessage(channel=OPS, text="x")
        answer = await refusal_of(client.chat_postMessage(channel=OPS, text="lost"))
        await client.chat_postMessage(channel=SHARED, text="elsewhere")
        clock.now += 1
        await client.chat_postMessage(channel=OPS, text="later")

    assert (answer.status_code, answer["error"]) == (429, "ratelimited")
    assert answer.headers["Retry-After"] == "1"
    assert [breach.kind for breach in slack.breaches] == ["ratelimited"]
    assert [m.text for m in slack.messages(OPS)] == ["x", "x", "later"]


async def test_a_method_called_more_often_than_its_tier_allows_is_answered_429():
    async with workspace(Clock()) as (slack, client):
        for _ in range(20):
            await client.usergroups_users_list(usergroup="S0ADMINS")
        answer = await refusal_of(client.usergroups_users_list(usergroup="S0ADMINS"))

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
    assert [breach.kind for breach in slack.breaches] == ["ratelimited"]


async def test_an_injected_429_is_no_breach_and_does_nothing():
    async with workspace() as (slack, client):
        slack.set_fault("429", method="chat.postMessage", channel=OPS, retry_after=9)
        answer = await refusal_of(client.chat_postMessage(channel=OPS, text="x"))
        await client.chat_postMessage(channel=OPS, text="y")

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "9")
    assert [m.text for m in slack.messages(OPS)] == ["y"]
    assert slack.breaches == []
    assert [call.error for call in slack.calls("chat.postMessage")] == ["429", None]


async def test_an_injected_500_does_nothing():
    async with workspace() as (slack, client):
        slack.set_fault("500", times=2)
        for _ in range(2):
            assert (await refusal_of(client.auth_test())).status_code == 500
        await client.auth_test()

    assert slack.breaches == []


async def test_accepted_but_lost_shows_the_message_and_drops_the_connection():
    async with workspace() as (slack, client):
        client.retry_handlers.clear()
        slack.set_fault("accepted_but_lost", method="chat.postMessage")
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await client.chat_postMessage(channel=OPS, text="x")

    assert [m.text for m in slack.messages(OPS)] == ["x"]
    assert slack.breaches == []


async def test_the_sdks_own_retry_posts_twice_after_a_lost_answer():
    """Why a bot must switch the SDK's connection-error retry off for posts."""
    async with workspace() as (slack, client):
        slack.set_fault("accepted_but_lost", method="chat.postMessage")
        await client.chat_postMessage(channel=OPS, text="x")

    assert [m.text for m in slack.messages(OPS)] == ["x", "x"]


async def test_a_hanging_call_waits_until_faults_are_cleared():
    async with workspace() as (slack, client):
        slack.set_fault("hang")
        call = asyncio.create_task(client.auth_test())
        done, _ = await asyncio.wait([call], timeout=0.1)
        slack.clear_faults()

        assert not done
        assert (await refusal_of(call)).status_code == 500
