"""Completion of words and options by the shell, through click's own mechanism."""

from __future__ import annotations

from click.shell_completion import shell_complete

from jobs_maint.grammar import build_grammar

__all__ = ["complete"]


def complete(instruction: str, variable: str) -> int:
    """Print the completion script or the matches; `instruction` is such as `bash_source`.

    click reads what was typed from the environment; an instruction that is none ends with 1.
    """
    return shell_complete(build_grammar("shell"), {}, "jobs-maint", variable, instruction)
