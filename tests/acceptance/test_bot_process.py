"""`jobs-chatbot` as a process: how it starts, how it ends, what it says when it cannot."""

import asyncio
import json
import signal
import socket
import sys

import pytest
from click.testing import CliRunner
from tests.support.bots import ROLES, open_slack
from tests.support.processes import Process, environment
from tests.support.waiting import wait_for_row, wait_until

from chatbot.cli import main
from jobs_maint.database import describe_database
from local_slack.sample import OPS, VIEWER, build_sample_config

PYTHON = [sys.executable]
TOKENS = {"SLACK_BOT_TOKEN": "xoxb-local", "SLACK_SIGNING_SECRET": "local-signing-secret"}
# What Kubernetes puts into every pod beside a service named `chatbot`.
LINKS = {
    "CHATBOT_SERVICE_HOST": "10.0.0.1",
    "CHATBOT_SERVICE_PORT": "3000",
    "CHATBOT_PORT_3000_TCP_ADDR": "10.0.0.1",
}


def free_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


async def until(look, what, process):
    found = await asyncio.to_thread(
        wait_until, lambda: look() or process.popen.poll() is not None, what=what
    )
    assert process.popen.poll() is None, process.output
    return found


@pytest.mark.parametrize("mode", ["http", "socket"])
async def test_it_starts_answers_and_ends_on_sigterm(processes, conn, make_job, mode):
    await make_job(queue="email")
    port = free_port()
    async with open_slack(build_sample_config(mode=mode)) as slack:
        slack.set_request_url(f"http://127.0.0.1:{port}/slack/events")
        tokens = {**TOKENS, "SLACK_APP_TOKEN": "xapp-local" if mode == "socket" else ""}
        process = processes.start(
            "-m", "chatbot", SLACK_API_URL=slack.api_url, CHATBOT_PORT=port,
            CHATBOT_ROLES=json.dumps(ROLES), HTTP_PROXY="http://127.0.0.1:9", **tokens, **LINKS,
        )  # fmt: skip
        await until(lambda: "chatbot.started" in process.output, "the start", process)
        assert f"mode={mode} bot=U0BOT team=T0LOCAL command=/jobs" in process.output
        await wait_for_row(conn, "SELECT watched_at IS NOT NULL FROM jobs_maint_watch")
        assert (await slack.command(VIEWER, OPS, "/jobs stats")).acked
        await slack.wait_for_message(OPS, lambda m: "email: " in m.text, timeout=60)
        process.send(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait) == 0
        assert "chatbot.stopped" in process.output
        for secret in ("xoxb-local", "xapp-local", "local-signing-secret"):
            assert secret not in process.output


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"SLACK_BOT_TOKEN": ""}, "SLACK_BOT_TOKEN is not set"),
        ({"SLACK_BOT_TOKEN": "nonsense"}, "SLACK_BOT_TOKEN: it is not a bot token"),
        ({"SLACK_SIGNING_SECRET": ""}, "neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET"),
        ({"JOB_QUEUE_DATABASE_URL": ""}, "JOB_QUEUE_DATABASE_URL is not set"),
        ({"CHATBOT_ROLES": "{"}, "CHATBOT_ROLES: it is not valid JSON"),
        (
            {"CHATBOT_ROLES": '{"admin": {"users": ["U1"]}, "admin": {"users": ["U2"]}}'},
            "CHATBOT_ROLES: 'admin' appears twice",
        ),
        ({"CHATBOT_ROLES": "[" * 5_000}, "CHATBOT_ROLES: it is nested too deeply"),
        ({"CHATBOT_ROLES": '{"boss": {"users": ["U1"]}}'}, "'boss' is not a role"),
        ({"CHATBOT_ROLES": '{"viewer": {"users": ["@ana"]}}'}, "'@ana' is not a user ID"),
        ({"CHATBOT_DIGESTS": "[1"}, "CHATBOT_DIGESTS: it is not valid JSON"),
        ({"CHATBOT_DIGESTS": "[1]"}, "CHATBOT_DIGESTS[0]: it must be an object"),
        ({"CHATBOT_ROLLS": "{}"}, "CHATBOT_ROLLS is not a known setting; did you mean"),
    ],
)
def test_a_setting_that_makes_no_sense_is_one_sentence_and_exit_code_78(
    database_url, monkeypatch, settings, sentence
):
    given = {**TOKENS, **LINKS, "JOB_QUEUE_DATABASE_URL": database_url, **settings}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(main, [])
    assert (result.exit_code, result.stdout) == (78, "")
    [line] = result.stderr.splitlines()
    assert line.startswith("jobs-chatbot: ")
    assert sentence in line


