"""Who may do what: fail closed, and knowledge only as old as it may be."""

import asyncio

import pytest

from chatbot.access.directory import Directory, Unknown
from chatbot.access.roles import Roles
from chatbot.settings.bot import ChatbotSettings
from chatbot.slack.errors import SlackRefused, SlackUnavailable
from chatbot.slack.identity import Identity
from jobs_maint.actions import RetryJobs, Role, ShowStats

ACT, READ = RetryJobs((1,)), ShowStats()


class People:
    """Slack as far as roles ask it; `down` is what it raises instead of answering."""

    def __init__(self):
        self.groups = {"S0OPS": {"U0ANA"}}
        self.users = {"U0ANA": {}, "U0GUS": {"is_restricted": True}}
        self.channels = {}
        self.down = None
        self.asked = 0

    def _answer(self, value):
        self.asked += 1
        if self.down is not None:
            raise self.down
        return value

    async def list_group_members(self, group):
        # As long as a network takes: others come to wait.
        await asyncio.sleep(0)
        return self._answer(frozenset(self.groups[group]))

    async def get_user(self, user):
        return self._answer({"id": user, **self.users[user]} if user in self.users else {})

    async def get_channel(self, channel):
        return self._answer(self.channels.get(channel))


class World:
    def __init__(self, roles):
        self.now = 1_000_000.0
        self.people = People()
        self.directory = Directory(self.people, lambda: self.now)
        self.roles = Roles(ChatbotSettings.load(roles=roles).roles, self.directory)

    async def role(self, user, action=READ, channel="C0OPS"):
        known = await self.roles.build_actor(user, channel, action)
        return known.actor.role

    async def problems(self, user, action=READ):
        known = await self.roles.build_actor(user, "C0OPS", action)
        return known.problems


BY_GROUP = {"operator": {"usergroups": ["S0OPS"]}}


async def test_nobody_is_granted_anything_by_default():
    world = World({})
    assert await world.role("U0ANA") is None
    assert world.people.asked == 0


async def test_a_grant_by_user_id_asks_slack_for_nothing():
    world = World({"operator": {"users": ["U0ANA"]}})
    assert await world.role("U0ANA", ACT) == "operator"
    assert await world.role("U0GUS", ACT) is None
    assert world.people.asked == 0


async def test_names_never_count():
    world = World({"operator": {"users": ["U0ANA"]}})
    known = await world.roles.build_actor("U0EVIL", "C0OPS", ACT, name="U0ANA")
    assert known.actor.role is None


async def test_a_grant_by_user_group_holds_for_its_members_only():
    world = World(BY_GROUP)
    assert await world.role("U0ANA", ACT) == "operator"
    assert await world.role("U0GUS", ACT) is None


async def test_the_grants_limits_reach_the_actor():
    grant = {"users": ["U0ANA"], "queues": ["email*"], "channels": ["C0OPS"]}
    world = World({"operator": [grant, {"users": ["U0BOB"]}]})
    known = await world.roles.build_actor("U0ANA", "C0OPS", ACT)
    assert known.actor.scope(Role.OPERATOR).globs == ("email*",)
    assert await world.role("U0ANA", ACT, channel="C0OTHER") is None


@pytest.mark.parametrize(
    ("action", "age", "asks"), [(ACT, 60, 0), (ACT, 61, 1), (READ, 600, 0), (READ, 601, 1)]
)
async def test_members_are_a_minute_old_for_acts_and_ten_for_reads_at_most(action, age, asks):
    world = World(BY_GROUP)
    await world.role("U0ANA", ACT)
    before = world.people.asked
    world.now += age
    await world.role("U0ANA", action)
    assert world.people.asked - before == asks


async def test_who_left_the_group_may_not_act_after_a_minute():
    world = World(BY_GROUP)
    assert await world.role("U0ANA", ACT) == "operator"
    world.people.groups["S0OPS"] = set()
    world.now += 61
    assert await world.role("U0ANA", ACT) is None


@pytest.mark.parametrize(
    ("action", "age", "role"),
    [(READ, 3_600, "operator"), (READ, 3_601, None), (ACT, 59, "operator"), (ACT, 61, None)],
)
async def test_when_slack_does_not_answer_reads_use_an_old_copy_and_acts_do_not(action, age, role):
    world = World(BY_GROUP)
    await world.role("U0ANA", ACT)
    world.people.down = SlackUnavailable("Slack cannot be reached")
    world.now += age
    assert await world.role("U0ANA", action) == role


async def test_an_act_that_cannot_be_checked_says_why():
    world = World(BY_GROUP)
    world.people.down = SlackUnavailable("Slack cannot be reached")
    [problem] = await world.problems("U0ANA", ACT)
    assert problem == "Slack cannot be reached"


@pytest.mark.parametrize("reason", ["plan_upgrade_required", "missing_scope", "no_such_subteam"])
async def test_a_group_that_slack_refuses_to_tell_grants_nothing_and_says_why(reason):
    world = World(BY_GROUP)
    world.people.down = SlackRefused(f"Slack refused ({reason})", reason=reason)
    assert await world.role("U0ANA", READ) is None
    assert reason in (await world.problems("U0ANA", READ))[0]


