"""Real worker processes that die, drain, block and loop: each job runs as often as it should."""

from __future__ import annotations

import json
import signal

import psycopg
import pytest
from tests.support.processes import Process, Processes
from tests.support.waiting import wait_until

NO_CRON = {"JOBS_MAINT_RESCUE_CRON": ""}
"""For a worker whose event loop blocks: while it defers the rescue, nobody else could."""
FAST = {
    "JOBS_MAINT_BEAT": "0.5s",
    "JOBS_MAINT_STALLED_AFTER": "2s",
    "JOBS_MAINT_STALLED_AFTER_UNKNOWN": "60s",
    "JOBS_MAINT_RESCUE_CRON": "* * * * * */1",
    "JOBS_MAINT_PURGE_CRON": "",
}


PASSES = """SELECT count(*) FROM procrastinate_jobs
            WHERE task_name = 'jobs_maint:rescue_stalled_jobs' AND status = 'succeeded'"""


class Queue:
    """The jobs database as a test sees it, and its workers."""

    def __init__(self, processes: Processes, url: str) -> None:
        self._processes = processes
        self._conn = psycopg.connect(url, autocommit=True)
        self._conn.execute(
            "CREATE TABLE test_runs (id serial, job_id bigint, attempt int, step text, pid int)"
        )

    def worker(self, *queues: str, settings: dict[str, str] | None = None, **options) -> Process:
        options = {"queues": list(queues) or None, "fetch_job_polling_interval": 0.5, **options}
        return self._processes.start(
            "-m", "tests.support.queue_app", json.dumps(options), **{**FAST, **(settings or {})}
        )

    def defer(self, task: str, queue: str, **args) -> int:
        return self.one(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
            " VALUES (%s, %s, %s) RETURNING id",
            queue, task, json.dumps(args),
        )  # fmt: skip

    def hold(self, task: str, queue: str, **args) -> int:
        """The same of a job that lasts until it is released."""
        with self._conn.transaction():
            job = self.defer(task, queue, **args)
            self.one("SELECT pg_advisory_lock(%s)::text", job)
        return job

    def release(self, job: int) -> None:
        assert self.one("SELECT pg_advisory_unlock(%s)", job)

    def one(self, query: str, *params):
        row = self._conn.execute(query, params).fetchone()
        return row[0] if row else None

    def all(self, query: str, *params):
        return self._conn.execute(query, params).fetchall()

    def execute(self, statement: str) -> None:
        self._conn.execute(statement)

    def status(self, job: int) -> str:
        return self.one("SELECT status::text FROM procrastinate_jobs WHERE id = %s", job)

    def runs(self, job: int) -> list[tuple[int, str]]:
        return self.all("SELECT attempt, step FROM test_runs WHERE job_id = %s ORDER BY id", job)

    def wait_for_runs(self, job: int, number: int) -> None:
        wait_until(lambda: len(self.runs(job)) >= number, what=f"{number} notes of job {job}")

    def wait_for_status(self, job: int, status: str) -> None:
        wait_until(lambda: self.status(job) == status, what=f"job {job} {status}")

    def wait_for_passes(self, number: int) -> None:
        """Let the rescue look so often from now on; it acts after two seconds, with four."""
        seen = self.one(PASSES)
        wait_until(lambda: self.one(PASSES) >= seen + number, what=f"{number} passes of the rescue")

    def wait_until_named(self, job: int) -> None:
        wait_until(
            lambda: self.one(
                "SELECT count(*) FROM jobs_maint_workers WHERE %s = ANY (job_ids)", job
            ),
            what=f"a beat that names job {job}",
        )

    def close(self) -> None:
        self._conn.close()


@pytest.fixture
def queue(processes, database_url):
    opened = Queue(processes, database_url)
    yield opened
    opened.close()


