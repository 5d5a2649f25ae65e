"""One Chromium, one local Slack with its page, and one bot over a database, for all stories."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect
from tests.support.bots import serve_replica
from tests.support.history import JobFactory

import local_slack
from chatbot.bot import Bot
from jobs_maint.database import open_pool
from jobs_maint.grammar import build_completion
from local_slack import Limits, LocalSlack
from local_slack.sample import ADMIN, OPERATOR, VIEWER, build_sample_config

CHROMIUM = shutil.which("chromium")
ROOT = Path(__file__).parents[2]
ROOT_ARGS = ["--no-sandbox"] if os.getuid() == 0 else []
FAILED = pytest.StashKey[bool]()
SHORT = 30_000
"""Milliseconds that something on the page may take on a busy machine."""
session = {"scope": "session", "loop_scope": "session"}


@dataclass
class Stage:
    slack: LocalSlack
    bot: Bot
    database_url: str
    conn: psycopg.AsyncConnection[Any]

    async def clear_jobs(self) -> JobFactory:
        await self.conn.execute("TRUNCATE procrastinate_jobs, jobs_maint_failures CASCADE")
        return JobFactory(self.conn)


@pytest_asyncio.fixture(**session)
async def browser():
    expect.set_options(timeout=SHORT)
    if CHROMIUM is None:
        pytest.skip("needs the package chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ROOT_ARGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(**session)
async def stage(server, browser):
    page = local_slack.Page(
        roles={VIEWER: "viewer", OPERATOR: "operator", ADMIN: "admin"},
        words=build_completion("slack"),
    )
    # The stories share a channel, and none is about how often one may post there.
    config = build_sample_config(mode="socket", limits=Limits(burst=1_000))
    name = server.create("ours_template")
    url = server.url(name)
    async with contextlib.AsyncExitStack() as stack:
        slack = await stack.enter_async_context(local_slack.serve(config, page, say=print))
        pool = await stack.enter_async_context(open_pool(url, max_size=4))
        conn = await psycopg.AsyncConnection.connect(url, autocommit=True)
        stack.push_async_callback(conn.close)
        bot = await stack.enter_async_context(serve_replica(slack, pool))
        yield Stage(slack, bot, url, conn)
        assert slack.breaches == []
    server.drop(name)


class Visits:
    """Opens tabs, each in a browser profile of its own, and collects what goes wrong in them."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._stack = contextlib.AsyncExitStack()
        self.complaints: list[str] = []

    async def __call__(
        self,
        url: str,
        user: str = "",
        *,
        width: int = 1280,
        dark: bool = False,
        offline: bool = False,
        script: str = "",
    ) -> Page:
        """`offline`: the story stops the server, and the browser tells of that on its console.

        `script` runs in the tab before the page's own.
        """
        context = await self._browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            locale="en-US",
            timezone_id="Europe/Berlin",
        )
        self._stack.push_async_callback(context.close)
        context.set_default_timeout(SHORT)
        tab = await context.new_page()
        if script:
            await tab.add_init_script(script)
        tab.on("console", lambda one: self._note(one.type, one.text, offline=offline))
        tab.on("pageerror", lambda error: self._note("error", str(error)))
        await tab.goto(f"{url}#{user}/" if user else url)
        return tab

    def _note(self, kind: str, text: str, *, offline: bool = False) -> None:
        # Breaches of the content security policy are errors on the console, too.
        is_expected = offline and ("net::ERR" in text or "403" in text)
        if kind in {"error", "warning"} and not is_expected:
            self.complaints.append(text)

    async def close(self, *, picture: Path | None) -> None:
        if picture is not None:
            picture.parent.mkdir(parents=True, exist_ok=True)
            for number, context in enumerate(self._browser.contexts):
                for tab in context.pages:
                    await tab.screenshot(path=f"{picture}-{number}.png")
        await self._stack.aclose()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser, request):
    """A story that fails leaves pictures of its tabs in build/browser."""
    visits = Visits(browser)
    yield visits
    failed = request.node.stash.get(FAILED, True)
    name = re.sub(r"\W+", "-", request.node.name)
    await visits.close(picture=ROOT / "build/browser" / name if failed else None)
    assert visits.complaints == []
