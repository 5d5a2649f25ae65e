"""Which blocks Slack takes in a message or a modal: `docs.slack.dev/reference/block-kit`."""

import secrets
from collections.abc import Iterator
from typing import Any

from local_slack.block_checks import find_problems, iterate_blocks, list_elements
from local_slack.data_checks import MAX_CELLS
from local_slack.errors import SlackError
from local_slack.rich_checks import MAX_CHARACTERS

MAX_BLOCKS = {"message": 50, "modal": 100}
MAX_CHARTS = 2
MAX_MARKDOWN = 12_000
TABLES = frozenset({"data_table", "table"})

Problems = list[tuple[str, str]]


def check_blocks(
    blocks: Any, unsupported: tuple[str, ...] = (), surface: str = "message"
) -> list[dict[str, Any]]:
    """Return a copy with every block_id and action_id set; raise what Slack would answer.

    A type in `unsupported` has not rolled out to this workspace yet. A refusal for that alone is
    not a breach, as the app could not know.
    """
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise SlackError("invalid_blocks_format")
    most = MAX_BLOCKS[surface]
    if len(blocks) > most:
        raise refuse_blocks([("/blocks", f"no more than {most} items allowed")])
    problems = list(find_problems(blocks, surface))
    if problems:
        raise refuse_blocks(problems)
    if surface == "message":
        _check_sums([block for block, _ in iterate_blocks(blocks)])
    missing = [
        (f"{where}/type", f"unsupported type: {block['type']}")
        for block, where in iterate_blocks(blocks)
        if block["type"] in unsupported
    ]
    if missing:
        raise refuse_blocks(missing, is_breach=False)
    return [_with_ids(block) for block in blocks]


def refuse_blocks(
    problems: Problems, *, code: str = "invalid_blocks", is_breach: bool = True
) -> SlackError:
    """Return the refusal with the reasons where Slack puts them."""
    errors = [f"{what} [json-pointer:{where}]" for where, what in problems]
    messages = [f"[ERROR] {error}" for error in errors]
    return SlackError(
        code, is_breach=is_breach, errors=errors, response_metadata={"messages": messages}
    )


def iterate_elements(blocks: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each element that can be clicked or filled in, with the block_id of its block."""
    for block, _ in iterate_blocks(blocks):
        for element, _place in list_elements(block):
            if "action_id" in element:
                yield element, block["block_id"]


def _check_sums(blocks: list[dict[str, Any]]) -> None:
    """Check the limits on all blocks of a message together."""
    types = [block["type"] for block in blocks]
    if sum(kind in TABLES for kind in types) > 1:
        # This is Slack's wording: it turns a table into an attachment.
        raise refuse_blocks([("/blocks", "only_one_table_allowed")], code="invalid_attachments")
    if types.count("data_visualization") > MAX_CHARTS:
        raise refuse_blocks([("/blocks", f"no more than {MAX_CHARTS} data_visualization blocks")])
    cells = sum(_count_characters(block["rows"]) for block in blocks if block["type"] in TABLES)
    if cells > MAX_CELLS:
        raise refuse_blocks([("/blocks", f"more than {MAX_CELLS} characters in table cells")])
    if sum(len(one["text"]) for one in blocks if one["type"] == "markdown") > MAX_MARKDOWN:
        raise refuse_blocks([("/blocks", f"more than {MAX_MARKDOWN} characters of markdown")])
    outer = [{**one, "child_blocks": None} for one in blocks if one["type"] != "markdown"]
    if _count_characters(outer) > MAX_CHARACTERS:
        raise SlackError("msg_blocks_too_long")


def _count_characters(value: Any) -> int:
    if isinstance(value, dict):
        own = value.get("text")
        return (len(own) if isinstance(own, str) else 0) + _count_characters(list(value.values()))
    return sum(map(_count_characters, value)) if isinstance(value, list) else 0


def _with_ids(block: dict[str, Any]) -> dict[str, Any]:
    copy = {**block, "block_id": block.get("block_id") or secrets.token_hex(3)}
    if block["type"] == "container":
        copy["child_blocks"] = [_with_ids(child) for child in block["child_blocks"]]
    for key in ("accessory", "element"):
        if block.get(key, {}).get("type", "image") != "image":
            copy[key] = {**block[key], "action_id": _action_id(block[key], copy["block_id"], 0)}
    if block["type"] == "actions":
        copy["elements"] = [
            {**one, "action_id": _action_id(one, copy["block_id"], i)}
            for i, one in enumerate(block["elements"])
        ]
    return copy


def _action_id(element: dict[str, Any], block_id: str, number: int) -> str:
    return element.get("action_id") or f"{block_id}-{number}"
