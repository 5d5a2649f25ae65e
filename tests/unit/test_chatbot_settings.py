"""CHATBOT_* and SLACK_*: what makes no sense is refused in one sentence, never ignored."""

import json
from datetime import timedelta

import pytest

from chatbot.settings.bot import ChatbotSettings
from jobs_maint.actions import Role
from jobs_maint.errors import InvalidSettings

ANA = {"users": ["U0ANA"]}
OPS = {"name": "ops", "channel": "C0OPS", "cron": "0 9 * * *"}


def load(monkeypatch, **environ):
    for name, value in environ.items():
        text = value if isinstance(value, str) else json.dumps(value)
        monkeypatch.setenv(name, text)
    return ChatbotSettings.load()


def test_without_any_variable_nobody_may_do_anything(monkeypatch):
    settings = load(monkeypatch)
    assert settings.roles == {}
    assert settings.digests == ()
    assert (settings.command, settings.host, settings.port) == ("/jobs", "127.0.0.1", 3000)
    assert settings.slack_api_url == "https://slack.com/api/"


def test_one_grant_or_a_list_of_grants_is_understood(monkeypatch):
    one = load(monkeypatch, CHATBOT_ROLES={"operator": ANA})
    several = load(monkeypatch, CHATBOT_ROLES={"operator": [ANA, {"usergroups": ["S0OPS"]}]})
    assert one.roles[Role.OPERATOR][0].users == ("U0ANA",)
    assert len(several.roles[Role.OPERATOR]) == 2


@pytest.mark.parametrize(
    ("roles", "sentence"),
    [
        ("{", "it is not valid JSON"),
        ("", "it is empty"),
        ("[]", "it must be an object"),
        ('"admin"', "it must be an object"),
        ("null", "it must be an object"),
        ({"boss": ANA}, "'boss' is not a role; the roles are viewer, operator, admin"),
        ({"Admin": ANA}, "'Admin' is not a role"),
        ({"admin": 3}, "it must be a list"),
        ({"admin": {}}, "it names nobody"),
        ({"admin": {"users": [], "usergroups": []}}, "it names nobody"),
        ({"admin": {"users": "U0ANA"}}, "it must be a list"),
        ({"admin": {"user": ["U0ANA"]}}, "[user]: this key is not known"),
        ({"admin": {"users": ["@ana"]}}, "'@ana' is not a user ID"),
        ({"admin": {"users": ["ana"]}}, "'ana' is not a user ID"),
        ({"admin": {"users": ["u0ana"]}}, "'u0ana' is not a user ID"),
        ({"admin": {"users": ["S0OPS"]}}, "'S0OPS' is not a user ID"),
        ({"admin": {"users": ["U0ANA "]}}, "is not a user ID"),
        ({"admin": {"users": [7]}}, "7 is not a user ID"),
        ({"admin": {"usergroups": ["@oncall"]}}, "'@oncall' is not a user-group ID"),
        ({"admin": {"users": ["U0ANA"], "channels": ["#ops"]}}, "'#ops' is not a channel ID"),
        ({"admin": {"users": ["U0ANA"], "queues": []}}, "the list is empty"),
        ({"admin": {"users": ["U0ANA"], "queues": [" "]}}, "the text is empty"),
        ({"admin": {"users": ["U0ANA"], "queues": None}}, "it is null; name some"),
        ({"admin": {"users": ["U0ANA"], "channels": None}}, "it is null; name some"),
        ({"admin": {"users": ["*"]}}, "only viewer may be given to everybody"),
        ({"operator": [ANA, {"users": ["*"]}]}, "only viewer may be given to everybody"),
    ],
)
def test_roles_that_make_no_sense_are_refused(monkeypatch, roles, sentence):
    with pytest.raises(InvalidSettings) as caught:
        load(monkeypatch, CHATBOT_ROLES=roles)
    assert "CHATBOT_ROLES" in str(caught.value)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"cron": "every day"}, "is not a cron expression"),
        ({"cron": "0 9 * *"}, "is not a cron expression"),
        ({"cron": "0 9 * * * 0", "timezone": "Europe/Berlin"}, "in UTC only"),
        ({"timezone": "Berlin"}, "is not a time zone"),
        ({"timezone": "/etc/passwd"}, "is not a time zone"),
        ({"channel": "#ops"}, "is not a channel ID"),
        ({"channel": "U0ANA"}, "is not a channel ID"),
        ({"groups": 0}, "[groups]: it must be at least 1"),
        ({"when_quiet": "maybe"}, "'post' or 'skip'"),
        ({"colour": "red"}, "this key is not known"),
        ({"name": ""}, "CHATBOT_DIGESTS[0][name]"),
        ({"name": "a b"}, "CHATBOT_DIGESTS[0][name]"),
        ({"queues": []}, "the list is empty"),
        ({"tasks": None}, "it is null; name some"),
        ({"queues": [""]}, "[queues][0]: the text is empty"),
        ({"tasks": ["a", "  "]}, "[tasks][1]: the text is empty"),
        ({"cron": "0 0 30 2 *"}, "names a day that never comes"),
        ({"cron": "R R * * *"}, "is not a cron expression"),
    ],
)
def test_digests_that_make_no_sense_are_refused(monkeypatch, change, sentence):
    with pytest.raises(InvalidSettings) as caught:
        load(monkeypatch, CHATBOT_DIGESTS=[{**OPS, **change}])
    assert "CHATBOT_DIGESTS" in str(caught.value)
    assert sentence in str(caught.value)


