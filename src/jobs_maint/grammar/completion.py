"""What may be typed, as plain data for a program that completes it."""

from __future__ import annotations

from typing import Any

import click

from jobs_maint.grammar.command import Surface
from jobs_maint.grammar.help import write_usage
from jobs_maint.grammar.words import WORDS, build_grammar

__all__ = ["build_completion"]


def build_completion(surface: Surface) -> list[dict[str, Any]]:
    """Each word with its usage, what it does in a phrase, and its options."""
    return [
        {
            "name": name,
            "usage": write_usage(command),
            "about": _plain(WORDS[name].short if name in WORDS else command.help),
            "options": _list_options(command),
        }
        for name, command in build_grammar(surface).commands.items()
    ]


def _list_options(command: click.Command) -> list[dict[str, Any]]:
    return [
        {
            "name": param.opts[0],
            "takes": "" if param.is_flag else param.type.name.upper(),
            "about": _plain(param.help),
        }
        for param in command.params
        if isinstance(param, click.Option)
    ]


def _plain(text: str | None) -> str:
    return (text or "").replace("`", "")
