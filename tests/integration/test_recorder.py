"""The recorder inside a team's worker: hostile exceptions, lost connections, other settings."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import threading
import time
import weakref
from datetime import timedelta
from typing import Any

import procrastinate
import psycopg
import pytest
from procrastinate.worker import Worker
from tests.support.locks import wait_for_waiting
from tests.support.server import Server
from tests.support.waiting import PATIENCE, until, wait_for_row, wait_until

import jobs_maint
from jobs_maint import upstream
from jobs_maint.recorder import beats, connection, store
from jobs_maint.recorder.failure import (
    SLOW_TEXT,
    TRACEBACK_BYTES,
    Failure,
    build_failure,
    cut,
    describe_traceback,
)
from jobs_maint.recorder.running import RunningWorker
from jobs_maint.recorder.thread import RecorderThread
from jobs_maint.settings import MaintSettings

SETTINGS = MaintSettings(rescue_cron="", purge_cron="")


class Ended:
    """A worker that is no more."""


def make_app(url: str, *, beat: timedelta = SETTINGS.beat, **kwargs: Any) -> procrastinate.App:
    connector = procrastinate.PsycopgConnector(conninfo=url, min_size=1, max_size=4, **kwargs)
    app = procrastinate.App(connector=connector)
    jobs_maint.register(app, SETTINGS.model_copy(update={"beat": beat}))
    return app


async def work(app: procrastinate.App, **options: Any) -> None:
    await app.run_worker_async(
        **{"wait": False, "listen_notify": False, "install_signal_handlers": False, **options}
    )


async def fetch(url: str, query: str, *params: Any) -> list[tuple[Any, ...]]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        return await (await conn.execute(query, params)).fetchall()


async def wait_for(url: str, query: str, *params: Any) -> list[tuple[Any, ...]]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        return [await wait_for_row(conn, query, params)]


RECORDER = (
    "SELECT pid FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'jobs-maint-recorder'"
)


async def test_a_failure_is_recorded_though_the_recorders_connection_was_ended(database_url):
    app = make_app(database_url)

    @app.task(name="fails")
    async def fails() -> None:
        await wait_for(database_url, "SELECT 1 FROM jobs_maint_workers")  # it has begun its work
        ((pid,),) = await wait_for(database_url, RECORDER)
        await fetch(database_url, "SELECT pg_terminate_backend(%s)", pid)
        raise ValueError("after the end of the connection")

    async with app.open_async():
        await fails.defer_async()
        await work(app)
    rows = await fetch(database_url, "SELECT message FROM jobs_maint_failures")
    assert rows == [("after the end of the connection",)]


@pytest.mark.parametrize("upgraded", [True, False])
async def test_the_first_beat_is_followed_by_the_crons_where_the_tables_have_room(
    database_url, conn, upgraded
):
    app = make_app(database_url)
    if not upgraded:
        await conn.execute("ALTER TABLE jobs_maint_workers DROP COLUMN crons")

    @app.task(name="looks")
    async def looks() -> Any:
        query = "SELECT crons FROM jobs_maint_workers WHERE crons IS NOT NULL"
        found.extend(
            await wait_for(database_url, query if upgraded else "TABLE jobs_maint_workers")
        )

    found: list[Any] = []
    app.periodic(cron="0 6 * * 1-5")(app.task(name="bills")(looks.func))
    app.periodic(cron="0 7 * * *", periodic_id="eu")(app.tasks["bills"])
    async with app.open_async():
        await looks.defer_async()
        await work(app)
    assert len(found) == 1
    if upgraded:
        assert found == [([["bills", "", "0 6 * * 1-5"], ["bills", "eu", "0 7 * * *"]],)]


async def test_each_worker_is_known_before_its_first_jobs_run(database_url):
    """So that a job which kills its process at once is known to have run there."""
    app = make_app(database_url)
    known = []

    @app.task(name="looks", pass_context=True)
    async def looks(context: procrastinate.JobContext) -> None:
        beat = (
            "SELECT 1 FROM jobs_maint_workers w JOIN procrastinate_jobs j"
            " ON j.worker_id = w.worker_id WHERE j.id = %s"
        )
        known.append(await fetch(database_url, beat, context.job.id))

    async with app.open_async():
        for _ in range(2):  # a worker after the other, in one process
            for _ in range(3):
                await looks.defer_async()
            await work(app, concurrency=3)
    assert known == [[(1,)]] * 6


async def test_where_no_beat_can_be_stored_the_first_jobs_run_all_the_same(database_url, conn):
    app = make_app(database_url)
    ran = []

    @app.task(name="runs")
    async def runs() -> None:
        ran.append("yes")

    await conn.execute("BEGIN; LOCK jobs_maint_workers")
    async with app.open_async():
        await runs.defer_async()
        await work(app)
        assert ran == ["yes"]
        await conn.execute("ROLLBACK")


@pytest.mark.parametrize("raised", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
async def test_an_exception_whose_text_raises_is_recorded_and_stays_the_jobs_own(
    database_url, raised
):
    class UnspeakableError(Exception):
        def __str__(self) -> str:
            raise raised

    app = make_app(database_url)

    @app.task(name="fails")
    async def fails() -> None:
        raise UnspeakableError

    async with app.open_async():
        await fails.defer_async()
        await work(app)
    assert await fetch(database_url, "SELECT status::text FROM procrastinate_jobs") == [("failed",)]
    ((kind, message),) = await fetch(database_url, "SELECT kind, message FROM jobs_maint_failures")
    assert (kind, message) == ("error", f"(no message: str() raised {raised.__name__})")


async def test_a_class_name_that_no_column_can_hold_takes_no_other_record_along(database_url):
    app = make_app(database_url)
    strange = type("Strange", (Exception,), {})
    strange.__qualname__ = "\0" + "x" * 5_000

    @app.task(name="fails")
    async def fails(number: int) -> None:
        raise strange(str(number)) if number else ValueError("plain")

    async with app.open_async():
        for number in (0, 1):
            await fails.defer_async(number=number)
        await work(app, concurrency=2)
    rows = await fetch(
        database_url, "SELECT left(exception_type, 10) FROM jobs_maint_failures ORDER BY 1"
    )
    assert sorted(rows) == sorted([("ValueError",), ("␀xxxxxxxxx",)])


async def test_a_job_that_was_aborted_by_a_person_is_not_said_to_be_retried(database_url):
    """The database refuses to retry a job that is to be aborted; upstream ends it as failed."""
    app = make_app(database_url)

    @app.task(name="sleeps", retry=True)
    async def sleeps() -> None:
        (job,) = (await fetch(database_url, "SELECT id FROM procrastinate_jobs"))[0]
        await app.job_manager.cancel_job_by_id_async(job, abort=True)
        await asyncio.sleep(60)

    async with app.open_async():
        await sleeps.defer_async()
        await work(app, abort_job_polling_interval=0.05)
    rows = await fetch(database_url, "SELECT kind, will_retry FROM jobs_maint_failures")
    assert rows == [("aborted", False)]
    assert await fetch(database_url, "SELECT status::text FROM procrastinate_jobs") == [("failed",)]


async def test_a_job_that_says_it_was_aborted_stays_aborted(database_url):
    """The exception goes on as it is: the worker tells an abort by its type."""
    app = make_app(database_url)

    @app.task(name="gives_up")
    def gives_up() -> None:
        raise procrastinate.exceptions.JobAborted

    async with app.open_async():
        await gives_up.defer_async()
        await work(app)
    rows = await fetch(database_url, "SELECT status::text FROM procrastinate_jobs")
    assert rows == [("aborted",)]
    rows = await fetch(database_url, "SELECT kind, will_retry FROM jobs_maint_failures")
    assert rows == [("aborted", False)]


async def test_a_job_ended_by_the_shutdown_of_its_worker_is_said_to_be_retried(database_url):
    app = make_app(database_url)
    started = asyncio.Event()

    @app.task(name="sleeps", retry=True)
    async def sleeps() -> None:
        started.set()
        await asyncio.sleep(60)

    async with app.open_async():
        await sleeps.defer_async()
        worker = asyncio.create_task(work(app, wait=True, shutdown_graceful_timeout=0.05))
        await started.wait()
        worker.cancel()
        with pytest.raises(asyncio.CancelledError):
            await worker
    rows = await fetch(database_url, "SELECT kind, will_retry FROM jobs_maint_failures")
    assert rows == [("aborted", True)]
    assert await fetch(database_url, "SELECT status::text FROM procrastinate_jobs") == [("todo",)]


@pytest.mark.parametrize("last", ["storm", "succeeds"])
async def test_when_a_worker_has_ended_all_its_failures_are_stored(database_url, last):
    """A web server that runs it ends its process right then, by a signal: no thread goes on."""
    app = make_app(database_url)
    running, may_end = asyncio.Event(), asyncio.Event()

    @app.task(name="storm")
    async def storm(*, waits: bool = False) -> None:
        if waits:
            running.set()
            await may_end.wait()
        raise ConnectionError("refused")

    @app.task(name="succeeds")
    async def succeeds() -> None:
        failed = "SELECT 1 FROM procrastinate_jobs WHERE status = 'failed' HAVING count(*) = 131"
        await wait_for(database_url, failed)
        running.set()
        await may_end.wait()

    async with app.open_async():
        await storm.batch_defer_async(*[{}] * 130)
        await work(app, concurrency=10)
        if last == "succeeds":
            await succeeds.defer_async()
        await storm.defer_async(waits=last == "storm")
        worker = asyncio.create_task(work(app, wait=True, concurrency=2))
        await running.wait()
        (link,) = app.worker_defaults["worker_middleware"][0]._links.values()
        (known,) = link.workers.values()
        worker.cancel()
        await until(lambda: upstream.is_stopping(known.ref()))
        may_end.set()
        await asyncio.gather(worker, return_exceptions=True)
        rows = await fetch(database_url, "SELECT count(*) FROM jobs_maint_failures")
    assert rows == [(131,)]


@pytest.mark.parametrize("broken", [False, True])
async def test_of_a_worker_that_has_ended_nothing_is_left_in_the_database(database_url, broken):
    """A web server ends its process right then, and a test drops its database."""
    app = make_app(database_url)

    @app.task(name="ends")
    async def ends() -> None:
        if broken:
            raise ConnectionError("refused")

    async with app.open_async():
        for _ in range(3):
            await ends.defer_async()
            await work(app)
            recorder = app.worker_defaults["worker_middleware"][0]
            assert [thread._conn for thread in recorder._threads if thread._conn] == []
            assert await fetch(database_url, "SELECT worker_id FROM jobs_maint_workers") == []

            async def is_gone() -> bool:  # the server ends a closed session in its own time
                return await fetch(database_url, RECORDER) == []

            await until(is_gone, "the end of the recorder's session")


async def test_a_worker_that_ends_does_not_wait_for_a_database_that_does_not_answer(
    database_url, conn
):
    app = make_app(database_url)

    @app.task(name="ends")
    async def ends() -> None:
        await conn.execute("BEGIN")
        await conn.execute("LOCK TABLE jobs_maint_workers")

    async with app.open_async():
        await ends.defer_async()
        await asyncio.wait_for(work(app), PATIENCE)
        await conn.execute("ROLLBACK")
        gone = "SELECT 1 WHERE NOT EXISTS (SELECT FROM jobs_maint_workers)"
        await wait_for(database_url, gone)


@pytest.mark.parametrize("why", ["told to stop", "cannot ask for a job"])
async def test_a_worker_that_ends_its_last_jobs_listens_to_no_queue(database_url, why):
    app = make_app(database_url, beat=timedelta(seconds=0.5))
    running, may_end = asyncio.Event(), asyncio.Event()

    @app.task(name="lasts")
    async def lasts() -> None:
        running.set()
        await may_end.wait()

    row = "SELECT cardinality(job_ids), queues FROM jobs_maint_workers WHERE queues"
    async with app.open_async():
        await lasts.defer_async()
        worker = asyncio.create_task(
            work(
                app,
                wait=True,
                queues=["default", "mail"],
                concurrency=2,
                fetch_job_polling_interval=0.2,
            )
        )
        await running.wait()
        listens = await wait_for(database_url, f"{row} <> '{{}}'")
        if why == "told to stop":
            worker.cancel()
        else:  # as when the database is away for a moment: the worker ends once its job has
            async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as conn:
                await conn.execute("ALTER FUNCTION procrastinate_fetch_job_v2 RENAME TO gone")
        stops = await wait_for(database_url, f"{row} = '{{}}'")
        may_end.set()
        await asyncio.gather(worker, return_exceptions=True)
    assert (listens, stops) == ([(1, ["default", "mail"])], [(1, [])])


async def test_a_worker_that_stops_takes_the_job_that_it_has_asked_for(database_url):
    app = make_app(database_url)
    worker = Worker(app, concurrency=2)
    assert upstream.takes_jobs(worker)
    await worker._job_semaphore.acquire()
    worker.stop()
    assert upstream.takes_jobs(worker)
    worker._job_semaphore.release()
    assert not upstream.takes_jobs(worker)


async def test_after_a_change_of_the_connector_records_go_to_the_database_of_the_job(
    database_url, server: Server
):
    app = make_app(database_url)
    other = server.create("ours_template")
    url = server.url(other)

    @app.task(name="fails")
    async def fails(where: str) -> None:
        raise ValueError(where)

    try:
        async with app.open_async():
            await fails.defer_async(where="first")
            await work(app)
        connector = procrastinate.PsycopgConnector(conninfo=url, min_size=1, max_size=4)
        with app.replace_connector(connector):
            async with app.open_async():
                await fails.defer_async(where="second")
                await work(app)
        assert await fetch(database_url, "SELECT message FROM jobs_maint_failures") == [("first",)]
        assert await fetch(url, "SELECT message FROM jobs_maint_failures") == [("second",)]
    finally:
        server.drop(other)


async def test_a_beat_names_a_job_that_has_ended_until_its_end_is_stored(database_url, conn):
    app = make_app(database_url)
    holder = await psycopg.AsyncConnection.connect(database_url)
    ended = []

    @app.task(name="quick", pass_context=True)
    async def quick(context: procrastinate.JobContext) -> None:
        await holder.execute(
            "SELECT 1 FROM procrastinate_jobs WHERE id = %s FOR UPDATE", (context.job.id,)
        )
        ended.append(await fetch(database_url, "SELECT clock_timestamp()"))

    async with app.open_async():
        job = await quick.defer_async()
        working = asyncio.create_task(work(app))
        await wait_for_waiting(conn)  # the worker, with the end of the job
        (when,) = ended[0][0]
        query = (
            "SELECT 1 FROM jobs_maint_workers WHERE %s = ANY (job_ids)"
            " AND beat_at > %s + interval '0.1 s'"
        )
        await wait_for(database_url, query, job, when)
        await holder.rollback()
        await working
    await holder.close()
    assert await fetch(database_url, "SELECT status::text FROM procrastinate_jobs") == [
        ("succeeded",)
    ]


async def test_who_left_a_job_whose_end_could_not_be_stored_is_known_after_its_row_is_gone(
    database_url, make_job
):
    """Its last beats name no job. Else it counts as a worker without a recorder, for an hour."""
    gone = await make_job(status="doing")
    done = await make_job(status="succeeded")
    running = RunningWorker(1, None, "never", weakref.ref(Ended()), jobs={gone: 0.0, done: 0.0})
    with psycopg.connect(database_url, autocommit=True) as conn:
        query = "SELECT job_ids FROM jobs_maint_workers"
        beats.send(conn, [running.look(1.0)], seconds=1.0)
        running.jobs.clear()
        beats.send(conn, [running.look(2.0)], seconds=1.0)
        assert conn.execute(query).fetchall() == [([],)]
        beats.say_goodbye(conn, [running.look(3.0)])
        assert conn.execute(query).fetchall() == [([gone],)]
        conn.execute("UPDATE procrastinate_jobs SET status = 'failed' WHERE id = %s", (gone,))
        beats.say_goodbye(conn, [running.look(4.0)])
        assert conn.execute(query).fetchall() == []


async def test_a_worker_that_starts_while_the_last_one_is_dismissed_is_told_of(database_url, conn):
    """The thread that says goodbye for the last worker must not end under the next one's job."""
    app = make_app(database_url)
    holder = await psycopg.AsyncConnection.connect(database_url)

    @app.task(name="quick")
    async def quick() -> None:
        await wait_for_row(conn, "SELECT 1 FROM jobs_maint_workers")
        await holder.execute("SELECT 1 FROM jobs_maint_workers FOR UPDATE")

    @app.task(name="lasts", pass_context=True)
    async def lasts(context: procrastinate.JobContext) -> None:
        await holder.rollback()
        await wait_for(
            database_url,
            "SELECT 1 FROM jobs_maint_workers WHERE %s = ANY (job_ids)",
            context.job.id,
        )

    async with app.open_async():
        await quick.defer_async()
        await work(app)
        goodbye = f"{RECORDER} AND wait_event_type = 'Lock' AND query LIKE %s"
        await wait_for_row(conn, goodbye, ("%DELETE FROM jobs_maint_workers%",))
        await lasts.defer_async()
        await work(app)
    await holder.close()
    rows = await fetch(database_url, "SELECT status::text FROM procrastinate_jobs ORDER BY id")
    assert rows == [("succeeded",), ("succeeded",)]


