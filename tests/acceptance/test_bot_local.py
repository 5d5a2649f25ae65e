"""`jobs-chatbot local`: the bot in a browser, over the team's own jobs, without Slack."""

import asyncio
import contextlib
import getpass
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from tests.support.processes import ROOT, Process, environment
from tests.support.waiting import wait_until

from jobs_maint.database import describe_database
from local_slack import LocalSlackControl

ME, JOBS = "U0YOU", "C0JOBS"
# What the shell of somebody who also runs the real bot may hold.
REAL = {
    "SLACK_BOT_TOKEN": "xoxb-real",
    "SLACK_APP_TOKEN": "xapp-real",
    "SLACK_API_URL": "http://127.0.0.1:9/api/",
    "CHATBOT_ROLES": '{"viewer": {"users": ["U0ELSE"]}}',
    "CHATBOT_AUDIT_CHANNEL": "C0AUDIT",
    "CHATBOT_PORT": "no port",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
}


async def start(processes, *args, **settings):
    """The process, and the address of its page."""
    process = processes.start("-m", "chatbot", "local", *args, **settings)
    return process, await find_page(process)


async def find_page(process):
    def is_up():
        return "Ctrl-C ends it." in process.output or process.popen.poll() is not None

    await asyncio.to_thread(wait_until, is_up, what="the page")
    found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", process.output)
    assert found, process.output
    return found[0]


