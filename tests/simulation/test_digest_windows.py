"""Windows of a digest with random crashes, faults of Slack and restarts of the database.

Nothing is lost, nothing is told twice without saying so. A story of some windows is made by its
seed alone; the failure of one names it.
"""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest
from tests.simulation.senders import HOUR, Fate, send
from tests.simulation.world import open_world, read_messages

from local_slack.sample import ALL_SCOPES, OPS

WINDOWS, SETTLING = 8, 2
"""In a story: with faults, then without."""
DIGESTS = [
    {"name": quiet, "channel": OPS, "cron": "0 * * * *", "groups": 30, "when_quiet": quiet}
    for quiet in ("post", "skip")
]
FAULTS = (
    "429",
    "500",
    "500",
    "accepted_but_lost",
    "accepted_but_lost",
    "garbage",
    "invalid_blocks",
    "reset",
)
ROWS = "SELECT id, key, since, until, state, ts, error FROM jobs_maint_digests ORDER BY id"
BLOWS = ("die", "die", "die_after_post", "suspend", "suspend_before_post", "restart")
METHODS = ("chat.postMessage", "chat.postMessage", "conversations.history", "*")
NO_HISTORY = tuple(scope for scope in ALL_SCOPES if "history" not in scope)


class Story:
    def __init__(self, world, chance, name):
        self.world, self.chance, self.name = world, chance, name
        self.failures = 0
        self.orphans = []
        """Ticks whose senders died or did not succeed: their jobs are put back."""
        self.deleted = []
        self.was_archived = False

    async def play(self):
        for _ in range(WINDOWS):
            await self.pass_hour()
            self.arm()
            await self.tick()
            self.disarm()
        self.world.slack.clear_faults()
        self.world.slack.set_archived(OPS, False)
        self.world.slack.set_scopes(ALL_SCOPES)
        for _ in range(SETTLING):
            await self.pass_hour(failures=0)
            orphans, self.orphans = self.orphans, []
            for tick in [*orphans, None]:
                await self.send(Fate(), tick)

    async def pass_hour(self, failures=None):
        await self.world.advance(HOUR - self.world.clock() % HOUR + 2)
        count = self.chance.choice((0, 1, 1, 2, 4)) if failures is None else failures
        numbers = [self.failures + i for i in range(count)]
        self.failures += count
        ages = [self.chance.uniform(0, HOUR - 600) for _ in numbers]
        await self.world.fail_jobs(*numbers, ages=ages)

    def arm(self):
        slack, chance = self.world.slack, self.chance
        for _ in range(chance.choice((0, 0, 1, 1, 2, 3))):
            slack.set_fault(
                chance.choice(FAULTS),
                method=chance.choice(METHODS),
                times=chance.choice((1, 1, 2, 5)),
                retry_after=chance.choice((1, 20, 90)),
            )
        if chance.random() < 0.1:
            slack.set_archived(OPS, True)
            self.was_archived = True
        slack.set_scopes(NO_HISTORY if chance.random() < 0.2 else ALL_SCOPES)

    def disarm(self):
        """Some faults last longer than a window; a person may delete a message meanwhile."""
        if self.chance.random() < 0.7:
            self.world.slack.clear_faults()
        if self.chance.random() < 0.7:
            self.world.slack.set_archived(OPS, False)
        there = [one for one in self.world.slack._workspace.messages if one.thread_ts is None]
        if there and self.chance.random() < 0.1:
            message = self.chance.choice(there)
            self.deleted += [one for one in read_messages(self.world.slack) if one.ts == message.ts]
            self.world.slack._workspace.delete(message)

    def draw_fate(self):
        """At most two blows: a sender passes some eighty points."""
        chance = self.chance
        fate = Fate(at_post=chance.choice((0, 0, 1, 2)))
        for _ in range(chance.choice((0, 0, 1, 1, 2))):
            match chance.choice(BLOWS):
                case "die" | "restart" as blow:
                    setattr(fate, blow, chance.randrange(90))
                case "suspend":
                    fate.suspend = chance.randrange(8)
                case blow:
                    setattr(fate, blow, True)
        # A reply that was posted late is noted as a repeat by its sender alone.
        if fate.suspend is not None or (fate.suspend_before_post and fate.at_post):
            fate.die, fate.die_after_post = None, False
        return fate

    async def tick(self):
        orphans, self.orphans = self.orphans, []
        for tick in orphans:
            await self.send(self.draw_fate_awake(), tick)
        fates = [self.draw_fate() for _ in range(self.chance.choice((1, 1, 1, 2)))]
        senders = [asyncio.create_task(self.send(fate)) for fate in fates]
        while waiting := [one for one in senders if not one.done()]:
            asleep = [asyncio.create_task(fate.asleep.wait()) for fate in fates]
            await asyncio.wait([*waiting, *asleep], return_when=asyncio.FIRST_COMPLETED)
            for one in asleep:
                one.cancel()
            for fate in fates:
                if fate.asleep.is_set():
                    # Long enough for others to take it for dead.
                    await self.world.advance(self.chance.choice((60, 400)))
                    await self.send(self.draw_fate_awake())
                    fate.asleep.clear()
                    fate.woken.set()

    def draw_fate_awake(self):
        fate = self.draw_fate()
        fate.suspend, fate.suspend_before_post = None, False
        return fate

    def told(self):
        return read_messages(self.world.slack)

    async def send(self, fate, tick=None):
        tick = tick or int(self.world.clock()) // HOUR * HOUR
        result = await send(self.world, self.name, fate, tick=tick)
        if result.startswith(("killed", "failed")):
            self.orphans.append(tick)


