"""Sets of jobs without a terminal: --yes, --dry-run, JSON, exit codes, undo, faults."""

import asyncio
import json
import re
import shlex

import psycopg
import pytest
from tests.support.fleet import Fleet
from tests.support.history import days
from tests.support.locks import wait_for_sleeping
from tests.support.processes import environment
from tests.support.purges import hold_deletes, release_deletes
from tests.support.shell import COMMAND, answer, data, run_shell
from tests.support.waiting import until, wait_for_row

from jobs_maint.quoting import unescape

NO_JOB = 9223372036854775807
NOWHERE = "postgresql://me@nohost.invalid/jobs"
HARD_NAMES = [
    "it's", 'say "hi"', "100%", "%s%(x)s", "a;DROP TABLE procrastinate_jobs", "two\nlines",
    "back\\slash", "_", "x" * 128, "--all", "日本 🎉",
]  # fmt: skip


# --- without a terminal ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["retry", "--all"], ["retry", "1", "2"], ["cancel", "--all", "email"],
        ["discard", "--all", "email"], ["purge"], ["purge", "--older-than", "7d"],
    ],
)  # fmt: skip
def test_an_act_that_must_ask_is_refused_before_the_database_is_asked(words):
    for more in ([], ["--json"]):
        done = run_shell(NOWHERE, *words, *more)
        assert (done.returncode, done.stdout) == (2, "")
        assert "use --yes to skip it, or --dry-run to see what it would do" in done.stderr


def test_yes_and_dry_run_together_are_refused(jobs_maint):
    done = jobs_maint("retry", "--all", "--yes", "--dry-run")
    assert (done.returncode, done.stdout) == (2, "")
    assert "retry takes --yes or --dry-run, not both" in done.stderr


async def test_a_dry_run_shows_and_changes_nothing(jobs_maint, make_job):
    jobs = [await make_job(status="failed", queue="webhook", task="a.send") for _ in range(2)]
    done = jobs_maint("retry", "--all", "webhook", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "2 jobs of webhook would be retried."
    assert "   2  webhook  a.send" in lines
    assert lines[-1] == "Asked: retry --all webhook --dry-run"
    shown = data(jobs_maint("retry", "--all", "webhook", "--dry-run", "--json"))
    assert (shown["kind"], shown["count"], shown["expected"]) == ("preview", 2, 2)
    assert [await make_job.status(job) for job in jobs] == ["failed", "failed"]


@pytest.mark.parametrize("verb", ["retry", "cancel", "discard"])
async def test_a_dry_run_of_one_job_changes_nothing_either(jobs_maint, make_job, verb):
    status = "todo" if verb == "cancel" else "failed"
    job = await make_job(status=status)
    shown = data(jobs_maint(verb, job, "--dry-run", "--json"))
    assert (shown["kind"], shown["verb"], shown["count"]) == ("preview", verb, 1)
    assert await make_job.status(job) == status


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("retry", "{ended}"), 4), (("retry", NO_JOB), 3), (("retry", "{ended}", NO_JOB), 4),
        (("cancel", "{ended}"), 4), (("discard", "{ended}"), 4), (("rescue", "{ended}"), 4),
        (("rescue", "--force", "{ended}"), 4), (("rescue", "--force", NO_JOB), 3),
        (("schema", "drop"), 4),
    ],
)  # fmt: skip
async def test_a_dry_run_is_0_also_where_the_command_itself_is_refused(
    pool, conn, jobs_maint, make_job, words, code
):
    ended = await make_job(status="succeeded")
    await Fleet(pool, conn, make_job).start_worker()
    words = [str(word).format(ended=ended) for word in words]
    shown = jobs_maint(*words, "--dry-run")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(("Nothing to do", "This would be removed"))
    assert jobs_maint(*words, "--yes").returncode == code


