"""Secrets whose name stands in another field: `{"name": "API_KEY", "type": "a", "value": "…"}`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jobs_maint.redaction.names import Strength
from jobs_maint.redaction.rules import HIDDEN, Rules
from jobs_maint.redaction.values import find_value, is_value

__all__ = ["find_strength", "hide_pairs"]

NAME_KEYS = frozenset(
    ["name", "key", "field", "header", "param", "parameter", "k", "id", "parameterkey"]
)
VALUE_KEYS = frozenset(
    ["value", "val", "content", "data", "v", "default", "values", "parametervalue"]
)
_Q = r"\\{0,8}['\"]"
_IS = r"\s{0,3}:\s{0,20}"
_AND = r"\s{0,20},\s{0,40}"
_TEXT = (
    r"""[bu]?(?:"(?:[^"\\\n]|\\.){0,600}+"|'(?:[^'\\\n]|\\.){0,600}+'"""
    r"""|\\{1,8}"[^"\\\n]{0,600}+\\{1,8}")"""
)
_SIMPLE = (
    rf"(?:{_TEXT}|[\w.+-]{{1,40}}+"
    r"|\[[^\[\]]{0,300}+\]|\([^()]{0,300}+\)"
    r"|\{(?:[^{}]|\{[^{}]{0,100}+\}){0,300}+\})"
)
_OTHERS = rf"(?:{_AND}{_Q}\w{{1,40}}+{_Q}{_IS}{_SIMPLE}){{0,8}}?{_AND}"
"""Up to eight fields of the same object."""
_TYPE = r"(?:str|bytes|int|float|bool|none|constrained-\w{1,20}|function-[^'\"]{1,80})"
"""What pydantic adds to the place of a value that may have several types."""
_IS_TYPE = re.compile(_TYPE)


def _name(group: str) -> str:
    return rf"(?:{'|'.join(sorted(NAME_KEYS))}){_Q}{_IS}[bu]?{_Q}(?P<{group}>[\w./-]{{2,100}}){_Q}"


def _place(group: str) -> str:
    """Pydantic's; an index may follow."""
    return (
        rf"loc{_Q}{_IS}[\[(]\s{{0,40}}(?:(?:{_Q}[^'\"\\]{{0,100}}{_Q}|\d{{1,9}}){_AND}){{0,8}}?"
        rf"{_Q}(?P<{group}>[\w./-]{{2,100}}){_Q}(?:{_AND}(?:\d{{1,9}}|{_Q}{_TYPE}{_Q})){{0,2}}"
        r",?\s{0,40}[\])]"
    )


_VALUES = "|".join(sorted(VALUE_KEYS))
_FIRST = re.compile(
    rf"""['"](?=[a-z]{{1,20}}\\{{0,8}}['"]\s{{0,3}}:)(?:{_name("name")}|{_place("place")}
      |(?:{_VALUES}){_Q}{_IS}(?={_SIMPLE}{_OTHERS}{_Q}{_name("name_after")})
      |input{_Q}{_IS}(?={_SIMPLE}{_OTHERS}{_Q}{_place("place_after")}))""",
    re.VERBOSE | re.IGNORECASE,
)
_FIELD = re.compile(rf"""['"](?:{_VALUES}|input){_Q}{_IS}""", re.IGNORECASE)
_VALUE_AFTER = re.compile(rf"{_OTHERS}{_Q}(?:{_VALUES}){_Q}{_IS}", re.IGNORECASE)
_INPUT_AFTER = re.compile(rf"{_OTHERS}{_Q}input{_Q}{_IS}", re.IGNORECASE)


def hide_pairs(text: str, rules: Rules) -> str:
    """In JSON or Python: the value whose field `name` names a secret, and pydantic's `input`."""
    if not _FIELD.search(text):
        return text
    parts, at = [], 0
    for begin, end in sorted(_find_values(text, rules)):
        if begin >= at:
            parts += [text[at:begin], HIDDEN]
            at = end
    return "".join([*parts, text[at:]])


def _find_values(text: str, rules: Rules) -> Iterator[tuple[int, int]]:
    for found in _FIRST.finditer(text):
        kind = found.lastgroup or ""
        strength = rules.strength(found[kind])
        if strength is Strength.NONE:
            continue
        if kind.endswith("after"):
            begin = found.end()
        else:
            value = (_VALUE_AFTER if kind == "name" else _INPUT_AFTER).match(text, found.end())
            if value is None:
                continue
            begin = value.end()
        span = find_value(text, begin, strength)
        if span is not None and is_value(text[slice(*span)], strength, found[kind]):
            yield span


def find_strength(fields: Mapping[Any, Any], key: str, rules: Rules) -> Strength:
    """Of the value of this key, by what another field names."""
    names: Sequence[object] = ()
    if key.lower() in VALUE_KEYS:
        names = [inner for name, inner in fields.items() if str(name).lower() in NAME_KEYS]
    elif key == "input" and isinstance(place := fields.get("loc"), list | tuple):
        names = [one for one in place if isinstance(one, str) and not _IS_TYPE.fullmatch(one)][-1:]
    found = (rules.strength(name) for name in names if isinstance(name, str))
    return next((one for one in found if one is not Strength.NONE), Strength.NONE)
