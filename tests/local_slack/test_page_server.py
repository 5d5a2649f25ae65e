"""The server of the page: who may come in, what a tab is told, and a port in use."""

import asyncio
import contextlib
import json
import socket

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from tests.local_slack.test_process import process

from local_slack import (
    ConfigError,
    ControlError,
    LocalSlackControl,
    Page,
    Panel,
    Step,
    Switch,
    load_page,
    serve,
)
from local_slack.page.guard import Guard
from local_slack.sample import GUEST, OPERATOR, OPS, RANDOM, SECRET, VIEWER, build_sample_config

ANSWERS = 10
"""Seconds within which the server must answer."""


@contextlib.asynccontextmanager
async def opened(**page):
    async with (
        serve(build_sample_config(mode="socket"), Page(**page), say=print) as slack,
        # Cookies of an address without a name are kept only when asked for.
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser,
    ):
        yield slack, browser


class Tab:
    def __init__(self, link):
        self._link = link
        self.news = []

    async def tell(self, **what):
        await self._link.send_json(what)

    async def wait_for(self, kind):
        async with asyncio.timeout(ANSWERS):
            while True:
                got = json.loads((await self._link.receive()).data)
                self.news.append(got)
                if got["kind"] == kind:
                    return got


@contextlib.asynccontextmanager
async def tab(slack, browser, user):
    async with browser.get(slack.page_url) as answer:
        assert answer.status == 200
    async with browser.ws_connect(f"{slack.url}/page") as link:
        one = Tab(link)
        await one.tell(do="hello", user=user)
        yield one


async def test_only_who_knows_the_secret_comes_in_and_it_leaves_the_address():
    async with opened() as (slack, browser):
        paths = ["/", "/app.js", "/app.css", "/page", "/?token=wrong"]
        for path in paths:
            async with browser.get(slack.url + path) as answer:
                assert answer.status == 403
                assert "Open the whole URL that the terminal printed" in await answer.text()
        async with browser.post(f"{slack.url}/control/breaches", json={}) as answer:
            assert answer.status == 403
        assert slack.page.secret not in repr(slack.page)

        async with browser.get(slack.page_url) as answer:
            assert (answer.status, answer.url.query_string) == (200, "")
            assert (
                "default-src 'none'; script-src 'self'" in answer.headers["Content-Security-Policy"]
            )
            assert "unsafe" not in answer.headers["Content-Security-Policy"]
        for path in ("/app.js", "/app.css"):
            async with browser.get(slack.url + path) as answer:
                assert answer.status == 200
        async with LocalSlackControl(slack.page_url) as control:
            assert await control.breaches() == []


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Host", "rebound.example:{port}"),
        ("Host", "127.0.0.1:1"),
        ("Origin", "https://evil.example"),
    ],
)
async def test_pages_of_others_are_kept_out_although_they_have_the_cookie(header, value):
    async with opened() as (slack, browser):
        async with browser.get(slack.page_url) as answer:
            assert answer.status == 200
        sent = {header: value.format(port=slack.url.rpartition(":")[2])}
        for path in ("/", "/page", "/api/auth.test"):
            async with browser.get(slack.url + path, headers=sent) as answer:
                assert answer.status == 403, path
        async with browser.get(slack.url, headers={"Origin": slack.url}) as answer:
            assert answer.status == 200


async def test_at_port_80_the_address_has_no_port():
    """Neither browsers nor clients write that port."""
    app = web.Application(middlewares=[Guard("secret", lambda: "http://127.0.0.1:80").middleware])
    async with TestClient(TestServer(app)) as client:
        for host, status in (("127.0.0.1", 404), ("localhost:80", 404), ("evil.example", 403)):
            headers = {"Host": host, "Authorization": "Bearer secret"}
            assert (await client.get("/x", headers=headers)).status == status, host


async def test_a_tab_is_told_what_its_person_sees_and_nothing_else():
    roles, words = {OPERATOR: "operator"}, [{"name": "stats"}]
    async with opened(roles=roles, words=words) as (slack, browser):
        slack.post_as_user(OPERATOR, RANDOM, "before")
        async with tab(slack, browser, OPERATOR) as otto, tab(slack, browser, GUEST) as gus:
            place = await otto.wait_for("place")
            assert [one["id"] for one in place["channels"]].count(RANDOM) == 1
            assert SECRET not in [one["id"] for one in place["channels"]]
            assert {"id": OPERATOR, "name": "otto", "role": "operator"} in place["people"]
            start = await otto.wait_for("start")
            assert ([one["text"] for one in start["messages"]], start["words"]) == (
                ["before"],
                words,
            )
            assert (await gus.wait_for("start"))["messages"] == []

            slack.post_as_user(OPERATOR, RANDOM, "not for gus")
            first = await otto.wait_for("changes")
            await gus.tell(do="say", id=1, channel=OPS, text="hello")
            second = await gus.wait_for("changes")
            assert [one["text"] for one in first["messages"]] == ["not for gus"]
            assert [one["text"] for one in second["messages"]] == ["hello"]

            await gus.tell(do="older", id=2, channel=RANDOM, before="9")
            assert "error" in await gus.wait_for("reply")
            await gus.tell(do="dance", id=3)
            assert "dance" in (await gus.wait_for("reply"))["error"]
            await gus.tell(do="click", id=4)
            assert (await gus.wait_for("reply"))["error"].startswith("The page sent")
            await gus.tell(do="inspect", on=True)
            await gus.tell(do="command", id=5, channel=OPS, text="/jobs stats")
            traffic = await gus.wait_for("traffic")
            assert [(one["title"], one["error"]) for one in traffic["entries"]] == [
                ("/jobs stats", "dispatch_failed")
            ]


