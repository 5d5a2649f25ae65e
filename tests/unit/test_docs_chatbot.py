"""The page of `jobs-chatbot` and the guide's manifest say what the code says."""

import json
import re
from pathlib import Path

import click

from chatbot.cli import main
from chatbot.settings.bot import ChatbotSettings
from chatbot.setup.findings import TITLES
from chatbot.setup.manifest import render_manifest
from chatbot.setup.scopes import SCOPES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/jobs-chatbot.md").read_text(encoding="utf-8")
CHECKS_IN = (
    "slack_checks.py",
    "places.py",
    "validation.py",
    "one_database.py",
    "people.py",
    "doctor_page.py",
    "doctor_in_slack.py",
    "watch_checks.py",
)
GUIDE = (ROOT / "docs/how-to/set-up-slack.md").read_text(encoding="utf-8")


def section(title):
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_every_command_and_option_is_explained_and_no_other():
    named = set(re.findall(r"`jobs-chatbot (\w+)`", PAGE.split("\n## ")[0]))
    assert named == set(main.commands)
    for name, command in main.commands.items():
        real = {p.opts[0] for p in command.params if isinstance(p, click.Option)}
        assert set(re.findall(r"^\| `(--\w+)` \|", section(name), re.MULTILINE)) == real, name


def test_every_check_of_the_doctor_has_its_row_and_no_row_is_of_another():
    sources = [ROOT / "src/chatbot/setup" / name for name in CHECKS_IN]
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    real = set(re.findall(r'"((?:slack|bot)_\w+)', text))
    assert len(real) >= 8
    rows = re.findall(
        r"^\| `((?:slack|bot)_\w+)(?::\w+)?`<br>([^|]+) \|", section("doctor"), re.MULTILINE
    )
    assert {name for name, _ in rows} == real
    assert dict(rows) == TITLES


def test_the_guide_shows_the_manifest_that_is_printed():
    [shown] = re.findall(r"```json\n(.*?)\n```", GUIDE, re.DOTALL)
    assert shown == render_manifest(ChatbotSettings(), url=None, socket=True)
    assert json.loads(shown)["settings"]["socket_mode_enabled"] is True


def test_the_guide_says_of_each_scope_what_does_not_work_without_it():
    rows = [line.split(" | ") for line in GUIDE.splitlines() if line.startswith("| `")]
    explained = {name for row in rows for name in re.findall(r"`([a-z]+:?[a-z]*)`", row[0])}
    for scope in SCOPES:
        assert scope.name in explained
