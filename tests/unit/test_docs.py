"""The reference pages name every setting, word, option, exit code and field, and no other."""

import re
from dataclasses import fields
from datetime import timedelta
from enum import Enum
from pathlib import Path

import click
import pytest

from chatbot.settings import ChatbotSettings
from jobs_maint import cli, errors, models
from jobs_maint.actions import Actor
from jobs_maint.durations import format_duration
from jobs_maint.errors import PARTLY_DONE, JobsMaintError
from jobs_maint.grammar import build_grammar, build_help
from jobs_maint.render import data
from jobs_maint.settings import MaintSettings

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
SETTINGS = [MaintSettings, ChatbotSettings]


def page(name):
    return (REFERENCE / f"{name}.md").read_text(encoding="utf-8")


def rows(text):
    """The cells of every table row, without headers."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in table if not set("".join(row)) <= {"-", ""}]


def section(text, title):
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def commands(group):
    for command in group.commands.values():
        yield command
        if isinstance(command, click.Group):
            yield from commands(command)


def options():
    return {
        param.opts[0]
        for surface in ("shell", "slack")
        for command in commands(build_grammar(surface))
        for param in command.params
        if isinstance(param, click.Option)
    }


def setting_names():
    return {cls.env_name(field) for cls in SETTINGS for field in cls.model_fields}


def test_every_setting_has_its_row_and_no_row_is_of_another():
    named = [re.findall(r"^`([A-Z_]+)`$", row[0]) for row in rows(page("settings"))]
    named = [name for names in named for name in names]
    assert len(named) == len(set(named))
    assert set(named) == setting_names() | {"JOBS_CONFIG"}


def as_text(value):
    if isinstance(value, timedelta) or value is None:
        return format_duration(value)
    if value in ((), {}, []):
        return "{}" if isinstance(value, dict) else "[]"
    return str(value)


@pytest.mark.parametrize("cls", SETTINGS)
def test_the_defaults_on_the_page_are_the_real_ones(cls):
    shown = {row[0].strip("`"): row[1] for row in rows(page("settings"))}
    for name, field in cls.model_fields.items():
        default = field.get_default(call_default_factory=True)
        cell = shown[cls.env_name(name)]
        if default is None:
            assert cell == "none" or cell.startswith("required by"), name
        else:
            assert cell.split("`")[1] == as_text(default), name


def test_no_page_names_a_setting_that_does_not_exist():
    known = setting_names() | {"JOBS_CONFIG"}
    links = {"CHATBOT_SERVICE_HOST", "CHATBOT_PORT_"}
    for path in [*REFERENCE.glob("*.md"), ROOT / "README.md"]:
        text = path.read_text(encoding="utf-8")
        found = re.findall(r"\b(?:JOBS?_MAINT|JOB_QUEUE|CHATBOT|SLACK)_[A-Z_]*", text)
        unknown = {name for name in found if name not in known | links}
        assert unknown <= {"JOBS_MAINT_", "CHATBOT_"}, path.name


def test_the_files_keys_are_real():
    text = page("settings").split("```toml")[1].split("```")[0]
    pairs = re.findall(r"^(\w+) = .*# ([A-Z_]+)$", text, re.MULTILINE)
    assert len(pairs) >= 5
    keys = {}
    for cls in SETTINGS:
        for table in cls.file_tables:
            for key, field in cls.file_names(table).items():
                keys.setdefault(cls.env_name(field), set()).add(key)
    for key, name in pairs:
        assert key in keys[name], (key, name)


def test_every_word_has_its_row_with_its_usage_and_role():
    shown = {row[0].strip("`").replace("\\|", "|"): row[1] for row in rows(page("commands"))}
    for word in build_help(Actor.shell("ana", "host"), "shell").words:
        assert shown[word.usage] == (word.role or "anybody"), word.usage


def test_every_word_of_a_group_is_explained():
    for command in build_grammar("shell").commands.values():
        if isinstance(command, click.Group):
            for name in command.commands:
                assert f"`{command.name} {name}`" in page("commands")


def test_every_option_is_explained_and_no_other():
    explained = [row[0].strip("`") for row in rows(page("commands")) if row[0].startswith("`--")]
    assert len(explained) == len(set(explained))
    assert set(explained) == options()
    mentioned = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page("commands") + page("json")))
    assert mentioned <= options() | {"--version"}


def test_each_option_stands_under_its_word():
    for name, command in build_grammar("shell").commands.items():
        mine = {p.opts[0] for p in command.params if isinstance(p, click.Option)}
        mine -= {"--json", "--help"}
        if mine:
            under = section(page("commands"), name)
            assert mine == {row[0].strip("`") for row in rows(under) if row[0].startswith("`--")}


def test_every_exit_code_and_error_has_its_row_and_no_row_is_of_another():
    real = {
        (error.exit_code, error.code)
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, JobsMaintError)
    }
    real |= {(0, ""), (PARTLY_DONE, ""), (cli.BROKEN_PIPE, "")}
    real |= {(cli.UNEXPECTED, "unexpected"), (cli.OUTPUT_FAILED, "output_failed")}
    real |= {(cli.INTERRUPTED, "interrupted")}
    shown = [(int(r[0]), r[1].strip("`")) for r in rows(page("exit-codes")) if r[0].isdigit()]
    assert len(shown) == len(set(shown))
    assert set(shown) == real


NESTED = {
    "stats": [models.StatsReport, models.QueueStats, models.WorkerCounts, models.MaintenanceRun],
    "failed": [models.FailedJobsReport, models.FailedJob],
    "status": [models.JobDetails, models.JobEvent, models.FailedRun],
    "retry": [models.RetryReport, models.ItemResult],
    "schema": [models.SchemaReport],
    "help": [models.HelpReport, models.HelpWord],
}
ADDED = {"failed": {"not_shown"}, "retry": {"done", "skipped"}}


def test_every_kind_of_json_has_its_section():
    titles = re.findall(r"^## `(\w+)`$", page("json"), re.MULTILINE)
    assert sorted(titles) == sorted(data.KINDS.values()) == sorted(NESTED)


@pytest.mark.parametrize("kind", NESTED)
def test_every_field_of_the_json_is_named_and_no_other(kind):
    text = section(page("json"), f"`{kind}`")
    named = set(re.findall(r"`([a-z_]+)`", text))
    real = {field.name for cls in NESTED[kind] for field in fields(cls)} | ADDED.get(kind, set())
    assert real <= named
    words = {"error", "worker_lost", "aborted", "null", "apply", "status", "sql", "skipped", "done",
             "failed", "put_back", "not_found", "wrong_status", "queueing_lock_taken"}  # fmt: skip
    assert named - real <= words


def test_the_outcomes_and_kinds_on_the_json_page_are_real():
    text = section(page("json"), "`retry`")
    assert issubclass(models.ItemOutcome, Enum)
    for outcome in models.ItemOutcome:
        assert f"`{outcome}`" in text
    for code in cli._REFUSED:
        assert f"`{code}`" in text


def test_links_between_the_pages_lead_somewhere():
    for path in [*REFERENCE.glob("*.md"), ROOT / "README.md"]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), (path.name, target)


def test_the_readme_starts_with_the_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.index("make demo") < text.index("make test") < text.index("register(app)")
    assert len(text.splitlines()) < 60
