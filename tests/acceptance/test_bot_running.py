"""`jobs-chatbot` while it starts, serves, loses its connection and ends; real processes."""

import asyncio
import json
import re
import signal
import urllib.error
import urllib.request

import pytest
from tests.support.bots import ROLES, open_slack
from tests.support.waiting import until as wait_for

from local_slack.sample import OPS, VIEWER, build_sample_config

IGNORING = (
    "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); "
    "os.execv(sys.executable, [sys.executable, '-m', 'chatbot'])"
)
TOKENS = {"SLACK_BOT_TOKEN": "xoxb-local", "SLACK_SIGNING_SECRET": "local-signing-secret"}


def start(processes, slack, *words, mode="http", **settings):
    given = {
        **TOKENS,
        "SLACK_APP_TOKEN": "xapp-local" if mode == "socket" else "",
        "SLACK_API_URL": slack.api_url,
        "CHATBOT_PORT": "0",
        "CHATBOT_ROLES": json.dumps(ROLES),
        **settings,
    }
    return processes.start(*(words or ("-m", "chatbot")), **given)


async def until(look, what, process):
    def ended_or_found():
        return look() or process.popen.poll() is not None

    found = await wait_for(ended_or_found, what)
    assert process.popen.poll() is None, process.output
    return found


async def started(process, slack):
    await until(lambda: "chatbot.started" in process.output, "the start", process)
    base = re.search(r"address=(http://\S+)", process.output)[1]
    slack.set_request_url(f"{base}/slack/events")
    return base


async def get(url):
    def ask():
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as exc:
            return exc.code, exc.read().decode()

    return await asyncio.to_thread(ask)


@pytest.mark.parametrize("mode", ["http", "socket"])
async def test_a_stop_waits_for_the_answer_that_is_on_its_way(processes, make_job, mode):
    await make_job(queue="email")
    async with open_slack(build_sample_config(mode=mode)) as slack:
        process = start(processes, slack, mode=mode)
        base = await started(process, slack)
        assert await get(f"{base}/readyz") == (200, "ready")
        slack.set_fault("hang", method="response_url")
        assert (await slack.command(VIEWER, OPS, "/jobs stats")).acked
        await until(lambda: slack._faults.waiting == [], "the answer on its way", process)
        process.send(signal.SIGTERM)
        await until(lambda: "chatbot.stopping in_flight=1" in process.output, "the stop", process)
        assert await get(f"{base}/readyz") == (503, "the bot is stopping")
        assert await get(f"{base}/healthz") == (200, "ok")
        slack.clear_faults()
        assert await asyncio.to_thread(process.wait, 30) == 0
        assert [m for m in slack.messages(OPS, VIEWER) if "email: " in m.text]
        assert "work_cancelled" not in process.output


@pytest.mark.parametrize("mode", ["http", "socket"])
async def test_during_a_stop_a_late_command_is_answered_over_http_and_none_comes_over_a_socket(
    processes, make_job, mode
):
    await make_job(queue="email")
    async with open_slack(build_sample_config(mode=mode)) as slack:
        process = start(processes, slack, mode=mode)
        await started(process, slack)
        slack.set_fault("hang", method="response_url")
        assert (await slack.command(VIEWER, OPS, "/jobs stats")).acked
        await until(lambda: slack._faults.waiting == [], "the answer on its way", process)
        process.send(signal.SIGTERM)
        await until(lambda: "chatbot.stopping" in process.output, "the stop", process)
        if mode == "http":
            assert (await slack.command(VIEWER, OPS, "/jobs help")).acked
            await slack.wait_for_message(OPS, lambda m: "/jobs stats" in m.text, timeout=30)
        else:
            await until(lambda: slack.connections == 0, "the connection's end", process)
        slack.clear_faults()
        assert await asyncio.to_thread(process.wait, 30) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_second_signal_ends_it_at_once(processes, number):
    async with open_slack() as slack:
        process = start(processes, slack)
        await started(process, slack)
        slack.set_fault("hang", method="response_url")
        assert (await slack.command(VIEWER, OPS, "/jobs help")).acked
        await until(lambda: slack._faults.waiting == [], "the answer on its way", process)
        process.send(number)
        await until(lambda: "chatbot.stopping" in process.output, "the stop", process)
        process.send(number)
        assert await asyncio.to_thread(process.wait, 30) == -number
        assert f"chatbot.stop_forced signal={number.name}" in process.output
        assert "Traceback" not in process.output


