"""The reference pages name every setting, word, option, exit code and field, and no other.

So they do with tables, columns, indexes, log events and tasks; and every link leads somewhere.
"""

import ast
import functools
import inspect
import json
import re
from dataclasses import fields, is_dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import get_args, get_type_hints

import click
import procrastinate
import procrastinate.testing
import pytest
import yaml
from pydantic import BaseModel

import chatbot
import jobs_maint
from chatbot.serve import CONNECTIONS
from chatbot.settings.bot import ChatbotSettings
from jobs_maint import cli, errors, models
from jobs_maint.actions import Actor
from jobs_maint.cli import run
from jobs_maint.cli.outcome import NONE_DONE, REFUSED
from jobs_maint.durations import format_duration
from jobs_maint.errors import PARTLY_DONE, JobsMaintError
from jobs_maint.grammar import build_grammar, build_help
from jobs_maint.settings import MaintSettings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
SOURCES = ROOT / "src"
SQL = SOURCES / "jobs_maint" / "sql"
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
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_unset=True)
    if value in ((), {}, []):
        return "{}" if isinstance(value, dict) else "[]"
    return str(value).lower() if isinstance(value, bool) else str(value)


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
    of_compose = {"JOB_QUEUE_DATABASE_PASSWORD", "JOB_QUEUE_ENABLED"}
    for path in pages():
        text = path.read_text(encoding="utf-8")
        found = re.findall(r"\b(?:JOBS?_MAINT|JOB_QUEUE|CHATBOT|SLACK)_[A-Z_]*", text)
        unknown = {name for name in found if name not in known | links | of_compose}
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
    explained = {row[0].strip("`") for row in rows(page("commands")) if row[0].startswith("`--")}
    assert explained == options()
    mentioned = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page("commands") + page("json")))
    assert mentioned <= options() | {"--version"}


def test_each_option_stands_under_its_word():
    for name, command in build_grammar("shell").commands.items():
        found = [*commands(command)] if isinstance(command, click.Group) else [command]
        mine = [p.opts[0] for c in found for p in c.params if isinstance(p, click.Option)]
        mine = sorted({option for option in mine if option not in {"--json", "--help"}})
        if mine:
            under = section(page("commands"), name)
            shown = [row[0].strip("`") for row in rows(under) if row[0].startswith("`--")]
            assert sorted(shown) == mine, name


def test_every_exit_code_and_error_has_its_row_and_no_row_is_of_another():
    real = {
        (error.exit_code, error.code)
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, JobsMaintError)
    }
    real |= {(0, ""), (NONE_DONE, ""), (PARTLY_DONE, ""), (cli.BROKEN_PIPE, "")}
    real |= {(cli.UNEXPECTED, "unexpected"), (cli.OUTPUT_FAILED, "output_failed")}
    real |= {(128 + number, "interrupted") for number in run.STOPPING}
    shown = [(int(r[0]), r[1].strip("`")) for r in rows(page("exit-codes")) if r[0].isdigit()]
    assert len(shown) == len(set(shown))
    assert set(shown) == real


CLASSES = [found for found in vars(models).values() if isinstance(found, type)]
REPORTS = {
    report.kind: report
    for report in CLASSES
    if issubclass(report, models.Report) and report is not models.Report
}


def list_parts(hint):
    """The dataclasses that a field holds, however deep."""
    if is_dataclass(hint) and not issubclass(hint, models.Report):
        return [
            hint,
            *(part for deep in get_type_hints(hint).values() for part in list_parts(deep)),
        ]
    return [part for inner in get_args(hint) for part in list_parts(inner)]


PARTS = {
    kind: [part for hint in get_type_hints(report).values() for part in list_parts(hint)]
    for kind, report in REPORTS.items()
}
HOMES = {"ErrorGroup": "errors", "ItemResult": "retry", "QueueStats": "stats",
         "SkipGroup": "preview", "StuckJob": "stuck", "Incident": "incidents",
         "Condition": "incidents", "HistoryEntry": "incidents",
         "MaintenanceRun": "stats", "OwnJobs": "stats", "WorkerView": "workers"}  # fmt: skip
