"""What Slack checks in each type of block; every problem is named with its place.

Limits: `docs.slack.dev/reference/block-kit/blocks`. Where the pages do not mention a surface,
this is the strict reading: what is documented for messages is refused in a modal.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from local_slack.check_parts import (
    Check,
    Found,
    check_choice,
    check_fields,
    check_id,
    check_items,
    check_string,
    check_text,
)
from local_slack.data_checks import check_chart, check_data_table, check_table
from local_slack.element_checks import INPUTS, ONLY_INPUTS, check_element
from local_slack.rich_checks import check_rich_text

NOT_IN = {
    "message": frozenset({"alert"}),
    "modal": frozenset({"container", "data_table", "data_visualization", "markdown", "table"}),
}
"""Which blocks each surface refuses."""
IN_CONTAINER = frozenset(
    {"actions", "context", "divider", "header", "image", "input", "rich_text", "section", "table"}
)
LEVELS = ("default", "info", "warning", "error", "success")


def find_problems(blocks: list[Any], surface: str = "message") -> Found:
    for i, block in enumerate(blocks):
        yield from _block(block, f"/blocks/{i}", surface)
    yield from _find_double_ids(blocks)


def iterate_blocks(
    blocks: list[Any], where: str = "/blocks"
) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each block with its place, also those inside containers."""
    for i, block in enumerate(blocks):
        if isinstance(block, dict):
            yield block, f"{where}/{i}"
            children = block.get("child_blocks")
            if block.get("type") == "container" and isinstance(children, list):
                yield from iterate_blocks(children, f"{where}/{i}/child_blocks")


