"""Apps whose connector has no psycopg pool: nothing is done in a database nobody named for it."""

from __future__ import annotations

import logging

import procrastinate
import psycopg
import pytest
from procrastinate import testing
from tests.integration.test_recorder import fetch, work
from tests.support.history import days
from tests.support.poolless import PoollessConnector

import chatbot
import jobs_maint
from chatbot.settings.bot import ChatbotSettings
from jobs_maint.settings import MaintSettings

TICKS = ("jobs_maint:rescue_stalled_jobs", "jobs_maint:purge_finished_jobs")
DIGEST = {"name": "ops", "channel": "C0OPS", "cron": "0 9 * * *"}


def make_app(connector, **settings) -> procrastinate.App:
    app = procrastinate.App(connector=connector)
    maint = MaintSettings.load(purge_cron="", rescue_cron="", **settings)
    jobs_maint.register(app, maint)
    slack = {"slack_bot_token": "xoxb-1", "slack_api_url": "http://127.0.0.1:1/"}
    chatbot.register_digests(app, ChatbotSettings(**slack, digests=[DIGEST]), maint=maint)
    app.periodic_registry.periodic_tasks.clear()

    @app.task(name="fails")
    async def fails() -> None:
        raise ValueError("the unit test's own")

    return app


async def run_everything(app) -> None:
    async with app.open_async():
        await app.tasks["fails"].defer_async()
        for tick in TICKS:
            await app.tasks[tick].defer_async(timestamp=0)
        await app.tasks["chatbot:send_digest"].defer_async(timestamp=1_700_000_000, name="ops")
        await work(app)


def dump(url: str) -> list[object]:
    tables = ("procrastinate_jobs", "procrastinate_workers", "jobs_maint_failures",
              "jobs_maint_workers", "jobs_maint_suspects", "jobs_maint_audit",
              "jobs_maint_digests")  # fmt: skip
    with psycopg.connect(url) as conn:
        return [conn.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in tables]


@pytest.fixture
async def production(make_job, conn, database_url):
    """A job that is due for the purge, one that is stuck, and a living worker."""
    for status in ("succeeded", "failed", "doing"):
        await make_job(status=status, finished_ago=days(400), deferred_ago=days(401))
    await conn.execute(
        "INSERT INTO jobs_maint_workers (worker_id, host, pid, recorder_version, delete_jobs,"
        " beat_seconds, job_ids) VALUES (1, 'real', 1, '1', 'never', 10, '{1}')"
    )
    return database_url


@pytest.mark.parametrize("name", ["JOB_QUEUE_DATABASE_URL", "JOBS_MAINT_WORKER_DATABASE_URL"])
async def test_a_unit_test_in_memory_touches_no_database_whatever_is_set(
    production, monkeypatch, caplog, name
):
    monkeypatch.setenv(name, production)
    monkeypatch.setenv("PGHOST", production)
    before = dump(production)
    connector = testing.InMemoryConnector()
    app = make_app(connector)
    with caplog.at_level(logging.INFO):
        await run_everything(app)
    assert dump(production) == before
    assert caplog.text.count("jobs_maint.recorder_off") == 1
    assert "InMemoryConnector" in caplog.text
    # Our tasks end well there: a team may look for failed jobs after its own test.
    ended = {job["task_name"]: job["status"] for job in connector.jobs.values()}
    assert ended == {
        "fails": "failed",
        **dict.fromkeys((*TICKS, "chatbot:send_digest"), "succeeded"),
    }


async def test_the_address_of_the_shell_is_not_taken_for_another_connector(
    production, monkeypatch, caplog, server
):
    monkeypatch.setenv("JOB_QUEUE_DATABASE_URL", production)
    name = server.create("ours_template")
    try:
        before = dump(production)
        app = make_app(PoollessConnector(server.url(name)))
        with caplog.at_level(logging.WARNING):
            await run_everything(app)
        assert dump(production) == before
        assert await fetch(server.url(name), "SELECT 1 FROM jobs_maint_failures") == []
    finally:
        server.drop(name)
    assert caplog.text.count("jobs_maint.recorder_off") == 1
    assert caplog.text.count("JOBS_MAINT_WORKER_DATABASE_URL is not set") >= 2
    assert " JOB_QUEUE_DATABASE_URL" not in caplog.text


async def test_an_address_named_for_the_purpose_is_taken(database_url, monkeypatch, conn):
    monkeypatch.setenv("JOBS_MAINT_WORKER_DATABASE_URL", database_url.replace("ql:", "ql+psycopg:"))
    app = make_app(PoollessConnector(database_url))
    await run_everything(app)
    assert await fetch(
        database_url, "SELECT message FROM jobs_maint_failures WHERE queue_name = 'default'"
    ) == [("the unit test's own",)]
    ended = await fetch(
        database_url,
        "SELECT DISTINCT status::text FROM procrastinate_jobs WHERE task_name LIKE 'jobs_maint:%%'",
    )
    assert ended == [("succeeded",)]


async def test_a_wrong_address_is_told_by_the_name_of_its_own_setting(database_url, caplog):
    app = make_app(PoollessConnector(database_url), worker_database_url="host=/nowhere dbname=x")
    with caplog.at_level(logging.WARNING):
        await run_everything(app)
    assert "that JOBS_MAINT_WORKER_DATABASE_URL is right" in caplog.text


async def test_a_connector_that_is_replaced_by_one_in_memory_and_back_is_recorded_again(
    database_url, caplog
):
    app = make_app(procrastinate.PsycopgConnector(conninfo=database_url, min_size=1, max_size=2))

    async def fail_once() -> None:
        async with app.open_async():
            await app.tasks["fails"].defer_async()
            await work(app)

    with app.replace_connector(testing.InMemoryConnector()):
        await fail_once()
    await fail_once()
    assert len(await fetch(database_url, "SELECT 1 FROM jobs_maint_failures")) == 1
