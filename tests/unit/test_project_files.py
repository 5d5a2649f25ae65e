"""The files around the code keep their promises: make, bootstrap, Docker, settings, CI."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from dotenv import dotenv_values

from chatbot.settings.bot import ChatbotSettings
from jobs_maint.settings import MaintSettings, OurSettings

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OUR_SERVICES = {name: spec for name, spec in SERVICES.items() if "build" in spec}
DOCKERFILE = (ROOT / "Dockerfile").read_text()
ENV_EXAMPLE = (ROOT / ".env.example").read_text()
SETTING_LINE = re.compile(r"^(# )?([A-Z][A-Z0-9_]+)=(.*)$")

NOT_READ_BY_THE_PRODUCT = {
    "JOB_QUEUE_DATABASE_PASSWORD",
    "JOB_QUEUE_ENABLED",
    "POSTGRES_PASSWORD",
}
"""The compose file's own database, and the sample team app."""


def example_names() -> set[str]:
    return {match[2] for line in ENV_EXAMPLE.splitlines() if (match := SETTING_LINE.match(line))}


def setting_names(settings: type[OurSettings]) -> set[str]:
    return {settings.env_name(field) for field in settings.model_fields}


def run(*command: str, cwd: Path, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Without the caller's environment, as on a fresh machine; HOME is an empty folder."""
    home = cwd / "home"
    home.mkdir(exist_ok=True)
    env = {"PATH": os.environ["PATH"] if path is None else path, "HOME": str(home)}
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False
    )


# --- docker-compose.yml ---------------------------------------------------------------------------


def test_compose_has_the_four_services():
    assert set(SERVICES) == {"postgres-jobs", "migrate", "worker", "chatbot"}


