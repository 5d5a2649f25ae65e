"""The bot with fifty people at once: how soon it acknowledges and answers, and what it holds.

The bot is a process, the local Slack is this one; requests come over real HTTP or a real socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import psycopg

from benchmarks.bot_load import PEOPLE, BotProcess, CrowdedSlack, Person, Timed, open_crowd
from benchmarks.bot_report import MODES, keep, summarize, tell_crowd, tell_memory
from benchmarks.measure import Bench, Result
from benchmarks.server import Shape, build

ROUNDS = 12
"""Moments in which all act at once: 600 requests, so that the p99 is not one of them."""
ALONE = 40
"""Times that each word is asked while nobody else asks."""
EVERY = 10.0
"""Seconds between two requests of one person in a busy hour: five a second of fifty people."""
PACE_SECONDS = 60.0
COMMANDS = 10_000
SMALL = Shape(20_000)
WORDS = ("stats", "failed", "errors", "status", "retry (refused)", "refresh (a button)")

Act = Callable[[CrowdedSlack, Person, str], Awaitable[Timed]]


class Hand:
    """What one of the people does: the words in turn, of jobs that are there."""

    def __init__(self, jobs: Sequence[int]) -> None:
        self._jobs = jobs
        self._chance = random.Random(7)

    async def __call__(self, slack: CrowdedSlack, person: Person, word: str) -> Timed:
        if word.startswith("refresh"):
            if person.stats is not None:
                return await slack.refresh(person)
            word = "stats"
        name = word.partition(" ")[0]
        needs_id = name in {"status", "retry"}
        text = f"{name} {self._chance.choice(self._jobs)}" if needs_id else name
        return await slack.type(person, word, text)


async def act_together(
    slack: CrowdedSlack, people: Sequence[Person], act: Act, rounds: int
) -> list[Timed]:
    """All send in the same moment; the next moment comes when all have their answers."""
    found: list[Timed] = []
    for number in range(rounds):
        words = [WORDS[(person.number + number) % len(WORDS)] for person in people]
        acts = (act(slack, person, word) for person, word in zip(people, words, strict=True))
        found += await asyncio.gather(*acts)
    return found


async def act_alone(
    slack: CrowdedSlack, people: Sequence[Person], act: Act, rounds: int
) -> list[Timed]:
    """One person at a time, the next when the one before has the answer."""
    return [
        await act(slack, people[number % PEOPLE], word)
        for number in range(rounds)
        for word in WORDS
    ]


async def act_at_pace(
    slack: CrowdedSlack, people: Sequence[Person], act: Act, seconds: float
) -> list[Timed]:
    """Each acts, reads the answer and thinks, ten seconds on average."""
    found: list[Timed] = []
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds

    async def work(person: Person) -> None:
        chance = random.Random(person.number)
        pause = chance.uniform(0, EVERY)
        while loop.time() + pause < end:
            await asyncio.sleep(pause)
            found.append(await act(slack, person, chance.choice(WORDS)))
            pause = chance.uniform(0.5 * EVERY, 1.5 * EVERY)

    await asyncio.gather(*(work(person) for person in people))
    return found


async def act_on_and_on(
    slack: CrowdedSlack, people: Sequence[Person], act: Act, bot: BotProcess
) -> list[tuple[int, float]]:
    """Ten thousand requests without a pause; the memory after every 250."""
    held = [(0, bot.resident)]
    done = 0

    async def work(person: Person) -> None:
        nonlocal done
        for number in range(COMMANDS // PEOPLE):
            await act(slack, person, WORDS[(person.number + number) % len(WORDS)])
            done += 1
            if done % 250 == 0:
                held.append((done, bot.resident))

    await asyncio.gather(*(work(person) for person in people))
    return held


@contextlib.asynccontextmanager
async def no_garbage() -> AsyncIterator[None]:
    """The pauses of this process's own collections are not the bot's."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def measure_crowd(bench: Bench) -> list[Result]:
    """On the large table: all in one moment, then as people work; over HTTP and Socket Mode."""
    act = Hand(list_failed(bench))
    figures: dict[str, Any] = {"plain": summarize(await _measure_plain(bench))}
    for mode in MODES:
        async with open_crowd(bench.url, mode) as (slack, people, bot), no_garbage():
            await act_together(slack, people, act, 1)  # the bot asks for each channel once
            crowd = await act_together(slack, people, act, ROUNDS)
            alone = await act_alone(slack, people, act, ALONE)
            used = bot.cpu
            pace = await act_at_pace(slack, people, act, PACE_SECONDS)
            used = bot.cpu - used
        figures[mode] = {
            "at once": summarize(crowd),
            "alone": summarize(alone),
            "at pace": summarize(pace),
            "cpu_ms": 1e3 * used / len(pace),
        }
    keep(bench.shape.rows, "crowd", figures)
    return tell_crowd(figures)


async def _measure_plain(bench: Bench) -> list[Timed]:
    async def act(slack: CrowdedSlack, person: Person, word: str) -> Timed:
        return await slack.type(person, word, "stats")

    plain = open_crowd(bench.url, "http", "benchmarks.bot_plain")
    async with plain as (slack, people, _), no_garbage():
        await act_together(slack, people, act, 1)
        return await act_together(slack, people, act, ROUNDS)


async def measure_memory(bench: Bench) -> list[Result]:
    """On a small table: the size of a table changes nothing of what the bot holds."""
    with contextlib.suppress(psycopg.errors.DuplicateDatabase):
        await asyncio.to_thread(build, bench.server, "small_bot", SMALL)
    small = Bench(bench.server, "small_bot", SMALL)
    async with open_crowd(small.url, "http") as (slack, people, bot):
        used = bot.cpu
        held = await act_on_and_on(slack, people, Hand(list_failed(small)), bot)
        used = bot.cpu - used
    figures = {"held_mb": held, "cpu_ms": 1e3 * used / COMMANDS}
    keep(bench.shape.rows, "memory", figures)
    return tell_memory(figures)


def list_failed(bench: Bench) -> list[int]:
    """Ids of the newest failed jobs."""
    with bench.server.connect(bench.database) as conn:
        rows = conn.execute(
            "SELECT id FROM procrastinate_jobs WHERE status = 'failed' ORDER BY id DESC LIMIT 500"
        ).fetchall()
    return [row["id"] for row in rows]
