"""Source lines, as tracebacks show them: `token = create_token(user)` tells no token."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass

from jobs_maint.redaction.names import Strength, get_strength, split
from jobs_maint.redaction.variables import DOT, NAME, is_variable

__all__ = ["Code", "find_code", "find_source", "is_of_parser"]


@dataclass(frozen=True)
class Code:
    """An expression, and the literal in it that looks like a secret."""

    literal: tuple[int, int] | None = None


_LONGEST = 400
"""Characters of a call, with its arguments, that are looked at."""
_START = re.compile(
    r"(?:(?:await|new|not|typeof|yield|go|async|function)[ ]{1,3})?(?:\[\]byte\()?[&*!@$]{0,2}"
    rf"(?P<path>{NAME}(?:{DOT}\$?{NAME}){{0,8}})[?!]?(?:->|(?<=function)[ ])?"
    r"(?P<open>[(\[](?!redacted\])|(?<=->)\{)?"
)
_MORE = re.compile(rf"{DOT}{NAME}(?=[(\[])|(?=[(\[])")
"""`.decode` of `f(x).decode("ascii")`."""
_ENDS = re.compile(
    r"[.:]?(?:$|[\r\n])|[,;)\]}]+[.:]?(?=[\s,;]|$)|\.\s|[ \t]{1,8}(?:$|[\r\n,;)\]}:|+#=?*%<>!&-]|//"
    r"|(?:and|as|else|for|from|if|in|is|not|or|unless)\b)"
)
_AFTER = re.compile(r"""(?=[\s.,;:)\]}(\["'`]|[?!]\.|->)|$""")
_MARKS = re.compile(r"""[\[\](){}\r\n]|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""")
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_GOES_ON = ("(", "[", "{", ",", "\\", "+", "%")
_NUMBER = re.compile(r"-?(?:0x[0-9a-fA-F]+|\d[\d._]*)(?!\w)")
_LITERAL = re.compile(r"""(?P<quote>["'])(?P<value>[^"'\\\n]{4,200})(?P=quote)""")
_DEFAULT = re.compile(
    r"""(?:get|getenv|get_env|pop|setdefault|fetch|env|getOrDefault|getProperty)
        \(\s{0,3}["'][^"'\n]{1,100}["'],\s{0,3}(?:default=)?$""",
    re.VERBOSE,
)
"""`os.getenv("DB_PASSWORD", ` before the value that is taken when there is no other."""
_OTHERWISE = re.compile(
    r"""[^\n"']{1,100}(?:"[^"\n]{0,100}"[^\n"']{0,20}){0,2}(?:\bor|\belse|\|\||\?\?)[ ]{1,3}"""
    r"""(?P<quote>["'])(?P<value>[^"'\n]{1,200})(?P=quote)"""
)
"""`os.getenv("DB_PASSWORD") or "letmein"`"""
_MIXED = re.compile(
    r"(?=[^\d]*\d)(?=[^A-Za-z]*[A-Za-z])"
    r"(?!(?:sha|md|utf|latin|iso|base|hs|rs|es|ps|aes|v|p|rfc|http|x|win|cp)-?\d)"
    r"(?![A-Za-z]+\d?[-_:/. ])[^\s{}%/]{8,}",
    re.IGNORECASE,
)
"""Letters and digits that are no name: a secret."""
_HALF = re.compile(r"(?=[^\d]*\d)(?=[^A-Za-z]*[A-Za-z])[^\s:=]{6,}$")
"""The same, short, beside a placeholder."""
_PLACEHOLDER = re.compile(r"[$#]?\{[^{}]*\}|%(?:\(\w+\))?[-\d.]*[sdrxif]|\$\w+")
_TEMPLATE = re.compile(
    r"""[bru]?(?P<f>f[bru]?(?=["'])|(?=`))?(?P<quote>["'`])(?P<value>[^"'`\n]{1,300})"""
    r"""(?:(?P=quote)|(?=\n)|$)"""
)
_SCHEME = re.compile(r"(?:bearer|basic|token|apikey|digest|bot|key)(?: +|$)", re.IGNORECASE)
_LANGUAGES = frozenset(
    """c cc cjs clj cpp cs erl ex exs fs go groovy h java js jsx kt mjs php pl py rb rs scala swift
    ts tsx vue""".split()  # noqa: SIM905  a list of words to read
)
_CLOSING = re.compile(r"""["'](?:,[ ](?!["'])|\)|[ ][+%][ ]|\.format\()""")
"""The end of a text that itself ends with `token=`."""
_PARAM = re.compile(r"[:@](?:param|type|return)s? $")
_SIMPLE = re.compile(
    r"""[bru]?["']?(?:[^\w'"]{1,3}|[A-Za-z_ -]{1,24})(?=["'),:;\s]|$)|["']?#|-?\d{1,6}(?!\w)"""
)
"""A word, a sign, a colour, a number."""
_SOURCE = re.compile(
    r'^[ \t]*File "[^"\n]{1,300}\.pyx?", line \d{1,7}(?:, in [^\n]{0,200})?\n'
    r"((?:[ \t]{4}[^\n]*(?:\n|$))+)",
    re.MULTILINE,
)


def find_source(text: str) -> list[int]:
    """Where source lines in Python's tracebacks begin and end, in turn."""
    if 'File "' not in text:
        return []
    return [at for found in _SOURCE.finditer(text) for at in found.span(1)]


def find_code(
    text: str, name: str, span: tuple[int, int], between: str, source: Sequence[int] = ()
) -> Code | None:
    """What a program computes, after the name of a secret; None where a value follows."""
    code = _find_code(text, name, span, between, source)
    otherwise = _OTHERWISE.match(text, span[1]) if code and code.literal is None else None
    return Code(otherwise.span("value")) if otherwise else code


def _find_code(
    text: str, name: str, span: tuple[int, int], between: str, source: Sequence[int]
) -> Code | None:
    begin, at = span
    if _is_template(text, at) or ("==" in between and _NUMBER.match(text, at)):
        return Code()
    if name.rpartition(".")[2] in _LANGUAGES and text[at : at + 1].isdigit():
        return Code()  # TokenService.java:120
    documented = _PARAM.search(text, max(0, begin - 8), begin)
    line = text[max(0, begin - 200) : begin].rpartition("\n")[2]
    closing = _CLOSING.match(text, at) and text[at] not in between and line.count(text[at]) % 2
    if documented or closing or _is_of_parser(text, name, between, at):
        return Code()
    shown = bisect(source, begin) % 2 == 1 and "#" not in line
    plain = between in (":", "=>") or (between in ("=", ": ") and name.isupper())
    if plain and not shown:  # PASSWORD=a(b)
        return None
    if text[at : at + 1] in ("(", "[", "{"):
        return _look_into(text, at, shown=shown, assigned=shown or "= " in between)
    start = _START.match(text, at)
    if start is None:
        return None
    if start["open"]:
        return _follow(text, start, shown=shown)
    if not _ENDS.match(text, start.end()):
        return None
    if shown or "==" in between or start["path"] in ("self", "this"):
        return Code()
    return Code() if is_variable(begin, name, start, between) else None


def _is_template(text: str, at: int) -> bool:
    """`f"Bearer {token}"`, `"Basic %s"`: nothing but placeholders, or words around them."""
    found = _TEMPLATE.match(text, at)
    if found is None:
        return False
    rest, holders = _PLACEHOLDER.subn(" ", found["value"])
    scheme = _SCHEME.match(rest)
    bare = rest[scheme.end() if scheme else 0 :].strip(" :/,;")
    if found["f"] is not None or found["quote"] == "`":
        return holders > 0 and not any(map(_HALF.match, bare.split()))
    return not bare and (holders > 0 or (scheme is not None and rest.endswith(" ")))


def is_of_parser(name: str, value: str) -> bool:
    """`token == "with"`"""
    return split(name)[-1:] == ["token"] and _SIMPLE.match(value) is not None


def _is_of_parser(text: str, name: str, between: str, at: int) -> bool:
    """`token.kind = 1`, `token == "with"`: of a source text, not of a login."""
    parts = [split(part) for part in name.split(".")]
    if parts[0] == ["token"] and len(parts) > 1 and get_strength(parts[-1]) is Strength.NONE:
        return _SIMPLE.match(text, at) is not None
    return "==" in between and is_of_parser(name, text[at : at + 60])


def _follow(text: str, start: re.Match[str], *, shown: bool) -> Code | None:
    """A call or an item: from its first bracket to the end of its last."""
    begin = start.end() - 1
    end = _find_end(text, begin)
    if end is None:
        return None
    arguments = text[begin + 1 : end - 1].strip()
    spaced = text[start.start() - 1 : start.start()] == " "
    short = arguments.isdigit() or (len(start["path"]) < 3 and not spaced)
    if short and not shown and start["path"].isalnum() and not (spaced and start["open"] == "["):
        return None  # Summer(2024)
    if not _AFTER.match(text, end):
        return None
    for _ in range(8):
        more = _MORE.match(text, end)
        further = _find_end(text, more.end()) if more else None
        if further is None:
            break
        end = further
    return Code(_find_literal(text, begin, end))


def _find_end(text: str, at: int) -> int | None:
    """After the bracket that closes the one at this place, or where its line breaks off."""
    awaited: list[str] = []
    for mark in _MARKS.finditer(text, at, at + _LONGEST):
        if mark[0] in _PAIRS:
            awaited.append(_PAIRS[mark[0]])
        elif mark[0] in ")]}":
            if mark[0] != awaited.pop():
                return None
        elif mark[0] in "\r\n":
            return mark.start() if text[at : mark.start()].rstrip().endswith(_GOES_ON) else None
        if not awaited:
            return mark.end()
    ends = len(text) <= at + _LONGEST and "\n" not in text[at:]
    return len(text) if ends and text[at:].rstrip().endswith(_GOES_ON) else None


def _find_literal(text: str, begin: int, end: int) -> tuple[int, int] | None:
    for literal in _LITERAL.finditer(text, begin, end):
        default = _DEFAULT.search(text, max(0, literal.start() - 140), literal.start())
        if default or _MIXED.fullmatch(literal["value"]):
            return literal.span("value")
    return None


def _look_into(text: str, at: int, *, shown: bool, assigned: bool) -> Code | None:
    """`(bool, optional)`, `[first, second]`, `(name.encode() + b":")`."""
    end = _find_end(text, at)
    if end is None:
        return None
    inner = text[at + 1 : end].strip(")]}, \n")
    if any(map(_MIXED.match, re.split(r"[\s,]+", inner))) and '"' not in inner and "'" not in inner:
        return None
    if text[at] == "{" and re.fullmatch(rf"{NAME}(?:\.{NAME})*[(\[].*", inner):
        return Code()
    if text[at] == "(" and not re.search(r"['\"\d]", inner):
        return Code() if re.search(r"[\s,.(]", inner) else None
    if not assigned or (text[at] == "{" and not shown):
        return None
    plain = not re.search(r"['\"]", inner)
    computed = plain or re.match(rf"{NAME}(?:{DOT}{NAME})*[\s(\[,]", inner)
    short = not any(len(one["value"]) > 4 for one in _LITERAL.finditer(inner))
    return Code(_find_literal(text, at, end)) if computed or short else None