@pytest.mark.parametrize(
    ("settings", "code", "sentence"),
    [
        ({"JOB_QUEUE_DATABASE_URL": "postgresql://127.0.0.1:1/jobs"}, 69, "127.0.0.1:1"),
        ({"CHATBOT_ROLES": "{"}, 78, "CHATBOT_ROLES: it is not valid JSON"),
        ({"SLACK_BOT_TOKEN": "xoxb-wrong"}, 78, "SLACK_BOT_TOKEN is not accepted by Slack"),
        ({"SLACK_APP_TOKEN": "xapp-wrong"}, 78, "SLACK_APP_TOKEN is not accepted by Slack"),
        ({"SLACK_API_URL": "http://127.0.0.1:1/api/"}, 69, "Slack cannot be reached"),
    ],
)
async def test_what_is_set_up_wrong_gets_one_sentence_and_an_exit_code(
    database_url, settings, code, sentence
):
    async with open_slack(provokes=["invalid_auth"]) as slack:
        given = {
            **TOKENS,
            "JOB_QUEUE_DATABASE_URL": database_url,
            "SLACK_API_URL": slack.api_url,
            "CHATBOT_PORT": "0",
            **settings,
        }
        process = Process([*PYTHON, "-m", "chatbot"], environment(**given))
        try:
            assert await asyncio.to_thread(process.wait, 30) == code, process.output
            last = process.output.strip().splitlines()[-1]
            assert last.startswith("jobs-chatbot: ")
            assert sentence in last
            assert "Traceback" not in process.output
            assert "wrong" not in last
        finally:
            process.close()


async def test_a_database_without_our_tables_ends_it_with_the_command_to_run(bare_database_url):
    process = Process(
        [*PYTHON, "-m", "chatbot"],
        environment(JOB_QUEUE_DATABASE_URL=bare_database_url, **TOKENS),
    )
    try:
        assert await asyncio.to_thread(process.wait) == 78
        assert "jobs-maint schema apply" in process.output
        assert describe_database(bare_database_url) in process.output
        assert "Traceback" not in process.output
    finally:
        process.close()


async def test_a_taken_port_ends_it_with_a_sentence(processes):
    async with open_slack() as slack:
        taken = slack.url.rpartition(":")[2]
        process = processes.start(
            "-m", "chatbot", **TOKENS, SLACK_API_URL=slack.api_url, CHATBOT_PORT=taken
        )
        assert await asyncio.to_thread(process.wait) == 78
        assert f"cannot listen on 127.0.0.1:{taken}" in process.output
        assert "Traceback" not in process.output


@pytest.mark.parametrize(
    ("word", "expected"), [("--version", "jobs-chatbot "), ("--help", "CHATBOT_ROLES")]
)
def test_version_and_help_need_no_settings(word, expected):
    result = CliRunner().invoke(main, [word])
    assert result.exit_code == 0
    assert expected in result.output


def test_without_the_extra_it_says_what_to_install(tmp_path):
    (tmp_path / "slack_bolt.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'slack_bolt'\", name='slack_bolt')\n"
    )
    env = environment()
    process = Process(
        [*PYTHON, "-m", "chatbot"], {**env, "PYTHONPATH": f"{tmp_path}:{env['PYTHONPATH']}"}
    )
    try:
        assert process.wait() == 78
        assert "pip install 'procrastinate-ops[slack]'" in process.output
        assert "Traceback" not in process.output
    finally:
        process.close()


async def test_a_slow_database_delays_neither_the_start_nor_an_acknowledgement(processes, conn):
    await conn.execute("BEGIN; LOCK TABLE procrastinate_jobs IN ACCESS EXCLUSIVE MODE")
    port = free_port()
    async with open_slack(build_sample_config(mode="http")) as slack:
        slack.set_request_url(f"http://127.0.0.1:{port}/slack/events")
        process = processes.start(
            "-m", "chatbot", SLACK_API_URL=slack.api_url, CHATBOT_PORT=port,
            CHATBOT_ROLES=json.dumps(ROLES), **{**TOKENS, "SLACK_APP_TOKEN": ""}, **LINKS,
        )  # fmt: skip
        await until(lambda: "chatbot.started" in process.output, "the start", process)
        assert (await slack.command(VIEWER, OPS, "/jobs stats")).acked
        await until(lambda: "chatbot.rehearsal_failed" in process.output, "its end", process)
        await conn.execute("ROLLBACK")
    started, failed = map(process.output.index, ("chatbot.started", "chatbot.rehearsal_failed"))
    assert started < failed
