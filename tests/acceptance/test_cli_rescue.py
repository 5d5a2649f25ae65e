"""`rescue ID…` and `rescue --force ID` in the shell, beside real workers that live and die."""

from __future__ import annotations

import json

import pytest
from tests.acceptance.test_workers import Queue
from tests.support.shell import Terminal, data, run_shell
from tests.support.waiting import wait_until

NO_JOB = 9223372036854775807
NOWHERE = "postgresql://me@nohost.invalid/jobs"
LATE = {"JOBS_MAINT_STALLED_AFTER": "1h", "JOBS_MAINT_STALLED_AFTER_UNKNOWN": "1h"}
"""The rescue itself would wait for an hour."""
QUIET = {"JOBS_MAINT_RESCUE_CRON": "", **LATE}


@pytest.fixture
def queue(processes, database_url):
    opened = Queue(processes, database_url)
    yield opened
    opened.close()


def start_running(queue, **options):
    """A job that lasts, and the worker whose beat names it. A second run of it ends at once."""
    job = queue.hold("lasts", "slow", only_first=True)
    worker = queue.worker("slow", settings=QUIET, **options)
    wait_until(
        lambda: queue.one("SELECT count(*) FROM jobs_maint_workers WHERE %s = ANY (job_ids)", job),
        what=f"a beat that names job {job}",
    )
    queue.wait_for_runs(job, 1)  # the first beat of a worker comes before its job begins
    return job, worker


def wait_for_three_beats(queue, since):
    wait_until(
        lambda: queue.one(f"SELECT now() - interval '1.5 seconds' > {since}"), what=f"after {since}"
    )


def test_a_killed_workers_job_goes_back_by_one_command(queue, jobs_maint):
    job, worker = start_running(queue)
    worker.kill()
    # Procrastinate's heartbeat says for 30 seconds that it lives.
    assert "has been running it since 20" in jobs_maint("rescue", job, **LATE).stderr
    queue.execute(
        "UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - interval '30 seconds'"
    )
    wait_for_three_beats(queue, "beat_at FROM jobs_maint_workers")
    early = jobs_maint("rescue", job, **LATE)
    assert early.returncode == 4
    assert "no worker reports now (a new one only from its first job on), so its" in early.stderr
    wait_for_three_beats(queue, "first_noticed_at FROM jobs_maint_suspects")
    done = jobs_maint("rescue", job, **LATE)
    assert (done.returncode, done.stdout) == (2, "")
    assert f" pid {worker.pid}) is silent: its last beat was at 20" in done.stderr
    # Off by the settings of the worker, though not by those of this shell.
    assert "the job will run twice. The rescue is switched off (JOBS_MAINT_RE" in done.stderr
    assert "use --yes" in done.stderr
    done = jobs_maint("rescue", job, "--yes", **LATE)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("1 job of slow rescued in ")
    assert f"pid {worker.pid}" in " ".join(done.stdout.split())
    queue.worker("slow", settings=QUIET)
    queue.wait_for_status(job, "succeeded")
    assert queue.runs(job) == [(0, "start"), (1, "start"), (1, "end")]


def test_a_living_workers_job_is_left_and_a_force_says_that_it_will_run_twice(
    queue, jobs_maint, database_url
):
    job, worker = start_running(queue, concurrency=2)
    done = jobs_maint("rescue", job, **LATE)
    assert (done.returncode, done.stdout) == (4, "")
    assert f"Job {job} was not rescued: worker " in done.stderr
    assert f" pid {worker.pid}) has been running it since 20" in done.stderr
    shown = data(jobs_maint("rescue", "--force", job, "--dry-run", "--json"))
    assert (shown["kind"], shown["verb"], shown["count"]) == ("preview", "rescue", 1)
    assert queue.status(job) == "doing"
    with Terminal(database_url, "rescue", "--force", job, **LATE) as terminal:
        terminal.wait_for("Rescue 1 job by force? [y/N] ")
        text = " ".join(terminal.text.split())
        assert f"pid {worker.pid}) has been running it since 20" in text
        assert "If that worker is still running it, the job will run twice." in text
        terminal.send("y\n")
        assert terminal.end() == 0
    assert "1 job of slow rescued in " in terminal.text
    assert "1 put back: forced by shell:" in terminal.text
    queue.wait_for_runs(job, 3)
    assert queue.runs(job) == [(0, "start"), (1, "start"), (1, "end")], "it did run twice"