def test_a_job_whose_worker_is_killed_is_rescued_and_finishes(queue):
    job = queue.hold("lasts", "slow", only_first=True)
    victim = queue.worker("slow")
    queue.wait_for_runs(job, 1)
    queue.wait_until_named(job)
    victim.kill()
    queue.worker("slow", "maintenance")
    queue.wait_for_status(job, "succeeded")
    assert queue.runs(job) == [(0, "start"), (1, "start"), (1, "end")]
    (lost,) = queue.all("SELECT kind, will_retry, message FROM jobs_maint_failures")
    assert lost[:2] == ("worker_lost", True)
    assert f"pid {victim.pid}" in lost[2]


@pytest.mark.parametrize(("task", "ends"), [("lasts", "aborted"), ("lasts_or_retries", "failed")])
def test_a_running_job_that_is_asked_to_abort_ends_and_is_not_run_again(
    queue, jobs_maint, task, ends
):
    """As failed where its task would retry it: Procrastinate refuses that retry."""
    job = queue.hold(task, "slow")
    worker = queue.worker("slow", "quick")
    queue.wait_for_runs(job, 1)
    asked = jobs_maint("cancel", job)
    assert (asked.returncode, asked.stderr) == (0, "")
    queue.wait_for_status(job, ends)
    queue.wait_for_status(queue.defer("quick", "quick"), "succeeded")
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    assert queue.runs(job) == [(0, "start")]
    assert queue.all("SELECT kind, will_retry FROM jobs_maint_failures") == [("aborted", False)]


def test_a_draining_worker_keeps_its_long_job_while_a_new_one_starts(queue):
    """A rolling deploy: no heartbeat while it drains, and the new worker prunes its row."""
    job = queue.hold("lasts", "slow")
    old = queue.worker("slow", "maintenance")
    queue.wait_for_runs(job, 1)
    old.send(signal.SIGTERM)
    queue.worker("slow", "maintenance", stalled_worker_timeout=0.0)
    wait_until(
        lambda: queue.one("SELECT worker_id IS NULL FROM procrastinate_jobs WHERE id = %s", job),
        what="the prune of the draining worker's row",
    )
    pruned = queue.one("SELECT now()")
    wait_until(
        lambda: queue.one(
            "SELECT count(*) FROM jobs_maint_workers"
            " WHERE %s = ANY (job_ids) AND beat_at > %s + interval '1 second'",
            job, pruned,
        ),
        what="a beat of the draining worker",
    )  # fmt: skip
    queue.wait_for_passes(4)
    queue.release(job)
    assert old.wait() == 0
    assert queue.status(job) == "succeeded"
    assert queue.runs(job) == [(0, "start"), (0, "end")]


def test_a_worker_whose_row_was_pruned_while_it_lives_runs_its_job_once(queue):
    job = queue.hold("lasts", "slow")
    queue.worker("slow")
    queue.wait_for_runs(job, 1)
    queue.all("DELETE FROM procrastinate_workers RETURNING id")
    queue.worker("slow", "maintenance")
    queue.wait_for_passes(5)
    queue.release(job)
    queue.wait_for_status(job, "succeeded")
    assert queue.runs(job) == [(0, "start"), (0, "end")]


def test_a_job_that_blocks_the_event_loop_runs_once(queue):
    job = queue.hold("blocks", "slow")
    queue.worker("slow", settings=NO_CRON)
    queue.wait_for_runs(job, 1)
    queue.worker("slow", "maintenance", stalled_worker_timeout=0.0)
    queue.wait_for_passes(5)
    queue.release(job)
    queue.wait_for_status(job, "succeeded")
    assert queue.runs(job) == [(0, "start"), (0, "end")]


