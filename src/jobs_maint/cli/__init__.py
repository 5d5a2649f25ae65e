"""The shell: words → action → perform → table or JSON → exit code.

The answer goes to stdout. What went wrong goes to stderr as one sentence, and stdout stays empty.
Exit codes: `docs/reference/exit-codes.md`.
"""

# ruff: noqa: PLC0415  a word imports only what it needs: --version and help must be quick

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jobs_maint.cli.output import (
    BROKEN_PIPE,
    OUTPUT_FAILED,
    complain,
    complain_unexpected,
    find_version,
    find_width,
    flush_errors,
    is_styled,
    print_answer,
)
from jobs_maint.errors import InvalidRequest, JobsMaintError
from jobs_maint.interrupts import INTERRUPTED, find_code
from jobs_maint.plain import prepare_streams, show_on
from jobs_maint.quoting import requote

if TYPE_CHECKING:
    from jobs_maint.actions import Actor
    from jobs_maint.grammar import Command

__all__ = ["BROKEN_PIPE", "INTERRUPTED", "OUTPUT_FAILED", "UNEXPECTED", "main", "run_process"]

UNEXPECTED = 70
COMPLETE = "_JOBS_MAINT_COMPLETE"
SELDOM = 100_000
"""New objects from one collection of garbage to the next: the imports alone make tens of thousands,
and looking through them again and again took a quarter of a command's time."""


def run_process() -> int:
    """One command in a process of its own; returns the exit code."""
    gc.set_threshold(SELDOM)
    code = main()
    flush_errors()
    gc.freeze()  # the interpreter's last collection need not look through what ends anyway
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (without the command's name); returns the exit code, never raises."""
    words = list(sys.argv[1:] if argv is None else argv)
    prepare_streams()
    as_json = "--json" in words
    try:
        if not all(word[:1].isascii() for word in words):
            from jobs_maint.grammar import read_dashes

            words = read_dashes(words)
            as_json = "--json" in words
        show_on(None if as_json else sys.stdout)
        if instruction := os.environ.get(COMPLETE):
            from jobs_maint.cli.completion import complete

            return complete(instruction, COMPLETE)
        text, code, acted = _answer(words)
    except JobsMaintError as exc:
        complain(exc.code, _with_suggestion(exc), as_json=as_json)
        return exc.exit_code
    except KeyboardInterrupt as exc:
        complain("interrupted", str(exc) or "interrupted", as_json=as_json)
        return find_code(exc)
    except Exception as exc:  # noqa: BLE001  the outermost guard: reported in full below
        complain_unexpected(exc, as_json=as_json)
        return UNEXPECTED
    return print_answer(text, code, acted=acted, as_json=as_json)


def _answer(words: list[str]) -> tuple[str, int, bool]:
    """The text for stdout, the exit code, and whether it tells of changes."""
    if words == ["--version"]:
        return f"jobs-maint {find_version()}", 0, False
    from jobs_maint import actions
    from jobs_maint.cli.login import find_actor
    from jobs_maint.grammar import build_help, parse_words

    command = parse_words(words, "shell")
    actor = find_actor()
    action = command.action
    if isinstance(action, actions.ShowHelp):
        return _render(command, build_help(actor, "shell", action.about)), 0, False
    result, code = _carry_out(actor, command)
    acts = (action.act or isinstance(action, actions.PreviewDropSchema)) and not command.dry_run
    return result if isinstance(result, str) else _render(command, result), code, acts


def _carry_out(actor: Actor, command: Command) -> tuple[object, int]:
    """The result, or a sentence, and the exit code; asks first where that is needed."""
    from jobs_maint import actions
    from jobs_maint.models import Preview

    action = command.action
    if isinstance(action, actions.PreviewBulk | actions.PreviewPurge | actions.PreviewRescue):
        from jobs_maint.cli.confirm import confirm

        return confirm(actor, command)
    if isinstance(action, actions.PreviewDropSchema):
        from jobs_maint.cli.confirm import confirm_drop

        return confirm_drop(actor, command)
    from jobs_maint.cli import run
    from jobs_maint.cli.outcome import find_exit_code

    result = run.perform_action(actor, action)
    if isinstance(action, actions.RescueJobs) and isinstance(result, Preview):
        from jobs_maint.cli.confirm import confirm_shown

        return confirm_shown(actor, command, result)
    return result, find_exit_code(result)


def _render(command: Command, result: object) -> str:
    from jobs_maint.render import render_json, render_text

    if command.as_json:
        return render_json(result)
    width, styled = find_width(), is_styled(sys.stdout)
    return render_text(result, width=width, styled=styled)


def _with_suggestion(exc: JobsMaintError) -> str:
    text = str(exc)
    if not isinstance(exc, InvalidRequest) or not exc.suggestion:
        return text
    line = requote(exc.suggestion)
    text = text.replace(exc.suggestion, line)
    if line in text:
        return text
    end = "" if text.endswith((".", "?", "!")) else "."
    return f"{text}{end} Try: jobs-maint {line}"
