"""`jobs-maint` as a process: with its streams caught, or at a real pseudo-terminal."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from tests.support.forkserver import run, start
from tests.support.processes import environment
from tests.support.waiting import PATIENCE

COMMAND = [sys.executable, "-m", "jobs_maint.cli"]
CTRL_C, CTRL_D = "\x03", "\x04"


def run_shell(url: str, *words: object, **settings: str) -> subprocess.CompletedProcess[str]:
    """One command without a terminal; `settings` are its environment."""
    env = environment(**{"COLUMNS": "80", "JOB_QUEUE_DATABASE_URL": url, **settings})
    return run([*COMMAND, *map(str, words)], env)


def answer(done: subprocess.CompletedProcess[str]) -> str:
    """What a command that went well printed."""
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def data(done: subprocess.CompletedProcess[str], exit_code: int = 0) -> Any:
    """What a command printed as JSON."""
    assert (done.returncode, done.stderr) == (exit_code, ""), done.stderr
    return json.loads(done.stdout)


class Terminal:
    """One command whose controlling terminal is a pseudo-terminal; use it as a context.

    `piped` sends its standard output to a file instead, as in `jobs-maint … > file`.
    """

    def __init__(self, url: str, *words: object, piped: bool = False, **settings: str) -> None:
        self._main, side = os.openpty()
        env = {"TERM": "xterm-256color", "COLUMNS": "80", "JOB_QUEUE_DATABASE_URL": url}
        self._piped = tempfile.TemporaryFile() if piped else None  # noqa: SIM115  as the terminal
        self.popen = start(
            [*COMMAND, *map(str, words)],
            env=environment(**{**env, **settings}), terminal=side, stderr=side,
            stdout=side if self._piped is None else self._piped.fileno(),
        )  # fmt: skip
        os.close(side)
        self.raw = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait(timeout=PATIENCE)
        if self._piped is not None:
            self._piped.close()
        if self._main >= 0:
            os.close(self._main)

    @property
    def text(self) -> str:
        """All that was on the screen, without colours and cursor movements."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.raw).replace("\r\n", "\n")

    def wait_for(self, text: str, timeout: float = PATIENCE) -> None:
        deadline = time.monotonic() + timeout
        while text not in self.text:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} did not appear in:\n{self.text}"
            if not self._read(left):
                assert text in self.text, f"the command ended without {text!r}:\n{self.text}"

    def wait_until_it_reads(self) -> None:
        """As a person types: Python sees a Ctrl-C just before the read begins only after it."""
        call = Path(f"/proc/{self.popen.pid}/syscall")
        deadline = time.monotonic() + PATIENCE
        while call.exists() and not call.read_text().startswith(("0 ", "63 ")):
            assert time.monotonic() < deadline, f"it does not read:\n{self.text}"
            time.sleep(0.01)

    def send(self, keys: str) -> None:
        os.write(self._main, keys.encode())

    def end(self, timeout: float = PATIENCE) -> int:
        """The exit code, when the command has ended by itself."""
        deadline = time.monotonic() + timeout
        while self._read(max(deadline - time.monotonic(), 0)):
            assert time.monotonic() < deadline, f"still running:\n{self.text}"
        return self.popen.wait(timeout=PATIENCE)

    def hang_up(self) -> None:
        """The window is closed."""
        os.close(self._main)
        self._main = -1

    def piped(self) -> str:
        """What went to the file, once the command has ended."""
        assert self._piped is not None
        self._piped.seek(0)
        return self._piped.read().decode()

    def _read(self, timeout: float) -> bool:
        """Whether there may be more."""
        if not select.select([self._main], [], [], timeout)[0]:
            return True
        chunk = b""
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            chunk = os.read(self._main, 65_536)
        self.raw += chunk.decode(errors="replace")
        return bool(chunk)