def failure(body: str, number: int = 1, fingerprint: str = "1:f") -> Failure:
    return Failure(number, 1, "q", "t", "error", "E", "m", "m", fingerprint, False, body)


def test_two_processes_that_store_the_same_tracebacks_cannot_deadlock(database_url):
    small, large = sorted(["one", "two"], key=hash_of)
    with (
        psycopg.connect(database_url) as first,
        connection.connect(database_url, {}) as second,
        psycopg.connect(database_url, autocommit=True) as look,
    ):
        insert = store.load_queries("failures")["insert_traceback"]
        first.execute(insert, {"hash": hash_of(small), "body": small})
        failures = [failure(large), failure(small)]
        thread = threading.Thread(target=store.FailureStore().write, args=(second, failures))
        thread.start()
        waits = "SELECT cardinality(pg_blocking_pids(%s)) > 0"
        wait_until(lambda: look.execute(waits, (second.info.backend_pid,)).fetchone()[0])
        first.execute("SET LOCAL lock_timeout = '3s'")
        first.execute(insert, {"hash": hash_of(large), "body": large})
        first.commit()
        thread.join(10)
        (stored,) = look.execute("SELECT count(*) FROM jobs_maint_failures").fetchone()
    assert stored == 2


def hash_of(body: str) -> bytes:
    return hashlib.sha256(body.encode()).digest()[:16]