async def look(url):
    """The page as a browser opens it: its HTML, its script, and what it is told of the place."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as browser:
        async with browser.get(url) as answer:
            assert answer.status == 200
            html = await answer.text()
        base = url.partition("/?")[0]
        async with browser.get(f"{base}/app.js") as answer:
            assert answer.status == 200
            script = await answer.text()
        async with browser.ws_connect(f"{base}/page") as tab, asyncio.timeout(60):
            await tab.send_json({"do": "hello", "user": ME})
            while (news := await tab.receive_json())["kind"] != "place":
                pass
    return html, script, news


async def end(process, number=signal.SIGINT):
    process.send(number)
    return await asyncio.to_thread(process.wait)


async def test_one_person_looks_and_acts_and_the_audit_names_them_as_the_shell_does(
    processes, make_job, conn
):
    failed = [await make_job(status="failed", queue="webhook") for _ in range(2)]
    # A bot of the real Slack died before it told this: that is for another one of its kind.
    await conn.execute(
        "INSERT INTO jobs_maint_audit (id, actor_kind, actor_id, actor_name, word, action, outcome)"
        " OVERRIDING SYSTEM VALUE"
        " VALUES (1000, 'slack', 'U0ELSE', 'else', 'retry', 'retry 1', 'done')"
    )
    await conn.execute(
        "INSERT INTO jobs_maint_runs (audit_id, lease_until, channel, state)"
        " VALUES (1000, now() - interval '1 h', 'C0REAL', 'ended')"
    )
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process, url = await start(
            processes, "--port", str(port), JOBS_ENVIRONMENT="staging", **REAL
        )
    assert f"port {port} is in use; taking a free one" in process.output
    # It says what it is where it is started, and on the page.
    place = f"{describe_database(processes.database_url)} [staging]"
    me = re.search(r"happens there, as (\S+@\S+)\.\n", process.output)[1]
    assert me.startswith(f"shell:{getpass.getuser()}@")
    assert f"They are {place}. What you confirm on the page happens there, as {me}." in (
        process.output
    )
    assert "Whoever has the address can do it too. Ctrl-C ends it." in process.output
    _, _, told = await look(url)
    assert told["notice"] == (
        f"Not Slack, but your own jobs: {place}. What you confirm here happens there, and the audit"
        f" says {me}."
    )
    async with LocalSlackControl(url) as slack:
        first = await slack.wait_for_message(JOBS, lambda m: "2 jobs failed" in m.text, timeout=60)
        assert "[staging]" in first.text
        await slack.command(ME, JOBS, "/jobs retry --all webhook")
        preview = await slack.wait_for_message(
            JOBS, lambda m: "failed jobs of webhook?" in m.text, timeout=60
        )
        await slack.click(ME, JOBS, preview.ts, "Retry 2 jobs (staging)")
        await slack.wait_for_message(
            JOBS, lambda m: "2 jobs" in m.text and "retried" in m.text, timeout=60
        )
        await slack.command(ME, JOBS, f"/jobs cancel {failed[0]}")
        await slack.wait_for_message(JOBS, lambda m: f"Job {failed[0]} cancelled" in m.text, 60)
    async with aiohttp.ClientSession() as web, web.get(url.partition("?")[0]) as stranger:
        assert stranger.status == 403
    assert await end(process) == 0
    assert "Traceback" not in process.output
    rows = await (
        await conn.execute(
            "SELECT actor_kind, split_part(actor_id, '@', 1), outcome FROM jobs_maint_audit"
            " WHERE id <> 1000 AND word IN ('confirm', 'retry', 'cancel') AND outcome = 'done'"
        )
    ).fetchall()
    assert len(rows) == 2
    assert set(rows) == {("shell", getpass.getuser(), "done")}
    left = await (await conn.execute("SELECT audit_id, channel FROM jobs_maint_runs")).fetchall()
    assert left == [(1000, "C0REAL")]


async def test_on_a_read_only_database_it_shows_and_says_that_it_cannot_act(processes, make_job):
    failed = await make_job(status="failed")
    processes.database_url += "&options=-cdefault_transaction_read_only%3Don"
    process, page = await start(processes)
    async with LocalSlackControl(page) as slack:
        await slack.wait_for_message(JOBS, lambda m: "1 job failed" in m.text, timeout=60)
        await slack.command(ME, JOBS, f"/jobs retry {failed}")
        await slack.wait_for_message(JOBS, lambda m: "read-only" in m.text, timeout=60, as_user=ME)
    assert await end(process, signal.SIGTERM) == 0
    assert await make_job.status(failed) == "failed"


@pytest.mark.environments  # a command waits 15 s for a connection
async def test_a_database_that_goes_while_it_runs_is_a_sentence_and_comes_back(
    processes, server, database_url
):
    name = database_url.rpartition("/")[2].partition("?")[0]
    process, page = await start(processes)
    async with LocalSlackControl(page) as slack:
        await slack.wait_for_message(JOBS, lambda m: "No worker is live." in m.text, 60)
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        server.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        await slack.command(ME, JOBS, "/jobs failed")
        await slack.wait_for_message(
            JOBS, lambda m: "not currently accepting connections" in m.text, 60, as_user=ME
        )
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await slack.command(ME, JOBS, "/jobs failed")
        await slack.wait_for_message(JOBS, lambda m: m.text.startswith("🟢 No failed job"), 60)
    assert await end(process) == 0
    assert "Traceback" not in process.output


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "JOB_QUEUE_DATABASE_URL is not set"),
        ("postgresql://127.0.0.1:9/jobs", "Nothing is listening at 127.0.0.1:9"),
        (None, "The database has no Procrastinate tables; run `jobs-maint schema apply`."),
    ],
)
def test_without_a_sound_database_it_ends_with_one_sentence(
    processes, bare_database_url, url, sentence
):
    url = bare_database_url if url is None else url
    processes.database_url = url
    process = processes.start("-m", "chatbot", "local")
    assert process.wait() in {69, 78}
    assert sentence in process.output
    assert "Traceback" not in process.output


def call(*args):
    """With the settings of this machine, without which pip may find no index."""
    return subprocess.run(
        [str(arg) for arg in args], capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture
def programs(tmp_path) -> Path:
    """The folder of the commands in an environment that has the wheel alone."""
    pip = {}
    for name in ("builder", "alone"):
        made = call(sys.executable, "-m", "venv", tmp_path / name)
        if made.returncode:
            pytest.skip(f"needs Python's venv with ensurepip: {made.stdout}{made.stderr}")
        pip[name] = (tmp_path / name / "bin/pip", "--disable-pip-version-check", "--quiet")
    if (got := call(*pip["builder"], "install", "hatchling")).returncode:
        pytest.skip(f"needs a package index: {got.stderr}")
    how = ("--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path)
    built = call(*pip["builder"], "wheel", *how, ROOT)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    installed = call(*pip["alone"], "install", f"{wheel}[slack,binary]")
    assert installed.returncode == 0, installed.stderr
    return tmp_path / "alone/bin"


@pytest.mark.environments
async def test_with_only_the_wheel_it_makes_the_tables_and_opens_the_page_on_them(
    programs, bare_database_url
):
    env = environment(JOB_QUEUE_DATABASE_URL=bare_database_url)
    del env["PYTHONPATH"]  # the sources of the checkout
    applied = Process([str(programs / "jobs-maint"), "schema", "apply"], env)
    with contextlib.closing(applied):
        assert applied.wait() == 0, applied.output
    process = Process([str(programs / "jobs-chatbot"), "local"], env)
    with contextlib.closing(process):
        url = await find_page(process)
        html, script, _ = await look(url)
        assert 'src="/app.js"' in html
        assert len(script) > 10_000
        async with LocalSlackControl(url) as slack:
            await slack.wait_for_message(JOBS, lambda m: "No worker is live." in m.text, 60)
        assert await end(process) == 0, process.output
