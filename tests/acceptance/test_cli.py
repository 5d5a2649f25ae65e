"""`jobs-maint` as a process against a real PostgreSQL: answers, exit codes, streams."""

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from tests.support.history import hours, minutes
from tests.support.processes import environment

from jobs_maint import __version__

COMMAND = [sys.executable, "-m", "jobs_maint.cli"]
NO_JOB = "9223372036854775807"


@pytest.fixture
def jobs_maint(database_url):
    def run(*words, url=database_url, **settings):
        settings = {"COLUMNS": "80", "JOB_QUEUE_DATABASE_URL": url, **settings}
        return subprocess.run(
            [*COMMAND, *map(str, words)],
            env=environment(**settings),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def answer(done):
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def data(done):
    return json.loads(answer(done))


def assert_refused(done, exit_code, *says):
    assert done.returncode == exit_code, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("jobs-maint: ")
    assert done.stderr.count("\n") == 1, done.stderr
    for words in says:
        assert words in done.stderr


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
    assert text.startswith(f"Job {job_id} is failed: ValueError: it broke\n")
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


async def test_retry_puts_jobs_back_and_is_audited(jobs_maint, make_job, conn):
    ids = [await make_job(status=status, task="a.send") for status in ("failed", "cancelled")]
    text = answer(jobs_maint("retry", *ids))
    assert text == f"2 jobs put back: {ids[0]} (default, send), {ids[1]} (default, send).\n"
    assert [await make_job.status(job_id) for job_id in ids] == ["todo", "todo"]
    assert [(kind, outcome) for kind, outcome, _ in await audited(conn)] == [("shell", "done")]


async def test_a_retry_of_several_tells_each_refusal_and_ends_with_5(jobs_maint, make_job):
    good = await make_job(status="failed")
    done = await make_job(status="succeeded")
    result = jobs_maint("retry", good, done, NO_JOB)
    assert (result.returncode, result.stderr) == (5, "")
    assert result.stdout.startswith(f"1 job put back: {good} ")
    [refusal] = [line for line in result.stdout.splitlines() if line.startswith(f"  {done}: ")]
    assert "only failed, cancelled or aborted jobs" in refusal
    assert f"  {NO_JOB}: there is no such job" in result.stdout

    again = jobs_maint("retry", good, done, "--json")
    assert again.returncode == 5
    report = json.loads(again.stdout)
    assert (report["kind"], report["done"], report["skipped"]) == ("retry", 0, 2)
    assert await make_job.status(good) == "todo"


async def test_a_retry_in_json_counts_what_it_did(jobs_maint, make_job):
    job_id = await make_job(status="aborted")
    report = data(jobs_maint("retry", job_id, "--json"))
    assert (report["done"], report["skipped"]) == (1, 0)
    assert report["items"][0]["job_id"] == job_id


def test_schema_apply_can_be_repeated(jobs_maint, bare_database_url):
    pending = answer(jobs_maint("schema", "status", url=bare_database_url))
    assert "The schema is not complete. Missing:" in pending
    assert "jobs-maint schema apply" in pending
    first = data(jobs_maint("schema", "apply", "--json", url=bare_database_url))
    assert first["applied"]
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


# --- what goes wrong ----------------------------------------------------------------------------


def test_a_queue_that_does_not_exist_ends_with_2(jobs_maint):
    assert_refused(jobs_maint("stats", "nope"), 2, "nope")


async def test_a_misspelt_queue_gets_the_one_meant(jobs_maint, make_job):
    await make_job(queue="webhook")
    for word in ("stats", "failed"):
        assert_refused(jobs_maint(word, "webhok"), 2, "did you mean 'webhook'?")


def test_a_job_that_does_not_exist_ends_with_3(jobs_maint):
    assert_refused(jobs_maint("status", NO_JOB), 3, NO_JOB)
    assert_refused(jobs_maint("retry", NO_JOB), 3, NO_JOB)
    done = jobs_maint("retry", NO_JOB, "--json")
    assert (done.returncode, done.stdout) == (3, "")
    assert json.loads(done.stderr)["error"]["code"] == "job_not_found"


@pytest.mark.parametrize("status", ["todo", "doing", "succeeded"])
async def test_a_job_in_the_wrong_status_ends_with_4_and_stays(jobs_maint, make_job, status):
    job_id = await make_job(status=status)
    assert_refused(
        jobs_maint("retry", job_id), 4, f"Job {job_id} was not put back", "only failed, cancelled"
    )
    assert await make_job.status(job_id) == status


async def test_a_taken_queueing_lock_ends_with_4_and_names_the_other_job(jobs_maint, make_job):
    job_id = await make_job(status="failed", queueing_lock="daily")
    other = await make_job(queueing_lock="daily")
    assert_refused(jobs_maint("retry", job_id), 4, f"job {other}", "queueing lock")
    assert await make_job.status(job_id) == "failed"


@pytest.mark.parametrize("words", [["stats"], ["failed"], ["status", "1"], ["retry", "1"]])
def test_a_database_without_our_tables_ends_with_78(jobs_maint, bare_database_url, words):
    done = jobs_maint(*words, url=bare_database_url)
    assert_refused(done, 78, "jobs-maint schema apply")


def test_a_database_that_does_not_exist_ends_with_69(jobs_maint, server):
    assert_refused(jobs_maint("stats", url=server.url("nosuch")), 69, "nosuch")


@pytest.fixture
def login(server):
    """A user whose password the server checks: (name, password)."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as conn:
        [hba_file] = conn.execute("SHOW hba_file").fetchone()
        path = Path(hba_file)
        before = path.read_text()
        conn.execute("CREATE ROLE guarded LOGIN PASSWORD 'right'")
        path.write_text(f"local all guarded scram-sha-256\n{before}")
        conn.execute("SELECT pg_reload_conf()")
        yield "guarded", "right"
        path.write_text(before)
        conn.execute("SELECT pg_reload_conf()")
        conn.execute("DROP ROLE guarded")


def test_a_wrong_password_ends_with_69_and_is_not_shown(jobs_maint, database_url, login):
    name, _ = login
    url = database_url.replace("postgres@", f"{name}:hunter2@")
    done = jobs_maint("stats", url=url)
    assert_refused(done, 69, "refused the login of guarded", "JOB_QUEUE_DATABASE_URL")
    assert "hunter2" not in done.stderr


def test_a_user_without_rights_ends_with_69_and_learns_which(jobs_maint, database_url, login):
    name, password = login
    url = database_url.replace("postgres@", f"{name}:{password}@")
    assert_refused(jobs_maint("stats", url=url), 69, "permission denied")


async def test_foreign_text_is_shown_harmless(jobs_maint, make_job):
    evil = "\x1b[2J<!channel>\u202e</script> 🎉\nsecond\tline"
    job_id = await make_job(
        queue="web\nhook\x1b", status="failed", error=evil, task="t\x07.x\u2066"
    )
    for words in (["stats"], ["failed"], ["status", job_id]):
        text = answer(jobs_maint(*words))
        assert all(char == "\n" or char.isprintable() for char in text)
        assert "web\\nhook\\x1b" in text
        assert jobs_maint(*words, "--json").stdout.isascii()
    assert "\\x1b[2J<!channel>\\u202e</script> 🎉 second line" in answer(
        jobs_maint("status", job_id)
    )
    assert f"1 job put back: {job_id} (web\\nhook\\x1b" in answer(jobs_maint("retry", job_id))


def test_a_url_as_sqlalchemy_writes_it_is_understood(jobs_maint, database_url):
    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    assert answer(jobs_maint("stats", url=url))


def test_nothing_is_sent_to_stderr_by_a_library(jobs_maint):
    for words in (["stats"], ["failed"], ["schema", "status"]):
        assert jobs_maint(*words, PYTHONWARNINGS="default").stderr == ""