def test_a_job_fetched_while_the_event_loop_is_blocked_and_the_row_pruned_runs_once(
    queue, database_url
):
    """The database gives it to the worker with the commit, whose answer the worker cannot read for
    many times the span after which the rescue acts. Its beats go on."""
    blocking = queue.hold("blocks_asking", "slow")
    queue.worker("slow", settings=NO_CRON, concurrency=2)
    queue.wait_for_runs(blocking, 1)
    (row,) = queue.all("SELECT id FROM procrastinate_workers")
    queue.worker("maintenance")
    queue.wait_for_passes(1)
    queue.execute(
        "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_advisory_xact_lock(77); RETURN NULL; END $$"
    )
    queue.execute(
        "CREATE CONSTRAINT TRIGGER hold AFTER UPDATE ON procrastinate_jobs"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
        " WHEN (new.status = 'doing' AND new.task_name = 'lasts') EXECUTE FUNCTION hold()"
    )
    with psycopg.connect(database_url) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(77)")
        job = queue.defer("lasts", "slow")
        queue.wait_for_runs(blocking, 2)
    queue.wait_for_status(job, "doing")
    queue.wait_for_passes(2)
    # What any worker does that starts half a minute later.
    queue.all("DELETE FROM procrastinate_workers WHERE id = %s RETURNING id", *row)
    queue.wait_for_passes(5)
    queue.release(blocking)
    queue.wait_for_status(job, "succeeded")
    assert queue.runs(job) == [(0, "start"), (0, "end")]
    assert queue.one("SELECT count(*) FROM jobs_maint_failures") == 0


def test_a_job_that_kills_every_worker_fails_after_the_cap(queue):
    cap = {"JOBS_MAINT_MAX_RESCUES": "2"}
    job = queue.defer("kills", "deadly")
    queue.worker("maintenance", settings=cap)
    for attempt in range(3):
        victim = queue.worker("deadly", settings=cap)
        assert victim.wait() == -signal.SIGKILL
        if attempt < 2:
            queue.wait_for_status(job, "todo")
    queue.wait_for_status(job, "failed")
    assert [attempt for attempt, _ in queue.runs(job)] == [0, 1, 2]
    message = queue.one("SELECT message FROM jobs_maint_failures ORDER BY id DESC LIMIT 1")
    assert "already put back 2 times" in message


def test_a_worker_that_ends_as_it_should_leaves_no_row(queue):
    queue.defer("quick", "quick")
    worker = queue.worker("quick")
    wait_until(lambda: queue.one("SELECT count(*) FROM jobs_maint_workers"), what="the first beat")
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    assert queue.one("SELECT count(*) FROM jobs_maint_workers") == 0


@pytest.mark.parametrize("fails", [False, True])
def test_a_job_whose_end_could_not_be_stored_is_rescued_soon_though_its_worker_ended(queue, fails):
    """Its rows go as it ends; what shows that it had a recorder is what its last beat named, or the
    error that the recorder stored."""
    queue.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'out of order'; END $$"
    )
    queue.execute(
        "CREATE TRIGGER refuse BEFORE UPDATE ON procrastinate_jobs FOR EACH ROW"
        " WHEN (old.status = 'doing' AND new.status IN ('succeeded', 'failed')"
        " AND old.queue_name IN ('slow', 'failing')) EXECUTE FUNCTION refuse()"
    )
    if fails:
        job = queue.defer("fails", "failing", kind="mention")
    else:
        job = queue.hold("lasts", "slow", only_first=True)
    worker = queue.worker("slow", "failing", settings=NO_CRON)
    if not fails:
        queue.wait_until_named(job)
        queue.release(job)
    wait_until(lambda: "out of order" in worker.output, what="the refusal")
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    assert queue.status(job) == "doing"
    assert queue.one("SELECT count(*) FROM procrastinate_workers") == 0
    queue.execute("DROP TRIGGER refuse ON procrastinate_jobs")
    queue.worker("maintenance", settings={"JOBS_MAINT_STALLED_AFTER_UNKNOWN": "1h"})
    queue.wait_for_status(job, "todo")


def test_hostile_error_texts_are_stored_harmless(queue):
    kinds = ["nul", "mention", "emoji", "surrogate", "huge"]
    jobs = [queue.defer("fails", "failing", kind=kind) for kind in kinds]
    queue.worker("failing", "maintenance", wait=False).wait()
    assert [queue.status(job) for job in jobs] == ["failed"] * 5
    rows = queue.all(
        "SELECT f.message, length(t.body) FROM jobs_maint_failures f"
        " JOIN jobs_maint_tracebacks t ON t.hash = f.traceback_hash ORDER BY f.job_id"
    )
    messages = [message for message, _ in rows]
    assert messages[0] == "before␀after"
    assert messages[1].startswith("<!channel> </script>")
    assert messages[2].startswith("🔥")
    assert messages[3] == "lone \\ud800 surrogate"
    assert len(messages[4].encode()) <= 4_096
    assert "cut" in messages[4]
    assert all(length <= 32_768 for _, length in rows)


