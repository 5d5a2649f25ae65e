"""What was probably meant by words that are none: a line to suggest, which nobody runs unasked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import click

from jobs_maint.actions import find_named
from jobs_maint.durations import parse_window, respell_duration
from jobs_maint.errors import InvalidRequest
from jobs_maint.grammar.command import Surface
from jobs_maint.grammar.params import (
    GroupName,
    JobIds,
    NotEmpty,
    Window,
    WindowOrMoment,
)
from jobs_maint.grammar.text import split_text
from jobs_maint.grammar.words import WORDS, build_grammar
from jobs_maint.spelling import find_nearest

__all__ = [
    "NEAR",
    "SHOWS",
    "explain",
    "find_near",
    "find_place",
    "find_shown",
    "guess_words",
    "is_of_other_tools",
    "list_options",
]

SHOWS = {"get", "list", "ls", "show", "view"}
NEAR = {
    "status": "show, get, view, list, ls, job, jobs, info, inspect, describe",
    "failed": "list, ls, jobs, failures, dead",
    "stats": "show, get, view, queue, queues, overview, summary, pending, waiting",
    "errors": "exceptions, tracebacks",
    "stuck": "stalled, hung, zombies",
    "workers": "ps, top, running, processes",
    "incidents": "alerts",
    "retry": "requeue, rerun, restart, redo, replay, run",
    "cancel": "cancelled, cancelling, kill, abort, terminate",
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
_UNKNOWN_HERE = {"pause", "unpause", "resume", "suspend"}
"""What no word of ours does, however alike one is spelt."""
_STOP = {
    "slack": "press Stop in the message of the request that runs",
    "shell": "press Ctrl-C where the request runs, or Stop in its message in Slack",
}
"""A number after `stop` may be of a request, as in the audit, or of a job: nothing is suggested."""
_OF_A_SPAN = {"stats": "digest"}
"""Words of now, and who tells the same of a span."""
_BEFORE_SPAN = {"for", "in", "last", "past", "since", "within"}
_BULLET = re.compile(r"[^\w?]+")
_NOUNS = {"job", "jobs", "id", "ids", "and"}
_ID = re.compile(r"#?[0-9]+")
_BARE = re.compile(r"[1-9][0-9]{0,2}")
_IDS = re.compile(r"#?[0-9]+(?:,#?[0-9]+)*,?")
_ENDING = re.compile(r"(?:ies|ied|ying|ing|ure|ed|es|[sey])$")
"""`fails`, `failing` and `failed` are alike without it."""
_ENDS = ";|&"
"""What ends a command where several are typed in one line."""
_STOPS = ".?!" + _ENDS
"""What ends a sentence; a phone makes a full stop of two blanks."""


def is_of_other_tools(word: str) -> bool:
    return word in _UNKNOWN_HERE or any(word in near.split(", ") for near in NEAR.values())


def explain(full: str, surface: Surface) -> str:
    """What to do instead of a word that no command stands for; empty where nothing is known."""
    if full == "version" and surface == "shell":
        return "`jobs-maint --version` tells it"
    if full == "undo":
        return (
            "`retry --request N` undoes the cancel or discard of that request. The answer to it "
            "tells its number, and so does `audit` to admins"
        )
    return f"{_STOP[surface]}; `cancel ID` stops a job" if full == "stop" else ""


def find_near(full: str, path: list[str], group: click.Group, surface: Surface) -> list[list[str]]:
    """Words that this front end has: those of the same meaning, else those spelt most alike."""
    meant = [word for word, near in NEAR.items() if full in near.split(", ")]
    if meant:
        return [word.split() for word in meant if WORDS[word].only in {None, surface}]
    spelt = full.rsplit(" ", 1)[-1][:60]
    if spelt in _UNKNOWN_HERE:
        return []
    near = find_nearest(spelt, group.commands)
    return [[*path, name] for name in near or _find_inflected(spelt, group.commands)]


def find_shown(words: Sequence[str], group: click.Group, surface: Surface) -> list[str]:
    """What stands after `show`, where that is a word of ours, or means one that only looks.

    `show jobs` may mean those of any status: it leads to how many there are of each.
    """
    there = [word for word in words if word.lower() not in {"the", "all", "job", "jobs"}]
    if not there:
        return ["stats"] if words else []
    word, *more = there[0].lower(), *there[1:]
    if word in group.commands:
        return [word, *more]
    for name in [] if word in SHOWS else find_near(word, [], group, surface):
        if name[0] in group.commands and not any(one.act for one in WORDS[" ".join(name)].asks):
            return [*name, *more]
    return []


def _find_inflected(word: str, known: Iterable[str]) -> list[str]:
    stem = _ENDING.sub("", word)
    return [name for name in known if len(stem) > 2 and _ENDING.sub("", name) == stem]


def guess_words(words: Sequence[str], surface: Surface) -> list[str] | None:
    """The same without what is too much, or as the command takes it; None where nothing is."""
    if (before := _cut_end(words)) is not None:
        return before
    commands = build_grammar(surface).commands
    first, *rest = words or [""]
    again = first == "jobs" and rest[:1] and rest[0] in commands
    if again or first == "jobs-maint" or re.fullmatch(r"/\w+", first):
        return rest or ["help"]
    if _BULLET.fullmatch(first) and rest:
        return rest
    if _ID.fullmatch(first) and not rest:
        return ["status", first.removeprefix("#")]
    command = commands.get(first)
    if command is None or not rest:
        return None
    if (other := _OF_A_SPAN.get(first)) and (spanned := _move_span(commands[other], rest)):
        return spanned
    if meant := _guess_options(command, rest):
        return [first, *meant]
    if any(isinstance(one.type, JobIds) or one.name == "words" for one in command.params):
        ids = [one for one in rest if one.lower() not in _NOUNS and not _BULLET.fullmatch(one)]
        is_less = 0 < len(ids) < len(rest) and all(map(_IDS.fullmatch, ids))
        return [first, *ids] if is_less else None
    return _add_span(command, words)


def _cut_end(words: Sequence[str]) -> list[str] | None:
    """What stands before the end of a command or of the sentence; None where there is none."""
    if words and words[-1].rstrip(_STOPS) not in {"", words[-1]}:
        return [*words[:-1], words[-1].rstrip(_STOPS)]
    for i, word in enumerate(words):
        if (last := word.rstrip(_ENDS)) != word and (i or last):
            return [*words[:i], last] if last else list(words[:i])
    return None


def find_place(
    option: str, rest: Sequence[str], command: click.Command, surface: Surface
) -> list[str] | None:
    """Where an option that the command does not have belongs; None where that is nowhere.

    Its value may stand alone, another word may have the option, or what it names has one.
    """
    alone = [re.sub(rf"^{re.escape(option)}(?:=|$)", "", word) for word in rest]
    alone = [word for word in alone if word]
    noun = option.lstrip("-").removesuffix("s")
    noun = "id" if noun in _NOUNS else noun
    for param in command.params:
        takes = (param.metavar or param.name or "").lower()
        if isinstance(param, click.Argument) and alone and noun in re.findall("[a-z]+", takes):
            return [command.name or "", *alone]
    for name, other in build_grammar(surface).commands.items():
        if any(
            option in one.opts and isinstance(one.type, GroupName | NotEmpty)
            for one in other.params
            if isinstance(one, click.Option)
        ):
            return [name, *rest]
    named = next(filter(None, map(find_named, alone)), None)
    return None if named is None else split_text(named.line)


def _guess_options(command: click.Command, rest: Sequence[str]) -> list[str] | None:
    dashed = _add_dashes(command, rest)
    if dashed is None:
        return _respell_span(command, rest)
    # Of one job there is no span.
    is_of_all = dashed[0] == "--since" and "--all" in set(list_options(command)) - set(rest)
    return ["--all", *dashed] if is_of_all else dashed


def _add_dashes(command: click.Command, rest: Sequence[str]) -> list[str] | None:
    """With `--since` where `since` stands before a value; None where no option lacks its dashes."""
    takes = {
        name for param in command.params if isinstance(param, click.Option) and not param.is_flag
        for name in param.opts
    }  # fmt: skip
    dashed, is_value = list(rest), False
    for i, word in enumerate(rest[:-1]):
        option = f"--{word}"
        if not is_value and option in takes and option not in rest:
            dashed[i] = option
        is_value = not is_value and dashed[i] in takes
    return dashed if dashed != list(rest) else None


def _add_span(command: click.Command, words: Sequence[str]) -> list[str] | None:
    """With its option before a span that stands last, alone."""
    span = next((one for one in ("--since", "--for") if one in list_options(command)), "")
    _, *rest = words
    if not span or any(word.startswith("-") for word in rest):
        return None
    for many in (2, 1) if len(rest) > 1 else ():
        last = " ".join(rest[-many:])
        meant = last if _is_span(last) else respell_duration(last)
        if meant is not None:
            before = words[:-many]
            return [*(before[:-1] if before[-1] in _BEFORE_SPAN else before), span, meant]
    return None


def _move_span(command: click.Command, rest: Sequence[str]) -> list[str] | None:
    """The line of the command that takes a span, which another word does not; None without one."""
    line = [command.name or "", *rest]
    if any(word.partition("=")[0] == "--since" for word in rest):
        return line
    dashed = _add_dashes(command, rest)
    return line[:1] + dashed if dashed else _add_span(command, line)


def _respell_span(command: click.Command, rest: Sequence[str]) -> list[str] | None:
    """With `7d` where an option that takes a span has `7days`, or `7 days`."""
    spans = [one.opts for one in command.params if isinstance(one.type, Window | WindowOrMoment)]
    names = {name for names in spans for name in names}
    for i, word in enumerate(rest):
        name, equals, value = word.partition("=")
        if name not in names:
            continue
        after = [*([value] if equals else []), *rest[i + 1 :]]
        for many in (2, 1):
            meant = respell_duration(" ".join(after[:many]))
            if many == 1 and name == "--since" and after and _BARE.fullmatch(after[0]):
                meant = f"{after[0]}h"
            if meant:
                return [*rest[:i], name, meant, *after[many:]]
    return None


def list_options(command: click.Command) -> list[str]:
    return [
        name for param in command.params if isinstance(param, click.Option) for name in param.opts
    ]


def _is_span(text: str) -> bool:
    try:
        parse_window(text)
    except InvalidRequest:
        return False
    return True
