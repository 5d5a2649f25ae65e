"""Processes that need not import the world first: each is forked from one that has.

`python -m jobs_maint.cli stats` takes half a second of work before its first own line, and the
tests start some seven hundred processes. The server imports what they import, once; on request it
forks, and the fork becomes what was asked for: with its own pid, environment, streams, signals,
threads and end, like any process. What it does not show is how an interpreter starts; whatever
is about that is started by `subprocess`. Nor how one is taken apart at its end: see `_end`.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import gc
import io
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
AT_START = ("PYTHON", "LC_", "LANG", "LD_", "TZ")
"""What an interpreter reads before our code could: a fork would not see the change."""
SOURCES = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
REQUEST = 128 * 1024


class Forked:
    """One process, with the part of `subprocess.Popen` that the tests use."""

    def __init__(self, told: int) -> None:
        self._told = told
        self.pid = int(os.read(told, 16))
        self.returncode: int | None = None
        self._reading = threading.Lock()

    def __del__(self) -> None:
        os.close(self._told)

    def poll(self) -> int | None:
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _look(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], timeout)[0]:
            with self._reading:
                if self.returncode is None:
                    self.returncode = os.waitstatus_to_exitcode(int(os.read(self._told, 16)))
        return self.returncode


def start(
    args: Sequence[str],
    *,
    env: dict[str, str],
    stdout: int,
    stderr: int,
    terminal: int | None = None,
) -> Forked | subprocess.Popen[bytes]:
    """A program with these streams in a session of its own, in the project's folder.

    `python -m MODULE …` is forked where that comes to the same. `terminal`: its stdin and
    controlling terminal; else there is nothing to read.
    """
    with Path(os.devnull).open("rb") as nothing:
        stdin = nothing.fileno() if terminal is None else terminal
        if not _is_the_same(args, env):
            return subprocess.Popen(
                args, cwd=ROOT, env=env, stdin=stdin, stdout=stdout, stderr=stderr,
                start_new_session=True, preexec_fn=None if terminal is None else _take_terminal,
            )  # fmt: skip
        request = {
            "words": list(args[2:]), "env": env, "terminal": terminal is not None,
            "folder": str(ROOT),
        }  # fmt: skip
        ours, theirs = os.pipe()
        streams = [stdin, stdout, stderr, theirs]
        socket.send_fds(connect(), [json.dumps(request).encode()], streams)
        os.close(theirs)
    return Forked(ours)


def run(args: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The same until its end, with what it printed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = start(args, env=env, stdout=out.fileno(), stderr=err.fileno())
        try:
            code = process.wait(90)
        finally:
            process.kill()
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(args, code, *texts)


def _is_the_same(args: Sequence[str], env: dict[str, str]) -> bool:
    here = {name for name in {*env, *os.environ} if name.startswith(AT_START)} - {"PYTHONPATH"}
    return (
        hasattr(os, "pidfd_open")
        and args[:2] == [sys.executable, "-m"]
        and all(env.get(name) == os.environ.get(name) for name in here)
        and env.get("PYTHONPATH") == SOURCES
    )


@functools.cache
def connect() -> socket.socket:
    """The end to send requests to; the server ends when it is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server = subprocess.Popen(
        [sys.executable, "-m", __name__, str(theirs.fileno())], pass_fds=[theirs.fileno()],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": SOURCES}, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    theirs.close()

    def end() -> None:
        ours.close()
        server.wait(90)

    atexit.register(end)
    return ours


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


# --- the server -----------------------------------------------------------------------------------


def _import_the_world() -> None:
    """And read what each process reads once and keeps: the SQL, the words, the pages."""
    import chatbot.cli
    import chatbot.digests.tasks  # noqa: F401
    import jobs_maint.cli.confirm  # noqa: F401
    from jobs_maint import cli, sql
    from jobs_maint.grammar.words import build_grammar

    for file in Path(sql.__file__).parent.glob("*.sql"):
        sql.load_queries(file.stem)
    build_grammar("slack")
    with contextlib.redirect_stdout(io.StringIO()):
        cli.main(["help"])


def _wait_for_request(requests: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Returns in a fork only, with what it is to become and its streams."""
    running: dict[int, tuple[int, int]] = {}
    while True:
        ready, *_ = select.select([requests.fileno(), *running], [], [])
        for ended in running.keys() & set(ready):
            pid, told = running.pop(ended)
            with contextlib.suppress(BrokenPipeError):  # nobody waits for it
                os.write(told, b"%-15d\n" % os.waitpid(pid, 0)[1])
            os.close(told)
            os.close(ended)
        if requests.fileno() not in ready:
            continue
        packet, streams, *_ = socket.recv_fds(requests, REQUEST, 4)
        if not packet:
            os._exit(0)
        if (pid := os.fork()) == 0:
            return json.loads(packet), streams[:3]
        *streams, told = streams
        os.write(told, b"%-15d\n" % pid)
        running[os.pidfd_open(pid)] = pid, told
        for stream in streams:
            os.close(stream)


def _become(request: dict[str, Any], streams: list[int]) -> None:
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, 1024)
    if request["terminal"]:
        _take_terminal()
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["env"])
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        was = getattr(sys, name)
        stream = open(  # noqa: SIM115  as at an interpreter's start
            number, was.mode, encoding=was.encoding, errors=was.errors, closefd=False
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.stderr.reconfigure(line_buffering=True)
    module, *words = request["words"]
    sys.argv = [module, *words]
    code: object = None
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as exc:
        code = exc.code
        if not isinstance(code, int | None):
            raise
    _end(code or 0)


def _end(code: int) -> None:
    """As an interpreter ends, but without taking apart, and so copying, all that is shared.

    What nobody holds any more still tells so: tasks and connections that were left open.
    """
    threading._shutdown()
    atexit._run_exitfuncs()
    gc.collect()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(code)  # the interpreter's own end tries it again, and has a code for it
    os._exit(code)


if __name__ == "__main__":
    _import_the_world()
    gc.freeze()  # what is shared with the forks stays shared
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        become = _wait_for_request(asked)
    _become(*become)
