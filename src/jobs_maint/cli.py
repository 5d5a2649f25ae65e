"""The shell: words → action → perform → table or JSON → exit code.

The answer goes to stdout. What went wrong goes to stderr as one sentence, and stdout stays empty.
Exit codes: `docs/reference/exit-codes.md`.
"""

# ruff: noqa: PLC0415  a word imports only what it needs: --version and help must be quick

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from jobs_maint.errors import (
    PARTLY_DONE,
    InvalidRequest,
    JobNotFound,
    JobsMaintError,
    QueueingLockTaken,
    WrongJobStatus,
)

if TYPE_CHECKING:
    from jobs_maint.actions import Action, Actor
    from jobs_maint.grammar import Request
    from jobs_maint.models import ItemResult

__all__ = ["main"]

OUTPUT_FAILED = 74
UNEXPECTED = 70
INTERRUPTED = 130
BROKEN_PIPE = 141
NOT_A_TERMINAL_WIDTH = 200

_REFUSED: dict[str, type[JobsMaintError]] = {
    "not_found": JobNotFound,
    "wrong_status": WrongJobStatus,
    "queueing_lock_taken": QueueingLockTaken,
}
"""Why a job was not put back → the error it is when it was the only one asked for."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (without the command's name); returns the exit code, never raises."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    as_json = "--json" in words
    try:
        text, code = _answer(words)
    except JobsMaintError as exc:
        _complain(exc.code, _with_suggestion(exc), as_json=as_json)
        return exc.exit_code
    except KeyboardInterrupt:
        _complain("interrupted", "interrupted", as_json=as_json)
        return INTERRUPTED
    except Exception as exc:  # noqa: BLE001  the outermost guard: reported in full below
        _complain_unexpected(exc, as_json=as_json)
        return UNEXPECTED
    return _print(text, code)


def _answer(words: list[str]) -> tuple[str, int]:
    """The text for stdout and the exit code."""
    if words == ["--version"]:
        return f"jobs-maint {_find_version()}", 0
    from jobs_maint import actions, models
    from jobs_maint.grammar import build_help, parse_words

    request = parse_words(words, "shell")
    actor = _find_actor()
    result: Any
    if isinstance(request.action, actions.ShowHelp):
        result = build_help(actor, "shell", request.action.about)
    else:
        result = _perform(actor, request.action)
    code = 0
    if isinstance(result, models.RetryReport) and result.skipped:
        if len(result.items) == 1 and (refused := _REFUSED.get(result.items[0].code)):
            raise refused(_refusal(result.items[0]))
        code = PARTLY_DONE
    return _render(request, result), code


def _refusal(item: ItemResult) -> str:
    return f"Job {item.job_id} was not put back: {(item.reason or item.code).rstrip('.')}."


def _perform(actor: Actor, action: Action) -> object:
    import asyncio
    import logging

    from jobs_maint.actions import ShowSchemaSql
    from jobs_maint.database import open_pool
    from jobs_maint.perform import perform
    from jobs_maint.settings import MaintSettings

    # The pool logs what is also raised; unhandled it would be a second, worse sentence.
    logging.getLogger().addHandler(logging.NullHandler())
    settings = MaintSettings.load()
    if isinstance(action, ShowSchemaSql):
        return asyncio.run(perform(None, actor, action, settings=settings))

    async def run() -> object:
        url = settings.require_database_url()
        async with open_pool(url, min_size=1, max_size=4) as pool:
            return await perform(pool, actor, action, settings=settings)

    return asyncio.run(run())


def _find_version() -> str:
    # Not `from jobs_maint import`: its lazy names reach the tasks, which this layer must not.
    return str(sys.modules["jobs_maint"].__version__)


def _find_actor() -> Actor:
    import getpass
    import socket

    from jobs_maint.actions import Actor

    try:
        login = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user without a name
        login = f"uid{os.getuid()}"
    return Actor.shell(login, socket.gethostname())


def _render(request: Request, result: object) -> str:
    from jobs_maint.render import render_json, render_text

    if request.as_json:
        return render_json(result)
    return render_text(result, width=_find_width(), styled=_is_styled(sys.stdout))


def _find_width() -> int:
    """Cells a line may take: `COLUMNS`, the terminal's, or for a pipe enough to cut little."""
    import shutil

    fallback = (80 if sys.stdout is not None and sys.stdout.isatty() else NOT_A_TERMINAL_WIDTH, 24)
    return shutil.get_terminal_size(fallback).columns


def _is_styled(stream: TextIO | None) -> bool:
    """Bold and colour only where a person looks; see https://no-color.org."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") in {"dumb", "unknown"}:
        return False
    return stream is not None and stream.isatty()


def _print(text: str, code: int) -> int:
    if sys.stdout is None:  # closed by the caller: nobody wants the answer
        return code
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        _discard_output()
        return BROKEN_PIPE
    except OSError as exc:
        _discard_output()
        _complain("output_failed", f"the answer could not be written: {exc.strerror}")
        return OUTPUT_FAILED
    return code


def _discard_output() -> None:
    """Let the interpreter's last flush of stdout succeed."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    os.close(devnull)


def _with_suggestion(exc: JobsMaintError) -> str:
    text = str(exc)
    if isinstance(exc, InvalidRequest) and exc.suggestion and exc.suggestion not in text:
        return f"{text} Try: jobs-maint {exc.suggestion}"
    return text


def _complain(code: str, message: str, *, as_json: bool = False) -> None:
    if as_json:
        _write_error(json.dumps({"error": {"code": code, "message": message}}))
        return
    from jobs_maint.render.safe import safe_line

    _write_error(f"jobs-maint: {safe_line(message)}")


def _complain_unexpected(exc: Exception, *, as_json: bool) -> None:
    import secrets
    import traceback

    from jobs_maint.render.safe import safe_block

    error_id = secrets.token_hex(4)
    message = (
        f"unexpected {type(exc).__name__} (id {error_id}). This is a defect of procrastinate-ops "
        f"{_find_version()}: please report it to its maintainers with the lines that follow."
    )
    lines = "".join(traceback.format_exception(exc))
    if as_json:
        error = {"code": "unexpected", "message": message, "id": error_id, "traceback": lines}
        _write_error(json.dumps({"error": error}))
        return
    _write_error(f"jobs-maint: {message}\n{safe_block(lines.rstrip())}")


def _write_error(text: str) -> None:
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
