"""Completion of words and options by the shell, through click's own mechanism."""

from __future__ import annotations

from click.shell_completion import shell_complete

from jobs_maint.errors import InvalidRequest
from jobs_maint.grammar import build_grammar

__all__ = ["complete"]

SHELLS = ("bash", "zsh", "fish")
STEPS = ("source", "complete")


def complete(instruction: str, variable: str) -> int:
    """Print the completion script or the matches; `instruction` is such as `bash_source`.

    click reads what was typed from the environment. Raises InvalidRequest for another instruction.
    """
    if instruction not in {f"{shell}_{step}" for shell in SHELLS for step in STEPS}:
        kinds = ", ".join(f"{shell}_source" for shell in SHELLS)
        raise InvalidRequest(f"{variable} is {instruction!r}; it can be {kinds}")
    return shell_complete(build_grammar("shell"), {}, "jobs-maint", variable, instruction)
