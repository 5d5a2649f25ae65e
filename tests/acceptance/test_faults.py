"""Faults between real processes: what the rescue must not touch, and what others do meanwhile."""

from __future__ import annotations

import signal
from pathlib import Path

import psycopg
import pytest
from tests.acceptance.test_workers import NO_CRON, Queue
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


PRUNED = pytest.mark.parametrize("pruned", [False, True], ids=["row_left", "row_pruned"])
"""Whether another worker removes its row meanwhile, as Procrastinate does at a start."""


def freeze(queue, job, *, pruned):
    """A worker that is suspended in mid-job."""
    frozen = queue.worker("slow", settings=NO_CRON)
    queue.wait_for_runs(job, 1)
    queue.wait_until_named(job)
    frozen.send(signal.SIGSTOP)
    if pruned:
        queue.all("DELETE FROM procrastinate_workers RETURNING id")
    return frozen


@PRUNED
def test_a_worker_frozen_for_long_that_beats_again_before_a_rescue_keeps_its_job(queue, pruned):
    job = queue.hold("lasts", "slow")
    frozen = freeze(queue, job, pruned=pruned)
    rescuer = queue.worker("maintenance", settings={"JOBS_MAINT_STALLED_AFTER": "1h",
                           "JOBS_MAINT_STALLED_AFTER_UNKNOWN": "1h"})  # fmt: skip
    wait_until(lambda: queue.one("SELECT count(*) FROM jobs_maint_suspects"), what="the suspicion")
    rescuer.kill()
    queue.execute("UPDATE jobs_maint_suspects SET first_noticed_at = now() - interval '1 day'")
    frozen.send(signal.SIGCONT)
    wait_until(
        lambda: not queue.one("SELECT count(*) FROM jobs_maint_suspects"), what="the next beat"
    )
    queue.worker("maintenance")
    queue.wait_for_passes(5)
    queue.release(job)
    queue.wait_for_status(job, "succeeded")
    assert queue.runs(job) == [(0, "start"), (0, "end")]
    assert queue.one("SELECT count(*) FROM jobs_maint_failures WHERE job_id = %s", job) == 0


@PRUNED
def test_what_was_rescued_of_a_frozen_worker_is_told_and_nothing_more_is_taken(
    queue, jobs_maint, pruned
):
    job, other = queue.hold("lasts", "slow"), queue.hold("lasts", "quiet")
    frozen = freeze(queue, job, pruned=pruned)
    queue.worker("quiet", "maintenance", concurrency=2)
    queue.wait_for_status(job, "todo")
    queue.worker("slow")
    queue.wait_for_runs(job, 2)
    frozen.send(signal.SIGCONT)
    queue.execute("UPDATE jobs_maint_workers SET beat_at = now() - interval '1 hour'")
    wait_until(
        lambda: queue.one(
            "SELECT count(*) FROM jobs_maint_workers WHERE beat_at > now() - interval '1 minute'"
        ) == 3,
        what="a beat of all three",
    )  # fmt: skip
    queue.wait_for_passes(5)
    queue.release(job)
    queue.release(other)
    queue.wait_for_status(job, "succeeded")
    queue.wait_for_status(other, "succeeded")
    queue.wait_for_runs(job, 4)
    assert sorted(queue.runs(job)) == [(0, "end"), (0, "start"), (1, "end"), (1, "start")]
    assert queue.runs(other) == [(0, "start"), (0, "end")]
    [(lost, will_retry)] = queue.all("SELECT message, will_retry FROM jobs_maint_failures")
    assert will_retry
    assert f"pid {frozen.pid}) last beat at" in lost
    assert f"pid {frozen.pid}) last beat at" in jobs_maint("status", job).stdout


@pytest.fixture
def worker_off(queue):
    """Start a worker whose clock is off."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        pytest.skip("needs libfaketime; install Debian's package faketime")
    workers = []

    def start(off, *queues):
        clock = {"LD_PRELOAD": str(library), "FAKETIME": off, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        workers.append(queue.worker(*queues, settings=clock, concurrency=2))
        return workers[-1]

    yield start
    for worker in workers:
        worker.kill()
        # Of a process that is killed, they stay until the machine restarts.
        for file in (f"faketime_shm_{worker.pid}", f"sem.faketime_sem_{worker.pid}"):
            (Path("/dev/shm") / file).unlink()


def test_workers_whose_clocks_are_minutes_off_are_neither_robbed_nor_left(queue, worker_off):
    """Each of them runs the rescue too; what counts is the database's clock."""
    workers, jobs = [], []
    for name, off in (("slow", "-15m"), ("quiet", "+15m"), ("gone", "+15m")):
        jobs.append(queue.hold("lasts", name, only_first=True))
        workers.append(worker_off(off, name, "maintenance"))
        queue.wait_for_runs(jobs[-1], 1)
        queue.wait_until_named(jobs[-1])
    behind, ahead, lost = jobs
    ticks = (
        "SELECT DISTINCT sign((args ->> 'timestamp')::int - extract(epoch FROM now()))::int"
        " FROM procrastinate_jobs WHERE args ? 'timestamp' ORDER BY 1"
    )
    wait_until(lambda: queue.all(ticks) == [(-1,), (1,)], what="ticks of both clocks")
    queue.wait_for_passes(5)
    workers[-1].kill()
    queue.wait_for_status(lost, "todo")
    for job in (behind, ahead):
        queue.release(job)
        queue.wait_for_status(job, "succeeded")
        assert queue.runs(job) == [(0, "start"), (0, "end")]
    # The killed worker may have had a rescue, too.
    failures = "SELECT job_id FROM jobs_maint_failures WHERE queue_name <> 'maintenance'"
    assert queue.all(failures) == [(lost,)]


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
