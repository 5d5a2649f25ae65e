"""Processes of the demo, started and ended without blocking the local Slack that runs beside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from local_slack import ControlError

T = TypeVar("T")
ROOT = Path(__file__).parents[1]
POLL = 0.05


class StageError(ControlError):
    """Something did not start; the text says what, and ends with its output."""


class Program:
    """One process in a session of its own; its output goes to a file."""

    def __init__(self, name: str, args: list[str], env: dict[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.is_ending = False
        """Whether its end is meant."""
        with self.log.open("wb") as out:
            self.popen = subprocess.Popen(
                [sys.executable, *args],
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    async def wait_for(self, pattern: str, timeout: float = 60) -> re.Match[str]:  # noqa: ASYNC109
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            text = self.log.read_text(errors="replace")
            if found := re.search(pattern, text):
                return found
            if self.popen.poll() is not None:
                break
            await asyncio.sleep(POLL)
        raise StageError(f"{self.name} did not start:\n{self.log.read_text(errors='replace')}")

    def tail(self, lines: int = 10) -> str:
        """The end of what it printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def kill(self) -> None:
        self.is_ending = True
        self.popen.kill()
        self.popen.wait()

    async def stop(self, patience: float = 8.0) -> None:
        self.is_ending = True
        with contextlib.suppress(ProcessLookupError):
            self.popen.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + patience
        while self.popen.poll() is None:
            if time.monotonic() > deadline:
                self.kill()
            await asyncio.sleep(POLL)


async def run_to_end(args: list[str], env: dict[str, str]) -> str:
    """Run one command and return what it printed; end it when this is cancelled."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *args,
        cwd=ROOT, env=env, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        out, err = await process.communicate()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise
    if process.returncode:
        raise StageError(f"{' '.join(args)} ended with {process.returncode}: {err.decode()}")
    return out.decode()


async def insist(work: Coroutine[Any, Any, T]) -> T:
    """Do it to its end, however often this is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    return task.result()
