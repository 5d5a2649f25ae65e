"""Half-sent requests before any signature: none of them keeps Slack out."""

import asyncio
import contextlib
import json
import resource
import time
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from tests.acceptance.test_bot_process import TOKENS, free_port
from tests.support.bots import ROLES, open_bot, open_slack
from tests.support.waiting import until

from chatbot.inbound.bodies import Bodies, BodyRefused
from chatbot.inbound.guarded_server import GuardedRunner
from chatbot.inbound.http import LARGEST_BODY, LONGEST_CHECK, build_web
from chatbot.inbound.refusals import FIRST, RefusalLog

HEAD = b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
SIGNED = b"X-Slack-Request-Timestamp: %d\r\nX-Slack-Signature: v0=" + b"a" * 64 + b"\r\n"


@contextlib.asynccontextmanager
async def serve(bot, **limits):
    async def ready():
        return None

    site = build_web(bot.app, "local-signing-secret", ready=ready, clock=time.time)
    runner = GuardedRunner(site, access_log=None, shutdown_timeout=0.1, **limits)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def hold(port, number, sent):
    pairs = []
    try:
        for _ in range(number):
            pair = await asyncio.open_connection("127.0.0.1", port)
            pair[1].write(sent)
            pairs.append(pair)
        yield pairs
    finally:
        for _, writer in pairs:
            writer.close()


async def is_well(port):
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/healthz") as answer,
    ):
        return answer.status == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        HEAD,
        HEAD + b"Content-Length: 500\r\n\r\nhalf",
        HEAD + SIGNED % 1 + b"Content-Length: 9999\r\n\r\nhalf",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhalf",
    ],
)
async def test_half_sent_requests_never_keep_others_out(pool, sent):
    async with open_bot(pool) as (_, bot), serve(bot, most=10) as port, hold(port, 60, sent):
        assert await is_well(port)


async def test_a_connection_that_sends_no_request_in_time_is_ended(pool):
    async with (
        open_bot(pool) as (_, bot),
        serve(bot, deadline=0.2) as port,
        hold(port, 3, HEAD) as pairs,
        asyncio.timeout(9),  # without the deadline it is 10
    ):
        for reader, _ in pairs:
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""


class Request:
    def __init__(self, chunks, content_length=None):
        self.content_length = content_length
        self.content = self
        self._chunks = list(chunks)

    async def readany(self):
        if not self._chunks:
            return b""
        chunk = self._chunks.pop(0)
        if chunk is None:
            await asyncio.Event().wait()
        return chunk


async def test_unchecked_bodies_are_bounded_over_all_connections_and_in_time():
    bodies = Bodies(most=1_000, deadline=0.05)
    slow = asyncio.create_task(bodies.read(Request([b"x" * 900, None]), 5_000))
    await until(lambda: bodies._held == 900)
    with pytest.raises(BodyRefused, match="too_much_at_once"):
        await bodies.read(Request([b"x" * 200]), 5_000)
    with pytest.raises(BodyRefused, match="too_slow"):
        await slow
    assert await bodies.read(Request([b"x" * 600, b"y"]), 5_000) == b"x" * 600 + b"y"
    with pytest.raises(BodyRefused, match="too_large"):
        await bodies.read(Request([], content_length=6_000), 5_000)


async def test_of_a_body_without_a_signature_only_the_beginning_is_read(pool):
    async with open_bot(pool) as (slack, _):
        unsigned = {"X-Slack-Signature": ""}
        answer = await slack.post_raw("x" * (LONGEST_CHECK + 1), headers=unsigned)
        assert answer.status == 401
        head = "team_id=T0LOCAL&api_app_id=A0LOCAL&text="
        whole = head + "x" * (LARGEST_BODY - len(head))
        assert (await slack.post_raw(whole)).status == 404


