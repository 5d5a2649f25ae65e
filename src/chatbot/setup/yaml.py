"""Plain data as YAML in block style; enough for a manifest, and no library to install."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

__all__ = ["write_yaml"]

Value = str | bool | int | Mapping[str, "Value"] | Sequence["Value"]

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_/. -]*[A-Za-z0-9_]", re.ASCII)
_RESERVED = {"true", "false", "yes", "no", "on", "off", "null"}


def write_yaml(data: Mapping[str, Value]) -> str:
    return "\n".join(_lines(data)) + "\n"


def _lines(value: Mapping[str, Value] | Sequence[Value]) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _entry(f"{_scalar(key)}:", inner, "  ")
        return
    for inner in value:
        if isinstance(inner, Mapping) and inner:
            first, *rest = _lines(inner)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
        else:
            yield from _entry("-", inner, "  ")


def _entry(head: str, value: Value, indent: str) -> Iterator[str]:
    if isinstance(value, str | bool | int):
        yield f"{head} {_scalar(value)}"
    elif not value:
        yield f"{head} {'{}' if isinstance(value, Mapping) else '[]'}"
    else:
        yield head
        yield from (f"{indent}{line}" for line in _lines(value))


def _scalar(value: str | bool | int) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    # A JSON string is a YAML string, whatever is in it.
    return json.dumps(value, ensure_ascii=False)