async def test_an_unknown_person_is_somebody_and_may_become_another():
    async with opened() as (slack, browser), tab(slack, browser, "U0NOBODY") as one:
        assert (await one.wait_for("place"))["me"] == VIEWER
        await one.tell(do="hello", user=OPERATOR)
        assert (await one.wait_for("place"))["me"] == OPERATOR


async def test_the_process_prints_its_page_and_takes_another_port_when_its_own_is_in_use(tmp_path):
    page = tmp_path / "page.json"
    page.write_text(json.dumps({"roles": {VIEWER: "viewer"}, "secret": "s3cret"}))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with process(tmp_path, "--port", port, "--page", str(page)) as running:
            async with asyncio.timeout(60):
                url = (await running.stdout.readline()).decode().split()[-1]
                line = (await running.stdout.readline()).decode()
                said = (await running.stderr.readline()).decode()
    assert line == f"open it in a browser: {url}/?token=s3cret\n"
    assert said == f"port {port} is in use; taking a free one\n"
    assert not url.endswith(f":{port}")


async def test_switches_of_the_panel_are_turned_by_one_tab_and_seen_by_all():
    go_on = asyncio.Event()
    turned = []

    async def break_it(on):
        turned.append(on)
        await go_on.wait()
        panel.tell("broken" if on else "mended", user=VIEWER)

    async def fail(_on):
        raise ControlError("There is nothing to kill.")

    switches = [Switch("Break", "It breaks.", break_it), Switch("Kill", "Now.", fail, on=None)]
    panel = Panel("Try it", steps=[Step("Look", "`/jobs stats`", VIEWER)], switches=switches)
    async with opened(panel=panel) as (slack, browser):
        async with tab(slack, browser, VIEWER) as vera, tab(slack, browser, OPERATOR) as otto:
            for one in (vera, otto):
                seen = (await one.wait_for("panel"))["panel"]
                assert (seen["title"], seen["events"]) == ("Try it", [])
                assert seen["steps"] == [
                    {"title": "Look", "text": "`/jobs stats`", "user": VIEWER, "done": False}
                ]
            await vera.tell(do="switch", label="Break", on=True, id=1)
            seen = (await otto.wait_for("panel"))["panel"]["switches"]
            assert [(one["on"], one["busy"]) for one in seen] == [(False, True), (None, False)]
            for label, error in {
                "Break": "“Break” is still being done; wait until it is.",
                "Kill": "There is nothing to kill.",
                "Nothing": "there is no switch 'Nothing'",
            }.items():
                await otto.tell(do="switch", label=label, on=True, id=2)
                assert (await otto.wait_for("reply"))["error"] == error
            go_on.set()
            assert "error" not in await vera.wait_for("reply")
            panel.finish(panel.steps[0])
            news = (await otto.wait_for("panel"))["panel"]
            while not news["steps"][0]["done"]:
                news = (await otto.wait_for("panel"))["panel"]
            assert (news["switches"][0]["on"], news["switches"][0]["busy"]) == (True, False)
            assert [(one["text"], one["user"]) for one in news["events"]] == [("broken", VIEWER)]
            # It is so already: two people who press at once do not undo each other.
            await otto.tell(do="switch", label="Break", on=True, id=3)
            await otto.wait_for("reply")
            assert turned == [True]
        async with asyncio.timeout(ANSWERS):
            while panel.watchers:
                await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", "must be a JSON object"),
        ("{", "is not valid JSON"),
        ('{"role": {}}', "unknown key 'role'; known keys: roles, words, notice, secret"),
        ('{"words": {}}', "words must be of type list"),
        ('{"panel": {}}', "unknown key 'panel'; known keys: roles, words, notice, secret"),
    ],
)
def test_a_bad_page_file_is_one_sentence(tmp_path, text, says):
    path = tmp_path / "page.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"page\.json: {says}"):
        load_page(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_page(tmp_path / "missing.json")
