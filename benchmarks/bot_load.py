"""Fifty people at the bot: the local Slack that they type and click in, and the bot's process.

Each person has a channel of their own, and all answers go by response_urls: Slack's limit of one
message a second and channel is never what is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.working import ROOT, environment
from local_slack import App, Channel, Config, LocalSlack, Team, User, Usergroup
from local_slack.messages import Message
from local_slack.sample import ALL_SCOPES, BOT

PEOPLE = 50
OPERATORS = "S0OPERATORS"
PATIENCE = 60.0
_KEPT = 400
"""Messages that the local Slack keeps: memory and time of a long run are the bot's, not its."""
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Timed:
    """One command or click, in seconds from the moment it was sent."""

    word: str
    acked: float
    answered: float


@dataclass(slots=True, eq=False)
class Person:
    number: int
    stats: Message | None = None
    """The last answer to `stats`, whose button may be pressed."""
    pressing: bool = False
    answer: asyncio.Future[Message] | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        return f"U0PERSON{self.number}"

    @property
    def channel(self) -> str:
        return f"C0CHANNEL{self.number}"


class CrowdedSlack(LocalSlack):
    """The strict local Slack; it tells when the answer to each person came, and keeps few."""

    people: dict[str, Person]

    async def watch(self) -> None:
        """Hand each new message of the bot to the person who waits for it."""
        there = self._workspace.messages
        seen, changes = len(there), self.changes
        while True:
            await self.wait_for_change(changes, PATIENCE)
            changes = self.changes
            for message in there[seen:]:
                if message.kind != "command":
                    _hand(self.people[message.channel].answer, message)
            for person in self.people.values():
                if person.pressing and person.stats and person.stats.edited_ts:
                    person.pressing = False
                    _hand(person.answer, person.stats)
            if len(there) > 2 * _KEPT:
                pressed_later = [person.stats for person in self.people.values()]
                there[:-_KEPT] = [one for one in there[:-_KEPT] if one in pressed_later]
                self._journal.calls.clear()
            seen = len(there)

    async def type(self, person: Person, word: str, text: str) -> Timed:
        return await self._time(
            person, word, lambda: self.command(person.id, person.channel, f"/jobs {text}")
        )

    async def refresh(self, person: Person) -> Timed:
        """Press the button of the last `stats`: the answer takes the place of the message."""
        pressed = person.stats
        assert pressed is not None
        pressed.edited_ts = None
        person.pressing = True
        return await self._time(
            person,
            "refresh (a button)",
            lambda: self.click(person.id, person.channel, pressed.ts, "Refresh"),
        )

    async def _time(self, person: Person, word: str, act: Callable[[], Any]) -> Timed:
        person.answer = asyncio.get_running_loop().create_future()
        sent = time.time()
        result = await act()
        if not result.acked:
            raise RuntimeError(f"{word} was not acknowledged: {result.error_shown}")
        message = await asyncio.wait_for(person.answer, PATIENCE)
        if message.kind == "error":
            raise RuntimeError(f"{word}: {message.text}")
        if word == "stats":
            person.stats = message
        return Timed(word, result.seconds, float(message.edited_ts or message.ts) - sent)


def _hand(answer: asyncio.Future[Message] | None, message: Message) -> None:
    if answer is not None and not answer.done():
        answer.set_result(message)


def build_workspace(mode: str) -> Config:
    people = [Person(number) for number in range(PEOPLE)]
    return Config(
        workspace=Team("T0LOCAL"),
        channels=tuple(Channel(p.channel, f"ops-{p.number}", (BOT, p.id)) for p in people),
        users=(*(User(p.id, f"person{p.number}") for p in people), User("U0LEAD", "lead")),
        usergroups=(Usergroup(OPERATORS, "operators", ("U0LEAD",)),),
        app=App(
            bot_token="xoxb-local", app_token="xapp-local", signing_secret="local-signing-secret",
            bot_user_id=BOT, mode=mode, bot_scopes=ALL_SCOPES,
        ),
    )  # fmt: skip


class BotProcess:
    """A process by its id: its memory and its CPU, as Linux counts them."""

    def __init__(self, pid: int) -> None:
        self._proc = Path(f"/proc/{pid}")

    @property
    def resident(self) -> float:
        """Megabytes of memory that it holds."""
        for line in (self._proc / "status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("the process has ended")

    @property
    def cpu(self) -> float:
        """Seconds of CPU that it used."""
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK


@contextlib.asynccontextmanager
async def open_crowd(
    url: str, mode: str, *command: str
) -> AsyncIterator[tuple[CrowdedSlack, list[Person], BotProcess]]:
    """The local Slack here and the bot, or `command`, as a process of its own."""
    config = build_workspace(mode)
    async with CrowdedSlack.start(config) as slack:
        assert isinstance(slack, CrowdedSlack)
        people = [Person(number) for number in range(PEOPLE)]
        slack.people = {person.channel: person for person in people}
        port = _find_port()
        slack.set_request_url(f"http://127.0.0.1:{port}/slack/events")
        everybody = [person.id for person in people]
        settings = {
            "SLACK_BOT_TOKEN": config.app.bot_token,
            "SLACK_APP_TOKEN": config.app.app_token if mode == "socket" else "",
            "SLACK_SIGNING_SECRET": config.app.signing_secret,
            "SLACK_API_URL": slack.api_url,
            "CHATBOT_PORT": str(port),
            "CHATBOT_ROLES": json.dumps(
                {"viewer": {"users": everybody}, "operator": {"usergroups": [OPERATORS]}}
            ),
        }
        with tempfile.TemporaryFile() as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *(command or ("chatbot",)), cwd=ROOT,
                env={**environment(url), **settings}, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
            watching = asyncio.create_task(slack.watch())
            try:
                await _wait_until_ready(f"http://127.0.0.1:{port}/readyz", process)
                yield slack, people, BotProcess(process.pid)
            except BaseException:
                log.seek(0)
                sys.stderr.write(log.read().decode("utf-8", "replace")[-2_000:])
                raise
            finally:
                watching.cancel()
                await _end(process)
        if slack.breaches:
            raise RuntimeError(f"a rule of Slack was broken: {slack.breaches[0]}")


async def _wait_until_ready(url: str, process: asyncio.subprocess.Process) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE):
        while process.returncode is None:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.1)
    raise RuntimeError(f"the bot ended with {process.returncode} before it was ready")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), 40)
    except TimeoutError:
        process.kill()
        await process.wait()


def _find_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
