"""A command for a PATH, so that a shell or a script may call it, which becomes a forked process."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.forkserver import connect

STREAM = "FORK_SERVER"
"""In the command's environment: the number of the server's stream, which it must inherit."""
FORKED = """#!{python} -SI
import json, os, socket, sys
request = {{"words": ["{module}", *sys.argv[1:]], "env": {{**os.environ}}, "terminal": False,
           "folder": os.getcwd()}}
told, theirs = os.pipe()
with socket.socket(fileno=int(os.environ["{stream}"])) as server:
    socket.send_fds(server, [json.dumps(request).encode()], [0, 1, 2, theirs])
os.close(theirs)
os.read(told, 16)  # its pid
code = os.waitstatus_to_exitcode(int(os.read(told, 16)))
sys.exit(code if code >= 0 else 128 - code)
"""
STARTED = """#!/bin/sh
exec "{python}" -m {module} "$@"
"""


def make_command(path: Path, module: str) -> dict[str, str]:
    """A file that runs `python -m MODULE …`; callers need this environment and `passed(env)`."""
    forks = hasattr(os, "pidfd_open")
    text = FORKED if forks else STARTED
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.format(python=sys.executable, module=module, stream=STREAM))
    path.chmod(0o755)
    return {STREAM: str(connect().fileno())} if forks else {}


def passed(env: Mapping[str, str]) -> list[int]:
    """What a process with this environment inherits, for `pass_fds`."""
    return [int(env[STREAM])] if STREAM in env else []
