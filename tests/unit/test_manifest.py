"""`jobs-chatbot manifest`: the app as Slack wants it, from the settings."""

import ast
import json
import re
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from chatbot.cli import main
from chatbot.settings.bot import ChatbotSettings
from chatbot.setup.manifest import (
    EVENTS_PATH,
    USAGE_HINT,
    WHERE_TO_PASTE,
    build_manifest,
    render_manifest,
)
from chatbot.setup.scopes import SCOPES
from jobs_maint.grammar import parse_words
from local_slack.config import App
from local_slack.methods import METHODS

SOURCES = Path(__file__).parents[2] / "src/chatbot"
URL = "https://jobs.example.com"
FAMILIES = "apps|auth|blocks|bots|chat|conversations|files|usergroups|users|views"
API = re.compile(rf"(?:{FAMILIES})(?:\.[a-zA-Z]+)+")
SCHEMA = json.loads(
    (Path(__file__).parents[1] / "data/slack_app_manifest.schema.json").read_text(encoding="utf-8")
)


def scopes(**settings):
    found = build_manifest(ChatbotSettings(**settings), socket=True)["oauth_config"]["scopes"]
    return set(found["bot"]), set(found["bot_optional"])


def test_what_is_printed_is_json_and_says_the_same():
    for choice in ({"url": URL, "socket": False}, {"url": None, "socket": True}):
        settings = ChatbotSettings(command="/work_queue-2")
        assert json.loads(render_manifest(settings, **choice)) == build_manifest(settings, **choice)


def test_stdout_is_the_json_alone_and_stderr_says_where_to_paste_it():
    result = CliRunner().invoke(main, ["manifest", "--socket"])
    assert json.loads(result.stdout) == build_manifest(ChatbotSettings(), socket=True)
    assert result.stdout.startswith('{\n  "display_information"')
    assert result.stderr == f"Paste it here: {WHERE_TO_PASTE}\n"


def test_for_socket_mode_no_address_is_named():
    found = build_manifest(ChatbotSettings(), socket=True)
    assert found["settings"]["socket_mode_enabled"] is True
    assert found["settings"]["interactivity"] == {"is_enabled": True}
    assert "url" not in found["features"]["slash_commands"][0]


def test_an_app_token_means_socket_mode_and_an_address_means_http():
    settings = ChatbotSettings(slack_app_token="xapp-1")
    assert build_manifest(settings)["settings"]["socket_mode_enabled"] is True
    assert build_manifest(settings, url=URL)["settings"]["socket_mode_enabled"] is False


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (URL, URL + EVENTS_PATH),
        (f"{URL}/", URL + EVENTS_PATH),
        (f"{URL}:8443", f"{URL}:8443{EVENTS_PATH}"),
        (f"{URL}/bots/jobs", f"{URL}/bots/jobs"),
    ],
)
def test_over_http_command_and_buttons_go_to_the_same_address(given, meant):
    found = build_manifest(ChatbotSettings(), url=given)
    assert found["features"]["slash_commands"][0]["url"] == meant
    assert found["settings"]["interactivity"]["request_url"] == meant
    assert found["settings"]["socket_mode_enabled"] is False


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "give --socket for Socket Mode, or --url"),
        (["--url", URL, "--socket"], "exclude each other"),
        (["--url", "https://me:pw@jobs.example.com"], "has a user name or a password"),
        (["--url", "http://jobs.example.com"], "is not an address that Slack can send requests to"),
        (["--url", "jobs.example.com"], "is not an address"),
        (["--url", f"{URL}?a=1"], "is not an address"),
        (["--url", "https://[::1"], "is not an address"),
        (["--url", ""], "is not an address"),
    ],
)
def test_what_is_missing_or_wrong_is_one_sentence(words, sentence):
    result = CliRunner().invoke(main, ["manifest", *words])
    assert (result.exit_code, result.stdout) == (2, "")
    [line] = result.stderr.splitlines()
    assert line.startswith("jobs-chatbot: ")
    assert sentence in line


