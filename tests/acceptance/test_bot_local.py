"""`jobs-chatbot local`: the bot in a browser, over the team's own jobs, without Slack."""

import asyncio
import getpass
import re
import signal
import socket

import aiohttp
import pytest
from tests.support.waiting import wait_until

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

    def is_up():
        return "Ctrl-C ends it." in process.output or process.popen.poll() is not None

    await asyncio.to_thread(wait_until, is_up, what="the page")
    found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", process.output)
    assert found, process.output
    return process, found[0]


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
    assert "[staging]" in process.output
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