"""Where the fields are explained of what several kinds hold."""
ADDED = {
    "failed": {"not_shown"}, "retry": {"done", "skipped", "kind"}, "preview": {"expected"},
    "bulk": {"left"}, "purge": {"total"}, "rescue": {"counts"}, "audit": {"not_shown"},
    "digest": {"slot_seconds"}, "errors": {"slot_seconds"},
}  # fmt: skip
KINDS = set(REPORTS)
VALUES = {
    "error", "worker_lost", "aborted", "null", "apply", "sql", "skipped", "done", "failed",
    "put_back", "not_found", "not_permitted", "wrong_status", "ended_otherwise", "ran_again",
    "another_job",
    "queueing_lock_taken", "cancel", "cancelled",
    "discard", "discarded", "abort_requested", "abort_requested_before", "new", "rising", "steady",
    "falling", "gone", "worker_alive", "too_soon", "worker_unknown", "started_again", "now",
    "late", "no_run", "busy", "overdue", "shown", "open", "resolved", "regressed", "ongoing",
    "quiet", "refused", "undated", "applied",
    *models.IncidentKind,
    *get_args(get_type_hints(models.HistoryEntry)["what"]), *get_args(models.Why),
}  # fmt: skip
"""What fields can hold, where a page names it."""
FACTS = {
    "waiting", "job_id", "task", "usual", "ended", "exception_type", "message", "quiet_seconds",
    "jobs", "job_ids", "cron", "tick", "succeeded_at", "until", "error", "worker_id", "queue",
    "purge", "rescue", "muted_above", "muted_as", "by_queue", "lock", "holder", "failures",
    "at_least", "has_worker", "last_at", "left", "missed", "cause", "own", "standing",
    "by_workers", "heard_at", "worst_at_least", "of_task", "groups", "more_tasks", "holder_queue",
    "job_queue",
    *(field.name for field in fields(models.settled.Followed)),
}  # fmt: skip
"""What `facts` of an incident hold."""


def test_every_kind_of_json_has_its_section():
    titles = re.findall(r"^## `(\w+)`$", page("json"), re.MULTILINE)
    assert sorted(titles) == sorted(KINDS)


@pytest.mark.parametrize("kind", sorted(REPORTS))
def test_every_field_of_the_json_is_named_and_no_other(kind):
    text = section(page("json"), f"`{kind}`")
    named = set(re.findall(r"`([a-z_]+)`", text))
    mine = [part for part in PARTS[kind] if HOMES.get(part.__name__, kind) == kind]
    real = {field.name for cls in (REPORTS[kind], *mine) for field in fields(cls)}
    real |= ADDED.get(kind, set())
    real -= {field.name for field in fields(models.Report)}
    assert real <= named
    borrowed = {field.name for part in PARTS[kind] for field in fields(part)}
    assert named - real - borrowed <= VALUES | KINDS | FACTS


def test_the_outcomes_and_kinds_on_the_json_page_are_real():
    text = section(page("json"), "`retry`") + section(page("json"), "`rescue`")
    assert issubclass(models.ItemOutcome, Enum)
    for outcome in models.ItemOutcome:
        assert f"`{outcome}`" in text
    for code in REFUSED:
        assert f"`{code}`" in text


