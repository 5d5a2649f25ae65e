"""`jobs-maint` as a process against a real PostgreSQL: what goes wrong, and foreign text."""

import json
import os
import re
import signal
import tempfile
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from tests.support import forkserver
from tests.support.processes import environment
from tests.support.shell import COMMAND, answer
from tests.support.waiting import wait_for_row

from jobs_maint.database import describe_database

NO_JOB = "9223372036854775807"


def assert_refused(done, exit_code, *says):
    assert done.returncode == exit_code, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("jobs-maint: ")
    assert done.stderr.count("\n") == 1, done.stderr
    for words in says:
        assert words in done.stderr


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
        jobs_maint("retry", job_id), 4, f"Job {job_id} was not retried", "only failed, cancelled"
    )
    assert await make_job.status(job_id) == status


async def test_a_taken_queueing_lock_ends_with_4_and_names_the_other_job(jobs_maint, make_job):
    job_id = await make_job(status="failed", queueing_lock="daily")
    other = await make_job(queueing_lock="daily")
    assert_refused(jobs_maint("retry", job_id), 4, f"job {other}", "queueing lock")
    assert await make_job.status(job_id) == "failed"


async def test_what_was_done_in_part_is_an_answer_and_ends_with_5(jobs_maint, make_job):
    await make_job(status="failed")
    await make_job(status="failed", queueing_lock="daily")
    waiting = await make_job(queueing_lock="daily")
    done = jobs_maint("retry", "--all", "--yes")
    assert (done.returncode, done.stderr) == (5, "")
    assert f"1 skipped: job {waiting}" in done.stdout


@pytest.mark.parametrize("words", [["stats"], ["failed"], ["status", "1"], ["retry", "1"]])
def test_a_database_without_our_tables_ends_with_78(jobs_maint, bare_database_url, words):
    done = jobs_maint(*words, url=bare_database_url)
    assert_refused(done, 78, "jobs-maint schema apply", describe_database(bare_database_url))


async def test_so_it_is_told_of_which_database_that_is_where_tables_are_missing_or_old(
    jobs_maint, database_url, conn
):
    """With the schemas it was looked for in, and without its password."""
    asked = f"{database_url}&password=S3cretPw99&options=-csearch_path%3Dpublic,pg_temp"
    name = describe_database(database_url)
    await conn.execute("ALTER TABLE jobs_maint_failures RENAME COLUMN message TO gone")
    for words in (["failed"], ["schema", "status"], ["doctor"]):
        done = jobs_maint(*words, url=asked)
        told = " ".join((done.stdout + done.stderr).split())
        assert f"{name} (search path: public,pg_temp)" in told, words
        assert "S3cret" not in told


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
    assert_refused(done, 69, "refused the connection of guarded", "JOB_QUEUE_DATABASE_URL")
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize(
    ("login", "database", "says"),
    [
        ("nobody9:nobody9", "test", 'role "nobody9" does not exist'),
        ("nobody9:x", "test", 'role "nobody9" does not exist'),
        ("nobody9:role", "test", 'role "nobody9" does not exist'),
        ("postgres:postgres", "postgres2", 'database "postgres2" does not exist'),
        ("postgres:postgres2", "postgres2", 'database "postgres2" does not exist'),
        ("postgres:hunter2", "test?sslmode=hunter2", 'invalid sslmode value: "***"'),
        ("postgres:a%22b", "test?sslmode=x%3Da%22b", 'invalid sslmode value: "***"'),
    ],
)
def test_of_a_refusal_only_a_quoted_password_is_masked(
    jobs_maint, database_url, login, database, says
):
    url = re.sub("//postgres@([^/]*)/[^?]*", rf"//{login}@\1/{database}", database_url)
    url = re.sub(r"(\?sslmode=[^?]*)\?", r"\1&", url)
    done = jobs_maint("stats", url=url)
    hint = "Check sslmode" if "sslmode" in says else "User, password and"
    assert_refused(done, 69, " connection of ", f": {says}. {hint}")


def test_a_user_without_rights_ends_with_69_and_learns_which(jobs_maint, database_url, login):
    name, password = login
    url = database_url.replace("postgres@", f"{name}:{password}@")
    assert_refused(jobs_maint("stats", url=url), 69, "lacks SELECT", "GRANT SELECT", f" TO {name};")


