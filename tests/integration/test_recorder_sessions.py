"""The recorder's connection is one as the team's pool makes them now, not as it did once."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta

import procrastinate
import psycopg
import pytest
from psycopg.rows import dict_row
from tests.integration.test_recorder import RECORDER, fetch, wait_for, work
from tests.support.waiting import PATIENCE

import jobs_maint
from jobs_maint.settings import MaintSettings

OPTIONS = {"rescue_cron": "", "purge_cron": ""}


async def find_recorder(url: str) -> list[tuple[int]]:
    """Its process, once its first beat is over: from then on a lost connection is replaced."""
    await wait_for(url, "SELECT 1 FROM jobs_maint_workers")
    return await wait_for(url, RECORDER)


class Login:
    """Whom the team's secret store names now."""

    def __init__(self, server, url) -> None:
        self.server, self.url = server, url
        self.user = self.new()

    def new(self) -> str:
        name = self.server.new_name()
        self.server.execute(f"CREATE ROLE {name} LOGIN SUPERUSER")
        return name

    def rotate(self) -> None:
        """The old one is locked out at once, and so is whoever works under it."""
        old, self.user = self.user, self.new()
        self.server.execute(f"ALTER ROLE {old} NOLOGIN")
        self.server.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{old}'"
        )

    def conninfo(self) -> str:
        return psycopg.conninfo.make_conninfo(self.url, user=self.user)

    async def conninfo_later(self) -> str:
        await asyncio.sleep(0)
        return self.conninfo()

    def kwargs(self) -> dict[str, object]:
        return {"user": self.user, "row_factory": dict_row}


@pytest.fixture
def login(server, database_url):
    return Login(server, database_url)


def make_app(settings=OPTIONS, **pool) -> procrastinate.App:
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(min_size=1, max_size=2, **pool)
    )
    jobs_maint.register(app, MaintSettings(**settings))
    return app


def choose(login: Login, how: str) -> dict[str, object]:
    if how == "class":

        class FromTheStore(psycopg.AsyncConnection):
            @classmethod
            async def connect(cls, conninfo="", **kwargs):
                return await super().connect(conninfo, **{**kwargs, "user": login.user})

        return {"conninfo": login.url, "connection_class": FromTheStore}
    if how == "keywords":
        return {"conninfo": login.url, "kwargs": login.kwargs}
    return {"conninfo": login.conninfo if how == "function" else login.conninfo_later}


@pytest.mark.parametrize("how", ["function", "async function", "keywords", "class"])
async def test_after_a_rotation_of_the_login_errors_are_still_recorded(login, database_url, how):
    app = make_app(**choose(login, how))

    @app.task(name="fails")
    async def fails(number: int) -> None:
        await find_recorder(database_url)
        if number:
            login.rotate()
        raise ValueError(number)

    async with app.open_async():
        for number in range(2):
            await fails.defer_async(number=number)
        await work(app)
    found = await fetch(database_url, "SELECT message FROM jobs_maint_failures ORDER BY 1")
    assert found == [("0",), ("1",)]


async def test_a_login_that_is_refused_is_logged_in_the_servers_words_until_it_is_let_in(
    login, server, database_url, caplog
):
    app = make_app({**OPTIONS, "beat": timedelta(seconds=0.2)}, conninfo=login.conninfo)

    @app.task(name="fails")
    async def fails() -> None:
        name = login.user
        ((pid,),) = await find_recorder(database_url)
        server.execute(f"ALTER ROLE {name} NOLOGIN")
        await fetch(database_url, "SELECT pg_terminate_backend(%s)", pid)
        async with asyncio.timeout(60):
            # Recorders of earlier tests, whose databases are gone, complain too.
            while f'role "{name}" is not permitted to log in' not in caplog.text:
                await asyncio.sleep(0.02)
            server.execute(f"ALTER ROLE {name} LOGIN")
            while "recorder_recovered" not in caplog.text:
                await asyncio.sleep(0.02)
        raise ValueError("after it")

    async with app.open_async():
        await fails.defer_async()
        with caplog.at_level(logging.WARNING, "jobs_maint"):
            await work(app)
    assert f'role "{login.user}" is not permitted to log in' in caplog.text
    assert len(await fetch(database_url, "SELECT 1 FROM jobs_maint_failures")) == 1


async def test_what_the_pool_does_with_each_connection_is_done_with_the_recorders_too(
    server, database_url
):
    """A login without a right of its own, that becomes the owner."""
    plain, owner = server.new_name(), server.new_name()
    server.execute(f"CREATE ROLE {owner} SUPERUSER")
    server.execute(f"CREATE ROLE {plain} LOGIN NOINHERIT IN ROLE {owner}")

    async def configure(conn: psycopg.AsyncConnection) -> None:
        await conn.execute(f"SET ROLE {owner}")
        await conn.commit()

    url = psycopg.conninfo.make_conninfo(database_url, user=plain)
    app = make_app(conninfo=url, configure=configure)

    @app.task(name="fails")
    async def fails() -> None:
        raise ValueError("as the owner")

    async with app.open_async():
        await fails.defer_async()
        await work(app)
    assert await fetch(database_url, "SELECT message FROM jobs_maint_failures") == [
        ("as the owner",)
    ]


async def test_a_blocked_event_loop_cannot_be_asked_and_its_job_is_named_all_the_same(
    login, database_url
):
    app = make_app({**OPTIONS, "beat": timedelta(seconds=0.5)}, conninfo=login.conninfo_later)
    seen = []

    @app.task(name="blocks")
    async def blocks() -> None:
        ((pid,),) = await find_recorder(database_url)
        with psycopg.connect(database_url, autocommit=True) as look:
            look.execute("SELECT pg_terminate_backend(%s)", (pid,))
            deadline = time.monotonic() + 60
            while not seen and time.monotonic() < deadline:  # nothing else runs in this loop
                seen.extend(
                    look.execute(
                        "SELECT 1 FROM jobs_maint_workers, pg_stat_activity a"
                        " WHERE application_name = 'jobs-maint-recorder' AND a.pid <> %s"
                        " AND datname = current_database() AND beat_at > backend_start",
                        (pid,),
                    )
                )
                time.sleep(0.02)

    async with app.open_async():
        await blocks.defer_async()
        await work(app)
    assert seen


async def test_a_function_that_never_answers_holds_up_no_job(login, database_url):
    asked = asyncio.Event()

    async def conninfo() -> str:
        if asyncio.current_task().get_name().startswith("pool-"):
            return login.conninfo()
        asked.set()
        return await asyncio.Future()

    app = make_app(conninfo=conninfo)

    @app.task(name="fails")
    async def fails() -> None:
        await asked.wait()
        raise ValueError("unrecorded")

    async with app.open_async():
        await fails.defer_async()
        async with asyncio.timeout(PATIENCE):
            await work(app)
    assert await fetch(database_url, "SELECT status::text FROM procrastinate_jobs") == [("failed",)]
