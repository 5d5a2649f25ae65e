"""Faults between real processes: what the rescue must not touch, and what others do meanwhile."""

from __future__ import annotations

import signal

import psycopg
import pytest
from tests.acceptance.test_workers import Queue
from tests.support.processes import Processes
from tests.support.waiting import wait_until

pytestmark = pytest.mark.environments


@pytest.fixture
def queue(processes, database_url):
    opened = Queue(processes, database_url)
    yield opened
    opened.close()


def kill_in_mid_job(queue: Queue, *jobs: int, **options) -> None:
    """Run the jobs in one worker, wait until its beat names them all, and kill it."""
    victim = queue.worker("slow", **options)
    for job in jobs:
        queue.wait_for_runs(job, 1)
        queue.wait_until_named(job)
    victim.kill()


def test_a_job_a_new_worker_claims_while_the_rescue_is_at_it_is_never_put_back(queue, database_url):
    """Somebody puts the job back and holds its row while it becomes due; then it runs anew."""
    job = queue.hold("lasts", "slow")
    kill_in_mid_job(queue, job)
    with psycopg.connect(database_url) as holder:
        holder.execute("SELECT procrastinate_retry_job_v2(%s, now(), NULL, NULL, NULL)", (job,))
        queue.worker("maintenance")
        wait_until(
            lambda: queue.one("SELECT count(*) FROM jobs_maint_suspects"), what="the suspicion"
        )
        queue.wait_for_passes(4)
        holder.commit()
    queue.worker("slow")
    queue.wait_for_runs(job, 2)
    queue.wait_for_passes(5)
    queue.release(job)
    queue.wait_for_status(job, "succeeded")
    assert queue.runs(job) == [(0, "start"), (1, "start"), (1, "end")]
    assert queue.one("SELECT count(*) FROM jobs_maint_failures") == 0


def test_a_job_that_finishes_while_the_rescue_is_at_it_stays_finished(queue, database_url):
    job = queue.hold("lasts", "slow")
    kill_in_mid_job(queue, job)
    with psycopg.connect(database_url) as worker:
        worker.execute("SELECT procrastinate_finish_job_v1(%s, 'succeeded', false)", (job,))
        queue.worker("slow", "maintenance")
        wait_until(
            lambda: queue.one("SELECT count(*) FROM jobs_maint_suspects"), what="the suspicion"
        )
        queue.wait_for_passes(4)
        worker.commit()
    queue.wait_for_passes(2)
    assert queue.status(job) == "succeeded"
    assert queue.runs(job) == [(0, "start")]
    # Of this job only: one that starts in the moment of a beat is suspected until the next.
    assert queue.one(f"SELECT count(*) FROM jobs_maint_suspects WHERE job_id = {job}") == 0


def test_an_abort_request_and_a_shared_queueing_lock_do_not_stop_the_rescue_of_the_others(queue):
    jobs = []
    for lock in ("one at a time", "one at a time", None, None):
        job = queue.hold("lasts", "slow", only_first=True)
        queue.execute(
            f"UPDATE procrastinate_jobs SET queueing_lock = {f'{lock!r}' if lock else 'NULL'}"
            f" WHERE id = {job}"
        )
        if not jobs:  # two with one queueing lock cannot wait at once: the first runs already
            victim = queue.worker("slow", concurrency=4)
            queue.wait_for_runs(job, 1)
        jobs.append(job)
    first, second, aborting, plain = jobs
    for job in jobs:
        queue.wait_for_runs(job, 1)
        queue.wait_until_named(job)
    victim.kill()
    queue.execute(f"UPDATE procrastinate_jobs SET abort_requested = true WHERE id = {aborting}")
    queue.worker("slow", "maintenance")
    queue.wait_for_status(plain, "succeeded")
    queue.wait_for_status(first, "succeeded")
    queue.wait_for_status(aborting, "aborted")
    queue.wait_for_status(second, "failed")
    message = queue.one("SELECT message FROM jobs_maint_failures WHERE job_id = %s", second)
    assert f"job {first} has the same queueing lock" in message
    assert queue.runs(aborting) == [(0, "start")]


def test_a_retry_that_collides_on_a_queueing_lock_is_refused_and_names_the_waiting_job(
    queue, processes
):
    failed = queue.defer("fails", "failing", kind="mention")
    queue.execute(f"UPDATE procrastinate_jobs SET queueing_lock = 'nightly' WHERE id = {failed}")
    queue.worker("failing", wait=False).wait()
    queue.wait_for_status(failed, "failed")
    waiting = queue.defer("quick", "nobody-listens")
    queue.execute(f"UPDATE procrastinate_jobs SET queueing_lock = 'nightly' WHERE id = {waiting}")
    shell = processes.start("-m", "jobs_maint", "retry", str(failed))
    assert shell.wait() == 4
    assert f"job {waiting}" in shell.output
    assert "nightly" in shell.output
    assert "Traceback" not in shell.output
    assert queue.status(failed) == "failed"


def test_two_schema_applies_at_once_both_end_well(bare_database_url):
    started = Processes(bare_database_url)
    try:
        both = [started.start("-m", "jobs_maint", "schema", "apply") for _ in range(3)]
        assert [process.wait() for process in both] == [0, 0, 0]
        assert "Traceback" not in "".join(process.output for process in both)
        again = started.start("-m", "jobs_maint", "schema", "apply")
        assert again.wait() == 0
    finally:
        started.kill_all()


def test_a_frozen_worker_that_wakes_before_the_time_is_up_keeps_its_job(queue):
    """SIGSTOP, but not for long: suspected, then named again by its next beat."""
    job = queue.hold("lasts", "slow")
    frozen = queue.worker("slow", settings={"JOBS_MAINT_STALLED_AFTER": "30s"})
    queue.wait_for_runs(job, 1)
    queue.wait_until_named(job)
    frozen.send(signal.SIGSTOP)
    queue.worker("maintenance", settings={"JOBS_MAINT_STALLED_AFTER": "30s"})
    wait_until(lambda: queue.one("SELECT count(*) FROM jobs_maint_suspects"), what="the suspicion")
    frozen.send(signal.SIGCONT)
    wait_until(
        lambda: not queue.one("SELECT count(*) FROM jobs_maint_suspects"), what="the next beat"
    )
    queue.release(job)
    queue.wait_for_status(job, "succeeded")
    assert queue.runs(job) == [(0, "start"), (0, "end")]


def test_the_recorder_outlives_a_lost_connection(queue):
    """The server ends its session in mid-job: the next beat and failure come all the same."""
    job = queue.hold("lasts", "slow")
    queue.worker("slow", "failing", concurrency=2)
    queue.wait_until_named(job)
    ended = queue.all(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'jobs-maint-recorder' AND datname = current_database()"
    )
    assert ended == [(True,)]
    queue.execute("UPDATE jobs_maint_workers SET beat_at = now() - interval '1 hour'")
    wait_until(
        lambda: queue.one("SELECT beat_at > now() - interval '5 seconds' FROM jobs_maint_workers"),
        what="the next beat",
    )
    failed = queue.defer("fails", "failing", kind="emoji")
    queue.wait_for_status(failed, "failed")
    wait_until(
        lambda: queue.one("SELECT count(*) FROM jobs_maint_failures WHERE job_id = %s", failed),
        what="the record of the failure",
    )
