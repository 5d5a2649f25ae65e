"""`jobs-maint` as a process against a real PostgreSQL: answers, exit codes, streams."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.history import hours, minutes
from tests.support.processes import environment
from tests.support.shell import answer, data

from jobs_maint import __version__
from jobs_maint.database import describe_database

NO_JOB = "9223372036854775807"


async def audited(conn):
    found = await conn.execute(
        "SELECT actor_kind, outcome, action FROM jobs_maint_audit ORDER BY 1"
    )
    return await found.fetchall()


# --- each word, as a table and as JSON ----------------------------------------------------------


async def test_stats_show_the_worst_queue_first(jobs_maint, make_job):
    await make_job(queue="email", status="succeeded", finished_ago=minutes(5))
    await make_job(queue="webhook", deferred_ago=minutes(14))
    for _ in range(2):
        await make_job(queue="webhook", status="failed", finished_ago=minutes(3))

    text = answer(jobs_maint("stats"))
    assert text.startswith("No worker is live and 1 job waits; 2 jobs failed in the last hour.\n")
    assert text.index("\nwebhook ") < text.index("\nemail ")
    assert max(map(len, text.splitlines())) <= 80
    report = data(jobs_maint("stats", "--json"))
    assert report["kind"] == "stats"
    queues = {queue["queue"]: queue for queue in report["queues"]}
    assert (queues["webhook"]["ready"], queues["webhook"]["failed_last_hour"]) == (1, 2)
    assert queues["email"]["done_last_hour"] == 1

    [only] = data(jobs_maint("stats", "email", "--json"))["queues"]
    assert only["queue"] == "email"


def test_stats_of_an_empty_database_are_an_answer(jobs_maint):
    assert answer(jobs_maint("stats")).startswith("No job is in the job tables.\n")


async def test_failed_shows_each_job_with_its_error(jobs_maint, make_job):
    old = await make_job(status="failed", finished_ago=hours(30), error="too old")
    ids = [
        await make_job(
            status="failed", queue="webhook", task="shop.tasks.send", error=f"refused {number}",
            exception_type="httpx.ConnectError", finished_ago=minutes(10 - number),
        )
        for number in range(3)
    ]  # fmt: skip

    text = answer(jobs_maint("failed", "webhook", "--limit", 2))
    assert text.startswith("3 failed jobs in queue webhook, newest failure first.\n")
    assert text.index(f"\n{ids[2]:>2}") < text.index(f"\n{ids[1]:>2}")
    assert "ConnectError: refused 2\n" in text
    assert "refused 0" not in text
    assert "1 more not shown; --limit 3\n" in text

    report = data(jobs_maint("failed", "--since", "24h", "--error", "refused", "--json"))
    assert [job["job_id"] for job in report["jobs"]] == ids[::-1]
    assert report["since_seconds"] == 86400
    assert data(jobs_maint("failed", "--json"))["jobs"][-1]["job_id"] == old
    assert data(jobs_maint("failed", "--task", "nothing", "--json"))["total"] == 0


async def test_status_shows_fields_timeline_and_attempts(jobs_maint, make_job):
    job_id = await make_job(
        status="failed", error="it broke", args={"order": 7, "password": "hunter2"},
        finished_ago=minutes(4),
    )  # fmt: skip
    text = answer(jobs_maint("status", job_id))
    assert text.startswith(f"Job {job_id} failed: ValueError: it broke\n")
    assert '"order": 7' in text
    assert "hunter2" not in text
    for step in ("deferred", "started", "failed"):
        assert f"  {step}" in text
    report = data(jobs_maint("status", job_id, "--json"))
    assert (report["status"], report["redacted"]) == ("failed", True)
    assert report["failures"][0]["message"] == "it broke"
    assert report["failures"][0]["failed_at"].endswith("Z")


async def test_only_reveal_shows_secrets_and_it_is_audited(jobs_maint, make_job, conn):
    job_id = await make_job(args={"password": "hunter2"})
    assert "hunter2" not in answer(jobs_maint("status", job_id, "--json"))
    assert await audited(conn) == []
    assert data(jobs_maint("status", job_id, "--reveal", "--json"))["args"]["password"] == "hunter2"
    [(kind, outcome, action)] = await audited(conn)
    assert (kind, outcome) == ("shell", "done")
    assert f"status {job_id} --reveal" in action


async def test_retry_puts_a_job_back_and_is_audited(jobs_maint, make_job, conn):
    job_id = await make_job(status="cancelled", task="a.send")
    done = f"1 job retried: {job_id} (default, send).\n"
    nobody = "No worker is alive: it waits until one starts.\n"
    assert answer(jobs_maint("retry", job_id)) == done + nobody
    assert await make_job.status(job_id) == "todo"
    assert [(kind, outcome) for kind, outcome, _ in await audited(conn)] == [("shell", "done")]


async def test_a_retry_in_json_counts_what_it_did(jobs_maint, make_job):
    job_id = await make_job(status="aborted")
    report = data(jobs_maint("retry", job_id, "--json"))
    assert (report["done"], report["skipped"]) == (1, 0)
    assert report["items"][0]["job_id"] == job_id


def test_schema_apply_can_be_repeated(jobs_maint, bare_database_url):
    pending = answer(jobs_maint("schema", "status", url=bare_database_url))
    assert "The schema is not complete. Missing:" in pending
    assert "jobs-maint schema apply" in pending
    assert describe_database(bare_database_url) in pending
    first = data(jobs_maint("schema", "apply", "--json", url=bare_database_url))
    assert first["applied"]
    assert describe_database(bare_database_url) in first["database"]
    assert first["pending"] == []
    second = data(jobs_maint("schema", "apply", "--json", url=bare_database_url))
    assert second["applied"] == second["pending"] == []
    assert "The schema is complete" in answer(jobs_maint("schema", "status", url=bare_database_url))
    assert "keeps up" not in answer(jobs_maint("stats", url=bare_database_url))


def test_the_installed_command_is_the_module(database_url):
    command = Path(sys.executable).with_name("jobs-maint")
    if not command.exists():
        pytest.skip("the project is not installed in this environment")
    done = subprocess.run(
        [command, "--version"], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == f"jobs-maint {__version__}\n"


async def test_a_phone_s_dash_before_an_option_is_read_as_two(jobs_maint, make_job):
    old = await make_job(status="failed", finished_ago=hours(30))
    new = await make_job(status="failed", finished_ago=minutes(3))
    report = data(jobs_maint("failed", "—since", "1h", "—json"))
    assert [job["job_id"] for job in report["jobs"]] == [new]
    report = data(jobs_maint("failed", "--json"))
    assert {job["job_id"] for job in report["jobs"]} == {old, new}
