"""Secrets by their place in a row, of `INSERT INTO u (name, password) VALUES …` and of `COPY`."""

from __future__ import annotations

import re

from jobs_maint.redaction.names import Strength
from jobs_maint.redaction.rules import HIDDEN, Rules
from jobs_maint.redaction.values import is_value

__all__ = ["INSERT", "ITEM", "NEXT_ROW", "find_end_of_rows", "hide_copied", "hide_inserted"]

INSERT = re.compile(
    r"""\b(?:INSERT|REPLACE)\s{1,3}(?:IGNORE\s{1,3})?INTO\s{1,3}[^\s(]{1,130}\s{0,3}
        \((?P<columns>[^()]{1,20000})\)\s{0,20}(?:OVERRIDING[ A-Z]{1,30})?
        (?:SELECT\s[^()]{1,1000}?FROM\s{1,3}\(\s{0,20})?VALUES\s{0,20}(?=\()""",
    re.VERBOSE | re.IGNORECASE,
)
ITEM = re.compile(
    r"""\s{0,20}(?:(?:[NEnexX]|_utf8(?:mb4)?\s?)?'(?P<value>(?:''|\\.|[^'\\])*+)(?:'|$)
        | [^\s,()']{0,200}+(?:\((?:[^()']{1,200}+|'[^']{0,200}'|\([^()]{0,100}\))*+\))?)
        (?:::[\w\[\] ]{1,40})?\s{0,20}(?P<after>[,)]|$)""",
    re.VERBOSE,
)
_COLUMNS_CUT = re.compile(
    r"\b(?:INSERT|REPLACE)\s{1,3}(?:IGNORE\s{1,3})?INTO\s{1,3}[^\s(]{1,130}\s{0,3}\([^()]*\Z",
    re.IGNORECASE,
)
_END_OF_ROWS = re.compile(
    r"""(?:(?<!')'\)(?=\s{0,20}(?:[;\]"\n]|ON\s|RETURNING\s|$))
      | \)(?=[;\]"]{0,3}(?:\n|$)))""",
    re.VERBOSE | re.IGNORECASE,
)
_COPY = re.compile(
    r"""\bCOPY\s{1,3}[^\s(]{1,130}\s{0,3}\((?P<columns>[^()]{1,20000})\)\s{1,3}FROM\s{1,3}STDIN
        (?P<options>[^\n]{0,200})\n""",
    re.VERBOSE | re.IGNORECASE,
)
_END_OF_COPY = re.compile(r"^\\\.$", re.MULTILINE)
NEXT_ROW = re.compile(r"\s{0,20},\s{0,20}(?=\()")
"""Between `(…), (…)`."""


def hide_inserted(text: str, rules: Rules) -> str:
    """The values in the columns whose names are those of secrets, row by row."""
    parts, at = [], 0
    for found in INSERT.finditer(text):
        if found.start() < at:
            continue
        names, strengths = _name_columns(found, rules)
        if not any(strengths):
            continue
        for (begin, end), column in _read_rows(text, found.end(), len(names))[0]:
            strength = strengths[column]
            if strength and is_value(text[begin:end], strength, names[column]):
                parts += [text[at:begin], HIDDEN]
                at = end
    return "".join([*parts, text[at:]])


def hide_copied(text: str, rules: Rules) -> str:
    """The same in the lines that follow `COPY … FROM stdin`."""
    parts, at = [], 0
    for found in _COPY.finditer(text):
        if found.start() < at:
            continue
        names, strengths = _name_columns(found, rules)
        if not any(strengths):
            continue
        end = _END_OF_COPY.search(text, found.end())
        rows = text[found.end() : end.start() if end else len(text)]
        separator = "," if "csv" in found["options"].lower() else "\t"
        parts += [text[at : found.end()]]
        for row in rows.splitlines(keepends=True):
            fields = row.rstrip("\n").split(separator)
            if len(fields) == len(names) or not row.endswith("\n"):
                for column, (field, strength) in enumerate(zip(fields, strengths, strict=False)):
                    if strength and field != "\\N" and is_value(field, strength, names[column]):
                        fields[column] = HIDDEN
            parts += [separator.join(fields), "\n" * row.endswith("\n")]
        at = found.end() + len(rows)
    return "".join([*parts, text[at:]])


def find_end_of_rows(before: str, after: str, rules: Rules) -> int | None:
    """Where rows with a secret that begin before a cut end after it; None when there are none."""
    end = 0
    for found in INSERT.finditer(before):
        if found.start() < end:  # in the text of a row
            continue
        names, strengths = _name_columns(found, rules)
        rows, open_at_end = _read_rows(before, found.end(), len(names))
        if open_at_end and any(strengths):
            return _find_end(_END_OF_ROWS, after)
        end = rows[-1][0][1] if rows else 0
    if _COLUMNS_CUT.search(before):
        return _find_end(_END_OF_ROWS, after)
    copies = list(_COPY.finditer(before))
    if copies and any(_name_columns(copies[-1], rules)[1]):
        ended = _END_OF_COPY.search(before, copies[-1].end())
        return None if ended else _find_end(_END_OF_COPY, after)
    return None


def _find_end(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text)
    return found.start() if found else len(text)


def _name_columns(found: re.Match[str], rules: Rules) -> tuple[list[str], list[Strength | None]]:
    """The names, and the strength of each that is the name of a secret."""
    names = [name.strip(' \n\t"`[]') for name in found["columns"].split(",")]
    strengths = [rules.strength(name) for name in names]
    return names, [one if one is not Strength.NONE else None for one in strengths]


def _read_rows(text: str, at: int, columns: int) -> tuple[list[tuple[tuple[int, int], int]], bool]:
    """Where the texts in the rows are, in which column each stands; whether the text ends there."""
    found: list[tuple[tuple[int, int], int]] = []
    while True:
        at += 1  # the bracket
        for column in range(columns):
            item = ITEM.match(text, at)
            if item is None:
                return found, False
            if item["value"] is not None:
                found.append((item.span("value"), column))
            at = item.end()
            if item["after"] == "":
                return found, True
            if item["after"] == ")":
                break
        following = NEXT_ROW.match(text, at)
        if following is None:
            return found, text[at:].strip() in ("", ",")
        at = following.end()
