"""One line of typed text → words, whatever a phone or a chat made of it.

What stands in quotes is taken as it is. Outside, invisible characters are dropped, and what
autocorrect or the habits of a chat did to words of ours is undone: a dash for `--`, a capital first
letter, marks of bold or code around a word or the whole line. A value keeps its quotes and dashes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import click

from jobs_maint.errors import InvalidRequest
from jobs_maint.grammar.params import MARKS
from jobs_maint.grammar.words import build_grammar
from jobs_maint.quoting import DASHES, in_quotes
from jobs_maint.spelling import find_nearest

__all__ = ["read_dashes", "split_text"]

_CLOSERS = {
    '"': '"',
    "'": "'",
    "`": "`",
    "“": '”“"',
    "„": '“”"',
    "”": '”"',
    "‟": '”"',
    "‘": "’‘'",
    "‚": "‘’'",
    "’": "’'",
    "«": "»",
}
_HIDDEN = "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff"
_INVISIBLE = re.compile(f"[{_HIDDEN}]")
_DASHES = re.compile(rf"^[{DASHES}][-{DASHES}]*(?=[A-Za-z])")


def split_text(text: str) -> list[str]:
    """One line of text → words. Quotes group; an unpaired one in a word, as in `can't`, is text.

    A doubled quote inside quotes is one quote: `"say ""it's"" now"`. What is quoted is no option:
    it goes to the end, after `--`. Raises InvalidRequest where a word begins with a quote that is
    not closed.
    """
    words: list[str] = []
    names: list[str] = []
    takes_value = _value_options()
    known = _known_options()
    rest = _unmark_line(text)
    ended = is_value = False
    while (rest := rest.lstrip()) != "":
        word, quoted, rest = _take_word(rest)
        if not quoted and not (word := _INVISIBLE.sub("", word)):
            continue
        if not quoted and not ended and not is_value:
            word = _as_option(word, known)
            ended = word == "--"
        elif words and word.startswith("-") and quoted not in ("", "=") and not (ended or is_value):
            names.append(word)
            continue
        is_value = not (quoted or ended or is_value) and word in takes_value
        if not words and quoted == "`" and " " in word:
            words += split_text(word)
        elif not words or words == ["help"]:
            words.append(_as_word(word))
        else:
            words.append(word)
    return [*words, *(names if ended or not names else ["--", *names])]


def read_dashes(words: Sequence[str]) -> list[str]:
    """Words of a shell, which knows no quotes any more: a dash begins only what is near an option.

    `—since` is `--since`; what follows an option that takes a value stays as it is.
    """
    read: list[str] = []
    is_value = ended = False
    for word in words:
        meant = word
        if not (ended or is_value) and _DASHES.match(word):
            known = _known_options() | {"--version"}
            option = _as_option(word, known)
            if find_nearest(option.partition("=")[0], known):
                meant = option
        ended = ended or (meant == "--" and not is_value)
        is_value = not (ended or is_value) and meant in _value_options()
        read.append(meant)
    return read


def _take_word(text: str) -> tuple[str, str, str]:
    """The first word, its kind of quote if it has one, and the rest."""
    start = 0
    while start < len(text) and _INVISIBLE.match(text[start]):
        start += 1
    if (found := _quoted(text, start)) is not None:
        word, end = found
        return word, text[start], text[end:]
    _refuse_open_quote(text[start:])
    match = re.match(r"\S+", text)
    word = match[0] if match else ""
    equals = word.find("=")
    # `--error="timed out"`: the quote follows the first equals sign.
    if equals != -1 and (found := _quoted(text, equals + 1)) is not None:
        value, end = found
        return text[: equals + 1] + value, "=", text[end:]
    if word.startswith("-") and equals != -1:
        _refuse_open_quote(text[equals + 1 :])
    return word, "", text[len(word) :]


def _refuse_open_quote(text: str) -> None:
    """As a part of what is looked for it finds nothing, which reads as good news."""
    opener = text[:1]
    if opener in _CLOSERS and opener != "’" and text[1:2].strip():  # that may be an apostrophe
        begins, end = in_quotes(text[1:], 40), _CLOSERS[opener][0]
        if opener == "`":  # a message takes a pair of them for code
            raise InvalidRequest(
                f"the backtick before {begins} is not closed; add another at the end"
            )
        raise InvalidRequest(f"the quote {opener} before {begins} is not closed; end it with {end}")


def _quoted(text: str, start: int) -> tuple[str, int] | None:
    """What the quotes at `start` hold, and where they end; None where they are text."""
    opener = text[start : start + 1]
    for closer in _CLOSERS.get(opener, ""):
        end = _closing(text, start, closer)
        if end is not None:
            return _unescape(text[start + 1 : end], closer), end + 1
    return None


def _unescape(inner: str, closer: str) -> str:
    r"""Quotes inside quotes: doubled, or a shell's `'it'\''s'`."""
    if closer == "'" and "'\\''" in inner:
        return inner.replace("'\\''", "'")
    return inner.replace(closer * 2, closer)


def _closing(text: str, start: int, closer: str) -> int | None:
    """The index of the quote that closes the one at `start`: followed by space or the end."""
    end = text.find(closer, start + 1)
    while end != -1:
        if text[end + 1 : end + 2] == closer:
            end = text.find(closer, end + 2)
            continue
        after = end + 1
        while after < len(text) and _INVISIBLE.match(text[after]):
            after += 1
        if after == len(text) or text[after].isspace():
            return end
        end = text.find(closer, end + 1)
    return None


def _unmark_line(text: str) -> str:
    """`*retry 4711*` → `retry 4711`: no word of ours begins with a mark."""
    line = _INVISIBLE.sub("", text[:1]) + text[1:] if text else text
    line = line.strip()
    for mark in ("```", *MARKS):
        inner = line[len(mark) : -len(mark)]
        if line.startswith(mark) and line.endswith(mark) and inner.strip() and mark not in inner:
            return inner
    return line


def _as_word(word: str) -> str:
    """The command's own word: phones begin a line with a capital letter."""
    bare = word.strip(MARKS).lower()
    return bare if bare in _known_words() else word


def _as_option(word: str, known: frozenset[str]) -> str:
    dashed = _DASHES.sub("--", word)
    name, equals, value = dashed.partition("=")
    if name.lower() in known:
        return f"{name.lower()}{equals}{value}"
    return dashed


@cache
def _commands() -> tuple[click.Command, ...]:
    def walk(command: click.Command) -> list[click.Command]:
        inner = command.commands.values() if isinstance(command, click.Group) else ()
        return [command, *(one for each in inner for one in walk(each))]

    return tuple(one for surface in ("slack", "shell") for one in walk(build_grammar(surface)))


@cache
def _known_words() -> frozenset[str]:
    return frozenset(command.name or "" for command in _commands())


def _list_options() -> list[click.Option]:
    params = [param for command in _commands() for param in command.params]
    return [param for param in params if isinstance(param, click.Option)]


@cache
def _known_options() -> frozenset[str]:
    return frozenset(name for option in _list_options() for name in option.opts) | {"--help"}


@cache
def _value_options() -> frozenset[str]:
    flags = {name for option in _list_options() if option.is_flag for name in option.opts}
    return _known_options() - flags - {"--help"}
