"""The recorder while its database cannot be written: nothing that can wait is lost, and the log
says what is so, once."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import re
import signal
import socket
import threading
import time
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from tests.support.waiting import wait_for_row, wait_until

from jobs_maint.actions import Actor, GetJob, ListErrors, ListWorkers, RunDoctor, ShowStats
from jobs_maint.operations.following import list_told
from jobs_maint.perform import perform
from jobs_maint.recorder import connection
from jobs_maint.recorder.beats import Introductions, send
from jobs_maint.recorder.failure import Failure
from jobs_maint.recorder.middleware import Recorder
from jobs_maint.recorder.running import RunningWorker
from jobs_maint.recorder.thread import RecorderThread
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings

ANA = Actor.shell("ana", "host")
FAILED = "jobs_maint.recorder_failed"
RECOVERED = "jobs_maint.recorder_recovered"
UNRECORDED = "jobs_maint.failures_unrecorded"
NUMBERS = itertools.count(1)
ENDED = "the worker ended before they were stored"


def failure(number: int) -> Failure:
    return Failure(number, 1, "q", "t", "error", "E", "m", "m", "1:f", False, f"body {number}")


class Worker:
    """Reported as running by the thread of these tests."""

    worker_id = 1


@contextlib.contextmanager
def recording(connect, *, alive: bool = True, jobs: tuple[int, ...] = ()):
    worker = Worker()

    def list_workers():
        held = dict.fromkeys(jobs, 0.0)
        return [RunningWorker(1, ["q"], "never", lambda: worker, jobs=held)] if alive else []

    thread = RecorderThread(
        connect, beat=timedelta(seconds=0.1), list_workers=list_workers, retire=lambda: False
    )
    thread.name = f"recorder {next(NUMBERS)} of a test"
    thread.start()
    try:
        yield thread
    finally:
        thread.stop()
        thread.join(10)


def told(caplog, thread=None) -> list[tuple[str, dict]]:
    """Our lines of the recorder: event and fields; `thread`: without those of other threads.

    By its name: the id of a thread that another test left is given again once that has ended.
    """
    names = {FAILED, RECOVERED, UNRECORDED}
    found = [
        record
        for record in caplog.records
        if getattr(record, "event", "") in names
        and (thread is None or thread.name == record.threadName)
    ]
    return [(record.event, record.fields) for record in found]


REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not' USING ERRCODE = '{}'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON jobs_maint_failures
EXECUTE FUNCTION refuse()
"""
AWAY = (
    "ALTER TABLE jobs_maint_failures RENAME TO away",
    "ALTER TABLE away RENAME TO jobs_maint_failures",
)
DISK_FULL = (REFUSE.format("53100"), "DROP TRIGGER refuse ON jobs_maint_failures")
LOCKED = (REFUSE.format("55P03"), "DROP TRIGGER refuse ON jobs_maint_failures")


@pytest.mark.parametrize("trouble", [AWAY, DISK_FULL, LOCKED], ids=["missing", "full", "locked"])
def test_while_failures_cannot_be_stored_beats_go_on_and_nothing_is_said_to_be_stored_again(
    database_url, caplog, trouble
):
    with (
        psycopg.connect(database_url, autocommit=True) as look,
        caplog.at_level(logging.WARNING, "jobs_maint"),
        recording(lambda: connection.connect(database_url, {})) as thread,
    ):
        beat = "SELECT beat_at FROM jobs_maint_workers"
        wait_until(lambda: look.execute(beat).fetchone(), what="the first beat")
        look.execute(trouble[0])
        thread.store(failure(1))
        wait_until(lambda: told(caplog, thread), what="the first line")
        for number in range(2, 8):  # each with a beat that works
            thread.store(failure(number))
            before = look.execute(beat).fetchone()
            wait_until(lambda: look.execute(beat).fetchone() != before, what="a beat")  # noqa: B023
        assert [event for event, _ in told(caplog, thread)] == [FAILED]
        look.execute(trouble[1])
        wait_until(lambda: len(told(caplog, thread)) > 1, what="the second line")
        assert told(caplog, thread)[1:] == [(RECOVERED, {"unrecorded": 0})]
        stored = look.execute("SELECT job_id FROM jobs_maint_failures ORDER BY 1").fetchall()
        assert stored == [(number,) for number in range(1, 8)]
        thread.store(failure(8)).result(10)
    assert len(told(caplog, thread)) == 2