def test_the_recorder_leaves_nothing_in_its_session_for_others_behind_a_proxy(database_url):
    with connection.connect(database_url, {}) as conn:
        before = conn.execute("SELECT name, setting FROM pg_settings ORDER BY 1").fetchall()
        for number in range(12):
            store.FailureStore().write(conn, [failure("body", number)])
        assert conn.execute("SELECT name, setting FROM pg_settings ORDER BY 1").fetchall() == before
        assert conn.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
        assert conn.execute("SELECT count(*) FROM jobs_maint_failures").fetchone() == (12,)


def test_what_comes_during_the_threads_last_turn_is_stored(database_url):
    """The last job of the last worker fails while the thread looks whether one is left."""

    def retire() -> bool:
        thread.store(dataclasses.replace(failure("x"), traceback=None))
        return True

    thread = RecorderThread(
        lambda: connection.connect(database_url, {}),
        beat=timedelta(seconds=10), list_workers=list, retire=retire,
    )  # fmt: skip
    thread.start()
    thread.join(10)
    with psycopg.connect(database_url) as look:
        assert look.execute("SELECT count(*) FROM jobs_maint_failures").fetchone() == (1,)


def test_a_batch_of_one_group_keeps_exactly_a_hundred_tracebacks(database_url):
    with connection.connect(database_url, {}) as conn:
        # The hour of the database may turn between two batches, not within one.
        store.FailureStore().write(conn, [failure(f"body {n}", n) for n in range(150)])
        kept = conn.execute("SELECT count(traceback_hash), count(*) FROM jobs_maint_failures")
        assert kept.fetchone() == (100, 150)


