"""What Slack checks in each type of block; every problem is named with its place."""

from collections.abc import Callable, Iterator
from typing import Any

MAX_CHARACTERS = 13_200
MAX_ID = 255
MAX_BUTTON_TEXT = 75
MAX_BUTTON_VALUE = 2000
CONFIRM_LIMITS = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
CELL_TYPES = frozenset({"raw_text", "raw_number", "rich_text"})
RICH_TEXT_PARTS = frozenset(
    {"rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"}
)

Found = Iterator[tuple[str, str]]
"""Problems: where (a JSON pointer), and what."""


def find_problems(blocks: list[Any], unsupported: tuple[str, ...]) -> Found:
    seen: set[str] = set()
    for i, block in enumerate(blocks):
        where = f"/blocks/{i}"
        kind = block.get("type") if isinstance(block, dict) else None
        check = CHECKS.get(kind) if isinstance(kind, str) and kind not in unsupported else None
        if check is None:
            yield f"{where}/type", f"unsupported type: {kind}"
            continue
        yield from check(block, where)
        block_id = block.get("block_id", "")
        if not isinstance(block_id, str) or len(block_id) > MAX_ID:
            yield f"{where}/block_id", f"must be a text of at most {MAX_ID} characters"
        elif block_id and block_id in seen:
            yield f"{where}/block_id", "block_id already exists"
        else:
            seen.add(block_id)


def _text(holder: Any, key: str, where: str, limit: int, *, plain: bool = False) -> Found:
    value = holder.get(key) if isinstance(holder, dict) else None
    kinds = {"plain_text"} if plain else {"plain_text", "mrkdwn"}
    if not isinstance(value, dict) or value.get("type") not in kinds:
        yield f"{where}/{key}", f"must be an object of type {' or '.join(sorted(kinds))}"
    else:
        yield from _string(value, "text", f"{where}/{key}", limit)


def _string(holder: dict[str, Any], key: str, where: str, limit: int) -> Found:
    value = holder.get(key)
    if not isinstance(value, str):
        yield f"{where}/{key}", "must be a string"
    elif not value:
        yield f"{where}/{key}", "must be more than 0 characters"
    elif len(value) > limit:
        yield f"{where}/{key}", f"must be less than {limit + 1} characters"


def _list(holder: dict[str, Any], key: str, least: int, most: int) -> list[Any] | str:
    value = holder.get(key)
    if not isinstance(value, list):
        return f"missing required field: {key}"
    if not least <= len(value) <= most:
        return f"must have {least} to {most} items, not {len(value)}"
    return value


def _section(block: dict[str, Any], where: str) -> Found:
    if "text" not in block and "fields" not in block:
        yield where, "missing required field: text or fields"
    if "text" in block:
        yield from _text(block, "text", where, 3000)
    if "fields" in block:
        fields = _list(block, "fields", 1, 10)
        if isinstance(fields, str):
            yield f"{where}/fields", fields
        else:
            for i, one in enumerate(fields):
                yield from _text({"field": one}, "field", f"{where}/fields/{i}", 2000)
    if "accessory" in block:
        yield from _element(block["accessory"], f"{where}/accessory")


def _header(block: dict[str, Any], where: str) -> Found:
    yield from _text(block, "text", where, 150, plain=True)


def _context(block: dict[str, Any], where: str) -> Found:
    elements = _list(block, "elements", 1, 10)
    if isinstance(elements, str):
        yield f"{where}/elements", elements
        return
    for i, one in enumerate(elements):
        if not isinstance(one, dict) or one.get("type") != "image":
            yield from _text({"text": one}, "text", f"{where}/elements/{i}", 3000)


def _actions(block: dict[str, Any], where: str) -> Found:
    elements = _list(block, "elements", 1, 25)
    if isinstance(elements, str):
        yield f"{where}/elements", elements
        return
    for i, one in enumerate(elements):
        yield from _element(one, f"{where}/elements/{i}")
    ids = [one.get("action_id") for one in elements if isinstance(one, dict)]
    for one in {i for i in ids if i is not None and ids.count(i) > 1}:
        yield f"{where}/elements", f"action_id {one} already exists"


