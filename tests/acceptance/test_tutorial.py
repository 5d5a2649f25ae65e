"""Every file and every command of the tutorial, to the letter, from the first to the last."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from tests.support.commands import make_command
from tests.support.forkserver import ROOT
from tests.support.processes import environment
from tests.support.runbook import Block, Ended, matches, read_blocks, run_at_terminal
from tests.support.server import MEMORY
from tests.support.waiting import wait_for_row, wait_until

import local_slack
from local_slack import as_text

PAGE = ROOT / "docs/tutorial/first-retry.md"
SETTLED = (
    "SELECT NOT EXISTS (SELECT FROM procrastinate_jobs"
    " WHERE queue_name = 'invoices' AND status IN ('todo', 'doing'))"
)
TOLD = (
    "SELECT max(until) > (SELECT max(failed_at) FROM jobs_maint_failures)"
    " FROM jobs_maint_digests WHERE state IN ('sent', 'quiet')"
)


class Terminals:
    """What goes on running, each in a terminal of its own: `console` blocks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._go = f"cd {shlex.quote(str(folder))}; . ./env; "
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.env = environment()
        self._forked = folder.with_name("bin")
        self.env |= make_command(self._forked / "jobs-maint", "jobs_maint")
        if MEMORY.is_dir():  # where a new server is ready ten times as soon
            self.env["TMPDIR"] = str(MEMORY)

    def here(self, text: str) -> str:
        """The text with this machine's Python and folder in place of the reader's."""
        return text.replace(".venv/bin/python", sys.executable).replace(
            "../first-retry", str(self.folder)
        )

    def start(self, block: Block) -> str:
        """Start it and return what it prints, as soon as that is what the page says."""
        lines = block.body.splitlines()
        commands = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        shown = self.here("\n".join(line for line in lines if not line.startswith("$ ")))
        last = commands[-1]
        self.end(last)
        where = "" if "demo.services" in last else self._go
        out = self.folder.with_name(f"{len(self._running)}.log")
        with out.open("wb") as file:
            self._running[last] = subprocess.Popen(
                ["bash", "-c", where + self.here("\n".join(commands))],
                cwd=ROOT, env=self.env, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip

        def look() -> str | None:
            text = out.read_text(encoding="utf-8", errors="replace")
            assert self._running[last].poll() is None, text
            return text if matches(shown, text) else None

        return wait_until(look, what=f"{last}: {shown}", timeout=60)

    def run(self, block: Block) -> Ended:
        """To its end, in a terminal that has been told where the database is."""
        args = ["bash", "-euc", f'{self._go}PATH={self._forked}:"$PATH"; {self.here(block.body)}']
        return run_at_terminal(args, self.env, answer="y\n")

    def have(self, word: str) -> bool:
        return any(last.endswith(word) for last in self._running)

    def end(self, last: str) -> None:
        """As Ctrl-C does."""
        if process := self._running.pop(last, None):
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=30)

    def end_all(self) -> None:
        for last in reversed(list(self._running)):
            self.end(last)


@pytest.fixture
def terminals(tmp_path):
    opened = Terminals(tmp_path / "first-retry")
    yield opened
    opened.end_all()


@pytest.mark.environments
async def test_a_reader_who_does_all_of_it_retries_three_jobs_and_gets_a_digest(terminals):
    blocks = read_blocks(PAGE)
    assert {block.language for block in blocks} == {"bash", "console", "python"}
    assert blocks[0].body == "make sync"  # so it is here
    page_url = ""
    for block in blocks[1:]:
        if block.language == "python":
            name, _, code = block.body.removeprefix("# ").partition("\n")
            (terminals.folder / name).write_text(code, encoding="utf-8")
        elif block.language == "console":
            if "jobs-chatbot" in block.body:
                await digest_of(page_url)  # the page has promised it
            shown = await asyncio.to_thread(terminals.start, block)
            page_url = page_url or re.search(r"http://\S+", shown)[0]
            url = re.search(r"URL='?([^'\n]+)", (terminals.folder / "env").read_text())[1]
        else:
            if terminals.have("worker"):
                await reach(url, SETTLED)
            if block.body == "python order.py mate":  # nobody types as fast as this reader
                await reach(url, TOLD)
            ended = await asyncio.to_thread(terminals.run, block)
            assert ended.code == 0, ended.text
            assert matches(block.expected or "", ended.text), f"{block}:\n{ended.text}"
    digest = await digest_of(page_url)
    async with local_slack.LocalSlackControl(page_url) as slack:
        await slack.click("U0ANA", "C0OPS", digest.ts, "Show 1 failure")
        await slack.wait_for_message("C0OPS", lambda one: "[Retry job " in as_text(one), 30)


async def reach(url: str, state: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        await wait_for_row(conn, state)


async def digest_of(page_url: str) -> local_slack.SeenMessage:
    async with local_slack.LocalSlackControl(page_url) as slack:
        return await slack.wait_for_message("C0OPS", lambda one: "1 failure in " in one.text, 60)