async def test_all_rights_that_are_missing_are_told_at_once(jobs_maint, database_url, login, conn):
    name, password = login
    url = database_url.replace("postgres@", f"{name}:{password}@")
    told = jobs_maint("stats", url=url).stderr
    grants = re.findall(r"GRANT [^;]+;", " ".join(told.split()))
    assert len(grants) > 1
    for grant in grants:
        await conn.execute(grant)
    assert jobs_maint("stats", url=url).returncode == 0
    assert jobs_maint("purge", "--dry-run", url=url).returncode == 0
    await conn.execute(f"DROP OWNED BY {name}")  # else it cannot be dropped


async def test_what_was_changed_is_said_on_stderr_where_the_answer_cannot_be_written(
    database_url, make_job
):
    env = environment(JOB_QUEUE_DATABASE_URL=database_url)

    def run(stdout: int, *words: object) -> tuple[int, str]:
        with tempfile.TemporaryFile() as err:
            process = forkserver.start(
                [*COMMAND, *map(str, words)], env=env, stdout=stdout, stderr=err.fileno()
            )
            code = process.wait(60)
            err.seek(0)
            return code, err.read().decode()

    job_id = await make_job(status="failed")
    with Path("/dev/full").open("w") as full:
        code, said = run(full.fileno(), "retry", job_id)
        assert (code, said.splitlines()[:2]) == (
            74,
            [
                "jobs-maint: the answer could not be written: No space left on device",
                f"1 job retried: {job_id} (default, task).",
            ],
        )
    job_id = await make_job(status="failed")
    reader, writer = os.pipe()
    os.close(reader)
    code, said = run(writer, "retry", "--all", "--yes", "--json")
    os.close(writer)
    error = json.loads(said)["error"]
    assert (code, error["code"], error["answer"]["done"]) == (141, "output_failed", 1)
    assert await make_job.status(job_id) == "todo"


async def test_a_signal_after_the_act_does_not_keep_its_answer_back(database_url, make_job, conn):
    """The answer waits for a pipe that is full."""
    for _ in range(2):
        await make_job(status="failed")
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    filled = 0
    with suppress(BlockingIOError):
        while True:
            filled += os.write(writer, bytes(4096))
    os.set_blocking(writer, True)
    sessions = "SELECT array_agg(pid) FROM pg_stat_activity WHERE datname = current_database()"
    before = (await (await conn.execute(sessions)).fetchone())[0]
    env = environment(JOB_QUEUE_DATABASE_URL=database_url)
    words = [*COMMAND, "retry", "--all", "--yes"]
    process = forkserver.start(words, env=env, stdout=writer, stderr=2)
    os.close(writer)

    over = (
        "SELECT true FROM jobs_maint_audit WHERE counts ->> 'done' = '2' AND NOT EXISTS"
        " (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> ALL (%s))"
    )
    await wait_for_row(conn, over, (before,), what="the end of the act")
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGHUP):
        process.send_signal(number)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read()[filled:].decode()
    assert (process.wait(30), text.startswith("2 jobs of default retried in ")) == (0, True)


async def test_foreign_text_is_shown_harmless(jobs_maint, make_job):
    evil = "\x1b[2J<!channel>\u202e</script> 🎉\nsecond\tline"
    job_id = await make_job(
        queue="web\nhook\x1b", status="failed", error=evil, task="t\x07.x\u2066"
    )
    for words in (["stats"], ["failed"], ["status", job_id]):
        text = answer(jobs_maint(*words))
        assert all(char == "\n" or char.isprintable() for char in text)
        assert "web\\u{a}hook\\u{1b}" in text
        assert jobs_maint(*words, "--json").stdout.isascii()
    assert "\\u{1b}[2J<!channel>\\u{202e}</script> 🎉 second line" in answer(
        jobs_maint("status", job_id)
    )
    shown = f"1 job retried: {job_id} (" + "'web\\u{a}hook\\u{1b}"
    assert shown in answer(jobs_maint("retry", job_id))


def test_a_url_as_sqlalchemy_writes_it_is_understood(jobs_maint, database_url):
    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    assert answer(jobs_maint("stats", url=url))


def test_nothing_is_sent_to_stderr_by_a_library(jobs_maint):
    for words in (["stats"], ["failed"], ["schema", "status"]):
        assert jobs_maint(*words, PYTHONWARNINGS="default").stderr == ""
