"""Incidents told while bots die and sleep at any point and Slack fails: each step exactly once.

The steps of the incidents are written into the table; how they come about is simulated elsewhere.
"""

import asyncio
import json
import random
import time
from datetime import UTC, datetime

import pytest
from psycopg.types.json import Jsonb
from tests.support.bots import bot_settings, open_slack
from tests.support.watched import lose_watch

from chatbot.bot import Bot
from chatbot.slack.client import SlackClient
from chatbot.slack.web_api import WebApi
from chatbot.watching import telling
from chatbot.watching.watch import Watch
from jobs_maint.perform import perform
from local_slack import Limits
from local_slack.sample import OPS, build_sample_config

NOTHING = {
    "channel": OPS, "no_worker": "off", "queue_behind": "off", "digest_overdue": False,
    "tick_missed": True,
}  # fmt: skip
"""The watch sees nothing of ticks where no worker lives: only the simulation changes incidents."""
METHODS = ("chat.postMessage", "chat.update", "conversations.history", "conversations.replies")
KINDS = ("500", "429", "reset", "accepted_but_lost", "garbage")
REPEAT = "may be a repeat"
LATE = "it came late"


class Killed(BaseException):
    """As a SIGKILL ends it: nothing after it runs."""


class World:
    """Bots with a fate, one database, one Slack, one clock."""

    def __init__(self, seed, conn, incidents):
        self.incidents = incidents
        self.rng = random.Random(seed)
        self.conn = conn
        self.now = time.time()
        self.deadly = self.rng.choice((0.0, 0.5, 1.0))
        """How often a fate is a death, and not a sleep."""
        self.points = None
        """Before so many points are passed, nothing befalls the bot that has the watch."""
        self.sleeping = False
        self.bots, self.watches = [], []

    def clock(self):
        return self.now

    async def sleep(self, seconds):
        self.now += seconds
        await asyncio.sleep(0)

    async def meet(self):
        """A point between two statements or calls: what the bot has as its fate befalls it."""
        if self.points is None or self.sleeping:
            return
        self.points -= 1
        if self.points >= 0:
            return
        self.points = None
        if self.rng.random() < self.deadly:
            raise Killed
        # Suspended: another one takes over meanwhile.
        self.sleeping = True
        await lose_watch(self.conn)
        try:
            other = await self.start()
            for _ in range(2):
                await self.change()
                await other.pass_once()
        finally:
            self.sleeping = False
        self.now += 60

    async def start(self):
        """Another process."""
        client = SlackClient(self.settings, clock=self.clock, sleep=self.sleep)
        bot = Bot(self.settings, self.pool, slack=client)
        self.bots.append(bot)
        self.watches.append(Watch(bot.services, bot.settings.incidents, clock=self.clock))
        return self.watches[-1]

    async def change(self):
        """Each incident makes a step, or none: it begins, gets worse, is over."""
        for number in range(self.incidents):
            found = await self.conn.execute(
                "SELECT id, state, jsonb_array_length(history) FROM jobs_maint_incidents"
                " WHERE subject = %s", (f"q{number}",),
            )  # fmt: skip
            row = await found.fetchone()
            if row is None:
                if self.rng.random() < 0.4:
                    await self.begin(number)
            elif row[1] == "open" and self.rng.random() < 0.35:
                over = row[2] > 2 and self.rng.random() < 0.5
                await self.go_on(row[0], number, row[2], over=over)

    async def begin(self, number):
        await self.conn.execute(
            "INSERT INTO jobs_maint_incidents (kind, subject, state, since, opened_at, seen_at,"
            " value, worst, value_limit, facts, history, revised_at) VALUES ('tick_missed', %s,"
            " 'open', now(), now(), now(), 60, 60, 60, jsonb_build_object('tick', now()), %s,"
            " now())",
            (f"q{number}", Jsonb([self.entry(number, "opened", 60)])),
        )  # fmt: skip

    async def go_on(self, incident_id, number, step, *, over=False):
        value = 60.0 * (step + 1)
        entry = self.entry(number, "resolved" if over else "worse", value)
        await self.conn.execute(
            "UPDATE jobs_maint_incidents SET value = %(value)s, worst = %(value)s,"
            " history = history || %(entry)s::jsonb, revision = revision + 1, revised_at = now(),"
            " state = CASE WHEN %(over)s THEN 'resolved' ELSE state END,"
            " resolved_at = CASE WHEN %(over)s THEN now() END WHERE id = %(id)s",
            {"value": value, "entry": Jsonb([entry]), "over": over, "id": incident_id},
        )  # fmt: skip

    def entry(self, number, what, value):
        at = datetime.now(UTC).isoformat()
        return {"at": at, "what": what, "kind": "tick_missed", "subject": f"q{number}",
                "value": value, "by": None}  # fmt: skip

    async def run(self, watch):
        """One pass; returns the bot of the next one."""
        if self.rng.random() < 0.7:
            self.points = self.rng.randrange(25)
        for _ in range(self.rng.choice((0, 0, 1, 2))):
            self.slack.set_fault(
                self.rng.choice(KINDS), method=self.rng.choice(METHODS),
                times=self.rng.randint(1, 3), retry_after=self.rng.choice((1, 60)),
            )  # fmt: skip
        try:
            await watch.pass_once()
        except Killed:
            self.watches.remove(watch)
            watch = await self.start()
            await lose_watch(self.conn)
        self.points = None
        self.slack.clear_faults()
        self.now += 61
        return watch


