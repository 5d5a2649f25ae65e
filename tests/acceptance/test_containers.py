"""Dockerfile and docker-compose.yml, built and run: one story, from nothing to nothing."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.containers import ROOT, Podman, own_podman, skip_without_podman

JOBS_MAINT = ROOT / ".venv" / "bin" / "jobs-maint"
NOT_COPIED = (".git", ".venv*", ".env", ".*_cache", "__pycache__", "build", "tests")
SECRETS = {
    "POSTGRES_PASSWORD": "ofthesuperuser",
    "JOB_QUEUE_DATABASE_PASSWORD": "oftherole",
    "SLACK_APP_TOKEN": "xapp-1-A0123456789-ofthebot",
    "SLACK_SIGNING_SECRET": "ofthebotaswell",
}
"""In .env. There is no SLACK_BOT_TOKEN."""
DUE = """
    SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'
    OR status = 'todo' AND (scheduled_at IS NULL OR scheduled_at < now() + interval '1 minute')
"""

pytestmark = pytest.mark.environments


@pytest.fixture
def podman(tmp_path: Path) -> Iterator[Podman]:
    """A checkout of its own, with an .env made from the example."""
    skip_without_podman()
    project = tmp_path / "checkout"
    shutil.copytree(ROOT, project, ignore=shutil.ignore_patterns(*NOT_COPIED))
    env = (ROOT / ".env.example").read_text()
    for name, value in SECRETS.items():
        env, changed = re.subn(rf"^(# )?{name}=.*$", f"{name}={value}", env, flags=re.MULTILINE)
        assert changed == 1, name
    (project / ".env").write_text(env)
    with own_podman(project) as found:
        yield found


def test_the_compose_file_from_build_to_down(podman):
    podman.make_stand_in()
    assert "useradd warning" not in podman.build()
    podman.compose("up", "--no-build", "--no-start", "--no-deps")

    # The schema: `migrate` waits for a database that is not even started.
    podman.start("migrate")
    podman.start("postgres-jobs")
    assert podman.wait("migrate") == 0
    assert "The schema is complete" in podman.logs("migrate")
    podman.podman("healthcheck", "run", podman.container("postgres-jobs"))
    podman.start("worker", "chatbot")

    # The team's jobs run; from outside, the shell sees what became of them.
    podman.exec("worker", "python", "-m", "demo.team_app", "seed")
    podman.wait_until(f"({DUE}) = 0")
    outside = {
        "JOB_QUEUE_DATABASE_URL": f"postgresql://jobs:{SECRETS['JOB_QUEUE_DATABASE_PASSWORD']}"
        "@127.0.0.1:5433/jobs"
    }
    stats = json.loads(podman.run(JOBS_MAINT, "stats", "--json", **outside).stdout)
    counts = {queue["queue"]: (queue["succeeded"], queue["failed"]) for queue in stats["queues"]}
    assert counts == {"email": (6, 2), "webhook": (5, 3), "reports": (1, 2)}
    assert {state: number for state, number in stats["workers"].items() if number} == {"live": 1}
    podman.run(JOBS_MAINT, "doctor", **outside)

    check_rights(podman)
    check_secrets(podman)
    check_bot_without_token(podman)

    # A running job may finish when the worker is stopped.
    arguments = json.dumps({"address": "last@shop.example", "seconds": 5})
    podman.exec(
        "worker", "python", "-m", "procrastinate", "--app=demo.team_app.app.app",
        "defer", "demo.team_app.tasks.send_email", arguments,
    )  # fmt: skip
    last = "SELECT status FROM procrastinate_jobs WHERE args->>'address' = 'last@shop.example'"
    podman.wait_until(f"({last}) = 'doing'")
    podman.compose("stop", "worker")
    assert podman.inspect("worker")["State"]["ExitCode"] == 0
    assert podman.query(last) == "succeeded"
    assert podman.query("SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'") == "0"

    podman.compose("down", "--volumes")
    assert podman.podman("ps", "--all", "--quiet") == ""
    assert podman.podman("volume", "ls", "--quiet") == ""
    assert podman.file["name"] not in podman.podman("network", "ls")


def check_rights(podman: Podman) -> None:
    """As they are in the running processes, not as they are asked for."""
    assert podman.query("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == "f"
    for service, uid in (("worker", "10001"), ("postgres-jobs", "999")):
        status = dict(
            line.split(":\t", 1)
            for line in podman.exec(service, "cat", "/proc/1/status").splitlines()
        )
        assert status["Uid"].split() == [uid] * 4
        assert int(status["CapEff"], 16) == 0
        assert status["NoNewPrivs"] == "1"
    tried = "touch /tmp/fine && ! touch /srv/no && ! touch ~/no"
    podman.exec("worker", "sh", "-c", tried)


def check_secrets(podman: Podman) -> None:
    """Who gets which: nobody more than they use."""
    owners = {
        "POSTGRES_PASSWORD": {"postgres-jobs"},
        "JOB_QUEUE_DATABASE_PASSWORD": set(podman.services),
        "SLACK_APP_TOKEN": {"chatbot"},
        "SLACK_SIGNING_SECRET": {"chatbot"},
    }
    environments = {
        service: str(podman.inspect(service)["Config"]["Env"]) for service in podman.services
    }
    for name, value in SECRETS.items():
        found = {service for service, env in environments.items() if value in env}
        assert found == owners[name], name


def check_bot_without_token(podman: Podman) -> None:
    """The same sentence at each of five more attempts, and then silence."""
    for _ in range(30):
        ended = podman.inspect("chatbot")
        if ended["State"]["Status"] == "exited":
            break
        podman.wait("chatbot")
    assert (ended["RestartCount"], ended["State"]["ExitCode"]) == (5, 78)
    said = podman.logs("chatbot").splitlines()
    assert len(said) == 6
    assert {line.partition(";")[0] for line in said} == {"jobs-chatbot: SLACK_BOT_TOKEN is not set"}
