"""The oldest and the newest versions of what we depend on, in environments made beforehand.

`.ci/run` makes `.venv-lowest` and `.venv-newest`; where they are not, these tests are skipped.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.acceptance.test_bot_process import free_port
from tests.support.bots import ROLES, open_slack
from tests.support.processes import environment
from tests.support.waiting import wait_for_row, wait_until

from local_slack.sample import ADMIN, OPS, build_sample_config

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

FAILING = """
import asyncio, os, sys
import procrastinate, jobs_maint

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=sys.argv[1]))
jobs_maint.register(app)

@app.task(name="send")
def send():
    raise ValueError("no such mailbox")

async def main():
    async with app.open_async():
        await send.defer_async()
        await app.run_worker_async(wait=False, listen_notify=False)

asyncio.run(main())
"""

pytestmark = pytest.mark.environments


@pytest.fixture(params=["lowest", "newest"])
def folder(request: pytest.FixtureRequest) -> Path:
    found = ROOT / f".venv-{request.param}" / "bin"
    if not (found / "jobs-maint").exists():
        pytest.skip(f"needs .venv-{request.param}, made by .ci/run")
    return found


@pytest.fixture
def run(folder: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def call(url: str, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(folder / program), *words], env=environment(JOB_QUEUE_DATABASE_URL=url),
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    return call


def test_shell_recorder_and_bot_work_at_both_ends_of_the_declared_ranges(run, bare_database_url):
    applied = run(bare_database_url, "jobs-maint", "schema", "apply")
    assert (applied.returncode, applied.stderr) == (0, "")
    run(bare_database_url, "python", "-c", FAILING, bare_database_url)
    failed = run(bare_database_url, "jobs-maint", "failed", "--json")
    assert failed.returncode == 0, failed.stderr
    (job,) = json.loads(failed.stdout)["jobs"]
    assert (job["task"], job["message"]) == ("send", "no such mailbox")
    for words in (["stats"], ["status", str(job["job_id"])], ["retry", str(job["job_id"])]):
        done = run(bare_database_url, "jobs-maint", *words)
        assert (done.returncode, done.stderr) == (0, "")
    manifest = run(bare_database_url, "jobs-chatbot", "manifest", "--socket")
    assert json.loads(manifest.stdout)["settings"]["socket_mode_enabled"]


@pytest.mark.parametrize("mode", ["http", "socket"])
async def test_the_bot_answers_and_acts_at_both_ends_of_the_declared_ranges(
    folder, processes, conn, make_job, mode
):
    job, port = await make_job(status="failed"), free_port()
    async with open_slack(build_sample_config(mode=mode)) as slack:
        slack.set_request_url(f"http://127.0.0.1:{port}/slack/events")
        bot = processes.start(
            "-m", "chatbot", python=str(folder / "python"), CHATBOT_PORT=port,
            SLACK_API_URL=slack.api_url, SLACK_BOT_TOKEN="xoxb-local",
            SLACK_SIGNING_SECRET="local-signing-secret",
            SLACK_APP_TOKEN="xapp-local" if mode == "socket" else "",
            CHATBOT_ROLES=json.dumps(ROLES),
        )  # fmt: skip
        await asyncio.to_thread(wait_until, lambda: "chatbot.started" in bot.output, what="start")
        assert (await slack.command(ADMIN, OPS, f"/jobs status {job}")).acked
        told = await slack.wait_for_message(OPS, lambda m: f"Job {job}" in m.text, timeout=60)
        assert (await slack.click(ADMIN, OPS, told.ts, f"Retry job {job}")).acked
        await wait_for_row(conn, "SELECT status <> 'failed' FROM procrastinate_jobs")
        await slack.wait_for_message(OPS, lambda m: f"Job {job} retried by" in m.text, timeout=60)
        bot.send(signal.SIGTERM)
        assert await asyncio.to_thread(bot.wait) == 0, bot.output


def test_every_dependency_has_a_lowest_version_that_the_check_can_read():
    extras = [text for found in PROJECT["optional-dependencies"].values() for text in found]
    for text in PROJECT["dependencies"] + extras:
        assert re.fullmatch(r"[a-z-]+(\[\w+\])?>=[\d.]+,<\d+", text), text
