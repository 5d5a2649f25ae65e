"""The runbook's blocks: read, run as a person at a terminal would, compared with what must come."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import shutil
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.support.commands import passed

ROOT = Path(__file__).parents[2]
PSQL = shutil.which("psql")
PROMPT = "[y/N] "


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    title: str
    """The heading above it."""
    line: int
    language: str
    body: str
    expected: str | None
    """The ```text block that follows, when one does."""

    def __str__(self) -> str:
        return f"{self.title}, line {self.line}"


def read_blocks(path: Path) -> list[Block]:
    """All blocks in order; a ```text block belongs to the block before it."""
    title, fence, start = "", None, 0
    body: list[str] = []
    blocks: list[Block] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if fence is not None:
            if line != "```":
                body.append(line)
                continue
            text = "\n".join(body)
            if fence == "text" and blocks and blocks[-1].expected is None:
                before = blocks.pop()
                text = text or "\n"
                blocks.append(Block(before.title, before.line, before.language, before.body, text))
            else:
                blocks.append(Block(title, start, fence, text, None))
            fence = None
        elif line.startswith("```"):
            fence, start, body = line[3:], number, []
        elif line.startswith("#"):
            title = line.lstrip("#").strip()
    return blocks


def matches(expected: str, actual: str) -> bool:
    """Whether the output has this shape; `…` is any text, on a line of its own any lines.

    Runs of blanks are one blank, empty lines do not count, and a line may break elsewhere: how wide
    a column or a time is, is no promise.
    """
    pattern = ""
    for line in _lines(expected):
        if line == "…":
            pattern += r"(?:.*\n)*"
        else:
            parts = (re.escape(part).replace(r"\ ", r"\s") for part in line.split("…"))
            pattern += ".*".join(parts) + r"\s"
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(actual))) is not None


def _lines(text: str) -> list[str]:
    lines = (re.sub(r"-{2,}", "--", " ".join(line.split())) for line in text.splitlines())
    return [line for line in lines if line]


@dataclass(frozen=True)
class Ended:
    code: int
    text: str


def run_at_terminal(
    args: Sequence[str | os.PathLike[str]],
    env: dict[str, str],
    *,
    answer: str = "",
    cwd: Path = ROOT,
    timeout: float = 60,
) -> Ended:
    """Run it at a pseudo-terminal of 80 columns; `answer` is typed at each prompt."""
    main, side = os.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    process = subprocess.Popen(
        args, cwd=cwd, env={**env, "TERM": "dumb", "PAGER": "cat"},
        stdin=side, stdout=side, stderr=side, start_new_session=True,
        pass_fds=passed(env), preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(side)
    raw, prompts = "", 0
    deadline = time.monotonic() + timeout
    try:
        while True:
            left = deadline - time.monotonic()
            if left < 0:
                raise AssertionError(f"still running after {timeout} s:\n{raw}")
            if not select.select([main], [], [], left)[0]:
                continue
            chunk = b""
            with contextlib.suppress(OSError):  # EIO: the other end is closed
                chunk = os.read(main, 65_536)
            if not chunk:
                break
            raw += chunk.decode(errors="replace")
            if answer and raw.count(PROMPT) > prompts:
                prompts += 1
                os.write(main, answer.encode())
        code = process.wait(timeout=10)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(timeout=10)
        os.close(main)
    return Ended(code, raw.replace("\r\n", "\n"))


def run_sql(url: str, statements: str) -> Ended:
    """What `psql` prints; where there is no psql, the same by psycopg."""
    if PSQL is None:
        return Ended(0, _print_by_psycopg(url, statements))
    ended = subprocess.run(
        [PSQL, "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--quiet", url], input=statements,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return Ended(ended.returncode, ended.stdout + ended.stderr)


def _print_by_psycopg(url: str, statements: str) -> str:
    shown = []
    with psycopg.connect(url, autocommit=True) as conn:
        cursor = conn.execute(statements)  # without parameters: several statements may stand there
        while True:
            if cursor.description is not None and cursor.pgresult is not None:
                found = cursor.pgresult  # the server's own text, which psql shows too
                columns = range(found.nfields)
                shown.append(" | ".join(column.name for column in cursor.description))
                shown.append("-+-".join("--" for _ in columns))
                for row in range(found.ntuples):
                    values = (found.get_value(row, column) or b"" for column in columns)
                    shown.append(" | ".join(value.decode() for value in values))
                shown.append(f"({found.ntuples} row{'' if found.ntuples == 1 else 's'})")
            if not cursor.nextset():
                return "\n".join(shown)
