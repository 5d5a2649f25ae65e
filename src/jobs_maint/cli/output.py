"""Streams: the answer on stdout, what went wrong on stderr as one sentence."""

# ruff: noqa: PLC0415  a word imports only what it needs: --version and help must be quick

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from typing import TextIO

__all__ = [
    "BROKEN_PIPE",
    "OUTPUT_FAILED",
    "complain",
    "complain_unexpected",
    "find_version",
    "find_width",
    "flush_errors",
    "is_styled",
    "is_terminal",
    "print_answer",
    "write_error",
]

OUTPUT_FAILED = 74
BROKEN_PIPE = 141
SIGNALLED = 128
"""The exit code of what a signal ended is this and the number of the signal."""
NOT_A_TERMINAL_WIDTH = 200


def find_version() -> str:
    # Not `from jobs_maint import`: its lazy names reach the tasks, which this layer must not.
    return str(sys.modules["jobs_maint"].__version__)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person is there; a closed stream has nobody."""
    return stream is not None and not stream.closed and stream.isatty()


def find_width(stream: TextIO | None = None) -> int:
    """Cells a line may take: `COLUMNS`, the terminal's, or for a pipe enough to cut little."""
    import shutil

    fallback = 80 if is_terminal(stream or sys.stdout) else NOT_A_TERMINAL_WIDTH
    return shutil.get_terminal_size((fallback, 24)).columns


def is_styled(stream: TextIO | None) -> bool:
    """Bold and colour only where a person looks; see https://no-color.org."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") in {"dumb", "unknown"}:
        return False
    return is_terminal(stream)


def print_answer(text: str, code: int, *, acted: bool = False, as_json: bool = False) -> int:
    """Write the answer; returns the exit code, which is another one when nobody can read it.

    The code of a signal is kept: that signal may be why. The answer of an act goes to stderr then:
    jobs were changed, and somebody must know.
    """
    try:
        if sys.stdout is None:  # closed by the caller
            raise OSError(errno.EBADF, "standard output is closed")  # noqa: TRY301  as a full disk
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        _discard(sys.stdout)
        if acted:
            _tell_unwritten(text, "nobody reads it", as_json=as_json)
        return code if code > SIGNALLED else BROKEN_PIPE
    except OSError as exc:
        if sys.stdout is not None:
            _discard(sys.stdout)
        _tell_unwritten(text if acted else "", exc.strerror or str(exc), as_json=as_json)
        return code if code > SIGNALLED else OUTPUT_FAILED
    return code


def _tell_unwritten(answer: str, why: str, *, as_json: bool) -> None:
    message = f"the answer could not be written: {why}"
    if answer and as_json:
        error = {"code": "output_failed", "message": message, "answer": json.loads(answer)}
        write_error(json.dumps({"error": error}))
        return
    complain("output_failed", message, as_json=as_json)
    if answer:
        write_error(answer)


def flush_errors() -> None:
    """What a closed terminal does not take must not become the exit code."""
    if sys.stderr is not None:
        try:
            sys.stderr.flush()
        except OSError:
            _discard(sys.stderr)


def _discard(stream: TextIO) -> None:
    """Let the interpreter's last flush of it succeed."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, stream.fileno())
    os.close(devnull)


def complain(code: str, message: str, *, as_json: bool = False) -> None:
    if as_json:
        write_error(json.dumps({"error": {"code": code, "message": message}}))
        return
    from jobs_maint.render.safe import safe_line

    write_error(_fold(f"jobs-maint: {safe_line(message)}"))


def _fold(sentence: str) -> str:
    """Broken between words where a person reads; one line where a program does."""
    if not is_terminal(sys.stderr):
        return sentence
    import textwrap

    from jobs_maint.plain import make_plain

    width = find_width(sys.stderr)
    sentence = make_plain(sentence)
    return textwrap.fill(sentence, width, break_long_words=False, break_on_hyphens=False)


def complain_unexpected(exc: Exception, *, as_json: bool) -> None:
    import secrets
    import traceback

    from jobs_maint.render.safe import safe_block

    error_id = secrets.token_hex(4)
    message = (
        f"unexpected {type(exc).__name__} (id {error_id}). This is a defect of procrastinate-ops "
        f"{find_version()}: please report it to its maintainers with the lines that follow."
    )
    lines = "".join(traceback.format_exception(exc))
    if as_json:
        error = {"code": "unexpected", "message": message, "id": error_id, "traceback": lines}
        write_error(json.dumps({"error": error}))
        return
    write_error(f"jobs-maint: {message}\n{safe_block(lines.rstrip())}")


def write_error(text: str) -> None:
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
