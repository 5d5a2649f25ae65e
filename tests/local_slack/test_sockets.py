"""Socket Mode connections that come and go."""

import asyncio
import contextlib

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from local_slack import Limits, LocalSlack, LocalSlackControl
from local_slack.sample import OPS, VIEWER, build_sample_config


@contextlib.asynccontextmanager
async def sockets(**limits):
    config = build_sample_config(mode="socket", limits=Limits(**limits))
    async with LocalSlack.start(config) as slack, aiohttp.ClientSession() as http:

        async def connect():
            client = AsyncWebClient(base_url=slack.api_url)
            url = (await client.apps_connections_open(app_token="xapp-local"))["url"]
            link = await http.ws_connect(url)
            return link, await link.receive_json(timeout=30)

        yield slack, connect


async def answer_one(slack, *links):
    """Type a command; ack it on whichever connection it came to, and return that one."""
    command = asyncio.create_task(slack.command(VIEWER, OPS, "/jobs"))
    waits = {asyncio.create_task(link.receive_json()): link for link in links}
    done, others = await asyncio.wait(waits, timeout=30, return_when=asyncio.FIRST_COMPLETED)
    for one in others:
        one.cancel()
    (got,) = done
    await waits[got].send_json({"envelope_id": got.result()["envelope_id"]})
    assert (await command).acked
    return waits[got]


async def test_an_app_that_reconnects_at_the_warning_is_never_without_a_connection():
    async with sockets() as (slack, connect):
        first, _ = await connect()
        await slack.disconnect("warning")
        assert (await first.receive_json(timeout=30))["reason"] == "warning"
        assert await answer_one(slack, first) is first
        second, hello = await connect()
        assert hello["num_connections"] == 2
        await slack.disconnect("refresh_requested")
        assert (await first.receive_json(timeout=30))["reason"] == "refresh_requested"
        assert await answer_one(slack, second) is second
        await first.close()

        assert slack.connections == 1
        assert slack.gaps == []
        assert slack.breaches == []


async def test_a_warned_connection_is_closed_when_its_time_is_over():
    async with sockets(warning_seconds=0.05) as (slack, connect):
        link, _ = await connect()
        await slack.disconnect("warning")
        reasons = [(await link.receive_json(timeout=30))["reason"] for _ in range(2)]
        closed = await link.receive(timeout=30)

        assert reasons == ["warning", "refresh_requested"]
        assert closed.type is aiohttp.WSMsgType.CLOSE
        assert slack.connections == 0


async def test_the_time_without_a_connection_is_told():
    async with sockets() as (slack, connect), LocalSlackControl(slack.url) as control:
        assert slack.gaps == []
        link, _ = await connect()
        assert slack.gaps == []
        await slack.disconnect()
        assert len(slack.gaps) == 1
        await link.close()
        _, hello = await connect()
        (gap,) = slack.gaps

        assert hello["type"] == "hello"
        assert gap > 0
        assert slack.gaps == await control.gaps() == [gap]


async def test_the_eleventh_connection_is_refused():
    async with sockets() as (slack, connect):
        links = [await connect() for _ in range(10)]
        _, answer = await connect()

        assert [hello["type"] for _, hello in links] == ["hello"] * 10
        assert answer == {"type": "disconnect", "reason": "too_many_websockets"}
        assert slack.connections == 10
    assert [breach.kind for breach in slack.breaches] == ["too_many_websockets"]


async def test_an_envelope_that_is_never_acked_is_a_breach():
    async with sockets(ack_seconds=0.2) as (slack, connect):
        link, _ = await connect()
        result = await slack.command(VIEWER, OPS, "/jobs")
        envelope = await link.receive_json(timeout=30)
        await link.send_json({"envelope_id": envelope["envelope_id"]})
        await link.close()

    assert result.error_shown == "operation_timeout"
    assert [breach.kind for breach in slack.breaches] == ["late_ack"]
