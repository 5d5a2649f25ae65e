"""Which blocks Slack takes in a message. Limits: `docs.slack.dev/reference/block-kit`."""

import secrets
from collections.abc import Iterator
from typing import Any

from chatbot.local_slack.block_checks import MAX_CHARACTERS, find_problems
from chatbot.local_slack.errors import SlackError

MAX_BLOCKS = 50


def check_blocks(blocks: Any, unsupported: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Return a copy with every block_id and action_id set; raise what Slack would answer."""
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise SlackError("invalid_blocks_format")
    if len(blocks) > MAX_BLOCKS:
        raise _refuse("invalid_blocks", [("/blocks", f"no more than {MAX_BLOCKS} items allowed")])
    problems = list(find_problems(blocks, unsupported))
    if problems:
        raise _refuse("invalid_blocks", problems)
    types = [block["type"] for block in blocks]
    if types.count("table") > 1:
        # Slack's own words: it turns a table into an attachment.
        raise _refuse("invalid_attachments", [("/blocks", "only_one_table_allowed")])
    if types.count("data_visualization") > 2:
        raise _refuse("invalid_blocks", [("/blocks", "no more than 2 data_visualization blocks")])
    if _count_characters(blocks) > MAX_CHARACTERS:
        raise SlackError("msg_blocks_too_long")
    return [_with_ids(block) for block in blocks]


def iterate_elements(blocks: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each element that can be clicked, with the block_id of its block."""
    for block in blocks:
        if block["type"] == "container":
            yield from iterate_elements(block.get("children", []))
        elements = block.get("elements", []) if block["type"] == "actions" else []
        for element in [*elements, block.get("accessory")]:
            if isinstance(element, dict) and "action_id" in element:
                yield element, block["block_id"]


def _refuse(code: str, problems: list[tuple[str, str]]) -> SlackError:
    errors = [f"{what} [json-pointer:{where}]" for where, what in problems]
    messages = [f"[ERROR] {error}" for error in errors]
    return SlackError(code, errors=errors, response_metadata={"messages": messages})


def _count_characters(value: Any) -> int:
    if isinstance(value, dict):
        own = value.get("text")
        return (len(own) if isinstance(own, str) else 0) + _count_characters(list(value.values()))
    return sum(map(_count_characters, value)) if isinstance(value, list) else 0


def _with_ids(block: dict[str, Any]) -> dict[str, Any]:
    copy = {**block, "block_id": block.get("block_id") or secrets.token_hex(3)}
    if block["type"] == "container":
        copy["children"] = [_with_ids(child) for child in block["children"]]
    if isinstance(block.get("accessory"), dict):
        copy["accessory"] = {"action_id": f"{copy['block_id']}-0", **block["accessory"]}
    if block["type"] == "actions":
        copy["elements"] = [
            {**one, "action_id": one.get("action_id") or f"{copy['block_id']}-{i}"}
            for i, one in enumerate(block["elements"])
        ]
    return copy
