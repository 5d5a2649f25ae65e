"""The declared words as one click group, which parses and completes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from jobs_maint.actions import Action, ShowHelp
from jobs_maint.errors import InvalidRequest
from jobs_maint.grammar.command import Command, Surface
from jobs_maint.grammar.sets import as_dry_run
from jobs_maint.grammar.word import Word

__all__ = ["build_group"]


def build_group(words: Iterable[Word], groups: Mapping[str, str], surface: Surface) -> click.Group:
    """A word of two, as `schema apply`, is in a group of its own; `groups`: what each is for."""
    here = [word for word in words if word.only in {None, surface}]
    root = _build_empty("jobs")
    for first, members in itertools.groupby(here, lambda word: word.name.partition(" ")[0]):
        together = list(members)
        if together[0].name == first:
            root.add_command(_build_command(together[0], surface, about=first, name=first))
            continue
        group = _build_empty(first, groups[first])
        for word in together:
            name = word.name.partition(" ")[2]
            group.add_command(_build_command(word, surface, about=first, name=name))
        root.add_command(group)
    return root


def _build_empty(name: str, summary: str | None = None) -> click.Group:
    return click.Group(name, help=summary, invoke_without_command=True, add_help_option=False)


def _build_command(word: Word, surface: Surface, *, about: str, name: str) -> click.Command:
    params: Sequence[click.Parameter] = [
        *word.params_in(surface),
        click.Option(["--help", "-h"], is_flag=True, help="Show this help."),
        click.Option(["--json", "as_json"], is_flag=True, help="Print JSON.")
        if surface == "shell"
        else click.Option(["--private"], is_flag=True, help="Answer only to me."),
    ]

    def callback(
        *,
        help: bool,  # noqa: A002  click passes an option under its own name
        as_json: bool = False,
        private: bool = False,
        yes: bool = False,
        dry_run: bool = False,
        **values: Any,
    ) -> Command:
        if help:
            return Command(ShowHelp(about), as_json, private)
        if yes and dry_run:
            raise InvalidRequest(f"{name} takes --yes or --dry-run, not both")
        action: Action[Any] = word.build(**values)
        if dry_run:
            action = as_dry_run(action)
        return Command(action, as_json, private, yes, dry_run)

    return click.Command(
        name, params=list(params), callback=callback, help=word.summary, add_help_option=False
    )