def test_the_traceback_of_a_sync_task_begins_with_the_task(queue):
    job = queue.defer("fails_in_a_thread", "failing")
    queue.worker("failing", wait=False).wait()
    queue.wait_for_status(job, "failed")
    body = queue.one("SELECT body FROM jobs_maint_tracebacks")
    first = body.splitlines()[1]
    assert "queue_app.py" in first, body
    assert "fails_in_a_thread" in first


def test_an_attempt_that_will_be_retried_is_told_from_the_last_one(queue):
    job = queue.defer("twice", "failing", number=1)
    queue.worker("failing", "maintenance")
    queue.wait_for_status(job, "failed")
    rows = queue.all(
        "SELECT attempt, kind, exception_type, will_retry FROM jobs_maint_failures ORDER BY id"
    )
    assert rows == [(1, "error", "RuntimeError", True), (2, "error", "RuntimeError", False)]


def test_a_storm_of_failures_keeps_a_hundred_tracebacks_and_the_worker_up(queue):
    queue.all(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
        " SELECT 'storm', 'storm', jsonb_build_object('number', n)"
        " FROM generate_series(1, 1100) AS n RETURNING id"
    )
    worker = queue.worker("storm", concurrency=20, wait=False)
    assert worker.wait(timeout=180) == 0
    assert queue.one("SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'") == 1100
    assert queue.one("SELECT count(*) FROM jobs_maint_failures") == 1100
    assert queue.one("SELECT count(DISTINCT fingerprint) FROM jobs_maint_failures") == 1
    kept = "SELECT count(*) FROM jobs_maint_failures WHERE traceback_hash IS NOT NULL"
    assert 100 <= queue.one(kept) <= 200  # 200: when the hour turned meanwhile


def test_a_cron_that_never_comes_ends_a_process_before_its_worker_starts(queue, jobs_maint):
    cron = {"JOBS_MAINT_RESCUE_CRON": "0 0 31 2 *"}
    worker = queue.worker(settings=cron)
    assert worker.wait() == 1
    said = "JOBS_MAINT_RESCUE_CRON: '0 0 31 2 *' names a day that never comes"
    assert worker.output.splitlines()[-1].endswith(said)
    refused = jobs_maint("stats", **cron)
    assert (refused.returncode, said in refused.stderr) == (78, True)


COLUMNS = """ALTER TABLE jobs_maint_workers DROP COLUMN steady_since;
             ALTER TABLE jobs_maint_failures DROP COLUMN fingerprint"""
ROWS = """INSERT INTO procrastinate_workers (id) OVERRIDING SYSTEM VALUE VALUES (77), (78);
          INSERT INTO jobs_maint_workers (worker_id, host, pid, recorder_version, delete_jobs,
                  beat_seconds, job_ids, beat_at, settings, crons)
              VALUES (77, 'h', 1, '?', '?', 10, '{0}', 'infinity', '{"queue": 7}', '[1]'),
                     (78, 'h', 1, '?', '?', 10, '{1}', now(),
                      '{"queue": "maintenance", "rescue_cron": "0 0 31 2 *"}', '{"x": 7}');
          INSERT INTO jobs_maint_suspects VALUES (5, 0, 'infinity', 78, true, '-infinity');
          INSERT INTO jobs_maint_hours VALUES (date_trunc('hour', now()), '"x"'),
              (date_trunc('hour', now()) - interval '1 hour', '[7]');
          INSERT INTO jobs_maint_rates VALUES (now(), '7');
          INSERT INTO jobs_maint_watch VALUES (1, 'x', 'infinity', 'infinity', true, '[]');
          INSERT INTO jobs_maint_digests (name, since, until, state, opened_at)
              VALUES ('x', '-infinity', 'infinity', 'sending', 'infinity')"""


