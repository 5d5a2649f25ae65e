"""Which failures are one error: those of one task, type and message without what varies.

Left out are addresses, ids, hosts' numbers, times, spans, sizes, temporary names, values between
quotes and long tokens. What tells errors apart stays: a status, an errno, an exit code, the name of
a constraint or a column. Each pattern reads a message once, from left to right.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from http import HTTPStatus

__all__ = ["FINGERPRINT_VERSION", "build_fingerprint", "is_built", "normalise"]

FINGERPRINT_VERSION = 2
MOST = 2_000
"""Characters that are looked at; of a longer text the rest tells no errors apart."""
_KEPT = str.maketrans("0123456789", "".join(chr(0xE000 + digit) for digit in range(10)))
"""Digits that tell errors apart, as characters that no later pattern takes for a number."""


def build_fingerprint(
    task: str, type_name: str, message: str, version: int = FINGERPRINT_VERSION
) -> str:
    """`2:` and 16 hex digits; from what is stored of a failure, so that it can be built again.

    What recorders of version 1 stored cannot: they knew the type's module too.
    """
    text = normalise(message) if version > 1 else _normalise_1(message)
    parts = f"{task}\0{type_name}\0{text}"
    digest = hashlib.sha256(parts.encode("utf-8", "backslashreplace")).hexdigest()[:16]
    return f"{version}:{digest}"


def is_built(fingerprint: str) -> bool:
    """Whether it is of a message; that of a lost worker is not."""
    return re.fullmatch(r"\d+:[0-9a-f]{16}", fingerprint) is not None


def normalise(message: str) -> str:
    message = message[:MOST]
    for pattern, change in _RULES:
        message = pattern.sub(change, message)
    return message.strip()


_Change = str | Callable[[re.Match[str]], str]

_PHRASES = "|".join(sorted({re.escape(status.phrase) for status in HTTPStatus}, reverse=True))
_CODE = re.compile(
    rf"""
    # As servers write it: "order 404 not found" names an order.
    \b(?-i:[45]\d\d\ (?:{_PHRASES}|Client\ Error|Server\ Error|Service\ Temporarily\ Unavailable))
    | \b(?:errno|error|status|code|statuscode|status\ code|error\ code|exit\ status|exit\ code
          |exitcode|exited\ with|http|httperror|http\ error|signal|sqlstate|grpc_status
          |reason\ code)
      ['"]?[\ :=(\[<]{{0,3}}-?\d{{1,5}}\b(?![.\d]*[-/]\d)
    | \bSQLSTATE\[\w{{5}}\] | \b(?:ORA|DPY|DPI|PLS)-\d+ | \bE\d{{5}}\b | \bSignals\.\w+:\ \d+
    | \berror\ occurred\ \(\d{{3}}\)
    | (?:^|\()\(?\d{{3,4}}(?=,\ b?['"])       # (1213, 'Deadlock …'), (550, b'…')
    | ^\w+\(\d{{3}}(?=,\ )                    # NotFoundError(404, …)
    | ^[45]\d\d(?=,?\ [A-Za-z])
    """,
    re.VERBOSE | re.IGNORECASE,
)

_NAMES_IT = re.compile(
    r"(?:(?:constraint|relation|column|table|index|attribute|module|named|name|role|schema|type"
    r"|function|argument|keyword|for|Expecting|codec)|['\"](?:error|code|type|reason|status)['\"]:"
    r"|(?:message|reason|details) ?=|operand type\(s\) for \S{1,3}:|[\ue000-\ue009]{3,4},)\s?$",
    re.IGNORECASE,
)
_IDENTIFIER = re.compile(r"[A-Za-z_][\w.$]{0,62}")
_STATUS = re.compile("[\ue000-\ue009]{3} ")
_WORDS = re.compile(r"[^\W\d_]{2,}[^ ]* [^ ]*[^\W\d_]{2,}[^ ]* ")
_QUOTED = re.compile(r"(?<!\w)[bu]?(['\"`])((?:(?!\1)[^\n]){0,500})\1(?!\w)")


def _unquote(found: re.Match[str]) -> str:
    """Quoted text stays where it says which error it is, else it is a value."""
    inner, text = found[2], found.string
    before = text[max(0, found.start() - 24) : found.start()]
    if len(found[0]) == len(text) and _IDENTIFIER.fullmatch(inner):  # KeyError: 'customer_id'
        return found[0]
    if text.startswith((" object", " codec", " is not defined"), found.end()):
        return inner
    if _NAMES_IT.search(before) and (_IDENTIFIER.fullmatch(inner) or inner in {",", ":"}):
        return inner
    argument = not re.search(r"[^\W\d_] ?$", before)
    if _STATUS.match(inner) or (argument and _WORDS.search(inner)):
        # A message within the message, as of an exception that was the cause.
        return _QUOTED.sub(_unquote, inner)
    return "<value>"


def _shorten(found: re.Match[str]) -> str:
    """Of a word with digits: an id, or the word with its numbers left out."""
    word = found[0]
    letters = re.search(r"[A-Za-z]", word)
    if letters is None:
        return "<n>"
    prefix = re.match(r"[A-Za-z]{1,12}[_-](?=\w{6})", word)
    head = prefix[0] if prefix is not None else ""
    rest = word[len(head) :]
    if _SHORT_HEX.fullmatch(rest):
        return f"{head}<n>"
    if _is_id(rest):
        return f"{head}<id>"
    return re.sub(r"\d+(?:[-._:]\d+)*", "<n>", word)


_TURNS = re.compile(r"[A-Za-z](?=\d)|\d(?=[A-Za-z])")
_HEX = re.compile(r"(?:[0-9a-f]{6,}|[0-9A-F]{6,})(?:-[0-9A-Fa-f-]+)?")
_SHORT_HEX = re.compile(r"[0-9a-f]{6,12}|[0-9A-F]{6,12}")
"""A number: of random ids so short, some in a thousand or a hundred have digits alone."""

_MIXED = re.compile(r"(?=\w*[a-z])(?=\w*[A-Z])\w{10,}$")
_ARTICLE = re.compile(r"[A-Z\d]+(?:-[A-Z\d]+)+")


def _is_id(word: str) -> bool:
    turns = len(_TURNS.findall(word))
    if _ARTICLE.fullmatch(word) or (turns and (_HEX.fullmatch(word) or _MIXED.match(word))):
        return True
    digits = sum(map(str.isdigit, word))
    return (turns > 2 and len(word) >= 8) or (digits > 2 and turns > 0 and len(word) >= 20)


_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_DAY = "(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},? ?)?"
_CLOCK = (
    r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?[AP]M)?(?: ?(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)\b)?"
)
_UNIT = (
    r"(?:ns|us|µs|ms|msec|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?"
    r"|[kKmMgGtT]i?[bB]|[Bb]ytes?|B)"
)

_RULES: tuple[tuple[re.Pattern[str], _Change], ...] = (
    (re.compile(r"[\ue000-\ue009]"), ""),
    (_CODE, lambda found: found[0].translate(_KEPT)),
    # A link, whatever it points to there; a path after `url:`.
    (re.compile(r"\b([a-z][a-z0-9+.-]{1,15}://)(?:[^\s/@'\"<>]{0,200}@)?([^\s/?#'\"<>(){}]*)"
                r"[^\s'\"<>{}]*", re.IGNORECASE), r"\1\2"),
    (re.compile(r"\burl: /[^\s)]*"), "url: <path>"),
    (re.compile(r"(?<![\w.%+@-])[\w.%+-]{1,64}@[\w.-]{1,200}"), "<address>"),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(rf"\bdatetime\.\w+\([^()]*\)|\b\d{{4}}-\d\d-\d\d(?:[T ]{_CLOCK})?"
                rf"|\b{_DAY}\d{{1,2}}[ /-]?{_MONTH}[ /-]?\d{{4}}(?:[:_ ]{_CLOCK}|_[\d.]+)?"
                rf"|\b{_DAY}{_MONTH} \d{{1,2}},? (?:\d{{4}} )?{_CLOCK}(?: \d{{4}})?"
                rf"|\b\d{{1,2}}[./]\d{{1,2}}[./]\d{{4}}(?: {_CLOCK})?"
                rf"|(?<=[A-Za-z])(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\d{{1,2}}{_MONTH}\d{{4}}_[\d.]+"),
     "<time>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b"
                r"|(?<![\w:])\[?(?=[a-f:]{0,9}(?:\d|::))(?=[0-9a-f]{0,4}:[0-9a-f]{0,4}:)[0-9a-f:]{2,39}(?:%\w{1,15})?\]?(?![\w:])"),
     "<host>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<hex>"),
    # The values of a row, a statement or a report, up to the end of their line.
    (re.compile(r"(\)=|Failing row contains |\[parameters: |input_value=|dup key: |LINE \d+: )"
                r"[^\n]*?"
                r"(?= already exists| is not present|, input_type=|, full error|\]?$|\]?\n)"),
     r"\1<value>"),
    (re.compile(r"\bVALUES \([^()]*\)", re.IGNORECASE), "VALUES <value>"),
    (re.compile(r"Command '\[[^\]]{0,2000}\]'(?= )"), "Command <value>"),
    (_QUOTED, _unquote),
    (re.compile(r"<value> \(<host>\)"), "<value>"),
    (re.compile(r"(?<= (?:to|at|on) )[A-Za-z][\w.-]{0,200}:\d{2,5}\b"), "<host>"),
    (re.compile(r"\bb?eyJ[\w-]{8,}(?:\.[\w-]*){0,4}"
                r"|\b(?=[A-Za-z+/]{0,99}\d)(?=[a-z\d+/]{0,99}[A-Z])(?=[A-Z\d+/]{0,99}[a-z])"
                r"[A-Za-z0-9+/]{24,}={0,2}(?=[^\w/]|$)"), "<id>"),
    (re.compile(r"\btmp[a-z0-9_]{6,}\b"), "<tmp>"),
    # No span of days: a short id in hex whose only letter stands last.
    (re.compile(r"(?<![\w.])\d{5,11}d\b"), "<n>"),
    (re.compile(rf"\b\d+(?:\.\d*)?(?: ?{_UNIT}\b(?: ?\d+(?:\.\d+)? ?{_UNIT}\b){{0,3}})"),
     "<span>"),
    (re.compile(r"(?<![\w-])[^\W\d]?(?:[^\W\d]|-){0,60}\d[\w-]*(?:[.:][^\W\d]{0,60}\d[\w-]*)*"),
     _shorten),
    (re.compile(r"([(\[{<, ])-?(?:<(?:n|value|id|hex)>(?:[,;/] ?|\.)?){2,}"), r"\1<n>"),
    (re.compile(r"\b([A-Za-z]{1,12}[_-])(?=[A-Za-z]{0,60}[a-z][A-Z])[A-Za-z]{12,60}\b"), r"\1<id>"),
    (re.compile(r"\s+"), " "),
)  # fmt: skip

_RULES_1 = (
    (re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE), "<uuid>"),
    (re.compile(r"'[^'\n]{0,500}'|\"[^\"\n]{0,500}\"|`[^`\n]{0,500}`"), "<value>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"\b(?=[a-f]*\d)[0-9a-f]{8,}\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"\d+"), "<n>"),
    (re.compile(r"\s+"), " "),
)


def _normalise_1(message: str) -> str:
    """As the first version had it: a group that it knew is found again."""
    for pattern, word in _RULES_1:
        message = pattern.sub(word, message)
    return message.strip()