def list_elements(block: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Return what can be clicked or filled in, with its place inside the block."""
    found = [(block.get("accessory"), "/accessory"), (block.get("element"), "/element")]
    elements = block.get("elements") if block.get("type") == "actions" else None
    if isinstance(elements, list):
        found += [(one, f"/elements/{i}") for i, one in enumerate(elements)]
    return [
        (one, place) for one, place in found if isinstance(one, dict) and one.get("type") != "image"
    ]


def _block(block: Any, where: str, surface: str) -> Found:
    kind = block.get("type") if isinstance(block, dict) else None
    check = CHECKS.get(kind) if isinstance(kind, str) else None
    if check is None or kind in NOT_IN[surface]:
        yield f"{where}/type", f"unsupported type: {kind}"
        return
    yield from check(block, where)
    yield from check_id(block, "block_id", where)


def _find_double_ids(blocks: list[Any]) -> Found:
    """No block_id twice, and no action_id: Slack checks that per block, this over all blocks."""
    all_blocks = list(iterate_blocks(blocks))
    there = Counter(str(block["block_id"]) for block, _ in all_blocks if block.get("block_id"))
    for block, where in all_blocks:
        if there[str(block.get("block_id"))] > 1:
            yield f"{where}/block_id", "block_id already exists"
    seen: set[str] = set()
    for block, where in all_blocks:
        for element, place in list_elements(block):
            action_id = str(element.get("action_id") or "")
            if action_id and action_id in seen:
                yield f"{where}{place}/action_id", f"action_id {action_id} already exists"
            seen.add(action_id)


def _section(block: dict[str, Any], where: str) -> Found:
    known = ("type", "block_id", "text", "fields", "accessory", "expand")
    yield from check_fields(block, known, where)
    if "text" not in block and "fields" not in block:
        yield where, "missing required field: text or fields"
    if "text" in block:
        yield from check_text(block, "text", where, 3000)
    if "fields" in block:
        yield from check_items(block, "fields", where, 1, 10, _field)
    if "accessory" in block:
        yield from _clickable(block["accessory"], f"{where}/accessory")


def _field(field: dict[str, Any], where: str) -> Found:
    place, _, i = where.rpartition("/")
    yield from check_text({i: field}, i, place, 2000)


def _header(block: dict[str, Any], where: str) -> Found:
    yield from check_fields(block, ("type", "block_id", "text", "level"), where)
    yield from check_text(block, "text", where, 150, plain=True)


def _context(block: dict[str, Any], where: str) -> Found:
    yield from check_fields(block, ("type", "block_id", "elements"), where)
    yield from check_items(block, "elements", where, 1, 10, _context_element)


def _context_element(element: dict[str, Any], where: str) -> Found:
    if element.get("type") != "image":
        place, _, i = where.rpartition("/")
        yield from check_text({i: element}, i, place, 3000)


def _actions(block: dict[str, Any], where: str) -> Found:
    yield from check_fields(block, ("type", "block_id", "elements"), where)
    yield from check_items(block, "elements", where, 1, 25, _clickable)


def _clickable(element: Any, where: str) -> Found:
    if not isinstance(element, dict):
        yield where, "must be an object"
        return
    if element.get("type") in ONLY_INPUTS:
        yield f"{where}/type", f"{element['type']} belongs in an input block"
        return
    yield from check_element(element, where)


def _input(block: dict[str, Any], where: str) -> Found:
    known = ("type", "block_id", "label", "element", "dispatch_action", "hint", "optional")
    yield from check_fields(block, known, where)
    yield from check_text(block, "label", where, 2000, plain=True)
    if "hint" in block:
        yield from check_text(block, "hint", where, 2000, plain=True)
    element = block.get("element")
    if not isinstance(element, dict) or element.get("type") not in INPUTS:
        kind = element.get("type") if isinstance(element, dict) else None
        yield f"{where}/element", f"unsupported element in input: {kind}"
        return
    yield from check_element(element, f"{where}/element")


def _alert(block: dict[str, Any], where: str) -> Found:
    yield from check_fields(block, ("type", "block_id", "text", "level"), where)
    yield from check_text(block, "text", where, 3000)
    yield from check_choice(block, "level", where, LEVELS)


def _container(block: dict[str, Any], where: str) -> Found:
    known = ("type", "block_id", "title", "rich_text_title", "subtitle", "child_blocks", "width")
    more = ("icon", "is_collapsible", "default_collapsed", "has_header_divider")
    yield from check_fields(block, (*known, *more), where)
    if "title" not in block and "rich_text_title" not in block:
        yield where, "missing required field: title or rich_text_title"
    if "title" in block:
        yield from check_text(block, "title", where, 150, plain=True)
    if "subtitle" in block:
        yield from check_text(block, "subtitle", where, 150)
    if block.get("default_collapsed") and not block.get("is_collapsible"):
        yield f"{where}/default_collapsed", "requires is_collapsible"
    yield from check_choice(block, "width", where, ("narrow", "standard", "wide", "full"))
    yield from check_items(block, "child_blocks", where, 1, 10, _child)


def _child(block: dict[str, Any], where: str) -> Found:
    if block.get("type") not in IN_CONTAINER:
        yield f"{where}/type", f"unsupported type in a container: {block.get('type')}"
        return
    yield from _block(block, where, "message")


def _markdown(block: dict[str, Any], where: str) -> Found:
    yield from check_fields(block, ("type", "block_id", "text"), where)
    yield from check_string(block, "text", where, 12_000)


def _divider(block: dict[str, Any], where: str) -> Found:
    yield from check_fields(block, ("type", "block_id"), where)


def _image(block: dict[str, Any], where: str) -> Found:
    known = ("type", "block_id", "alt_text", "image_url", "slack_file", "title")
    yield from check_fields(block, known, where)
    yield from check_string(block, "alt_text", where, 2000)
    if ("image_url" in block) == ("slack_file" in block):
        yield where, "one of image_url and slack_file is needed"


CHECKS: dict[str, Check] = {
    "actions": _actions,
    "alert": _alert,
    "container": _container,
    "context": _context,
    "data_table": check_data_table,
    "data_visualization": check_chart,
    "divider": _divider,
    "header": _header,
    "image": _image,
    "input": _input,
    "markdown": _markdown,
    "rich_text": check_rich_text,
    "section": _section,
    "table": check_table,
}