async def fetch(conn, query):
    return await (await conn.execute(query)).fetchall()


async def check(story):
    world = story.world
    failures = dict(
        await fetch(
            world.driver,
            "SELECT substr(task_name, 6)::int, failed_at FROM jobs_maint_failures",
        )
    )
    rows = await fetch(world.driver, ROWS)
    told = story.told()
    by_key = {key: (since, until) for _, key, since, until, *_ in rows if key}
    times = dict.fromkeys(failures, 0)
    for message in [*told, *story.deleted]:
        since, until = by_key[message.key]
        there = sorted(number for number, at in failures.items() if since <= at < until)
        assert message.counted == len(there), message
        # An archived channel takes no replies.
        kept = message.ts in {row[5] for row in rows} and message not in story.deleted
        whole = kept and not story.was_archived
        assert list(message.named) == there or not whole, message
        replies = [key for key, repeat in message.thread if not repeat]
        assert len(replies) == len(set(replies)), "twice in a thread, unsaid"
        for number in there:
            times[number] += 1
    begin = min(row[2] for row in rows)
    missing = [number for number, count in times.items() if not count and failures[number] >= begin]
    assert missing == [], "never told"
    plain = [by_key[message.key] for message in told if not message.repeat]
    twice = [
        number
        for number, at in failures.items()
        if sum(since <= at < until for since, until in plain) > 1
    ]
    assert twice == [], "told twice, unsaid"
    # Windows of which nothing says that it may be a repeat follow one another.
    repeats = {one.key for one in [*told, *story.deleted] if one.repeat}
    ended = [row for row in rows if row[4] in ("sent", "quiet")]
    for before, after in itertools.pairwise(ended):
        assert before[3] == after[2] or {before[1], after[1]} & repeats, (before, after)


async def play_stories(url, monkeypatch, seeds):
    # The last: replies are looked for below a message that somebody deleted meanwhile.
    provokes = ("is_archived", "missing_scope", "thread_not_found")
    async with open_world(url, monkeypatch, *DIGESTS, provokes=provokes) as world:
        for seed in seeds:
            await world.begin_anew()
            chance = random.Random(seed)
            story = Story(world, chance, chance.choice(DIGESTS)["name"])
            try:
                await story.play()
                await check(story)
            except BaseException as exc:
                rows = await fetch(world.driver, ROWS)
                told = [f"The story of seed {seed}:", *map(str, rows), *map(str, story.told())]
                exc.add_note("\n".join(told))
                raise


async def test_a_hundred_windows_lose_nothing_and_repeat_nothing_unsaid(database_url, monkeypatch):
    await play_stories(database_url, monkeypatch, range(10))


@pytest.mark.soak
async def test_a_thousand_windows_lose_nothing_and_repeat_nothing_unsaid(database_url, monkeypatch):
    await play_stories(database_url, monkeypatch, range(100, 200))