async def test_errors_that_wait_in_a_worker_are_told_with_their_number_and_reason(
    database_url, pool, conn
):
    async def list_said():
        asked = (ListErrors(), ShowStats(), ListWorkers())
        reports = [await perform(pool, ANA, action) for action in asked]
        for report in reports:
            assert report.unstored is None or report.unstored in " ".join(
                render_text(report, width=2_000).split()
            )
        findings = (await perform(pool, ANA, RunDoctor())).findings
        [doctor] = [found.sentence for found in findings if found.check == "recorder"]
        return {*(report.unstored for report in reports), doctor}

    await conn.execute(LOCKED[0])
    with recording(lambda: connection.connect(database_url, {})) as thread:
        for number in (1, 2):
            thread.store(replace(failure(number), happened_at=time.monotonic() - 60))
        there = "SELECT settings -> 'unstored' ->> 'waiting' = '2' FROM jobs_maint_workers"
        await wait_for_row(conn, there, what="the recorder tells it")
        [said] = await list_said()
        assert said.startswith(f"2 errors of worker 1 ({socket.gethostname()}, process ")
        assert re.search(r"\) wait to be stored since \S+ \S+ UTC: .*\.", said)
        assert [told.settings for told in await list_told(conn, MaintSettings())] == []
        await conn.execute(LOCKED[1])
        stored = "SELECT NOT settings ? 'unstored' FROM jobs_maint_workers"
        await wait_for_row(conn, stored, what="it is over")
        assert None in await list_said()


@pytest.mark.parametrize(
    ("workers", "said"),
    [
        (4, "1 more worker has errors that it could not store."),
        (5, "2 more workers have errors that they could not store."),
    ],
)
async def test_beyond_three_workers_that_cannot_store_errors_the_others_are_counted(
    pool, conn, workers, said
):
    await conn.execute(
        "INSERT INTO jobs_maint_workers (worker_id, host, pid, recorder_version, delete_jobs,"
        "  beat_seconds, job_ids, settings)"
        " SELECT n, 'web', n, '1', 'never', 60, '{}', jsonb_build_object('unstored',"
        "  jsonb_build_object('waiting', 2, 'dropped', 0, 'reason', 'the disk is full',"
        "  'since', now()))"
        " FROM generate_series(1, %s) AS n",
        (workers,),
    )
    told = (await perform(pool, ANA, ListWorkers())).unstored
    assert told.count(": the disk is full.") == 3
    assert told.endswith(said)


async def test_a_failure_that_is_stored_minutes_later_has_the_time_at_which_it_happened(
    database_url, pool, make_job
):
    """Its job's event tells the same time: everything that joins the two finds the error."""
    ago = timedelta(minutes=3)
    job = await make_job(status="failed", recorded=False, finished_ago=ago, deferred_ago=2 * ago)
    held = replace(failure(job), happened_at=time.monotonic() - ago.total_seconds())
    with recording(lambda: connection.connect(database_url, {})) as thread:
        await asyncio.wrap_future(thread.store(held))
    details = await perform(pool, ANA, GetJob(job))
    [attempt] = details.failures
    [ended] = [event.at for event in details.events if event.type == "failed"]
    assert abs(attempt.failed_at - ended) < timedelta(seconds=5)
    [group] = (await perform(pool, ANA, ListErrors())).groups
    assert (group.exception_type, group.count) == ("E", 1)
    [recorder] = [
        finding
        for finding in (await perform(pool, ANA, RunDoctor())).findings
        if finding.check == "recorder"
    ]
    assert recorder.level == "ok", recorder.sentence


def test_a_worker_newer_than_the_tables_tells_its_settings_once_they_are_upgraded(
    database_url, caplog
):
    alive = [RunningWorker(1, None, "never", Worker, settings={"queue": "maintenance"})]
    new, told = Introductions(), "SELECT settings FROM jobs_maint_workers"
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("ALTER TABLE jobs_maint_workers DROP COLUMN settings")
        conn.execute("ALTER TABLE jobs_maint_settings RENAME TO away")
        send(conn, alive, seconds=10.0)
        with caplog.at_level(logging.WARNING, "jobs_maint"):
            new.tell(conn, alive, 0.0)
            new.tell(conn, alive, 61.0)
        [line] = [one for one in caplog.records if "settings_untold" in one.getMessage()]
        assert "run `jobs-maint schema apply`" in line.getMessage()
        conn.execute("ALTER TABLE jobs_maint_workers ADD COLUMN settings jsonb")
        conn.execute("ALTER TABLE away RENAME TO jobs_maint_settings")
        new.tell(conn, alive, 80.0)
        assert conn.execute(told).fetchall() == [(None,)], "it tries once a minute"
        new.tell(conn, alive, 122.0)
        assert conn.execute(told).fetchall() == [({"queue": "maintenance"},)]
        conn.execute("UPDATE jobs_maint_workers SET settings = NULL")
        new.tell(conn, alive, 500.0)
        assert conn.execute(told).fetchall() == [(None,)], "it was told"


