"""The commands of the how-to pages, as a reader types them, on an empty jobs database."""

from __future__ import annotations

import re

import pytest
from tests.support.commands import make_command
from tests.support.forkserver import ROOT
from tests.support.processes import environment
from tests.support.runbook import run_at_terminal

PAGES = ("add-to-your-app", "several-databases", "upgrade", "set-up-slack")
ELSEWHERE = re.compile(r"jobs-chatbot( doctor.*| local)?$")
"""These go on running or ask Slack: tests of the bot start them."""


def list_commands(page: str) -> list[str]:
    text = (ROOT / f"docs/how-to/{page}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if re.search(r"\bjobs-(maint|chatbot)\b", line)]


@pytest.mark.parametrize("page", PAGES)
def test_each_command_of_the_page_runs(page, bare_database_url, tmp_path):
    env = environment(JOB_QUEUE_DATABASE_URL=bare_database_url)
    env |= make_command(tmp_path / "jobs-maint", "jobs_maint")
    env |= make_command(tmp_path / "jobs-chatbot", "chatbot")
    env["PATH"] = f"{tmp_path}:{env['PATH']}"
    commands = list_commands(page)
    assert commands
    if page != "add-to-your-app":  # the one that makes the tables
        commands.insert(0, "jobs-maint schema apply")
    for line in commands:
        here = line.partition("#")[0].strip()
        if ELSEWHERE.search(here):
            continue
        here = re.sub(r"postgresql://\S+", f"'{bare_database_url}'", here)
        ended = run_at_terminal(["bash", "-c", here], env, answer="y\n")
        # The doctor finds that no worker runs.
        allowed = {0, 1} if here.endswith("doctor") else {0}
        assert ended.code in allowed, f"{line}: {ended.code}\n{ended.text}"
        assert ended.text.strip()
        assert "Traceback" not in ended.text
        for name in re.findall(r"CHATBOT_COMMAND=(\S+)", here):
            assert f'"command": "{name}"' in ended.text
