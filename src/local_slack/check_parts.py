"""The parts that Slack checks everywhere: texts, lists, fields; each problem with its place.

In most blocks Slack refuses a field that the reference does not name ("invalid additional
property"); here that applies to all blocks.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

Found = Iterator[tuple[str, str]]
"""Problems: where (a JSON pointer), and what."""

Check = Callable[[dict[str, Any], str], Found]

MAX_ID = 255
TEXT_FIELDS = {"plain_text": ("emoji",), "mrkdwn": ("verbatim",)}


def check_text(holder: Any, key: str, where: str, limit: int, *, plain: bool = False) -> Found:
    """A text object; `plain`: only `plain_text` is taken."""
    value = holder.get(key) if isinstance(holder, dict) else None
    kinds = {"plain_text"} if plain else set(TEXT_FIELDS)
    if not isinstance(value, dict) or value.get("type") not in kinds:
        yield f"{where}/{key}", f"must be an object of type {' or '.join(sorted(kinds))}"
        return
    yield from check_string(value, "text", f"{where}/{key}", limit)
    known = ("type", "text", *TEXT_FIELDS[value["type"]])
    yield from check_fields(value, known, f"{where}/{key}")


def check_string(holder: dict[str, Any], key: str, where: str, limit: int) -> Found:
    value = holder.get(key)
    if not isinstance(value, str):
        yield f"{where}/{key}", "must be a string"
    elif not value:
        yield f"{where}/{key}", "must be more than 0 characters"
    elif len(value) > limit:
        yield f"{where}/{key}", f"must be less than {limit + 1} characters"


def check_id(holder: dict[str, Any], key: str, where: str) -> Found:
    """An id that may be left out; an empty one counts as left out."""
    value = holder.get(key)
    if value is not None and not isinstance(value, str):
        yield f"{where}/{key}", "must be a string"
    elif value is not None and len(value) > MAX_ID:
        yield f"{where}/{key}", f"must be less than {MAX_ID + 1} characters"


def check_choice(holder: dict[str, Any], key: str, where: str, known: Iterable[str]) -> Found:
    """A field that may be left out, and otherwise is one of these."""
    names = sorted(known)
    if key in holder and holder[key] not in names:
        yield f"{where}/{key}", f"must be {', '.join(names[:-1])} or {names[-1]}"


def check_fields(holder: dict[str, Any], known: Iterable[str], where: str) -> Found:
    for name in sorted(set(holder) - set(known)):
        yield where, f"invalid additional property: {name}"


def check_items(
    holder: dict[str, Any], key: str, where: str, least: int, most: int, check: Check
) -> Found:
    """A list of `least` to `most` objects, each checked by `check`."""
    value = holder.get(key)
    if not isinstance(value, list):
        yield f"{where}/{key}", f"missing required field: {key}"
    elif not least <= len(value) <= most:
        yield f"{where}/{key}", f"must have {least} to {most} items, not {len(value)}"
    else:
        for i, one in enumerate(value):
            if isinstance(one, dict):
                yield from check(one, f"{where}/{key}/{i}")
            else:
                yield f"{where}/{key}/{i}", "must be an object"


def check_number(holder: dict[str, Any], key: str, where: str) -> Found:
    value = holder.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool):
        yield f"{where}/{key}", "must be a number"


def check_range(holder: dict[str, Any], key: str, where: str, least: int, most: int) -> Found:
    """A whole number that may be left out."""
    value = holder.get(key, least)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        yield f"{where}/{key}", f"must be a whole number from {least} to {most}"