def test_settings_that_the_database_cannot_hold_are_logged_as_not_told(database_url, caplog):
    settings = {"rescue_policy": {"b\udcfcro.*": "fail"}}
    alive = [RunningWorker(1, None, "never", Worker, settings=settings)]
    with psycopg.connect(database_url, autocommit=True) as conn:
        send(conn, alive, seconds=10.0)
        with caplog.at_level(logging.WARNING, "jobs_maint"):
            Introductions().tell(conn, alive, 0.0)
    [line] = [one for one in caplog.messages if "settings_untold" in one]
    assert "unicode" in line.lower()


@pytest.mark.parametrize("job", [0, 7], ids=["a search that waits too", "a job that runs"])
def test_beats_go_on_while_the_table_of_jobs_is_locked(database_url, job):
    with (
        psycopg.connect(database_url) as locker,
        psycopg.connect(database_url, autocommit=True) as look,
        recording(lambda: connection.connect(database_url, {}), jobs=(job,)),
    ):
        beat = "SELECT beat_at FROM jobs_maint_workers"
        wait_until(lambda: look.execute(beat).fetchone(), what="the first beat")
        locker.execute("LOCK TABLE procrastinate_jobs IN ACCESS EXCLUSIVE MODE")
        for _ in range(3):
            before = look.execute(beat).fetchone()
            wait_until(lambda: look.execute(beat).fetchone() != before, what="a beat")  # noqa: B023
        locker.rollback()


def test_a_connection_that_stays_open_and_says_nothing_is_given_up(database_url, monkeypatch):
    """As behind a frozen proxy: the network answers, the session does not."""
    monkeypatch.setattr(connection, "SILENCE", 0.5)
    with (
        psycopg.connect(database_url, autocommit=True) as look,
        recording(lambda: connection.connect(database_url, {})) as thread,
    ):
        beat = "SELECT beat_at FROM jobs_maint_workers"
        wait_until(lambda: look.execute(beat).fetchone(), what="the first beat")
        query = (
            "SELECT pid, state FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'jobs-maint-recorder'"
        )
        silent, _ = look.execute(query).fetchone()

        def stop_between_two_beats() -> bool:  # with no lock
            os.kill(silent, signal.SIGSTOP)
            if look.execute(query).fetchone() == (silent, "idle"):
                return True
            os.kill(silent, signal.SIGCONT)
            return False

        try:
            wait_until(stop_between_two_beats, what="a moment without a transaction")
            thread.store(failure(1)).result(10)
            before = look.execute(beat).fetchone()
            wait_until(lambda: look.execute(beat).fetchone() != before, what="another beat")
            assert look.execute("SELECT job_id FROM jobs_maint_failures").fetchall() == [(1,)]
        finally:
            os.kill(silent, signal.SIGCONT)


def test_what_does_not_fit_in_memory_meanwhile_is_counted_when_it_is_over(database_url, caplog):
    way = threading.Event()

    def connect():
        if not way.is_set():
            raise psycopg.OperationalError("nobody answers")
        return connection.connect(database_url, {})

    with caplog.at_level(logging.WARNING, "jobs_maint"), recording(connect) as thread:
        wait_until(lambda: told(caplog, thread), what="the first line")
        for number in range(1, 1_051):
            assert thread.store(failure(number)) is None
        way.set()
        wait_until(lambda: len(told(caplog, thread)) > 1, what="the second line")
        with psycopg.connect(database_url) as look:
            query = "SELECT count(*) FROM jobs_maint_failures"
            wait_until(lambda: look.execute(query).fetchone() == (1_000,), what="the others")
    assert (
        sum(fields.get("unrecorded", fields.get("count", 0)) for _, fields in told(caplog, thread))
        == 50
    )
    assert told(caplog, thread)[0][0] == FAILED