def _element(element: Any, where: str) -> Found:
    if not isinstance(element, dict) or not isinstance(element.get("type"), str):
        yield where, "missing required field: type"
        return
    if len(str(element.get("action_id", ""))) > MAX_ID:
        yield f"{where}/action_id", f"must be less than {MAX_ID + 1} characters"
    if element["type"] != "button":
        return
    yield from _text(element, "text", where, MAX_BUTTON_TEXT, plain=True)
    if "value" in element:
        yield from _string(element, "value", where, MAX_BUTTON_VALUE)
    if element.get("style", "primary") not in {"primary", "danger"}:
        yield f"{where}/style", "must be primary or danger"
    if "confirm" in element:
        for key, limit in CONFIRM_LIMITS.items():
            if isinstance(element["confirm"], dict) and key in element["confirm"]:
                plain = key != "text"
                yield from _text(element["confirm"], key, f"{where}/confirm", limit, plain=plain)


def _rich_text(block: dict[str, Any], where: str) -> Found:
    elements = _list(block, "elements", 1, 1000)
    if isinstance(elements, str):
        yield f"{where}/elements", elements
        return
    for i, part in enumerate(elements):
        place = f"{where}/elements/{i}"
        if not isinstance(part, dict) or part.get("type") not in RICH_TEXT_PARTS:
            yield f"{place}/type", "unsupported type in rich_text"
            continue
        for j, one in enumerate(part.get("elements", [])):
            if isinstance(one, dict) and one.get("type") == "text":
                yield from _string(one, "text", f"{place}/elements/{j}", MAX_CHARACTERS)


def _table(block: dict[str, Any], where: str) -> Found:
    yield from _rows(block, where, 1, 100)


def _data_table(block: dict[str, Any], where: str) -> Found:
    yield from _string(block, "caption", where, 2000)
    yield from _rows(block, where, 2, 101)


def _rows(block: dict[str, Any], where: str, least: int, most: int) -> Found:
    rows = _list(block, "rows", least, most)
    if isinstance(rows, str):
        yield f"{where}/rows", rows
        return
    for i, row in enumerate(rows):
        if not isinstance(row, list) or not 1 <= len(row) <= 20:
            yield f"{where}/rows/{i}", "must be a list of 1 to 20 cells"
            continue
        for j, cell in enumerate(row):
            yield from _cell(cell, f"{where}/rows/{i}/{j}")


def _cell(cell: Any, where: str) -> Found:
    kind = cell.get("type") if isinstance(cell, dict) else None
    if kind not in CELL_TYPES:
        yield f"{where}/type", f"unsupported cell type: {kind}"
    elif kind == "rich_text":
        yield from _rich_text(cell, where)
    else:
        yield from _string(cell, "text", where, MAX_CHARACTERS)
        if kind == "raw_number" and not isinstance(cell.get("value"), int | float):
            yield f"{where}/value", "must be a number"


def _chart(block: dict[str, Any], where: str) -> Found:
    yield from _string(block, "title", where, 50)


def _container(block: dict[str, Any], where: str) -> Found:
    children = _list(block, "children", 1, 10)
    if isinstance(children, str):
        yield f"{where}/children", children
        return
    for place, what in find_problems(children, ()):
        yield where + place.replace("/blocks", "/children", 1), what


def _markdown(block: dict[str, Any], where: str) -> Found:
    yield from _string(block, "text", where, 12_000)


def _anything(_block: dict[str, Any], _where: str) -> Found:
    yield from ()


CHECKS: dict[str, Callable[[dict[str, Any], str], Found]] = {
    "actions": _actions,
    "container": _container,
    "context": _context,
    "data_table": _data_table,
    "data_visualization": _chart,
    "divider": _anything,
    "header": _header,
    "image": _anything,
    "markdown": _markdown,
    "rich_text": _rich_text,
    "section": _section,
    "table": _table,
}
