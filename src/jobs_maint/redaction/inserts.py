"""Secrets by their place in a row: `INSERT INTO u (name, password) VALUES ('bo', 'letmein')`."""

from __future__ import annotations

import re

from jobs_maint.redaction.names import Strength
from jobs_maint.redaction.rules import HIDDEN, Rules
from jobs_maint.redaction.values import is_value

__all__ = ["INSERT", "ITEM", "NEXT_ROW", "hide_inserted"]

INSERT = re.compile(
    r"""\b(?:INSERT|REPLACE)\s{1,3}(?:IGNORE\s{1,3})?INTO\s{1,3}[^\s(]{1,130}\s{0,3}
        \((?P<columns>[^()]{1,2000})\)\s{0,20}(?:OVERRIDING[ A-Z]{1,30})?
        (?:SELECT\s[^()]{1,1000}?FROM\s{1,3}\(\s{0,20})?VALUES\s{0,20}(?=\()""",
    re.VERBOSE | re.IGNORECASE,
)
ITEM = re.compile(
    r"""\s{0,20}(?:(?:[NEnexX]|_utf8(?:mb4)?\s?)?'(?P<value>(?:''|\\.|[^'\\])*+)(?:'|$)
        | [^\s,()']{0,200}+(?:\((?:[^()']{1,200}+|'[^']{0,200}'|\([^()]{0,100}\))*+\))?)
        (?:::[\w\[\] ]{1,40})?\s{0,20}(?P<after>[,)]|$)""",
    re.VERBOSE,
)
NEXT_ROW = re.compile(r"\s{0,20},\s{0,20}(?=\()")
"""Between `(…), (…)`."""


def hide_inserted(text: str, rules: Rules) -> str:
    """The values in the columns whose names are those of secrets, row by row."""
    parts, at = [], 0
    for found in INSERT.finditer(text):
        if found.start() < at:
            continue
        names = [name.strip(' \n\t"`[]') for name in found["columns"].split(",")]
        strengths = [rules.strength(name) for name in names]
        if all(strength is Strength.NONE for strength in strengths):
            continue
        for (begin, end), column in _read_rows(text, found.end(), len(names)):
            if strengths[column] is Strength.NONE:
                continue
            if is_value(text[begin:end], strengths[column], names[column]):
                parts += [text[at:begin], HIDDEN]
                at = end
    return "".join([*parts, text[at:]])


def _read_rows(text: str, at: int, columns: int) -> list[tuple[tuple[int, int], int]]:
    """Where the texts in the rows are, and in which column each stands."""
    found: list[tuple[tuple[int, int], int]] = []
    while True:
        at += 1  # the bracket
        for column in range(columns):
            item = ITEM.match(text, at)
            if item is None:
                return found
            if item["value"] is not None:
                found.append((item.span("value"), column))
            at = item.end()
            if item["after"] == ")":
                break
        following = NEXT_ROW.match(text, at)
        if following is None:
            return found
        at = following.end()