def test_it_needs_no_token_and_no_database(monkeypatch):
    monkeypatch.setenv("CHATBOT_COMMAND", "/queue")
    result = CliRunner().invoke(main, ["manifest", "--socket"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["features"]["slash_commands"][0]["command"] == "/queue"
    assert found["features"]["bot_user"]["display_name"] == "queue"


def test_a_scope_that_the_roles_need_may_not_be_declined_and_the_others_may():
    every = {scope.name for scope in SCOPES}
    asked, optional = scopes()
    assert asked == every
    assert optional == every - {"commands", "chat:write"}
    _, optional = scopes(roles=json.dumps({"operator": {"usergroups": ["S0ONE"]}}))
    assert "usergroups:read" not in optional
    assert "users:read" in optional
    _, optional = scopes(roles=json.dumps({"viewer": {"users": ["*"]}}))
    assert "users:read" not in optional
    assert "usergroups:read" in optional


@pytest.mark.parametrize("command", ["/jobs", "/" + "x" * 31, "/-", "/a_b-c"])
def test_names_keep_within_slacks_limits(command):
    found = build_manifest(ChatbotSettings(command=command), socket=True)
    assert 1 <= len(found["display_information"]["name"]) <= 35
    assert len(found["display_information"]["description"]) <= 140
    assert re.fullmatch(r"[a-z0-9._-]{1,80}", found["features"]["bot_user"]["display_name"])
    assert len(found["features"]["slash_commands"][0]["command"]) <= 32


def problems(manifest):
    checker = jsonschema.Draft7Validator(SCHEMA)
    return [f"{list(one.path)}: {one.message}" for one in checker.iter_errors(manifest)]


@pytest.mark.parametrize("command", ["/jobs", "/" + "x" * 31, "/a_b-c"])
@pytest.mark.parametrize("how", [{"url": URL}, {"socket": True}], ids=["HTTP", "Socket Mode"])
def test_the_manifest_is_one_that_slacks_schema_takes(command, how):
    roles = json.dumps({"viewer": {"users": ["*"]}, "admin": {"usergroups": ["S0ONE"]}})
    for settings in (ChatbotSettings(command=command), ChatbotSettings(roles=roles)):
        assert problems(build_manifest(settings, **how)) == []


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("display_information", "name", "x" * 36),
        ("display_information", "description", "x" * 141),
        ("features", "slash_command", []),
        ("features", "slash_commands", [{"command": "jobs", "description": "x"}]),
        ("features", "bot_user", {"always_online": True}),
        ("oauth_config", "scopes", {"bot": ["chat:write", "chat:write"]}),
        ("settings", "interactivity", {"is_enabled": True, "request_url": "http://x.example"}),
        ("settings", "socket_mode_enabled", "yes"),
    ],
)
def test_the_schema_refuses_what_slack_refuses(part, name, value):
    found = build_manifest(ChatbotSettings(), socket=True)
    found[part][name] = value
    assert problems(found)


def test_each_word_of_the_hint_is_a_word_of_the_bot():
    for part in USAGE_HINT.split("|"):
        assert parse_words(part.replace("ID", "1").split(), "slack")


def used_methods():
    found = set()
    for path in SOURCES.rglob("*.py"):
        if path.name == "scopes.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            value = node.value if isinstance(node, ast.Constant) else None
            if isinstance(value, str) and API.fullmatch(value):
                found.add(value)
    return found


def test_every_method_that_the_bot_calls_has_its_scope_in_the_manifest():
    """The local Slack refuses a call without its scope; both lists were made apart."""
    used = used_methods()
    assert {"chat.postMessage", "conversations.info", "users.info"} <= used
    asked = {scope.name for scope in SCOPES}
    explained = {(method, scope.name) for scope in SCOPES for method in scope.methods}
    for name in used:
        if METHODS[name].is_app_level:
            continue
        needed = [scope for scope in METHODS[name].scopes if not scope.startswith(("im:", "mpim:"))]
        assert set(needed) <= asked, name
        assert all((name, scope) in explained for scope in needed), name


def test_no_scope_is_asked_for_that_no_method_needs():
    used = used_methods()
    for scope in SCOPES:
        assert scope.name == "commands" or set(scope.methods) & used, scope.name
        for method in scope.methods:
            assert scope.name in METHODS[method].scopes, method


def test_an_app_of_the_manifest_is_one_that_the_local_slack_takes():
    found = build_manifest(ChatbotSettings(), socket=True)
    app = App(
        bot_token="xoxb-1", bot_user_id="U0BOT", signing_secret="s", mode="socket",
        commands=tuple(one["command"] for one in found["features"]["slash_commands"]),
        bot_scopes=tuple(found["oauth_config"]["scopes"]["bot"]), app_token="xapp-1",
        should_escape=found["features"]["slash_commands"][0]["should_escape"],
    )  # fmt: skip
    assert app.commands == (ChatbotSettings().command,)
    assert set(found["oauth_config"]["scopes"]["bot_optional"]) < set(app.bot_scopes)
