"""What a word is: declared once, read by parser, help, completion, Slack and the tests of docs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import click

from jobs_maint.actions import Action, Role
from jobs_maint.grammar.command import Surface
from jobs_maint.models import Report

__all__ = ["Section", "ShellOption", "Word", "list_reports"]

Section = Literal["Look", "Change", "Look after the bot", "Set up", "Help"]


class ShellOption(click.Option):
    """An option that Slack does not have."""


@dataclass(frozen=True, slots=True)
class Word:
    """`name`: one word, or two as in `schema apply`.

    `asks`: every action that it can become, the least demanding first. `build` makes one of them
    from the values of `params`, and raises InvalidRequest where they do not fit together.
    `summary` is a sentence for `help WORD`; `short` a phrase for lists. The first of `examples` is
    the one to learn. `section`: what Slack's help shows it under. `everywhere`: the form of it that
    needs the role on every queue, where others need it on one. `for_admins`: the option of it that
    needs an admin.
    """

    name: str
    asks: tuple[type[Action[Any]], ...]
    build: Callable[..., Action[Any]]
    summary: str
    short: str
    examples: tuple[str, ...]
    section: Section
    params: Sequence[click.Parameter] = ()
    only: Surface | None = None
    everywhere: str = ""
    for_admins: str = ""

    @property
    def role(self) -> Role | None:
        """The lowest role that can do something with it."""
        return self.asks[0].role

    def params_in(self, surface: Surface) -> list[click.Parameter]:
        return [
            param
            for param in self.params
            if surface == "shell" or not isinstance(param, ShellOption)
        ]

    @property
    def reports(self) -> tuple[type[Report], ...]:
        """What `perform` may answer."""
        found = [report for action in self.asks for report in list_reports(action)]
        return tuple(dict.fromkeys(found))


def list_reports(action: type[Action[Any]]) -> tuple[type[Report], ...]:
    """The R of its `Action[R]`, taken apart; what is no report (`str`, None) is left out."""
    [declared] = get_args(action.__orig_bases__[0])  # type: ignore[attr-defined]
    kinds = get_args(declared) or (declared,)
    return tuple(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Report))