async def test_yes_does_it_and_reports(jobs_maint, make_job):
    job = await make_job(status="failed", queue="webhook")
    done = jobs_maint("retry", "--all", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("1 job of webhook retried in ")
    assert await make_job.status(job) == "todo"
    again = jobs_maint("retry", "--all", "--yes")
    assert (again.returncode, again.stdout) == (0, "Nothing to do: no job matches retry --all.\n")


async def test_the_exit_code_tells_all_some_and_none(jobs_maint, make_job):
    good = await make_job(status="failed")
    held = await make_job(status="failed", queueing_lock="daily")
    await make_job(queueing_lock="daily")
    some = data(jobs_maint("retry", "--all", "--yes", "--json"), 5)
    assert (some["kind"], some["requested"], some["done"], some["left"]) == ("bulk", 2, 1, 0)
    assert some["skips"][0]["sample"] == [held]
    none = jobs_maint("retry", "--all", "--yes")
    assert none.returncode == 4
    assert none.stdout.startswith("No job of default was retried.\n1 skipped: job ")
    assert await make_job.status(good) == "todo"


async def test_named_jobs_that_do_not_fit_are_told_and_end_with_5_or_4(jobs_maint, make_job):
    good = await make_job(status="failed")
    done = await make_job(status="succeeded")
    some = jobs_maint("retry", good, done, NO_JOB, "--yes")
    assert (some.returncode, some.stderr) == (5, "")
    assert f"Left out 1: succeeded ({done}).\nLeft out 1: not found ({NO_JOB})." in some.stdout
    none = jobs_maint("retry", done, NO_JOB, "--yes")
    assert none.returncode == 4
    assert none.stdout.startswith(f"Nothing to do: retry {done} {NO_JOB} found no job")


@pytest.mark.parametrize(("verb", "status"), [("cancel", "todo"), ("discard", "failed")])
async def test_the_undo_line_puts_exactly_those_back(jobs_maint, make_job, verb, status):
    jobs = [await make_job(status=status, queue="email") for _ in range(3)]
    before = await make_job(status="cancelled", queue="email")
    done = jobs_maint(verb, "--all", "email", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    [undo] = [line for line in done.stdout.splitlines() if line.startswith("Undo: jobs-maint ")]
    assert [await make_job.status(job) for job in jobs] == ["cancelled"] * 3
    words = undo.removeprefix("Undo: jobs-maint ").split()
    assert data(jobs_maint(*words, "--yes", "--json"))["done"] == 3
    assert [await make_job.status(job) for job in [*jobs, before]] == ["todo"] * 3 + ["cancelled"]


async def test_cancel_all_says_what_becomes_of_running_jobs(jobs_maint, make_job, conn):
    waiting = await make_job(queue="email")
    running = await make_job(queue="email", status="doing")
    shown = jobs_maint("cancel", "--all", "email", "--dry-run").stdout
    assert shown.startswith(
        "1 job of email would be cancelled.\nJobs that run now go on (--running"
    )
    shown = jobs_maint("cancel", "--all", "email", "--running", "--dry-run").stdout
    assert shown.startswith(
        "2 jobs of email: 1 would be cancelled, 1 runs and would be asked to abort."
    )
    assert jobs_maint("cancel", "--all", "email", "--running", "--yes").returncode == 0
    assert await make_job.status(waiting) == "cancelled"
    asked = await conn.execute("SELECT id FROM procrastinate_jobs WHERE abort_requested")
    assert await asked.fetchall() == [(running,)]


# --- purge ----------------------------------------------------------------------------------------


async def test_a_purge_shows_each_status_with_its_cut_off(jobs_maint, make_job):
    await make_job(status="succeeded", queue="email", finished_ago=days(8))
    failed = await make_job(status="failed", queue="email", finished_ago=days(8))
    done = jobs_maint("purge", "--older-than", "7d", "--dry-run")
    assert done.returncode == 0
    assert done.stdout.startswith("1 finished job would be deleted.\nThis cannot be undone.\n")
    assert "Kept regardless of age: failed, cancelled, aborted jobs." in done.stdout
    done = jobs_maint(
        "purge", "--older-than", "7d", "--include-failed", "--queue", "email", "--yes"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("2 jobs deleted in ")
    assert await make_job.status(failed) is None


@pytest.mark.parametrize("span", ["0d", "-3d", "never", "soon", "99999999d"])
def test_an_absurd_age_is_refused(jobs_maint, span):
    done = jobs_maint("purge", f"--older-than={span}", "--yes")
    assert (done.returncode, done.stdout) == (2, "")


async def test_of_two_purges_at_once_one_works_and_the_other_says_who(
    database_url, jobs_maint, conn
):
    await conn.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT 'email', 'app.mail', 'succeeded' FROM generate_series(1, 1200)"
    )
    await conn.execute(
        "INSERT INTO procrastinate_events (job_id, type, at)"
        " SELECT id, 'succeeded', now() - interval '9 days' FROM procrastinate_jobs"
    )
    await hold_deletes(conn)
    env = environment(JOB_QUEUE_DATABASE_URL=database_url)
    purges = [
        await asyncio.create_subprocess_exec(
            *COMMAND, "purge", "--older-than", "7d", "--yes", "--json",
            env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    ends = [asyncio.create_task(purge.communicate()) for purge in purges]
    await until(lambda: any(end.done() for end in ends), "the end of one purge", timeout=50)
    count = "SELECT count(*) FROM procrastinate_jobs"
    assert await (await conn.execute(count)).fetchone() == (1200,)
    await release_deletes(conn)
    outputs = [await end for end in ends]
    assert sorted(purge.returncode for purge in purges) == [0, 4], outputs
    for purge, (out, err) in zip(purges, outputs, strict=True):
        if purge.returncode == 0:
            assert json.loads(out)["total"] == 1200
            continue
        error = json.loads(err)["error"]
        assert (out, error["code"]) == (b"", "already_running")
        assert " in the shell started it at " in error["message"]
    assert await (await conn.execute(count)).fetchone() == (0,)


async def test_a_purge_that_was_killed_holds_the_turn_no_longer_than_its_lease(
    jobs_maint, make_job, conn, processes
):
    jobs = [await make_job(status="succeeded", finished_ago=days(9)) for _ in range(3)]
    await hold_deletes(conn)
    words = ["purge", "--older-than", "7d", "--yes"]
    victim = processes.start("-m", "jobs_maint.cli", *words)

    (session,) = await wait_for_sleeping(conn)
    victim.kill()
    refused = jobs_maint(*words)
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "A purge is already running: " in refused.stderr
    assert "If its process died, try again in a minute" in refused.stderr
    await release_deletes(conn)
    gone = "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = %s"
    await wait_for_row(conn, gone, (session,))
    await conn.execute("UPDATE jobs_maint_runs SET lease_until = now() - interval '1 second'")
    done = jobs_maint(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("3 jobs deleted in ")
    assert [await make_job.status(job) for job in jobs] == [None] * 3
    found = await conn.execute(
        "SELECT outcome FROM jobs_maint_audit WHERE outcome NOT IN ('previewed', 'refused')"
        " ORDER BY id"
    )
    assert await found.fetchall() == [("interrupted",), ("done",)]


# --- names are data, and faults -------------------------------------------------------------------


@pytest.mark.parametrize("name", HARD_NAMES)
async def test_a_queue_name_is_data(jobs_maint, make_job, conn, name):
    # Procrastinate itself defers to queues of at most 40 bytes; a row may have more all the same.
    wanted = await make_job(status="failed", queue="short")
    await conn.execute(
        "UPDATE procrastinate_jobs SET queue_name = %s WHERE id = %s", (name, wanted)
    )
    other = await make_job(status="failed", queue="other")
    report = data(jobs_maint("retry", "--all", "--yes", "--json", "--", name))
    assert (report["done"], report["queues"]) == (1, [name])
    assert await make_job.status(wanted) == "todo"
    assert await make_job.status(other) == "failed"
    for words in (["stats"], ["failed"], ["errors"]):
        assert data(jobs_maint(*words, "--json", "--", name))["queue"] == name
    text = jobs_maint("cancel", "--all", "--dry-run", "--", name).stdout
    assert text.startswith("1 job of ")
    assert all(char == "\n" or char.isprintable() for char in text)


@pytest.mark.parametrize("name", ["büro", "büro post 🎉", "a–b"])
async def test_what_an_ascii_terminal_shows_to_be_typed_can_be_pasted(jobs_maint, make_job, name):
    job = await make_job(status="failed", queue=name)
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    retried = answer(jobs_maint("retry", "--all", name, "--yes", **ascii_only))
    follow = shlex.split(retried.partition("Follow: jobs-maint ")[2])
    assert data(jobs_maint(*follow, "--json"))["queue"] == name
    shown = answer(jobs_maint("audit", COLUMNS="300", **ascii_only))
    asked = shlex.split(shown[shown.index("retry --all ") :].split("\n")[0])
    shown = data(jobs_maint(*asked, "--dry-run", "--json"))
    assert shlex.split(shown["words"]) == ["retry", "--all", name, "--dry-run"]
    assert await make_job.status(job) == "todo"
    near = jobs_maint("stats", f"{name}x", **ascii_only).stderr
    assert unescape(shlex.split(near.partition("did you mean ")[2])[0]) == f"{name}?"


@pytest.mark.parametrize(
    ("words", "queue"),
    [
        (["--queue", "123"], "123"), (["--queue=--all"], "--all"), (["--queue", "a\\*"], "a*"),
        (["a\\?"], "a?"),
    ],
)  # fmt: skip
async def test_a_queue_that_reads_as_something_else_can_be_meant(
    jobs_maint, make_job, words, queue
):
    wanted = await make_job(status="failed", queue=queue)
    others = [await make_job(status="failed", queue=name) for name in ("ab", "a", "12")]
    report = data(jobs_maint("retry", "--all", *words, "--yes", "--json"))
    assert (report["done"], report["queues"]) == (1, [queue])
    assert await make_job.status(wanted) == "todo"
    assert [await make_job.status(job) for job in others] == ["failed"] * 3


async def test_a_job_whose_row_another_session_holds_is_skipped_and_the_rest_is_done(
    jobs_maint, make_job, database_url
):
    jobs = [await make_job(status="failed") for _ in range(2)]
    async with await psycopg.AsyncConnection.connect(
        database_url, application_name="psql of bo"
    ) as holder:
        await holder.execute("SELECT FROM procrastinate_jobs WHERE id = %s FOR UPDATE", (jobs[1],))
        pid = holder.info.backend_pid
        done = jobs_maint("retry", "--all", "--yes")
    said = " ".join(done.stdout.split())
    assert done.returncode == 5
    assert said.startswith("1 job of default retried in ")
    assert re.search(
        rf"1 skipped: another session holds its row \(process {pid} "
        r"\(psql of bo, user \w+, open for \d+ s\)",
        said,
    )
    assert [await make_job.status(job) for job in jobs] == ["todo", "failed"]