@pytest.fixture
async def process(processes):
    """A bot as a process: it, and its port."""
    port = free_port()
    async with open_slack() as slack:
        bot = processes.start(
            "-m", "chatbot", SLACK_API_URL=slack.api_url, CHATBOT_PORT=port,
            CHATBOT_ROLES=json.dumps(ROLES), **TOKENS,
        )  # fmt: skip
        await until(lambda: "chatbot.started" in bot.output)
        yield bot, port


def list_files(bot):
    return [int(one.name) for one in Path(f"/proc/{bot.pid}/fd").iterdir()]


async def test_of_1100_half_sent_requests_the_usual_cap_is_kept(process):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4_096)), hard))
    bot, port = process
    before = len(list_files(bot))
    async with hold(port, 1_100, HEAD):
        assert await is_well(port)
        assert len(list_files(bot)) <= before + 256 + 1
        assert bot.output.count("\n") < 20


async def test_when_the_system_has_no_more_files_the_log_says_so_once(process):
    bot, port = process
    few = max(list_files(bot)) + 3
    usual = resource.prlimit(
        bot.pid, resource.RLIMIT_NOFILE, (few, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    )
    async with hold(port, 60, HEAD):
        await until(lambda: "chatbot.no_more_connections" in bot.output)
    resource.prlimit(bot.pid, resource.RLIMIT_NOFILE, usual)
    assert await is_well(port)  # asyncio tries to accept once a second
    assert bot.output.count("chatbot.no_more_connections") == 1
    assert "Too many open files" in bot.output
    assert "Traceback" not in bot.output
    assert "out of system resource" not in bot.output


async def test_refused_requests_leave_a_few_lines_and_then_their_number(pool, caplog):
    sent = HEAD.replace(b"/slack/events", b"/wp-login.php") + b"Content-Length: 0\r\n\r\n"
    async with (
        open_bot(pool) as (_, bot),
        serve(bot) as port,
        hold(port, 3 * FIRST, sent) as pairs,
    ):
        for reader, _ in pairs:
            assert b" 404 " in await reader.readline()
    assert len([one for one in caplog.messages if "wp-login" in one]) == FIRST
    assert len(caplog.messages) == FIRST

    caplog.clear()
    refusals = RefusalLog()
    for reason, number in (("forged", 4_711), ("stale", 2)):
        for _ in range(number):
            refusals.warning("chatbot.request_refused reason=%s by=3s", reason)
    refusals.tell()
    refusals.warning("chatbot.request_refused reason=forged: again")
    refusals.tell()
    assert caplog.messages == [
        *["chatbot.request_refused reason=forged by=3s"] * FIRST,
        *["chatbot.request_refused reason=stale by=3s"] * 2,
        "chatbot.request_refused reason=forged more=4706 seconds=60",
        "chatbot.request_refused reason=forged: again",
    ]


@pytest.mark.parametrize(
    "sent",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9\x1b[31m.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",  # TLS
        HEAD + b"X: " + b"a" * 9_000 + b"\r\n\r\n",
        HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Expect: \xa8\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_answered_400_in_as_few_lines(pool, sent, caplog):
    async with (
        open_bot(pool) as (_, bot),
        serve(bot) as port,
        hold(port, 3 * FIRST, sent) as pairs,
    ):
        for reader, _ in pairs:
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            assert b" 400 " in head
            assert body == b""
    assert len(caplog.messages) == FIRST
    assert all("request_refused reason=unreadable error=" in one for one in caplog.messages)
    assert "Traceback" not in caplog.text


async def test_who_leaves_in_the_middle_of_a_body_leaves_no_traceback(pool, caplog):
    sent = HEAD + b"Content-Length: 500\r\n\r\nhalf"
    async with open_bot(pool) as (_, bot), serve(bot) as port:
        async with hold(port, 3 * FIRST, sent):
            pass
        await until(lambda: len(caplog.messages) >= FIRST)
        assert await is_well(port)
    assert caplog.messages == ["chatbot.request_refused reason=broken_body"] * FIRST