async def test_under_nohup_it_outlives_its_terminal(processes):
    async with open_slack() as slack:
        process = start(processes, slack, "-c", IGNORING)
        await started(process, slack)
        process.send(signal.SIGHUP)
        process.send(signal.SIGTERM)  # the first one that it takes
        assert await asyncio.to_thread(process.wait, 30) == 0
        assert "chatbot.stop_forced" not in process.output


async def test_a_stop_while_it_starts_ends_it_without_waiting_for_slack(processes):
    async with open_slack() as slack:
        slack.set_fault("hang", method="auth.test")
        process = start(processes, slack)
        await until(lambda: slack._faults.waiting == [], "the question to Slack", process)
        process.send(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 30) == 0
        assert "chatbot.stopped" in process.output
        assert "chatbot.started" not in process.output
        assert "Traceback" not in process.output


async def test_without_a_connection_it_is_not_ready_and_says_why_until_it_has_one(processes):
    async with open_slack(build_sample_config(mode="socket")) as slack:
        process = start(processes, slack, mode="socket")
        base = await started(process, slack)
        assert await get(f"{base}/readyz") == (200, "ready")
        slack.set_fault("500", method="apps.connections.open", times=10_000)
        for socket in list(slack._sockets._connections):
            socket._req.transport.abort()
        await until(lambda: "chatbot.connection_lost" in process.output, "the loss", process)
        status, why = await get(f"{base}/readyz")
        assert status == 503
        assert why.startswith("there is no Socket Mode connection to Slack")
        assert await get(f"{base}/healthz") == (200, "ok")
        slack.clear_faults()
        await until(lambda: "chatbot.connection_back" in process.output, "the return", process)
        assert await get(f"{base}/readyz") == (200, "ready")
        assert (await slack.command(VIEWER, OPS, "/jobs help")).acked


async def test_a_revoked_app_token_ends_the_process_with_a_sentence(processes):
    config = build_sample_config(mode="socket")
    async with open_slack(config, provokes=["invalid_auth"]) as slack:
        process = start(processes, slack, mode="socket")
        await started(process, slack)
        object.__setattr__(slack.config.app, "app_token", "xapp-another")
        await slack.disconnect("link_disabled")
        assert await asyncio.to_thread(process.wait, 30) == 78
        last = process.output.strip().splitlines()[-1]
        assert last.startswith("jobs-chatbot: SLACK_APP_TOKEN is not accepted by Slack")
        assert "Traceback" not in process.output
        assert "xapp-local" not in process.output


async def test_all_is_loaded_and_asked_before_it_says_that_it_started(processes, conn, make_job):
    """Python tells of each import on stderr, where the log is: none comes after the start."""
    await make_job(status="failed")
    async with open_slack() as slack:
        process = start(processes, slack, "-X", "importtime", "-m", "chatbot")
        await started(process, slack)
        assert [call.method for call in slack.calls()] == ["auth.test", "bots.info"]
        found = await conn.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'jobs-chatbot'"
            " AND datname = current_database()"
        )
        assert (await found.fetchone())[0] >= 1
        words = ("stats", "failed", "help", "errors", "stuck", "workers", "nonsense")
        for answers, word in enumerate(words, start=1):
            assert (await slack.command(VIEWER, OPS, f"/jobs {word}")).acked
            await until(
                lambda: sum(m.kind == "message" for m in slack.messages(OPS, VIEWER)) == answers,  # noqa: B023
                word,
                process,
            )
        before, after = process.output.split("chatbot.started")
        assert before.count("import time:") > 300
        assert re.findall(r"import time:.*\| +([\w.]+)$", after, re.MULTILINE) == []