def pages():
    return [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CHANGELOG.md"]


def anchors(path):
    """What headings can be linked to, as GitHub names them."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", title.lower()) for title in titles]
    return {title.replace(" ", "-") for title in plain}


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_page_and_a_heading(path):
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", path.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def test_the_index_links_every_page():
    linked = re.findall(r"\]\((?!https?:)([^)#]+)\)", (DOCS / "index.md").read_text())
    found = {(DOCS / target).resolve() for target in linked}
    assert {path for path in DOCS.rglob("*.md") if path.name != "index.md"} <= found


# --- tables ---------------------------------------------------------------------------------------


def statements():
    files = sorted((SQL / "migrations").glob("*.sql"))
    text = "\n".join(path.read_text(encoding="utf-8") for path in [SQL / "schema.sql", *files])
    return re.sub(r"--[^\n]*", "", text)


def real_tables():
    """Table → column → type, from the SQL itself."""
    found = {}
    create = r"CREATE TABLE (?:IF NOT EXISTS )?(\w+) \(\n(.*?)\n\)"
    for table, body in re.findall(create, statements(), re.DOTALL):
        columns = re.findall(rf"^    ([a-z_]+) ({TYPE})(?=[ ,\n]|$)", body, re.MULTILINE)
        assert len(columns) == len(re.findall(r"^    [a-z_]+ ", body, re.MULTILINE)), table
        found[table] = dict(columns)
    add = rf"ALTER TABLE (?:IF EXISTS )?(\w+)\s+ADD COLUMN (?:IF NOT EXISTS )?(\w+) ({TYPE})"
    for table, column, kind in re.findall(add, statements()):
        found[table][column] = kind
    return found


TYPE = r"double precision|(?:bigint|integer|text|boolean|bytea|jsonb|timestamptz)(?:\[\])?"


def real_indexes():
    named = re.findall(
        r"CREATE (?:UNIQUE )?INDEX (?:CONCURRENTLY )?(?:IF NOT EXISTS )?(\w+)", statements()
    )
    keys = [f"{table}_pkey" for table in real_tables()]
    return sorted([*named, *keys])


def table_sections():
    parts = page("schema").split("\n## ")[1:]
    return {part.split("`")[1]: part for part in parts if part.startswith("`")}


def test_every_table_has_its_section_and_no_section_is_of_another():
    assert len(real_tables()) >= 9
    assert sorted(table_sections()) == sorted(real_tables())


@pytest.mark.parametrize("table", real_tables())
def test_every_column_has_its_row_with_its_type_and_no_row_is_of_another(table):
    columns = table_sections()[table].split("| index |")[0]
    shown = [(row[0].strip("`"), row[1]) for row in rows(columns) if row[0].startswith("`")]
    assert shown == list(real_tables()[table].items())


def test_every_index_has_its_row_and_no_row_is_of_another():
    shown = [
        row[0].strip("`")
        for part in table_sections().values()
        for row in rows("| index |" + part.partition("| index |")[2])
        if row[0].startswith("`")
    ]
    assert sorted(shown) == real_indexes()
    for row in rows(page("schema")):
        if row[0].strip("`").endswith("_idx"):
            assert all(row), row


def test_every_table_has_its_retention():
    named = [row[0].strip("`") for row in rows(section(page("schema"), "Retention"))]
    assert sorted(named[1:]) == sorted(real_tables())


# --- log events -----------------------------------------------------------------------------------

LEVELS = {"debug", "info", "warning", "error", "exception"}


@functools.cache
def real_events():
    """Event → (levels, fields, whether all fields are known), from the calls in the sources."""
    found = {}
    for path in sorted(SOURCES.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for call in [node for node in ast.walk(tree) if isinstance(node, ast.Call)]:
            for name, level, named, whole in events_of(call, tree):
                levels, known, all_whole = found.get(name, (set(), set(), True))
                found[name] = (levels | {level}, known | named, all_whole and whole)
    return found


def events_of(call, tree):
    if not call.args:
        return
    words = template(call.args[0])
    if getattr(call.func, "id", "") == "emit":
        levels = [arg.attr for arg in call.args[1:] if isinstance(arg, ast.Attribute)]
        fields = {keyword.arg for keyword in call.keywords if keyword.arg}
        whole = all(keyword.arg for keyword in call.keywords)
        for name in filled(words, tree):
            yield name, (levels or ["INFO"])[0].lower(), fields, whole
    elif getattr(call.func, "attr", "") in LEVELS and words.startswith(("chatbot.", "jobs_maint.")):
        name, _, rest = words.partition(" ")
        level = "error" if call.func.attr == "exception" else call.func.attr
        yield name, level, set(re.findall(r"(\w+)=%", rest)), True


def template(node):
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join("{}" if isinstance(v, ast.FormattedValue) else v.value for v in node.values)
    return ""


def filled(words, tree):
    """`jobs_maint.request_{outcome}` → one name for each outcome that is passed."""
    if "{}" not in words:
        return [words]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    audits = [call for call in calls if getattr(call.func, "id", "") == "_audit_failure"]
    assert audits, f"{words}: which names can this be?"
    return sorted({words.format(call.args[3].value) for call in audits})


@functools.cache
def shown_events():
    table = [row for row in rows(page("log-events")) if row[0].startswith("`")]
    names = [row[0].strip("`") for row in table]
    assert len(names) == len(set(names))
    return dict(zip(names, table, strict=True))


def test_every_log_event_has_its_row_and_no_row_is_of_another():
    assert len(real_events()) >= 30
    assert sorted(shown_events()) == sorted(real_events())


def test_the_levels_and_fields_of_the_log_events_are_the_real_ones():
    for name, (levels, named, whole) in real_events().items():
        row = shown_events()[name]
        assert set(re.findall(r"\w+", row[1])) == levels, name
        shown = set(re.findall(r"`(\w+)`", row[2]))
        assert (shown == named) if whole else (shown >= named), name


# --- tasks ----------------------------------------------------------------------------------------


@pytest.fixture
def team_app():
    app = procrastinate.App(connector=procrastinate.testing.InMemoryConnector())
    digest = {"name": "NAME", "channel": "C0OPS", "cron": "0 8 * * *"}
    jobs_maint.register(app, MaintSettings())
    chatbot.register_digests(
        app, ChatbotSettings(SLACK_BOT_TOKEN="xoxb-1", digests=[digest]), maint=MaintSettings()
    )
    return app


def test_every_task_has_its_row_with_what_it_is_deferred_with(team_app):
    ours = {n: t for n, t in team_app.tasks.items() if n.startswith(("jobs_maint:", "chatbot:"))}
    shown = {
        row[0].strip("`"): row
        for row in rows(page("tasks"))
        if row[0].startswith(("`jobs_maint:", "`chatbot:"))
    }
    assert sorted(shown) == sorted(ours)
    periodic = {t.task.name: t for t in team_app.periodic_registry.periodic_tasks.values()}
    for name, task in ours.items():
        _, _, cron, priority, queueing_lock, args = shown[name]
        tick = periodic[name]
        assert int(priority) == task.priority
        lock = tick.configure_kwargs.get("queueing_lock") or task.queueing_lock
        assert queueing_lock.strip("`") == lock
        assert task.lock is None
        assert task.queue == MaintSettings().queue
        taken = [arg for arg in inspect.signature(task.func).parameters if arg != "context"]
        assert re.findall(r"`(\w+)`", args) == taken
        assert tick.cron in cron or name == "chatbot:send_digest"


# --- guides ---------------------------------------------------------------------------------------


def blocks(name, language):
    text = (DOCS / "how-to" / f"{name}.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_python_on_the_pages_compiles(path):
    for text in re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
        compile(text, str(path), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def shell_values(name, setting):
    texts = blocks(name, "sh")
    return [v for text in texts for v in re.findall(rf"{setting}='([^']+)'", text)]


def test_the_roles_and_digests_of_the_guides_are_accepted():
    roles = shell_values("set-up-slack", "CHATBOT_ROLES")
    digests = shell_values("set-up-slack", "CHATBOT_DIGESTS")
    assert len(roles) == 2
    assert len(digests) == 1
    for value in roles:
        assert ChatbotSettings(roles=value).roles
    assert [d.name for d in ChatbotSettings(digests=digests[0]).digests] == ["daily", "billing"]
    text = (DOCS / "explanation" / "rescue.md").read_text(encoding="utf-8")
    policy = re.findall(r"JOBS_MAINT_RESCUE_POLICY='([^']+)'", text)
    assert MaintSettings(rescue_policy=policy[0]).rescue_policy == {"billing.*": "fail"}


def test_the_manifest_asks_for_the_scopes_that_the_page_explains():
    manifest = json.loads(blocks("set-up-slack", "json")[0])
    scopes = manifest["oauth_config"]["scopes"]
    explained = [
        scope
        for row in rows(section(page("../how-to/set-up-slack"), "1. Make the Slack app"))
        for scope in re.findall(r"`([a-z]+:?[a-z]*)`", row[0])
    ]
    assert sorted(explained) == sorted(scopes["bot"])
    # Slack asks for what `bot` lists; `bot_optional` only marks what may be declined.
    assert set(scopes["bot_optional"]) < set(scopes["bot"])
    assert manifest["features"]["slash_commands"][0]["command"] == ChatbotSettings().command
    assert manifest["settings"]["interactivity"]["is_enabled"]


def test_the_compose_services_are_the_ones_of_the_page():
    text = (DOCS / "how-to" / "docker.md").read_text(encoding="utf-8")
    named = [row[0].strip("`") for row in rows(text) if row[0].startswith("`")]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    assert named == list(compose["services"])


# --- README ---------------------------------------------------------------------------------------


def test_the_readme_starts_with_the_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.index("make demo") < text.index("make test") < text.index("register(app)")
    assert len(text.splitlines()) < 80


def test_the_figures_of_the_readme_are_those_of_the_settings_the_pools_and_the_measurements():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    of_database = section(text, "What it does to your database")
    settings = MaintSettings()
    assert settings.purge_cron == "0 3 * * *"  # each night
    kept = {settings.keep_succeeded, settings.keep_cancelled, settings.keep_aborted}
    assert f"failed ones after {settings.keep_failed.days} days, others after" in of_database
    assert f"others after {kept.pop().days}." in of_database
    assert not kept
    assert settings.rescue_cron.startswith("*/5 ")
    assert settings.stalled_after == timedelta(minutes=5)
    assert "five to ten minutes later" in of_database

    [measured] = [
        row
        for row in rows(section(page("performance"), "10,000,000 jobs"))
        if "our indexes" in row[0]
    ]
    more = round((float(measured[1].rstrip("×")) - 1) * 100)
    assert f"the indexes add {more} % to the write-ahead log" in of_database

    assert CONNECTIONS + 1 == 9  # with the one for the check of readiness
    assert "max_size=4" in (SOURCES / "jobs_maint/cli/run.py").read_text(encoding="utf-8")
    assert "the bot up to nine, a command in a shell up to four" in of_database
    costs = section((DOCS / "explanation/your-database.md").read_text(), "What it costs")
    assert "holds up to nine connections, a command in a shell up to four" in costs


# --- runbook --------------------------------------------------------------------------------------


def test_what_one_sees_is_what_the_product_says():
    """The words in quotes of the first table of the runbook, and its exit codes."""
    text = (DOCS / "runbooks/job-queue.md").read_text(encoding="utf-8")
    seen = [row[0] for row in rows(section(text, "What do you see?"))]
    quoted = [words for cell in seen for words in re.findall(r'"([^"]+)"', cell)]
    assert len(quoted) >= 10
    sources = "".join(path.read_text(encoding="utf-8") for path in SOURCES.rglob("*.py"))
    said = re.sub(r'"\s*f?"', "", sources)
    for words in quoted:
        for part in filter(None, re.split(r" ?… ?", words)):
            assert part in said, words
    for code in {number for cell in seen for number in re.findall(r"exit code (\d+)", cell)}:
        assert f"| {code} |" in page("exit-codes")
