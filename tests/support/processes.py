"""Start real processes with their output in files, and end them by their id."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.forkserver import ROOT, SOURCES, start
from tests.support.waiting import PATIENCE

__all__ = ["ROOT", "Process", "Processes", "environment"]


def environment(**settings: str) -> dict[str, str]:
    """The machine's environment without settings of ours, plus these."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JOB_QUEUE_", "JOBS_", "CHATBOT_", "SLACK_", "PG"))
        and name.lower() not in {"http_proxy", "https_proxy", "all_proxy"}
    }
    return {**kept, "PYTHONPATH": SOURCES, **settings}


class Process:
    """One process; its output so far is `output`."""

    def __init__(self, args: list[str], env: dict[str, str]) -> None:
        self._file = tempfile.NamedTemporaryFile("a", prefix="out", suffix=".log")  # noqa: SIM115  closed with the process
        self.popen = start(args, env=env, stdout=self._file.fileno(), stderr=self._file.fileno())

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def output(self) -> str:
        return Path(self._file.name).read_text(encoding="utf-8", errors="replace")

    def send(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.popen.kill()
        self.popen.wait(timeout=PATIENCE)

    def wait(self, timeout: float = PATIENCE) -> int:
        try:
            return self.popen.wait(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout} s:\n{self.output}") from None

    def close(self) -> None:
        if self.popen.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.popen.wait(timeout=PATIENCE)
        self._file.close()


class Processes:
    """All processes of one test."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url
        self._started: list[Process] = []

    def start(self, *args: str, python: str = sys.executable, **settings: str) -> Process:
        env = environment(JOB_QUEUE_DATABASE_URL=self.database_url, **settings)
        process = Process([python, *args], env)
        self._started.append(process)
        return process

    def kill_all(self) -> None:
        for process in self._started:
            process.close()
