"""Words → command, or a sentence that says what is wrong with them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

import click

from jobs_maint import actions
from jobs_maint.actions import quote_word
from jobs_maint.errors import InvalidRequest
from jobs_maint.grammar.command import Command, Surface
from jobs_maint.grammar.params import JobIds, no_job_id, refuse_named, short
from jobs_maint.grammar.text import split_text
from jobs_maint.grammar.words import WORDS, build_grammar
from jobs_maint.quoting import unescape

__all__ = ["NEAR", "parse_words", "unknown_word"]

_HELP_OPTIONS = {"--help", "-h"}
_SHOWS = {"get", "list", "ls", "show", "view"}
NEAR = {
    "status": "show, get, view, list, ls, job, jobs, info, inspect, describe",
    "failed": "list, ls, jobs, failures, dead",
    "stats": "show, get, view, queue, queues, overview, summary, pending, waiting",
    "errors": "exceptions, tracebacks",
    "stuck": "stalled, hung, zombies",
    "workers": "ps, top, running, processes",
    "incidents": "alerts",
    "retry": "requeue, rerun, restart, redo, replay, run",
    "cancel": "kill, abort, stop, terminate",
    "discard": "delete, remove, rm, drop, dismiss, skip",
    "rescue": "recover, unstick, unlock",
    "take": "ack, acknowledge, assign, claim",
    "mute": "silence, snooze, ignore",
    "purge": "clean, cleanup, vacuum, prune, trim",
    "audit": "log, logs, history",
    "doctor": "check, health, diagnose, ping",
    "help": "man, usage, commands, ?",
    "schema apply": "migrate, init, install, setup, schema create, schema migrate, schema upgrade",
    "schema drop": "uninstall, schema delete, schema remove",
}
"""What people type for our words: the words of other tools."""


def parse_words(words: Sequence[str], surface: Surface) -> Command:
    """Words after the tool's name → command; raises InvalidRequest.

    Its suggestion, where there is one, is a line that reads as a request.
    """
    try:
        return _parse(words, surface)
    except InvalidRequest as exc:
        if exc.suggestion is None or (line := _mend(exc.suggestion, surface)) == exc.suggestion:
            raise
        text = str(exc).partition("; did you mean")[0]
        if line is None:
            raise InvalidRequest(f"{text}; see help {split_text(exc.suggestion)[0]}") from None
        raise InvalidRequest(f"{text}; did you mean '{short(line)}'?", suggestion=line) from None


def _mend(line: str, surface: Surface) -> str | None:
    """The first suggestion in a row of them that reads as a request; None when there is none."""
    for _ in range(3):
        try:
            _parse(split_text(line), surface)
        except InvalidRequest as exc:
            if exc.suggestion is None:
                return None
            line = exc.suggestion
        else:
            return line
    return None


def _parse(words: Sequence[str], surface: Surface) -> Command:
    root = build_grammar(surface)
    words = [unescape(str(word)) for word in words]
    if any("\0" in word for word in words):
        raise InvalidRequest("the words contain a NUL character; nothing was done")
    group, path = root, []
    rest = list(words)
    if rest and rest[0] in _HELP_OPTIONS:
        rest[0] = "help"
    while rest and isinstance(command := group.commands.get(rest[0]), click.Group):
        path.append(rest.pop(0))
        group = command
    if not rest:
        if not path:
            return Command(actions.ShowHelp())
        raise InvalidRequest(f"{' '.join(path)} takes one of: {', '.join(group.commands)}")
    if path and rest[0] in _HELP_OPTIONS:
        return Command(actions.ShowHelp(path[0]))
    if rest[0] not in group.commands:
        raise unknown_word(rest, path, group, surface)
    command = group.commands[rest[0]]
    path.append(rest.pop(0))
    _refuse_twice(path, rest, command)
    try:
        with command.make_context(" ".join(path), list(rest), auto_envvar_prefix=None) as context:
            return command.invoke(context)  # type: ignore[no-any-return]
    except click.NoSuchOption as exc:
        raise _unknown_option(exc.option_name, path, rest, command) from None
    except click.UsageError as exc:
        raise InvalidRequest(_sentence(exc, path, command)) from None


def unknown_word(
    rest: list[str], path: list[str], group: click.Group, surface: Surface
) -> InvalidRequest:
    if rest[0].startswith("-") and len(rest) > 1 and rest[1] in group.commands:
        if rest[0].partition("=")[0] not in _options(group.commands[rest[1]]):
            return InvalidRequest(
                f"options come after the word, and {rest[1]} has no option {short(rest[0])}; "
                f"see help {rest[1]}"
            )
        suggestion = _line([*path, *rest[1:], rest[0]])
        return InvalidRequest(
            f"options come after the word; did you mean '{short(suggestion)}'?",
            suggestion=suggestion,
        )
    refuse_named(rest[0], "a command")
    full = " ".join([*path, rest[0]])
    near = [_line([*words, *rest[1:]]) for words in _find_near(full.lower(), path, group, surface)]
    if not path and rest[0].lower() in _SHOWS and len(rest) > 1 and rest[1] in group.commands:
        near.insert(0, _line(rest[1:]))
    if not near:
        return InvalidRequest(f"{short(full)!r} is not a known command; see help")
    suggestion = next((line for line in near if _mend(line, surface) is not None), near[0])
    return InvalidRequest(
        f"{short(full)!r} is not a known command; did you mean '{short(suggestion)}'?",
        suggestion=suggestion,
    )


def _find_near(full: str, path: list[str], group: click.Group, surface: Surface) -> list[list[str]]:
    """Words that this front end has: those of the same meaning, else one that is spelt alike."""
    meant = [word for word, near in NEAR.items() if full in near.split(", ")]
    if meant:
        return [word.split() for word in meant if WORDS[word].only in {None, surface}]
    spelt = full.rsplit(" ", 1)[-1][:60]
    return [[*path, name] for name in difflib.get_close_matches(spelt, list(group.commands), n=1)]


def _refuse_twice(path: list[str], rest: list[str], command: click.Command) -> None:
    """An option given twice: the second may be a name, whose quotes a shell takes away."""
    options = {
        name: param
        for param in command.params
        if isinstance(param, click.Option)
        for name in param.opts
    }
    seen: set[str] = set()
    words = iter(rest)
    for word in words:
        if word == "--":
            return
        name, equals, _ = word.partition("=")
        option = options.get(name)
        if option is None or option.multiple:
            if option is not None and not equals:
                next(words, None)
            continue
        if name in seen:
            raise InvalidRequest(
                f"{' '.join(path)}: {name} is given twice; a name that looks like an option "
                f"stands last, after --"
            )
        seen.add(name)
        if not option.is_flag and not equals:
            next(words, None)


def _options(command: click.Command) -> list[str]:
    return [
        name for param in command.params if isinstance(param, click.Option) for name in param.opts
    ]


def _unknown_option(
    option: str, path: list[str], rest: list[str], command: click.Command
) -> InvalidRequest:
    known = _options(command)
    word = " ".join(path)
    takes_ids = any(isinstance(p.type, JobIds) or p.name == "words" for p in command.params)
    negative = [part for part in rest if re.fullmatch(r"-[0-9]+", part)]
    if takes_ids and negative:
        return InvalidRequest(f"{word}: {no_job_id(negative[0])}")
    close = difflib.get_close_matches(option[:60], known, n=1, cutoff=0.7)
    if not close:
        return InvalidRequest(f"{word} has no option {short(option)}; see help {path[0]}")
    fixed = [re.sub(rf"^{re.escape(option)}(?==|$)", close[0], part) for part in rest]
    return InvalidRequest(
        f"{word} has no option {short(option)}; did you mean {close[0]}?",
        suggestion=_line([*path, *fixed]),
    )


def _line(words: Sequence[str]) -> str:
    return " ".join(quote_word(word) for word in words)


def _sentence(exc: click.UsageError, path: list[str], command: click.Command) -> str:
    word = " ".join(path)
    text = exc.message.rstrip(".")
    if isinstance(exc, click.BadOptionUsage):
        return f"{word}: {text[:1].lower()}{text[1:]}; see help {path[0]}"
    if isinstance(exc, click.MissingParameter):
        missing = exc.param.human_readable_name if exc.param else "more"
        return f"{word} needs {missing}; see help {path[0]}"
    if isinstance(exc, click.BadParameter):
        return f"{word}: {text}"
    places = sum(isinstance(param, click.Argument) for param in command.params)
    if extra := re.search(r"unexpected extra arguments? \((.*)\)", exc.message, re.DOTALL):
        takes = "takes at most one argument" if places else "takes no arguments"
        return f"{word} {takes}; unexpected: {short(extra[1])!r}; see help {path[0]}"
    return f"{word}: {text}; see help {path[0]}"
