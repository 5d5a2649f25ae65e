"""A night in a channel: the real watch and digests, a real PostgreSQL, in simulated time."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from chatbot.bot import Bot
from chatbot.messages.result import render_result
from chatbot.slack.client import SlackClient
from chatbot.watching.watch import Watch
from jobs_maint.actions import Actor, Grant, Role
from jobs_maint.database import open_pool
from jobs_maint.errors import JobsMaintError
from jobs_maint.grammar import parse_words, split_text
from jobs_maint.perform import perform
from local_slack.sample import OPERATOR, OPS
from tests.simulation.world import PATH, World, open_world
from tests.support.bots import bot_settings
from tests.support.drawing import Drawn
from tests.support.fleet import Fleet
from tests.support.history import JobFactory
from tests.support.server import Server
from tests.support.watched import roots

DIGESTS = [{"name": "hourly", "channel": OPS, "cron": "0 * * * *"}]
INCIDENTS = {
    "channel": OPS, "failures": True, "group": True, "jobs_stuck": True, "tick_missed": True,
    "maintenance_overdue": True, "recorder_silent": True,
}  # fmt: skip
RUNBOOKS = {"*webhook*": "https://wiki.example.com/webhooks"}
PASS = 15.0
ANA = Actor("slack", OPERATOR, "ana", OPS, (Grant(Role.ADMIN),))
# What the tables have as their default was bound to the real clock when they were made.
DEFAULTS = r"""
DO $$ DECLARE one record; BEGIN
FOR one IN SELECT table_name, column_name FROM information_schema.columns
           WHERE table_schema = 'public' AND column_default ~ '(now|clock_timestamp)\(\)$' LOOP
    EXECUTE format('ALTER TABLE %I ALTER %I SET DEFAULT sim.now()',
                   one.table_name, one.column_name);
END LOOP; END $$"""


class Night:
    """`alive`: the workers that beat. `drawn`: what was seen, in order."""

    def __init__(self, server: Server, world: World, pool: Any, bot: Bot) -> None:
        self.server, self.world, self.pool, self.conn = server, world, pool, world.driver
        self.slack = world.slack
        self.make_job = JobFactory(self.conn)
        self.alive: list[int] = []
        self.drawn: list[Drawn] = []
        self._fleet = Fleet(pool, self.conn, self.make_job)
        self._watch = Watch(bot.services, bot.settings.incidents, clock=world.clock)
        self._seen: dict[str, str] = {}

    async def start_worker(self) -> int:
        worker = await self._fleet.start_worker()
        await self._fleet.heartbeat(worker)
        self.alive.append(worker)
        return worker

    async def pass_time(
        self, span: timedelta, *, every: float = PASS, watched: bool = True
    ) -> None:
        left = span.total_seconds()
        while left > 0:
            await self.world.advance(min(every, left))
            left -= every
            for worker in self.alive:
                await self._fleet.beat(worker)
                await self._fleet.heartbeat(worker)
            if watched:
                with contextlib.suppress(JobsMaintError):  # the database may be away
                    await self._watch.pass_once()

    def look(self, title: str) -> None:
        """What is new in the channel since the last look."""
        label = f"{self._now:%H:%M}  {title}"
        there = self.slack.messages(OPS)
        news = [one for one in there if self._seen.get(one.ts) != json.dumps(one.blocks)]
        for one in sorted(news, key=lambda one: (one.thread_ts or one.ts, one.ts)):
            edited = " · edited" if one.ts in self._seen else ""
            place = " · in its thread" if one.thread_ts else edited
            self.drawn.append(Drawn(f"{label}{place}", one.blocks, private=one.ephemeral))
            self._seen[one.ts] = json.dumps(one.blocks)
        if not news:
            self.drawn.append(Drawn(f"{label}: nothing new", []))

    async def press(self, button: str, which: int = -1) -> None:
        """Somebody does what a button of the newest message does."""
        rows = [one for one in roots(self.slack)[which].blocks if one["type"] == "actions"]
        clicks = [one for row in rows for one in row["elements"]]
        [words] = [one["value"] for one in clicks if one["text"]["text"] == button]
        await self.ask(words)

    async def ask(self, words: str) -> None:
        result = await perform(self.pool, ANA, parse_words(split_text(words), "slack").action)
        shown = render_result(result, "/jobs", by=OPERATOR)
        label = f"{self._now:%H:%M}  answer"
        self.drawn.append(Drawn(label, shown.blocks, typed=f"/jobs {words}"))

    @property
    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.world.clock(), UTC)

    async def finish_jobs(self) -> None:
        for status in ("doing", "succeeded"):
            await self.conn.execute(
                "UPDATE procrastinate_jobs SET status = %s WHERE status IN ('todo', 'doing')",
                (status,),
            )


@contextlib.asynccontextmanager
async def open_night(server: Server) -> AsyncIterator[Night]:
    """At two o'clock of some night to come."""
    url = server.url(server.create("ours_template"))
    options = PATH.replace(" ", "%20").replace("=", "%3D")
    with pytest.MonkeyPatch.context() as patch:
        async with (
            open_world(url, patch, *DIGESTS) as world,
            open_pool(f"{url}&options={options}", max_size=6) as pool,
        ):
            await world.driver.execute(DEFAULTS)
            day = datetime.now(UTC).date() + timedelta(days=2)
            begin = datetime.combine(day, time(2), UTC)
            await world.advance(begin.timestamp() - world.clock())
            settings = bot_settings(
                world.slack, incidents=json.dumps(INCIDENTS), digests=json.dumps(DIGESTS),
                runbooks=json.dumps(RUNBOOKS),
            )  # fmt: skip
            client = SlackClient(settings, clock=world.clock, sleep=world.sleep)
            bot = Bot(settings, pool, clock=world.clock, slack=client)
            await bot.identify()
            try:
                yield Night(server, world, pool, bot)
            finally:
                await bot.close(0)
