"""A world in simulated time: a real PostgreSQL and the strict local Slack.

Time is that of the database's own functions, which come first in the search path of whoever is in
this world, and of the clocks and sleeps that the senders are given: an hour passes by a statement.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import procrastinate
import psycopg
from psycopg_pool.base import AttemptWithBackoff
from tests.simulation.senders import Fate, WatchedCursor, pass_point, watch_slack
from tests.support.bots import open_slack

from chatbot.digests.tasks import build_blueprint
from chatbot.settings.bot import ChatbotSettings
from jobs_maint import upstream
from jobs_maint.settings import MaintSettings
from local_slack import LocalSlack
from local_slack.sample import OPS, RANDOM, build_sample_config

SENDER = "simulated-sender"
# A transaction keeps the time at which it began, whatever passes meanwhile.
CLOCK = """
CREATE SCHEMA sim;
CREATE TABLE sim.clock (real_from timestamptz NOT NULL, ahead interval NOT NULL);
INSERT INTO sim.clock VALUES ('-infinity', '0');
CREATE FUNCTION sim.at(moment timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT moment + (SELECT ahead FROM sim.clock WHERE real_from <= moment
                      ORDER BY real_from DESC LIMIT 1)';
CREATE FUNCTION sim.now() RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT sim.at(pg_catalog.now())';
CREATE FUNCTION sim.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    'SELECT sim.at(pg_catalog.clock_timestamp())';
ALTER TABLE jobs_maint_digests ALTER opened_at SET DEFAULT sim.now();
"""
PATH = "-c search_path=public,sim,pg_catalog"
FAIL = """
WITH job AS (
    INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, attempts)
    SELECT 'q', 'app.f' || number, '{}', 'failed', 1 FROM unnest(%(numbers)s::int[]) AS number
    RETURNING id, task_name
), named AS (
    SELECT id, task_name, at FROM job
    JOIN unnest(%(numbers)s::int[], %(ages)s::float8[]) AS one (number, age)
      ON task_name = 'app.f' || number
    CROSS JOIN LATERAL (SELECT now() - age * interval '1 second' AS at) AS failed
), ended AS (
    INSERT INTO procrastinate_events (job_id, type, at)
    SELECT id, 'failed', at FROM named RETURNING job_id
)
INSERT INTO jobs_maint_failures (job_id, attempt, queue_name, task_name, failed_at, kind,
                                 exception_type, message, fingerprint, will_retry)
SELECT id, 1, 'q', task_name, at, 'error', 'ValueError', 'it broke', '1:x', false FROM named
"""
TABLES = "jobs_maint_digests, jobs_maint_failures, procrastinate_events, procrastinate_jobs"


@dataclass
class World:
    driver: psycopg.AsyncConnection[Any]
    slack: LocalSlack
    app: procrastinate.App
    clock: Clock

    async def begin_anew(self) -> None:
        await self.driver.execute(f"TRUNCATE {TABLES} CASCADE")
        self.slack._workspace.messages.clear()

    async def fail_jobs(self, *numbers: int, ages: Sequence[float]) -> None:
        """Each of a task of its own, so many seconds ago."""
        await self.driver.execute(FAIL, {"numbers": list(numbers), "ages": list(ages)})

    async def start(self, sending: Coroutine[Any, Any, str], fate: Fate) -> asyncio.Task[str]:
        """A sender that goes on in the background, until it is suspended."""
        task = asyncio.create_task(sending)
        await fate.asleep.wait()
        return task

    async def advance(self, seconds: float) -> None:
        self.clock.ahead += seconds
        await self.driver.execute(
            "INSERT INTO sim.clock VALUES (pg_catalog.clock_timestamp(), %s * interval '1 second')",
            (self.clock.ahead,),
        )

    async def sleep(self, seconds: float) -> None:
        """Of a sender: the world goes on meanwhile."""
        await pass_point()
        await self.advance(seconds)
        await asyncio.sleep(0)

    async def restart_database(self) -> None:
        """As its connections see it.

        The pool meets none that is lost: it would wait for seconds after each one it finds.
        """
        for wait in (0, 1_000):  # the end of all at once
            await self.driver.execute(
                f"SELECT pg_terminate_backend(pid, {wait}) FROM pg_stat_activity"
                f" WHERE application_name = '{SENDER}'"
            )
        await upstream.app_pool(self.app).check()


@dataclass
class Clock:
    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@contextlib.asynccontextmanager
async def open_world(
    database_url: str, monkeypatch: Any, *digests: dict[str, Any], provokes: Sequence[str] = ()
) -> AsyncIterator[World]:
    """A Slack, and an app whose task sends these digests."""
    watch_slack(monkeypatch)
    # The pool waits for 1 s, 2 s, … of real time after each dead connection that it finds.
    monkeypatch.setattr(AttemptWithBackoff, "INITIAL_DELAY", 0.02)
    clock = Clock()
    options = {"options": PATH, "application_name": SENDER, "cursor_factory": WatchedCursor}
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(
            conninfo=database_url, kwargs=options, min_size=1, max_size=4
        )
    )
    async with (
        await psycopg.AsyncConnection.connect(
            database_url, autocommit=True, options=PATH
        ) as driver,
        open_slack(build_sample_config(), clock=clock, provokes=provokes) as slack,
        app.open_async(),
    ):
        await driver.execute(CLOCK)
        slack.add_bot(RANDOM)
        world = World(driver, slack, app, clock)
        settings = ChatbotSettings.load(
            slack_bot_token="xoxb-local",
            slack_api_url=slack.api_url,
            audit_channel=RANDOM,
            digests=json.dumps(digests),
        )
        blueprint = build_blueprint(settings, MaintSettings.load(), clock=clock, sleep=world.sleep)
        app.add_tasks_from(blueprint, namespace="chatbot")
        yield world


@dataclass(frozen=True)
class Told:
    """What a message in a channel says, with its thread."""

    key: str
    counted: int
    repeat: bool
    ts: str
    named: tuple[int, ...]
    """Failures in its thread."""
    thread: tuple[tuple[str, bool], ...]
    """Keys of the replies, and whether they say that they may be a repeat."""


COUNT = re.compile(r"(\d+|No|no) (?:failures?|job failed|job ran)\b")
NAMED = re.compile(r"^[1-9]\d* × f(\d+)\b", re.MULTILINE)
REPEAT = "may be a repeat"


def read_messages(slack: LocalSlack) -> list[Told]:
    there = [one for place in (OPS, RANDOM) for one in slack.messages(place) if one.metadata]
    told = []
    for message in (one for one in there if one.thread_ts is None):
        [said] = COUNT.findall(message.text.splitlines()[0])
        replies = [
            one for one in there if (one.channel, one.thread_ts) == (message.channel, message.ts)
        ]
        names = {name for one in replies for name in NAMED.findall(one.text)}
        told.append(
            Told(
                key=message.metadata["event_payload"]["key"],
                counted=int(said) if said.isdigit() else 0,
                repeat=REPEAT in message.text,
                ts=message.ts,
                named=tuple(sorted(map(int, names))),
                thread=tuple(
                    (one.metadata["event_payload"]["key"], REPEAT in one.text) for one in replies
                ),
            )
        )
    return told
