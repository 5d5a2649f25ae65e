"""The people named in CHATBOT_ROLES: checked by doctor, and never sent to when they are gone."""

import json
import re

import pytest
from tests.support.bots import ask, bot_settings, open_bot, open_slack

from chatbot.messages.packer import pack
from chatbot.messages.parts import paragraph
from chatbot.setup.people import check_people
from chatbot.slack.client import SlackClient
from chatbot.slack.errors import SlackRefused
from jobs_maint.errors import InvalidSettings
from local_slack.config import User
from local_slack.sample import (
    ADMIN,
    ARCHIVED,
    GUEST,
    OPERATOR,
    OPS,
    VIEWER,
    build_sample_config,
)
from local_slack.text import as_text

GONE, ROBOT = "U0GONE", "U0ROBOT"
ROLES = json.dumps(
    {"viewer": {"users": [VIEWER]}, "admin": {"users": [GONE, "U0NOBODY", ROBOT, GUEST, ADMIN]}}
)
USERS = (User(GONE, "gone", deleted=True), User(ROBOT, "robot", is_bot=True))


async def test_doctor_finds_people_who_are_unknown_deactivated_guests_or_bots():
    async with open_slack(build_sample_config(more_users=USERS)) as slack:
        settings = bot_settings(slack, roles=ROLES)
        client = SlackClient(settings)
        await client.web.auth_test()
        found = {one.check: one.sentence for one in await check_people(settings, client.web)}
        await client.close()
    assert set(found) == {f"slack_person:{one}" for one in (GONE, "U0NOBODY", ROBOT, GUEST)}
    assert "deactivated" in found[f"slack_person:{GONE}"]
    assert "no such person" in found["slack_person:U0NOBODY"]
    assert "bot" in found[f"slack_person:{ROBOT}"]
    assert "guest" in found[f"slack_person:{GUEST}"]


async def test_doctor_names_those_who_hold_a_role_and_calls_none_of_them(pool):
    roles = {
        "admin": {"users": [ADMIN]},
        "operator": {"users": ["U0NOBODY"], "usergroups": ["S0OPERATORS", "S0NONE"]},
        "viewer": {"users": ["*", GONE]},
    }
    async with open_bot(pool, settings={"roles": json.dumps(roles)}, more_users=USERS) as (
        slack,
        bot,
    ):
        [answer] = await ask(slack, bot, ADMIN, OPS, "/jobs doctor")
        told = " ".join(as_text(answer).split())
        assert (
            f"Admin: {ADMIN} (ada); operator: U0NOBODY, S0OPERATORS (operators, 1 member), "
            f"S0NONE (members unknown); viewer: *, {GONE} (gone)."
        ) in told
        assert f"{GONE} (gone; viewer) is deactivated" in told
        # Slack would notify whomever a message mentions.
        assert "<@" not in answer.text + told
        assert not re.search('"type": ?"user(group)?"', json.dumps(answer.blocks))
        assert slack.breaches == []
    async with open_bot(
        pool,
        settings={"roles": json.dumps(roles)},
        more_users=USERS,
        bot_scopes=("commands", "chat:write"),
        provokes=["missing_scope"],
    ) as (slack, bot):
        [answer] = await ask(slack, bot, ADMIN, OPS, "/jobs doctor")
        assert f"Admin: {ADMIN}; operator: U0NOBODY, S0OPERATORS (members unkn" in " ".join(
            as_text(answer).split()
        )
        assert slack.calls("usergroups.list") == slack.calls("users.info") == []


async def test_doctor_in_slack_tells_channels_by_their_names(pool):
    """Slack draws the name of a mention, also of a channel that was renamed. Of none: its id."""
    digests = [
        {"name": f"to-{one}", "channel": one, "cron": "0 9 * * *"} for one in (ARCHIVED, "C0NONE")
    ]
    roles = {"admin": {"users": [ADMIN]}, "viewer": {"users": ["*"], "channels": [OPS]}}
    settings = {"roles": json.dumps(roles), "digests": json.dumps(digests)}
    async with open_bot(pool, settings=settings) as (slack, bot):
        with pytest.raises(SlackRefused):
            await bot.slack.posting.post(ARCHIVED, pack([paragraph(["hello"])]))
        [answer] = await ask(slack, bot, ADMIN, OPS, "/jobs doctor")
        blocks = json.dumps(answer.blocks)
    assert f"viewer: * in <#{OPS}>" in answer.text
    assert f"<#{ARCHIVED}> (the digest to-{ARCHIVED} and incidents) is archived" in answer.text
    assert re.search(rf"<#{ARCHIVED}> at [0-9:]+ UTC: ", answer.text)
    assert "C0NONE (the digest to-C0NONE): " in answer.text
    assert re.findall(r'"channel_id": ?"(\w+)"', blocks).count(ARCHIVED) == 2
    assert f"{ARCHIVED} " not in answer.text.replace(f"to-{ARCHIVED}", "")


async def test_a_refusal_never_says_ask_somebody_gone(pool):
    gone = [GONE, "U0NOBODY", ROBOT]
    roles = json.dumps({"viewer": {"users": [VIEWER]}, "admin": {"users": [*gone, ADMIN]}})
    async with open_bot(pool, settings={"roles": roles}, more_users=USERS) as (slack, bot):
        for words in ("/jobs purge", "/jobs help"):
            [answer] = await ask(slack, bot, VIEWER, OPS, words)
            assert not [one for one in gone if one in as_text(answer)]
            assert ADMIN in as_text(answer)


async def test_whoever_has_no_role_is_sent_to_those_whose_grant_reaches_it(pool, make_job):
    """As a viewer is; of a job nobody tells its queue, so it is those who reach every queue."""
    job = await make_job(queue="email")
    narrow = {"users": [OPERATOR], "queues": ["webhook"]}
    wide = {"viewer": [narrow], "admin": [{"users": [ADMIN]}]}
    for roles, words, asked in (
        (wide, "stats email", ADMIN),
        (wide, f"status {job}", ADMIN),
        (wide, "status 4711", ADMIN),
        (wide, "stats webhook", OPERATOR),
        ({"viewer": [narrow]}, f"status {job}", OPERATOR),
    ):
        async with open_bot(pool, settings={"roles": json.dumps(roles)}) as (slack, bot):
            [answer] = await ask(slack, bot, VIEWER, OPS, f"/jobs {words}")
            [line] = [one for one in as_text(answer).splitlines() if one.startswith("Ask ")]
            others = {ADMIN, OPERATOR} - {asked} if words != "stats webhook" else set()
            assert f"@{asked}" in line, words
            assert not any(other in line for other in others), words


async def test_where_all_who_hold_the_role_are_gone_the_settings_are_named(pool):
    roles = json.dumps({"viewer": {"users": [VIEWER]}, "admin": {"users": ["U0NOBODY"]}})
    async with open_bot(pool, settings={"roles": roles}) as (slack, bot):
        [answer] = await ask(slack, bot, VIEWER, OPS, "/jobs purge")
        assert "CHATBOT_ROLES" in as_text(answer)


@pytest.mark.parametrize("token", ["xoxe.xoxb-1-abc", "xoxe-1-abc"])
async def test_a_rotating_token_is_refused_in_words(token):
    async with open_slack() as slack:
        with pytest.raises(InvalidSettings, match="rotating token"):
            bot_settings(slack, slack_bot_token=token)