@pytest.mark.parametrize(
    ("spoil", "lines", "finding"),
    [
        (
            "DROP TABLE jobs_maint_workers, jobs_maint_failures",
            1,
            "jobs_maint_failures, jobs_maint_workers.",
        ),
        (COLUMNS, 1, "the column jobs_maint_failures.fingerprint"),
        (
            ROWS,
            0,
            "cannot be read: JOBS_MAINT_RESCUE_CRON of worker 78, JOBS_MAINT_QUEUE of worker 77.",
        ),
    ],
    ids=["tables", "columns", "rows"],
)
def test_without_our_tables_or_with_bad_ones_the_teams_jobs_run_and_it_is_told_once(
    queue, jobs_maint, spoil, lines, finding
):
    queue.execute(spoil)
    jobs = [queue.defer("fails", "failing", kind="mention") for _ in range(20)]
    ours = [queue.defer(task, "maintenance", timestamp=0) for task in
            ("jobs_maint:rescue_stalled_jobs", "jobs_maint:purge_finished_jobs")]  # fmt: skip
    worker = queue.worker("failing", "maintenance", wait=False, settings=NO_CRON)
    assert worker.wait() == 0
    assert {queue.status(job) for job in jobs} == {"failed"}
    assert {queue.status(job) for job in ours} <= {"succeeded", "failed"}
    told = [line for line in worker.output.splitlines() if "jobs_maint.recorder_failed" in line]
    assert len(told) == lines
    assert all("jobs-maint schema apply" in line for line in told)
    assert finding in " ".join(jobs_maint("doctor").stdout.split())


def test_our_tasks_without_our_tables_fail_with_the_command_to_run(queue):
    queue.execute("DROP TABLE jobs_maint_suspects")
    worker = queue.worker("maintenance")
    wait_until(lambda: "jobs-maint schema apply" in worker.output, what="the command in the log")


def test_a_purge_does_not_keep_its_worker_from_ending_and_another_goes_on(queue):
    queue.execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT 'email', 'mail', 'succeeded' FROM generate_series(1, 40000)"
    )
    queue.execute(
        "INSERT INTO procrastinate_events (job_id, type, at) SELECT id, 'succeeded',"
        " now() - interval '31 days' FROM procrastinate_jobs"
    )
    task = "jobs_maint:purge_finished_jobs"
    queue.defer(task, "maintenance", timestamp=0)
    left = "SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'email'"
    worker = queue.worker("maintenance", settings={"JOBS_MAINT_RESCUE_CRON": ""})
    wait_until(lambda: queue.one(left) < 40_000, what="the first batch")
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    assert queue.one(left) > 0
    waiting = queue.one("SELECT args FROM procrastinate_jobs WHERE status = 'todo'")
    assert waiting["resume_after"]["succeeded"] > 0
    queue.worker("maintenance", wait=False, settings={"JOBS_MAINT_RESCUE_CRON": ""}).wait()
    assert queue.one(left) == 0


def test_old_jobs_are_purged_by_the_workers(queue):
    queue.all(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT 'email', 'mail', 'succeeded' FROM generate_series(1, 700) RETURNING id"
    )
    queue.all(
        "INSERT INTO procrastinate_events (job_id, type, at) SELECT id, 'succeeded',"
        " now() - interval '31 days' FROM procrastinate_jobs RETURNING id"
    )
    queue.worker("maintenance", settings={"JOBS_MAINT_PURGE_CRON": "* * * * * */2"})
    wait_until(
        lambda: (
            queue.one("SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'email'") == 0
        ),
        what="the purge",
    )
    counts = wait_until(
        lambda: queue.one("SELECT counts FROM jobs_maint_audit WHERE outcome = 'done'"),
        what="the audit row",
    )
    assert counts == {"succeeded": 700}