async def test_one_unknown_group_does_not_take_away_what_is_certain():
    world = World({"viewer": {"users": ["U0ANA"]}, "admin": {"usergroups": ["S0OPS"]}})
    world.people.down = SlackUnavailable("down")
    assert await world.role("U0ANA", ACT) == "viewer"
    assert await world.problems("U0ANA", ACT)


async def test_an_act_needs_fresh_knowledge_of_sufficient_roles_only():
    world = World({"viewer": {"usergroups": ["S0OPS"]}})
    await world.role("U0ANA", READ)
    before = world.people.asked
    world.now += 61
    assert await world.role("U0ANA", ACT) == "viewer"
    assert world.people.asked == before


async def test_a_clock_that_was_set_back_makes_no_copy_young():
    world = World(BY_GROUP)
    await world.role("U0ANA", ACT)
    world.people.groups["S0OPS"] = set()
    world.now -= 86_400
    assert await world.role("U0ANA", ACT) is None


@pytest.mark.parametrize(
    ("person", "role"),
    [
        ({}, "viewer"),
        ({"is_restricted": True}, None),
        ({"is_ultra_restricted": True}, None),
        ({"is_stranger": True}, None),
        ({"deleted": True}, None),
        ({"is_bot": True}, None),
    ],
)
async def test_everybody_means_members_and_no_guests(person, role):
    world = World({"viewer": {"users": ["*"]}})
    world.people.users["U0NEW"] = person
    assert await world.role("U0NEW") == role


async def test_everybody_means_nobody_when_slack_does_not_tell_who_it_is():
    world = World({"viewer": {"users": ["*"]}})
    assert await world.role("U0STRANGER") is None
    world.people.down = SlackRefused("missing_scope users:read", reason="missing_scope")
    assert await world.role("U0ANA") is None


async def test_many_at_once_ask_slack_once():
    world = World(BY_GROUP)
    await asyncio.gather(*(world.role("U0ANA", ACT) for _ in range(20)))
    assert world.people.asked == 1


async def test_whom_to_ask_is_who_holds_a_sufficient_role_lowest_first():
    world = World(
        {
            "admin": {"users": ["U0ADA"]},
            "operator": {"users": ["U0ANA"], "usergroups": ["S0OPS"]},
            "viewer": {"users": ["*", "U0VERA"]},
        }
    )
    assert world.roles.holders(Role.OPERATOR) == (("U0ANA", "U0ADA"), ("S0OPS",))
    assert world.roles.holders(Role.VIEWER)[0] == ("U0VERA", "U0ANA", "U0ADA")


async def test_whom_to_ask_is_who_reaches_the_queue():
    world = World(
        {
            "operator": [
                {"users": ["U0ANA"], "queues": ["webhook"]},
                {"users": ["U0BEA"], "queues": ["bill*"]},
            ],
            "admin": {"users": ["U0ADA"]},
        }
    )
    everyone, billing = ("U0ANA", "U0BEA", "U0ADA"), ("U0BEA", "U0ADA")
    assert world.roles.holders(Role.OPERATOR)[0] == everyone
    assert world.roles.holders(Role.OPERATOR, queues=("billing",))[0] == billing
    assert world.roles.holders(Role.OPERATOR, queues=("*",))[0] == ("U0ADA",)


async def test_who_waited_behind_a_failed_question_does_not_ask_it_again():
    world = World(BY_GROUP)
    world.people.down = SlackUnavailable("Slack cannot be reached")
    await asyncio.gather(*(world.role("U0ANA", ACT) for _ in range(20)))
    assert world.people.asked == 1
    world.people.down = None
    assert await world.role("U0ANA", ACT) == "operator"


@pytest.mark.parametrize(
    ("person", "home"),
    [
        ({"team_id": "T0HOME"}, True),
        ({"team_id": "T0OTHER"}, False),
        ({}, False),
        ({"team_id": "T0OTHER", "enterprise_user": {"enterprise_id": "E0OURS"}}, True),
        ({"team_id": "T0OTHER", "enterprise_user": {"enterprise_id": "E0OTHER"}}, False),
        ({"team_id": "E0OURS"}, True),
    ],
)
def test_people_with_whom_a_channel_is_shared_are_no_members(person, home):
    ours = Identity("U0BOT", "B0BOT", "T0HOME", "home", "E0OURS")
    assert ours.is_home_of(person) is home
    alone = Identity("U0BOT", "B0BOT", "T0HOME", "home")
    assert alone.is_home_of(person) is (person.get("team_id") == "T0HOME")


async def test_only_what_could_allow_the_act_is_a_problem():
    world = World({"viewer": {"usergroups": ["S0OPS"]}})
    world.people.down = SlackUnavailable("down")
    assert await world.problems("U0ANA", ACT) == ()
    assert await world.problems("U0ANA", READ) == ("down",)


@pytest.mark.parametrize(
    ("channel", "shared"),
    [({}, False), ({"is_ext_shared": True}, True), ({"is_pending_ext_shared": True}, True)],
)
async def test_a_channel_shared_outside_is_known_as_such(channel, shared):
    world = World({})
    world.people.channels["C0OPS"] = channel
    assert await world.directory.is_shared_outside("C0OPS") is shared
    world.people.down = SlackUnavailable("down")
    with pytest.raises(Unknown):
        await world.directory.is_shared_outside("C0OTHER")
