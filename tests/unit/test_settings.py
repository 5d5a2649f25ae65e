import os
import re
from datetime import timedelta

import pytest

from jobs_maint.errors import InvalidSettings
from jobs_maint.settings import MaintSettings, is_service_link

OURS = re.compile(r"^(JOBS_|JOB_QUEUE_|CHATBOT_|SLACK_)", re.IGNORECASE)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for name in list(os.environ):
        if OURS.match(name):
            monkeypatch.delenv(name)


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Write a config file and name it by JOBS_CONFIG."""

    def write(text):
        path = tmp_path / "jobs.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        monkeypatch.setenv("JOBS_CONFIG", str(path))
        return path

    return write


def test_everything_has_a_default_but_the_database():
    settings = MaintSettings.load()
    assert settings.keep_failed == timedelta(days=90)
    assert settings.purge_cron == "0 3 * * *"
    assert settings.rescue_policy == {}
    assert settings.database_url is None


def test_the_environment_sets_every_kind_of_value(monkeypatch):
    monkeypatch.setenv("JOBS_MAINT_KEEP_SUCCEEDED", "7d")
    monkeypatch.setenv("JOBS_MAINT_KEEP_FAILED", "never")
    monkeypatch.setenv("JOBS_MAINT_RESCUE_POLICY", '{"mail.*": "fail"}')
    monkeypatch.setenv("JOBS_MAINT_REDACT", '["iban"]')
    monkeypatch.setenv("JOBS_MAINT_MAX_RESCUES", "0")
    monkeypatch.setenv("jobs_maint_purge_cron", "")
    settings = MaintSettings.load()
    assert settings.keep_succeeded == timedelta(days=7)
    assert settings.keep_failed is None
    assert settings.rescue_policy == {"mail.*": "fail"}
    assert settings.redact == ["iban"]
    assert settings.max_rescues == 0
    assert settings.purge_cron == ""


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("KEEP_FAILED", "30", "'30' is not a duration"),
        ("KEEP_FAILED", "", "is not a duration"),
        ("KEEP_FAILED", "0d", "would keep nothing"),
        ("KEEP_AUDIT", "0s", "JOBS_MAINT_KEEP_AUDIT is 0"),
        ("BEAT", "never", "'never' is not allowed here"),
        ("BEAT", "0s", "longer than zero"),
        ("BEAT", "2m", "must be longer than three beats"),
        ("STALLED_AFTER", "30s", "JOBS_MAINT_STALLED_AFTER \\(30s\\) must be longer"),
        ("STALLED_AFTER_UNKNOWN", "1m", "must not be shorter"),
        ("PURGE_CRON", "every day", "not a cron expression"),
        ("PURGE_CRON", "99 3 * * *", "not a cron expression"),
        ("RESCUE_CRON", "* * *", "not a cron expression"),
        ("RESCUE_CRON", "R * * * *", "not a cron expression"),
        ("PURGE_CRON", "0 0 1 1 * 0 2020", "not a cron expression"),
        ("MAX_RESCUES", "-1", "it must be at least 0, not -1$"),
        ("MAX_RESCUES", "1001", "it must be at most 1000, not 1001$"),
        ("MAX_RESCUES", "many", "it must be a whole number, not many$"),
        ("MAX_RESCUES", "3.5", "it must be a whole number, not 3.5$"),
        ("MAX_RESCUES", "", "it must be a whole number$"),
        ("REDACT_PII", "maybe", "it must be true or false, not maybe$"),
        ("RESCUE_POLICY", "{mail: fail}", "it is not valid JSON: .* at character 2"),
        ("RESCUE_POLICY", "", "it is empty"),
        (
            "RESCUE_POLICY",
            '{"mail.*": "explode"}',
            r"JOBS_MAINT_RESCUE_POLICY\[mail.\*\]: it must be 'retry' or 'fail', not explode$",
        ),
        ("RESCUE_POLICY", "[]", r"it must be an object, in \{ \}$"),
        ("RESCUE_POLICY", '{" ": "fail"}', "one of its names is empty"),
        ("RESCUE_POLICY", '{"b\udcfcro.*": "fail"}', "not valid UTF-8 text; save it as UTF-8"),
        ("RESCUE_POLICY", r'{"a\ud800": "fail"}', "not valid UTF-8 text"),
        ("REDACT", r'["a\u0000"]', "not valid UTF-8 text"),
        ("REDACT", '"iban"', r"it must be a list, in \[ \]$"),
        ("REDACT", "[1]", r"REDACT\[0\]: it must be text, in quotes$"),
        ("REDACT", '["iban", ""]', "one of its names is empty"),
        ("QUEUE", "", "queue name of 1 to 40 ASCII letters"),
        ("QUEUE", "q" * 41, "queue name of 1 to 40 ASCII letters"),
        ("QUEUE", "wartung–nachts", "queue name of 1 to 40 ASCII letters"),
        ("QUEUE", "two\nlines", "queue name of 1 to 40 ASCII letters"),
    ],
)
def test_nonsense_is_one_sentence_that_names_the_setting(monkeypatch, name, value, says):
    monkeypatch.setenv(f"JOBS_MAINT_{name}", value)
    with pytest.raises(InvalidSettings, match=says) as caught:
        MaintSettings.load()
    text = str(caught.value)
    assert f"JOBS_MAINT_{name}" in text
    assert "\n" not in text
    assert "pydantic" not in text


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("REDACT_PII", " true ", True), ("MAX_RESCUES", " 3\n", 3), ("QUEUE", " ours ", "ours"),
        ("RESCUE_POLICY", ' {"pay": "fail"}\n', {"pay": "fail"}),
    ],
)  # fmt: skip
def test_blanks_around_a_value_mean_nothing(monkeypatch, name, value, meant):
    monkeypatch.setenv(f"JOBS_MAINT_{name}", value)
    assert getattr(MaintSettings.load(), name.lower()) == meant


@pytest.mark.parametrize("name", ["PURGE_CRON", "RESCUE_CRON"])
@pytest.mark.parametrize(
    "cron", ["0 0 31 2 *", "0 3 31 4 *", "0 3 30-31 2 *", "0 3 31 4,6 * 30", "0 0 29 2 1#1"]
)
def test_a_cron_that_never_comes_is_refused_before_it_ends_a_worker(monkeypatch, name, cron):
    monkeypatch.setenv(f"JOBS_MAINT_{name}", cron)
    with pytest.raises(InvalidSettings, match="names a day that never comes") as caught:
        MaintSettings.load()
    assert caught.value.exit_code == 78


@pytest.mark.parametrize("cron", ["0 0 29 2 *", "@daily", "0 0 31 2 mon", "*/10 * * * * 30"])
def test_a_cron_that_comes_seldom_or_in_another_form_is_taken(monkeypatch, cron):
    monkeypatch.setenv("JOBS_MAINT_PURGE_CRON", f" {cron} ")
    assert MaintSettings.load().purge_cron == cron


def test_two_mistakes_are_told_at_once(monkeypatch):
    monkeypatch.setenv("JOBS_MAINT_BEAT", "soon")
    monkeypatch.setenv("JOBS_MAINT_KEEP_FAILED", "long")
    with pytest.raises(InvalidSettings, match=r"JOBS_MAINT_KEEP_FAILED: .*; JOBS_MAINT_BEAT: "):
        MaintSettings.load()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("JOBS_MAINT_KEEPFAILED", "JOBS_MAINT_KEEP_FAILED"),
        ("JOBS_MAINT_KEEP_FAILD", "JOBS_MAINT_KEEP_FAILED"),
        ("jobs_maint_beats", "JOBS_MAINT_BEAT"),
        ("JOBS_MAINT_DATABASE_URL", "JOB_QUEUE_DATABASE_URL"),
    ],
)
def test_a_misspelt_name_is_refused_with_the_one_meant(monkeypatch, name, meant):
    monkeypatch.setenv(name, "1d")
    says = rf"{name} is not a known setting; did you mean {meant}\?"
    with pytest.raises(InvalidSettings, match=says):
        MaintSettings.load()


def test_a_name_like_none_of_ours_is_refused_without_a_guess(monkeypatch):
    monkeypatch.setenv("JOBS_MAINT_XYZZY", "1")
    with pytest.raises(InvalidSettings, match=r"JOBS_MAINT_XYZZY is not a known setting$"):
        MaintSettings.load()


def test_other_programs_names_are_none_of_our_business(monkeypatch):
    monkeypatch.setenv("JOBS", "4")
    monkeypatch.setenv("JOB_QUEUE_ENABLED", "false")
    monkeypatch.setenv("JOBSMAINT_BEAT", "1")
    assert MaintSettings.load().beat == timedelta(seconds=10)


def test_service_links_of_kubernetes_are_ignored(monkeypatch):
    links = {
        "SERVICE_HOST": "10.0.0.1",
        "SERVICE_PORT": "3000",
        "SERVICE_PORT_HTTP": "3000",
        "PORT": "tcp://10.0.0.1:3000",
        "PORT_3000_TCP": "tcp://10.0.0.1:3000",
        "PORT_3000_TCP_ADDR": "10.0.0.1",
        "PORT_3000_TCP_PROTO": "tcp",
    }
    for rest, value in links.items():
        monkeypatch.setenv(f"JOBS_MAINT_{rest}", value)
    assert MaintSettings.load() == MaintSettings()


@pytest.mark.parametrize(
    ("rest", "value", "link"),
    [
        ("PORT", "tcp://10.0.0.1:3000", True),
        ("PORT", "3000", False),
        ("PORT_3000_UDP_PORT", "3000", True),
        ("PORTS", "tcp://x", False),
        ("HOST", "10.0.0.1", False),
        ("SERVICE_HOSTS", "x", False),
    ],
)
def test_only_the_exact_names_of_kubernetes_are_links(rest, value, link):
    assert is_service_link(rest, value) is link


def test_the_file_sets_what_the_environment_does_not(monkeypatch, config):
    config(
        '[jobs_maint]\nkeep_failed = "7d"\nbeat = "5s"\n'
        'database_url = "postgresql://file"\nredact = ["iban"]\n'
        '[jobs_maint.rescue_policy]\n"mail.*" = "fail"\n[chatbot]\ncommand = "/ops"\n'
    )
    monkeypatch.setenv("JOBS_MAINT_KEEP_FAILED", "9d")
    settings = MaintSettings.load()
    assert settings.keep_failed == timedelta(days=9)
    assert settings.beat == timedelta(seconds=5)
    assert settings.require_database_url() == "postgresql://file"
    assert settings.rescue_policy == {"mail.*": "fail"}
    assert settings.redact == ["iban"]


def test_blanks_around_the_name_of_the_file_mean_nothing(monkeypatch, config):
    config('[jobs_maint]\nkeep_failed = "7d"\n')
    monkeypatch.setenv("JOBS_CONFIG", f" {os.environ['JOBS_CONFIG']} ")
    assert MaintSettings.load().keep_failed == timedelta(days=7)


@pytest.mark.parametrize(
    ("name", "value"),
    [("JOBS_MAINT_RESCUE_POLICY", "'{}'"), ("JOBS_MAINT_PURGE_CRON", '"0 3 * * *"')],
)
def test_quotes_that_are_part_of_a_value_are_named_as_the_cause(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match="the quotes around it are part of the value"):
        MaintSettings.load()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[jobs_maint]\nkeep_faild = '7d'\n", "'keep_faild' in .* did you mean keep_failed"),
        ("[jobs_main]\nkeep_failed = '7d'\n", "'jobs_main'; .* did you mean jobs_maint"),
        ("keep_failed = '7d'\n", "unknown top-level entry 'keep_failed'"),
        ("jobs_maint = 5\n", "must be a table"),
        ("[jobs_maint\n", "is not valid TOML"),
        (b"\xff\xfe\x00", "is not valid TOML"),
        ("[jobs_maint]\nkeep_failed = 30\n", "JOBS_MAINT_KEEP_FAILED: 30 has no unit"),
        ("[jobs_maint]\nbeat = 10\n", "JOBS_MAINT_BEAT: 10 has no unit"),
        ("[jobs_maint]\nkeep_failed = true\n", "has no unit"),
        ("[jobs_maint]\nqueue = 5\n", "JOBS_MAINT_QUEUE: it must be text, in quotes$"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(config, text, says):
    config(text)
    with pytest.raises(InvalidSettings, match=says) as caught:
        MaintSettings.load()
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("JOBS_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(InvalidSettings, match=r"none\.toml, which cannot be read: No such file"):
        MaintSettings.load()


def test_only_a_regular_file_is_read(monkeypatch, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", "/dev/zero"):
        monkeypatch.setenv("JOBS_CONFIG", str(path))
        with pytest.raises(InvalidSettings, match=r"is not a regular file|Is a directory"):
            MaintSettings.load()


def test_a_file_may_begin_with_a_mark_and_have_the_line_ends_of_windows(config):
    config(b'\xef\xbb\xbf[jobs_maint]\r\nqueue = "q"\r\n')
    assert MaintSettings.load().queue == "q"


@pytest.mark.parametrize("depth", [200, 800, 3_000])
def test_what_is_nested_too_deeply_is_refused(config, monkeypatch, depth):
    nested = "[" * depth + "]" * depth
    for text in (f"redact = {nested}", f"keep_failed = {nested}", ".".join("a" * depth) + " = 1"):
        config(f"[jobs_maint]\n{text}\n")
        with pytest.raises(InvalidSettings):
            MaintSettings.load()
    monkeypatch.delenv("JOBS_CONFIG")
    for text in (nested, "[" * depth, '{"a":' * depth):
        monkeypatch.setenv("JOBS_MAINT_REDACT", text)
        with pytest.raises(InvalidSettings, match="JOBS_MAINT_REDACT"):
            MaintSettings.load()


@pytest.mark.parametrize("value", [None, "", "   "])
def test_a_missing_database_is_said_with_an_example(monkeypatch, value):
    if value is not None:
        monkeypatch.setenv("JOB_QUEUE_DATABASE_URL", value)
    with pytest.raises(InvalidSettings, match=r"URL is not set; .*postgresql://"):
        MaintSettings.load().require_database_url()


def test_secrets_are_never_in_a_repr_or_an_error(monkeypatch):
    monkeypatch.setenv("JOB_QUEUE_DATABASE_URL", "postgresql://me:hunter2@db/jobs")
    settings = MaintSettings.load()
    assert "hunter2" not in repr(settings) + str(settings) + str(settings.model_dump())
    assert settings.require_database_url() == "postgresql://me:hunter2@db/jobs"
    monkeypatch.setenv("JOBS_MAINT_BEAT", "soon")
    with pytest.raises(InvalidSettings) as caught:
        MaintSettings.load()
    assert "hunter2" not in str(caught.value)


def test_settings_do_not_change_after_loading():
    settings = MaintSettings.load()
    with pytest.raises(ValueError, match="frozen"):
        settings.beat = timedelta(seconds=1)


def test_every_field_has_a_name_in_the_environment_and_in_the_file():
    names = [MaintSettings.env_name(field) for field in MaintSettings.model_fields]
    assert names[0] == "JOB_QUEUE_DATABASE_URL"
    assert names[1] == "JOBS_ENVIRONMENT"
    assert all(name.startswith("JOBS_MAINT_") for name in names[2:])
    assert sorted(MaintSettings.file_names("jobs_maint").values()) == sorted(
        MaintSettings.model_fields
    )


def test_a_name_that_is_no_setting_is_refused_in_code_too():
    """Or failed jobs would be deleted that somebody meant to keep."""
    with pytest.raises(InvalidSettings, match=r"keep_faild is not a setting .* keep_failed\?"):
        MaintSettings(keep_faild="never")
    with pytest.raises(InvalidSettings, match="JOBS_MAINT_RESCUE_POLCY is not a setting"):
        MaintSettings.load(JOBS_MAINT_RESCUE_POLCY={"billing.*": "fail"})
    with pytest.raises(InvalidSettings, match="it must be a number"):
        MaintSettings.load(max_rescues=True)
    assert MaintSettings(keep_failed="never").keep_failed is None
