"""What the bot writes into its log: one id a request, and no secret at any level."""

import asyncio
import re
import signal

import pytest
from tests.acceptance.test_bot_running import get, start, started, until
from tests.support.bots import open_slack

from local_slack.sample import ADMIN, OPERATOR, OPS, SECRET, VIEWER, build_sample_config

# As a process of a team that logs everything: every logger of every library, from the first level.
EVERYTHING = """
import logging
everything = logging.StreamHandler()
line = "%(levelname)s %(name)s %(message)s%(request)s"
everything.setFormatter(logging.Formatter(line, defaults={"request": ""}))
logging.getLogger().addHandler(everything)
logging.getLogger().setLevel(1)
from chatbot.cli import main
main()
"""
CANARY = "canary4711"


def lines_of(output, request):
    return [line for line in output.splitlines() if line.endswith(f" request={request}")]


async def answers(slack, count, process):
    def there():
        seen = slack.messages(OPS)
        return sum(m.kind == "message" for m in seen) >= count

    await until(there, f"{count} answers", process)


@pytest.mark.parametrize("mode", ["http", "socket"])
async def test_the_id_that_the_person_sees_is_in_every_line_of_that_request_and_in_no_other(
    processes, conn, make_job, mode
):
    job_id = await make_job(status="failed", error="it broke")
    async with open_slack(build_sample_config(mode=mode)) as slack:
        process = start(processes, slack, mode=mode)
        await started(process, slack)
        # No text where text is expected: whatever comes of it is not foreseen.
        await conn.execute(
            "ALTER TABLE jobs_maint_failures ALTER exception_type TYPE int[] USING '{1}'"
        )
        # Both answers take the long way, which is logged.
        slack.set_fault("500", method="response_url", times=2)
        await slack.command(VIEWER, OPS, f"/jobs status {job_id}")
        await answers(slack, 1, process)
        await slack.command(VIEWER, OPS, "/jobs help")
        await answers(slack, 2, process)
        first, second = (m for m in slack.messages(OPS) if m.kind == "message")
        [shown] = re.findall(r"\b[0-9a-f]{8}\b", first.text)
        process.send(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 30) == 0
        mine = lines_of(process.output, shown)
        assert len(mine) == 2
        assert f"chatbot.request_failed error_id={shown}" in mine[0]
        assert "chatbot.response_url_failed" in mine[1]
        assert shown not in second.text
        others = re.findall(r"response_url_failed.* request=(\w+)", process.output)
        assert len(set(others)) == 2
        for event in ("started", "stopping", "stopped"):
            [line] = re.findall(rf"chatbot\.{event}\b.*", process.output)
            assert "request=" not in line


async def test_events_of_the_core_have_the_id_of_the_request_that_they_belong_to(
    processes, make_job
):
    job = await make_job(status="failed")
    async with open_slack() as slack:
        process = start(processes, slack)
        await started(process, slack)
        await slack.command(OPERATOR, OPS, f"/jobs retry {job}")
        await answers(slack, 1, process)
        assert re.search(
            r"jobs_maint\.jobs_retried .* request=[0-9a-f]{8}$", process.output, re.MULTILINE
        )


@pytest.mark.parametrize("mode", ["http", "socket"])
async def test_with_every_logger_at_every_level_there_is_no_secret_in_the_log(
    processes, conn, make_job, mode
):
    jobs = [await make_job(status="failed", error=f"broken {i}") for i in range(3)]
    async with open_slack(build_sample_config(mode=mode)) as slack:
        process = start(
            processes, slack, "-c", EVERYTHING, mode=mode, PYTHONASYNCIODEBUG="1"
        )  # fmt: skip
        base = await started(process, slack)
        slack.set_request_url(f"{base}/slack/events")
        done = []
        for user, text in (
            (VIEWER, "stats"), (VIEWER, "failed"), (VIEWER, f"failed --error {CANARY}"),
            (VIEWER, f"status {jobs[0]}"), (VIEWER, f"nonsense {CANARY}"), (VIEWER, "help"),
            (VIEWER, f"retry {jobs[0]}"), (OPERATOR, f"retry {jobs[0]}"), (VIEWER, "x" * 5_000),
            (OPERATOR, f"retry --all --error {CANARY}"), (VIEWER, ""),
        ):  # fmt: skip
            done.append(await slack.command(user, OPS, f"/jobs {text}".strip()))
            await answers(slack, len(done), process)
        await slack.command(ADMIN, SECRET, "/jobs stats")
        await slack.replay(done[0].request_id)
        buttons = [m for m in slack.messages(OPS, VIEWER) if "actions" in str(m.blocks)]
        for message in buttons[:2]:
            block = next(one for one in message.blocks if one["type"] == "actions")
            for element in block["elements"][:1]:
                await slack.click(VIEWER, OPS, message.ts, element["action_id"])
        for kind, method in (
            ("500", "response_url"), ("429", "response_url"), ("accepted_but_lost", "response_url"),
            ("500", "usergroups.users.list"), ("accepted_but_lost", "chat.postEphemeral"),
        ):  # fmt: skip
            slack.set_fault(kind, method=method)
            await slack.command(OPERATOR, OPS, "/jobs stats")
        if mode == "http":
            home = "team_id=T0LOCAL&api_app_id=A0LOCAL"
            for body in (
                f"payload=%7B{CANARY}", f"payload=[{CANARY}]", f"text={CANARY}", CANARY,
                f"text={CANARY}&{home}", f"{CANARY}&{home}",
            ):  # fmt: skip
                await slack.post_raw(body)
                await slack.post_raw(body, secret="another secret")
            await slack.post_raw(f"text={CANARY}", headers={"X-Slack-Signature": f"v0={CANARY}"})
        else:
            for socket in list(slack._sockets._connections):
                await socket.send_str(f'{{"type": "{CANARY}')
                await socket.send_json({"envelope_id": CANARY, "type": CANARY, "payload": CANARY})
            await slack.disconnect("warning")
            await until(lambda: "chatbot.connection_renewed" in process.output, "it", process)
            for socket in list(slack._sockets._connections):
                socket._req.transport.abort()
            await until(lambda: "chatbot.connection_back" in process.output, "it", process)
        await conn.execute("ALTER TABLE procrastinate_jobs RENAME TO gone")
        await slack.command(VIEWER, OPS, "/jobs stats")
        await get(f"{base}/readyz")
        process.send(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 60)
        output = process.output
        assert "DEBUG" in output
        assert output.count("chatbot.") >= 5
        secrets = {"xoxb-local", "xapp-local", "local-signing-secret", "ticket=", CANARY}
        for request in slack._delivery._requests.values():
            secrets |= {
                request.payload["trigger_id"],
                request.payload["trigger_id"].rpartition(".")[2],
                request.payload["response_url"],
                request.payload["response_url"].rpartition("/")[2],
                request.payload["token"],
                request.body,
                request.headers["X-Slack-Signature"],
            }
        found = [line for line in output.splitlines() if any(one in line for one in secrets)]
        assert found == []