def test_a_role_that_is_there_twice_is_refused_because_one_of_them_would_do_nothing(monkeypatch):
    twice = '{"viewer": {"users": ["U1"]}, "viewer": {"users": ["U2"]}}'
    with pytest.raises(InvalidSettings, match="CHATBOT_ROLES: 'viewer' appears twice"):
        load(monkeypatch, CHATBOT_ROLES=twice)


def test_an_empty_host_is_this_machine_and_not_every_address(monkeypatch):
    assert load(monkeypatch, CHATBOT_HOST=" ").host == "127.0.0.1"


@pytest.mark.parametrize("token", ["xoxb-a b", "xoxb-\n1", "xoxb-ключ"])
def test_a_token_that_no_header_takes_is_refused_and_not_shown(monkeypatch, token):
    with pytest.raises(InvalidSettings, match="SLACK_BOT_TOKEN: it contains a space") as caught:
        load(monkeypatch, SLACK_BOT_TOKEN=token)
    assert token not in str(caught.value)


def test_two_digests_with_one_name_are_refused(monkeypatch):
    with pytest.raises(InvalidSettings, match="two digests named 'ops'"):
        load(monkeypatch, CHATBOT_DIGESTS=[OPS, OPS])


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ({}, {}, True),
        ({"queues": ["webhook"]}, {}, True),
        ({"queues": ["webhook"]}, {"queues": ["email", "mail*"]}, False),
        ({"queues": ["mail_in"]}, {"queues": ["email", "mail*"]}, True),
        ({"queues": ["email"], "tasks": ["app.a"]}, {"tasks": ["app.b*"]}, False),
        ({"queues": ["email"], "tasks": ["app.b1"]}, {"tasks": ["app.b*"]}, True),
    ],
)
def test_two_digests_share_jobs_where_their_queues_and_tasks_meet(monkeypatch, one, other, shared):
    made = [{**OPS, **limits, "name": f"d{i}"} for i, limits in enumerate((one, other))]
    first, second = load(monkeypatch, CHATBOT_DIGESTS=made).digests
    assert (first.shares_jobs(second), second.shares_jobs(first)) == (shared, shared)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SLACK_BOT_TOKEN", "xoxp-secret-value", "a bot token, which starts with xoxb-"),
        ("SLACK_APP_TOKEN", "xoxb-secret-value", "an app-level token, which starts with xapp-"),
        ("SLACK_API_URL", "slack.com/api", "is not a web address"),
        ("CHATBOT_COMMAND", "jobs", "is not a slash command"),
        ("CHATBOT_COMMAND", "/Jobs", "is not a slash command"),
        ("CHATBOT_COMMAND", "/" + "j" * 32, "is not a slash command"),
        ("CHATBOT_PORT", "many", "CHATBOT_PORT"),
        ("CHATBOT_PORT", "70000", "CHATBOT_PORT"),
        ("CHATBOT_AUDIT_CHANNEL", "#audit", "is not a channel ID"),
        ("CHATBOT_ROLE", "{}", "did you mean CHATBOT_ROLES?"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_without_repeating_a_secret(
    monkeypatch, name, value, sentence
):
    with pytest.raises(InvalidSettings) as caught:
        load(monkeypatch, **{name: value})
    assert name in str(caught.value)
    assert sentence in str(caught.value)
    assert "secret-value" not in str(caught.value)


def test_what_kubernetes_puts_into_a_pod_is_no_setting(monkeypatch):
    settings = load(
        monkeypatch,
        CHATBOT_PORT="tcp://10.0.0.1:3000",
        CHATBOT_SERVICE_HOST="10.0.0.1",
        CHATBOT_SERVICE_PORT="3000",
        CHATBOT_SERVICE_PORT_HTTP="3000",
        CHATBOT_PORT_3000_TCP="tcp://10.0.0.1:3000",
        CHATBOT_PORT_3000_TCP_ADDR="10.0.0.1",
    )
    assert settings.port == 3000


def test_the_port_of_the_file_counts_where_kubernetes_has_put_a_link(monkeypatch, tmp_path):
    file = tmp_path / "jobs.toml"
    file.write_text('[chatbot]\nport = 8080\n\n[slack]\nbot_token = "xoxb-from-file"\n')
    settings = load(monkeypatch, JOBS_CONFIG=str(file), CHATBOT_PORT="tcp://10.0.0.1:3000")
    assert settings.port == 8080
    assert settings.require_bot_token() == "xoxb-from-file"


def test_empty_tokens_are_unset_and_each_missing_one_has_its_sentence(monkeypatch):
    empty = {"SLACK_BOT_TOKEN": "", "SLACK_APP_TOKEN": " ", "SLACK_SIGNING_SECRET": ""}
    settings = load(monkeypatch, **empty, CHATBOT_AUDIT_CHANNEL="")
    assert settings.audit_channel is None
    with pytest.raises(InvalidSettings, match="SLACK_BOT_TOKEN is not set"):
        settings.require_bot_token()
    with pytest.raises(InvalidSettings, match="neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET"):
        settings.require_mode()


def test_the_app_token_means_socket_mode_also_beside_a_signing_secret(monkeypatch):
    settings = load(monkeypatch, SLACK_APP_TOKEN="xapp-1", SLACK_SIGNING_SECRET="s")
    assert settings.require_mode() == "socket"


def test_secrets_are_not_shown(monkeypatch):
    settings = load(monkeypatch, SLACK_BOT_TOKEN="xoxb-1-2", SLACK_SIGNING_SECRET="sssh")
    assert "xoxb-1-2" not in repr(settings)
    assert "sssh" not in repr(settings)


def test_incidents_are_told_where_the_first_digest_goes_and_only_a_few_kinds_by_default(
    monkeypatch,
):
    alone = load(monkeypatch)
    assert alone.incidents.queue_behind == {"*": timedelta(minutes=15)}
    assert alone.incidents.no_worker == timedelta(seconds=60)
    assert alone.incidents.digest_overdue
    assert (alone.incidents.failures, alone.incidents.group) == (None, None)
    assert alone.find_incident_channel() is None
    assert load(monkeypatch, CHATBOT_DIGESTS=[OPS]).find_incident_channel(("email",)) == "C0OPS"
    for off in ("off", "false", "Off "):
        settings = load(monkeypatch, CHATBOT_INCIDENTS=off)
        assert settings.incidents is None
        assert settings.find_incident_channel() is None


def test_limits_and_channels_of_incidents_go_by_queue_and_the_first_glob_that_fits_counts(
    monkeypatch,
):
    asked = {
        "channel": {"email*": "C0MAIL", "*": "C0ALL"},
        "queue_behind": {"email*": "5m", "bulk": "off"},
        "no_worker": "off",
        "group": True,
        "failures": 3,
        "pauses": [{"cron": "0 2 * * 0", "for": "2h", "timezone": "Europe/Berlin"}],
    }
    settings = load(monkeypatch, CHATBOT_INCIDENTS=asked, CHATBOT_DIGESTS=[OPS])
    incidents = settings.incidents
    minutes = {
        glob: one and one.total_seconds() / 60 for glob, one in incidents.queue_behind.items()
    }
    assert minutes == {"email*": 5, "bulk": None, "*": 15}
    assert (incidents.no_worker, incidents.group, incidents.failures) == (None, 20, 3.0)
    assert incidents.pauses[0].span == timedelta(hours=2)
    assert incidents.list_channels() == ["C0MAIL", "C0ALL"]
    places = [("email", "email-bulk"), ("email", "webhook"), ()]
    assert [settings.find_incident_channel(q) for q in places] == ["C0MAIL", "C0ALL", "C0ALL"]
    part = load(monkeypatch, CHATBOT_INCIDENTS={"channel": {"email*": "C0MAIL"}})
    assert part.find_incident_channel(("webhook",)) == "C0OPS"


@pytest.mark.parametrize(
    ("incidents", "sentence"),
    [
        ("{", "it is not valid JSON"),
        ("on", "it is not valid JSON"),
        ("[]", 'it must be "off" or an object'),
        ('{"group": 5, "group": 9}', "it has the key 'group' twice"),
        ({"colour": 1}, "[colour]: this key is not known"),
        ({"channel": "#ops"}, "'#ops' is not a channel ID"),
        ({"channel": {"": "C0OPS"}}, "[channel]: a queue glob is empty"),
        ({"queue_behind": {" ": "5m"}}, "[queue_behind]: a queue glob is empty"),
        ({"queue_behind": {"email*": 300}}, "[queue_behind][email*]: 300 has no unit"),
        ({"queue_behind": "soon"}, "'soon' is not a duration"),
        ({"no_worker": "0s"}, "[no_worker]: it must be longer than zero"),
        ({"quiet": "never"}, "'never' is not allowed here"),
        ({"failures": 1}, "[failures]: it must be greater than 1"),
        ({"failures": "many"}, "[failures]: it must be a number"),
        ({"group": 0}, "[group]: it must be at least 1"),
        ({"tick_missed": "perhaps"}, "[tick_missed]: it must be true or false"),
        ({"pauses": [{"cron": "0 2 * * 0"}]}, "[pauses][0][for]"),
        ({"pauses": [{"cron": "x", "for": "2h"}]}, "is not a cron expression"),
        ({"pauses": [{"cron": "0 2 * * 0", "for": "2h", "timezone": "Berlin"}]}, "a time zone"),
    ],
)
def test_incidents_that_make_no_sense_are_refused(monkeypatch, incidents, sentence):
    with pytest.raises(InvalidSettings) as caught:
        load(monkeypatch, CHATBOT_INCIDENTS=incidents)
    assert "CHATBOT_INCIDENTS" in str(caught.value)
    assert sentence in str(caught.value)


def test_links_are_web_addresses_and_the_one_of_the_heartbeat_is_never_shown(monkeypatch):
    with pytest.raises(InvalidSettings, match="CHATBOT_HEARTBEAT_URL: it is not a web") as caught:
        load(monkeypatch, CHATBOT_HEARTBEAT_URL="hc-ping.com/5e-c-r-e-t")
    assert "5e-c-r-e-t" not in str(caught.value)
    settings = load(monkeypatch, CHATBOT_HEARTBEAT_URL="https://hc-ping.com/5e-c-r-e-t")
    assert "5e-c-r-e-t" not in repr(settings)
    assert load(monkeypatch, CHATBOT_HEARTBEAT_URL=" ").heartbeat_url is None
    for link in ("wiki/webhooks", "javascript:alert(1)", "https://a b", "https://"):
        with pytest.raises(InvalidSettings, match=r"CHATBOT_RUNBOOKS: .* is not a link"):
            load(monkeypatch, CHATBOT_RUNBOOKS={"webhook": link})
    link = "https://wiki.example.com/hooks"
    with pytest.raises(InvalidSettings, match="CHATBOT_RUNBOOKS: one of its names is empty"):
        load(monkeypatch, CHATBOT_RUNBOOKS={" ": link})
    assert load(monkeypatch, CHATBOT_RUNBOOKS={"*webhook*": link}).runbooks == {"*webhook*": link}
