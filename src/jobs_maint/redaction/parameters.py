"""Secrets among the parameters of a statement: `… SET password = ?` and later `('letmein', 7)`."""

from __future__ import annotations

import re

from jobs_maint.redaction.inserts import INSERT, ITEM, NEXT_ROW
from jobs_maint.redaction.names import Strength
from jobs_maint.redaction.rules import HIDDEN, Rules
from jobs_maint.redaction.values import is_value

__all__ = ["hide_parameters"]

_VERBS = r"(?i:INSERT|REPLACE|UPDATE|SELECT|DELETE|MERGE|WITH)\b"
_AFTER = r"""\s?[,%]\s{0,40}(?:["']?\w{1,20}["']?\s?[:=]\s?)?"""
_WORDS = ("args", "params", "parameters", "Parameters", "PARAMETERS", "bindings")
_GIVEN = re.compile(
    "|".join(rf"{word}(?:[=:]\s?|\s)(?=[\[(]|\$1\s=)" for word in _WORDS)
    + r"|\[(?:generated in|cached since|raw sql|no key|caching disabled)[^\]\n]{0,60}\]\s"
    r"(?:\[[^\]\n]{1,60}\]\s)?(?=[\[(])"
    rf'|"(?:"")?\s{{0,40}}(?P<double>{_VERBS}(?:\\.|[^"\\])++)"(?:"")?{_AFTER}'
    rf"|'(?:'')?\s{{0,40}}(?P<single>{_VERBS}(?:\\.|[^'\\])++)'(?:'')?{_AFTER}"
)
"""Before parameters: of SQLAlchemy's errors and log, of Django's, of PostgreSQL's, of a call."""
_BEGINS = re.compile(
    rf"(?:(?:\bEngine|\(\d{{1,6}}\.\d{{3}}\)|[\w>][:=])\s{{0,40}}|['\"])(?={_VERBS})", re.IGNORECASE
)
_PLACEHOLDER = re.compile(r"'(?:''|[^'])*+'|(?P<mark>\?|%s|[$:](?P<number>\d{1,4})(?!\w))")
_COMPARED = re.compile(
    r"""(?P<name>\w{1,63})["`\]]?\s{0,3}(?:=|<>|!=|\b(?:I?LIKE|IN)\b)\s{0,3}(?:\w{0,40}\(){0,3}$""",
    re.IGNORECASE,
)
"""A column before its placeholder."""
_PLAIN = r"[^()\[\]{}'\"]|'(?:\\.|[^'\\\n]){0,400}+'|\"(?:\\.|[^\"\\\n]){0,400}+\""
_NESTED = rf"(?:{_PLAIN})"
for _ in range(4):
    _NESTED = rf"(?:{_PLAIN}|[(\[{{]{_NESTED}{{0,400}}+[)\]}}])"
_ARGUMENT = re.compile(
    rf"""\s{{0,40}}(?:(?:[bru]{{0,2}}'(?P<single>(?:\\.|''|[^'\\])*+)(?:'|$)
          |[bru]{{0,2}}"(?P<double>(?:\\.|[^"\\])*+)(?:"|$)
          |(?P<number>\d{{1,30}}))
        | (?:[^,()\[\]{{}}'"\s]|[ ](?!\.\.\.)
            |[(\[{{]{_NESTED}{{0,400}}+[)\]}}]){{1,400}}+)
        (?:[ ]\.\.\.[ ](?P<dropped>\d{{1,9}})[ ]parameters\ truncated[ ]\.\.\.
          |\s{{0,40}}(?P<after>[,)\]]|$))""",
    re.VERBOSE,
)
_ROWS = re.compile(r"\[\s{0,20}(?=[(\[])")
_NEXT = re.compile(r"\s{0,20}(?:,|\.\.\.[ ]displaying [\w ]{1,80}\.\.\.)?\s{0,20}(?=[(\[])")
"""Between the rows of several."""
_NUMBERED = re.compile(r"\$(\d{1,4}) = '((?:''|[^'])*+)'?(?:, )?")
_KINDS = ("single", "double", "number")
_MARK = re.compile(r"\?|%s|\$1|:1")
_IN_SQL = re.compile(r"\b(?:INTO|SET|WHERE)\s", re.IGNORECASE)
_CUT = "characters cut …"
_REST = re.compile(r"\)?\](?=\n|$)")


