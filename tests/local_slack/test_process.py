"""The local Slack as a process of its own, driven through the control API."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from pathlib import Path

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from local_slack import ControlError, LocalSlack, LocalSlackControl
from local_slack.sample import OPERATOR, OPS, VIEWER, build_sample_config

SRC = Path(__file__).parents[2] / "src"
WORKSPACE = """
[workspace]
team_id = "T0LOCAL"

[[channels]]
id = "C0OPS"
name = "ops"
members = ["U0VIEWER", "U0BOT"]

[[users]]
id = "U0VIEWER"
name = "vera"

[[usergroups]]
id = "S0OPERATORS"
handle = "operators"

[app]
bot_token = "xoxb-local"
app_token = "xapp-local"
bot_user_id = "U0BOT"
signing_secret = "secret"
mode = "socket"
"""


@contextlib.asynccontextmanager
async def process(tmp_path, *arguments, workspace=WORKSPACE):
    path = tmp_path / "workspace.toml"
    path.write_text(workspace)
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "local_slack",
        "--config",
        str(path),
        *arguments,
        env={**os.environ, "PYTHONPATH": str(SRC)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


async def url_of(running):
    line = (await asyncio.wait_for(running.stdout.readline(), 60)).decode()
    assert line.startswith("local Slack listens on http://127.0.0.1:")
    return line.split()[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_tells_its_url_works_and_ends_cleanly_on_a_signal(tmp_path, number):
    async with process(tmp_path) as running:
        url = await url_of(running)
        client = AsyncWebClient("xoxb-local", base_url=f"{url}/api/")
        await client.chat_postMessage(channel=OPS, text="hello")
        page = (await running.stdout.readline()).decode().split()[-1]
        async with LocalSlackControl(page) as slack:
            (seen,) = await slack.messages(OPS, as_user=VIEWER)
        running.send_signal(number)
        _, errors = await asyncio.wait_for(running.communicate(), 60)

    assert seen.text == "hello"
    assert (running.returncode, errors) == (0, b"")


async def test_a_port_in_use_is_named_and_a_free_one_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with process(tmp_path, "--port", str(port)) as running:
            url = await url_of(running)
            line = await running.stderr.readline()

    assert line.decode() == f"port {port} is in use; taking a free one\n"
    assert not url.endswith(f":{port}")


async def test_a_bad_workspace_is_one_sentence_and_exit_code_78(tmp_path):
    workspace = WORKSPACE.replace('"socket"', '"smoke"')
    async with process(tmp_path, workspace=workspace) as running:
        _, errors = await asyncio.wait_for(running.communicate(), 60)

    assert running.returncode == 78
    assert errors.decode().endswith('app.mode is \'smoke\'; it must be "http" or "socket"\n')
    assert errors.count(b"\n") == 1


@contextlib.asynccontextmanager
async def controlled():
    async with (
        LocalSlack.start(build_sample_config(mode="socket")) as slack,
        LocalSlackControl(slack.url) as control,
    ):
        yield slack, control


async def test_every_verb_does_over_http_what_it_does_in_process():
    async with controlled() as (slack, control):
        client = AsyncWebClient("xoxb-local", base_url=control.api_url, retry_handlers=[])
        await control.set_fault("500", method="auth.test", times=5)
        await control.clear_faults()
        await client.auth_test()
        await control.set_members("S0OPERATORS", [VIEWER])
        members = await client.usergroups_users_list(usergroup="S0OPERATORS")
        posted = await client.chat_postMessage(channel=OPS, text="x")
        mine = await control.post_as_user(VIEWER, OPS, "mine")
        command = await control.command(VIEWER, OPS, "/jobs")
        replayed = await control.replay(command.request_id)
        with pytest.raises(ControlError, match="there is no button 'retry'"):
            await control.click(VIEWER, OPS, posted["ts"], "retry")
        with pytest.raises(ControlError, match="no request_url is set"):
            await control.post_raw("x")
        with pytest.raises(TimeoutError, match=r"no Socket Mode connection within 0\.01 s"):
            await control.wait_for_connection(0.01)
        with pytest.raises(ControlError, match="there is no user group S9"):
            await control.set_members("S9", [])
        await control.set_request_url("http://127.0.0.1:1/")
        await control.disconnect()
        await AsyncWebClient("xoxb-local", base_url=control.api_url).users_info(user=VIEWER)

        assert members["users"] == [VIEWER]
        assert mine in slack.messages(OPS)
        assert command.error_shown == replayed.error_shown == "dispatch_failed"
        assert await control.messages(OPS, as_user=VIEWER) == slack.messages(OPS, as_user=VIEWER)
        assert await control.calls() == slack.calls()
        assert [call.method for call in await control.calls("users.info")] == ["users.info"]
        assert await control.connections() == 0


async def test_breaches_are_told_and_cleared():
    async with controlled() as (slack, control):
        client = AsyncWebClient("xoxb-wrong", base_url=control.api_url)
        with pytest.raises(Exception, match="invalid_auth"):
            await client.auth_test()

        assert await control.breaches() == slack.breaches
        assert [breach.kind for breach in slack.breaches] == ["invalid_auth"]
        await control.clear_breaches()
        assert slack.breaches == []


async def test_a_message_is_waited_for_without_polling():
    async with controlled() as (slack, control):
        waiting = [
            asyncio.create_task(one.wait_for_message(OPS, lambda m: m.text == "second"))
            for one in (slack, control)
        ]
        slack.post_as_user(VIEWER, OPS, "first")
        await asyncio.wait(waiting, timeout=0.05)
        slack.post_as_user(OPERATOR, OPS, "second")

        assert [(await one).user for one in waiting] == [OPERATOR, OPERATOR]
        for one in (slack, control):
            with pytest.raises(TimeoutError, match="there was: 'first'; 'second'"):
                await one.wait_for_message(OPS, lambda m: m.text == "third", timeout=0.05)


async def test_the_control_api_answers_this_machine_only():
    async with controlled() as (slack, _), aiohttp.ClientSession() as http:
        url = f"{slack.url}/control/breaches"
        for host, status in (("evil.example", 403), ("localhost", 200), ("127.0.0.1:1", 200)):
            async with http.post(url, json={}, headers={"Host": host}) as response:
                assert response.status == status
        async with http.post(url, data={"a": "b"}) as response:
            assert response.status == 415
        async with http.post(f"{slack.url}/control/explode", json={}) as response:
            assert response.status == 404
        async with http.post(url, json={"colour": "red"}) as response:
            assert response.status == 400
        async with http.post(url, json=[]) as response:
            assert response.status == 400


async def test_a_taken_port_is_an_error_in_process():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        async with LocalSlack.start(build_sample_config(), port=taken.getsockname()[1]):
            pass
