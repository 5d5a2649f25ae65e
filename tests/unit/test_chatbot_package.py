"""The package `chatbot` where the extra is missing, and where a team's own one hides it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.local_slack.test_process import WORKSPACE
from tests.support.processes import ROOT, environment

DIGESTS = '[{"name": "ops", "channel": "C0OPS", "cron": "0 9 * * *"}]'
WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in {"aiohttp", "slack_bolt", "slack_sdk"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
"""
REGISTER = """
import chatbot, jobs_maint, procrastinate
app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=""))
chatbot.register_digests(app)
print(sorted(name for name in app.tasks if name.startswith("chatbot:")))
"""
LAUNCH = "from jobs_maint.launcher import main; main()"
LOCAL = "import runpy; runpy.run_module('local_slack', run_name='__main__', alter_sys=True)"


def run(code: str, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        env=environment(**settings), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_without_the_extra_and_without_digests_nothing_is_registered_and_nothing_fails():
    done = run(WITHOUT + REGISTER)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


@pytest.mark.parametrize(
    "code",
    [REGISTER, "import chatbot; chatbot.build_app", "from chatbot import build_app", LAUNCH],
    ids=["digests", "attribute", "import", "jobs-chatbot"],
)
def test_without_the_extra_one_sentence_says_what_to_install(code):
    done = run(WITHOUT + code, CHATBOT_DIGESTS=DIGESTS, SLACK_BOT_TOKEN="xoxb-1")
    last = done.stderr.splitlines()[-1]
    assert "is not installed; " in last
    assert last.endswith("needs the extra: pip install 'procrastinate-ops[slack]'")
    if code == LAUNCH:
        assert (done.returncode, done.stderr.count("\n")) == (78, 1)


def test_without_the_extra_the_local_slack_says_so_too(tmp_path):
    (tmp_path / "one.toml").write_text(WORKSPACE, encoding="utf-8")
    done = run(WITHOUT + LOCAL, "--config", str(tmp_path / "one.toml"))
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == (
        "aiohttp is not installed; the local Slack needs the extra: "
        "pip install 'procrastinate-ops[slack]'\n"
    )


def test_an_extra_of_another_version_is_told_with_what_it_lacks(tmp_path):
    (tmp_path / "slack_sdk").mkdir()
    (tmp_path / "slack_sdk" / "__init__.py").touch()
    path = f"{tmp_path}{os.pathsep}{ROOT / 'src'}"
    done = run(LAUNCH, PYTHONPATH=path)
    assert done.returncode == 78
    assert "slack_sdk is of another version (No module named 'slack_sdk." in done.stderr


@pytest.mark.parametrize("package", [True, False], ids=["package", "module"])
def test_a_package_of_the_team_that_hides_the_bot_is_named_in_one_sentence(tmp_path, package):
    """Without running it: nobody asked for that."""
    place = tmp_path / "chatbot" / "__init__.py" if package else tmp_path / "chatbot.py"
    place.parent.mkdir(exist_ok=True)
    place.write_text("raise SystemExit('the team´s own code ran')\n", encoding="utf-8")
    done = run(LAUNCH, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT / 'src'}")
    assert (done.returncode, done.stdout) == (78, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"jobs-chatbot: the package chatbot at {tmp_path}")
    assert "hides the one of procrastinate-ops; rename it" in line


def test_jobs_chatbot_starts_ours():
    done = run(LAUNCH, "--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "jobs-chatbot")
