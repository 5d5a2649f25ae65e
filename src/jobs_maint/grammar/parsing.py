"""Words → command, or a sentence that says what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

import click

from jobs_maint import actions
from jobs_maint.actions import quote_word
from jobs_maint.errors import InvalidRequest
from jobs_maint.grammar.command import Command, Surface
from jobs_maint.grammar.near import (
    SHOWS,
    explain,
    find_near,
    find_place,
    find_shown,
    guess_words,
    is_of_other_tools,
    list_options,
)
from jobs_maint.grammar.params import (
    BadValue,
    JobIds,
    TooManyWords,
    no_job_id,
    refuse_named,
    short,
)
from jobs_maint.grammar.text import split_text
from jobs_maint.grammar.words import build_grammar
from jobs_maint.quoting import in_quotes, unescape
from jobs_maint.spelling import ask_meant, find_nearest, see_help

__all__ = ["parse_words"]

_TEXTS = {"--error", "--task", "--actor"}
_HELP_OPTIONS = {"--help", "-h"}
_MENTION = re.compile(r"(@)[UW][A-Z0-9]+|(#)[CG][A-Z0-9]{3,}")
"""As a command of Slack has them."""
_EXPECTED = {
    "ids": "job ids",
    "words": "job ids, or --all and a queue",
    "queue": "a queue",
    "target": "the name of a group of errors or of an incident",
    "incident": "the name of an incident",
    "about": "a word such as retry",
}
"""By argument."""


def parse_words(words: Sequence[str], surface: Surface) -> Command:
    """Words after the tool's name → command; raises InvalidRequest.

    Its suggestion, where there is one, is a line that reads as a request.
    """
    try:
        return _parse(words, surface)
    except InvalidRequest as exc:
        guessed = guess_words([str(word) for word in words], surface)
        first = exc.suggestion if guessed is None else _line(guessed)
        line = None if first is None else _mend(first, surface)
        if line == exc.suggestion:
            raise
        about = split_text(exc.suggestion or "help")[0]
        if line is not None:
            ending = f"; did you mean '{short(line)}'?"
        elif isinstance(exc, _MisspeltOption) and exc.suggestion:
            ending = ask_meant(exc.close) + see_help(about, " See")
        else:
            ending = see_help(about)
        raise InvalidRequest(exc.found, ending, suggestion=line, leads_to=exc.leads_to) from None


def _mend(line: str, surface: Surface) -> str | None:
    """The first suggestion in a row of them that reads as a request; None when there is none."""
    for _ in range(3):
        words = split_text(line)
        try:
            _parse(words, surface)
        except InvalidRequest as exc:
            guessed = guess_words(words, surface)
            if guessed is None and exc.suggestion is None:
                return None
            line = exc.suggestion or "" if guessed is None else _line(guessed)
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
        raise _unknown_word(rest, path, group, surface)
    command = group.commands[rest[0]]
    path.append(rest.pop(0))
    _refuse_twice(path, rest, command)
    _refuse_mention(path, rest, command)
    try:
        name, typed = " ".join(path), tuple(rest)
        with command.make_context(name, [*rest], auto_envvar_prefix=None, obj=typed) as context:
            return command.invoke(context)  # type: ignore[no-any-return]
    except click.NoSuchOption as exc:
        raise _unknown_option(exc.option_name, path, rest, command, surface) from None
    except (click.UsageError, TooManyWords) as exc:
        raise _explain_misuse(exc, path, command, rest) from None


def _unknown_word(
    rest: list[str], path: list[str], group: click.Group, surface: Surface
) -> InvalidRequest:
    if rest[0].startswith("-") and len(rest) > 1 and rest[1] in group.commands:
        if rest[0].partition("=")[0] not in list_options(group.commands[rest[1]]):
            return InvalidRequest(
                f"options come after the word, and {rest[1]} has no option {short(rest[0])}",
                see_help(rest[1]),
            )
        suggestion = _line([*path, *rest[1:], rest[0]])
        return InvalidRequest(
            "options come after the word",
            f"; did you mean '{short(suggestion)}'?",
            suggestion=suggestion,
        )
    option = rest[0].partition("=")[0]
    takes = [word for word, of in group.commands.items() if option in list_options(of)]
    if option.startswith("-") and takes:
        word = next((one for one in ("stats", "status") if one in takes), takes[0])
        line = short(_line([*path, word, *rest]))
        return InvalidRequest(f"{option} comes after a word, as in '{line}'", see_help())
    refuse_named(rest[0], "a command")
    full = " ".join([*path, rest[0]])
    if instead := explain(full.lower(), surface):
        return InvalidRequest(f"{in_quotes(full)} is not a known command; {instead}")
    near = [_line([*words, *rest[1:]]) for words in find_near(full.lower(), path, group, surface)]
    if not path and rest[0].lower() in SHOWS and (shown := find_shown(rest[1:], group, surface)):
        near = [_line(shown)]
    if not near:
        ending = see_help()
        other = is_of_other_tools(full.lower()) or _MENTION.fullmatch(full)
        is_queue = not (option.startswith("-") or other)
        if not path and len(rest) == 1 and is_queue:
            ending += f", or {short(_line(['stats', *rest]))} for a queue"
        return InvalidRequest(f"{in_quotes(full)} is not a known command", ending)
    lines = [line for line in near if _mend(line, surface) is not None] or near[:1]
    if is_of_other_tools(full.lower()):  # the likeliest stands first
        del lines[1:]
    return InvalidRequest(
        f"{in_quotes(full)} is not a known command",
        ask_meant(f"'{short(line)}'" for line in lines),
        suggestion=lines[0] if len(lines) == 1 else None,
    )


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


def _refuse_mention(path: list[str], rest: list[str], command: click.Command) -> None:
    """A person or a channel of Slack where a job, a queue or another name of ours is meant."""
    takes = {
        name: bool({"--queue", "--queues"} & {*param.opts})
        for param in command.params
        if isinstance(param, click.Option) and not param.is_flag
        for name in param.opts
    }
    places = {one.name for one in command.params if isinstance(one, click.Argument)}
    expected = next((told for name, told in _EXPECTED.items() if name in places), "")
    words = iter(rest)
    for word in words:
        if word == "--":
            return
        name, equals, value = word.partition("=")
        meant, wanted = word, expected
        if name in takes:
            meant, wanted = value if equals else next(words, ""), "a queue" * takes[name]
        if wanted and (found := _MENTION.fullmatch(meant)) is not None:
            what = "a person" if found[1] else "a channel"
            raise InvalidRequest(
                f"{' '.join(path)} expects {wanted}, not {what}", see_help(path[0])
            )


def _unknown_option(
    option: str, path: list[str], rest: list[str], command: click.Command, surface: Surface
) -> InvalidRequest:
    known = list_options(command)
    word = " ".join(path)
    takes_ids = any(isinstance(p.type, JobIds) or p.name == "words" for p in command.params)
    negative = [part for part in rest if re.fullmatch(r"-[0-9]+", part)]
    if takes_ids and negative:
        return InvalidRequest(f"{word}: {no_job_id(negative[0])}")
    for part in rest:  # click reads the letters after one dash as options of their own
        if part.startswith("-") and not part.startswith("--") and part.startswith(option):
            told = part.partition("=")[0]
            typed = f"-{told}"
            if close := [typed] if typed in known else find_nearest(typed, known):
                rest = [f"-{one}" if one == part else one for one in rest]
                return _suggest_option(told, typed, close, path, rest)
    begun = [name for name in known if name.startswith(option) and len(option) > len("--")]
    close = begun if len(begun) == 1 else []
    if not close and (place := find_place(option, rest, command, surface)) is not None:
        line = _line([*path[:-1], *place])
        return InvalidRequest(
            f"{word} has no option {short(option)}",
            f"; did you mean '{short(line)}'?",
            suggestion=line,
        )
    close = close or find_nearest(option, known)
    if not close:
        return InvalidRequest(f"{word} has no option {short(option)}", see_help(path[0]))
    return _suggest_option(option, option, close, path, rest)


class _MisspeltOption(InvalidRequest):
    """`close`: the options that may be meant."""

    def __init__(self, found: str, close: Sequence[str], suggestion: str | None) -> None:
        super().__init__(found, ask_meant(close), suggestion=suggestion)
        self.close = close


def _suggest_option(
    told: str, typed: str, close: Sequence[str], path: Sequence[str], rest: Sequence[str]
) -> InvalidRequest:
    """`told`: the option as it was typed; in `rest` it stands as `typed`."""
    fixed = [re.sub(rf"^{re.escape(typed)}(?==|$)", close[0], part) for part in rest]
    return _MisspeltOption(
        f"{' '.join(path)} has no option {short(told)}",
        close,
        _line([*path, *fixed]) if len(close) == 1 else None,
    )


def _line(words: Sequence[str]) -> str:
    return " ".join(quote_word(word) for word in words)


def _explain_misuse(
    exc: click.UsageError | TooManyWords, path: list[str], command: click.Command, rest: list[str]
) -> InvalidRequest:
    if isinstance(exc, TooManyWords):
        return InvalidRequest(exc.found, _ask_quotes(rest))
    word = " ".join(path)
    text = exc.message.rstrip(".")
    if isinstance(exc, BadValue):
        why = exc.why
        return InvalidRequest(f"{word}: {why.found}", why.ending, leads_to=why.leads_to)
    if isinstance(exc, click.BadParameter) and not isinstance(exc, click.MissingParameter):
        return InvalidRequest(f"{word}: {text}")
    found = f"{word}: {text}"
    if isinstance(exc, click.BadOptionUsage):
        found = f"{word}: {text[:1].lower()}{text[1:]}"
    elif isinstance(exc, click.MissingParameter):
        found = f"{word} needs {exc.param.human_readable_name if exc.param else 'more'}"
    elif extra := re.search(r"unexpected extra arguments? \((.*)\)", exc.message, re.DOTALL):
        places = sum(isinstance(param, click.Argument) for param in command.params)
        takes = "takes at most one argument" if places else "takes no arguments"
        found = f"{word} {takes}; unexpected: {in_quotes(extra[1])}"
        return InvalidRequest(found, _ask_quotes(rest) or see_help(path[0]))
    return InvalidRequest(found, see_help(path[0]))


def _ask_quotes(words: Sequence[str]) -> str:
    """Where the value of `--error` or another text is followed by words that may belong to it."""
    for place, word in enumerate(words[:-2]):
        if word in _TEXTS:
            value = list(takewhile(lambda one: not one.startswith("-"), words[place + 1 :]))
            if len(value) > 1:
                whole = quote_word(" ".join(value))
                return f"; a value of several words goes in quotes: {word} {whole}"
    return ""
