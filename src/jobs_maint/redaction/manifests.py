"""The data of Kubernetes Secrets, in YAML and in JSON: every value in it is a secret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from jobs_maint.redaction.names import Strength
from jobs_maint.redaction.rules import HIDDEN
from jobs_maint.redaction.values import find_value

__all__ = ["hide_data", "hide_manifests"]

_TEXTS = ("stringData", "string_data")
"""Only Secrets have these."""
_LINE = re.compile(
    r"""^(?P<lead>\+?[ ]*(?:-[ ]+)*)
        (?:(?P<key>data|string_?[dD]ata):
         |(?P<kind>kind:[ \t]*['"]?Secret['"]?[ \t]*\r?$)|(?P<end>---)|(?=\S))""",
    re.VERBOSE | re.MULTILINE,
)
_Q = r"\\{0,8}['\"]"
_FIELD = re.compile(
    rf"{_Q}(?:(?P<key>data|string_?[dD]ata){_Q}\s{{0,3}}:\s{{0,3}}(?=\{{)"
    rf"|kind{_Q}\s{{0,3}}:\s{{0,3}}{_Q}(?P<kind>\w{{1,60}}){_Q})"
)

_BRACES = re.compile("[{}]")
_MOST = 2_000


def hide_data(fields: dict[Any, Any]) -> dict[Any, Any]:
    """Of arguments that are a Secret."""
    keys = ("data", *_TEXTS) if fields.get("kind") == "Secret" else _TEXTS
    fields.update((key, HIDDEN) for key in keys if fields.get(key))
    return fields


def hide_manifests(text: str) -> str:
    if "ata" not in text or ("Secret" not in text and "string" not in text):
        return text
    if "ata:" in text:
        text = _hide(text, _find_blocks(text))
    return _hide(text, _find_objects(text))


def _hide(text: str, spans: Iterable[tuple[int, int]]) -> str:
    parts, at = [], 0
    for begin, end in sorted(spans):
        if begin >= at:
            parts += [text[at:begin], HIDDEN]
            at = end
    return "".join([*parts, text[at:]])


@dataclass
class _Mapping:
    """In YAML, the lines that begin in one column."""

    column: int
    is_secret: bool = False
    blocks: list[tuple[int, int, bool]] = field(default_factory=list)
    begun: tuple[int, bool] | None = None

    def end_block(self, text: str, at: int) -> None:
        if self.begun is not None:
            begin, sure = self.begun
            block = text[begin:at].strip()
            begin = text.find(block, begin)
            end = begin + len(block)
            if len(block) > 2 and block != HIDDEN:
                self.blocks.append((begin, end, sure))
        self.begun = None


def _find_blocks(text: str) -> Iterator[tuple[int, int]]:
    """What is below `data:` where `kind: Secret` stands in the same column."""
    mappings: list[_Mapping] = []
    for line in (*_LINE.finditer(text), None):
        lead = line["lead"] if line and not line["end"] else ""
        column = len(lead) if line and not line["end"] else -1
        at = line.start() if line else len(text)
        while mappings and (
            mappings[-1].column > column or (mappings[-1].column == column and "-" in lead)
        ):
            ended = mappings.pop()
            ended.end_block(text, at)
            yield from (block[:2] for block in ended.blocks if block[2] or ended.is_secret)
        if line is None or column < 0:
            continue
        if not mappings or mappings[-1].column < column:
            mappings.append(_Mapping(column))
        here = mappings[-1]
        here.end_block(text, at)
        here.is_secret = here.is_secret or line["kind"] is not None
        if line["key"]:
            here.begun = (line.end("key") + 1, line["key"] in _TEXTS)


def _find_objects(text: str) -> Iterator[tuple[int, int]]:
    """The object `data` of JSON, or of a `repr`, that has the kind Secret beside it."""
    fields = list(_FIELD.finditer(text))
    kinds = [one for one in fields if one["kind"]]
    at = passed = 0
    for one in fields:
        passed += one["kind"] is not None
        if one["kind"] or one.start() < at:
            continue
        span = find_value(text, one.end(), Strength.STRONG)
        before = passed > 0 and kinds[passed - 1]
        after = passed < len(kinds) and kinds[passed]
        if span is not None and (
            one["key"] in _TEXTS
            or (before and before["kind"] == "Secret" and _is_one(text[before.end() : one.start()]))
            or (after and after["kind"] == "Secret" and _is_one(text[span[1] : after.start()]))
        ):
            yield span
            at = span[1]


def _is_one(between: str) -> bool:
    """Whether no object ends between two fields; of what is long, this is not looked at."""
    depth = 0
    for sign in _BRACES.findall(between) if len(between) <= _MOST else ():
        depth += 1 if sign == "{" else -1
        if depth < 0:
            return False
    return True
