"""What pydantic finds wrong with a value of a setting, in words that say what to write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["say_wrong"]

_MUST_BE: Mapping[str, str] = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list, in [ ]",
    "tuple": "a list, in [ ]",
    "set": "a list, in [ ]",
    "dict": "an object, in {{ }}",
    "model": "an object, in {{ }}",
    "dataclass": "an object, in {{ }}",
    "string": "text, in quotes",
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "string_too_long": "at most {max_length} characters long",
    "literal_error": "{expected}",
    "enum": "{expected}",
}
_OTHERS = {
    "missing": "it is missing",
    "extra_forbidden": "this key is not known",
    "too_short": "the list is empty",
    "string_too_short": "the text is empty",
}
_MOST_SHOWN = 20
"""Characters of what was found."""


def say_wrong(error: Mapping[str, Any]) -> str:
    """One of the errors of a pydantic ValidationError, its context included, its input if known."""
    kind = error["type"]
    if kind in _OTHERS:
        return _OTHERS[kind]
    meant = _MUST_BE.get(kind) or _MUST_BE.get(kind.partition("_")[0])
    if meant is None:
        return str(error["msg"]).removeprefix("Value error, ")
    shown = str(error.get("input", ""))
    # Not what may be a secret: those are texts.
    is_shown = not meant.startswith(("a list", "an object", "text")) and shown.isprintable()
    instead = f", not {shown}" if is_shown and 0 < len(shown) <= _MOST_SHOWN else ""
    return f"it must be {meant.format(**error.get('ctx', {}))}{instead}"
