"""A real PostgreSQL for the whole run; a fresh database from a template for each test."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the sample app in demo/ and the helpers of the tests

from tests.support.debian import german_postgresql  # noqa: E402
from tests.support.history import JobFactory  # noqa: E402
from tests.support.processes import Processes  # noqa: E402
from tests.support.server import Server, running_server  # noqa: E402
from tests.support.shell import run_shell  # noqa: E402

# What a shell starts with `&` ignores Ctrl-C, and so would whatever the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
gc.disable()  # until all tests are collected: see pytest_collection_finish

LONG = (
    "test_digest_windows.py", "test_bot_stories.py", "test_page.py",
    "test_runbook.py", "test_workers.py", "test_demo.py",
    "test_plans.py",
)  # fmt: skip
OURS = ("JOB_QUEUE_", "JOBS_", "CHATBOT_", "SLACK_", "PG")


@pytest.hookimpl(trylast=True)  # of those that are left: -m and -k have taken theirs away
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each worker of `--dist worksteal` gets an equal part in order: let each begin with long ones.

    Begun last, one of them would keep a single worker busy when the others have nothing left.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = sorted(
        (item for item in items if item.path.name in LONG),
        key=lambda item: LONG.index(item.path.name),
    )
    rest = [item for item in items if item.path.name not in LONG]
    total = len(items)
    items.clear()
    for worker in range(workers):
        size = (total - len(items)) // (workers - worker)
        first = long[worker::workers]
        begin = len(items) - sum(len(long[earlier::workers]) for earlier in range(worker))
        items += [*first, *rest[begin : begin + size - len(first)]]


def pytest_collection_finish() -> None:
    """What is there now stays: to look through it for garbage again and again takes long."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(OURS):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running_server(fsync="off", log_min_messages="fatal") as found, found.connected():
        yield found


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


@pytest.fixture(scope="session")
def german() -> Iterator[Server]:
    """PostgreSQL 15 with German messages."""
    with german_postgresql() as found:
        found.make_templates()
        yield found


@pytest.fixture
def german_url(german: Server) -> Iterator[str]:
    """As `database_url`, on that server."""
    name = german.create("ours_template")
    yield german.url(name)
    with psycopg.connect(german.url(name), autocommit=True) as conn:
        for (gid,) in conn.execute("SELECT gid FROM pg_prepared_xacts").fetchall():
            conn.execute(SQL("ROLLBACK PREPARED {}").format(gid))
    german.drop(name)


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