def hide_parameters(text: str, rules: Rules) -> str:
    """Those whose placeholder stands for the column of a secret."""
    if not (_MARK.search(text) and _IN_SQL.search(text)):
        return text
    parts, at, seen, end = [], 0, 0, 0
    for found in _GIVEN.finditer(text):
        if found.start() < end:  # in what was read already
            continue
        begin, seen = seen, found.end()
        sql = found["double"] or found["single"] or _find_statement(text[begin : found.start()])
        names, repeat = _name_placeholders(sql)
        unknown = _CUT in sql
        if not unknown and all(rules.strength(name) is Strength.NONE for name in names.values()):
            continue
        given, end = _read(text, found.end())
        for number, span in given:
            name = names.get(number % repeat if repeat else number, "")
            known = not unknown and number >= 0
            strength = rules.strength(name) if known else Strength.STRONG
            if strength is not Strength.NONE and is_value(text[slice(*span)], strength, name):
                parts += [text[at : span[0]], HIDDEN]
                at = span[1]
    return "".join([*parts, text[at:]])


def _find_statement(text: str) -> str:
    begin = 0
    for found in _BEGINS.finditer(text):
        begin = found.end()
    return text[begin:]


def _name_placeholders(sql: str) -> tuple[dict[int, str], int]:
    """The column of each, counted from 0, and after how many those of a next row follow."""
    names: dict[int, str] = {}
    columns, inserted, repeat = _find_columns(sql)
    count, before, name = 0, 0, ""
    for found in _PLACEHOLDER.finditer(sql):
        if not found["mark"]:
            continue
        if found.start() in columns:
            name = columns[found.start()]
        elif not (name and sql[before : found.start()].strip() == ","):
            compared = _COMPARED.search(sql, max(0, found.start() - 120), found.start())
            name = compared["name"] if compared else ""
        names[int(found["number"]) - 1 if found["number"] else count] = name
        count, before = count + 1, found.end()
    return names, repeat if count == inserted else 0


def _find_columns(sql: str) -> tuple[dict[int, str], int, int]:
    """Where placeholders of an INSERT stand, with their columns; how many, and in the first row."""
    insert = INSERT.search(sql)
    if insert is None:
        return {}, 0, 0
    names = [name.strip(' \n\t"`[]\\') for name in insert["columns"].split(",")]
    columns: dict[int, str] = {}
    at, first = insert.end(), 0
    while True:
        at += 1
        for place in range(len(names) + 2):
            item = ITEM.match(sql, at)
            if item is None:
                return columns, len(columns), first or len(columns)
            for mark in _PLACEHOLDER.finditer(sql, at, item.end()):
                if mark["mark"]:
                    columns[mark.start()] = names[place] if place < len(names) else ""
            at = item.end()
            if item["after"] == ")":
                break
        first = first or len(columns)
        following = NEXT_ROW.match(sql, at)
        if following is None:
            return columns, len(columns), first
        at = following.end()


def _read(text: str, at: int) -> tuple[list[tuple[int, tuple[int, int]]], int]:
    """The number and place of each parameter that is a text or a number, and where all end.

    Where some were cut the places of the rest are not known: their number is -1.
    """
    given: list[tuple[int, tuple[int, int]]] = []
    while (numbered := _NUMBERED.match(text, at)) is not None:
        given.append((int(numbered[1]) - 1, numbered.span(2)))
        at = numbered.end()
    if given:
        return given, at
    rows = _ROWS.match(text, at)
    at = rows.end() if rows else at
    while True:
        at += text[at : at + 1] in ("(", "[")
        number, goes_on = 0, True
        while goes_on and (one := _ARGUMENT.match(text, at)) is not None and _CUT not in one[0]:
            given += [(number, one.span(kind)) for kind in _KINDS if one[kind]]
            number += 1 + int(one["dropped"] or 0)
            at, goes_on = one.end(), one["after"] == "," or one["dropped"] is not None
        following = _NEXT.match(text, at) if rows and not goes_on else None
        if following is None:
            break
        at = following.end()
    cut = text.find(_CUT, at, at + 4_000) if goes_on or rows else -1
    if cut < 0:
        return given, at
    before = text.rfind("\n", at, cut)
    after = _REST.search(text, cut)
    end = after.start() if after else len(text)
    return [*given, (number, (at, max(at, before))), (-1, (cut + len(_CUT), end))], end