async def test_one_that_is_not_there_ends_with_3_and_one_that_does_not_run_with_4(
    jobs_maint, make_job
):
    job = await make_job(status="failed")
    for words in (["rescue"], ["rescue", "--force"]):
        more = ["--yes"] if len(words) > 1 else []
        done = jobs_maint(*words, NO_JOB, *more)
        assert (done.returncode, done.stdout) == (3, "")
        assert f"Job {NO_JOB} was not rescued: there is no such job" in done.stderr
        done = jobs_maint(*words, job, *more)
        assert (done.returncode, done.stdout) == (4, "")
        assert f"Job {job} was not rescued: its status is failed; only running jobs" in done.stderr
    assert await make_job.status(job) == "failed"


@pytest.mark.parametrize("words", [["1", "2"], ["--force", "1"]])
def test_several_and_a_force_ask_first(words):
    for more in ([], ["--json"]):
        done = run_shell(NOWHERE, "rescue", *words, *more)
        assert (done.returncode, done.stdout) == (2, "")
        assert "use --yes to skip it, or --dry-run to see what it would do" in done.stderr


async def test_several_are_done_with_their_reasons(jobs_maint, make_job, conn):
    orphans = [await make_job(status="doing", queue="reports") for _ in range(2)]
    done = await make_job(status="succeeded")
    await conn.execute(
        "INSERT INTO jobs_maint_suspects (job_id, attempt, started_at, had_recorder,"
        " first_noticed_at) SELECT job_id, 0, at, true, now() - interval '2 minutes'"
        " FROM procrastinate_events WHERE type = 'started' AND job_id = ANY (%s)",
        (orphans,),
    )
    shown = jobs_maint("rescue", *orphans, done, "--dry-run")
    assert shown.returncode == 0
    alone = "No worker is alive: they wait until one starts."
    first = f"2 jobs of reports would be rescued.\n{alone}\nA worker is silent: "
    assert shown.stdout.startswith(first)
    assert "\nLeft out 1: its status is succee" in shown.stdout
    some = jobs_maint("rescue", *orphans, done, "--yes", "--json")
    assert (some.returncode, some.stderr) == (5, "")
    report = json.loads(some.stdout)
    assert (report["verb"], report["done"]) == ("rescue", 2)
    assert report["warnings"] == [alone]
    assert [(group["code"], group["sample"]) for group in report["became"]] == [
        ("put_back", orphans)
    ]
    assert [await make_job.status(job) for job in orphans] == ["todo", "todo"]
    none = jobs_maint("rescue", *orphans, "--yes")
    assert none.returncode == 4
    assert none.stdout.startswith(f"Nothing to do: rescue {orphans[0]} {orphans[1]} found no job")


async def test_rescue_without_ids_is_one_pass(jobs_maint, make_job):
    await make_job(status="doing")
    done = jobs_maint("rescue")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("No job had to be rescued.\n1 running job has no live worker")
    dry = jobs_maint("rescue", "--dry-run")
    assert (dry.returncode, dry.stdout) == (2, "")
    assert "`stuck` shows what a rescue without ids would look at" in dry.stderr


def test_the_digest_of_now_has_a_page_and_a_shape(jobs_maint):
    assert jobs_maint("digest").stdout.startswith("No failures in the last 24 h, 0 in the 24 h")
    assert data(jobs_maint("digest", "--since", "7d", "--json"))["kind"] == "digest"
    assert jobs_maint("digest", "nope").returncode == 2