def test_compose_database_is_on_port_5433_of_this_machine_only():
    assert SERVICES["postgres-jobs"]["ports"] == ["127.0.0.1:5433:5432"]
    published = [port for spec in SERVICES.values() for port in spec.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_compose_starts_in_order():
    """The schema waits for a healthy database; worker and bot wait for the schema."""
    assert "healthcheck" in SERVICES["postgres-jobs"]
    assert SERVICES["migrate"]["depends_on"] == {"postgres-jobs": {"condition": "service_healthy"}}
    assert SERVICES["migrate"]["restart"] == "no"
    for name in ("worker", "chatbot"):
        assert SERVICES[name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"}
        }


@pytest.mark.parametrize("name", sorted(OUR_SERVICES))
def test_compose_command_exists(name):
    program, *words = OUR_SERVICES[name]["command"]
    if program == "python":
        package = Path(*words[1].split("."))
        assert words[0] == "-m"
        assert (ROOT / package / "__main__.py").is_file()
        assert str(package) in dockerfile_sources()
    else:
        module = PROJECT["project"]["scripts"][program].split(":")[0]
        assert importlib.util.find_spec(module) is not None


@pytest.mark.parametrize("name", sorted(OUR_SERVICES))
def test_compose_builds_a_stage_of_the_dockerfile(name):
    build = OUR_SERVICES[name]["build"]
    assert (ROOT / build["context"] / "Dockerfile").is_file()
    assert build["target"] in dockerfile_stages()


def test_compose_variables_are_in_the_example():
    used = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
    for spec in OUR_SERVICES.values():
        used |= set(spec["environment"])
    assert used
    assert used <= example_names()


@pytest.mark.parametrize("name", sorted(OUR_SERVICES))
def test_compose_services_reach_the_database_inside(name):
    """Also where .env names the address for outside: `environment` wins over `env_file`."""
    spec = OUR_SERVICES[name]
    assert "@postgres-jobs:5432/" in spec["environment"]["JOB_QUEUE_DATABASE_URL"]


def test_compose_services_get_no_secret_that_they_do_not_need():
    """Worker and bot read all of .env, to refuse what is misspelt; `environment` wins over it."""
    in_file = {
        name for name in example_names() if name.endswith(("_TOKEN", "_SECRET", "_PASSWORD"))
    }
    assert len(in_file) == 5
    kept = {}
    for name, spec in OUR_SERVICES.items():
        blanked = {key for key, value in spec["environment"].items() if value == ""}
        kept[name] = in_file - blanked if "env_file" in spec else set()
    # The address that every service has contains the password of its role.
    role = {"JOB_QUEUE_DATABASE_PASSWORD"}
    assert kept == {
        "migrate": set(),
        "worker": role | {"SLACK_BOT_TOKEN"},
        "chatbot": role | {"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"},
    }
    for name in ("worker", "chatbot"):
        assert OUR_SERVICES[name]["env_file"] == [{"path": ".env", "required": False}]


def test_compose_database_belongs_to_a_role_that_is_no_superuser():
    spec = SERVICES["postgres-jobs"]
    assert "POSTGRES_USER" not in spec["environment"]
    (script,) = [volume for volume in spec["volumes"] if "/docker-entrypoint-initdb.d/" in volume]
    text = (ROOT / script.split(":")[0]).read_text()
    assert "CREATE ROLE jobs LOGIN" in text
    assert "SUPERUSER" not in text
    (password,) = re.findall(r"^\\getenv \w+ (\w+)$", text, re.MULTILINE)
    assert password in spec["environment"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_compose_services_have_no_rights_that_they_do_not_need(name):
    spec = SERVICES[name]
    assert spec["cap_drop"] == ["ALL"]
    assert spec["security_opt"] == ["no-new-privileges:true"]
    assert spec.get("read_only", False) is (name in OUR_SERVICES)


def test_compose_migrate_waits_for_the_database_and_the_bot_gives_up():
    assert SERVICES["migrate"]["command"][-2:] == ["--wait", "60s"]
    assert SERVICES["chatbot"]["restart"] == "on-failure:5"


def test_images_and_tools_are_pinned():
    images = [SERVICES["postgres-jobs"]["image"]]
    images += [i for i in re.findall(r"^FROM (\S+) AS", DOCKERFILE, re.MULTILINE) if ":" in i]
    assert all(re.search(r":\d+\.\d+", image) for image in images), images
    assert re.search(r'"uv==\d+\.\d+\.\d+"', DOCKERFILE)


# --- Dockerfile -----------------------------------------------------------------------------------


def dockerfile_stages() -> list[str]:
    return re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE)


def dockerfile_sources() -> list[str]:
    copies = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    return [source for copy in copies for source in copy.split()[:-1]]


def test_dockerfile_copies_what_exists_and_is_not_ignored():
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    sources = dockerfile_sources()
    assert "src" in sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert Path(source).parts[0] in allowed


def test_dockerfile_copies_from_its_own_stages():
    stages = dockerfile_stages()
    for stage in re.findall(r"^COPY --from=(\S+)", DOCKERFILE, re.MULTILINE):
        assert stage in stages


def test_dockerfile_ends_as_an_ordinary_user():
    before_demo = DOCKERFILE.split("FROM runtime AS demo")[0]
    assert re.findall(r"^USER (\S+)$", before_demo, re.MULTILINE) == ["jobs"]
    assert "USER root" not in DOCKERFILE


def test_dockerfile_installs_known_extras_from_the_lock_file():
    syncs = re.findall(r"uv sync (.+)$", DOCKERFILE, re.MULTILINE)
    assert syncs
    for words in syncs:
        extras = re.findall(r"--extra (\w+)", words)
        assert set(extras) == {"slack", "binary"}
        assert set(extras) <= set(PROJECT["project"]["optional-dependencies"])
        assert "--locked" in words
        assert "--no-dev" in words


# --- .env.example ---------------------------------------------------------------------------------


def test_env_example_names_every_setting_and_no_other():
    ours = setting_names(MaintSettings) | setting_names(ChatbotSettings) | {"JOBS_CONFIG"}
    assert example_names() == ours | NOT_READ_BY_THE_PRODUCT


def test_env_example_explains_every_setting():
    lines = ENV_EXAMPLE.splitlines()
    for number, line in enumerate(lines):
        if SETTING_LINE.match(line):
            comment = lines[number - 1]
            assert comment.startswith("# "), line
            assert not SETTING_LINE.match(comment), line


@pytest.mark.parametrize("settings", [MaintSettings, ChatbotSettings])
def test_env_example_shows_the_defaults(settings, tmp_path, monkeypatch):
    """Each line that is commented out, taken as it stands, changes nothing."""
    shown = tmp_path / "shown.env"
    commented = [
        match[0].removeprefix("# ")
        for line in ENV_EXAMPLE.splitlines()
        if (match := SETTING_LINE.match(line)) and match[1]
    ]
    shown.write_text("\n".join(commented))
    for name in os.environ:
        if name.startswith(("JOBS_", "JOB_QUEUE_", "CHATBOT_", "SLACK_")):
            monkeypatch.delenv(name)
    defaults = settings.load()
    for name, value in dotenv_values(shown, interpolate=False).items():
        monkeypatch.setenv(name, value or "")
    assert settings.load() == defaults


def test_env_example_address_is_the_published_port():
    values = dotenv_values(ROOT / ".env.example", interpolate=False)
    assert values["JOB_QUEUE_DATABASE_URL"] == "postgresql://jobs:jobs@127.0.0.1:5433/jobs"


# --- Makefile, bootstrap, CI ----------------------------------------------------------------------


def make_targets() -> set[str]:
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    return set(phony[1].split())


def test_make_help_is_the_default_and_lists_every_target(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    shown = run("make", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert set(re.findall(r"^  make (\S+) +\S", shown.stdout, re.MULTILINE)) == make_targets()
    assert {"demo", "test", "bench", "soak", "lint", "help", "clean"} <= make_targets()


def test_make_test_runs_every_check(synced_checkout):
    planned = run("make", "--dry-run", "test", cwd=synced_checkout).stdout
    for tool in ("ruff check", "ruff format --check", "mypy", "lint-imports", "pytest -m"):
        assert f".venv/bin/{tool}" in planned


@pytest.fixture
def synced_checkout(tmp_path):
    """The Makefile in a folder whose .venv is up to date, so that nothing is installed."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "scripts" / "dev").mkdir(parents=True)
    shutil.copy(ROOT / "scripts/dev/bootstrap.sh", tmp_path / "scripts/dev")
    for name in ("pyproject.toml", "uv.lock"):
        (tmp_path / name).touch()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / ".synced").touch()
    now = (tmp_path / "uv.lock").stat().st_mtime + 60
    os.utime(tmp_path / ".venv" / ".synced", (now, now))
    return tmp_path


def test_make_bench_without_benchmarks_says_so(synced_checkout):
    ended = run("make", "bench", cwd=synced_checkout)
    assert ended.returncode == 2
    assert "there are no benchmarks yet" in ended.stderr


def test_make_syncs_again_only_when_the_lock_file_is_newer(synced_checkout):
    (synced_checkout / ".venv/bin/python").symlink_to(shutil.which("true"))
    assert "bootstrap.sh" not in run("make", "--dry-run", "demo", cwd=synced_checkout).stdout
    later = (synced_checkout / ".venv/.synced").stat().st_mtime + 60
    os.utime(synced_checkout / "uv.lock", (later, later))
    assert "bootstrap.sh" in run("make", "--dry-run", "demo", cwd=synced_checkout).stdout


@pytest.mark.parametrize(
    ("python3", "says"),
    [
        pytest.param(None, "python3.11 is missing", id="no python"),
        pytest.param(
            'case "$2" in *print*) echo 3.9;; *) exit 1;; esac',
            "python3.11 is missing (the Python found is 3.9)",
            id="old python",
        ),
        pytest.param(
            'case "$2" in *print*) echo 3.12;; *ensurepip*) exit 1;; esac',
            "python3-venv is missing (Python 3.12 has no venv or ensurepip module): "
            "apt-get install python3-venv",
            id="no venv module",
        ),
        pytest.param("exit 127", "python3.11 is missing", id="a shim without a python"),
    ],
)
def test_bootstrap_names_the_missing_package(synced_checkout, python3, says):
    """One sentence, exit code not 0, no .venv half made."""
    tools = synced_checkout / "tools"
    tools.mkdir()
    for tool in ("sh", "dirname"):
        (tools / tool).symlink_to(shutil.which(tool))
    if python3 is not None:
        (tools / "python3").write_text(f"#!/bin/sh\n{python3}\n")
        (tools / "python3").chmod(0o755)
    shutil.rmtree(synced_checkout / ".venv")
    ended = run("sh", "scripts/dev/bootstrap.sh", cwd=synced_checkout, path=str(tools))
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"bootstrap: {says}")
    assert ended.stderr.count("\n") == 1
    assert not (synced_checkout / ".venv").exists()


def test_ci_calls_make_test():
    script = (ROOT / ".ci" / "run").read_text()
    assert script.startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in script
    assert script.endswith("\nexec make test\n")


def test_shell_scripts_pass_shellcheck():
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed: apt-get install shellcheck")
    folders = (ROOT / "scripts", ROOT / "tests")
    scripts = [ROOT / ".ci" / "run", *(s for f in folders for s in sorted(f.rglob("*.sh")))]
    checked = subprocess.run(
        [shellcheck, *scripts], capture_output=True, text=True, timeout=60, check=False
    )
    assert checked.returncode == 0, checked.stdout


# --- uv.lock, pre-commit, the rest ----------------------------------------------------------------


def test_lock_file_names_the_public_index_only():
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    registries = {
        package["source"]["registry"]
        for package in lock["package"]
        if "registry" in package["source"]
    }
    # One index, reached by its public name: no mirror, port, login or folder of somebody's machine.
    (registry,) = registries
    assert re.fullmatch(r"https://[a-z.]+/simple", registry)


def test_pre_commit_runs_the_tools_of_make_test():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    entries = [hook["entry"] for hook in config["repos"][0]["hooks"]]
    assert all(hook["language"] == "system" for hook in config["repos"][0]["hooks"])
    for tool in ("ruff check", "ruff format", "mypy", "lint-imports"):
        assert any(entry.startswith(f".venv/bin/{tool}") for entry in entries)


def test_changelog_has_an_unreleased_section():
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text()


def test_requires_the_python_that_runs_this():
    assert PROJECT["project"]["requires-python"] == ">=3.11"
    assert sys.version_info >= (3, 11)
