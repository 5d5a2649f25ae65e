"""A Django project set up as the page on Django says."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from tests.support.processes import Processes

pytestmark = pytest.mark.environments

pytest.importorskip("django", reason="Django is not installed")

ROOT = Path(__file__).parents[2]
MANAGE = ("-m", "django")
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.support.django_shop.settings"}


def test_a_worker_of_django_records_errors_and_runs_our_tasks(bare_database_url, jobs_maint):
    processes = Processes(bare_database_url)

    def manage(*words: str) -> str:
        done = processes.start(*MANAGE, *words, **SETTINGS)
        assert done.wait(60) == 0, done.output
        return done.output

    try:
        manage("migrate", "--verbosity", "0")
        assert jobs_maint("schema", "apply", url=bare_database_url).returncode == 0
        with psycopg.connect(bare_database_url) as conn:
            conn.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args) VALUES"
                " ('mail', 'tests.support.django_shop.shop.tasks.send', 0, '{\"order\": 7}'),"
                " ('maintenance', 'jobs_maint:rescue_stalled_jobs', 0, '{\"timestamp\": 0}')"
            )
        manage("procrastinate", "worker", "--one-shot")
    finally:
        processes.kill_all()
    found = json.loads(jobs_maint("failed", "--json", url=bare_database_url).stdout)
    [job] = [job for job in found["jobs"] if job["queue"] == "mail"]
    assert job["message"] == "order 7 has no address", job
    with psycopg.connect(bare_database_url) as conn:
        statuses = conn.execute(
            "SELECT status::text FROM procrastinate_jobs WHERE task_name LIKE 'jobs_maint:rescue%'"
            " ORDER BY id LIMIT 1"
        ).fetchall()
    assert statuses == [("succeeded",)]


def test_the_code_of_the_page_is_the_code_of_the_test():
    page = (ROOT / "docs/how-to/django.md").read_text(encoding="utf-8")
    code = (ROOT / "tests/support/django_shop/procrastinate.py").read_text(encoding="utf-8")
    assert code.strip() in page
    assert "PROCRASTINATE_ON_APP_READY" in page