def test_a_worker_that_ends_before_the_database_is_back_tells_how_many_it_could_not_store(caplog):
    def connect():
        return psycopg.connect("host=127.0.0.1 port=1 connect_timeout=2")

    with (
        caplog.at_level(logging.WARNING, "jobs_maint"),
        recording(connect, alive=False) as thread,
    ):
        for number in range(550):
            thread.store(failure(number))
    assert not thread.is_alive()
    assert [event for event, _ in told(caplog)] == [FAILED, UNRECORDED]
    assert told(caplog)[-1] == (
        UNRECORDED, {"count": 550, "reason": ENDED},
    )  # fmt: skip
    assert caplog.records[-1].event == UNRECORDED


@pytest.mark.parametrize("code", ["P0001", "55P03", "40001", "40P01", "57014", "53400"])
def test_failures_that_a_trigger_of_the_team_refuses_are_counted_with_its_words_and_stop_no_others(
    caplog, database_url, monkeypatch, code
):
    monkeypatch.setattr("jobs_maint.recorder.backlog.TRY_SECONDS", 0.05)
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(
            "CREATE FUNCTION deny() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'no failures on %, please', NEW.queue_name"
            f" USING ERRCODE = '{code}'; END $$;"
            "CREATE TRIGGER deny BEFORE INSERT ON jobs_maint_failures FOR EACH ROW"
            " WHEN (NEW.job_id BETWEEN 2 AND 8) EXECUTE FUNCTION deny()"
        )
        with (
            caplog.at_level(logging.WARNING, "jobs_maint"),
            recording(lambda: psycopg.connect(database_url, autocommit=True)) as thread,
        ):
            for number in range(1, 10):
                thread.store(failure(number))
            wait_until(lambda: UNRECORDED in dict(told(caplog)), what="the line of the log")
            thread.store(failure(10)).result(10)
        unrecorded = [fields for event, fields in told(caplog) if event == UNRECORDED]
        assert sum(fields["count"] for fields in unrecorded) == 7
        assert "no failures on q, please" in unrecorded[0]["reason"]
        stored = conn.execute("SELECT job_id FROM jobs_maint_failures ORDER BY 1").fetchall()
        assert stored == [(1,), (9,), (10,)]


def test_what_was_refused_by_itself_is_stored_when_it_can_be(database_url, monkeypatch):
    monkeypatch.setattr("jobs_maint.recorder.backlog.MOST_TRIES", 1_000_000)
    monkeypatch.setattr("jobs_maint.recorder.backlog.TRY_SECONDS", 0.05)
    with (
        psycopg.connect(database_url, autocommit=True) as conn,
        psycopg.connect(database_url) as holder,
        recording(lambda: connection.connect(database_url, {})) as thread,
    ):
        conn.execute(
            "CREATE TABLE counted (queue text PRIMARY KEY, failures int);"
            "INSERT INTO counted VALUES ('q', 0);"
            "CREATE FUNCTION count_it() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM FROM counted FOR UPDATE NOWAIT; RETURN NEW; END $$;"
            "CREATE TRIGGER count_it BEFORE INSERT ON jobs_maint_failures FOR EACH ROW"
            " WHEN (NEW.job_id = 1) EXECUTE FUNCTION count_it()"
        )
        holder.execute("SELECT FROM counted FOR UPDATE")
        thread.store(failure(1))
        thread.store(failure(2))
        query = "SELECT job_id FROM jobs_maint_failures ORDER BY 1"
        wait_until(lambda: conn.execute(query).fetchall() == [(2,)], what="the other one")
        holder.rollback()
        wait_until(lambda: conn.execute(query).fetchall() == [(1,), (2,)], what="both")


def test_a_process_that_cannot_wait_for_its_recorder_tells_the_number_too(caplog, monkeypatch):
    """The thread hangs in a connect that nobody answers when the interpreter ends."""
    monkeypatch.setattr("jobs_maint.recorder.middleware.WRITE_TIMEOUT", 0.05)
    begun, way = threading.Event(), threading.Event()

    def connect():
        begun.set()
        way.wait(60)
        raise psycopg.OperationalError("nobody answered")

    recorder = Recorder(MaintSettings())
    with (
        caplog.at_level(logging.WARNING, "jobs_maint"),
        recording(connect, alive=False) as thread,
    ):
        recorder._threads.add(thread)
        for number in range(3):
            thread.store(failure(number))
        begun.wait(60)
        recorder._stop()
        assert told(caplog) == [(UNRECORDED, {"count": 3, "reason": ENDED})]
        way.set()
    assert [event for event, _ in told(caplog)] == [UNRECORDED, FAILED]