async def play(seed, pool, conn, monkeypatch, incidents, *, may_look=True):
    world = World(seed, conn, incidents)
    limits = Limits(burst=10_000)
    async with open_slack(build_sample_config(limits=limits), clock=world.clock) as slack:
        if not may_look:
            slack.set_scopes([one for one in slack._workspace.bot_scopes if "history" not in one])
        world.slack, world.pool = slack, pool
        world.settings = bot_settings(slack, incidents=json.dumps(NOTHING))
        call = WebApi._call_once

        async def call_once(self, method, *args, **more):
            await world.meet()
            answer = await call(self, method, *args, **more)
            await world.meet()
            return answer

        async def store(pool, actor, action, **more):
            await world.meet()
            result = await perform(pool, actor, action, **more)
            await world.meet()
            return result

        monkeypatch.setattr(WebApi, "_call_once", call_once)
        monkeypatch.setattr(telling, "perform", store)
        watch = await world.start()
        for _ in range(14):
            await world.change()
            watch = await world.run(watch)
        slack.clear_faults()
        found = await conn.execute(
            "SELECT id, subject, jsonb_array_length(history) FROM jobs_maint_incidents"
            " WHERE state = 'open'"
        )
        for incident_id, subject, step in await found.fetchall():
            await world.go_on(incident_id, int(subject[1:]), step, over=True)
        await lose_watch(conn)
        watch = await world.start()
        for _ in range(6):
            world.now += 90
            report = await watch.pass_once()
        assert report.changes == ()
        for late in world.watches:  # those that were not killed
            await late.pass_once()
        for bot in world.bots:
            await bot.close(0)
        return slack.messages(OPS)


def name_of(message):
    return (message.metadata or {}).get("event_payload", {}).get("name")


async def check(conn, messages, incidents, *, may_look=True):
    """Each is told in one message that is green, and each step in its thread; else it says so."""
    found = await conn.execute(
        "SELECT id, subject, history, ts FROM jobs_maint_incidents ORDER BY id"
    )
    rows = await found.fetchall()
    assert len(rows) > 0.9 * incidents
    repeats = 0
    for number, subject, history, ts in rows:
        roots = [one for one in messages if name_of(one) == f"I-{number}"]
        [kept] = [one for one in roots if one.ts == ts]
        others = [one for one in roots if one.ts != ts]
        assert kept.text.startswith(f"🟢 {subject} is started again after "), kept.text
        unsaid = [one for one in (*others, kept) if LATE not in one.text and REPEAT not in one.text]
        if may_look:
            assert [one for one in others if LATE not in one.text] == []
        else:
            assert len(unsaid) <= 1 + len([one for one in others if REPEAT in one.text])
        steps = kept.metadata["event_payload"]["steps"]
        thread = [one.text for one in messages if one.thread_ts == ts]
        for i, entry in enumerate(history):
            said = (
                f"{subject} is started again." if entry["what"] == "resolved"
                else f"was not started when it was due, now for {entry['value'] / 60:.0f} min."
            )  # fmt: skip
            # In seconds; and neither an opening nor what the watch adds is a step of these.
            if entry["value"] < 100 or entry["what"] == "unwatched":
                continue
            there = [text for text in thread if said in text]
            sure = [text for text in there if REPEAT not in text]
            assert len(sure) <= 1, (subject, i, thread)
            assert bool(there) == (i >= steps), (subject, i, steps, thread)
            repeats += len(there) > 1 or bool(others)
    return repeats


async def test_thirty_incidents_are_told_exactly_once(pool, conn, monkeypatch):
    messages = await play(1, pool, conn, monkeypatch, 30)
    await check(conn, messages, 30)


async def test_where_nobody_may_look_what_is_told_twice_says_so(pool, conn, monkeypatch):
    messages = await play(2, pool, conn, monkeypatch, 10, may_look=False)
    await check(conn, messages, 10, may_look=False)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3, 13))
async def test_three_hundred_incidents_are_told_exactly_once(pool, conn, monkeypatch, seed):
    messages = await play(seed, pool, conn, monkeypatch, 30)
    await check(conn, messages, 30)
