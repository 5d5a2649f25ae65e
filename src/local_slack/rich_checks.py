"""What Slack checks in rich text: `docs.slack.dev/reference/block-kit/blocks/rich-text-block`."""

from typing import Any

from local_slack.check_parts import Found, check_fields, check_items, check_string

MAX_CHARACTERS = 11_340
"""Characters over all blocks of a message: 11,341 were seen to be refused; not documented."""
MAX_PARTS = 1000
PARTS = frozenset(
    {"rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"}
)
NEEDED = {
    "broadcast": ("range",),
    "channel": ("channel_id",),
    "color": ("value",),
    "date": ("timestamp", "format"),
    "emoji": ("name",),
    "link": ("url",),
    "team": ("team_id",),
    "text": ("text",),
    "user": ("user_id",),
    "usergroup": ("usergroup_id",),
}
"""The fields that each inline element must have."""
STYLES = frozenset(
    {"bold", "italic", "strike", "underline", "code", "highlight", "client_highlight", "unlink"}
)


def check_rich_text(block: dict[str, Any], where: str) -> Found:
    yield from check_fields(block, ("type", "block_id", "elements"), where)
    yield from check_items(block, "elements", where, 1, MAX_PARTS, _part)


def _part(part: dict[str, Any], where: str) -> Found:
    if part.get("type") not in PARTS:
        yield f"{where}/type", "unsupported type in rich_text"
        return
    check = _item if part["type"] == "rich_text_list" else _inline
    yield from check_items(part, "elements", where, 0, MAX_PARTS, check)
    if part["type"] == "rich_text_list" and part.get("style") not in {"bullet", "ordered"}:
        yield f"{where}/style", "must be bullet or ordered"


def _item(item: dict[str, Any], where: str) -> Found:
    if item.get("type") != "rich_text_section":
        yield f"{where}/type", "an item of a list must be a rich_text_section"
        return
    yield from check_items(item, "elements", where, 0, MAX_PARTS, _inline)


def _inline(element: dict[str, Any], where: str) -> Found:
    kind = element.get("type")
    if not isinstance(kind, str) or kind not in NEEDED:
        yield f"{where}/type", f"unsupported element in rich_text: {kind}"
        return
    for name in NEEDED[kind]:
        if name == "text":
            yield from check_string(element, name, where, MAX_CHARACTERS)
        elif element.get(name) in {None, ""}:
            yield where, f"missing required field: {name}"
    style = element.get("style", {})
    if isinstance(style, dict):
        yield from check_fields(style, STYLES, f"{where}/style")
    else:
        yield f"{where}/style", "must be an object"
