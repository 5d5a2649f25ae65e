"""The oldest and the newest versions of what we depend on, in environments made beforehand.

`.ci/run` makes `.venv-lowest` and `.venv-newest`; where they are not, these tests are skipped.
"""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.processes import environment

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
def run(request: pytest.FixtureRequest) -> Callable[..., subprocess.CompletedProcess[str]]:
    folder = ROOT / f".venv-{request.param}" / "bin"
    if not (folder / "jobs-maint").exists():
        pytest.skip(f"needs .venv-{request.param}, made by .ci/run")

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
    bot = run(bare_database_url, "jobs-chatbot")
    assert bot.returncode == 78
    assert bot.stderr.startswith("jobs-chatbot: SLACK_BOT_TOKEN is not set")


def test_every_dependency_has_a_lowest_version_that_the_check_can_read():
    extras = [text for found in PROJECT["optional-dependencies"].values() for text in found]
    for text in PROJECT["dependencies"] + extras:
        assert re.fullmatch(r"[a-z-]+(\[\w+\])?>=[\d.]+,<\d+", text), text