@pytest.mark.parametrize("shape", ["group", "chain"])
def test_of_an_exception_of_thousands_only_the_outermost_is_described(shape):
    if shape == "group":
        wide: BaseException = ExceptionGroup("many", [ValueError(n) for n in range(100_000)])
    else:
        wide = ValueError(0)
        for number in range(2_000):
            outer = ValueError(number)
            outer.__cause__, wide = wide, outer
    text = describe_traceback(wide)
    assert "more than 500 exceptions" in text
    assert len(text) < 500


def test_an_exception_whose_text_takes_long_is_asked_for_it_once():
    asked = []

    class Slow(Exception):
        def __str__(self) -> str:
            asked.append(self)
            time.sleep(SLOW_TEXT * 1.5)
            return "at last"

    job = procrastinate.jobs.Job(
        id=1, queue="q", lock=None, queueing_lock=None, task_name="t", attempts=0
    )
    built = build_failure(
        job, Slow(), aborted=False, will_retry=False, has_enough_of=lambda _: False
    )
    assert len(asked) == 1
    assert built.message == "at last"
    assert "Slow: at last\n(its str() was slow, so its causes are not shown)" in built.traceback


def test_a_circle_of_causes_and_a_deep_recursion_are_described():
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert "two" in describe_traceback(one)

    def deep() -> None:
        deep()

    with pytest.raises(RecursionError) as caught:
        deep()
    assert len(describe_traceback(caught.value).encode()) <= TRACEBACK_BYTES


def test_a_failure_without_its_traceback_is_stored_with_its_short_message(database_url):
    stored = dataclasses.replace(failure("body"), message="long", short_message="short")
    short = dataclasses.replace(stored, job_id=2, traceback=None)
    with connection.connect(database_url, {}) as conn:
        store.FailureStore().write(conn, [stored, short])
        rows = conn.execute("SELECT message FROM jobs_maint_failures ORDER BY job_id").fetchall()
    assert rows == [("long",), ("short",)]


@pytest.mark.parametrize("text", ["\0" * 9_000, "\ud800" * 9_000, "🔥" * 9_000, "é" * 4_097])
def test_a_cut_text_fits_and_can_be_stored(text):
    found = cut(text, 4_096)
    assert len(found.encode()) <= 4_096
    assert "\0" not in found
