"""Ctrl-C while a command still imports what it needs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.processes import SOURCES, environment

FOLDER = Path(sys.executable).parent
MAINT, BOT = [str(FOLDER / "jobs-maint")], [str(FOLDER / "jobs-chatbot")]
HOOK = """
import os, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if "NAMES" in os.environ:
            os.write(2, f"{name}\\n".encode())
        if name == os.environ.get("INTERRUPT_AT"):
            os.kill(os.getpid(), 2)

sys.meta_path.insert(0, Finder())
"""
JSON = '{"error": {"code": "interrupted", "message": "interrupted"}}\n'
SAID = "jobs-maint: interrupted\n"


@pytest.fixture
def run(tmp_path):
    """A real command that gets SIGINT in the middle of the import of `at`."""
    (tmp_path / "sitecustomize.py").write_text(HOOK, encoding="utf-8")

    def run(command, at="", **settings):
        env = environment(
            PYTHONPATH=os.pathsep.join((str(tmp_path), SOURCES)), INTERRUPT_AT=at, **settings
        )
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)

    return run


@pytest.mark.parametrize(
    "at", ["jobs_maint.cli", "contextlib", "jobs_maint.actions", "psycopg", "jobs_maint.perform"]
)
def test_ctrl_c_while_jobs_maint_loads_ends_with_130_and_one_word(run, at):
    done = run([*MAINT, "stats"], at)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", SAID)


@pytest.mark.parametrize("at", ["jobs_maint.cli", "psycopg"])
def test_with_json_that_word_is_json(run, at):
    done = run([*MAINT, "stats", "--json"], at)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", JSON)


@pytest.mark.parametrize(
    ("module", "said"), [("jobs_maint", SAID), ("jobs_maint.cli", SAID), ("chatbot", "")]
)
def test_python_m_is_the_same(run, module, said):
    done = run([sys.executable, "-m", module, "doctor"], "pydantic_settings")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", said)


@pytest.mark.parametrize("at", ["importlib.util", "chatbot", "click", "slack_sdk", "chatbot.serve"])
@pytest.mark.parametrize("command", [BOT, [*BOT, "doctor"]], ids=["run", "doctor"])
def test_ctrl_c_while_the_bot_loads_ends_with_130_in_silence(run, command, at):
    done = run(command, at)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_the_bots_page_too(run):
    done = run([*BOT, "local"], "chatbot.local", JOB_QUEUE_DATABASE_URL="postgresql://u@h/d")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize(
    ("command", "own"),
    [
        (MAINT, ["jobs_maint.__main__"]),
        (BOT, ["jobs_maint.launcher"]),
    ],
    ids=["jobs-maint", "jobs-chatbot"],
)
def test_nothing_is_imported_before_ctrl_c_ends_it(run, command, own):
    """What comes earlier still is Python's own start."""
    names = run([*command, "--version"], NAMES="1").stderr.split()
    assert names[names.index("jobs_maint") + 1 : names.index("jobs_maint.interrupts")] == own


def test_ctrl_c_that_the_shell_ignores_stays_ignored(run):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        done = run([*MAINT, "--version"], "jobs_maint.cli")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (done.returncode, done.stderr) == (0, "")
