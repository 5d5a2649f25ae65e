"""The demo as a stranger starts it, and the sample team's web app with its worker."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import aiohttp
import psycopg
import pytest
from tests.support.processes import ROOT, Processes, environment
from tests.support.waiting import PATIENCE, wait_until

from local_slack import LocalSlackControl, as_text

MARK = "PROCRASTINATE_OPS_TEST"


# --- python -m demo -------------------------------------------------------------------------------


class Demo:
    """One run of the demo. All its processes inherit a mark in their environment."""

    def __init__(self, *args: str, out: Path, **env: str) -> None:
        self.mark = f"{MARK}={uuid.uuid4()}"
        name, _, value = self.mark.partition("=")
        self._out = out
        with out.open("wb") as file:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "demo", *args],
                cwd=ROOT, env=environment(PYTHONUNBUFFERED="1", **{name: value}, **env),
                stdin=subprocess.PIPE, stdout=file, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip

    @property
    def output(self) -> str:
        return self._out.read_text(encoding="utf-8", errors="replace")

    def processes(self) -> dict[int, str]:
        """Those that live, by id; zombies have no environment."""
        found = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    if self.mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                        found[int(folder.name)] = (folder / "cmdline").read_text()
                except OSError:
                    continue
        return found

    def type(self, *lines: str) -> None:
        self.popen.stdin.write("".join(f"{line}\n" for line in lines).encode())
        self.popen.stdin.flush()

    def wait_until_it_says(self, words: str | re.Pattern[str]) -> None:
        said = re.compile(re.escape(words)) if isinstance(words, str) else words
        try:
            wait_until(
                lambda: said.search(self.output) or self.popen.poll() is not None,
                timeout=90,  # some processes start one after the other, also on a busy machine
                what=said.pattern,
            )
            assert said.search(self.output), f"it ended without {said.pattern!r}"
        except AssertionError as exc:
            raise AssertionError(f"{exc}:\n{self.output}\n{self.processes()}") from None

    def wait(self, timeout: float) -> int:
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it runs longer than {timeout} s:\n{self.output}") from None

    def close(self) -> None:
        """What a failed test left behind."""
        self.popen.stdin.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self.processes():
                os.kill(pid, number)
            deadline = time.monotonic() + 30
            while self.processes() and time.monotonic() < deadline:
                self.popen.poll()
                time.sleep(0.1)
        self.popen.wait(30)


@pytest.fixture
def start_demo(tmp_path):
    if not Path("/proc/self/environ").exists():
        pytest.skip("there is no /proc to find processes in")
    started = []

    def start(*args: str, **env: str) -> Demo:
        out = tmp_path / f"out{len(started)}.txt"
        started.append(Demo(*args, out=out, **env))
        return started[-1]

    yield start
    for demo in started:
        demo.close()


@pytest.mark.environments
def test_the_script_holds_all_its_checks_and_leaves_nothing_behind(start_demo):
    demo = start_demo("--script")
    demo.wait_until_it_says("all jobs have run, some failed")
    assert len(demo.processes()) >= 4  # itself with the local Slack, PostgreSQL, a worker, the bot
    assert demo.wait(240) == 0, demo.output
    assert demo.processes() == {}
    assert "✗" not in demo.output
    assert "20 checks held" in demo.output
    assert all(len(line) <= 80 for line in demo.output.splitlines())
    # What the README shows of it is what it says.
    [verdict] = re.findall(
        r"\$ jobs-maint stats .*\n(.+\n.+)\n\n", (ROOT / "README.md").read_text()
    )
    said = " ".join(line.strip(" │") for line in demo.output.splitlines())
    assert " ".join(verdict.splitlines()) in said


@pytest.mark.environments
def test_a_conversation_goes_on_whatever_is_typed_until_the_end_of_input(start_demo):
    demo = start_demo("--terminal")
    demo.wait_until_it_says("Ctrl-C or Ctrl-D")
    demo.type("", "nonsense", "/other", "as bob", "click Nothing", "as ada", "/jobs help")
    demo.wait_until_it_says("Type these, or press a button.")
    demo.type("as vic", "/jobs retry 211")
    demo.wait_until_it_says("This requires the role operator;")
    demo.type("as ana", "/jobs retry --all nowhere", "close", "submit", "/jobs failed")
    demo.wait_until_it_says(re.compile(r"\d failed jobs"))  # 7 when all have run
    demo.type("click Details")
    demo.wait_until_it_says("buttons there are [Details]: click Details 2")
    demo.type("click Details 2")
    demo.wait_until_it_says("[Close] [Share here]")
    demo.type("/jobs stats", "click Failed", "click Share here")
    demo.wait_until_it_says("shared by @ana")
    demo.type("/jobs retry --all webhook")
    demo.wait_until_it_says("[Retry 3 jobs] [Not now]")
    demo.type("click Retry 3 jobs")
    demo.wait_until_it_says("3 jobs of webhook retried by @ana")
    demo.popen.stdin.close()
    assert demo.wait(90) == 0
    assert demo.output.count("/jobs failed     what failed") == 2  # at the start, and for nonsense
    assert "/other is not a valid command" in demo.output
    assert "There is nobody of that name; there are ana, vic, ada." in demo.output
    assert "vic sees no button" not in demo.output
    assert "ana sees no button [Nothing]." in demo.output
    assert "ana has no modal open." in demo.output
    assert "ana has no modal open that can be submitted." in demo.output
    assert "covers the channel: close closes it." in demo.output
    assert "covers the channel and has no button [Failed]." in demo.output
    assert "Ended; nothing is left running." in demo.output
    assert demo.processes() == {}


def end(demo, number, folder):
    """Nothing is left behind."""
    assert folder.exists()
    demo.popen.send_signal(number)
    demo.popen.send_signal(number)  # in haste
    assert demo.wait(90) == (0 if number == signal.SIGINT else 128 + number)
    assert demo.processes() == {}
    assert not folder.exists()


def test_a_demo_that_is_hung_up_on_while_it_starts_leaves_nothing_behind(start_demo, tmp_path):
    demo = start_demo("--terminal", TMPDIR=str(tmp_path))
    wait_until(lambda: list(tmp_path.glob("demo*/pg/*")), what="PostgreSQL's files")
    end(demo, signal.SIGHUP, next(tmp_path.glob("demo*")))


PROXY = "http://127.0.0.1:9"
"""Nothing listens there."""


async def stop_a_long_act(slack):
    async def find(button):
        message = await slack.wait_for_message(
            "C0OPS", lambda one: re.search(rf"\[{button}\]", as_text(one)), 60
        )
        return message, re.search(rf"\[({button})\]", as_text(message))[1]

    await slack.command("U0ADA", "C0OPS", "/jobs cancel --all newsletter")
    message, button = await find(r"Cancel [\d,]+ jobs")  # some may run already
    await slack.click("U0ADA", "C0OPS", message.ts, button)
    await find("Stop")
    await slack.click("U0ADA", "C0OPS", message.ts, "Stop")
    await find("Preview the rest")


class Tab:
    """The page in a browser, and what its panel tells."""

    def __init__(self, slack, socket) -> None:
        self.slack, self._socket = slack, socket
        self.panel, self.replies, self.place = {}, {}, {}

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, url):
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser,
            LocalSlackControl(url) as slack,
        ):
            async with browser.get(url) as answer:
                assert "app.js" in await answer.text()
            async with browser.ws_connect(f"{slack.url}/page") as socket:
                tab = cls(slack, socket)
                await socket.send_json({"do": "hello", "user": "U0VIC"})
                await tab.read_until(lambda: tab.told("The shop is open"))
                yield tab

    async def read_until(self, done):
        async with asyncio.timeout(90):
            while not done():
                news = await self._socket.receive_json()
                if news["kind"] == "panel":
                    self.panel.update(news["panel"])
                elif news["kind"] == "place":
                    self.place.update(news)
                elif news["kind"] == "reply":
                    self.replies[news["id"]] = news.get("error")

    def told(self, words):
        return any(words in one["text"] for one in self.panel.get("events", ()))

    async def turn(self, label, words, on=True):
        await self._socket.send_json({"do": "switch", "label": label, "on": on, "id": label})
        await self.read_until(lambda: self.told(words))

    async def look_at_the_queues(self):
        await self.slack.command("U0VIC", "C0OPS", "/jobs stats")
        await self.slack.wait_for_message("C0OPS", lambda one: " live. " in one.text, 30)
        await self.read_until(lambda: self.panel["steps"][0]["done"])


async def use_page(url):
    """What a person does with the panel of the page."""
    async with Tab.open(url) as tab:
        roles = {one["name"]: one["role"] for one in tab.place["people"]}
        assert roles == {"ana": "operator", "vic": "viewer", "ada": "admin", "ned": ""}
        await tab.look_at_the_queues()
        await tab.turn("`webhook` is broken", "A deploy broke `webhook`")
        await tab.turn("`webhook` is broken", "`webhook` is mended", on=False)
        await tab.turn("Slack answers 429", "refuses every call")
        await tab.turn("Slack answers 429", "takes calls again", on=False)
        await tab.turn("The bot is stopped", "Slack itself says that nobody answered")
        result = await tab.slack.command("U0VIC", "C0OPS", "/jobs stats")
        assert not result.acked
        await tab.turn("The bot is stopped", "The bot is back", on=False)
        assert tab.told("Until it is back, commands fail")
        await tab.turn("No worker", "No worker runs any more")
        await tab.turn("No worker", "Two workers run again", on=False)
        await tab.turn("Kill a worker", "is gone in the middle of ")
        await tab.turn("Flood newsletter", "50,000 mails are in `newsletter` now")
        await tab.read_until(lambda: len(tab.replies) == 6)
        assert set(tab.replies.values()) == {None}
        await stop_a_long_act(tab.slack)
        await tab.turn("`webhook` is broken", "A deploy broke `webhook`")


async def watch_the_day(url):
    """A deploy breaks by itself once somebody has looked at the queues."""
    async with Tab.open(url) as tab:
        assert not tab.told("A deploy broke `webhook`")
        await tab.look_at_the_queues()
        await tab.read_until(lambda: tab.told("A deploy broke `webhook`"))
        assert not tab.told("50,000 mails")


@pytest.mark.environments
def test_the_page_and_its_switches_work_beside_another_demo_behind_a_proxy_until_ctrl_c(start_demo):
    other = start_demo("--port", "0")
    other.wait_until_it_says("Ctrl-C ends everything")
    (others_url,) = re.findall(r"http://\S+", other.output)
    port = re.search(r":(\d+)/", others_url)[1]
    demo = start_demo("--port", port, HTTP_PROXY=PROXY, https_proxy=PROXY)
    demo.wait_until_it_says("Ctrl-C ends everything")
    assert f"port {port} is in use; taking a free one" in demo.output
    (url,) = re.findall(r"http://\S+", demo.output)
    asyncio.run(use_page(url))
    asyncio.run(watch_the_day(others_url))
    line = next(line for line in demo.output.splitlines() if line.startswith("    . "))

    def ask(words):
        asked = f"{sys.executable} -m jobs_maint {words}"
        command = line.replace(".venv/bin/jobs-maint stats", asked)
        shown = subprocess.run(
            ["sh", "-c", command], cwd=ROOT, env=environment(),
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert shown.returncode == 0, shown.stderr
        return shown.stdout

    # Its jobs fail at once, though the mails of the act that was stopped still wait.
    wait_until(lambda: "timed out" in ask("failed webhook --since 5s"), what="a failed webhook")
    assert re.search(r"newsletter +[\d,]{5,} ", ask("stats")), ask("stats")
    folder = Path(line.split("    . ")[1].split("/env ")[0])
    # What `stuck` foretells in that terminal is what the demo's workers do.
    assert "export JOBS_MAINT_STALLED_AFTER=30s\n" in (folder / "env").read_text()
    end(demo, signal.SIGINT, folder)
    assert "\nEnding …\nEnded; nothing is left running." in demo.output
    assert other.popen.poll() is None
    where = re.search(r"    \. (\S+)/env ", other.output)[1]
    end(other, signal.SIGINT, Path(where))


# --- python -m demo.team_app api ------------------------------------------------------------------


class Web:
    """The web app in a process of its own."""

    def __init__(self, processes: Processes, **settings: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = processes.start(
            "-m", "demo.team_app", "api", "--port", str(self.port), **settings
        )
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        wait_until(self._answers, what="the web app")

    def _answers(self) -> bool:
        assert self.process.popen.poll() is None, self.process.output
        try:
            return bool(self.call("GET", "/health"))
        except (urllib.error.URLError, ConnectionError):
            return False

    def call(self, method: str, path: str) -> tuple[int, dict]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        try:
            with self._opener.open(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.load(refused)


@pytest.fixture
def query(database_url):
    with psycopg.connect(database_url, autocommit=True) as conn:
        yield lambda text, *params: conn.execute(text, params).fetchone()[0]


STATUS = "SELECT status::text FROM procrastinate_jobs WHERE id = %s"


def test_the_web_app_runs_the_jobs_it_defers(processes, query):
    web = Web(processes)
    assert web.call("GET", "/health") == (200, {"status": "ok", "worker": "running"})
    status, answer = web.call("POST", "/signups?address=ana@shop.example")
    assert status == 202
    wait_until(lambda: query(STATUS, answer["job_id"]) == "succeeded", what="the job")
    _, answer = web.call("POST", "/orders/7/webhooks?url=https://x.example&failures=1")
    wait_until(lambda: query(STATUS, answer["job_id"]) == "failed", what="the failure")
    recorded = "SELECT exception_type FROM jobs_maint_failures WHERE job_id = %s"
    assert query(recorded, answer["job_id"]) == "ConnectTimeout"


def test_the_web_app_finishes_its_jobs_after_sigterm(processes, query):
    web = Web(processes)
    _, answer = web.call("POST", "/ledgers/2026-10?seconds=3")
    wait_until(lambda: query(STATUS, answer["job_id"]) == "doing", what="the start")
    wait_until(lambda: query("SELECT count(*) FROM jobs_maint_workers"), what="the beat")
    web.process.send(signal.SIGTERM)
    assert web.process.wait() in {0, -signal.SIGTERM}, web.process.output  # as uvicorn has it
    assert query(STATUS, answer["job_id"]) == "succeeded"
    assert query("SELECT attempts FROM procrastinate_jobs WHERE id = %s", answer["job_id"]) == 1
    assert "Traceback" not in web.process.output


def test_without_the_job_queue_the_web_app_touches_no_database():
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        nobody.setblocking(False)
        port = nobody.getsockname()[1]
        processes = Processes(f"postgresql://jobs@127.0.0.1:{port}/jobs")
        try:
            web = Web(processes, JOB_QUEUE_ENABLED="false")
            assert web.call("GET", "/health") == (200, {"status": "ok", "worker": "off"})
            status, answer = web.call("POST", "/signups?address=ana@shop.example")
            assert status == 503
            assert "JOB_QUEUE_ENABLED=false" in answer["detail"]
            web.process.send(signal.SIGTERM)
            web.process.wait()
        finally:
            processes.kill_all()
        with pytest.raises(BlockingIOError):
            nobody.accept()
