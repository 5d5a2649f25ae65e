"""Ctrl-C while a command still loads: it ends at once with 130, and never with a traceback.

The first module of every command. So it imports only what the interpreter has loaded by itself:
during an import that reads a file, Ctrl-C would still be Python's.
"""

import _signal  # type: ignore[import-not-found]  # `signal` reads files
import os
import sys

__all__ = ["INTERRUPTED", "Interrupted", "end_on_interrupt", "find_code", "raise_on_interrupt"]

INTERRUPTED = 130
"""The exit code after Ctrl-C."""


class Interrupted(KeyboardInterrupt):
    """By Ctrl-C or another signal, with the exit code that goes with it."""

    def __init__(self, told: str, code: int) -> None:
        super().__init__(told)
        self.code = code


def find_code(interrupt: KeyboardInterrupt) -> int:
    """The exit code."""
    return interrupt.code if isinstance(interrupt, Interrupted) else INTERRUPTED


def end_on_interrupt(told: str = "", told_as_json: str = "") -> None:
    """From now on Ctrl-C writes this line to stderr and ends the process; nothing is cleaned up.

    Where Ctrl-C is ignored, as in a job in the background, it stays so.
    """

    def end(_number: int, _frame: object) -> None:
        line = told_as_json if "--json" in sys.argv else told
        try:
            if line:
                os.write(2, f"{line}\n".encode())
        finally:  # stderr may be closed
            os._exit(INTERRUPTED)

    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, end)


def raise_on_interrupt() -> None:
    """Before anything begins that must be undone or told of: Ctrl-C is KeyboardInterrupt again."""
    if getattr(_signal.getsignal(_signal.SIGINT), "__module__", None) == __name__:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)
