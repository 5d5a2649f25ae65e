"""A server whose disk is full: what the doctor says, and a command that has to store something."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.bots import ask, open_bot
from tests.support.server import Server

from jobs_maint import upstream
from jobs_maint.actions import Actor, PreviewPurge
from jobs_maint.database import open_pool
from jobs_maint.errors import DatabaseUnavailable
from jobs_maint.operations.doctor.examine import Situation, examine
from jobs_maint.perform import perform
from jobs_maint.render import render_text
from jobs_maint.settings import MaintSettings
from local_slack.sample import ADMIN, OPS

ANA = Actor.shell("ana", "host")


@pytest.fixture
def disk() -> Iterator[Path]:
    """A small disk of its own, where every user can reach it."""
    if os.getuid() != 0:
        pytest.skip("needs root, to mount a small disk")
    folder = tempfile.mkdtemp(prefix="disk", dir="/tmp")
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "x", folder]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False)
        if mounted.returncode:
            pytest.skip(f"needs the right to mount a disk: {mounted.stderr.decode().strip()}")
        Path(folder).chmod(0o755)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)
    finally:
        Path(folder).rmdir()


@pytest.fixture
def small_url(server: Server, disk: Path) -> Iterator[str]:
    """A database whose files are on that disk."""
    there = disk / "tables"
    there.mkdir()
    owner = (Path(server.folder) / "PG_VERSION").stat()
    shutil.chown(there, owner.st_uid, owner.st_gid)
    name = server.new_name()
    server.execute(f"CREATE TABLESPACE {name} LOCATION '{there}'")
    server.execute(
        f"CREATE DATABASE {name} TEMPLATE ours_template TABLESPACE {name} STRATEGY FILE_COPY"
    )
    try:
        yield server.url(name)
    finally:
        server.drop(name)
        server.execute(f"DROP TABLESPACE {name}")


def fill(disk: Path) -> Path:
    """A file that takes what is left."""
    rest = disk / "rest"
    with rest.open("wb", 0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(64_000))
    return rest


async def test_the_doctor_finds_a_full_disk_and_what_comes_first(small_url, disk):
    situation = Situation(
        settings=MaintSettings(),
        clock=lambda: datetime.now(UTC),
        procrastinate_version=upstream.procrastinate_version(),
    )
    async with open_pool(small_url, max_size=2) as pool:
        before = await examine(pool, situation)
        assert {one.check: one.level for one in before.findings}["disk"] == "ok"
        rest = fill(disk)
        report = await examine(pool, situation)
        first, *others = report.findings
        assert (first.check, first.level) == ("disk", "error")
        assert "Workers cannot start" in first.sentence
        fixes = [one.fix for one in others if one.fix is not None]
        assert fixes
        assert all(fix.startswith("First free space on the disk. ") for fix in fixes)
        text = " ".join(render_text(report).split())
        assert text.index("is full: nothing can be stored") < text.index("First free space")
        rest.unlink()
        assert {one.check: one.level for one in (await examine(pool, situation)).findings} == {
            one.check: one.level for one in before.findings
        }


async def test_a_purge_on_a_full_disk_says_that_it_needs_space_too(small_url, disk):
    async with open_pool(small_url, max_size=2) as pool:
        fill(disk)
        with pytest.raises(DatabaseUnavailable, match="its server, then try again; a purge needs"):
            await perform(pool, ANA, PreviewPurge(), settings=MaintSettings())


async def test_the_bot_answers_what_only_reads_while_the_disk_is_full(small_url, disk):
    async with open_pool(small_url) as pool, open_bot(pool) as (slack, bot):
        rest = fill(disk)
        for words in ("stats", "stuck", "workers", "failed", "help"):
            [answer] = await ask(slack, bot, ADMIN, OPS, f"/jobs {words}")
            assert "disk" not in answer.text, words
        [answer] = await ask(slack, bot, ADMIN, OPS, "/jobs retry 1")
        assert "The disk of the jobs database is full" in answer.text
        rest.unlink()
