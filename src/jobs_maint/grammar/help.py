"""What an actor may do, from the declared words."""

from __future__ import annotations

from dataclasses import replace

import click

from jobs_maint.actions import Actor, QueueScope, Role
from jobs_maint.errors import InvalidRequest
from jobs_maint.grammar.command import Surface
from jobs_maint.grammar.near import explain, find_near, is_of_other_tools
from jobs_maint.grammar.words import WORDS, build_grammar
from jobs_maint.models import HelpReport, HelpRole, HelpWord
from jobs_maint.quoting import in_quotes
from jobs_maint.spelling import ask_meant

__all__ = ["build_help"]


def build_help(actor: Actor, surface: Surface, about: str | None = None) -> HelpReport:
    """The words this actor may use, and those it may not with the role they need."""
    root = build_grammar(surface)
    if about is not None and about not in root.commands:
        raise _unknown(about, root, surface)
    words = [_describe(name, command, actor) for name, command in root.commands.items()]
    text = None
    if about is not None:
        command = root.commands[about]
        lines = [write_usage(command), command.help or ""]
        members = list(command.commands.values()) if isinstance(command, click.Group) else []
        options = _list_options(members[0] if members else command)
        shared = [one for one in options if all(one in _list_options(each) for each in members)]
        for each in members:
            name = f"  {about} {each.name}"
            own = [one for one in _list_options(each) if one not in shared]
            lines += [f"{name}: {each.help}", *(f"{name} {one}" for one in own)]
        lines += [f"  {one}" for one in shared]
        text = "\n".join(lines)
    return HelpReport(actor.role, tuple(words), about, text, tuple(_list_roles(actor)))


def _unknown(about: str, root: click.Group, surface: Surface) -> InvalidRequest:
    if instead := explain(about.lower(), surface):
        return InvalidRequest(f"{in_quotes(about)} is not a known command; {instead}")
    near = find_near(about.lower(), [], root, surface)
    lines = [f"help {words[0]}" for words in near] or ["help"]
    if is_of_other_tools(about.lower()):
        del lines[1:]
    text = f"{in_quotes(about)} is not a known command{ask_meant(map(repr, lines))}"
    return InvalidRequest(text, suggestion=lines[0] if len(lines) == 1 else None)


def _list_roles(actor: Actor) -> list[HelpRole]:
    """Each without what a higher one covers."""
    found: list[HelpRole] = []
    covered = QueueScope(())
    for role in reversed(Role):
        scope = actor.scope(role)
        if scope is None or _includes(covered, scope.globs):
            continue
        globs = scope.globs and tuple(one for one in scope.globs if not covered.includes(one))
        anywhere = replace(actor, channel=None).scope(role)
        only_here = (actor.channel,) if actor.channel and scope != anywhere else None
        found.append(HelpRole(role, globs, only_here, here=True))
        covered = scope
    elsewhere: dict[tuple[Role, tuple[str, ...] | None], dict[str, None]] = {}
    for grant in actor.grants:
        here = actor.scope(grant.role)
        if here is None or not _includes(here, grant.queues):
            places = elsewhere.setdefault((grant.role, grant.queues), {})
            places.update(dict.fromkeys(grant.channels or ()))
    found += [HelpRole(*held, tuple(places), here=False) for held, places in elsewhere.items()]
    return found


def _includes(scope: QueueScope, globs: tuple[str, ...] | None) -> bool:
    return all(map(scope.includes, ("*",) if globs is None else globs))


def _describe(name: str, command: click.Command, actor: Actor) -> HelpWord:
    first = next(iter(command.commands)) if isinstance(command, click.Group) else ""
    word = WORDS[f"{name} {first}".rstrip()]
    # Of a property the request decides: `purge --queue` needs one queue only.
    whole = all(action.whole is True for action in word.asks)
    scope = None if word.role is None else actor.scope(word.role)
    some = scope is not None and scope.globs is not None
    allowed = word.role is None or (scope is not None and not (whole and some))
    note = f"{word.everywhere} it needs the role on every queue" if some and word.everywhere else ""
    return HelpWord(name, write_usage(command), command.help or "", word.role, allowed, whole, note)


def _list_options(command: click.Command) -> list[str]:
    return [
        f"{_option(param)}: {param.help}"
        for param in command.params
        if isinstance(param, click.Option)
    ]


def _option(param: click.Option) -> str:
    value = "" if param.is_flag else f" {param.type.name.upper()}"
    return f"{param.opts[0]}{value}"


def write_usage(command: click.Command) -> str:
    if isinstance(command, click.Group):
        return f"{command.name} {'|'.join(command.commands)}"
    parts = [command.name or ""]
    for param in command.params:
        if isinstance(param, click.Argument):
            name = (param.metavar or (param.name or "").upper()).replace("...", "…")
            parts.append(name if param.name in {"ids", "words", "target"} else f"[{name}]")
    hidden = {"--help", "--json", "--private", "--all"}
    parts += [
        f"[{_option(param)}]"
        for param in command.params
        if isinstance(param, click.Option) and param.opts[0] not in hidden
    ]
    return " ".join(parts)
